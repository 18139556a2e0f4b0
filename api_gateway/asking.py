"""What a create asks for, read from a body and made a generation to be accepted."""

from typing import Any, TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from api_gateway.schemas import CreateGeneration
from generations.ids import GENERATION, new_id
from generations.model import NewGeneration
from generations.trace import Trace

_Schema = TypeVar("_Schema", bound=BaseModel)


def read_as(schema: type[_Schema], body: Any) -> _Schema:
    """A body, or a part of one, as a schema has it.

    Raises:
        RequestValidationError: it is not; its places are in the body.
    """
    try:
        return schema.model_validate(body)
    except ValidationError as exc:
        found = exc.errors(include_input=False, include_url=False, include_context=False)
        raise RequestValidationError([{**e, "loc": ("body", *e["loc"])} for e in found]) from exc


def new_generation(
    origin: str, asked: CreateGeneration, trace: Trace | None = None
) -> NewGeneration:
    """What an origin asks for, under a new id."""
    return NewGeneration(
        id=new_id(GENERATION),
        origin=origin,
        model_id=asked.model,
        input=asked.input,
        webhook=asked.webhook,
        webhook_intermediate_status=asked.webhook_intermediate_status,
        on_uncertain=asked.on_uncertain,
        preflight=asked.preflight,
        deadline=asked.deadline,
        priority=asked.priority,
        metadata=asked.metadata,
        trace=trace,
    )
