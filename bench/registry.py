"""The parts of ``make bench``: each measures, tells how it goes, and returns figures by name."""

import asyncio
import statistics
from collections.abc import Callable, Mapping
from typing import Final

from bench import (
    accept,
    callbacks,
    capacity,
    end_to_end,
    kept,
    latency,
    pacing,
    polls,
    rolling_restart,
    waiting,
)

Progress = Callable[[str], None]
Figures = Mapping[str, float]


def measure_latency(progress: Progress) -> Figures:
    """Darkroom's own part of the way, with everything idle."""
    progress("one generation at a time")
    outward, back = asyncio.run(latency.measure(20))
    return {
        "latency_accept_to_runcomfy_ms": 1000 * statistics.median(outward),
        "latency_end_to_callback_ms": 1000 * statistics.median(back),
    }


def measure_rolling_restart(progress: Progress) -> Figures:
    """Submissions while each worker is restarted."""
    progress("two workers, one restarted after the other")
    measured = asyncio.run(rolling_restart.measure(20.0))
    return {
        "restart_accept_to_runcomfy_ms": 1000 * statistics.median(measured.waits),
        "restart_worst_ms": 1000 * max(measured.waits),
    }


def measure_accept(progress: Progress) -> Figures:
    """Accepts, beside two plain gateways."""
    progress("Darkroom's gateway and two plain ones")
    measured = asyncio.run(accept.measure(6.0))
    ours = measured.pop(accept.DARKROOM)
    best = max(one.per_cpu_second for one in measured.values())
    return {
        "accepts_per_cpu_s": ours.per_cpu_second,
        "accepts_ratio_plain": ours.per_cpu_second / best,
        "accepts_p99_ms": ours.p99_ms,
    }


def measure_waiting(progress: Progress) -> Figures:
    """Clients that follow."""
    progress("2,000 clients on the events of 2,000 generations")
    measured = asyncio.run(waiting.measure(2000))
    return {
        "waiting_kib_per_client": 1024
        * (measured.waiting.mib - measured.idle.mib)
        / measured.clients,
        "waiting_told_p99_ms": measured.told[0].p99_ms,
    }


def measure_callbacks(progress: Progress) -> Figures:
    """Deliveries."""
    progress("as fast as they go, then at a rate, then beside an endpoint that hangs")
    return callbacks.figures(asyncio.run(callbacks.measure(4000, 80.0, 15.0)))


def measure_polls(progress: Progress) -> Figures:
    """Polls, beside the peers and the bare client."""
    return asyncio.run(polls.measure(progress))


def measure_capacity(progress: Progress) -> Figures:
    """A hundred thousand in flight."""
    in_flight, held = capacity.IN_FLIGHT, capacity.HELD
    return asyncio.run(capacity.measure_in_flight(progress, in_flight=in_flight, held=held))


def measure_kept(progress: Progress) -> Figures:
    """What it costs that a million are kept."""
    progress("a million finished generations, beside a server with none")
    return asyncio.run(kept.measure_kept(progress, kept=1_000_000))


def measure_end_to_end(progress: Progress) -> Figures:
    """Whole generations, beside the peers."""
    return asyncio.run(end_to_end.measure(progress))


PARTS: Final[Mapping[str, Callable[[Progress], Figures]]] = {
    "latency": measure_latency,
    "rolling_restart": measure_rolling_restart,
    "accept": measure_accept,
    "waiting": measure_waiting,
    "callbacks": measure_callbacks,
    "pacing": pacing.measure,
    "polls": measure_polls,
    "capacity": measure_capacity,
    "kept": measure_kept,
    "end_to_end": measure_end_to_end,
}
