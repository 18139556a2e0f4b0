"""Reading generations of the origin that asks, the same on both faces."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import Depends

from api_gateway.auth import Caller
from api_gateway.parts import Parts, Wired
from api_gateway.schemas import GenerationBody
from generations.durations import progress_of, seconds_left
from generations.durations_store import Durations
from generations.errors import StoreUnavailable
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
    (position,) = await queue_positions_of([generation], store)
    return position


async def queue_positions_of(
    generations: Sequence[Generation], store: GenerationStore
) -> list[int | None]:
    """As :func:`queue_position_of`, of many in one round trip."""
    waiting = [g for g in generations if g.status in {Status.QUEUED, Status.SUBMITTING}]
    places = await store.places_in_line(waiting)
    ours = {g.id: place for g, place in zip(waiting, places, strict=True)}
    return [ours.get(g.id, g.queue_position) for g in generations]


async def body_of(generation: Generation, parts: Parts) -> GenerationBody:
    """Everything that is on record about a generation."""
    (body,) = await bodies_of([generation], parts)
    return body


async def body_of_accepted(generation: Generation, parts: Parts) -> GenerationBody:
    """As :func:`body_of`; where the store has gone away since, what is known without it.

    It is on record: an error would make its caller ask for another one, which is paid too.
    """
    try:
        return await body_of(generation, parts)
    except StoreUnavailable:
        return GenerationBody.of(generation, deliveries=(), queue_position=None, ends_at=None)


async def bodies_of(generations: Sequence[Generation], parts: Parts) -> list[GenerationBody]:
    """As :func:`body_of`, of many in two round trips, and a third now and then."""
    deliveries = await parts.store.find_all_deliveries(generations)
    positions = await queue_positions_of(generations, parts.store)
    ends = await estimated_ends_of(generations, parts)
    rows = zip(generations, deliveries, positions, ends, strict=True)
    return [GenerationBody.of(g, deliveries=d, queue_position=p, ends_at=e) for g, d, p, e in rows]


async def estimated_ends_of(
    generations: Sequence[Generation], parts: Parts
) -> list[datetime | None]:
    """When each will have ended, about; None where it has, and while too little is known."""
    return [await _estimated_end(generation, parts.durations) for generation in generations]


async def _estimated_end(generation: Generation, durations: Durations) -> datetime | None:
    if generation.status not in {Status.IN_QUEUE, Status.IN_PROGRESS}:
        return None
    now = datetime.now(UTC)
    is_seen = generation.looked_at is not None
    progress = progress_of(generation, now, begun=generation.running_since, is_seen=is_seen)
    left = seconds_left(await durations.pace_of(generation), progress)
    return None if left is None else now + timedelta(seconds=left)
