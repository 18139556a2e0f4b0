"""What the gateway does with callers that are slow, large, curious or on a web page."""

import json
import socket
import time
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import pytest
from redis.asyncio import Redis

from generations.connection import key
from tests.builders import UNLISTED
from tests.conftest import RedisServer
from tests.integration.gateway_process import GatewayProcess
from tests.waiting import eventually

SUBMIT: Final = f"/v1/models/{UNLISTED}"
PAGE: Final = "https://studio.example"
#: Seconds in which a caller that is cut has noticed it, on a busy machine.
PATIENCE: Final = 20.0


@pytest.fixture(scope="module")
def strict(
    valkey_server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayProcess]:
    """A gateway with little patience, and open to one web page."""
    started = GatewayProcess(
        tmp_path_factory.mktemp("strict") / "gateway.log",
        redis_url=valkey_server.url(),
        options=("--http1-header-read-timeout", "500"),
        BODY_TIMEOUT="0.5",
        CORS_ORIGINS=f"{PAGE}, http://localhost:3000",
    )
    yield started
    started.stop()


def dripped(gateway: GatewayProcess, head: bytes, drip: bytes) -> bytes:
    """All that is answered to one who sends a head, and then a few bytes again and again."""
    at = urlsplit(gateway.url)
    give_up = time.monotonic() + PATIENCE
    answered = b""
    with socket.create_connection((at.hostname or "", at.port or 0), timeout=0.05) as caller:
        caller.sendall(head)
        while time.monotonic() < give_up:
            try:
                got = caller.recv(65_536)
                if not got:
                    return answered
                answered += got
            except TimeoutError:
                pass
            except ConnectionError:
                return answered
            try:
                caller.sendall(drip)
            except ConnectionError:
                return answered
    raise AssertionError(f"The caller was never cut; it was answered {answered!r}")


def test_a_body_that_drips_is_cut_with_a_408(strict: GatewayProcess, studio_key: str) -> None:
    head = (
        f"POST {SUBMIT} HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer {studio_key}\r\n"
        "Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n"
    )
    answer = dripped(strict, head.encode(), b" ")
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"application/problem+json" in answer
    assert b'"code":"body_too_slow"' in answer


def test_headers_that_drip_are_cut(strict: GatewayProcess) -> None:
    answer = dripped(strict, b"GET /healthz HTTP/1.1\r\nHost: gateway\r\n", b"X-A: b\r\n")
    assert not answer.startswith(b"HTTP/1.1 200 ")


async def test_headers_of_too_many_bytes_are_refused(studio: httpx.AsyncClient) -> None:
    answer = await studio.get("/v1/generations", headers={"X-Large": "x" * 40_000})
    assert answer.status_code == 431
    assert answer.json()["code"] == "headers_too_large"


async def test_too_many_headers_are_refused(studio: httpx.AsyncClient) -> None:
    headers = {f"X-{n}": "x" for n in range(200)}
    answer = await studio.get("/v1/generations", headers=headers)
    assert answer.status_code == 431


@pytest.mark.parametrize("sent", ["order-4711", "a" * 128, "7f:/?#[]@!$&'()*+,;=~"])
async def test_a_callers_own_request_id_is_told_back(
    sent: str, stranger: httpx.AsyncClient
) -> None:
    answer = await stranger.get("/healthz", headers={"X-Request-Id": sent})
    assert answer.headers["X-Request-Id"] == sent


@pytest.mark.parametrize("sent", [b"", b"a" * 129, b"two words", b"\xc3\xa4", b"tab\there"])
async def test_a_request_id_that_will_not_do_is_replaced(
    sent: bytes, stranger: httpx.AsyncClient
) -> None:
    answer = await stranger.get("/healthz", headers=[(b"X-Request-Id", sent)])
    assert answer.headers["X-Request-Id"].startswith("req_")


@pytest.mark.parametrize(
    ("method", "path", "more", "status"),
    [
        ("GET", "/v1/generations", {}, 200),
        ("GET", "/v1/nowhere", {}, 404),
        ("PUT", "/v1/generations", {}, 405),
        ("GET", "/v1/generations/gen_1", {}, 404),
        ("GET", "/v1/generations", {"headers": {"Authorization": "Bearer dk_no"}}, 401),
        ("GET", "/v1/generations", {"params": {"limit": "many"}}, 422),
        ("POST", SUBMIT, {"content": b"no json"}, 400),
        ("POST", SUBMIT, {"content": b"x" * 200_000}, 413),
        ("GET", "/v1/generations", {"headers": {"X-Large": "x" * 40_000}}, 431),
        ("GET", "/docs", {}, 200),
    ],
)
async def test_every_answer_has_a_request_id_and_is_what_it_says_it_is(
    method: str, path: str, more: dict[str, Any], status: int, studio: httpx.AsyncClient
) -> None:
    answer = await studio.request(method, path, **more)
    assert answer.status_code == status
    assert answer.headers["X-Request-Id"].startswith("req_")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def a_broken_record(studio: httpx.AsyncClient, redis: Redis) -> str:
    """The id of a generation whose record holds what nobody can read."""
    made = (await studio.post(SUBMIT, json={"prompt": "a boat"})).json()
    await redis.hset(key(made["request_id"]), "status", "sunk")
    return str(made["request_id"])


