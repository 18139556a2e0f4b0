"""The three dashboards; ``python -m ops.dashboards.build`` writes them as Grafana reads them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ops.dashboards.panels import Panel, dashboard

FOLDER: Final = Path(__file__).parent / "grafana"
#: Every exporter tells the same facts of Redis: the greatest is any of them.
_LATE: Final = (30.0, 120.0)
_LAG: Final = (0.1, 0.5)


def _rate(name: str, by: str = "", where: str = "") -> str:
    grouped = f"sum by ({by})" if by else "sum"
    return f"{grouped} (rate(darkroom_{name}{where}[$__rate_interval]))"


def _sum(name: str, over: str, where: str = "") -> str:
    return f"sum(increase(darkroom_{name}{where}[{over}]))"


def _quantile(q: float, name: str, by: str = "") -> str:
    grouped = f"le, {by}" if by else "le"
    return f"histogram_quantile({q}, {_rate(f'{name}_bucket', grouped)})"


def _quantiles(name: str) -> dict[str, str]:
    return {"median": _quantile(0.5, name), "99 %": _quantile(0.99, name)}


_BREAKER: Final = Panel(
    "RunComfy",
    {"RunComfy": "max(darkroom_runcomfy_breaker_open)"},
    kind="stat",
    limits=(1,),
    words={"0": "answers", "1": "is down"},
    says="Down: only probes are let through, until one of them is answered.",
)
_DUE: Final = Panel(
    "Due now",
    {"{{lane}}": "max by (lane) (darkroom_due)"},
    says="What is due and not in hand. It should be about nothing.",
)
_OLDEST: Final = Panel(
    "Oldest due",
    {"{{lane}}": "max by (lane) (darkroom_oldest_due_age_seconds)"},
    unit="s",
    limits=_LATE,
    says="Whether we are late: how long the oldest of what is due has been due.",
)

OVERVIEW: Final = dashboard(
    "darkroom-overview",
    "Darkroom: overview",
    "Are we late, is RunComfy down, are callbacks received, and was anything lost.",
    {
        "In one look": (
            Panel(
                "Unfinished generations",
                {"unfinished": 'max(darkroom_unfinished{what="generations"})'},
                kind="stat",
            ),
            Panel(
                "Late by",
                {"late": "max(darkroom_oldest_due_age_seconds)"},
                unit="s",
                kind="stat",
                limits=_LATE,
            ),
            _BREAKER,
            Panel(
                "Deliveries open",
                {"open": 'max(darkroom_unfinished{what="deliveries"})'},
                kind="stat",
                says="Events whose endpoint has not taken them yet.",
            ),
            Panel(
                "Exhausted, 24 h",
                {"exhausted": _sum("deliveries_total", "24h", '{outcome="exhausted"}')},
                kind="stat",
                limits=(1,),
                says="Deliveries that were given up.",
            ),
            Panel(
                "Uncertain, 24 h",
                {"uncertain": _sum("submissions_total", "24h", '{outcome="uncertain"}')},
                kind="stat",
                limits=(1,),
                says="Submissions whose answer was lost: perhaps paid for.",
            ),
        ),
        "Work": (
            Panel("Accepted", {"{{outcome}}": _rate("accepts_total", "outcome")}, unit="ops"),
            Panel("Refused", {"{{code}}": _rate("refusals_total", "code")}, unit="ops"),
            Panel("Moves", {"{{status}}": _rate("moves_total", "status")}, unit="ops"),
            Panel("Unfinished", {"{{what}}": "max by (what) (darkroom_unfinished)"}),
            Panel(
                "Ended, by model",
                {
                    "{{model}} {{status}}": "topk(10, "
                    + _rate(
                        "moves_total", "model, status", '{status=~"succeeded|failed|cancelled"}'
                    )
                    + ")"
                },
                unit="ops",
            ),
            Panel("Failures", {"{{code}}": _rate("failures_total", "code")}, unit="ops"),
        ),
        "Time": (
            _OLDEST,
            _DUE,
            Panel(
                "Late when claimed (95 %)",
                {"{{lane}}": _quantile(0.95, "due_lag_seconds", "lane")},
                unit="s",
            ),
            Panel(
                "Time in each status (95 %)",
                {"{{status}}": _quantile(0.95, "status_seconds", "status")},
                unit="s",
            ),
            Panel("In each lane", {"{{lane}}": "max by (lane) (darkroom_lane_entries)"}),
            Panel("Claimed", {"{{lane}}": _rate("claims_total", "lane")}, unit="ops"),
        ),
        "Health": (
            Panel("Redis round trip", _quantiles("redis_seconds"), unit="s", limits=_LAG),
            Panel("Event loop lag", _quantiles("loop_lag_seconds"), unit="s", limits=_LAG),
            Panel(
                "Lost and repeated work",
                {
                    "lease expired, {{lane}}": _rate("lease_expiries_total", "lane"),
                    "taken too late, {{lane}}": _rate("stale_claims_total", "lane"),
                    "settled too late, {{lane}}": _rate("fenced_settles_total", "lane"),
                },
                unit="ops",
                says="Nothing is lost by any of it; much of it means that workers end or stall.",
            ),
            Panel(
                "Programs", {"{{program}} {{version}}": "sum by (program, version) (darkroom_info)"}
            ),
            Panel(
                "Mended by the audit",
                {"{{kind}}": "sum by (kind) (increase(darkroom_audit_repairs_total[1h]))"},
                limits=(1,),
            ),
            Panel(
                "Set aside",
                {"{{lane}}": "sum by (lane) (increase(darkroom_set_aside_total[1h]))"},
                limits=(1,),
                says="Records that workers died of, and that were given up.",
            ),
        ),
    },
)

_ERRORS: Final = (
    _rate("runcomfy_calls_total", "route", '{result=~"5xx|none"}')
    + " / "
    + _rate("runcomfy_calls_total", "route")
)
RUNCOMFY: Final = dashboard(
    "darkroom-runcomfy",
    "Darkroom: RunComfy",
    "How RunComfy answers, what is submitted, and how soon an end is seen.",
    {
        "RunComfy": (
            _BREAKER,
            Panel(
                "Calls",
                {"{{route}} {{result}}": _rate("runcomfy_calls_total", "route, result")},
                unit="ops",
            ),
            Panel("Errors", {"{{route}}": _ERRORS}, unit="percentunit", limits=(0.2,)),
            Panel(
                "Latency (95 %)",
                {"{{route}}": _quantile(0.95, "runcomfy_seconds", "route")},
                unit="s",
            ),
            Panel(
                "Latency (median)",
                {"{{route}}": _quantile(0.5, "runcomfy_seconds", "route")},
                unit="s",
            ),
        ),
        "Submissions": (
            Panel(
                "Submissions", {"{{outcome}}": _rate("submissions_total", "outcome")}, unit="ops"
            ),
            Panel(
                "Waiting to be submitted",
                {
                    "due now": 'max(darkroom_due{lane="submissions"})',
                    "in the lane": 'max(darkroom_lane_entries{lane="submissions"})',
                },
            ),
            Panel("Failures", {"{{code}}": _rate("failures_total", "code")}, unit="ops"),
        ),
        "Polls": (
            Panel("Polls", {"{{outcome}}": _rate("polls_total", "outcome")}, unit="ops"),
            Panel(
                "Polls of a generation",
                {
                    "median": _quantile(0.5, "polls_per_generation"),
                    "95 %": _quantile(0.95, "polls_per_generation"),
                },
            ),
            Panel(
                "From the end until it is seen",
                {
                    "median, {{source}}": _quantile(0.5, "detection_delay_seconds", "source"),
                    "95 %, {{source}}": _quantile(0.95, "detection_delay_seconds", "source"),
                },
                unit="s",
                says="By RunComfy's own finished_at, or estimated as half the gap between polls.",
            ),
        ),
    },
)

CALLBACKS: Final = dashboard(
    "darkroom-callbacks",
    "Darkroom: callbacks",
    "Whether endpoints take what they are told, and how soon.",
    {
        "Deliveries": (
            Panel("Ended", {"{{outcome}}": _rate("deliveries_total", "outcome")}, unit="ops"),
            Panel("Open", {"open": 'max(darkroom_unfinished{what="deliveries"})'}),
            Panel(
                "Exhausted, not told again",
                {"exhausted": "max(darkroom_exhausted_deliveries)"},
                limits=(1,),
                says="What nobody took, as long as it is kept: "
                "darkroom deliveries list --status exhausted.",
            ),
            Panel("From the event until it is taken", _quantiles("delivery_seconds"), unit="s"),
        ),
        "Attempts": (
            Panel("Attempts", {"{{result}}": _rate("attempts_total", "result")}, unit="ops"),
            Panel("Time of an attempt", _quantiles("attempt_seconds"), unit="s"),
            Panel(
                "Oldest due",
                {"late": 'max(darkroom_oldest_due_age_seconds{lane="deliveries"})'},
                unit="s",
                limits=_LATE,
            ),
            Panel(
                "Servers by breaker",
                {"{{breaker}}": "max by (breaker) (darkroom_endpoint_servers)"},
                says="Of the servers behind endpoints: open lets nothing through for a while.",
            ),
        ),
    },
)

DASHBOARDS: Final[Mapping[str, dict[str, Any]]] = {
    "overview.json": OVERVIEW,
    "runcomfy.json": RUNCOMFY,
    "callbacks.json": CALLBACKS,
}


def written(board: Mapping[str, Any]) -> str:
    """A dashboard as its file has it."""
    return json.dumps(board, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Write them."""
    for name, board in DASHBOARDS.items():
        (FOLDER / name).write_text(written(board))


if __name__ == "__main__":
    main()
