"""The client that talks to RunComfy. The only place besides the callback sender with httpx.

Submissions go over httpx's own transport, each on a fresh connection, because only its
exceptions tell the truth about what was sent (design, decision 6). Everything that may be
repeated goes over aiohttp, at a quarter of the cost (ops/decisions/0011).
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from http.cookiejar import CookieJar, DefaultCookiePolicy
from time import monotonic
from typing import Final, TypeVar

import aiohttp
import httpx
from yarl import URL

from generations.errors import RunComfyUnavailable, SubmissionUncertain
from generations.lifecycle import Status
from generations.metrics import RUNCOMFY_CALLS, RUNCOMFY_SECONDS, result_of
from generations.model import Json
from generations.records import dump_json
from worker.answers import Answer
from worker.runcomfy import listing, protocol
from worker.runcomfy.listing import ListedModels, Record
from worker.runcomfy.protocol import NotThere, Observation

#: A result may echo an input with inline media.
LONGEST_ANSWER: Final = 16 * 1024 * 1024
CONNECTIONS: Final = 200

#: Failures of httpx's own transport that prove that no request left.
NEVER_SENT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.InvalidURL,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
)
#: What a submission can fail with, those above among them.
SUBMIT_FAILURES: Final = (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, OSError)
#: What polls can fail with.
POLL_FAILURES: Final = (aiohttp.ClientError, OSError)  # TimeoutError is one of the latter.

_R = TypeVar("_R")
NextCall = Callable[[], Awaitable[timedelta]]


async def _at_once() -> timedelta:
    return timedelta()


class TooLong(OSError):
    """The answer is longer than any that is meant."""


class RunComfyClient:
    """RunComfy's Model API. Redirects are never followed: the credential stays where it is."""

    def __init__(
        self,
        *,
        base: str,
        token: str,
        submit_timeout: timedelta,
        poll_timeout: timedelta,
        connect_timeout: timedelta,
        next_call: NextCall = _at_once,
    ) -> None:
        """Nothing connects before it is first used.

        Args:
            next_call: asked before each call that nobody claimed: how long it has to wait.
        """
        self._base = base
        self._next_call = next_call
        self._submit_seconds = submit_timeout.total_seconds()
        self._poll_seconds = poll_timeout.total_seconds()
        headers = {"Authorization": f"Bearer {token}", "User-Agent": "darkroom"}
        connect = connect_timeout.total_seconds()
        self._submits = httpx.AsyncClient(
            headers=headers,
            timeout=httpx.Timeout(self._submit_seconds, connect=connect, pool=connect),
            limits=httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=0),
            cookies=_no_cookies(),
            trust_env=False,
        )
        self._others = aiohttp.ClientSession(
            headers=headers,
            # Each call is bounded as a whole.
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=connect),
            connector=aiohttp.TCPConnector(limit=CONNECTIONS, ttl_dns_cache=30),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def submit(self, model_id: str, given: Json) -> str:
        """Ask RunComfy to run a model and return its request id.

        Not idempotent: RunComfy documents no key to deduplicate by, so call it
        again only when the first call is known not to have been sent.

        Raises:
            RunComfyUnavailable: the request never left, or was turned away.
            RunComfyRejected: RunComfy refused the input, including by answering
                200 with an ``error_code``.
            SubmissionUncertain: the request left, and nothing that settles it
                (a timeout, a reset, a 5xx) came back.
        """
        url = self._base + protocol.submit_path(model_id)
        try:
            # httpx's timeouts are per read; this one ends a drip.
            async with asyncio.timeout(self._submit_seconds):
                body = dump_json(given).encode()
                answer = await _counted("submit", _post(self._submits, url, body))
        except SUBMIT_FAILURES as exc:
            return classify_submission(exc)
        return classify_submission(answer)

    async def look(self, request_id: str) -> Observation | NotThere:
        """One poll: the status and, once it stopped running, the result.

        Raises:
            RunComfyUnavailable: no usable answer; look again later.
        """
        return await self._bounded(self._look(request_id))

    async def find_cost(self, request_id: str) -> float | None:
        """What a generation that succeeded cost, in US dollars; None while RunComfy does not say.

        Raises:
            RunComfyUnavailable: no usable answer; ask again later.
        """
        seen = await self._bounded(self._result(request_id))
        return seen.cost if isinstance(seen, Observation) else None

    async def cancel(self, request_id: str) -> str:
        """Ask RunComfy to cancel; its word for what came of it.

        Raises:
            RunComfyUnavailable: no usable answer; ask again later.
        """
        path = protocol.request_path(request_id, "cancel")
        answer = await self._bounded(self._ask("cancel", "POST", path))
        return protocol.read_cancel(answer)

    async def list_models(self, *, offset: int) -> ListedModels:
        """A page of RunComfy's catalog, with the schemas.

        Raises:
            RunComfyUnavailable: no usable answer; ask again later.
        """
        await self.wait_for_call()
        path = listing.models_path(offset=offset)
        return listing.read_models(await self._bounded(self._ask("models", "GET", path)))

    async def find_model(self, model_id: str) -> Record | None:
        """One model of the catalog, with its schema.

        Raises:
            RunComfyUnavailable: no usable answer; ask again later.
        """
        await self.wait_for_call()
        path = protocol.submit_path(model_id)
        return listing.read_model(await self._bounded(self._ask("models", "GET", path)))

    async def wait_for_call(self) -> None:
        """Wait until one more call may be made than was claimed.

        Raises:
            RunComfyThrottled: RunComfy is left alone for now.
        """
        await asyncio.sleep((await self._next_call()).total_seconds())

    async def close(self) -> None:
        """Close every connection."""
        await self._submits.aclose()
        await self._others.close()

    async def _look(self, request_id: str) -> Observation | NotThere:
        path = protocol.request_path(request_id, "status")
        seen = protocol.read_status(await self._ask("status", "GET", path))
        if isinstance(seen, NotThere) or seen.status not in {Status.SUCCEEDED, Status.FAILED}:
            return seen
        await self.wait_for_call()
        return await self._result(request_id)

    async def _result(self, request_id: str) -> Observation | NotThere:
        # Official clients ask for it so, and read it again since it may come late.
        path = protocol.request_path(request_id, "result?include_cost=true")
        return protocol.read_result(await self._ask("result", "GET", path))

    async def _ask(self, route: str, method: str, path: str) -> Answer:
        return await _counted(route, self._asked(method, path))

    async def _asked(self, method: str, path: str) -> Answer:
        url = URL(self._base + path, encoded=True)
        async with self._others.request(method, url, allow_redirects=False) as response:
            body = await _read(response.content.iter_any())
            return Answer(response.status, response.headers, body)

    async def _bounded(self, call: Awaitable[_R]) -> _R:
        try:
            async with asyncio.timeout(self._poll_seconds):
                return await call
        except POLL_FAILURES as exc:
            name = type(exc.__cause__ or exc).__name__
            raise RunComfyUnavailable(f"No answer from RunComfy ({name}).") from exc


