"""RunComfy's dialect: what becomes plain JSON Schema, and what waits for the image."""

from typing import Any

import pytest

from generations.catalog import Model
from generations.dialect import (
    Image,
    ImageFacts,
    Measure,
    Rule,
    images_in,
    plain_schema,
    rules_of,
)

URL = "https://images.example/cat.png"
WIDE = {"validation_rule": "width_pixels<", "validation_value": 6000, "validation_error": "Wide."}
RULE = Rule(Measure.WIDTH, is_upper=True, limit=6000.0, message="Wide.")


def is_taken(given: dict[str, Any], required: list[str] | None = None, **fields: Any) -> bool:
    """Whether a model with such fields takes an input."""
    schema = {"type": "object", "properties": fields, "required": required or []}
    return not Model({"model_id": "a/b", "input_schema": schema}).faults(given)


@pytest.mark.parametrize(
    ("found", "read"),
    [
        (WIDE, RULE),
        (
            {"validation_rule": "height_pixels>", "validation_value": 300},
            Rule(
                Measure.HEIGHT,
                is_upper=False,
                limit=300.0,
                message="The image must have height_pixels> 300.",
            ),
        ),
        (
            {
                "validation_rule": "width/height <= ",
                "validation_value": 2.5,
                "validation_error": "R",
            },
            Rule(Measure.RATIO, is_upper=True, limit=2.5, message="R"),
        ),
        (
            {"validation_rule": "file_size_mb<", "validation_value": 30, "validation_error": "S"},
            Rule(Measure.FILE_SIZE, is_upper=True, limit=30.0, message="S"),
        ),
    ],
)
def test_a_rule_is_read(found: dict[str, Any], read: Rule) -> None:
    assert rules_of({"validations": [found]}) == (read,)


@pytest.mark.parametrize(
    "validations",
    [
        None,
        "width_pixels<",
        [None],
        [{}],
        [{"validation_rule": "duration_seconds<", "validation_value": 10}],
        [{"validation_rule": "width_pixels", "validation_value": 10}],
        [{"validation_rule": "width_pixels<", "validation_value": "10"}],
        [{"validation_rule": "width_pixels<", "validation_value": True}],
        [{"validation_rule": "width_pixels<"}],
    ],
)
def test_a_rule_that_nobody_understands_is_left_to_runcomfy(validations: Any) -> None:
    assert rules_of({"validations": validations}) == ()


@pytest.mark.parametrize(
    "url", [URL, "http://images.example/cat.png", "HTTPS://x/y", "data:image/png;base64,AAAA"]
)
@pytest.mark.parametrize("field", [{"format": "image_uri"}, {"validations": [WIDE]}])
def test_media_may_be_a_url_or_inline(field: dict[str, Any], url: str) -> None:
    assert is_taken({"image": url}, ["image"], image={"type": "string", **field})


@pytest.mark.parametrize("url", ["cat.png", "ftp://images.example/cat.png", "file:///x", " " + URL])
@pytest.mark.parametrize("word", ["image_uri", "video_uri", "audio_uri"])
def test_media_may_be_nothing_else(word: str, url: str) -> None:
    assert not is_taken({"media": url}, media={"type": "string", "format": word})


def test_only_media_that_is_required_must_not_be_empty() -> None:
    image = {"type": "string", "format": "image_uri"}
    assert is_taken({"image": ""}, [], image=image)
    assert not is_taken({"image": ""}, ["image"], image=image)


def test_rules_at_a_list_are_about_each_item() -> None:
    images = {"type": "array", "validations": [WIDE]}
    assert is_taken({"images": [URL, URL]}, images=images)
    assert not is_taken({"images": [URL, "cat.png"]}, images=images)


def test_fields_that_are_not_listed_are_refused() -> None:
    assert not is_taken({"promt": "x"}, prompt={"type": "string"})
    assert not is_taken({"style": {"mood": 1}}, style={"properties": {"tone": {}}})


