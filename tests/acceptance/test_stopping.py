"""A worker that is told to stop ends within half a minute, and nothing waits for a lease."""

import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest
import redis

from generations.due import due_key
from generations.steps import Lane
from tests.acceptance.origins import OriginClient, an_input
from tests.acceptance.program import Program
from tests.acceptance.stack import Stack
from tests.acceptance.waiting import eventually

#: Seconds: calls that outlast a worker's patience, and leases that outlast the test.
FOR_EVER = "600"
#: Seconds that a worker may take.
LIMIT = 30.0


@pytest.fixture
def worker(breakable: Stack) -> Iterator[Program]:
    """The only worker, which gives every call all the time in the world."""
    (worker,) = breakable.workers
    before = dict(worker.environment)
    worker.kill()
    calls = ("SUBMIT", "POLL", "ATTEMPT")
    worker.environment |= {f"DARKROOM_{call}_TIMEOUT": FOR_EVER for call in calls}
    worker.start()
    worker.wait_until_ready()
    yield worker
    worker.kill()
    worker.environment = before


def test_calls_that_hang_are_ended_and_their_claims_given_back(
    breakable: Stack, worker: Program, brave: OriginClient
) -> None:
    has_stopped = threading.Event()
    polled, submitted = an_input("[[sim:status:hang]]"), an_input("[[sim:hang]]")
    told = brave.endpoint()
    told.before_answer = lambda: has_stopped.wait(60)
    delivered_id = brave.submit(an_input(), webhook=told.url)
    polled_id, submitted_id = brave.submit(polled), brave.submit(submitted)
    told.wait_for()
    breakable.runcomfy.wait_for_call(polled, "status")
    eventually(lambda: breakable.runcomfy.paid_for(submitted), "it is paid")

    worker.terminate()

    assert worker.wait(seconds=LIMIT) == 0
    has_stopped.set()
    uncertain = brave.record(submitted_id)
    assert uncertain["error"]["code"] == "submission_uncertain"
    assert "was stopped" in uncertain["error"]["message"]
    (delivery,) = brave.record(delivered_id)["deliveries"]
    assert is_due(breakable, Lane.POLLS, polled_id)
    assert is_due(breakable, Lane.DELIVERIES, delivery["id"])
    assert delivery["attempts"] == []


def test_a_worker_whose_redis_is_frozen_ends_all_the_same(
    breakable: Stack, worker: Program, brave: OriginClient
) -> None:
    given = an_input("[[sim:hang]]")
    brave.submit(given)
    eventually(lambda: breakable.runcomfy.paid_for(given), "it is paid")
    os.kill(breakable.valkey.pid, signal.SIGSTOP)
    try:
        worker.terminate()
        worker.wait(seconds=LIMIT)
    finally:
        os.kill(breakable.valkey.pid, signal.SIGCONT)


def is_due(stack: Stack, lane: Lane, record_id: str) -> bool:
    """Whether anybody may claim it now."""
    with redis.Redis.from_url(stack.redis_url) as store:
        at = store.zscore(due_key(lane), record_id)
    assert isinstance(at, float)
    return at <= time.time() * 1000
