"""Which fields of an input drive how long it takes."""

from typing import Any

import pytest

from generations.bundled import BUNDLED
from generations.catalog import Catalog
from generations.kinds import MOST_DRIVERS, drivers_of, kind_of
from tests.builders import SEEDANCE


def test_seedance_is_told_apart_by_its_choices() -> None:
    model = Catalog(BUNDLED).find(SEEDANCE)
    assert model is not None
    kind = kind_of({"prompt": "A secret", "duration": 8, "resolution": "480p"}, model.drivers)
    assert "duration=8" in kind
    assert "resolution=480p" in kind
    assert "ecret" not in kind


def test_a_default_is_the_same_kind_as_saying_it() -> None:
    drivers = drivers_of({"properties": {"duration": {"type": "integer", "default": 5}}})
    assert kind_of({}, drivers) == kind_of({"duration": 5}, drivers) == "duration=5"


@pytest.mark.parametrize(
    ("name", "rule", "drives"),
    [
        ("duration", {"type": "integer"}, True),
        ("num_frames", {"type": "integer"}, True),
        ("style", {"type": "string", "enum": ["a", "b"]}, True),
        ("generate_audio", {"type": "boolean"}, True),
        ("seed", {"type": "integer"}, False),
        ("prompt", {"type": "string"}, False),
        ("first_frame_image_url", {"type": "string"}, False),
        ("size", {"type": "string"}, False),
        ("odd", "no rule", False),
    ],
)
def test_only_choices_and_sizes_drive(name: str, rule: Any, drives: bool) -> None:
    assert (name in drivers_of({"properties": {name: rule}})) is drives


@pytest.mark.parametrize("schema", [{}, {"properties": None}, {"properties": ["a"]}])
def test_what_is_no_schema_has_none(schema: dict[str, Any]) -> None:
    assert drivers_of(schema) == {}


def test_without_a_schema_the_names_tell() -> None:
    given = {
        "prompt": "a",
        "duration": 5,
        "resolution": "720p",
        "seed": 7,
        "first_frame_image_url": "https://files.example/a.png?signature=b",
        "size": "words that somebody wrote there",
    }
    assert kind_of(given, None) == "duration=5,resolution=720p"


def test_a_kind_is_short_whatever_the_input() -> None:
    given: dict[str, Any] = {f"num_{n}": "x" * 16 for n in range(500)} | {"duration": [1, 2]}
    assert kind_of(given, None).count("=") <= MOST_DRIVERS
