"""What crosses HTTP on the routes that act on many generations."""

from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from api_gateway.filtering import Paged, Wanted
from api_gateway.metadata import Metadata
from api_gateway.openapi import saying, schema_of
from api_gateway.schemas import CreateGeneration, GenerationBody, Problem
from api_gateway.submitting import LONGEST_KEY
from generations.selection import Filter

#: Creates in one batch.
LARGEST_BATCH: Final = 500


class BatchItem(CreateGeneration):
    """One create of a batch."""

    # Without line breaks, so that it is never one that is derived from the batch's own key.
    idempotency_key: str | None = Field(
        default=None,
        min_length=1,
        max_length=LONGEST_KEY,
        pattern=r"^[^\r\n]+$",
        description="As the header Idempotency-Key, for this one; in place of the batch's.",
    )


class CreateBatch(BaseModel):
    """Pieces of work to be done. Each is read by itself, so that one stops none of the others."""

    model_config = ConfigDict(extra="forbid", strict=True)

    generations: list[Any] = Field(min_length=1, max_length=LARGEST_BATCH)

    @classmethod
    def described(cls) -> dict[str, Any]:
        """Its schema, with what each of them must be."""
        schema = schema_of(cls)
        schema["properties"]["generations"]["items"] = schema_of(BatchItem)
        return schema


class BatchResult(BaseModel):
    """What became of one create."""

    status: int = Field(description="As of the single create: 201, or that of the problem.")
    replayed: bool = Field(description="Whether its key was used before for the same.")
    generation: GenerationBody | None = Field(description="null where it was refused.")
    problem: Problem | None = Field(
        description="Why it was refused; its pointers lead into the body of the batch."
    )


class BatchAnswer(BaseModel):
    """What became of a batch."""

    accepted: int = Field(description="How many are on record, replayed ones counted.")
    refused: int = Field(description="How many are not.")
    results: list[BatchResult] = Field(description="One for each create, in their order.")


class CancelMany(Wanted, Paged):
    """Which generations to cancel, of those that have not finished."""

    model_config = ConfigDict(extra="forbid", strict=True)

    metadata: Metadata = Field(default={}, description="With these notes, whatever else.")
    all: bool = Field(
        default=False,
        description="Must be true where nothing else is said, so that nobody cancels everything "
        "with an empty body.",
    )

    @model_validator(mode="after")
    def _says_which(self) -> Self:
        if not self.all and self.filter == Filter():
            raise PydanticCustomError(
                "which", 'Say which to cancel, or that you mean {"all": true}'
            )
        return self

    @property
    def filter(self) -> Filter:
        """The filter of the store."""
        return self.as_filter(self.metadata)

    @classmethod
    def described(cls) -> dict[str, Any]:
        """Its schema, with what must be said."""
        ways = ("model", "created_after", "created_before")
        return {
            **schema_of(cls),
            "anyOf": [
                saying("all", const=True),
                saying("status", minItems=1),
                saying("metadata", minProperties=1),
                *(saying(name, type="string") for name in ways),
            ],
        }


class Some(BaseModel):
    """Generations that had the same fate."""

    count: int
    ids: list[str] = Field(description="The newest first.")

    @classmethod
    def of(cls, ids: list[str]) -> Self:
        """Counted."""
        return cls(count=len(ids), ids=ids)


class CancelManyAnswer(BaseModel):
    """What a cancel of many came to. What had finished is in neither."""

    cancelled: Some = Field(description="They are cancelled and were never submitted.")
    cancellation_requested: Some = Field(
        description="RunComfy is asked; each record says what it answers."
    )
    next_cursor: str | None = Field(
        description="More may match: call again with it as cursor; null: that was all."
    )
