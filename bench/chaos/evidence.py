"""What each side knows once all is over: plain facts, which ``verdict.py`` compares."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Json = Mapping[str, Any]


@dataclass(slots=True)
class Submission:
    """One generation as its origin knows it. Instants are seconds since the epoch."""

    #: In the prompt, so that an entry in the ledger can be told to be this generation's.
    marker: str
    sent_at: float
    generation_id: str | None = None
    accepted_at: float | None = None
    #: Sent again for want of an answer.
    retries: int = 0
    #: Of these, after an answer that says that the gateway broke.
    broke: int = 0
    #: What it was answered with when it was sent again in spite of an answer.
    replayed_ids: list[str] = field(default_factory=list)
    #: The status of an answer that no retry helps against.
    refused: int | None = None


@dataclass(frozen=True, slots=True)
class Arrival:
    """One callback as the receiver saw it."""

    at: float
    event_id: str
    is_verified: bool
    body: Json
    #: None where the connection was dropped.
    answered: int | None

    @property
    def is_taken(self) -> bool:
        """Whether the worker was told that it need not come again."""
        return self.answered == 200

    @property
    def told(self) -> Json:
        """The event's data; empty where the body is no event."""
        data = self.body.get("data")
        return data if isinstance(data, Mapping) else {}

    @property
    def generation_id(self) -> str:
        return str(self.told.get("request_id"))

    @property
    def is_final(self) -> bool:
        return self.told.get("status") in FINAL


#: The statuses with no moves left, in the words that anybody outside knows.
FINAL = frozenset({"succeeded", "failed", "cancelled"})


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that is compared."""

    submissions: list[Submission]
    #: The native record of each accepted id; absent where there is none.
    records: Mapping[str, Json]
    #: The simulator's ledger.
    ledger: list[Json]
    arrivals: list[Arrival]

    @property
    def accepted(self) -> dict[str, Submission]:
        """The submissions by the id that they were answered with."""
        return {s.generation_id: s for s in self.submissions if s.generation_id is not None}
