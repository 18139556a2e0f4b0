"""A default endpoint, registered by an operator, over real processes."""

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.acceptance.conftest import origin_of
from tests.acceptance.origins import OriginClient, an_input
from tests.acceptance.program import ROOT
from tests.acceptance.receiver import Receiver
from tests.acceptance.stack import Stack

HEADER = "Bearer-of-the-endpoint"


@pytest.fixture(scope="module")
def east(shared_stack: Stack, receiver: Receiver) -> Iterator[OriginClient]:
    """An origin that has a default endpoint in its test, and none before and after."""
    yield from origin_of(shared_stack, "east", receiver)


def darkroom(stack: Stack, *arguments: str) -> str:
    """What an operator's command prints."""
    command = [sys.executable, "-m", "ops.cli", *arguments]
    return subprocess.run(
        command,
        env=stack.environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout


def test_the_default_endpoint_is_told_of_its_own_origin_alone(
    stack: Stack, east: OriginClient, north: OriginClient
) -> None:
    default, own = east.endpoint(), east.endpoint()
    header = f"Authorization: {HEADER}"
    darkroom(stack, "endpoints", "set", "east", default.url, "--default", "--header", header)
    try:
        told = east.submit(an_input())
        named = east.submit(an_input(), webhook=own.url)
        theirs = north.submit(an_input())
        for origin, request_id in ((east, told), (east, named), (north, theirs)):
            assert origin.wait_until_finished(request_id)["status"] == "succeeded"
        (callback,) = default.wait_for(1)
        (other,) = own.wait_for(1)
        east.wait_until_delivered(told)
    finally:
        listed = darkroom(stack, "endpoints", "list", "east", "--json")
        darkroom(stack, "endpoints", "remove", "east", default.url)

    assert callback.told["request_id"] == told
    assert callback.headers["authorization"] == HEADER
    assert other.told["request_id"] == named
    assert "authorization" not in other.headers
    record = east.record(told)
    assert record["webhook"] is None
    assert [one["endpoint"] for one in record["deliveries"]] == [default.url]
    assert north.record(theirs)["deliveries"] == []
    assert json.loads(listed)["endpoints"][0]["headers"] == ["Authorization"]
    shown = listed + json.dumps(record) + "".join(p.text() for p in stack.programs.values())
    assert HEADER not in shown
