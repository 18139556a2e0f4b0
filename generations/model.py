"""The records: what is known of a generation, its deliveries and its origin.

Frozen and free of I/O. How they are kept in Redis is ``records.py``'s.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from generations.lifecycle import DeliveryStatus, Status, is_finished
from generations.limits import Limits
from generations.trace import Trace

#: A JSON object as the origin or RunComfy wrote it.
Json = Mapping[str, Any]
#: What an origin noted for itself: text by name, told back wherever the generation is told.
Metadata = Mapping[str, str]


class ErrorCode(StrEnum):
    """Why a generation failed; told to its origin, so stable."""

    REJECTED = "rejected"  #: RunComfy refused the input; the message has its words.
    INVALID_INPUT = "invalid_input"  #: An image breaks the model's rules; nothing was submitted.
    INSUFFICIENT_BALANCE = "insufficient_balance"  #: The RunComfy account has no money left.
    GENERATION_FAILED = "generation_failed"  #: RunComfy accepted it and could not do it.
    DEADLINE_EXCEEDED = "deadline_exceeded"  #: It did not finish before its deadline.
    SUBMISSION_UNCERTAIN = "submission_uncertain"  #: Sent, answer lost: perhaps paid for.
    RESULT_UNAVAILABLE = "result_unavailable"  #: RunComfy no longer knows it.
    INTERNAL = "internal"  #: Darkroom's own fault.


class OnUncertain(StrEnum):
    """What to do with a submission whose answer was lost; its origin chooses."""

    FAIL = "fail"  #: Never pay twice: it fails with ``submission_uncertain``.
    RESUBMIT = "resubmit"  #: Rather twice than not at all: submit once more, and say so.


class Scope(StrEnum):
    """What an API key may do."""

    SUBMIT = "submit"  #: Whatever makes or changes something: create, cancel.
    READ = "read"  #: Look at what the origin has.
    ADMIN = "admin"  #: Everything, the other scopes included.


class InputSchema(StrEnum):
    """Whether the input could be checked when the generation was accepted."""

    KNOWN = "known"  #: The catalog had the model's schema, and the input fits it.
    UNKNOWN = "unknown"  #: It had none: RunComfy alone says whether the input is right.


@dataclass(frozen=True, slots=True)
class GenerationError:
    """Why a generation failed."""

    code: ErrorCode
    message: str


#: The event that is told on request, to try an endpoint.
TEST_EVENT: Final = "endpoint.test"


def event_type(status: Status) -> str:
    """The name of the event that a status was entered."""
    return f"generation.{status}"


@dataclass(frozen=True, slots=True)
class Moment:
    """One move: the status that was entered, and when, on Redis's clock."""

    status: Status
    at: datetime

    @property
    def event_type(self) -> str:
        """The event of it, for example ``generation.succeeded``."""
        return event_type(self.status)


@dataclass(frozen=True, slots=True)
class PastEnd:
    """A failure that an operator took back, as it was told."""

    sequence: int  #: The number of the move in the timeline, from 1.
    error: GenerationError | None
    submissions: int
    possible_duplicate_charge: bool


