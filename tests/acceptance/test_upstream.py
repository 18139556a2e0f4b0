"""What RunComfy may get from two workers together, and a 429 that all of them heed."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import pytest
import redis

from generations.indexes import UPSTREAM
from tests.acceptance.conftest import origin_of, running
from tests.acceptance.origins import OriginClient, an_input
from tests.acceptance.receiver import Receiver
from tests.acceptance.stack import Stack
from tests.acceptance.test_in_flight import most_at_once
from tests.acceptance.waiting import eventually

MOST: Final = 3
#: Calls a second.
RATE: Final = 8
MANY: Final = 12
LIMITS: Final = {
    "RUNCOMFY_MAX_IN_FLIGHT": str(MOST),
    "RUNCOMFY_REQUESTS_PER_SECOND": str(RATE),
}


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("limited")
    yield from running(Stack(folder, workers=("worker-1", "worker-2"), settings=LIMITS))


@pytest.fixture(scope="module")
def busy(limited: Stack, receiver: Receiver) -> Iterator[OriginClient]:
    yield from origin_of(limited, "busy", receiver)


@pytest.fixture(scope="module")
def rare(limited: Stack, receiver: Receiver) -> Iterator[OriginClient]:
    yield from origin_of(limited, "rare", receiver)


def test_two_workers_keep_to_what_runcomfy_may_get_and_origins_take_turns(
    limited: Stack, busy: OriginClient, rare: OriginClient
) -> None:
    runcomfy = limited.runcomfy
    began, calls_before = time.monotonic(), runcomfy.calls_made()
    inputs = [an_input() for _ in range(MANY)]
    ids = [busy.submit(given) for given in inputs]
    one = rare.submit(an_input())

    records = [busy.wait_until_finished(request_id) for request_id in ids]
    other = rare.wait_until_finished(one)
    calls, seconds = runcomfy.calls_made() - calls_before, time.monotonic() - began

    assert {record["status"] for record in (*records, other)} == {"succeeded"}
    assert [len(runcomfy.paid_for(given)) for given in inputs] == [1] * MANY
    assert most_at_once([*records, other]) <= MOST
    # However workers stutter, each call had its own eighth of a second.
    assert calls <= RATE * seconds + 1
    began_after = [record["timeline"][1]["at"] > other["timeline"][1]["at"] for record in records]
    assert sum(began_after) >= 2, "the one waited for all of the other origin's"


def test_a_429_pauses_every_worker_and_nothing_is_lost_or_counted(
    limited: Stack, busy: OriginClient, rare: OriginClient
) -> None:
    runcomfy = limited.runcomfy
    with redis.Redis.from_url(limited.redis_url, decode_responses=True) as store:
        store.hdel(UPSTREAM, "paused_until")
        runcomfy.order("throttled_retry_after", route="status", seconds=4)
        first = busy.submit(an_input())
        ends_at = eventually(lambda: pause_of(store), "everybody pauses")
    inputs = [an_input() for _ in range(2 * MOST)]
    ids = [rare.submit(given) for given in inputs]

    records = [rare.wait_until_finished(request_id) for request_id in ids]
    throttled = busy.wait_until_finished(first)

    assert {record["status"] for record in (*records, throttled)} == {"succeeded"}
    assert {record["submissions"] for record in (*records, throttled)} == {1}
    assert [len(runcomfy.paid_for(given)) for given in inputs] == [1] * len(inputs)
    submitted_at = [datetime.fromisoformat(record["timeline"][1]["at"]) for record in records]
    assert min(submitted_at) >= ends_at


def test_a_throttled_submission_is_back_in_line_and_paid_once(
    limited: Stack, rare: OriginClient
) -> None:
    limited.runcomfy.order("throttled", route="submit", times=2)
    given = an_input()
    record = rare.wait_until_finished(rare.submit(given))
    assert record["status"] == "succeeded"
    assert record["submissions"] == 1
    assert len(limited.runcomfy.paid_for(given)) == 1


def pause_of(store: redis.Redis) -> datetime | None:
    """When the pause ends that is going on."""
    at = float(store.hget(UPSTREAM, "paused_until") or 0)
    return datetime.fromtimestamp(at / 1000, tz=UTC) if at else None
