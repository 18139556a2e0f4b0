"""Serving outputs: without a token, as RunComfy's storage does, and in ranges, as players ask."""

from typing import Final

from aiohttp import web

from ops.simulator.ledger import Outcome, Submission
from ops.simulator.outputs import Gallery
from ops.simulator.routes import SIMULATOR
from ops.simulator.service import Simulator
from ops.simulator.timeline import State

GALLERY: Final = web.AppKey("gallery", Gallery)

_TYPES: Final = {"mp4": "video/mp4", "png": "image/png", "jpeg": "image/jpeg"}


async def output(request: web.Request) -> web.Response:
    simulator = request.app[SIMULATOR]
    simulator.calls["output"] += 1
    name = request.match_info["name"]
    submission = _find(simulator, name)
    content = await request.app[GALLERY].fetch(submission)
    return _part(request, content, _TYPES[name.rpartition(".")[2]])


def _find(simulator: Simulator, name: str) -> Submission:
    submission = simulator.ledger.find(name.partition(".")[0])
    if (
        submission is None
        or name not in submission.output_names
        or not _is_made(simulator, submission)
    ):
        raise web.HTTPNotFound
    return submission


def _is_made(simulator: Simulator, submission: Submission) -> bool:
    state = submission.timeline.state_at(simulator.clock())
    return state is State.ENDED and submission.outcome is Outcome.SUCCEEDED


def _part(request: web.Request, content: bytes, content_type: str) -> web.Response:
    """All of it, or the one range that was asked for."""
    headers = {"Accept-Ranges": "bytes", "Access-Control-Allow-Origin": "*"}
    start, stop, _ = _range_of(request).indices(len(content))
    if "Range" not in request.headers:
        return web.Response(body=content, content_type=content_type, headers=headers)
    if start >= stop:
        headers["Content-Range"] = f"bytes */{len(content)}"
        return web.Response(status=416, headers=headers)
    headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(content)}"
    return web.Response(
        status=206, body=content[start:stop], content_type=content_type, headers=headers
    )


def _range_of(request: web.Request) -> slice:
    try:
        return request.http_range
    except ValueError:
        return slice(0, 0)  # Unreadable: answered like a range that is not there.
