"""RunComfy's catalog: its models, and whether an input is acceptable to one of them. Pure.

Where the records come from is ``catalog_store.py``'s.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from itertools import islice
from typing import Any, Final

import jsonschema_rs

from generations.dialect import plain_schema
from generations.errors import Fault
from generations.faults import faults_of
from generations.kinds import Drivers, drivers_of
from generations.model import Json

#: In an input of more values than this, only one fault is told: naming each would take long.
MOST_VALUES: Final = 1_000
MOST_FAULTS: Final = 100
SCHEMAS: Final = frozenset({"input_schema", "output_schema"})


class Model:
    """One model: its record as RunComfy shows it, and its schema, compiled when first used."""

    def __init__(self, record: Json) -> None:
        self.id = str(record["model_id"])
        self.record = record

    @property
    def is_known(self) -> bool:
        """Whether it has a schema that inputs can be checked against."""
        return self._validator is not None

    @property
    def schema(self) -> Json:
        """The schema of its input, in RunComfy's dialect; empty where there is none."""
        found = self.record.get("input_schema")
        return found if isinstance(found, Mapping) else {}

    @cached_property
    def drivers(self) -> Drivers:
        """The fields of its input that drive how long it takes."""
        return drivers_of(self.schema)

    def faults(self, given: Json) -> list[Fault]:
        """What its schema has against an input; nothing where it has none."""
        validator = self._validator
        if validator is None or validator.is_valid(given):
            return []
        return faults_of(_errors(validator, given), known=self._fields)[:MOST_FAULTS]

    def shown(self, *, include_schema: bool) -> dict[str, Any]:
        """The record as RunComfy's catalog routes show it."""
        required = self.schema.get("required")
        names = {
            "inputs": self._fields,
            "required_inputs": required if isinstance(required, list) else [],
        }
        hidden = frozenset() if include_schema else SCHEMAS
        return names | {name: v for name, v in self.record.items() if name not in hidden}

    @property
    def _fields(self) -> list[str]:
        listed = self.schema.get("properties")
        return list(listed) if isinstance(listed, Mapping) else []

    @cached_property
    def _validator(self) -> jsonschema_rs.Validator | None:
        if not self.schema:
            return None
        try:
            return jsonschema_rs.validator_for(
                plain_schema(self.schema),
                offline=True,
                # Its patterns are not ours: these engines never take more than linear time.
                pattern_options=jsonschema_rs.RegexOptions(),
            )
        except (ValueError, TypeError, AttributeError):
            return None  # No schema at all, so that nothing is known of the input.


class Catalog:
    """The models by id, in the order in which RunComfy lists them."""

    def __init__(self, records: Iterable[Json] = ()) -> None:
        self._models = {model.id: model for model in map(Model, records)}

    def find(self, model_id: str) -> Model | None:
        """The model of an id, which must be spelt exactly as it is."""
        return self._models.get(model_id)

    def categories(self) -> list[str]:
        """Every category that a model is of, in the order of the alphabet."""
        return sorted({name for model in self for name in _categories(model)})

    def search(
        self, *, text: str = "", category: str | None = None, kind: str | None = None
    ) -> list[Model]:
        """The models that have the text in id, name or description, of a category and kind."""
        return [
            model
            for model in self
            if text.lower() in _searchable(model)
            and category in {None, *_categories(model)}
            and kind in {None, model.record.get("kind")}
        ]

    def __iter__(self) -> Iterator[Model]:
        return iter(self._models.values())


def merge(bundled: Iterable[Json], fetched: Iterable[Json]) -> list[Json]:
    """The fetched records, and what comes with Darkroom where they lack something."""
    mine = {record["model_id"]: record for record in bundled}
    merged = []
    for record in fetched:
        facts = {name: value for name, value in record.items() if value is not None}
        merged.append({**mine.pop(record["model_id"], {}), **facts})
    return [*merged, *mine.values()]


def _errors(
    validator: jsonschema_rs.Validator, given: Json
) -> Iterable[jsonschema_rs.ValidationError]:
    if sum(1 for _ in islice(_values(given), MOST_VALUES)) < MOST_VALUES:
        return validator.iter_errors(given)
    try:
        validator.validate(given)
    except jsonschema_rs.ValidationError as error:
        return (error,)
    return ()


def _values(given: Any) -> Iterator[Any]:
    yield given
    inner = given.values() if isinstance(given, Mapping) else given
    if not isinstance(inner, str) and isinstance(inner, Iterable):
        for value in inner:
            yield from _values(value)


def _categories(model: Model) -> list[str]:
    found = model.record.get("categories")
    return [str(name) for name in found] if isinstance(found, list) else []


def _searchable(model: Model) -> str:
    names = ("model_id", "display_name", "description")
    return " ".join(str(model.record.get(name) or "") for name in names).lower()
