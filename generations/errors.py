"""Every error that Darkroom raises, by what to do next.

DarkroomError
├─ Refusal                 the origin's doing: told, never retried
│    Unauthorized · Forbidden · GenerationNotFound · DeliveryNotFound · DeliverySuperseded
│    ModelNotFound · InvalidBody · BodyTooLarge · InvalidModelId · InvalidInput
│    InvalidWebhook · AddressNotAllowed · HttpsRequired · IdempotencyConflict
│    InvalidCursor · OverLimit · BodyTooSlow · HeadersTooLarge
├─ Transient               try again; carries ``retry_after``
│    RunComfyUnavailable · RunComfyThrottled · EndpointUnavailable
│    EgressProxyUnavailable · StoreUnavailable
├─ Permanent               trying again cannot help
│    RunComfyRejected
├─ SubmissionUncertain     sent, answer lost: submitting again may cost money twice
└─ IllegalMove             our bug: traceback and alarm

Errors know nothing of HTTP; ``api_gateway/problems.py`` maps them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from generations.limits import Quota


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong in one place of a JSON document, and what to do."""

    path: tuple[str | int, ...]
    message: str


class DarkroomError(Exception):
    """Something went wrong."""

    #: Stable and documented: callers may match on it.
    code: ClassVar[str] = "internal"

    def __init__(self, message: str | None = None) -> None:
        self.message = message or self.default_message()
        super().__init__(self.message)

    @classmethod
    def default_message(cls) -> str:
        """The first line of the class's docstring: never missing, never stale."""
        return (cls.__doc__ or "").strip().splitlines()[0]


class Refusal(DarkroomError):
    """The request cannot be accepted as it is."""


class Unauthorized(Refusal):
    """Send a valid API key as 'Authorization: Bearer <key>'."""

    code = "unauthorized"


class Forbidden(Refusal):
    """This API key does not have the scope that the route needs; use a key that has it."""

    code = "forbidden"


class GenerationNotFound(Refusal):
    """There is no generation with this id; check the id and the API key it was made with."""

    code = "generation_not_found"


class DeliveryNotFound(Refusal):
    """There is no delivery with this id; check the id, the generation's and the API key."""

    code = "delivery_not_found"


class DeliverySuperseded(Refusal):
    """A later event says more than this one, so it is not told again; redeliver the later one."""

    code = "delivery_superseded"


class ModelNotFound(Refusal):
    """The catalog has no model with this id; GET /v1/models lists those it has."""

    code = "model_not_found"


class InvalidBody(Refusal):
    """The body must be a JSON object; send it with Content-Type: application/json."""

    code = "invalid_body"


class BodyTooLarge(Refusal):
    """The body is larger than this gateway accepts; pass media as URLs instead of inline data."""

    code = "body_too_large"


class BodyTooSlow(Refusal):
    """The body did not arrive in time, and nothing was stored; send it again."""

    code = "body_too_slow"


class HeadersTooLarge(Refusal):
    """The headers are more than this gateway accepts; send fewer or shorter ones."""

    code = "headers_too_large"


class InvalidModelId(Refusal):
    """The model id must look like 'vendor/model/mode': letters, digits, '.', '_', '-' and '/'."""

    code = "invalid_model_id"


class InvalidInput(Refusal):
    """The input is not as the model's schema has it; errors names each field and says why."""

    code = "invalid_input"

    def __init__(self, message: str | None = None, *, faults: Sequence[Fault] = ()) -> None:
        super().__init__(message)
        #: What is wrong, with places counted from the body.
        self.faults = tuple(faults)


class InvalidWebhook(Refusal):
    """The webhook must be an absolute http or https URL without credentials."""

    code = "invalid_webhook"


class IdempotencyConflict(Refusal):
    """This Idempotency-Key was used before for another request; use a new key for a new one."""

    code = "idempotency_conflict"


class InvalidCursor(Refusal):
    """The cursor is none that a list gave; leave it out to begin with the newest."""

    code = "invalid_cursor"


class OverLimit(Refusal):
    """The origin is at one of its limits; try again after the seconds that Retry-After names."""

    code = "over_limit"

    def __init__(self, message: str | None = None, *, quotas: Sequence[Quota] = ()) -> None:
        super().__init__(message)
        #: What is left of every limit that the origin has.
        self.quotas = tuple(quotas)


class AddressNotAllowed(Refusal):
    """The webhook points to an address that is not public; ask the operator to allow it."""

    code = "address_not_allowed"


class HttpsRequired(AddressNotAllowed):
    """The webhook must be an https URL: this Darkroom calls no others back."""

    code = "https_required"


class Transient(DarkroomError):
    """It did not work now; try again."""

    code = "unavailable"

    def __init__(self, message: str | None = None, *, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        #: How long the other side asked to be left alone, if it did.
        self.retry_after = retry_after


class RunComfyUnavailable(Transient):
    """RunComfy cannot be reached, or could not answer."""

    code = "runcomfy_unavailable"


class RunComfyThrottled(RunComfyUnavailable):
    """RunComfy asked for fewer requests."""

    code = "runcomfy_throttled"


class EndpointUnavailable(Transient):
    """The endpoint did not take the callback."""

    code = "endpoint_unavailable"

    def __init__(
        self,
        message: str | None = None,
        *,
        retry_after: timedelta | None = None,
        address: str | None = None,
        dials: int = 0,
    ) -> None:
        super().__init__(message, retry_after=retry_after)
        #: The IP address that was dialled, where it came to that.
        self.address = address
        #: How often it was tried to connect.
        self.dials = dials


class EgressProxyUnavailable(EndpointUnavailable):
    """The egress proxy let no callback through; the endpoint was not asked."""

    code = "egress_proxy_unavailable"


class StoreUnavailable(Transient):
    """The store cannot be reached, or did not answer in time; try again in a moment."""

    code = "store_unavailable"


class Permanent(DarkroomError):
    """Trying again cannot help."""


class RunComfyRejected(Permanent):
    """RunComfy refused the request."""

    code = "rejected"

    def __init__(self, message: str | None = None, *, no_balance: bool = False) -> None:
        super().__init__(message)
        #: The account has no money left; the input may be fine.
        self.no_balance = no_balance


class SubmissionUncertain(DarkroomError):
    """The submission was sent and its answer lost: RunComfy may or may not have accepted it."""

    code = "submission_uncertain"


class IllegalMove(DarkroomError):
    """A status was asked to move where the table does not let it."""

    code = "illegal_move"
