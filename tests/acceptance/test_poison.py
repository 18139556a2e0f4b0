"""A callback that kills whatever makes it: it is given up, and those beside it arrive.

Its endpoint sends SIGKILL to the process that called it, so that everything else which that
process had in hand is lost with it, time after time.
"""

import os
import signal
import threading
from pathlib import Path
from typing import Final

import pytest

from generations.due import POISON_DEATHS, SUSPECT_TAKES
from tests.acceptance.origins import OriginClient, an_input
from tests.acceptance.program import Program
from tests.acceptance.receiver import Endpoint
from tests.acceptance.stack import Stack
from tests.acceptance.waiting import eventually

SOUND: Final = 12


class Killer:
    """Kills who calls: the process that tries suspects, where the worker has one, or the worker."""

    def __init__(self, worker: Program) -> None:
        self._worker = worker
        self._changed = threading.Condition()
        self.of_workers, self.of_trials = 0, 0

    def kill(self) -> None:
        threads = Path(f"/proc/{self._worker.pid}/task").iterdir()
        trials = [pid for thread in threads for pid in _children(thread)]
        with self._changed:
            for pid in trials or [self._worker.pid]:
                os.kill(pid, signal.SIGKILL)
            self.of_trials += bool(trials)
            self.of_workers += not trials
            self._changed.notify_all()

    def wait(self) -> None:
        """Come back after the next death, as long as workers still die."""
        with self._changed:
            deaths = self.of_workers
            self._changed.wait_for(
                lambda: self.of_workers > deaths or self.of_workers >= SUSPECT_TAKES, timeout=4
            )


def _children(thread: Path) -> list[int]:
    try:
        return [int(pid) for pid in (thread / "children").read_text().split()]
    except FileNotFoundError:
        return []


def finished_at_once(
    brave: OriginClient, stack: Stack, endpoints: list[Endpoint]
) -> dict[str, Endpoint]:
    """Generations that end together, each with its endpoint."""
    stack.runcomfy.hold(progress=True)
    ids = {brave.submit(an_input(), webhook=endpoint.url): endpoint for endpoint in endpoints}
    for generation_id in ids:
        brave.wait_until(generation_id, "in_progress")
    stack.runcomfy.finish_all()
    return ids


@pytest.mark.timeout(400)
def test_a_callback_that_kills_whatever_makes_it_is_given_up_and_those_beside_it_arrive(
    breakable: Stack, brave: OriginClient
) -> None:
    (worker,) = breakable.workers
    killer = Killer(worker)
    endpoints = [brave.endpoint() for _ in range(SOUND + 1)]
    bad_endpoint, *sound_endpoints = endpoints
    bad_endpoint.before_answer = killer.kill
    for endpoint in sound_endpoints:
        endpoint.before_answer = killer.wait
    bad_id, *sound_ids = finished_at_once(brave, breakable, endpoints)

    def is_given_up() -> bool:
        breakable.revive_workers()
        deliveries = brave.record(bad_id)["deliveries"]
        return [delivery["status"] for delivery in deliveries] == ["exhausted"]

    eventually(is_given_up, "the bad callback is given up", seconds=300)
    assert killer.of_workers <= SUSPECT_TAKES
    assert killer.of_trials == POISON_DEATHS
    for generation_id in sound_ids:
        brave.wait_until_delivered(generation_id)
    assert brave.record(bad_id)["status"] == "succeeded"
