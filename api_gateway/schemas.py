"""What crosses HTTP on the native face, and problems. RunComfy's are in ``runcomfy_schemas.py``."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    SerializerFunctionWrapHandler,
    WithJsonSchema,
    field_validator,
    model_serializer,
)

from api_gateway.metadata import EXAMPLE, NOTED, Metadata
from api_gateway.model_ids import MODEL_ID_SCHEMA
from api_gateway.submitting import WEBHOOK, Asked
from generations.lifecycle import DeliveryStatus, Status
from generations.model import ATTEMPTS_KEPT, Delivery, ErrorCode, Generation, InputSchema
from generations.presentation import rfc3339

#: An instant as every answer writes it.
Instant = Annotated[
    datetime,
    PlainSerializer(rfc3339, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
CancelOutcome = Literal["cancelled", "not_cancellable", "cancellation_requested"]

MODEL_ID: Final = "bytedance/seedance-v1.5-pro/image-to-video"
#: The example of RunComfy's page for this model.
INPUT: Final[dict[str, Any]] = {
    "prompt": "A gentle breeze blows softly, and the real girl's body remains stable.",
    "first_frame_image_url": (
        "https://playgrounds-storage-public.runcomfy.net/tools/7272/media-files/input-1-1.png"
    ),
}


class FieldProblem(BaseModel):
    """What is wrong with one field."""

    pointer: str = Field(
        description="Where: a JSON pointer into the body, or '?' and a query parameter's name.",
        examples=["#/input"],
    )
    message: str = Field(description="What is wrong there.")


class Problem(BaseModel):
    """An error as RFC 9457 has it."""

    type: str = Field(description="A stable name of the kind of problem, as a URI.")
    title: str = Field(description="The kind of problem in a few words.")
    status: int = Field(description="The HTTP status, repeated.")
    code: str = Field(description="Stable: match on this one.")
    detail: str = Field(description="What to do about it.")
    error_message: str = Field(
        description="The same as RunComfy's clients read it: after RunComfy's name for the "
        "problem, where it has one."
    )
    error_code: int | None = Field(
        default=None, description="RunComfy's number for the problem, where it has one."
    )
    errors: list[FieldProblem] | None = Field(default=None, description="The fields at fault.")

    @model_serializer(mode="wrap")
    def _without_none(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in serialize(self).items() if value is not None}


class CreateGeneration(Asked):
    """A piece of work to be done."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [{"model": MODEL_ID, "input": INPUT, "webhook": WEBHOOK}]},
    )

    model: str = Field(
        description="RunComfy's model id, exactly as its catalog has it.",
        json_schema_extra=MODEL_ID_SCHEMA,
    )
    input: dict[str, Any] = Field(description="What the model takes: the fields of its schema.")
    metadata: Metadata = Field(
        default={},
        description=NOTED,
        examples=[EXAMPLE],
    )


class Answer(BaseModel):
    """Read from our records, whose names it has."""

    model_config = ConfigDict(from_attributes=True)


class MomentBody(Answer):
    """One move."""

    sequence: int = Field(description="Its number, from 1; that of its event too.")
    status: Status = Field(description="The status that was entered.")
    at: Instant = Field(description="When.")


class ErrorBody(Answer):
    """Why a generation failed."""

    code: ErrorCode = Field(description="Stable: match on this one.")
    message: str = Field(description="What happened; RunComfy's own words where it gave some.")


class AttemptBody(Answer):
    """One POST of a delivery."""

    number: int = Field(description="From 1.")
    at: Instant = Field(description="When it began.")
    duration_ms: int = Field(description="How long it took, in milliseconds.")
    status_code: int | None = Field(description="What the endpoint answered; null: nothing.")
    error: str | None = Field(description="Why there was no answer, or what was wrong with it.")
    address: str | None = Field(
        description="The IP address that was called; null: it came to none, or a proxy called."
    )
    dials: int = Field(
        description="How often it was tried to connect: twice where that failed at once."
    )
    response_headers: dict[str, str] = Field(
        description="What the endpoint answered with, names in lower case."
    )
    response_body: str = Field(description="The first 4 KiB of its answer, as text.")


