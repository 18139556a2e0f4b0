"""Where Darkroom does not answer as RunComfy does, and why: the whole list.

- A model that is not in RunComfy's catalog, and an account without money: RunComfy says so on
  submit. Darkroom accepts first, because what a gateway knows may be old and what is accepted
  must not depend on RunComfy being there; the request then ends as failed, in RunComfy's words.
- Nothing else that befalls RunComfy shows either: where it throttles a submission or cannot be
  reached, Darkroom's own answer is 200, and the request waits in the queue.
- A field that the model's schema does not have: RunComfy documents no answer and the simulator
  passes it over. Darkroom refuses it, since a misspelt field would be paid for.
- The request of somebody else: RunComfy says 403 (403001). Darkroom says 404 (404001) as for one
  that never was, which keeps ids of one origin from another (``test_origins.py``).
- Errors are ``application/problem+json`` and have more members than RunComfy's. ``detail`` is a
  sentence (RFC 9457); the fields at fault are in ``errors``.
- A cost that RunComfy tells only some time after the end is told some seconds later still.
"""

from typing import Any

import pytest

from tests.acceptance.contract import Caller, Seen, refused
from tests.acceptance.origins import OriginClient, an_input
from tests.acceptance.runcomfy import IMAGE_MODEL
from tests.acceptance.test_contract import VIDEO, VIDEO_MODEL


@pytest.mark.parametrize(
    ("model_id", "given", "at_once", "code", "words"),
    [
        ("no/such/model", {}, refused(404, 404001), "rejected", "no model 'no/such/model'"),
        (
            IMAGE_MODEL,
            an_input("[[sim:no_balance*2]]"),
            refused(402, 402001),
            "insufficient_balance",
            "the balance is used up",
        ),
    ],
)
def test_what_only_runcomfy_can_refuse_is_accepted_and_fails_in_its_words(
    runcomfy_itself: Caller,
    north: OriginClient,
    model_id: str,
    given: Any,
    at_once: Seen,
    code: str,
    words: str,
) -> None:
    assert runcomfy_itself.ask("POST", f"/v1/models/{model_id}", json=given) == at_once
    request_id = north.submit(given, model_id=model_id)
    assert north.wait_until_finished(request_id)["error"]["code"] == code
    assert north.status(request_id)["status"] == "completed"
    result = north.result(request_id)
    assert result["status"] == "failed"
    assert words in result["error"]


def test_a_field_that_the_schema_does_not_have_is_refused(
    runcomfy_itself: Caller, north: OriginClient
) -> None:
    given = VIDEO | {"dura_tion": 5}
    runcomfy_itself.submit(given, model_id=VIDEO_MODEL)
    answer = north.post(given, model_id=VIDEO_MODEL)
    assert answer.status_code == 422
    (fault,) = answer.json()["errors"]
    assert fault["pointer"] == "#/dura_tion"


def test_an_error_is_a_problem_that_runcomfys_clients_can_read(north: OriginClient) -> None:
    answer = north.call("GET", "/v1/requests/nothing/status")
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == "generation_not_found"
    assert problem["error_code"] == 404001
    assert problem["error_message"] == f"ResourceNotFound: {problem['detail']}"