@pytest.mark.parametrize(
    "opening",
    [
        {"additionalProperties": True},
        {"patternProperties": {"^p": {}}},
        {"allOf": [{"properties": {"promt": {}}}]},
        {"anyOf": [{"required": ["promt"]}, {}]},
    ],
)
def test_a_schema_that_lets_others_in_stays_open(opening: dict[str, Any]) -> None:
    schema = {"type": "object", "properties": {"prompt": {}}, **opening}
    assert Model({"model_id": "a/b", "input_schema": schema}).faults({"promt": "x"}) == []


def test_every_model_takes_a_lora() -> None:
    assert is_taken({"prompt": "x", "lora": {"path": "mine.safetensors"}}, prompt={})


def test_a_required_field_that_no_page_describes_may_be_given_or_left_out() -> None:
    assert is_taken({"images": [URL]}, ["image_urls"], images={})
    assert is_taken({"image_urls": [URL]}, ["image_urls"], images={})


def test_the_schema_itself_stays_as_it_was() -> None:
    schema = {"type": "object", "properties": {"image": {"format": "image_uri"}}}
    plain_schema(schema)
    assert schema == {"type": "object", "properties": {"image": {"format": "image_uri"}}}


@pytest.mark.parametrize(
    ("fields", "given", "found"),
    [
        ({"image": {"validations": [WIDE]}}, {"image": URL}, [("image",)]),
        ({"image": {"validations": [WIDE]}}, {"image": ""}, []),
        ({"image": {"validations": [WIDE]}}, {"image": 5}, []),
        ({"image": {"validations": [WIDE]}}, {"prompt": URL}, []),
        ({"image": {"format": "image_uri"}}, {"image": URL}, []),
        (
            {"images": {"items": {"validations": [WIDE]}}},
            {"images": [URL, URL]},
            [("images", 0), ("images", 1)],
        ),
        ({"images": {"validations": [WIDE]}}, {"images": [URL]}, [("images", 0)]),
        (
            {"frames": {"properties": {"last": {"validations": [WIDE]}}}},
            {"frames": {"last": URL}},
            [("frames", "last")],
        ),
    ],
)
def test_images_are_found_where_there_are_rules(
    fields: dict[str, Any], given: dict[str, Any], found: list[tuple[str | int, ...]]
) -> None:
    assert list(images_in(given, {"properties": fields})) == [
        Image(path, URL, (RULE,)) for path in found
    ]


@pytest.mark.parametrize(
    ("rule", "facts", "is_broken"),
    [
        ("width_pixels< 6000", ImageFacts(width=6000), False),
        ("width_pixels< 6000", ImageFacts(width=6001), True),
        ("width_pixels> 300", ImageFacts(width=300), False),
        ("width_pixels> 300", ImageFacts(width=299), True),
        ("height_pixels< 6000", ImageFacts(width=9000, height=6000), False),
        ("height_pixels> 300", ImageFacts(height=299), True),
        ("width/height> 0.4", ImageFacts(width=400, height=1000), False),
        ("width/height> 0.4", ImageFacts(width=399, height=1000), True),
        ("width/height< 2.5", ImageFacts(width=2501, height=1000), True),
        ("width/height< 2.5", ImageFacts(width=2501), False),
        ("file_size_mb< 30", ImageFacts(file_size=30 * 1024**2), False),
        ("file_size_mb< 30", ImageFacts(file_size=30 * 1024**2 + 1), True),
        ("file_size_mb> 1", ImageFacts(file_size=1_000_000), False),
        ("file_size_mb> 1", ImageFacts(file_size=999_999), True),
        ("file_size_mb< 30", ImageFacts(width=9000), False),
        ("width_pixels> 300", ImageFacts(), False),
    ],
)
def test_a_rule_is_broken_only_where_that_is_certain(
    rule: str, facts: ImageFacts, *, is_broken: bool
) -> None:
    name, _, limit = rule.partition(" ")
    found = {"validation_rule": name, "validation_value": float(limit), "validation_error": "B."}
    (read,) = rules_of({"validations": [found]})
    assert read.is_broken_by(facts) == is_broken
