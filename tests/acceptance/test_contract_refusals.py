"""What RunComfy refuses, Darkroom refuses alike: the same status, RunComfy's code and name."""

from typing import Any

import pytest

from tests.acceptance.contract import Both, refused
from tests.acceptance.test_contract import VIDEO, VIDEO_MODEL

SUBMIT = ("POST", f"/v1/models/{VIDEO_MODEL}")
OF_A_REQUEST = [
    ("GET", "/v1/requests/{}/status"),
    ("GET", "/v1/requests/{}/result"),
    ("POST", "/v1/requests/{}/cancel"),
]
CATALOG = [("GET", "/v1/models"), ("GET", "/v1/models/categories"), ("GET", SUBMIT[1])]


@pytest.mark.parametrize(("method", "path"), [SUBMIT, *OF_A_REQUEST, *CATALOG])
@pytest.mark.parametrize("sent", ["", "Bearer", "Bearer wrong", "Basic eDp5", "wrong"])
def test_without_a_valid_token(both: Both, method: str, path: str, sent: str) -> None:
    # The body is no JSON: who asks is settled before what is asked for.
    answer = both.answer(
        lambda c: c.ask(method, path.format("x"), authorization=sent, content=b"{")
    )
    assert answer == refused(401, 400004)


@pytest.mark.parametrize(("method", "path"), OF_A_REQUEST)
@pytest.mark.parametrize(
    "unknown", ["00000000-0000-4000-8000-000000000000", "gen_01KAQ8Y5M8W7F0V1Z3T6R9N2XB", "x"]
)
def test_an_unknown_request(both: Both, method: str, path: str, unknown: str) -> None:
    answer = both.answer(lambda c: c.ask(method, path.format(unknown)))
    assert answer == refused(404, 404001)


@pytest.mark.parametrize("content", [b"", b"{", b"prompt=x", b"[]", b"null", b'"x"', b"\xff"])
def test_a_body_that_is_no_json_object(both: Both, content: bytes) -> None:
    assert both.answer(lambda c: c.ask(*SUBMIT, content=content)) == refused(400, 422001)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"prompt": "no image"},
        VIDEO | {"prompt": 7},
        VIDEO | {"duration": 3},
        VIDEO | {"duration": "5"},
        VIDEO | {"ratio": "5:4"},
        VIDEO | {"generate_audio": "yes"},
    ],
)
def test_an_input_that_is_not_as_the_models_schema_has_it(both: Both, given: Any) -> None:
    assert both.answer(lambda c: c.ask(*SUBMIT, json=given)) == refused(422, 422001)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "model_id", ["seedance", "vendor//model", "vendor/mo%20del", "v/mod%C3%A8"]
)
def test_an_id_that_no_model_can_have(both: Both, method: str, model_id: str) -> None:
    answer = both.answer(lambda c: c.ask(method, f"/v1/models/{model_id}", json=VIDEO))
    assert answer == refused(400, 400001)


def test_a_model_that_is_not_in_the_catalog(both: Both) -> None:
    answer = both.answer(lambda c: c.ask("GET", "/v1/models/no/such/model"))
    assert answer == refused(404, 404001)


def test_a_route_that_does_not_exist(both: Both) -> None:
    answer = both.answer(lambda c: c.ask("GET", "/v1/requests"))
    assert answer == refused(404, 404001)
