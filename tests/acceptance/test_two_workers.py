"""Several workers, without a leader: they share the load, and one of them may leave."""

from datetime import datetime, timedelta
from typing import Final

from tests.acceptance.origins import Body, OriginClient, an_input
from tests.acceptance.runcomfy import RunComfy
from tests.acceptance.stack import Stack
from tests.acceptance.waiting import eventually
from worker.leases import IN_QUEUE

MANY: Final = 40


def test_two_workers_share_the_load_and_do_nothing_twice(
    stack: Stack, north: OriginClient, runcomfy: RunComfy
) -> None:
    endpoint, inputs = north.endpoint(), [an_input() for _ in range(MANY)]
    before = [worker.tasks_done() for worker in stack.workers]
    request_ids = [north.submit(given, webhook=endpoint.url) for given in inputs]

    records = [north.wait_until_finished(request_id) for request_id in request_ids]
    callbacks = endpoint.wait_for(MANY)

    assert {record["status"] for record in records} == {"succeeded"}
    assert {record["submissions"] for record in records} == {1}
    assert [len(runcomfy.paid_for(given)) for given in inputs] == [1] * MANY
    told = sorted(callback.told["request_id"] for callback in callbacks)
    assert told == sorted(request_ids)
    after = [worker.tasks_done() for worker in stack.workers]
    assert all(done > done_before for done, done_before in zip(after, before, strict=True))


def test_a_worker_that_is_told_to_stop_finishes_what_it_holds_and_leaves_the_rest(
    breakable: Stack, brave: OriginClient
) -> None:
    leaving, staying = breakable.workers[0], breakable.add_worker("worker-2")
    breakable.start()
    endpoint = brave.endpoint()
    breakable.runcomfy.order("hang", route="submit", times=MANY // 2, seconds=2)
    inputs = [an_input() for _ in range(MANY)]
    request_ids = [brave.submit(given, webhook=endpoint.url) for given in inputs]
    eventually(lambda: leaving.is_busy, "the worker waits for answers to its submissions")

    leaving.terminate()

    assert leaving.wait(seconds=30) == 0
    assert not leaving.has_logged("claim.left")
    assert staying.is_running
    records = [brave.wait_until_finished(request_id) for request_id in request_ids]
    assert {record["status"] for record in records} == {"succeeded"}
    assert [len(breakable.runcomfy.paid_for(given)) for given in inputs] == [1] * MANY
    assert max(time_until_submitting(record) for record in records) < IN_QUEUE
    callbacks = endpoint.wait_for(MANY)
    assert {callback.told["request_id"] for callback in callbacks} == set(request_ids)


def time_until_submitting(record: Body) -> timedelta:
    """A claim that was dropped would have waited for its lease."""
    queued, submitting = (datetime.fromisoformat(m["at"]) for m in record["timeline"][:2])
    return submitting - queued
