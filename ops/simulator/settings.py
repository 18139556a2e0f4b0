"""What the simulator is told from outside: one frozen record, read from the environment once.

RunComfy's public material leaves many answers open. Each of them is a setting here, named in
``RunComfy's unknowns`` below in the order of section 7 of our reference: the default is the
likeliest answer, the other choices are what a client should survive as well.
"""

from datetime import timedelta
from enum import IntEnum
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from generations.secret_files import SettingsFromFiles
from ops.simulator.faults import Rates, check_rates


def _from_seconds(value: object) -> object:
    """Let "2.5" mean seconds; anything else is pydantic's own notation (PT2.5S)."""
    try:
        return timedelta(seconds=float(value)) if isinstance(value, str) else value
    except ValueError:
        return value


Duration = Annotated[timedelta, BeforeValidator(_from_seconds), Field(ge=timedelta(0))]


class SubmitStatus(IntEnum):
    """What an accepted submission is answered with."""

    OK = 200
    ACCEPTED = 202


class QueueBase(IntEnum):
    """What the next request to run reads as its ``queue_position``."""

    ZERO = 0
    ONE = 1


class SimulatorSettings(SettingsFromFiles):
    """The simulator's settings; each is ``DARKROOM_SIMULATOR_`` and its name in capitals.

    Durations are seconds ("2.5") or ISO 8601 ("PT2.5S").
    """

    model_config = SettingsConfigDict(
        env_prefix="DARKROOM_SIMULATOR_",
        frozen=True,
        env_ignore_empty=True,
        extra="ignore",
        hide_input_in_errors=True,  # The input has the token.
    )

    token: SecretStr = Field(min_length=1)
    """The bearer token of the account that the simulator serves."""
    other_token: SecretStr | None = None
    """A second account's token; each account's requests are foreign to the other."""
    host: str = "127.0.0.1"
    port: int = Field(default=8090, ge=0, le=65535)
    """0 takes a free port; the line printed when ready names it."""

    speed: float = Field(default=1.0, gt=0)
    """Divides every simulated duration: 10 makes a 20 s video in 2 s."""
    seed: int | None = None
    """Makes the drawn durations and faults repeat. Request ids never repeat."""
    hold_queue: bool = False
    """New requests stay in the queue until ``/_sim/requests/{id}/start``."""
    hold_progress: bool = False
    """New requests, once running, run until ``/_sim/requests/{id}/finish``."""
    fault_rates: Rates = Field(default_factory=dict)
    """Row "Gateway faults": chance of each fault by route, as JSON; off by default."""
    hang_for: Duration = timedelta(seconds=120)
    """How long the fault ``hang`` keeps its caller waiting; not divided by ``speed``."""
    retry_after: Duration = timedelta(seconds=2)
    """What ``throttled_retry_after`` asks for."""

    # RunComfy's unknowns, in the order of the reference's section 7.

    submit_status: SubmitStatus = SubmitStatus.OK
    """Row "Submit success code": 200, or 202."""
    request_id_format: Literal["uuid4", "req"] = "uuid4"
    """Row "request_id format": a UUID4, or ``req_`` and 32 hexadecimal digits."""
    queue_position_base: QueueBase = QueueBase.ONE
    """Row "queue_position base": 1, or 0."""
    unauthorized: Literal["401", "400"] = "401"
    """Row "Bad token": 401, as clients see it, or 400; the code is 400004, as documented."""
    no_balance: Literal["402", "400"] = "402"
    """Row "No balance": 402 with error_code 402001, or 400 with 400002."""
    balance_usd: float | None = Field(default=None, ge=0)
    """What the account may spend before "no balance"; None is no limit."""
    schema_violation: Literal["422", "400"] = "422"
    """Row "Schema violation": 422 (error_code 422001), or 400 (400001); both with ``detail``."""
    unknown_model: Literal["404", "400"] = "404"
    """Row "Unknown model id": 404 with error_code 404001, or 400 with 400001."""
    foreign_request: Literal["403", "404"] = "403"
    """Row "Foreign / unknown / expired request": a foreign one is 403 (403001), or 404 (404001)
    like the unknown and the expired ones."""
    error_envelope: Literal["full", "message", "ok_200", "html"] = "full"
    """Row "Error envelope": ``{error_code, error_message, detail}``; ``{message}`` only; the full
    one under HTTP 200; or an HTML page."""
    image_validation: Literal["failed", "422"] = "failed"
    """Row "Image validation failure": ``image_invalid`` fails the job, or the submission."""
    result_not_ready: Literal["200", "404", "409"] = "200"
    """Row "Result not ready": 200 with the present status, or an error 404 or 409."""
    failed_on_status: Literal["completed", "failed"] = "completed"
    """Row "Failed job on /status": only the result tells, or the status tells too."""
    cancel_running: Literal["not_cancellable", "cancellation_requested"] = "not_cancellable"
    """Row "Cancel of running job": 200 and it runs on, or 202 and it ends a little later."""
    cancel_takes: Duration = timedelta(seconds=1)
    """How long a ``cancellation_requested`` takes to come true; divided by ``speed``."""
    echo_input: bool = True
    """Row "Result echoes input": yes, or no."""
    cost: Literal["late", "at_once"] = "late"
    """Row "Late cost": absent at first, or there with the result."""
    cost_takes: Duration = timedelta(seconds=3)
    """How long after the end a late cost appears; divided by ``speed``."""
    retention: Duration = timedelta(days=7)
    """Row "Retention": after this a request is 404001; not divided by ``speed``."""
    rate_limit: int | None = Field(default=None, ge=1)
    """Row "Rate limit": submissions per ``rate_window`` before 429 without Retry-After."""
    rate_window: Duration = timedelta(seconds=10)
    skip_states: Literal["none", "in_queue", "in_progress"] = "none"
    """Row "Polls": a state that no poll ever sees."""
    unknown_status_word: str = "warming_up"
    """Row "Polls": the word that the fault ``unknown_status`` says."""
    cancelled_word: Literal["cancelled", "canceled"] = "cancelled"
    """Row "Polls": the spelling."""
    success_word: Literal["succeeded", "completed"] = "succeeded"
    """Section 1.5: what a result calls success; official clients accept both."""
    failed_error: Literal["string", "object", "list"] = "string"
    """Section 1.6: the shape of a failed result's ``error``; the others are Serverless's."""

    @model_validator(mode="after")
    def _rates_are_possible(self) -> Self:
        check_rates(self.fault_rates)
        return self
