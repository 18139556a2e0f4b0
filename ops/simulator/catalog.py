"""The models that the simulator runs: one JSON file each, under ``models/``.

A file is RunComfy's public catalog record (section 1.11 of the reference) with one key more,
``simulation``, which never leaves the simulator. What is bundled with Darkroom is not repeated.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import jsonschema_rs

from generations import catalog
from generations.bundled import BUNDLED
from ops.simulator.timeline import Spread

Input = dict[str, Any]
Violation = dict[str, Any]

MODELS: Final = Path(__file__).parent / "models"
_BUNDLED: Final = {record["model_id"]: record for record in BUNDLED}


@dataclass(frozen=True, slots=True)
class Model:
    """One model: its public record, and how the simulator plays it."""

    record: dict[str, Any]
    makes: Literal["video", "image"]
    queue: Spread
    run: Spread
    is_listed: bool
    prices: dict[str, dict[str, float]]
    """By input field and value, where the price depends on one; else the record's base price."""
    count: str | None
    """The input field that says how many outputs to make; None: always one."""
    _validator: jsonschema_rs.Validator = field(repr=False)

    @property
    def model_id(self) -> str:
        return str(self.record["model_id"])

    def violations(self, body: object) -> list[Violation]:
        """What the model's schema has against a body; empty if nothing."""
        return [_to_violation(error) for error in self._validator.iter_errors(body)]

    def option(self, body: Input, name: str) -> Any:
        """A field of the input, or the schema's default for it."""
        schema = self.record["input_schema"]["properties"].get(name, {})
        return body.get(name, schema.get("default"))

    def outputs_of(self, body: Input) -> int:
        """How many outputs one run makes."""
        return int(self.option(body, self.count)) if self.count else 1

    def price_of(self, body: Input) -> float:
        """What one run costs, in USD."""
        price = float(self.record["base_price_usd"])
        for name, prices in self.prices.items():
            price = prices.get(self.option(body, name), price)
        seconds = self.option(body, "duration") if self.record["price_unit"] == "second" else 1
        return round(price * seconds * self.outputs_of(body), 4)


def _to_violation(error: jsonschema_rs.ValidationError) -> Violation:
    # FastAPI's form, which RunComfy's `detail` array is taken to have.
    where: list[str | int] = ["body", *error.instance_path]
    if isinstance(error.kind, jsonschema_rs.ValidationErrorKind.Required):
        return {"loc": [*where, error.kind.property], "msg": "Field required", "type": "missing"}
    return {"loc": where, "msg": error.message, "type": error.kind.name}


def read_model(text: str) -> Model:
    """A model from its file's text; raises KeyError where the file lacks something."""
    record = json.loads(text)
    record = _BUNDLED.get(record["model_id"], {}) | record
    simulation = record.pop("simulation")
    return Model(
        record=record,
        makes=simulation["makes"],
        queue=Spread(**simulation["queue"]),
        run=Spread(**simulation["run"]),
        is_listed=simulation.get("is_listed", True),
        count=simulation.get("count"),
        prices=simulation.get("prices", {}),
        _validator=jsonschema_rs.validator_for(record["input_schema"]),
    )


class Catalog:
    """The models by id, in a stable order."""

    def __init__(self, models: Iterable[Model]) -> None:
        self._models = {model.model_id: model for model in models}
        #: What the catalog's routes show of them.
        self.public = catalog.Catalog(model.record for model in self if model.is_listed)

    @classmethod
    def from_files(cls, directory: Path = MODELS) -> "Catalog":
        models = [read_model(path.read_text(encoding="utf-8")) for path in directory.glob("*.json")]
        return cls(sorted(models, key=lambda model: model.model_id))

    def find(self, model_id: str) -> Model | None:
        return self._models.get(model_id)

    def __iter__(self) -> Iterator[Model]:
        return iter(self._models.values())
