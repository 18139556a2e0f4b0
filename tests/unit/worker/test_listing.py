"""RunComfy's catalog, read tolerantly: what is usable is kept, what is not is passed over."""

from typing import Any

import pytest

from generations.errors import RunComfyUnavailable
from tests.builders import an_answer
from worker.runcomfy.listing import LONGEST_RECORD, models_path, read_model, read_models

FOX: dict[str, Any] = {"model_id": "studio/fox", "input_schema": {"type": "object"}}
OWL: dict[str, Any] = {"model_id": "studio/owl"}


def test_pages_are_asked_for_with_their_schemas() -> None:
    assert models_path(offset=200) == "/models?include_schema=true&limit=100&offset=200"


def test_a_page_is_read() -> None:
    page = read_models(an_answer(body={"models": [FOX, OWL], "total": 7}))
    assert page.records == (FOX, OWL)
    assert (page.listed, page.total) == (2, 7)


@pytest.mark.parametrize("total", [None, "7", 7.0, True])
def test_a_total_that_is_no_number_is_none(total: Any) -> None:
    assert read_models(an_answer(body={"models": [FOX], "total": total})).total is None


@pytest.mark.parametrize(
    "odd",
    [
        None,
        "studio/fox",
        [],
        {},
        {"model_id": None},
        {"model_id": ""},
        {"model_id": 5},
        {"model_id": "x" * 201},
        {"model_id": "studio/huge", "description": "x" * LONGEST_RECORD},
    ],
)
def test_a_record_that_nobody_could_use_is_passed_over(odd: Any) -> None:
    page = read_models(an_answer(body={"models": [odd, FOX], "total": 2}))
    assert page.records == (FOX,)
    assert page.listed == 2
    if isinstance(odd, dict) and odd:
        assert read_model(an_answer(body=odd)) is None


@pytest.mark.parametrize(
    ("status_code", "body"),
    [
        (200, b""),
        (200, b"<html>"),
        (200, {"models": {}}),
        (200, {"total": 0}),
        (200, {"error_code": 500001, "error_message": "Broken."}),
        (401, {"error_code": 401001}),
        (404, {"error_code": 404001}),
        (429, {}),
        (504, b"<html>"),
    ],
)
def test_anything_else_is_no_catalog(status_code: int, body: Any) -> None:
    with pytest.raises(RunComfyUnavailable):
        read_models(an_answer(status_code, body))


def test_a_model_that_is_not_there() -> None:
    assert read_model(an_answer(404, {"error_code": 404001})) is None
    assert read_model(an_answer(body=FOX)) == FOX