@dataclass(frozen=True, slots=True)
class NewGeneration:
    """What an origin asked for, before it is accepted."""

    id: str
    origin: str
    model_id: str
    input: Json
    webhook: str | None = None
    #: Whether in_queue and in_progress are told too.
    webhook_intermediate_status: bool = False
    #: None leaves it to the origin's own choice.
    on_uncertain: OnUncertain | None = None
    #: How long it may take from its acceptance; None takes the default.
    deadline: timedelta | None = None
    metadata: Metadata = field(default_factory=dict)
    schema: InputSchema = InputSchema.UNKNOWN
    #: The trace that its origin asked for it in.
    trace: Trace | None = None
    #: Whether its images are looked at before it is submitted; None leaves it to the origin.
    preflight: bool | None = None
    #: Among its origin's that wait to be submitted; each step is worth ten minutes of waiting.
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Generation:
    """One piece of work that an origin asked for."""

    id: str
    origin: str
    model_id: str
    input: Json
    status: Status
    created_at: datetime
    #: The instant after which polling stops.
    deadline: datetime
    timeline: tuple[Moment, ...]
    schema: InputSchema = InputSchema.UNKNOWN
    #: Whether its images are looked at before it is submitted; None leaves it to the origin.
    preflight: bool | None = None
    priority: int = 0
    webhook: str | None = None
    webhook_intermediate_status: bool = False
    #: None leaves it to the origin's own choice.
    on_uncertain: OnUncertain | None = None
    #: Whether it was submitted again although an earlier submission may have been accepted.
    possible_duplicate_charge: bool = False
    runcomfy_request_id: str | None = None
    #: As RunComfy gave it, while it is in RunComfy's queue.
    queue_position: int | None = None
    #: How often RunComfy was asked for it and gave an answer.
    polls: int = 0
    #: How many submissions RunComfy may have accepted, that is, charged for.
    submissions: int = 0
    #: Failures in a row; any answer sets it back to 0. Never mixed with polls.
    failures: int = 0
    #: Answers in a row that said RunComfy does not know it, and the instant of the first.
    misses: int = 0
    missing_since: datetime | None = None
    #: The instant of the last look that saw it at RunComfy, not ended.
    looked_at: datetime | None = None
    #: When RunComfy began with it, as far as the looks at it tell.
    running_since: datetime | None = None
    output: Any = None
    error: GenerationError | None = None
    #: The ends from which an operator reopened it, the oldest first.
    past_ends: tuple[PastEnd, ...] = ()
    #: US dollars, as RunComfy gave it.
    cost: float | None = None
    #: Whether RunComfy told it only after the end, whose event is then without it, however often
    #: it is told.
    is_cost_late: bool = False
    #: When its images were found to be within their rules, as far as they could be looked at.
    preflighted_at: datetime | None = None
    cancel_requested_at: datetime | None = None
    #: RunComfy's word on the cancel, once it gave one.
    cancel_outcome: str | None = None
    #: Whether it failed because working on it brought workers down again and again, or one of
    #: its deliveries was given up because of that.
    is_set_aside: bool = False
    metadata: Metadata = field(default_factory=dict)
    #: The trace that everything done for it belongs to.
    trace: Trace | None = None
    delivery_ids: tuple[str, ...] = ()

    @property
    def is_finished(self) -> bool:
        """Whether it can change no more."""
        return is_finished(self.status)

    @property
    def finished_at(self) -> datetime | None:
        """When it entered its last status."""
        return self.timeline[-1].at if self.is_finished else None

    @property
    def is_cancel_pending(self) -> bool:
        """Whether its origin asked for a cancel that RunComfy has not answered yet."""
        return self.cancel_requested_at is not None and self.cancel_outcome is None


#: How many attempts of a delivery stay on record, the last ones: five of the whole schedules that
#: are the default. What is told again hundreds of times does not grow without bound.
ATTEMPTS_KEPT: Final = 50