class DeliveryBody(Answer):
    """The duty to tell an endpoint one event."""

    id: str
    generation_id: str | None = Field(description="null: a test, which is about no generation.")
    created_at: Instant = Field(description="When the event happened.")
    redelivered_at: Instant | None = Field(
        description="When it was last asked for again; null: never."
    )
    event_id: str = Field(description="Sent as webhook-id; the same for every attempt.")
    event_type: str = Field(
        serialization_alias="type", description="The event.", examples=["generation.succeeded"]
    )
    endpoint: str = Field(
        description="The URL that is told; where that is the origin's default endpoint, the one "
        "of the last attempt."
    )
    status: DeliveryStatus = Field(description="Where the delivery is now.")
    attempts: list[AttemptBody] = Field(
        description=f"The oldest first; the last {ATTEMPTS_KEPT}, and their numbers go on."
    )
    is_set_aside: bool = Field(
        serialization_alias="set_aside",
        description="Whether it was given up because of a fault of Darkroom's own.",
    )

    @field_validator("generation_id", mode="before")
    @classmethod
    def _null_for_none(cls, value: str) -> str | None:
        return value or None


class CancelBody(Answer):
    """What became of a wish to cancel."""

    requested_at: Instant | None = Field(description="When it was asked for last.")
    outcome: str | None = Field(description="What came of it; null: not known yet.")


class GenerationBody(Answer):
    """Everything on record about a generation."""

    id: str = Field(examples=["gen_01KAQ8Y5M8W7F0V1Z3T6R9N2XB"])
    model: str = Field(validation_alias="model_id", description="RunComfy's model id.")
    input: dict[str, Any] = Field(description="What the model was given.")
    input_schema: InputSchema = Field(
        validation_alias="schema",
        serialization_alias="schema",
        description="Whether the input was checked against the model's schema. unknown: Darkroom "
        "has none, so RunComfy alone says whether the input is right.",
    )
    status: Status = Field(description="Where the generation is now.")
    created_at: Instant = Field(description="When it was accepted.")
    deadline: Instant = Field(description="When it fails if it has not finished by then.")
    finished_at: Instant | None = Field(description="When it ended.")
    estimated_finish_at: Instant | None = Field(
        description="When it will have ended, about, as generations like it did lately: half of "
        "those that took as long already had ended by then. null: too few have ended to say, "
        "RunComfy does not have it yet, or it has finished."
    )
    timeline: list[MomentBody] = Field(description="Every move, the oldest first.")
    priority: int = Field(description="Among its origin's that wait to be submitted.")
    polls: int = Field(description="How often RunComfy was asked for it and answered.")
    submissions: int = Field(description="How many submissions RunComfy may have charged for.")
    possible_duplicate_charge: bool = Field(
        description="Whether it was submitted again although an earlier submission was uncertain."
    )
    queue_position: int | None = Field(
        description=(
            "Its place, itself counted, while it waits: in its origin's line, by priority and "
            "age, then in RunComfy's queue, as RunComfy gave it."
        )
    )
    output: Any = Field(description="What it produced, as RunComfy gave it.")
    error: ErrorBody | None = Field(description="Why it failed.")
    cost: float | None = Field(description="US dollars, as RunComfy gave it.")
    metadata: dict[str, str] = Field(description="What its caller noted on it.")
    webhook: str | None = Field(
        description="Who is told; null: the origin's default endpoint, where it has one."
    )
    webhook_intermediate_status: bool = Field(
        description="Whether in_queue and in_progress are told too."
    )
    cancel: CancelBody | None = Field(description="null: nobody asked to cancel it.")
    runcomfy_request_id: str | None = Field(description="RunComfy's own id for it.")
    deliveries: list[DeliveryBody] = Field(description="The oldest first.")

    @classmethod
    def of(
        cls,
        generation: Generation,
        *,
        deliveries: Sequence[Delivery],
        queue_position: int | None,
        ends_at: datetime | None,
    ) -> Self:
        """The whole record, from its parts."""
        asked_at = generation.cancel_requested_at
        cancel = CancelBody(requested_at=asked_at, outcome=generation.cancel_outcome)
        return cls.model_validate(
            {
                **{fact.name: getattr(generation, fact.name) for fact in fields(generation)},
                "finished_at": generation.finished_at,
                "timeline": [
                    {"sequence": number, "status": moment.status, "at": moment.at}
                    for number, moment in enumerate(generation.timeline, 1)
                ],
                "queue_position": queue_position,
                "estimated_finish_at": ends_at,
                "cancel": cancel if asked_at else None,
                "deliveries": deliveries,
            }
        )


class GenerationList(BaseModel):
    """A page of an origin's generations."""

    generations: list[GenerationBody] = Field(description="The newest first.")
    next_cursor: str | None = Field(
        description="The cursor of the next page; null: this is the last one."
    )
