"""What crosses HTTP on the routes that speak RunComfy: its names, its words.

https://docs.runcomfy.com/model-apis/async-queue-endpoints
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from api_gateway.schemas import CancelOutcome

ShownStatus = Literal["in_queue", "in_progress", "completed", "cancelled"]


class RequestAccepted(BaseModel):
    """A request that is on record, and where to follow it."""

    request_id: str = Field(description="The generation's id.")
    status_url: str = Field(description="GET it for the status.")
    result_url: str = Field(description="GET it for the result, at any time.")
    cancel_url: str = Field(description="POST to it to cancel.")


class RequestStatus(BaseModel):
    """Where a request is now."""

    request_id: str
    status: ShownStatus = Field(
        description="completed means that it stopped; the result says how it ended."
    )
    status_url: str
    result_url: str
    queue_position: int | None = Field(
        default=None, description="While in_queue: how many are before it, itself counted."
    )


class RequestResult(BaseModel):
    """How a request ended; before that, where it is."""

    request_id: str
    model_id: str
    status: Literal["in_queue", "in_progress", "succeeded", "failed", "cancelled"]
    metadata: dict[str, str] = Field(
        default={}, description="What its caller noted on it; not RunComfy's, so only if given."
    )
    input: dict[str, Any] = Field(description="What the model was given.")
    queue_position: int | None = Field(
        default=None, description="While in_queue: how many are before it, itself counted."
    )
    output: Any = Field(default=None, description="What it produced, if it succeeded.")
    error: str | None = Field(default=None, description="Why it failed, if it did.")
    created_at: str = Field(description="When it was accepted, with microseconds and offset.")
    finished_at: str | None = Field(default=None, description="When it ended, written alike.")
    cost: float | None = Field(
        default=None, description="US dollars; with include_cost=true, where it is known."
    )


class RequestWaited(RequestAccepted, RequestResult):
    """A request that its caller waited for: its result, and where to follow it."""


class RequestCancel(BaseModel):
    """What came of a cancel."""

    request_id: str
    status: ShownStatus = Field(description="Where the request is now.")
    outcome: CancelOutcome = Field(
        description="cancelled: it took effect. not_cancellable: it runs on, or had ended. "
        "cancellation_requested: RunComfy has not answered yet; look at the status again."
    )


class ModelRecord(BaseModel):
    """A model as RunComfy's catalog has it; there may be more than is described here."""

    model_config = ConfigDict(extra="allow")

    model_id: str
    inputs: list[str] = Field(description="The names of the input's fields.")
    required_inputs: list[str] = Field(description="Those of them that must be given.")
    display_name: str | None = None
    description: str | None = None
    categories: list[str] | None = None
    kind: str | None = None
    base_price_usd: float | None = Field(
        default=None, description="US dollars per price_unit; absent where nobody knows it."
    )
    price_unit: str | None = None
    input_schema: dict[str, Any] | None = Field(
        default=None, description="What the model takes, in RunComfy's dialect of JSON Schema."
    )


class ModelList(BaseModel):
    """A page of RunComfy's catalog."""

    models: list[ModelRecord]
    total: int = Field(description="How many there are on all pages.")


class CategoryList(BaseModel):
    """What models there are, by what they take and make."""

    categories: list[str] = Field(examples=[["image-to-video", "text-to-image"]])
