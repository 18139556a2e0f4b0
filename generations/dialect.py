"""RunComfy's dialect of JSON Schema: the plain schema in it, and the rules about images.

Beside JSON Schema, its pages write ``format: image_uri`` and, at a field that names an image,
``validations``: rules such as ``width_pixels<``. What concerns the input alone becomes plain
JSON Schema (:func:`plain_schema`); the rules need the image itself (:func:`images_in`).

Where the pages leave something open, the reading is the one that refuses less: what is
refused here could have been accepted by RunComfy, and what passes here RunComfy still checks.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

Schema = Mapping[str, Any]

#: URLs are fetched by RunComfy; its own nodes send whole files as ``data:`` URIs.
MEDIA: Final = "^([hH][tT][tT][pP][sS]?://|[dD][aA][tT][aA]:)"
#: The examples on its pages leave optional media empty.
OPTIONAL_MEDIA: Final = f"^$|{MEDIA}"
#: Every base model takes a LoRA, whether its schema says so or not.
#: https://docs.runcomfy.com/serverless-lora/api-types
EVERYWHERE: Final = "lora"
#: Words that let other fields in than those under ``properties``.
OPENING: Final = frozenset(
    {
        "$ref",
        "additionalProperties",
        "allOf",
        "anyOf",
        "dependentSchemas",
        "if",
        "oneOf",
        "patternProperties",
        "unevaluatedProperties",
    }
)
#: No page says which megabyte it means: whichever refuses less.
MB: Final = 1_000_000
MIB: Final = 1_048_576
RULE: Final = re.compile(r"\s*([a-z_/]+)\s*([<>])=?\s*")


class Measure(StrEnum):
    """What a rule is about."""

    WIDTH = "width_pixels"
    HEIGHT = "height_pixels"
    RATIO = "width/height"
    FILE_SIZE = "file_size_mb"


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What is known of an image; None where it is not."""

    width: int | None = None  #: In pixels.
    height: int | None = None
    file_size: int | None = None  #: In bytes.


@dataclass(frozen=True, slots=True)
class Rule:
    """One limit on an image, and the schema's own words for whoever is beyond it."""

    measure: Measure
    is_upper: bool
    limit: float
    message: str

    def is_broken_by(self, facts: ImageFacts) -> bool:
        """Whether an image is certainly beyond the limit; on it is within.

        The messages on the pages read so: ``width_pixels<`` 6000 "must not exceed 6000".
        """
        measured = _measured(self.measure, facts, mb=MIB if self.is_upper else MB)
        if measured is None:
            return False
        return measured > self.limit if self.is_upper else measured < self.limit


@dataclass(frozen=True, slots=True)
class Image:
    """An image that an input names, and where in the input that is."""

    path: tuple[str | int, ...]
    url: str
    rules: tuple[Rule, ...]


def plain_schema(schema: Schema) -> dict[str, Any]:
    """The plain JSON Schema in a model's schema: fields that it does not list are refused."""
    plain: dict[str, Any] = _plain(schema, is_required=True)
    if plain.get("additionalProperties") is False:
        plain["properties"].setdefault(EVERYWHERE, True)
    return plain


def images_in(given: Any, schema: Any, path: tuple[str | int, ...] = ()) -> Iterator[Image]:
    """The images that an input names where its schema has rules about them."""
    if not isinstance(schema, Mapping):
        return
    if isinstance(given, str):
        rules = rules_of(schema)
        if rules and given:
            yield Image(path, given, rules)
    elif isinstance(given, list):
        items = {**_mapping(schema.get("items"))}
        items.setdefault("validations", schema.get("validations"))
        for number, item in enumerate(given):
            yield from images_in(item, items, (*path, number))
    elif isinstance(given, Mapping):
        properties = _mapping(schema.get("properties"))
        for name, inner in given.items():
            yield from images_in(inner, properties.get(name), (*path, name))


def rules_of(schema: Schema) -> tuple[Rule, ...]:
    """The rules about an image at a field, those that can be understood."""
    listed = schema.get("validations")
    read = [_read_rule(found) for found in listed] if isinstance(listed, list) else []
    return tuple(rule for rule in read if rule is not None)


def _measured(measure: Measure, facts: ImageFacts, *, mb: int) -> float | None:
    width, height, file_size = facts.width, facts.height, facts.file_size
    match measure:
        case Measure.WIDTH:
            return width
        case Measure.HEIGHT:
            return height
        case Measure.RATIO:
            return width / height if width and height else None
        case Measure.FILE_SIZE:
            return None if file_size is None else file_size / mb


def _read_rule(found: Any) -> Rule | None:
    facts = _mapping(found)
    match = RULE.fullmatch(str(facts.get("validation_rule", "")))
    limit = facts.get("validation_value")
    if match is None or match[1] not in set(Measure) or type(limit) not in {int, float}:
        return None
    usual = f"The image must have {facts['validation_rule']} {limit}."
    return Rule(
        measure=Measure(match[1]),
        is_upper=match[2] == "<",
        limit=float(facts["validation_value"]),
        message=str(facts.get("validation_error") or usual),
    )


def _plain(schema: Any, *, is_required: bool) -> Any:
    if not isinstance(schema, Mapping):
        return schema
    plain = {word: value for word, value in schema.items() if word != "validations"}
    if isinstance(schema.get("items"), Mapping) or schema.get("type") == "array":
        # Rules at a list are about each of its items.
        items = {"validations": schema.get("validations"), **_mapping(schema.get("items"))}
        plain["items"] = _plain(items, is_required=True)
    elif _names_media(schema):
        is_given = {"pattern": MEDIA if is_required else OPTIONAL_MEDIA}
        plain["allOf"] = [*schema.get("allOf", ()), is_given]
    elif isinstance(schema.get("properties"), Mapping):
        plain |= _plain_fields(schema)
    return plain


def _plain_fields(schema: Schema) -> dict[str, Any]:
    listed, asked = schema["properties"], schema.get("required", ())
    plain: dict[str, Any] = {
        "properties": {
            name: _plain(inner, is_required=name in asked) for name, inner in listed.items()
        }
    }
    # Some pages require a field that they do not describe, and leave it out of their example.
    plain["properties"] |= {name: True for name in asked if name not in listed}
    plain["required"] = [name for name in asked if name in listed]
    if not OPENING & schema.keys():
        plain["additionalProperties"] = False
    return plain


def _names_media(schema: Schema) -> bool:
    return str(schema.get("format", "")).endswith("_uri") or bool(rules_of(schema))


def _mapping(found: Any) -> Mapping[str, Any]:
    return found if isinstance(found, Mapping) else {}
