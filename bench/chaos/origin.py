"""The origin: submits generations at a steady rate, and each one until it has an answer."""

import asyncio
import random
import time
from typing import Final

import aiohttp

from bench.chaos.evidence import Submission
from ops.local.example import INPUT, submit_url

#: Seconds that an answer may take before the origin sends its submission again.
PATIENCE: Final = aiohttp.ClientTimeout(total=10.0)
#: Seconds to wait before that: about so many at first, and twice as many each time.
FIRST_WAIT: Final = 0.25
LONGEST_WAIT: Final = 4.0
#: Every so many generations, one asks to be told of its progress too.
INTERMEDIATE: Final = 10


class ChaosOrigin:
    """Submits, and keeps a list of what it was answered."""

    def __init__(
        self, gateway: str, *, api_key: str, webhook: str, replays: float, source: random.Random
    ) -> None:
        self.submissions: list[Submission] = []
        self._url = submit_url(gateway, webhook)
        self._headers = {"Authorization": f"Bearer {api_key}"}
        self._replays = replays
        self._random = source

    @property
    def accepted(self) -> int:
        """How many have an answer by now."""
        return sum(s.generation_id is not None for s in self.submissions)

    @property
    def retries(self) -> int:
        return sum(s.retries for s in self.submissions)

    async def submit_all(self, n: int, *, seconds: float) -> None:
        """Submit so many over so many seconds; come back when each has an answer."""
        began = time.monotonic()
        # aiohttp, because hundreds of submissions may wait for a gateway that was just killed.
        async with (
            aiohttp.ClientSession(timeout=PATIENCE, headers=self._headers) as http,
            asyncio.TaskGroup() as group,
        ):
            for number in range(n):
                group.create_task(self._submit(number, http))
                await asyncio.sleep(began + seconds * (number + 1) / n - time.monotonic())

    async def _submit(self, number: int, http: aiohttp.ClientSession) -> None:
        submission = Submission(marker=f"chaos-{number:06}", sent_at=time.time())
        self.submissions.append(submission)
        found = await self._post_until_answered(submission, number, http)
        if found is None:
            return
        submission.generation_id, submission.accepted_at = found, time.time()
        if self._random.random() < self._replays:
            again = await self._post_until_answered(submission, number, http)
            submission.replayed_ids.append(str(again))

    async def _post_until_answered(
        self, submission: Submission, number: int, http: aiohttp.ClientSession
    ) -> str | None:
        """The id that it was given; None where it was refused."""
        wait = FIRST_WAIT
        while True:
            status, request_id = await self._post(submission, number, http)
            if 200 <= status < 300:
                return request_id
            if 400 <= status < 500:
                submission.refused = status
                return None
            submission.retries += 1
            # 503 is what it says when Redis is away.
            submission.broke += status not in {0, 503}
            await asyncio.sleep(wait * self._random.uniform(0.5, 1.5))
            wait = min(wait * 2, LONGEST_WAIT)

    async def _post(
        self, submission: Submission, number: int, http: aiohttp.ClientSession
    ) -> tuple[int, str]:
        """The status, 0 where no answer came, and the id that the answer has."""
        intermediate = "&webhook_intermediate_status=true" if number % INTERMEDIATE == 0 else ""
        try:
            async with http.post(
                self._url + intermediate,
                json=INPUT | {"prompt": submission.marker},
                headers={"Idempotency-Key": submission.marker},
            ) as answer:
                body = await answer.json(content_type=None)
                return answer.status, str(body.get("request_id"))
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return 0, ""
