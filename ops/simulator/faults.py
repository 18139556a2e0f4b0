"""Which faults exist, where each may happen, and which one a call meets.

Pure: the random draw is an argument. Counting down an order is ``orders.py``'s; spoiling an
answer on the wire is ``wire.py``'s.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Final, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator


class Route(StrEnum):
    """RunComfy's routes that can go wrong."""

    SUBMIT = "submit"
    STATUS = "status"
    RESULT = "result"
    CANCEL = "cancel"


class Fault(StrEnum):
    """What can go wrong with one call."""

    ANSWER_LOST = "answer_lost"  #: Done; then the connection closes without a byte.
    ANSWER_RESET = "answer_reset"  #: Done; then the connection is reset.
    TRUNCATED = "truncated"  #: Done; only half of the declared answer arrives.
    HANG = "hang"  #: Done; the answer comes much later.
    ACCEPTED_ERROR_500 = "accepted_error_500"  #: Accepted and paid; then 500.
    ERROR_500 = "error_500"  #: Not done.
    ERROR_502 = "error_502"  #: Not done.
    ERROR_503 = "error_503"  #: Not done.
    ERROR_504 = "error_504"  #: Not done.
    HTML = "html"  #: Not done; a gateway's 504 page.
    ERROR_CODE_200 = "error_code_200"  #: Not done; an error under HTTP 200.
    THROTTLED = "throttled"  #: Not done; 429.
    THROTTLED_RETRY_AFTER = "throttled_retry_after"  #: Not done; 429 that says how long to wait.
    NO_BALANCE = "no_balance"  #: Not done.
    RESULT_NOT_READY = "result_not_ready"  #: 404 or 409, even when the status says completed.
    UNKNOWN_STATUS = "unknown_status"  #: A status word that nobody documented.
    FAILED = "failed"  #: The job will fail.
    IMAGE_INVALID = "image_invalid"  #: The job will fail for its image, or is refused for it.


#: Faults of the job; a call may meet one of these beside one fault of the call itself.
OUTCOMES: Final = frozenset({Fault.FAILED, Fault.IMAGE_INVALID})
CALL_FAULTS: Final = frozenset(Fault) - OUTCOMES

_EVERYWHERE: Final = frozenset(Route)
_SUBMIT: Final = frozenset({Route.SUBMIT})
_NARROWER: Final[Mapping[Fault, frozenset[Route]]] = {
    Fault.ACCEPTED_ERROR_500: _SUBMIT,
    Fault.NO_BALANCE: _SUBMIT,
    Fault.FAILED: _SUBMIT,
    Fault.IMAGE_INVALID: _SUBMIT,
    Fault.RESULT_NOT_READY: frozenset({Route.RESULT}),
    Fault.UNKNOWN_STATUS: frozenset({Route.STATUS, Route.RESULT}),
}


def routes_of(fault: Fault) -> frozenset[Route]:
    return _NARROWER.get(fault, _EVERYWHERE)


#: The chance of each fault by route, between 0 and 1.
Rates = dict[Route, dict[Fault, float]]


def check_rates(rates: Rates) -> None:
    """Raise ValueError for rates that no draw could honour."""
    for route, chances in rates.items():
        strangers = [fault for fault in chances if route not in routes_of(fault)]
        if strangers:
            raise ValueError(f"{strangers[0]} cannot happen on {route}.")
        if min(chances.values(), default=0) < 0 or sum(chances.values()) > 1:
            raise ValueError(f"The rates of {route} are not chances: below 0, or above 1 in sum.")


class Call(NamedTuple):
    """What a fault is chosen by."""

    route: Route
    model_id: str
    request_id: str | None = None


class Order(BaseModel):
    """A fault for the next calls that match.

    ``route`` None is any route where the fault can happen. ``seconds`` replaces the settings'
    ``hang_for`` or ``retry_after``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    fault: Fault
    route: Route | None = None
    times: int = Field(default=1, ge=1)
    request_id: str | None = None
    model_id: str | None = None
    seconds: float | None = Field(default=None, ge=0)

    @field_validator("route", mode="before")
    @classmethod
    def _any_is_none(cls, route: object) -> object:
        return None if route == "any" else route

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        if self.route is not None and self.route not in routes_of(self.fault):
            raise ValueError(f"{self.fault} cannot happen on {self.route}.")
        return self

    def matches(self, call: Call) -> bool:
        wanted = routes_of(self.fault) if self.route is None else {self.route}
        return (
            call.route in wanted
            and self.request_id in {None, call.request_id}
            and self.model_id in {None, call.model_id}
        )


def find_order(call: Call, orders: Iterable[Order], among: Collection[Fault]) -> Order | None:
    """The first order that the call meets."""
    return next((o for o in orders if o.fault in among and o.matches(call)), None)


def draw_fault(call: Call, rates: Rates, *, draw: float, among: Collection[Fault]) -> Order | None:
    """The fault that a draw in [0, 1) falls on, if any."""
    for fault, chance in rates.get(call.route, {}).items():
        if fault in among:
            draw -= chance
            if draw < 0:
                return Order(fault=fault)
    return None


_MARKER: Final = re.compile(r"\[\[sim:(?:(\w+):)?(\w+)(?:\*(\d+))?\]\]")


def read_markers(prompt: str) -> Iterator[Order]:
    """The faults that a person ordered inside a prompt.

    ``[[sim:failed]]``, ``[[sim:status:error_503]]``, ``[[sim:throttled*3]]``. A fault of several
    routes goes to the submission unless a route is named. What cannot be read raises ValueError.
    """
    for route, fault, times in _MARKER.findall(prompt):
        yield Order(
            fault=Fault(fault),
            route=Route(route) if route else _usual_route(Fault(fault)),
            times=int(times or 1),
        )


def _usual_route(fault: Fault) -> Route:
    # A set of words has no order of its own; the first in Route's order is the usual one.
    return next(route for route in Route if route in routes_of(fault))
