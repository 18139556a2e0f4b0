"""The table of figures, in the README's own Markdown."""

from collections.abc import Callable, Mapping
from typing import Any, Final

Write = Callable[[float], str]


def number(value: float) -> str:
    return f"{value:,.0f}"


def times(value: float) -> str:
    return f"{value:.2f} ×"


def seconds(value: float) -> str:
    return f"{value:.2f} s"


def milliseconds(value: float) -> str:
    return f"{value:.0f} ms"


#: What a figure is called in the report, what it is, how it is written, and the goal.
ROWS: Final[tuple[tuple[str, str, Write, str], ...]] = (
    ("polls_per_cpu_s", "polls per worker CPU-second", number, "2,000"),
    ("polls_ratio_countdown", "… of the best `countdown` peer's", times, "8 ×"),
    ("polls_ratio_bare_client", "… of the bare HTTP client's", times, "0.80 ×"),
    ("pacing_delay_ratio_lognormal", "detection delay of a fixed interval's", times, "0.50 ×"),
    ("pacing_delay_ratio_worst", "… on the worst trace", times, "1.05 ×"),
    ("pacing_vs_optimum", "… of the best schedule's", times, "1.15 ×"),
    ("accepts_per_cpu_s", "durable accepts per gateway CPU-second", number, "1,500"),
    ("accepts_ratio_plain", "… of the better plain gateway's", times, "1.5 ×"),
    ("deliveries_per_cpu_s", "deliveries per worker CPU-second", number, "500"),
    ("callbacks_p99_ratio_hanging", "… p99 beside a receiver that hangs, of without", times, "2 ×"),
    ("capacity_in_flight", "generations in flight, one worker process", number, "100,000"),
    ("capacity_due_lag_p99_s", "… how late their polls are, p99", seconds, "1 s"),
    ("capacity_worker_rss_mb", "… memory of the worker, MiB", number, "300"),
    ("capacity_bytes_per_generation", "… bytes of Redis for each", number, "2,500"),
    ("kept_accept_ratio", "an accept with a million kept, of one with none", times, "1.2 ×"),
    ("kept_claim_ratio", "… a claim", times, "1.2 ×"),
    ("kept_list_ratio", "… a page of a list", times, "1.2 ×"),
    ("generations_per_cpu_s", "whole generations per CPU-second", number, ""),
    ("generations_ratio_countdown", "… of the `countdown` peer's", times, ""),
    ("end_to_end_blocking_per_cpu_s", "… the `blocking` peer's own", number, ""),
    ("end_to_callback_p50_s", "RunComfy's end to the callback, p50 at half load", seconds, ""),
    ("end_to_callback_p99_s", "… p99", seconds, ""),
    ("latency_accept_to_runcomfy_ms", "accept to RunComfy, idle", milliseconds, ""),
    ("latency_end_to_callback_ms", "poll that saw the end to the callback, idle", milliseconds, ""),
)


def table(report: Mapping[str, Any]) -> str:
    """One row for each figure that was measured."""
    machine = report["machine"]
    lines = ["| figure | measured | goal |", "|---|---:|---:|"]
    lines += [
        f"| {what} | {write(report[name])} | {goal} |"
        for name, what, write, goal in ROWS
        if name in report
    ]
    said = f"Python {machine['python']}, {machine['architecture']}, {machine['cores']} cores"
    return "\n".join([*lines, "", f"{said}, {machine['memory_gib']} GiB."])
