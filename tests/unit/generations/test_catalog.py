"""The catalog: finding models, and what their schemas have against an input."""

from typing import Any

import pytest

from generations.bundled import BUNDLED
from generations.catalog import Catalog, Model, merge
from generations.errors import Fault
from tests.builders import SEEDANCE

FRAME = "https://playgrounds-storage-public.runcomfy.net/tools/7272/media-files/input-1-1.png"


def seedance() -> Model:
    """The model that comes with Darkroom."""
    model = Catalog(BUNDLED).find(SEEDANCE)
    assert model is not None
    return model


def an_input(**fields: Any) -> dict[str, Any]:
    """The example of Seedance's page, and these fields."""
    return {"prompt": "A gentle breeze", "first_frame_image_url": FRAME, **fields}


def record(model_id: str, **facts: Any) -> dict[str, Any]:
    return {"model_id": model_id, "kind": "model", "categories": ["text-to-image"], **facts}


def test_the_example_of_the_page_is_taken() -> None:
    assert seedance().is_known
    assert seedance().faults(an_input()) == []
    assert seedance().faults(an_input(resolution="1080p", ratio="21:9", duration=12)) == []


def test_all_faults_are_told_at_once_and_the_nearest_name_with_them() -> None:
    given = {"prompt": 5, "duration": 3, "resolutoin": "480p", "camera_fixed": "no", "zzz": 1}
    names = (
        "prompt, first_frame_image_url, resolution, ratio, duration, generate_audio, camera_fixed"
    )
    assert seedance().faults(given) == [
        Fault(("camera_fixed",), "Give true or false."),
        Fault(("duration",), "Give one of 4, 5, 6, 7, 8, 9, 10, 11, 12."),
        Fault(("first_frame_image_url",), "The model needs this field; add it."),
        Fault(("prompt",), "Give a string."),
        Fault(("resolutoin",), "The model has no such field; did you mean resolution?"),
        Fault(("zzz",), f"The model has no such field; leave it out. It takes {names}."),
    ]


def test_a_field_with_a_very_long_name_is_not_repeated() -> None:
    (fault,) = seedance().faults(an_input(**{"A fox " * 100: 1}))
    assert fault.path == ()


@pytest.mark.parametrize(
    "schema",
    [
        None,
        {},
        "object",
        {"type": "nonsense"},
        {"type": "object", "properties": []},
        {"type": "object", "required": 5, "properties": {"a": {}}},
        {"$ref": "https://schemas.example/input.json"},
        {"$ref": "file:///etc/hostname"},
        {"type": "object", "properties": {"a": {"pattern": "(unclosed"}}},
    ],
)
def test_without_a_usable_schema_any_input_passes(schema: Any) -> None:
    model = Model(record("a/b", input_schema=schema))
    assert not model.is_known
    assert model.faults({"anything": 1}) == []
    assert model.shown(include_schema=True)["model_id"] == "a/b"


def test_a_pattern_takes_no_longer_than_the_text() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "pattern": "^(a+)+$"}}}
    model = Model(record("a/b", input_schema=schema))
    assert len(model.faults({"a": "a" * 100_000 + "!"})) == 1


def test_ids_are_found_exactly_as_they_are_spelt() -> None:
    catalog = Catalog([record("Vendor/Model")])
    assert catalog.find("Vendor/Model") is not None
    assert catalog.find("vendor/model") is None


def test_models_are_searched_by_text_category_and_kind() -> None:
    catalog = Catalog(
        [
            record("a/fox", description="Draws foxes."),
            record("b/video", categories=["image-to-video", "text-to-video"], kind="workflow"),
            record("c/bare", categories=None, display_name=None),
        ]
    )

    def found(**wanted: Any) -> list[str]:
        return [model.id for model in catalog.search(**wanted)]

    assert found() == ["a/fox", "b/video", "c/bare"]
    assert found(text="FOXES") == ["a/fox"]
    assert found(category="text-to-video") == ["b/video"]
    assert found(kind="workflow") == ["b/video"]
    assert found(text="fox", kind="workflow") == []
    assert catalog.categories() == ["image-to-video", "text-to-image", "text-to-video"]


def test_a_record_names_its_fields_and_shows_its_schemas_when_asked() -> None:
    short = seedance().shown(include_schema=False)
    assert short["required_inputs"] == ["prompt", "first_frame_image_url"]
    assert short["inputs"][2:4] == ["resolution", "ratio"]
    assert not {"input_schema", "output_schema"} & short.keys()
    assert seedance().shown(include_schema=True)["input_schema"] == seedance().schema


def test_what_was_fetched_comes_first_and_what_it_lacks_is_filled_in() -> None:
    bundled = [record("a/b", input_schema={"type": "object"}), record("c/d")]
    fetched = [record("e/f"), record("a/b", input_schema=None, base_price_usd=0.05)]
    assert merge(bundled, fetched) == [
        record("e/f"),
        record("a/b", input_schema={"type": "object"}, base_price_usd=0.05),
        record("c/d"),
    ]
