"""Reading a generation of the origin that asks, the same on both faces."""

from typing import Annotated

from fastapi import Depends

from api_gateway.auth import Caller
from api_gateway.parts import Wired
from generations.lifecycle import Status
from generations.model import Generation
from generations.store import GenerationStore


async def _on_runcomfy_route(request_id: str, origin: Caller, parts: Wired) -> Generation:
    return await parts.store.find(request_id, origin=origin)


async def _on_own_route(generation_id: str, origin: Caller, parts: Wired) -> Generation:
    return await parts.store.find(generation_id, origin=origin)


#: The generation that the path names by ``request_id``, or a 404.
Requested = Annotated[Generation, Depends(_on_runcomfy_route)]
#: The same by ``generation_id``.
Named = Annotated[Generation, Depends(_on_own_route)]


async def queue_position_of(generation: Generation, store: GenerationStore) -> int | None:
    """Its place in our line, then in RunComfy's as soon as that is known; None once it began."""
    if generation.status in {Status.QUEUED, Status.SUBMITTING}:
        return await store.place_in_line(generation)
    return generation.queue_position
