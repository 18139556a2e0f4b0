"""Cancelling at each place where a generation can be, and an honest answer to it."""

from collections.abc import Iterator

import pytest

from tests.acceptance.origins import OriginClient, an_input
from tests.acceptance.runcomfy import RunComfy
from tests.acceptance.stack import Stack


@pytest.fixture
def no_submissions(stack: Stack) -> Iterator[None]:
    """No worker takes a submission."""
    stack.broker.hold_back("submissions", workers=len(stack.workers))
    yield
    stack.broker.let_go("submissions", workers=len(stack.workers))


@pytest.mark.usefixtures("no_submissions")
def test_a_queued_generation_is_cancelled_at_once(north: OriginClient) -> None:
    endpoint = north.endpoint()
    request_id = north.submit(an_input(), webhook=endpoint.url)

    answer = north.cancel(request_id)

    assert answer["outcome"] == "cancelled"
    assert answer["status"] == north.status(request_id)["status"] == "cancelled"
    callback = endpoint.wait_for_event("generation.cancelled")
    assert callback.told["submissions"] == 0


@pytest.mark.usefixtures("no_submissions")
def test_a_generation_cancelled_while_its_message_waited_is_never_submitted(
    north: OriginClient, stack: Stack
) -> None:
    given = an_input()
    request_id = north.submit(given)
    task_id = stack.broker.wait_for_message("submissions", request_id).task_id
    north.cancel(request_id)
    stack.broker.let_go("submissions", workers=len(stack.workers))

    assert stack.wait_for_tasks(task_id) == ["submitted 0"]

    assert stack.runcomfy.paid_for(given) == []
    assert north.record(request_id)["status"] == "cancelled"


def test_a_generation_in_runcomfys_queue_is_cancelled_there(
    north: OriginClient, runcomfy: RunComfy
) -> None:
    given, endpoint = an_input(), north.endpoint()
    runcomfy.hold(queue=True)
    request_id = north.submit(given, webhook=endpoint.url)
    north.wait_until(request_id, "in_queue")

    answer = north.cancel(request_id)

    assert answer["outcome"] == "cancelled"
    assert answer["status"] == "cancelled"
    (paid,) = runcomfy.paid_for(given)
    assert runcomfy.request(paid["request_id"])["state"] == "cancelled"
    callback = endpoint.wait_for_event("generation.cancelled")
    assert callback.told["submissions"] == 1


def test_a_running_generation_is_not_cancellable_and_goes_on_to_succeed(
    north: OriginClient, runcomfy: RunComfy
) -> None:
    endpoint = north.endpoint()
    runcomfy.hold(progress=True)
    request_id = north.submit(an_input(), webhook=endpoint.url)
    north.wait_until(request_id, "in_progress")

    answer = north.cancel(request_id)

    assert answer["outcome"] == "not_cancellable"
    assert answer["status"] == "in_progress"
    runcomfy.finish_all()
    endpoint.wait_for_event("generation.succeeded")
    assert north.record(request_id)["cancel"]["outcome"] == "not_cancellable"


def test_a_finished_generation_is_not_cancellable(north: OriginClient) -> None:
    request_id = north.submit(an_input())
    north.wait_until(request_id, "succeeded")

    answer = north.cancel(request_id)

    assert answer["outcome"] == "not_cancellable"
    assert answer["status"] == "completed"
