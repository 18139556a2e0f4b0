"""The simulator's application: its routes and what surrounds them, and nothing else."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from aiohttp import web

from ops.simulator import catalog_routes, control_routes, output_routes, refusals, routes
from ops.simulator.outputs import Gallery
from ops.simulator.refusals import RefusedError
from ops.simulator.service import Simulator
from ops.simulator.settings import SimulatorSettings

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

# What an official client allows itself; inputs may carry whole files as data: URIs.
_LARGEST_BODY: Final = 64 * 1024 * 1024


def create_app(settings: SimulatorSettings | None = None) -> web.Application:
    """An aiohttp application with a memory of its own; settings default to the environment's."""
    app = web.Application(middlewares=[_refusals_as_answers], client_max_size=_LARGEST_BODY)
    app[routes.SIMULATOR] = Simulator(settings or SimulatorSettings())
    app.cleanup_ctx.append(_gallery)
    app.add_routes([*_RUNCOMFY, *_CONTROL])
    return app


@web.middleware
async def _refusals_as_answers(request: web.Request, handler: Handler) -> web.StreamResponse:
    settings = request.app[routes.SIMULATOR].settings
    try:
        return await handler(request)
    except RefusedError as refused:
        return refusals.answer(refused, settings)
    except web.HTTPClientError as error:
        if not request.path.startswith("/v1/"):
            raise
        # aiohttp's own: no such route, wrong method, body too large.
        return refusals.answer(refusals.by_the_server(error), settings)


async def _gallery(app: web.Application) -> AsyncIterator[None]:
    app[output_routes.GALLERY] = gallery = Gallery()
    yield
    gallery.close()


_RUNCOMFY: Final = [
    web.get("/v1/models", catalog_routes.models),
    web.get("/v1/models/categories", catalog_routes.categories),
    web.get("/v1/models/{model_id:.+}", catalog_routes.model),
    web.post("/v1/models/{model_id:.+}", routes.submit),
    web.get("/v1/requests/{request_id}/status", routes.status),
    web.get("/v1/requests/{request_id}/result", routes.result),
    web.post("/v1/requests/{request_id}/cancel", routes.cancel),
    web.get("/prod/v2/balance", routes.balance),
    web.get("/outputs/{name}", output_routes.output),
]

_CONTROL: Final = [
    web.get("/_sim/health", control_routes.health),
    web.get("/_sim/ledger", control_routes.ledger),
    web.get("/_sim/stats", control_routes.stats),
    web.get("/_sim/faults", control_routes.faults),
    web.post("/_sim/faults", control_routes.order_fault),
    web.delete("/_sim/faults", control_routes.clear_faults),
    web.get("/_sim/rates", control_routes.rates),
    web.put("/_sim/rates", control_routes.set_rates),
    web.get("/_sim/hold", control_routes.hold),
    web.put("/_sim/hold", control_routes.set_hold),
    web.post("/_sim/requests/start", control_routes.start_all),
    web.post("/_sim/requests/finish", control_routes.finish_all),
    web.get("/_sim/requests/{request_id}", control_routes.one_request),
    web.post("/_sim/requests/{request_id}/start", control_routes.start_one),
    web.post("/_sim/requests/{request_id}/finish", control_routes.finish_one),
]
