"""Whether the gateway lives, and whether it can work. Nobody needs a key to ask."""

import asyncio
from typing import Final, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api_gateway.openapi import problems
from api_gateway.parts import Wired
from generations.durability import Level
from generations.errors import StoreUnavailable

#: Seconds that the store may take to answer.
PATIENCE: Final = 2.0

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """How the gateway is."""

    status: Literal["ok"] = "ok"


class Readiness(Health):
    """How the gateway is, and what is wrong with its Redis server."""

    warnings: list[str] = Field(
        description="What keeps the server from being durable, and what to do; empty is well."
    )


@router.get("/healthz", operation_id="check_alive", summary="Is the process alive?")
async def check_alive() -> Health:
    """Answers without asking anything of Redis."""
    return Health()


@router.get(
    "/readyz",
    operation_id="check_ready",
    summary="Can it accept generations?",
    responses=problems(StoreUnavailable),
)
async def check_ready(parts: Wired) -> Readiness:
    """Answers 503 while Redis does not answer."""
    try:
        async with asyncio.timeout(PATIENCE):
            findings = await parts.store.examine()
    except TimeoutError as exc:
        raise StoreUnavailable from exc
    wrong = (finding for finding in findings if finding.level is not Level.OK)
    return Readiness(warnings=[f"{f.check}: {f.says}. {f.advice}" for f in wrong])
