"""Which generations a caller means, in a query or in a body."""

import re
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import BaseModel, Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from generations.lifecycle import Status
from generations.model import Metadata
from generations.selection import Filter, Place

MOST_LISTED: Final = 100

_RFC3339: Final = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE
)
_HOW: Final = "Write an instant as RFC 3339 has it: 2026-11-22T22:27:39Z (in a query, + is %2B)"


def _read_instant(value: Any) -> datetime:
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        raise PydanticCustomError("rfc3339", _HOW)
    try:
        return datetime.fromisoformat(value.upper())
    except ValueError as exc:
        raise PydanticCustomError("rfc3339", _HOW) from exc


#: An instant as a caller writes it.
RequestInstant = Annotated[
    datetime,
    PlainValidator(_read_instant),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


class Wanted(BaseModel):
    """Which generations are meant: those that fit all that is said."""

    # Not strict: JSON has no enums, so the words are all that can come.
    status: list[Annotated[Status, Field(strict=False)]] = Field(
        default=[], description="In one of these statuses.", examples=[["queued"]]
    )
    model: str | None = Field(default=None, description="Of this model.")
    created_after: RequestInstant | None = Field(
        default=None, description="Accepted later than this."
    )
    created_before: RequestInstant | None = Field(
        default=None, description="Accepted earlier than this."
    )

    def as_filter(self, metadata: Metadata) -> Filter:
        """The filter of the store."""
        return Filter(
            statuses=frozenset(self.status),
            model_id=self.model,
            metadata=metadata,
            created_after=self.created_after,
            created_before=self.created_before,
        )


class Paged(BaseModel):
    """What goes on where a call before it ended."""

    cursor: str | None = Field(
        default=None, description="The next_cursor of the answer before, under the same filters."
    )

    @property
    def after(self) -> Place | None:
        """The place to go on from; raises InvalidCursor."""
        return None if self.cursor is None else Place.of_cursor(self.cursor)


class ListQuery(Wanted, Paged):
    """What a list takes in its query, beside metadata."""

    limit: int = Field(default=20, ge=1, le=MOST_LISTED, description="How many at most.")
