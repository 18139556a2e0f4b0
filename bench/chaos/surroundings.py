"""The stack that is put under faults, and what is noted of the lives of its parts."""

import json
from collections import Counter
from typing import Final

from bench.chaos.settings import ChaosSettings
from ops.local import parts
from ops.local.parts import Part
from ops.local.ports import TakenPort, out_of_the_way
from ops.local.settings import LocalSettings, demo_environment, inherited_environment
from ops.local.stack import Wishes

#: Timeouts short enough that a lease, which outlives them, ends soon.
WORKER: Final = {
    "DARKROOM_SUBMIT_TIMEOUT": "8",
    "DARKROOM_POLL_TIMEOUT": "5",
    "DARKROOM_ATTEMPT_TIMEOUT": "5",
    "DARKROOM_DELIVERY_SCHEDULE": "0.5,1,1,2,2,4,4,4,8,8",
}

#: What any of RunComfy's routes may do: 5 % server errors, 5 % throttling, 1 % hangs. Few of the
#: 429 name a time: each of these is a pause for all.
ANYWHERE: Final = {
    "error_500": 0.02,
    "error_502": 0.01,
    "error_503": 0.01,
    "error_504": 0.01,
    "throttled": 0.0495,
    "throttled_retry_after": 0.0005,
    "hang": 0.01,
}
#: A submission may be accepted and its answer lost, in each way there is (2 %), or its work fail.
ON_SUBMIT: Final = {"answer_lost": 0.01, "answer_reset": 0.005, "truncated": 0.005, "failed": 0.03}
ON_READING: Final = {"answer_lost": 0.01, "truncated": 0.01}
RATES: Final = {
    "submit": ANYWHERE | ON_SUBMIT,
    "status": ANYWHERE | ON_READING,
    "result": ANYWHERE | ON_READING,
}


class Lives:
    """An audience that counts how parts end."""

    def __init__(self) -> None:
        self.deaths: Counter[str] = Counter()

    def ready(self, part: Part, seconds: float) -> None:
        """Nothing to note."""

    def died(self, part: Part, ending: str, wait: float) -> None:  # noqa: ARG002  # An audience's.
        """A part ended, by our hand or by itself."""
        self.deaths[f"{part.name} {ending}"] += 1

    def port_taken(self, taken: TakenPort) -> None:
        """Nothing to note."""


def wishes_of(settings: ChaosSettings) -> Wishes:
    """A stack of its own, on ports of its own, whatever the environment says of others."""
    environment = demo_environment(inherited_environment())
    simulator = {
        "FAULT_RATES": json.dumps(RATES),
        "HANG_FOR": str(settings.hang),
        "RETRY_AFTER": "1",
        "SEED": str(settings.seed),
        "SPEED": str(settings.speed),
    }
    environment |= WORKER
    environment |= {f"DARKROOM_SIMULATOR_{name}": value for name, value in simulator.items()}
    return Wishes(
        LocalSettings.model_construct(),
        environment,
        out_of_the_way(list(parts.LISTENING)),
        workers=settings.workers,
    )
