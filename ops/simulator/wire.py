"""Spoiled answers: what a client really receives when a call meets a fault.

ASGI servers answer 500 for an application that says nothing, so a lost answer can only be
played by a server that lets a route have the connection itself, which aiohttp's does.
"""

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import Final

from aiohttp import web

from ops.simulator import refusals
from ops.simulator.faults import Fault, Order
from ops.simulator.refusals import RefusedError
from ops.simulator.settings import SimulatorSettings

Work = Callable[[], web.Response]

_SERVER_ERRORS: Final = {
    Fault.ERROR_500: 500,
    Fault.ERROR_502: 502,
    Fault.ERROR_503: 503,
    Fault.ERROR_504: 504,
}

# On and 0 seconds: closing discards what is unsent and resets the connection.
_LINGER_ZERO: Final = struct.pack("ii", 1, 0)


async def spoiled(
    request: web.Request, order: Order | None, work: Work, settings: SimulatorSettings
) -> web.StreamResponse:
    """Do the work unless the fault comes first, and answer as the fault allows.

    Refusals of the work are answers too, and are spoiled like them.
    """
    if order is None:
        return work()
    instead = _answer_instead(order, settings)
    if instead is not None:
        return instead
    if order.fault is Fault.HANG:
        return await _late(order, work, settings)
    return await _cut_short(request, order.fault, _answered(work, settings), settings)


async def _late(order: Order, work: Work, settings: SimulatorSettings) -> web.Response:
    answer = _answered(work, settings)
    await asyncio.sleep(_seconds(order, settings.hang_for.total_seconds()))
    return answer


async def _cut_short(
    request: web.Request, fault: Fault, answer: web.Response, settings: SimulatorSettings
) -> web.StreamResponse:
    match fault:
        case Fault.ANSWER_LOST:
            return _drop(request, answer)
        case Fault.ANSWER_RESET:
            return _reset(request, answer)
        case Fault.TRUNCATED:
            return await _truncate(request, answer)
        case Fault.ACCEPTED_ERROR_500 if answer.status < 300:
            return refusals.answer(refusals.server_error(500), settings)
        case _:
            return answer  # A fault of the words, which the work itself knows of.


def _seconds(order: Order, usual: float) -> float:
    return usual if order.seconds is None else order.seconds


def _answered(work: Work, settings: SimulatorSettings) -> web.Response:
    try:
        return work()
    except RefusedError as refused:
        return refusals.answer(refused, settings)


def _answer_instead(order: Order, settings: SimulatorSettings) -> web.Response | None:
    """The answer of a fault that keeps the work from being done."""
    if order.fault is Fault.HTML:
        return refusals.html_page(504)
    if order.fault is Fault.ERROR_CODE_200:
        refused = RefusedError(200, 400001, "Simulated error under HTTP 200.")
        return web.json_response(refusals.full_envelope(refused))
    refusal = _refusal(order, settings)
    return None if refusal is None else refusals.answer(refusal, settings)


def _refusal(order: Order, settings: SimulatorSettings) -> RefusedError | None:
    match order.fault:
        case Fault.THROTTLED:
            return refusals.throttled()
        case Fault.THROTTLED_RETRY_AFTER:
            return refusals.throttled(_seconds(order, settings.retry_after.total_seconds()))
        case Fault.NO_BALANCE:
            return refusals.no_balance(settings)
        case Fault.RESULT_NOT_READY:
            return refusals.not_ready(409 if settings.result_not_ready == "409" else 404)
        case fault if fault in _SERVER_ERRORS:
            return refusals.server_error(_SERVER_ERRORS[fault])
        case _:
            return None


def _drop(request: web.Request, answer: web.Response) -> web.Response:
    if request.transport is not None:
        request.transport.close()
    return answer  # Goes nowhere: the connection is gone.


def _reset(request: web.Request, answer: web.Response) -> web.Response:
    if request.transport is not None:
        connection = request.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        request.transport.abort()
    return answer


async def _truncate(request: web.Request, answer: web.Response) -> web.StreamResponse:
    body = bytes(answer.body) if isinstance(answer.body, bytes) else b""
    half = web.StreamResponse(status=answer.status, headers={"Content-Type": "application/json"})
    half.content_length = len(body)
    await half.prepare(request)
    await half.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()  # After what is buffered, which is the half.
    return half
