"""The longest time in which nothing moved although something should have. Pure."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from bench.chaos.evidence import Evidence, Json


def longest_stall(moves: Iterable[float], spans: Iterable[tuple[float, float]]) -> float:
    """The longest time without a move, in seconds, counting only the time within spans.

    Args:
        moves: instants at which something moved.
        spans: from when to when each piece of work was under way.
    """
    marks = [(at, 0) for at in moves]
    for begun, ended in spans:
        # At one instant: first what begins, then what moves, then what ends.
        marks += [(begun, -1), (max(begun, ended), 1)]
    marks.sort()
    longest, under_way, since = 0.0, 0, 0.0
    for at, kind in marks:
        if under_way:
            longest = max(longest, at - since)
        if kind == 0 or under_way == 0:
            since = at
        under_way -= kind
    return longest


def stall_of(evidence: Evidence, *, ended_at: float) -> float:
    """The longest stall of a run that was looked at until an instant."""
    return longest_stall(_moves(evidence), _spans(evidence, ended_at))


def _moves(evidence: Evidence) -> Iterator[float]:
    yield from (s.accepted_at for s in evidence.submissions if s.accepted_at is not None)
    yield from (_instant(entry["accepted_at"]) for entry in evidence.ledger)
    yield from (arrival.at for arrival in evidence.arrivals)
    for record in evidence.records.values():
        yield from _timeline(record)


def _timeline(record: Json) -> Iterator[float]:
    return (_instant(moment["at"]) for moment in record["timeline"])


def _spans(evidence: Evidence, ended_at: float) -> Iterator[tuple[float, float]]:
    taken: dict[str, float] = {}
    for arrival in evidence.arrivals:
        if arrival.is_final and arrival.is_taken:
            taken.setdefault(arrival.generation_id, arrival.at)
    for submission in evidence.submissions:
        if submission.refused is None:
            yield submission.sent_at, taken.get(submission.generation_id or "", ended_at)


def _instant(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