@dataclass(frozen=True, slots=True)
class Attempt:
    """One POST of a delivery."""

    number: int  #: From 1.
    at: datetime
    duration_ms: int
    #: None where no answer came; then ``error`` says why.
    status_code: int | None = None
    error: str | None = None
    #: The IP address that was dialled; None where it came to none, or a proxy dialled.
    address: str | None = None
    #: How often it was tried to connect: twice where that failed at once. 0: it was not called.
    dials: int = 1
    #: The answer's, in lower case, as many and as long as are kept.
    response_headers: Mapping[str, str] = field(default_factory=dict)
    #: The beginning of the answer's body, as text.
    response_body: str = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """The duty to tell one endpoint one event."""

    id: str
    generation_id: str
    origin: str
    #: Sent as ``webhook-id``; the same for every attempt.
    event_id: str
    #: The status that is told; None for a test event, which is about no generation.
    told: Status | None
    #: With ``to_default``, the one of the last attempt.
    endpoint: str
    status: DeliveryStatus
    created_at: datetime
    #: The number of the told move in the generation's timeline, from 1.
    sequence: int = 0
    #: The last ones, at most ``ATTEMPTS_KEPT``.
    attempts: tuple[Attempt, ...] = ()
    #: When it was last begun anew, and how many attempts there were by then.
    redelivered_at: datetime | None = None
    attempts_before: int = 0
    #: Whether it was given up because working on it brought workers down again and again.
    is_set_aside: bool = False
    #: Whether it goes to the origin's default endpoint, whichever that is at each attempt.
    to_default: bool = False
    #: Whether a worker has it in hand, or died with it in hand and its lease has not ended.
    is_taken: bool = field(default=False, compare=False)

    @property
    def event_type(self) -> str:
        """The event's name, for example ``generation.succeeded``."""
        return event_type(self.told) if self.told else TEST_EVENT

    @property
    def is_finished(self) -> bool:
        """Whether it will not be attempted again, unless it is asked for."""
        return is_finished(self.status)

    @property
    def attempts_made(self) -> int:
        """How often it was attempted, those included that are on record no more."""
        return self.attempts[-1].number if self.attempts else 0

    @property
    def begun_at(self) -> datetime:
        """When its schedule began, the last time it did."""
        return self.redelivered_at or self.created_at

    @property
    def is_test(self) -> bool:
        """Whether it only shows whether the endpoint takes what it is told."""
        return self.told is None

    @property
    def is_intermediate(self) -> bool:
        """Whether a later event makes it pointless."""
        return self.told is not None and not is_finished(self.told)


@dataclass(frozen=True, slots=True)
class WebhookSecret:
    """A secret that an origin's callbacks are signed with."""

    secret: str = field(repr=False)  #: ``whsec_…``
    #: When it signs no more, on Redis's clock; None while nothing has replaced it.
    ends_at: datetime | None = None

    def signs_at(self, at: datetime) -> bool:
        """Whether it signs at an instant."""
        return self.ends_at is None or at < self.ends_at


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint that an operator registered for an origin."""

    url: str
    #: Sent with every callback to it; the values are secrets.
    headers: Metadata = field(repr=False, default_factory=dict)
    #: Whether it is told of generations that name no webhook.
    is_default: bool = False


@dataclass(frozen=True, slots=True)
class Origin:
    """A system that asks for generations and is told how they end."""

    name: str
    created_at: datetime
    #: What to do with its uncertain submissions, where a generation does not say.
    on_uncertain: OnUncertain = OnUncertain.FAIL
    #: Whether images are looked at before a submission, where a generation does not say.
    preflight: bool = False
    #: The newest first.
    webhook_secrets: tuple[WebhookSecret, ...] = field(repr=False, default=())
    limits: Limits = field(default_factory=Limits)
    #: Those that an operator registered, by URL.
    endpoints: tuple[Endpoint, ...] = ()

    def secret_ends_after(self, at: datetime) -> tuple[datetime, ...]:
        """When the secrets end that were replaced and sign all the same at an instant."""
        ends = (held.ends_at for held in self.webhook_secrets if held.signs_at(at))
        return tuple(end for end in ends if end is not None)

    @property
    def default_endpoint(self) -> Endpoint | None:
        """Who is told of generations that name no webhook."""
        return next((one for one in self.endpoints if one.is_default), None)

    def headers_for(self, url: str) -> Mapping[str, str]:
        """What an endpoint is sent beside what all are, if it is registered: exactly this URL."""
        return next((one.headers for one in self.endpoints if one.url == url), {})

    def secrets_at(self, at: datetime) -> tuple[str, ...]:
        """``whsec_…``, the newest first: each of them signs every callback of this instant."""
        return tuple(held.secret for held in self.webhook_secrets if held.signs_at(at))


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is known of an API key; never the key itself."""

    #: ``key_…``: for lists and logs.
    id: str
    origin: str
    scopes: frozenset[Scope]
    created_at: datetime
    #: What its maker calls it.
    name: str | None = None
    #: Right to the minute; None where it never was.
    last_used_at: datetime | None = None
    #: When it stops to work, where that is settled.
    ends_at: datetime | None = None

    def may(self, scope: Scope) -> bool:
        """Whether it has a scope."""
        return not self.scopes.isdisjoint({scope, Scope.ADMIN})
