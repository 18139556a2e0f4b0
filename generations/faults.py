"""What is wrong with an input, field by field, as sentences that say what to do.

A sentence names limits and choices and never what was given: that may be a prompt or a
signed URL, and sentences reach logs and other eyes.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final

from jsonschema_rs import ValidationError

from generations.dialect import MEDIA, OPTIONAL_MEDIA
from generations.errors import Fault

Path = tuple[str | int, ...]

#: So many choices are named, and as many fields of a model.
MOST_NAMED: Final = 24
#: A longer name is not repeated, nor looked for among the known ones.
LONGEST_NAME: Final = 100
NOT_AS_ASKED: Final = (
    "This is not as the model's schema has it; GET /v1/models/{model_id} shows it."
)
NEEDED: Final = "The model needs this field; add it."
NO_URL: Final = "Give an http(s) URL or a data: URI."
ARTICLES: Final[Mapping[str, str]] = {
    "array": "an array",
    "boolean": "true or false",
    "integer": "an integer",
    "null": "null",
    "number": "a number",
    "object": "an object",
    "string": "a string",
}


def faults_of(errors: Iterable[ValidationError], *, known: Sequence[str]) -> list[Fault]:
    """The faults that validation found, in the order of their places, each once.

    Args:
        errors: what validation found.
        known: the names of the input's fields, of which the nearest is suggested.
    """
    found = {fault for error in errors for fault in _faults(error, known)}
    return sorted(found, key=lambda fault: ([str(part) for part in fault.path], fault.message))


def _faults(error: ValidationError, known: Sequence[str]) -> list[Fault]:
    at, facts = tuple(error.instance_path), error.kind.as_dict()
    match error.kind.name:
        case "required":
            return [Fault((*at, facts["property"]), NEEDED)]
        case "additionalProperties":
            names = known if not at else ()
            return [_unknown(at, name, names) for name in facts["unexpected"][:MOST_NAMED]]
        case "anyOf" | "oneOf" if "context" in facts:
            return _faults_of_choice(at, facts["context"], known)
        case name:
            return [Fault(at, _sentence(name, facts))]


def _unknown(at: Path, name: str, known: Sequence[str]) -> Fault:
    if len(name) > LONGEST_NAME:
        return Fault(at, "A field with a very long name is not the model's; leave it out.")
    near = get_close_matches(name, known, n=1)
    if near:
        return Fault((*at, name), f"The model has no such field; did you mean {near[0]}?")
    takes = f" It takes {_listed(known)}." if known else ""
    return Fault((*at, name), f"The model has no such field; leave it out.{takes}")


def _faults_of_choice(
    at: Path, branches: Sequence[Sequence[ValidationError]], known: Sequence[str]
) -> list[Fault]:
    """Of "this or null" and its like: what is wrong with the branch that was meant."""
    types = {kind for branch in branches for error in branch for kind in _types(at, error)}
    meant = [branch for branch in branches if not any(_types(at, error) for error in branch)]
    if not meant and types:
        return [Fault(at, _type({"types": sorted(types)}))]
    if len(meant) == 1:
        return [fault for error in meant[0] for fault in _faults(error, known)]
    return [Fault(at, NOT_AS_ASKED)]


def _types(at: Path, error: ValidationError) -> Sequence[str]:
    is_here = error.kind.name == "type" and tuple(error.instance_path) == at
    return error.kind.as_dict()["types"] if is_here else ()


def _sentence(name: str, facts: Mapping[str, Any]) -> str:
    say = SENTENCES.get(name)
    return say(facts) if say else NOT_AS_ASKED


def _type(facts: Mapping[str, Any]) -> str:
    kinds = [ARTICLES.get(kind, kind) for kind in facts["types"]]
    return f"Give {' or '.join(kinds)}."


def _pattern(facts: Mapping[str, Any]) -> str:
    if facts["pattern"] in {MEDIA, OPTIONAL_MEDIA}:
        return NO_URL
    return f"Give a text that matches the pattern {facts['pattern']}."


def _limit(sentence: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda facts: sentence.format(limit=facts["limit"])


def _listed(choices: Iterable[Any]) -> str:
    texts = [choice if isinstance(choice, str) else json.dumps(choice) for choice in choices]
    more = len(texts) - MOST_NAMED
    return ", ".join(texts[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


SENTENCES: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "type": _type,
    "enum": lambda facts: f"Give one of {_listed(facts['options'])}.",
    "const": lambda facts: f"Give {_listed([facts['expected_value']])}.",
    "pattern": _pattern,
    "minimum": _limit("Give a number of at least {limit}."),
    "maximum": _limit("Give a number of at most {limit}."),
    "exclusiveMinimum": _limit("Give a number above {limit}."),
    "exclusiveMaximum": _limit("Give a number below {limit}."),
    "multipleOf": lambda facts: f"Give a multiple of {facts['multiple_of']}.",
    "minLength": _limit("Give a text of {limit} characters or more."),
    "maxLength": _limit("Give a text of {limit} characters or fewer."),
    "minItems": _limit("Give {limit} or more of them."),
    "maxItems": _limit("Give {limit} or fewer of them."),
    "minProperties": _limit("Give {limit} or more fields."),
    "maxProperties": _limit("Give {limit} or fewer fields."),
    "uniqueItems": lambda _: "Give each item once.",
}
