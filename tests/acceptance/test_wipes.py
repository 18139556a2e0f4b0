"""All of the broker, or all of the due index, deleted under load: only time is lost."""

from dataclasses import dataclass
from functools import partial

import redis

from generations.due import due_key
from generations.steps import Lane
from tests.acceptance.origins import Body, OriginClient, an_input
from tests.acceptance.program import Program
from tests.acceptance.receiver import Endpoint
from tests.acceptance.stack import Stack
from tests.acceptance.waiting import eventually

LOAD = 40
WIPES = 3
#: What is told, at most: an audit comes every five seconds, a lease ends after fifteen.
SECONDS = 60


@dataclass(frozen=True, slots=True)
class Load:
    """Generations that were accepted, and the endpoint that is told of all of them."""

    inputs: list[Body]
    request_ids: list[str]
    endpoint: Endpoint


def in_flight(origin: OriginClient) -> Load:
    """As many as a load is, every one accepted, at whatever place it may be."""
    endpoint, inputs = origin.endpoint(), [an_input() for _ in range(LOAD)]
    ids = [origin.submit(given, webhook=endpoint.url) for given in inputs]
    return Load(inputs, ids, endpoint)


def delete_due_index(stack: Stack) -> None:
    """As if nothing had ever been due."""
    with redis.Redis.from_url(stack.redis_url) as client:
        assert client.delete(*map(due_key, Lane))


def wait_for_work(worker: Program, *, after: int) -> None:
    """Come back when the worker has done something more."""
    eventually(lambda: worker.tasks_done() > after, "the worker goes on")


def has_done_more(worker: Program, than: int) -> bool:
    return worker.tasks_done() > than


def check_all_told_and_paid_once(load: Load, stack: Stack, origin: OriginClient) -> None:
    """Each succeeded, was paid once, and its endpoint knows."""

    def untold() -> set[str]:
        told = {callback.told["request_id"] for callback in load.endpoint.callbacks}
        return set(load.request_ids) - told

    eventually(lambda: not untold(), "every generation is told", seconds=SECONDS)
    assert all(callback.is_verified for callback in load.endpoint.callbacks)
    statuses = {origin.record(request_id)["status"] for request_id in load.request_ids}
    assert statuses == {"succeeded"}
    assert [len(stack.runcomfy.paid_for(given)) for given in load.inputs] == [1] * LOAD
    assert all(worker.is_running for worker in stack.workers)


def test_a_broker_that_is_emptied_under_load_loses_nothing(
    breakable: Stack, brave: OriginClient
) -> None:
    load = in_flight(brave)
    breakable.broker.redis.flushdb()
    check_all_told_and_paid_once(load, breakable, brave)


def test_a_broker_that_is_emptied_again_and_again_loses_nothing(
    breakable: Stack, brave: OriginClient
) -> None:
    breakable.runcomfy.hold(progress=True)
    load = in_flight(brave)
    (worker,) = breakable.workers
    for _ in range(WIPES):
        breakable.broker.redis.flushdb()
        done = worker.tasks_done()
        eventually(partial(has_done_more, worker, done), "the worker goes on")
    breakable.runcomfy.hold()
    breakable.runcomfy.finish_all()
    check_all_told_and_paid_once(load, breakable, brave)


def test_messages_that_wait_in_an_emptied_broker_are_sent_again(
    breakable: Stack, brave: OriginClient
) -> None:
    breakable.broker.hold_back(*Lane, workers=1)
    load = in_flight(brave)
    breakable.broker.wait_for_message("submissions", load.request_ids[0])
    breakable.broker.redis.flushdb()
    breakable.broker.let_go(*Lane, workers=1)
    check_all_told_and_paid_once(load, breakable, brave)


def test_a_due_index_that_is_deleted_under_load_loses_nothing(
    breakable: Stack, brave: OriginClient
) -> None:
    load = in_flight(brave)
    delete_due_index(breakable)
    check_all_told_and_paid_once(load, breakable, brave)


def test_a_due_index_that_is_deleted_while_everything_is_polled_loses_nothing(
    breakable: Stack, brave: OriginClient
) -> None:
    breakable.runcomfy.hold(progress=True)
    load = in_flight(brave)
    for request_id in load.request_ids:
        brave.wait_until(request_id, "in_progress")
    delete_due_index(breakable)
    breakable.runcomfy.hold()
    breakable.runcomfy.finish_all()
    check_all_told_and_paid_once(load, breakable, brave)