def classify_submission(outcome: Answer | Exception) -> str:
    """What is known once the call is over: RunComfy's id, or else one of three errors.

    Whatever does not prove that nothing was accepted leaves it open.

    Raises:
        RunComfyUnavailable, RunComfyRejected, SubmissionUncertain: as :meth:`submit` does.
    """
    if isinstance(outcome, Answer):
        return protocol.read_submission(outcome)
    name = type(outcome).__name__
    if isinstance(outcome, NEVER_SENT):
        raise RunComfyUnavailable(f"RunComfy could not be reached ({name}).") from outcome
    raise SubmissionUncertain(
        f"The submission was sent, but its answer was lost ({name}): "
        "RunComfy may or may not have accepted it."
    ) from outcome


async def _counted(route: str, call: Awaitable[Answer]) -> Answer:
    began, result = monotonic(), result_of(None)
    try:
        answer = await call
        result = result_of(answer.status_code)
        return answer
    finally:
        RUNCOMFY_CALLS.labels(route, result).inc()
        RUNCOMFY_SECONDS.labels(route).observe(monotonic() - began)


async def _post(client: httpx.AsyncClient, url: str, content: bytes) -> Answer:
    headers = {"Content-Type": "application/json"}
    async with client.stream("POST", url, content=content, headers=headers) as response:
        body = await _read(response.aiter_bytes())
        return Answer(response.status_code, response.headers, body)


async def _read(parts: AsyncIterator[bytes]) -> bytes:
    body = b""
    async for part in parts:
        body += part
        if len(body) > LONGEST_ANSWER:
            raise TooLong
    return body


def _no_cookies() -> CookieJar:
    return CookieJar(DefaultCookiePolicy(allowed_domains=()))
