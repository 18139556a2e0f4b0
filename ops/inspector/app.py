"""The inspector's wiring and nothing else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from ops.inspector import api_routes, page, receiver_routes
from ops.inspector.inspection import Inspection
from ops.inspector.settings import InspectorSettings


def create_app(settings: InspectorSettings | None = None) -> FastAPI:
    """An inspector with an empty log; settings come from the environment unless given.

    It must run in a single process: everything it knows is in that memory.
    """
    settings = settings or InspectorSettings()
    app = FastAPI(
        title="Darkroom inspector",
        lifespan=_lifespan,
        max_body_size=receiver_routes.MOST_READ,
        # Their pages load scripts from elsewhere, which the inspector's never do.
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    app.state.inspection = Inspection.begin(settings)
    for router in (receiver_routes.router, api_routes.router, page.router):
        app.include_router(router)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    app.state.inspection.feed.close()
