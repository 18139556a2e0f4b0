"""A worker killed on either side of the submission: after the intent, and before the answer
is on record. For a poll's result the same: RunComfy gave it, and nothing holds it yet.
"""

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.acceptance.gate import ClosedDoor, Gate
from tests.acceptance.origins import OriginClient, an_input
from tests.acceptance.program import Program
from tests.acceptance.stack import Stack
from tests.acceptance.waiting import eventually

#: Seconds: longer than it takes to bring about a kill, and a lease that ends soon after.
UNHURRIED = {"DARKROOM_SUBMIT_TIMEOUT": "8", "DARKROOM_POLL_TIMEOUT": "8"}
LEASE = 60.0


@pytest.fixture
def worker(breakable: Stack) -> Iterator[Program]:
    """The only worker, not running; afterwards its settings are as they were."""
    (worker,) = breakable.workers
    before = dict(worker.environment)
    worker.kill()
    yield worker
    worker.kill()
    worker.environment = before


def start(worker: Program, **settings: str) -> None:
    worker.environment |= settings
    worker.start()
    worker.wait_until_ready()


def test_a_kill_between_the_intent_and_the_post_is_uncertain_and_nothing_was_paid(
    breakable: Stack, worker: Program, brave: OriginClient
) -> None:
    given, endpoint, theirs = an_input(), brave.endpoint(), breakable.runcomfy.url
    with closing(ClosedDoor()) as door:
        patience = UNHURRIED | {"DARKROOM_CONNECT_TIMEOUT": "8"}
        start(worker, RUNCOMFY_MODEL_API_BASE=door.url, **patience)
        request_id = brave.submit(given, webhook=endpoint.url)

        def is_killed_in_between() -> bool:
            # The door stays closed, but the worker may have given up knocking for a while.
            brave.wait_until(request_id, "submitting")
            worker.kill()
            if brave.record(request_id)["status"] == "submitting":
                return True
            start(worker)
            return False

        eventually(is_killed_in_between, "the worker is killed while it knocks", seconds=LEASE)
    start(worker, RUNCOMFY_MODEL_API_BASE=f"{theirs}/v1")

    (callback,) = endpoint.wait_for(1, seconds=LEASE)

    assert callback.told["error"]["code"] == "submission_uncertain"
    assert callback.told["submissions"] == 1
    assert breakable.runcomfy.paid_for(given) == []


def test_a_kill_between_an_answer_and_its_record_pays_nothing_twice_and_loses_nothing(
    breakable: Stack, worker: Program, brave: OriginClient
) -> None:
    runcomfy = breakable.runcomfy
    submitted, polled = an_input(), an_input()
    told_of_submitted, told_of_polled = brave.endpoint(), brave.endpoint()
    with closing(Gate(runcomfy.url)) as gate:
        start(worker, RUNCOMFY_MODEL_API_BASE=gate.url, **UNHURRIED)
        runcomfy.hold(progress=True)
        polled_id = brave.submit(polled, webhook=told_of_polled.url)
        brave.wait_until(polled_id, "in_progress")
        breakable.broker.hold_back("polls", workers=1)
        eventually(lambda: not worker.is_busy, "no poll is under way")
        gate.hold_answers()
        runcomfy.finish_all()
        breakable.broker.let_go("polls", workers=1)
        eventually(lambda: gate.answers_held, "the poll has its answer")
        submitted_id = brave.submit(submitted, webhook=told_of_submitted.url)
        eventually(lambda: gate.answers_held == 2, "the submission has its answer")
        breakable.broker.pause_writes()
        gate.let_answers_through()
        eventually(
            lambda: worker.has_logged("submission.accepted", submitted_id),
            "the worker has the answer to its submission",
        )
        (entry,) = runcomfy.paid_for(polled)
        eventually(
            lambda: (
                runcomfy.request(entry["request_id"])["calls"].get("result") == 1
                and not gate.answers_held
            ),
            "the poll has its result",
        )
        breakable.broker.wait_for_held_writes()

        worker.kill()
        breakable.broker.go_on_writing()
        assert brave.record(submitted_id)["status"] == "submitting"
        assert brave.record(polled_id)["status"] == "in_progress"
        start(worker)

        (callback,) = told_of_submitted.wait_for(1, seconds=LEASE)
        assert callback.told["error"]["code"] == "submission_uncertain"
        assert len(runcomfy.paid_for(submitted)) == 1
        (callback,) = told_of_polled.wait_for(1, seconds=LEASE)
        assert callback.told["status"] == "succeeded"
        assert len(runcomfy.paid_for(polled)) == 1
