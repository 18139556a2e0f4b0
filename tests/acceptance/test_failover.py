"""Sentinel URLs for store and broker: the primary is killed, and work goes on with the next."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.conftest import SHORT_TIMEOUTS, origin_of
from tests.acceptance.origins import OriginClient, an_input
from tests.acceptance.receiver import Receiver
from tests.acceptance.stack import Stack
from tests.acceptance.waiting import eventually
from tests.sentinels import Sentinels


@pytest.fixture
def sentinels(tmp_path: Path) -> Iterator[Sentinels]:
    sentinels = Sentinels(tmp_path)
    yield sentinels
    sentinels.close()


@pytest.fixture
def watched(tmp_path: Path, sentinels: Sentinels) -> Iterator[Stack]:
    """A stack whose gateway and worker know the Sentinel alone, over a server with a replica."""
    settings = {**SHORT_TIMEOUTS, "DARKROOM_REDIS_URL": sentinels.url}
    stack = Stack(tmp_path, workers=("worker-1",), settings=settings)
    try:
        stack.valkey.start()
        stack.valkey.wait_until_ready()
        sentinels.watch(stack.valkey_port)
        stack.start()
        yield stack
    finally:
        stack.close()


@pytest.fixture
def origin(watched: Stack, receiver: Receiver) -> Iterator[OriginClient]:
    yield from origin_of(watched, "watched", receiver)


def test_what_was_in_flight_and_what_came_after_finish_on_the_promoted_replica(
    watched: Stack, sentinels: Sentinels, origin: OriginClient
) -> None:
    before, after, endpoint = an_input(), an_input(), origin.endpoint()
    watched.runcomfy.hold(progress=True)
    first = origin.submit(before, webhook=endpoint.url)
    origin.wait_until(first, "in_progress")
    sentinels.wait_for_replica()

    watched.valkey.kill()
    sentinels.wait_for_promotion()
    second = eventually(
        lambda: accepted(origin, after, endpoint.url), "the gateway accepts again", seconds=60
    )
    watched.runcomfy.hold()
    watched.runcomfy.finish_all()

    def is_all_told() -> bool:
        watched.revive_workers()
        return len(endpoint.callbacks) >= 2

    eventually(is_all_told, "both are told", seconds=60)
    told = {c.told["request_id"]: c.event for c in endpoint.wait_for(2)}
    assert told == dict.fromkeys((first, second), "generation.succeeded")
    assert [len(watched.runcomfy.paid_for(given)) for given in (before, after)] == [1, 1]


def accepted(origin: OriginClient, given: object, webhook: str) -> str | None:
    """The id of a generation; None while the gateway has no server."""
    answer = origin.post(given, webhook=webhook, idempotency_key="the-second")
    if answer.status_code == 503:
        return None
    return str(answer.raise_for_status().json()["request_id"])
