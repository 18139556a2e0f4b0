"""What crosses HTTP on the routes of deliveries."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from api_gateway.filtering import MOST_LISTED, RequestInstant
from api_gateway.metadata import Metadata
from api_gateway.openapi import saying, schema_of
from api_gateway.schemas import DeliveryBody
from generations.ids import DELIVERY
from generations.lifecycle import DeliveryStatus
from generations.selection import DeliveryFilter, Place

_ENDPOINT = "Whose endpoint's URL begins so."


class _Wanted(BaseModel):
    """Which deliveries are meant, and where to go on."""

    endpoint: str | None = Field(default=None, min_length=1, description=_ENDPOINT)
    created_after: RequestInstant | None = Field(
        default=None, description="Of an event that happened later than this."
    )
    created_before: RequestInstant | None = Field(
        default=None, description="Of an event that happened earlier than this."
    )
    cursor: str | None = Field(
        default=None, description="The next_cursor of the answer before, under the same filters."
    )

    @property
    def after(self) -> Place | None:
        """The place to go on from; raises InvalidCursor."""
        return None if self.cursor is None else Place.of_cursor(self.cursor, DELIVERY)

    def as_filter(self, status: list[DeliveryStatus], metadata: Metadata) -> DeliveryFilter:
        """The filter of the store."""
        return DeliveryFilter(
            statuses=frozenset(status),
            endpoint=self.endpoint,
            metadata=metadata,
            created_after=self.created_after,
            created_before=self.created_before,
        )


class DeliveryQuery(_Wanted):
    """What the list of deliveries takes in its query, beside metadata."""

    status: list[DeliveryStatus] = Field(
        default=[], description="In one of these statuses.", examples=[["exhausted"]]
    )
    limit: int = Field(default=20, ge=1, le=MOST_LISTED, description="How many at most.")


class DeliveryPage(BaseModel):
    """A page of an origin's deliveries."""

    deliveries: list[DeliveryBody] = Field(
        description="The newest first; with status=exhausted alone, the last one given up first."
    )
    next_cursor: str | None = Field(
        description="The cursor of the next page; null: this is the last one."
    )


class DeliveriesOfGeneration(BaseModel):
    """All deliveries of a generation."""

    deliveries: list[DeliveryBody] = Field(description="The oldest first.")


class RedeliverMany(_Wanted):
    """Which deliveries to tell again, of those that may be."""

    model_config = ConfigDict(extra="forbid", strict=True)

    # Not strict: JSON has no enums, so the words are all that can come.
    status: list[Annotated[DeliveryStatus, Field(strict=False)]] = Field(
        default=[DeliveryStatus.EXHAUSTED],
        min_length=1,
        description="In one of these statuses. What is pending is attempted now; what was "
        "superseded is never told again.",
    )
    metadata: Metadata = Field(
        default={}, description="Of generations with these notes, whatever else."
    )
    all: bool = Field(
        default=False,
        description="Must be true where nothing but a status is said, so that nobody is told "
        "everything again because of an empty body.",
    )

    @model_validator(mode="after")
    def _says_which(self) -> Self:
        said = self.endpoint, self.created_after, self.created_before, self.metadata
        if not self.all and not any(said):
            raise PydanticCustomError(
                "which", 'Say which to tell again, or that you mean {"all": true}'
            )
        return self

    @property
    def filter(self) -> DeliveryFilter:
        """The filter of the store."""
        return self.as_filter(self.status, self.metadata)

    @classmethod
    def described(cls) -> dict[str, Any]:
        """Its schema, with what must be said."""
        ways = ("created_after", "created_before")
        return {
            **schema_of(cls),
            "anyOf": [
                saying("all", const=True),
                saying("metadata", minProperties=1),
                saying("endpoint", type="string", minLength=1),
                *(saying(name, type="string") for name in ways),
            ],
        }


class RedeliverManyAnswer(BaseModel):
    """What a redelivery of many came to. What may not be told again is in neither."""

    count: int
    ids: list[str] = Field(description="Of the deliveries that are pending now.")
    next_cursor: str | None = Field(
        description="More may match: call again with it as cursor; null: that was all."
    )
