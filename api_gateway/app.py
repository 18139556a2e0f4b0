"""The gateway, put together from its parts; no behaviour lives here.

Started by ``granian --interface asgi --factory api_gateway:create_app``.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI

from api_gateway import (
    callbacks,
    delivery_routes,
    endpoint_routes,
    event_routes,
    generation_routes,
    health_routes,
    key_routes,
    many_routes,
    model_routes,
    runcomfy_routes,
)
from api_gateway.batch import BATCH
from api_gateway.bounds import Bounds
from api_gateway.browsers import allow_browsers
from api_gateway.edge import Edge
from api_gateway.open_files import allow_open_files
from api_gateway.openapi import Described
from api_gateway.parts import Parts
from api_gateway.problems import answer_with_problems
from api_gateway.request_ids import RequestIds
from api_gateway.stopping import told_to_stop
from api_gateway.uses import Uses
from generations.connection import connect
from generations.exporter import exporting
from generations.garbage import spare_what_stays
from generations.logs import configure_logs
from generations.settings import GatewaySettings, load_settings
from generations.traces import collect_traces, end_traces


def create_app(settings: GatewaySettings | None = None) -> FastAPI:
    """The ASGI application; without settings, those of the environment.

    Raises:
        SystemExit: code 2, after a sentence on stderr, where the environment is not usable.
    """
    settings = settings or load_settings(GatewaySettings)
    app = Described(docs=settings.docs, lifespan=_lifespan(settings))
    # The last one added is the outermost.
    app.add_middleware(
        Bounds,
        limit=settings.max_body_bytes,
        own_limits={BATCH: settings.max_batch_bytes},
        patience=settings.body_timeout,
    )
    if settings.cors_origins:
        allow_browsers(app, settings.cors_origins)
    app.add_middleware(Edge)
    app.add_middleware(RequestIds)
    answer_with_problems(app)
    # The first are found first.
    app.include_router(runcomfy_routes.submitting)
    app.include_router(generation_routes.submitting)
    app.include_router(runcomfy_routes.router)
    app.include_router(model_routes.router)
    app.include_router(generation_routes.router)
    app.include_router(event_routes.router)
    app.include_router(many_routes.router)
    app.include_router(delivery_routes.of_generation)
    app.include_router(delivery_routes.router)
    app.include_router(endpoint_routes.router)
    app.include_router(health_routes.router)
    app.include_router(key_routes.router)
    app.webhooks.include_router(callbacks.router)
    return app


def _lifespan(settings: GatewaySettings) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        configure_logs(settings.log_level)
        collect_traces("gateway", settings)
        allow_open_files()
        redis = connect(settings.redis_url.get_secret_value())
        parts = Parts.over(redis, settings)
        uses = Uses(parts.origins)
        app.state.parts = parts
        app.state.uses = uses
        try:
            # Made once, and not while a caller waits for it.
            app.openapi()
            async with (
                parts.moves.heard(),
                parts.catalog.following(interval=settings.catalog_check),
                exporting(
                    "gateway",
                    redis,
                    settings.metrics_host,
                    settings.metrics_ports,
                    keep=settings.keep,
                ),
            ):
                with told_to_stop(parts.moves.let_go):
                    spare_what_stays()
                    yield
        finally:
            await uses.finish()
            await redis.aclose()
            await asyncio.to_thread(end_traces)

    return lifespan