async def test_what_nobody_expected_tells_nothing_of_the_inside(
    studio: httpx.AsyncClient, store_redis: Redis, gateway: GatewayProcess
) -> None:
    broken = await a_broken_record(studio, store_redis)
    for path in (f"/v1/generations/{broken}", f"/v1/requests/{broken}/status"):
        answer = await studio.get(path, headers={"X-Request-Id": f"seek-{broken}"})
        assert answer.status_code == 500
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.headers["X-Request-Id"] == f"seek-{broken}"
        assert answer.json()["code"] == "internal"
        for inside in ("Traceback", 'Error"', "ValueError", "sunk", "Status", ".py", "redis"):
            assert inside not in answer.text
    (first, _) = [
        line
        for line in await lines_of(gateway, f"seek-{broken}", at_least=2)
        if line["event"] == "request.broke"
    ]
    assert first["error"] == "ValueError"


async def lines_of(gateway: GatewayProcess, request_id: str, *, at_least: int) -> list[Any]:
    """The log lines that name a request, once there are so many."""

    async def found() -> list[Any]:
        lines = (line for line in gateway.log.splitlines() if line.startswith("{"))
        named = [line for line in map(json.loads, lines) if line.get("request_id") == request_id]
        return named if len(named) >= at_least else []

    return await eventually(found, f"{at_least} lines name {request_id}")


async def test_every_line_of_a_request_has_its_id(
    studio: httpx.AsyncClient, gateway: GatewayProcess
) -> None:
    before = len(gateway.log.splitlines())
    await studio.post(SUBMIT, json={"prompt": "a boat"}, headers={"X-Request-Id": "lines-1"})
    await studio.get("/v1/generations", headers={"Authorization": "no", "X-Request-Id": "lines-1"})
    lines = await lines_of(gateway, "lines-1", at_least=2)
    assert [line["event"] for line in lines] == ["generation.accepted", "request.unauthorized"]
    after = [json.loads(line) for line in gateway.log.splitlines()[before:] if line[:1] == "{"]
    assert all("request_id" in line for line in after)


async def test_no_web_page_may_call_unless_it_is_listed(stranger: httpx.AsyncClient) -> None:
    asked = {"Origin": PAGE, "Access-Control-Request-Method": "GET"}
    answers = [
        await stranger.options("/v1/generations", headers=asked),
        await stranger.get("/healthz", headers={"Origin": PAGE}),
    ]
    for answer in answers:
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_a_page_that_is_listed_may_call_and_another_may_not(strict: GatewayProcess) -> None:
    asked = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, idempotency-key, content-type",
    }
    with httpx.Client(base_url=strict.url, verify=False) as browser:
        ours = browser.options(SUBMIT, headers={**asked, "Origin": PAGE})
        assert ours.status_code == 200
        assert ours.headers["Access-Control-Allow-Origin"] == PAGE
        assert "Access-Control-Allow-Credentials" not in ours.headers
        called = browser.get("/v1/generations", headers={"Origin": PAGE})
        assert called.status_code == 401
        assert called.headers["Access-Control-Allow-Origin"] == PAGE
        assert "X-Request-Id" in called.headers["Access-Control-Expose-Headers"]
        for page in ("https://evil.example", "null", f"{PAGE}.evil.example"):
            theirs = browser.options(SUBMIT, headers={**asked, "Origin": page})
            assert theirs.status_code == 400
            assert "Access-Control-Allow-Origin" not in theirs.headers


async def test_no_forwarded_header_is_believed(studio: httpx.AsyncClient) -> None:
    forged = {
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Prefix": "/evil",
        "X-Forwarded-For": "127.0.0.1",
        "Forwarded": "proto=https;host=evil.example",
    }
    answer = await studio.post(SUBMIT, json={"prompt": "a boat"}, headers=forged)
    assert answer.json()["status_url"].startswith(f"{studio.base_url}".rstrip("/") + "/v1/")
    assert "evil" not in answer.text


@pytest.mark.parametrize(
    ("path", "name", "said"),
    [
        ("/v1/generations", "limti", "did you mean limit?"),
        ("/v1/generations", "metdata[a]", "metadata"),
        ("/v1/generations", "colour", "the route takes"),
        ("/v1/generations/gen_1", "wiat", "did you mean wait?"),
    ],
)
async def test_a_native_route_refuses_what_it_does_not_know_in_a_query(
    path: str, name: str, said: str, studio: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    answer = await studio.get(path, params={name: "1"})
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["pointer"] == f"?{name}"
    assert said in error["message"]
    assert (await stranger.get(path, params={name: "1"})).status_code == 401


async def test_a_runcomfy_route_refuses_only_what_is_a_misspelling_of_ours(
    studio: httpx.AsyncClient,
) -> None:
    for name in ("version", "client", "trace_id"):
        assert (await studio.post(SUBMIT, json={}, params={name: "1"})).status_code == 200
    answer = await studio.post(SUBMIT, json={}, params={"webook": "https://studio.example/"})
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["message"] == "There is no such parameter; did you mean webhook?"


async def test_metadata_in_a_query_is_known(studio: httpx.AsyncClient) -> None:
    query = {"metadata[order]": "4711"}
    assert (await studio.get("/v1/generations", params=query)).status_code == 200
    assert (await studio.post(SUBMIT, json={}, params=query)).status_code == 200
