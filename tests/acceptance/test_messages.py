"""Celery's messages: hints that may be read by anybody, and may come twice."""

from collections.abc import Iterator

import pytest

from tests.acceptance.broker import LANES
from tests.acceptance.origins import OriginClient, an_input
from tests.acceptance.runcomfy import IMAGE_MODEL
from tests.acceptance.stack import SIGNING_KEYS, TOKEN, Stack


@pytest.fixture
def held_back(stack: Stack) -> Iterator[Stack]:
    """No message is taken before its lane is let go."""
    stack.broker.hold_back(*LANES, workers=len(stack.workers))
    yield stack
    stack.broker.let_go(*LANES, workers=len(stack.workers))


def test_no_prompt_secret_or_url_is_in_the_broker_or_a_log(
    held_back: Stack, north: OriginClient
) -> None:
    stack, given, endpoint = held_back, an_input(), north.endpoint()
    secrets = [given["prompt"], TOKEN, north.api_key, north.secret, "SIGNED", "/outputs/"]
    secrets += [key.private_text for key in SIGNING_KEYS]
    about = request_id = north.submit(given, webhook=endpoint.url)
    seen = ""
    with stack.broker.listening() as heard:
        for lane in LANES:
            if lane == "deliveries":
                about = north.wait_until(request_id, "succeeded")["deliveries"][0]["id"]
            message = stack.broker.wait_for_message(lane, about)
            ((said,),) = message.args
            assert said[0] == about
            assert isinstance(said[1], int)
            seen += stack.broker.contents()
            stack.broker.let_go(lane, workers=len(stack.workers))
        endpoint.wait_for_event("generation.succeeded")
        stack.wait_for_tasks(message.task_id)
        seen += stack.broker.contents() + heard()
    logs = "".join(p.text() for p in stack.programs.values() if p is not stack.simulator)

    assert request_id in seen
    assert "task-succeeded" in seen
    assert request_id in logs
    assert [secret for secret in [*secrets, IMAGE_MODEL, "http://"] if secret in seen] == []
    assert [secret for secret in secrets if secret in logs] == []


def test_a_message_delivered_twice_acts_once(held_back: Stack, north: OriginClient) -> None:
    stack, given, endpoint = held_back, an_input(), north.endpoint()
    about = request_id = north.submit(given, webhook=endpoint.url)
    said = []
    for lane in LANES:
        if lane == "deliveries":
            about = north.wait_until(request_id, "succeeded")["deliveries"][0]["id"]
        message = stack.broker.wait_for_message(lane, about)
        stack.broker.repeat(lane, message)
        stack.broker.let_go(lane, workers=len(stack.workers))
        said += sorted(stack.wait_for_tasks(message.task_id, copies=2))

    record = north.record(request_id)
    assert said == [
        *("submitted 0", "submitted 1: 1 in_queue"),
        *("polled 0", "polled 1: 1 succeeded"),
        *("attempted 0", f"attempted 1: 1 delivered (of {request_id})"),
    ]
    (paid,) = stack.runcomfy.paid_for(given)
    calls = stack.runcomfy.request(paid["request_id"])["calls"]
    assert (record["polls"], calls["status"], calls["result"]) == (1, 1, 1)
    assert len(endpoint.callbacks) == len(record["deliveries"][0]["attempts"]) == 1
