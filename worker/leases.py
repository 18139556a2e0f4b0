"""How long claims hold: each lease outlives what it covers, by a margin for the settle."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from generations.endpoint_health import HealthRules
from generations.pacing import LONGEST_ASKED_BY_RUNCOMFY, last_call
from generations.settings import WorkerSettings
from generations.steps import Lane

#: A claim's way through the Celery queue. Short, because a message may be lost there; the
#: dispatcher claims no more than the workers are about to take.
IN_QUEUE: Final = timedelta(seconds=10)
#: For the settle, and for the machine to stutter.
MARGIN: Final = timedelta(seconds=5)
#: How long a worker that was told to stop lets its calls go on before it ends them.
STOP_GRACE: Final = timedelta(seconds=20)
#: When it ends whatever still keeps it, as a Redis that is away may: the leases bring that back.
STOP_LIMIT: Final = timedelta(seconds=28)


@dataclass(frozen=True, slots=True)
class Leases:
    """The time that one action of a lane may take, and the lease that covers it."""

    budgets: dict[Lane, timedelta]

    @classmethod
    def derive(cls, settings: WorkerSettings) -> "Leases":
        """From the timeouts of the calls that the actions make."""
        calls = {
            Lane.SUBMISSIONS: max(settings.preflight_timeout, settings.submit_timeout),
            Lane.POLLS: settings.poll_timeout,
            Lane.DELIVERIES: settings.attempt_timeout,
        }
        leases = cls({lane: call + MARGIN for lane, call in calls.items()})
        for lane, call in calls.items():
            # A lease that ended first would have two workers act on one record at once.
            assert call < leases.budgets[lane] < leases.lease(lane)  # noqa: S101  # Ours to keep.
        return leases

    def lease(self, lane: Lane) -> timedelta:
        """How long a claim of a lane holds once a task has taken it."""
        return self.budgets[lane] + MARGIN

    def health_rules(self, settings: WorkerSettings) -> HealthRules:
        """Who may call an endpoint's server at once, and for how long."""
        return HealthRules(
            concurrency=settings.webhook_concurrency,
            probe_interval=settings.webhook_probe_interval,
            lease=self.lease(Lane.DELIVERIES),
            last_call=last_call(settings.delivery_schedule),
        )

    def longest_waits(self, schedule: Sequence[timedelta]) -> dict[Lane, timedelta]:
        """How far ahead anything in a lane may be due; ``schedule`` is that of deliveries."""
        waits = {
            Lane.SUBMISSIONS: LONGEST_ASKED_BY_RUNCOMFY,
            Lane.POLLS: LONGEST_ASKED_BY_RUNCOMFY,
            Lane.DELIVERIES: last_call(schedule),
        }
        return {lane: max(wait, self.lease(lane), IN_QUEUE) for lane, wait in waits.items()}
