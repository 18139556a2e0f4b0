"""The kind of an input: the few fields that drive how long a model takes with it. Pure.

Never texts or URLs: choices, switches and sizes, by the model's schema, or by name alone where
it has none.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

#: What names a number that drives the cost. A seed is a number too, and drives nothing.
SIZES: Final = re.compile(
    r"duration|length|seconds|resolution|size|width|height|megapixel|frames|fps|steps|num_|count"
    r"|scale|factor|quality"
)
#: Where no schema says that a text is one of a few.
CHOICES: Final = frozenset(
    {"resolution", "ratio", "aspect_ratio", "size", "image_size", "quality", "mode", "duration"}
)
SHORT: Final = re.compile(r"[\w.:-]{1,16}")
MOST_DRIVERS: Final = 8

#: Fields of an input, and what they are where it does not say.
Drivers = Mapping[str, Any]


def drivers_of(schema: Mapping[str, Any]) -> Drivers:
    """The fields of a schema that drive the cost."""
    listed = schema.get("properties")
    rules = listed if isinstance(listed, Mapping) else {}
    driving = {
        str(name): rule.get("default")
        for name, rule in rules.items()
        if isinstance(rule, Mapping) and _drives(str(name), rule)
    }
    return dict(sorted(driving.items())[:MOST_DRIVERS])


def kind_of(given: Mapping[str, Any], drivers: Drivers | None) -> str:
    """For example ``duration=5,resolution=720p``; empty where nothing of an input drives it."""
    if drivers is None:
        names = sorted(name for name in given if name in CHOICES or SIZES.search(name))
        drivers = dict.fromkeys(names[:MOST_DRIVERS])
    said = ((name, _word(given.get(name, default))) for name, default in drivers.items())
    return ",".join(f"{name}={word}" for name, word in said if word)


def _drives(name: str, rule: Mapping[str, Any]) -> bool:
    if isinstance(rule.get("enum"), list) or rule.get("type") == "boolean":
        return True
    return rule.get("type") in {"integer", "number"} and SIZES.search(name) is not None


def _word(value: Any) -> str:
    if isinstance(value, bool | int | float):
        return f"{value:.6g}"
    return value if isinstance(value, str) and SHORT.fullmatch(value) else ""
