"""What workers tell on request: an endpoint that is tried, and deliveries that are told again."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.conftest import origin_of
from tests.acceptance.origins import OriginClient, an_input
from tests.acceptance.program import ROOT
from tests.acceptance.receiver import Endpoint, Receiver
from tests.acceptance.stack import Stack
from tests.acceptance.waiting import eventually


@pytest.fixture(scope="module")
def west(shared_stack: Stack, receiver: Receiver) -> Iterator[OriginClient]:
    """An origin whose deliveries are all of this module."""
    yield from origin_of(shared_stack, "west", receiver)


def darkroom(stack: Stack, *arguments: str, code: int = 0) -> Any:
    """What an operator's command prints as JSON."""
    command = [sys.executable, "-m", "ops.cli", *arguments, "--json"]
    said = subprocess.run(
        command,
        env=stack.environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert said.returncode == code, said.stderr
    return json.loads(said.stdout)


def look_at(origin: OriginClient, delivery_id: str) -> dict[str, Any]:
    return dict(origin.call("GET", f"/v1/deliveries/{delivery_id}").json())


def wait_until(origin: OriginClient, delivery_id: str, status: str) -> dict[str, Any]:
    """The delivery, once it is in a status."""

    def look() -> dict[str, Any] | None:
        found = look_at(origin, delivery_id)
        return found if found["status"] == status else None

    return eventually(look, f"{delivery_id} is {status}")


def given_up(origin: OriginClient, *later: int) -> tuple[Endpoint, str]:
    """An endpoint that was gone, and then answers this; the delivery that it did not take."""
    endpoint = origin.endpoint(410, *later)
    generation_id = origin.submit(an_input(), webhook=endpoint.url)
    record = origin.wait_until_finished(generation_id)
    (delivery,) = record["deliveries"]
    wait_until(origin, delivery["id"], "exhausted")
    return endpoint, delivery["id"]


def test_an_endpoint_that_is_tried_is_told_a_signed_event_by_a_worker(west: OriginClient) -> None:
    endpoint = west.endpoint()
    answer = west.call("POST", "/v1/endpoints/test", json={"webhook": endpoint.url})
    (callback,) = endpoint.wait_for(1)
    tried = wait_until(west, answer.json()["id"], "delivered")
    assert callback.event == tried["type"] == "endpoint.test"
    assert callback.event_id == tried["event_id"]
    assert "v1a," in callback.headers["webhook-signature"]
    assert [one["status_code"] for one in tried["attempts"]] == [200]


def test_an_operators_test_tells_what_the_endpoint_answers_and_is_made_once(
    stack: Stack, west: OriginClient
) -> None:
    endpoint = west.endpoint(500)
    told = darkroom(stack, "endpoints", "test", "west", endpoint.url, code=1)
    (callback,) = endpoint.wait_for(1)
    assert (callback.event, told["status"]) == ("endpoint.test", "exhausted")
    assert [one["status_code"] for one in told["attempts"]] == [500]


def test_what_is_told_again_is_the_same_event_signed_anew(west: OriginClient) -> None:
    endpoint, delivery_id = given_up(west, 500)
    generation_id = look_at(west, delivery_id)["generation_id"]
    path = f"/v1/generations/{generation_id}/deliveries/{delivery_id}/redeliver"
    assert west.call("POST", path).status_code == 202

    first, *again = endpoint.wait_for(3)
    delivery = wait_until(west, delivery_id, "delivered")

    assert {one.event_id for one in again} == {first.event_id}
    assert {one.raw for one in again} == {first.raw}
    answers = [(one["number"], one["status_code"]) for one in delivery["attempts"]]
    assert answers == [(1, 410), (2, 500), (3, 200)]


def test_an_operator_finds_and_tells_again_what_nobody_took(
    stack: Stack, west: OriginClient
) -> None:
    endpoint, delivery_id = given_up(west)
    exhausted = ("--status", "exhausted", "--origin", "west", "--endpoint", endpoint.url)
    listed = darkroom(stack, "deliveries", "list", *exhausted)["deliveries"]
    assert [one["id"] for one in listed] == [delivery_id]

    told = darkroom(stack, "deliveries", "redeliver", *exhausted)
    assert told == {"count": 1, "ids": [delivery_id]}

    endpoint.wait_for(2)
    delivery = wait_until(west, delivery_id, "delivered")
    assert [one["status_code"] for one in delivery["attempts"]] == [410, 200]
