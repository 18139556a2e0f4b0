"""A claim: the right to act on one record, and the fences that make a late holder harmless."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from generations.steps import Lane

NEVER: Final = datetime.min.replace(tzinfo=UTC)
#: Taken so often without a settle, a record may be what brings its workers down, or its
#: neighbour was, or they were killed: from then on it is worked on alone.
SUSPECT_TAKES: Final = 3


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to act on one record until its lease ends."""

    lane: Lane
    id: str
    fence: int
    #: Whose the record is; known once the claim is taken.
    origin: str = ""
    #: When it was taken. On Redis's clock, as every instant on record: a worker's own may be
    #: hours off, and says nothing about a deadline.
    taken_at: datetime = NEVER
    #: How often it had been taken without a settle when it was claimed.
    takes: int = 0
    #: How long its call to RunComfy has to wait, counted from the step that said so.
    call_in: timedelta = timedelta()

    @property
    def is_suspect(self) -> bool:
        """Whether it is to be worked on alone, by a process that may die of it."""
        return self.takes >= SUSPECT_TAKES


class Unsettled(StrEnum):
    """Why a step was not written."""

    LOST = "lost"  #: Somebody else has the record now, or it is finished.
    #: RunComfy may get no more now, of its origin or at all: it is back in its line.
    IN_LINE = "back in line"


def new_guard() -> dict[str, str]:
    """For a step that is nobody's claim: known again when it is asked for again."""
    return {"next_fence": str(new_fence())}


def new_fence() -> int:
    """What a step may leave behind."""
    # Random, so that a step can be recognised when it is asked for again (see take.lua),
    # and below 2^53, so that Lua's numbers hold it and its successors.
    return random.getrandbits(48)  # Nobody gains by guessing it.
