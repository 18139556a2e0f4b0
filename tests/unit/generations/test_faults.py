"""Each rule of a schema has its sentence, which says what to do and never what was given."""

from typing import Any

import pytest

from generations.catalog import MOST_FAULTS, Model
from generations.errors import Fault

SECRET = "https://bucket.example/cat.png?X-Amz-Signature=0123456789"


def faults(field: dict[str, Any], given: Any) -> list[Fault]:
    """What a model whose input has one field says of it."""
    schema = {"type": "object", "properties": {"field": field}}
    return Model({"model_id": "a/b", "input_schema": schema}).faults({"field": given})


@pytest.mark.parametrize(
    ("field", "given", "sentence"),
    [
        ({"type": "string"}, 1, "Give a string."),
        ({"type": "integer"}, 1.5, "Give an integer."),
        ({"type": "number"}, "1", "Give a number."),
        ({"type": "boolean"}, "yes", "Give true or false."),
        ({"type": "object"}, [], "Give an object."),
        ({"type": "array"}, {}, "Give an array."),
        ({"type": ["string", "null"]}, 1, "Give null or a string."),
        ({"enum": ["480p", "720p"]}, "4k", "Give one of 480p, 720p."),
        ({"enum": [4, 5, None]}, 3, "Give one of 4, 5, null."),
        (
            {"enum": list(range(30))},
            99,
            f"Give one of {', '.join(map(str, range(24)))} and 6 more.",
        ),
        ({"const": True}, False, "Give true."),
        ({"minimum": 1}, 0, "Give a number of at least 1."),
        ({"maximum": 10}, 10**30, "Give a number of at most 10."),
        ({"exclusiveMinimum": 0}, 0, "Give a number above 0."),
        ({"exclusiveMaximum": 1.5}, 2, "Give a number below 1.5."),
        ({"multipleOf": 16}, 17, "Give a multiple of 16."),
        ({"minLength": 1}, "", "Give a text of 1 characters or more."),
        ({"maxLength": 4}, "A girl", "Give a text of 4 characters or fewer."),
        (
            {"pattern": "^#[0-9a-f]{6}$"},
            "red",
            "Give a text that matches the pattern ^#[0-9a-f]{6}$.",
        ),
        ({"minItems": 2}, [1], "Give 2 or more of them."),
        ({"maxItems": 1}, [1, 2], "Give 1 or fewer of them."),
        ({"uniqueItems": True}, [1, 1], "Give each item once."),
        ({"minProperties": 1}, {}, "Give 1 or more fields."),
        ({"maxProperties": 0}, {"a": 1}, "Give 0 or fewer fields."),
        ({"format": "image_uri"}, "cat.png", "Give an http(s) URL or a data: URI."),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, 1, "Give null or a string."),
        ({"anyOf": [{"enum": ["a"]}, {"type": "null"}]}, "b", "Give one of a."),
        (
            {"oneOf": [{"type": "object"}, {"type": "object"}]},
            {},
            "This is not as the model's schema has it; GET /v1/models/{model_id} shows it.",
        ),
        (
            {"not": {"type": "string"}},
            SECRET,
            "This is not as the model's schema has it; GET /v1/models/{model_id} shows it.",
        ),
    ],
)
def test_a_rule_has_a_sentence(field: dict[str, Any], given: Any, sentence: str) -> None:
    (fault,) = faults(field, given)
    assert fault == Fault(("field",), sentence)


@pytest.mark.parametrize(
    "field",
    [
        {"type": "integer"},
        {"enum": ["a"]},
        {"const": "a"},
        {"pattern": "^a$"},
        {"maxLength": 1},
        {"format": "image_uri", "pattern": "^x"},
        {"not": {}},
        {"anyOf": [{"maxLength": 1}, {"type": "null"}]},
        {"properties": {}, "type": "object"},
    ],
)
def test_what_was_given_is_never_repeated(field: dict[str, Any]) -> None:
    assert all("Signature" not in fault.message for fault in faults(field, SECRET))


def test_a_fault_inside_names_its_place() -> None:
    loras = {
        "type": "array",
        "items": {
            "type": "object",
            "required": ["path"],
            "properties": {"path": {"type": "string"}, "scale": {"type": "number"}},
        },
    }
    assert faults(loras, [{"path": "x"}, {"scale": "1", "weight": 2}]) == [
        Fault(("field", 1, "path"), "The model needs this field; add it."),
        Fault(("field", 1, "scale"), "Give a number."),
        Fault(("field", 1, "weight"), "The model has no such field; leave it out."),
    ]


def test_an_input_of_many_values_is_told_one_fault() -> None:
    (fault,) = faults({"type": "array", "items": {"type": "string"}}, [1] * 200_000)
    assert fault == Fault(("field", 0), "Give a string.")


def test_no_more_faults_are_told_than_anyone_reads() -> None:
    found = faults({"type": "array", "items": {"type": "string"}}, [1] * 500)
    assert len(found) == MOST_FAULTS
