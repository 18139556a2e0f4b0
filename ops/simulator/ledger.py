"""Every accepted submission: what RunComfy would have on its books, and would charge for."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice

from ops.simulator.catalog import Input, Model
from ops.simulator.faults import Route
from ops.simulator.timeline import Timeline


class Outcome(StrEnum):
    """How a request turns out once it ends."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    IMAGE_INVALID = "image_invalid"


@dataclass(slots=True)
class Submission:
    """One accepted request. Only its timeline and outcome ever change."""

    request_id: str
    model: Model
    input: Input
    account: str
    """``account_of`` the token, never the token."""
    timeline: Timeline
    outcome: Outcome = Outcome.SUCCEEDED
    calls: Counter[Route] = field(default_factory=Counter)

    @property
    def output_names(self) -> list[str]:
        """The files that it makes."""
        kind = "mp4"
        if self.model.makes == "image":
            kind = self.model.option(self.input, "output_format") or "png"
        more = range(2, self.model.outputs_of(self.input) + 1)
        return [f"{self.request_id}{part}.{kind}" for part in ("", *(f".{n}" for n in more))]

    @property
    def cost(self) -> float:
        return self.model.price_of(self.input)


def account_of(token: str) -> str:
    """A short fingerprint of a token, fit for a page or a log."""
    return hashlib.sha256(token.encode()).hexdigest()[:16]


class Ledger:
    """The submissions by id, in the order of their acceptance."""

    def __init__(self) -> None:
        self._by_id: dict[str, Submission] = {}
        self._spent: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Submission]:
        return iter(self._by_id.values())

    def add(self, submission: Submission) -> None:
        self._by_id[submission.request_id] = submission
        # Whole hundredths of a cent, so that a long sum stays exact.
        self._spent[submission.account] += round(submission.cost * 10_000)

    def find(self, request_id: str) -> Submission | None:
        return self._by_id.get(request_id)

    def spent_by(self, account: str) -> float:
        """USD."""
        return self._spent[account] / 10_000

    def newest(self, *, limit: int, offset: int = 0) -> list[Submission]:
        return list(islice(reversed(self._by_id.values()), offset, offset + limit))
