"""RunComfy's own routes over HTTP. What they mean is in ``service.py`` and ``answers.py``."""

import json
from collections.abc import Sequence
from typing import Final

from aiohttp import web

from ops.simulator import answers, refusals
from ops.simulator.catalog import Input
from ops.simulator.faults import Call, Fault, Order, Route, read_markers
from ops.simulator.ledger import Submission
from ops.simulator.service import Simulator
from ops.simulator.wire import spoiled

#: US dollars on an account that is never used up.
PLENTY: Final = 1_000_000.0

SIMULATOR: Final = web.AppKey("simulator", Simulator)


def origin_of(request: web.Request) -> str:
    """Where the caller reached us: our URLs must stay on it, or its token would leave it."""
    return f"{request.scheme}://{request.host}"


def account_in(request: web.Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return request.app[SIMULATOR].account(token if scheme.lower() == "bearer" else "")


async def submit(request: web.Request) -> web.StreamResponse:
    simulator = request.app[SIMULATOR]
    simulator.calls[Route.SUBMIT] += 1
    account = account_in(request)
    model = simulator.model(request.match_info["model_id"])
    raw = await request.read()
    body = _read_json(raw)
    markers = _markers_of(body)
    met, outcome = simulator.orders.meet_submit(
        Call(Route.SUBMIT, model.model_id), markers=markers, body=raw
    )

    def work() -> web.Response:
        ordered = outcome.fault if outcome else None
        submission = simulator.accept(model, body, account=account, ordered=ordered)
        _keep_markers(simulator, submission, markers)
        return web.json_response(
            answers.submitted(submission, origin_of(request)),
            status=simulator.settings.submit_status,
        )

    return await spoiled(request, met, work, simulator.settings)


def _read_json(raw: bytes) -> Input:
    try:
        body = json.loads(raw)
    except ValueError as error:
        raise refusals.malformed() from error
    if not isinstance(body, dict):
        raise refusals.malformed()
    return body


def _markers_of(body: Input) -> list[Order]:
    prompt = body.get("prompt")
    try:
        return list(read_markers(prompt)) if isinstance(prompt, str) else []
    except ValueError as error:
        raise refusals.RefusedError(400, 400001, f"Unreadable [[sim:…]] marker: {error}") from error


def _keep_markers(simulator: Simulator, submission: Submission, markers: Sequence[Order]) -> None:
    for marker in markers:
        if marker.route is not Route.SUBMIT:
            owned = marker.model_copy(update={"request_id": submission.request_id})
            simulator.orders.add(owned)


def _submission_for(request: web.Request, route: Route) -> Submission:
    simulator = request.app[SIMULATOR]
    simulator.calls[route] += 1
    submission = simulator.find(request.match_info["request_id"], account_in(request))
    submission.calls[route] += 1
    return submission


def _meet(request: web.Request, submission: Submission, route: Route) -> Order | None:
    call = Call(route, submission.model.model_id, submission.request_id)
    return request.app[SIMULATOR].orders.meet(call)


async def status(request: web.Request) -> web.StreamResponse:
    simulator = request.app[SIMULATOR]
    submission = _submission_for(request, Route.STATUS)
    met = _meet(request, submission, Route.STATUS)

    def work() -> web.Response:
        body = answers.status(
            submission, simulator.settings, now=simulator.clock(), origin=origin_of(request)
        )
        return web.json_response(body | _other_word(simulator, met))

    return await spoiled(request, met, work, simulator.settings)


def _other_word(simulator: Simulator, met: Order | None) -> answers.Body:
    if met is None or met.fault is not Fault.UNKNOWN_STATUS:
        return {}
    return {"status": simulator.settings.unknown_status_word}


async def result(request: web.Request) -> web.StreamResponse:
    simulator = request.app[SIMULATOR]
    submission = _submission_for(request, Route.RESULT)
    met = _meet(request, submission, Route.RESULT)

    def work() -> web.Response:
        now = simulator.clock()
        wanted = simulator.settings.result_not_ready
        if wanted != "200" and not answers.is_ended(submission, now):
            raise refusals.not_ready(int(wanted))
        body = answers.result(
            submission,
            simulator.settings,
            now=now,
            origin=origin_of(request),
            with_cost=request.query.get("include_cost") == "true",
        )
        return web.json_response(body | _other_word(simulator, met))

    return await spoiled(request, met, work, simulator.settings)


async def cancel(request: web.Request) -> web.StreamResponse:
    simulator = request.app[SIMULATOR]
    submission = _submission_for(request, Route.CANCEL)

    def work() -> web.Response:
        outcome = simulator.cancel(submission)
        word = answers.status_word(submission, simulator.settings, simulator.clock())
        return web.json_response(
            {"request_id": submission.request_id, "status": word, "outcome": outcome},
            status=202 if outcome == "cancellation_requested" else 200,
        )

    met = _meet(request, submission, Route.CANCEL)
    return await spoiled(request, met, work, simulator.settings)


async def balance(request: web.Request) -> web.StreamResponse:
    """What is left on the account: at RunComfy on another host, here beside the rest."""
    simulator = request.app[SIMULATOR]
    spent = simulator.ledger.spent_by(account_in(request))
    opening = simulator.settings.balance_usd
    left = (PLENTY if opening is None else opening) - spent
    return web.json_response({"balance_usd": round(left, 4), "currency": "USD"})
