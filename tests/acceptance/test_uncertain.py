"""A submission whose answer was lost, where somebody chose: the origin, or an operator later."""

import json
import subprocess
import sys

import pytest

from tests.acceptance.origins import Body, OriginClient, an_input
from tests.acceptance.runcomfy import IMAGE_MODEL
from tests.acceptance.stack import Stack

LOST_ONCE = "[[sim:answer_lost*1]]"


def an_uncertain_one(origin: OriginClient, given: Body) -> str:
    """A generation that failed because nobody knows whether RunComfy has it."""
    request_id = origin.submit(given)
    record = origin.wait_until_finished(request_id)
    assert record["error"]["code"] == "submission_uncertain"
    assert record["runcomfy_request_id"] is None
    return request_id


def darkroom(stack: Stack, *words: str) -> subprocess.CompletedProcess[str]:
    """What the command says, to an operator of this stack."""
    return subprocess.run(
        [sys.executable, "-m", "ops.cli", *words, "--json"],
        env=stack.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_who_would_rather_pay_twice_is_submitted_once_more_and_told(
    north: OriginClient, stack: Stack
) -> None:
    given, endpoint = an_input(LOST_ONCE), north.endpoint()
    answer = north.call(
        "POST",
        f"/v1/models/{IMAGE_MODEL}",
        params={"webhook": endpoint.url, "on_uncertain": "resubmit"},
        json=given,
    )

    callback = endpoint.wait_for_event("generation.succeeded")

    assert callback.told["request_id"] == answer.json()["request_id"]
    assert callback.told["possible_duplicate_charge"] is True
    assert callback.told["submissions"] == 2
    assert len(stack.runcomfy.paid_for(given)) == 2


def test_a_second_lost_answer_is_the_last(north: OriginClient, stack: Stack) -> None:
    given, endpoint = an_input("[[sim:answer_lost*5]]"), north.endpoint()
    north.call(
        "POST",
        f"/v1/models/{IMAGE_MODEL}",
        params={"webhook": endpoint.url, "on_uncertain": "resubmit"},
        json=given,
    )

    callback = endpoint.wait_for_event("generation.failed")

    assert callback.told["error"]["code"] == "submission_uncertain"
    assert len(stack.runcomfy.paid_for(given)) == 2


def test_an_origin_may_choose_for_all_its_generations(north: OriginClient, stack: Stack) -> None:
    made = darkroom(stack, "keys", "create", "lavish", "--on-uncertain", "resubmit")
    headers = {"Authorization": f"Bearer {json.loads(made.stdout)['api_key']}"}
    given = an_input(LOST_ONCE)

    answer = north.http.post(f"/v1/models/{IMAGE_MODEL}", headers=headers, json=given)
    lavish = OriginClient(
        "lavish", json.loads(made.stdout)["api_key"], "", north.http, north.receiver
    )
    record = lavish.wait_until_finished(answer.json()["request_id"])

    assert (record["status"], record["submissions"]) == ("succeeded", 2)


def test_an_operator_resubmits_and_the_origin_is_told_again(
    north: OriginClient, stack: Stack
) -> None:
    given, endpoint = an_input(LOST_ONCE), north.endpoint()
    request_id = north.submit(given, webhook=endpoint.url)
    endpoint.wait_for_event("generation.failed")

    said = darkroom(stack, "generations", "resubmit", request_id)

    assert (said.returncode, json.loads(said.stdout)) == (0, {"id": request_id, "reopened": True})
    told = endpoint.wait_for_event("generation.succeeded").told
    assert (told["submissions"], told["possible_duplicate_charge"]) == (2, True)
    assert told["error"] is None


def test_an_operator_adopts_what_runcomfy_accepted_and_nothing_is_paid_twice(
    north: OriginClient, stack: Stack
) -> None:
    given = an_input(LOST_ONCE)
    request_id = an_uncertain_one(north, given)
    (paid,) = stack.runcomfy.paid_for(given)

    said = darkroom(stack, "generations", "adopt", request_id, paid["request_id"])

    assert said.returncode == 0
    record = north.wait_until(request_id, "succeeded")
    assert record["runcomfy_request_id"] == paid["request_id"]
    assert (record["submissions"], record["possible_duplicate_charge"]) == (1, False)
    assert len(stack.runcomfy.paid_for(given)) == 1


@pytest.mark.parametrize("words", [("resubmit",), ("adopt", "rc-1")])
def test_what_is_not_uncertain_is_left_alone(
    north: OriginClient, stack: Stack, words: tuple[str, ...]
) -> None:
    request_id = north.submit(an_input())
    north.wait_until(request_id, "succeeded")

    verb, *more = words
    said = darkroom(stack, "generations", verb, request_id, *more)

    assert (said.returncode, json.loads(said.stdout)["reopened"]) == (1, False)
    assert north.record(request_id)["status"] == "succeeded"


def test_past_its_deadline_a_generation_fails_and_is_told(
    north: OriginClient, stack: Stack
) -> None:
    stack.runcomfy.hold(progress=True)
    endpoint = north.endpoint()
    north.call(
        "POST",
        f"/v1/models/{IMAGE_MODEL}",
        params={"webhook": endpoint.url, "deadline_seconds": 2},
        json=an_input(),
    )

    told = endpoint.wait_for_event("generation.failed").told

    assert told["error"]["code"] == "deadline_exceeded"
