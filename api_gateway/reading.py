"""Reading a generation of the origin that asks, the same on both faces."""

from typing import Annotated

from fastapi import Depends

from api_gateway.auth import Caller
from api_gateway.parts import Wired
from generations.model import Generation
from generations.presentation import shown_status
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
    """RunComfy's last word on its place in line, else ours; None once it has begun."""
    if shown_status(generation.status) != "in_queue":
        return None
    if generation.queue_position is not None:
        return generation.queue_position
    return await store.place_in_line(generation)
