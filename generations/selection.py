"""Which rows of a list are meant, and where in it a page ended. Pure."""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Self

from generations.errors import InvalidCursor
from generations.ids import GENERATION, is_id
from generations.lifecycle import DeliveryStatus, Status
from generations.model import Delivery, Metadata
from generations.records import read_metadata, to_ms

EPOCH: Final = datetime.fromtimestamp(0, UTC)

_PLACE: Final = re.compile(r"1:(0|[1-9][0-9]{0,14}):(.+)")


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a page ended; the greater of two places is the newer one.

    Neither a rank nor an offset, so that it stays where it is while rows come and go.
    """

    #: When the row was put into the index that is read, in most by its creation.
    at_ms: int
    id: str

    def as_cursor(self) -> str:
        """The place as its reader is given it: opaque, with a version in front."""
        text = f"1:{self.at_ms}:{self.id}"
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def of_cursor(cls, cursor: str, kind: str = GENERATION) -> Self:
        """The place that a cursor names; anybody's, for a place tells nothing of what is there.

        ``kind`` is what ids of such a list begin with.

        Raises:
            InvalidCursor: nobody was ever given this one.
        """
        try:
            text = base64.urlsafe_b64decode(f"{cursor}==").decode()
        except (binascii.Error, ValueError) as exc:
            raise InvalidCursor from exc
        read = _PLACE.fullmatch(text)
        if read is None or not is_id(read[2], kind):
            raise InvalidCursor
        place = cls(int(read[1]), read[2])
        if place.as_cursor() != cursor:
            raise InvalidCursor
        return place


@dataclass(frozen=True, slots=True)
class Filter:
    """Which generations are meant: those that fit all of it. What is left out, all fit."""

    statuses: frozenset[Status] = frozenset()
    model_id: str | None = None
    #: What must have been noted, whatever else was.
    metadata: Metadata = field(default_factory=dict)
    created_after: datetime | None = None
    created_before: datetime | None = None
    #: Only those that brought their workers down.
    is_set_aside: bool = False

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of a record that :meth:`fits` looks at, and ``model_id``, which all have."""
        looked_at = {
            "status": bool(self.statuses),
            "metadata": bool(self.metadata),
            "set_aside": self.is_set_aside,
        }
        return ("model_id", *(name for name, is_looked_at in looked_at.items() if is_looked_at))

    def fits(self, fields: Mapping[str, str | None]) -> bool:
        """Whether a record is meant, but for when it was accepted (:meth:`between`)."""
        if self.statuses and fields["status"] not in self.statuses:
            return False
        if self.model_id is not None and fields["model_id"] != self.model_id:
            return False
        if self.is_set_aside and not fields.get("set_aside"):
            return False
        noted = read_metadata(fields.get("metadata")) if self.metadata else {}
        return self.metadata.items() <= noted.items()

    def between(self, place: Place | None) -> tuple[str, str]:
        """The newest and the oldest creation (ms) that are meant, as Redis takes bounds.

        With a place, nothing that is newer; what is as old may come before or after it.
        """
        return _between(self.created_after, self.created_before, place)


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """Which deliveries are meant: those that fit all of it. What is left out, all fit."""

    statuses: frozenset[DeliveryStatus] = frozenset()
    #: What the endpoint's URL begins with.
    endpoint: str | None = None
    #: What must have been noted on the generation, whatever else was.
    metadata: Metadata = field(default_factory=dict)
    created_after: datetime | None = None
    created_before: datetime | None = None

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of a record that :meth:`fits` looks at, and what leads to its generation."""
        return ("event_id", "status", "endpoint", "created_at", "generation_id")

    @property
    def is_of_exhausted(self) -> bool:
        """Whether only those are meant, which have an index of their own, by their end."""
        return self.statuses == {DeliveryStatus.EXHAUSTED}

    def fits(self, fields: Mapping[str, str | None]) -> bool:
        """Whether a record is meant, but for the metadata."""
        if self.statuses and fields["status"] not in self.statuses:
            return False
        created_us = int(fields["created_at"] or 0) * 1000
        if self.created_after is not None and created_us <= _in_us(self.created_after):
            return False
        if self.created_before is not None and created_us >= _in_us(self.created_before):
            return False
        return (fields["endpoint"] or "").startswith(self.endpoint or "")

    def means(self, delivery: Delivery) -> bool:
        """As :meth:`fits`, of a record that was read."""
        created_at = str(to_ms(delivery.created_at))
        return self.fits(
            {
                "status": delivery.status,
                "endpoint": delivery.endpoint,
                "created_at": created_at,
            }
        )

    def between(self, place: Place | None) -> tuple[str, str]:
        """As of a :class:`Filter`; what is exhausted is so after its creation."""
        before = None if self.is_of_exhausted else self.created_before
        return _between(self.created_after, before, place)


def _between(
    after: datetime | None, before: datetime | None, place: Place | None
) -> tuple[str, str]:
    newest = "+inf"
    if before is not None:
        newest = f"({-(_in_us(before) // -1000)}"
    if place is not None and (before is None or place.at_ms * 1000 < _in_us(before)):
        newest = str(place.at_ms)
    return newest, "-inf" if after is None else f"({_in_us(after) // 1000}"


def _in_us(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1)
