"""The simulator's own routes, under ``/_sim``: look inside, order faults, hold and release.

They take no token: the simulator is for a loopback address or a test network.
"""

import json
from collections import Counter
from collections.abc import Callable
from typing import Final, Literal, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, TypeAdapter

from ops.simulator import answers
from ops.simulator.catalog_routes import whole_number
from ops.simulator.faults import OUTCOMES, Order, Rates, check_rates
from ops.simulator.ledger import Outcome, Submission
from ops.simulator.routes import SIMULATOR
from ops.simulator.service import Hold, Simulator
from ops.simulator.timeline import State, Timeline

Shape = TypeVar("Shape")


class HoldBody(BaseModel):
    """Which states new requests are not to leave on their own."""

    model_config = ConfigDict(extra="forbid")

    queue: bool = False
    progress: bool = False


class FinishBody(BaseModel):
    """How to end; None leaves what was ordered."""

    model_config = ConfigDict(extra="forbid")

    outcome: Literal["succeeded", "failed", "image_invalid"] | None = None


_ORDER: Final = TypeAdapter(Order)
_RATES: Final = TypeAdapter(Rates)
_HOLD: Final = TypeAdapter(HoldBody)
_FINISH: Final = TypeAdapter(FinishBody)


async def _read(request: web.Request, shape: TypeAdapter[Shape]) -> Shape:
    """The body in its shape (an empty one is ``{}``); raises HTTPBadRequest."""
    try:
        return shape.validate_json(await request.read() or b"{}")
    except ValueError as error:
        raise _bad_request(error) from error


def _bad_request(error: ValueError) -> web.HTTPBadRequest:
    return web.HTTPBadRequest(
        text=json.dumps({"error": str(error)}), content_type="application/json"
    )


def _find(request: web.Request) -> Submission:
    request_id = request.match_info["request_id"]
    submission = request.app[SIMULATOR].ledger.find(request_id)
    if submission is None:
        raise web.HTTPNotFound(
            text=json.dumps({"error": f"No request {request_id!r}."}),
            content_type="application/json",
        )
    return submission


async def health(_: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


async def ledger(request: web.Request) -> web.Response:
    """Every accepted submission, newest first."""
    books = request.app[SIMULATOR].ledger
    limit = whole_number(request, "limit", default=100, most=1_000_000)
    offset = whole_number(request, "offset", default=0, most=1_000_000_000)
    entries = [answers.ledger_entry(s) for s in books.newest(limit=limit, offset=offset)]
    return web.json_response({"entries": entries, "total": len(books)})


async def stats(request: web.Request) -> web.Response:
    """Counts of calls and faults; by state and by request only when asked, as these walk it all."""
    simulator = request.app[SIMULATOR]
    body: answers.Body = {
        "accepted": len(simulator.ledger),
        "calls": dict(simulator.calls),
        "faults": {route: dict(met) for route, met in simulator.orders.met.items()},
    }
    if request.query.get("by_state") == "true":
        body["states"] = _count_states(simulator)
    if request.query.get("by_request") == "true":
        body["requests"] = {s.request_id: dict(s.calls) for s in simulator.ledger}
    return web.json_response(body)


def _count_states(simulator: Simulator) -> dict[State, int]:
    now = simulator.clock()
    return Counter(submission.timeline.state_at(now) for submission in simulator.ledger)


async def order_fault(request: web.Request) -> web.Response:
    order = await _read(request, _ORDER)
    if order.request_id is not None and order.fault in OUTCOMES:
        _change_outcome(request.app[SIMULATOR], order.request_id, Outcome(order.fault.value))
    else:
        request.app[SIMULATOR].orders.add(order)
    return await faults(request)


def _change_outcome(simulator: Simulator, request_id: str, outcome: Outcome) -> None:
    # The job is accepted already, so there is no call left for this fault to wait for.
    submission = simulator.ledger.find(request_id)
    if submission is None:
        raise _bad_request(ValueError(f"No request {request_id!r}."))
    submission.outcome = outcome


async def faults(request: web.Request) -> web.Response:
    """The ordered faults, each with how many calls it is still for."""
    orders = [
        order.model_dump(mode="json") | {"route": order.route or "any", "left": left}
        for order, left in request.app[SIMULATOR].orders.standing()
    ]
    return web.json_response({"faults": orders})


async def clear_faults(request: web.Request) -> web.Response:
    request.app[SIMULATOR].orders.clear()
    return await faults(request)


async def rates(request: web.Request) -> web.Response:
    return web.json_response(request.app[SIMULATOR].orders.rates)


async def set_rates(request: web.Request) -> web.Response:
    wanted = await _read(request, _RATES)
    try:
        check_rates(wanted)
    except ValueError as error:
        raise _bad_request(error) from error
    request.app[SIMULATOR].orders.rates = wanted
    return await rates(request)


async def hold(request: web.Request) -> web.Response:
    held = request.app[SIMULATOR].hold
    return web.json_response({"queue": held.queue, "progress": held.progress})


async def set_hold(request: web.Request) -> web.Response:
    """For requests accepted from now on; those held already wait for ``start`` or ``finish``."""
    wanted = await _read(request, _HOLD)
    request.app[SIMULATOR].hold = Hold(queue=wanted.queue, progress=wanted.progress)
    return await hold(request)


async def one_request(request: web.Request) -> web.Response:
    simulator = request.app[SIMULATOR]
    submission = _find(request)
    view = answers.internal_view(submission, simulator.settings, simulator.clock())
    return web.json_response(view)


async def start_one(request: web.Request) -> web.Response:
    submission = _find(request)
    submission.timeline = submission.timeline.start(request.app[SIMULATOR].clock())
    return await one_request(request)


async def finish_one(request: web.Request) -> web.Response:
    submission = _find(request)
    _finish(submission, await _read(request, _FINISH), request.app[SIMULATOR].clock())
    return await one_request(request)


def _finish(submission: Submission, wanted: FinishBody, now: float) -> None:
    if now < submission.timeline.ended_at and wanted.outcome is not None:
        submission.outcome = Outcome(wanted.outcome)
    submission.timeline = submission.timeline.finish(now)


async def start_all(request: web.Request) -> web.Response:
    return _move_all(request.app[SIMULATOR], Timeline.start)


async def finish_all(request: web.Request) -> web.Response:
    return _move_all(request.app[SIMULATOR], Timeline.finish)


def _move_all(simulator: Simulator, move: Callable[[Timeline, float], Timeline]) -> web.Response:
    now = simulator.clock()
    moved = 0
    for submission in simulator.ledger:
        before, submission.timeline = submission.timeline, move(submission.timeline, now)
        moved += before is not submission.timeline
    return web.json_response({"moved": moved})
