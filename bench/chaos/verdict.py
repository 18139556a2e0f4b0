"""The comparison of what each side knows. Pure; what each figure means is in ``__init__.py``."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from bench.chaos.evidence import FINAL, Arrival, Evidence, Json


@dataclass(frozen=True, slots=True)
class Compared:
    """The figures that follow from the evidence alone."""

    asked_for: int
    accepted: int
    finished: int
    lost: int
    succeeded: int
    failed: int
    uncertain: int
    uncertain_paid: int
    uncertain_reasons: dict[str, int]
    paid_twice: int
    callbacks_missing: int
    callbacks_unverified: int
    callbacks_duplicate: int
    distinct_ids: int
    replays: int
    replays_differing: int
    refused: int
    client_retries: int
    gateway_broke: int
    submissions: int

    @property
    def is_clean(self) -> bool:
        """Whether every promise was kept."""
        broken = (
            self.lost,
            self.paid_twice,
            self.callbacks_missing,
            self.callbacks_unverified,
            self.replays_differing,
        )
        whole = (self.accepted, self.finished, self.distinct_ids)
        return not any(broken) and all(count == self.asked_for for count in whole)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def compare(evidence: Evidence) -> Compared:
    """What became of every generation that was asked for."""
    asked, accepted = evidence.submissions, evidence.accepted
    finished = {i: r for i, r in evidence.records.items() if r["status"] in FINAL}
    statuses = Counter(record["status"] for record in finished.values())
    uncertain = {i for i, r in finished.items() if is_uncertain(r)}
    paid = paid_by_marker(evidence.ledger)
    replays = [s for s in asked for _ in s.replayed_ids]
    return Compared(
        asked_for=len(asked),
        accepted=sum(s.generation_id is not None for s in asked),
        finished=len(finished),
        lost=len(accepted.keys() - finished.keys()),
        succeeded=statuses["succeeded"],
        failed=statuses["failed"],
        uncertain=len(uncertain),
        uncertain_reasons=dict(Counter(str(finished[i]["error"]["message"]) for i in uncertain)),
        uncertain_paid=sum(paid[accepted[i].marker] > 0 for i in uncertain),
        paid_twice=sum(count > 1 for count in paid.values()),
        callbacks_missing=len(finished.keys() - told(evidence.arrivals)),
        callbacks_unverified=sum(not one for one in soundness(evidence)),
        callbacks_duplicate=duplicates(evidence.arrivals),
        distinct_ids=len(accepted),
        replays=len(replays),
        replays_differing=sum(i != s.generation_id for s in asked for i in s.replayed_ids),
        refused=sum(s.refused is not None for s in asked),
        client_retries=sum(s.retries for s in asked),
        gateway_broke=sum(s.broke for s in asked),
        submissions=len(evidence.ledger),
    )


def is_uncertain(record: Json) -> bool:
    """Whether nobody knows if RunComfy accepted it."""
    return (record["error"] or {}).get("code") == "submission_uncertain"


def paid_by_marker(ledger: Iterable[Json]) -> Counter[str]:
    """How often the simulator accepted each generation."""
    return Counter(entry["input"]["prompt"] for entry in ledger)


def told(arrivals: Iterable[Arrival]) -> set[str]:
    """The generations whose end the receiver was told of, and took."""
    return {a.generation_id for a in arrivals if a.is_final and a.is_verified and a.is_taken}


def soundness(evidence: Evidence) -> Iterable[bool]:
    """For each arrival, whether it is signed, fits the record, and repeats itself exactly."""
    first: dict[str, Json] = {}
    for arrival in evidence.arrivals:
        record = evidence.records.get(arrival.generation_id)
        same = first.setdefault(arrival.event_id, arrival.body) == arrival.body
        yield arrival.is_verified and same and record is not None and fits(arrival, record)


def fits(arrival: Arrival, record: Mapping[str, Any]) -> bool:
    """Whether a callback says what the record says."""
    known = {(d["event_id"], d["type"]) for d in record["deliveries"]}
    if (arrival.event_id, arrival.body.get("type")) not in known:
        return False
    if not arrival.is_final:
        return True
    names = ("status", "output", "error", "submissions")
    return all(arrival.told.get(name) == record[name] for name in names)


def duplicates(arrivals: Iterable[Arrival]) -> int:
    """Final callbacks that came although an earlier one with the same id was taken."""
    taken: set[str] = set()
    again = 0
    for arrival in (a for a in arrivals if a.is_final):
        again += arrival.event_id in taken
        if arrival.is_taken:
            taken.add(arrival.event_id)
    return again
