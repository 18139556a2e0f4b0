"""Every metric that gateway and workers count, and the values that their labels may have.

Pure: what is counted here stays in this process until ``tally.py`` sums it over its siblings.
No label holds an id, an origin or anything that a caller may choose freely.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
)

from generations.lifecycle import DeliveryStatus, Status, is_finished
from generations.model import ErrorCode
from generations.steps import Lane

REGISTRY: Final = CollectorRegistry()
#: The model's label where the catalog does not know the model: its id is the caller's own words.
OTHER_MODEL: Final = "other"

#: Upper bounds in seconds. Of what is inside the house; of calls to others; of waits.
_FAST: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 3)
_CALLS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_LATE: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800)
_WAITS: Final = (0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 21600, 86400)
_POLLS: Final = (1, 2, 3, 5, 8, 13, 20, 35, 60, 100, 300, 1000, 3000, 10000)


def _counter(name: str, says: str, label: str = "", values: Iterable[str] = ()) -> Counter:
    """A counter; of the values that its label may have, those that are known are there from 0.

    A series that begins with its first event has an increase of nothing, and no alert sees it.
    """
    counter = Counter(f"darkroom_{name}", says, [label] if label else [], registry=REGISTRY)
    for value in values:
        counter.labels(str(value))
    return counter


def _histogram(
    name: str, says: str, bounds: Sequence[float], label: str = "", values: Iterable[str] = ()
) -> Histogram:
    histogram = Histogram(
        f"darkroom_{name}", says, [label] if label else [], buckets=bounds, registry=REGISTRY
    )
    for value in values:
        histogram.labels(str(value))
    return histogram


ACCEPTS: Final = _counter(
    "accepts_total",
    "Generations put on record, and those that were on record already under the same key.",
    "outcome",
    ("accepted", "replayed"),
)
REFUSALS: Final = _counter(
    "refusals_total",
    "Requests, and parts of batches, answered with a problem, by its code.",
    "code",
    ("internal", "over_limit", "store_unavailable"),
)

MOVES: Final = Counter(
    "darkroom_moves_total",
    "Generations that entered a status, by model as far as the catalog knows it.",
    ["status", "model"],
    registry=REGISTRY,
)
STATUS_SECONDS: Final = _histogram(
    "status_seconds",
    "How long generations were in the status that they left.",
    _WAITS,
    "status",
    (status for status in Status if not is_finished(status)),
)
FAILURES: Final = _counter(
    "failures_total", "Generations that failed, by error code.", "code", ErrorCode
)
SUBMISSIONS: Final = _counter(
    "submissions_total",
    "Submissions to RunComfy; uncertain ones may have been accepted and charged.",
    "outcome",
    ("accepted", "rejected", "not_sent", "uncertain"),
)

POLLS: Final = _counter(
    "polls_total",
    "Polls, by the status that was entered, or waiting, unanswered, lost and the like.",
    "outcome",
    ("waiting", "unanswered"),
)
POLLS_PER_GENERATION: Final = _histogram(
    "polls_per_generation", "Polls until a generation was found finished.", _POLLS
)
DETECTION_SECONDS: Final = _histogram(
    "detection_delay_seconds",
    "From the end at RunComfy until it was seen: by RunComfy's own finished_at (source runcomfy), "
    "or else half the gap before the poll that saw it (source estimated).",
    _LATE,
    "source",
    ("runcomfy", "estimated"),
)

CLAIMS: Final = _counter("claims_total", "Claims of what was due.", "lane", Lane)
DUE_LAG: Final = _histogram(
    "due_lag_seconds", "How late what was due was claimed.", _LATE, "lane", Lane
)
LEASE_EXPIRIES: Final = _counter(
    "lease_expiries_total", "Claims of what somebody had taken and never settled.", "lane", Lane
)
STALE_CLAIMS: Final = _counter(
    "stale_claims_total", "Claims that held no more when a task came to take them.", "lane", Lane
)
FENCED_SETTLES: Final = _counter(
    "fenced_settles_total", "Settles that came too late and changed nothing.", "lane", Lane
)
AUDIT_REPAIRS: Final = _counter(
    "audit_repairs_total",
    "What the audit mended in the due index.",
    "kind",
    ("put_back", "pulled_back", "forgotten"),
)
SET_ASIDE: Final = _counter(
    "set_aside_total", "Records given up because workers died of them.", "lane", Lane
)

DELIVERIES: Final = _counter(
    "deliveries_total",
    "Deliveries that ended, by how.",
    "outcome",
    (status for status in DeliveryStatus if is_finished(status)),
)
DELIVERY_SECONDS: Final = _histogram(
    "delivery_seconds", "From the event until its endpoint had taken it.", _WAITS
)
ATTEMPTS: Final = _counter(
    "attempts_total",
    "Attempts of deliveries, by the class of the answer; none is no answer.",
    "result",
    ("2xx", "3xx", "4xx", "5xx", "none"),
)
ATTEMPT_SECONDS: Final = _histogram(
    "attempt_seconds", "How long attempts took, answered or not.", _CALLS
)

RUNCOMFY_ROUTES: Final = ("submit", "status", "result", "cancel", "models")
RUNCOMFY_SECONDS: Final = _histogram(
    "runcomfy_seconds",
    "How long calls to RunComfy took, answered or not.",
    _CALLS,
    "route",
    RUNCOMFY_ROUTES,
)
RUNCOMFY_CALLS: Final = Counter(
    "darkroom_runcomfy_calls_total",
    "Calls to RunComfy, by the class of the answer; none is no answer.",
    ["route", "result"],
    registry=REGISTRY,
)
for _route in RUNCOMFY_ROUTES:
    for _result in ("2xx", "4xx", "5xx", "none"):
        RUNCOMFY_CALLS.labels(_route, _result)

REDIS_SECONDS: Final = _histogram("redis_seconds", "Round trips to Redis.", _FAST)
LOOP_LAG: Final = _histogram(
    "loop_lag_seconds", "How late the event loop was with something that it had to do.", _FAST
)

#: The class of an HTTP answer by its first digit; a dictionary, as it is asked for every call.
_CLASSES: Final = {digit: f"{digit}xx" for digit in range(1, 6)}


def result_of(status_code: int | None) -> str:
    """The label of an answer: 2xx and its like, or none where there was no answer."""
    return "none" if status_code is None else _CLASSES.get(status_code // 100, "5xx")
