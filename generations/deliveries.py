"""Deliveries on record: find, list and count them, tell one again, try an endpoint."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from generations.claimed import new_guard
from generations.connection import Redis, key, reaching_store, read_hash
from generations.errors import DeliveryNotFound, DeliverySuperseded, GenerationNotFound
from generations.ids import DELIVERY, EVENT, is_id, new_id
from generations.indexes import ORIGINS, UNFINISHED, deliveries_key, due_key, exhausted_key
from generations.lifecycle import DeliveryStatus, allowed_to_reopen
from generations.listing import Page, Rows, Wanted
from generations.model import Delivery
from generations.records import in_ms, read_delivery, read_metadata
from generations.selection import DeliveryFilter, Place
from generations.settling import Settling, index_time
from generations.steps import Due, Lane, Step, is_pointless
from generations.store import GenerationStore

_PENDING: Final = frozenset({DeliveryStatus.PENDING})
#: It is due now. While a worker has it, the attempt that it makes is the one that was asked for.
_HURRY: Final = Step(due=Due(Lane.DELIVERIES), only_from=_PENDING)
_BEGIN_ANEW: Final = Step(
    to=DeliveryStatus.PENDING,
    due=Due(Lane.DELIVERIES),
    set={"set_aside": None},
    stamp=("redelivered_at",),
    # The schedule counts from here; the attempts' numbers go on.
    tally={"attempts_before": "attempts"},
    only_from=allowed_to_reopen(DeliveryStatus.PENDING),
)


class Deliveries:
    """Records of deliveries. Every method raises StoreUnavailable."""

    def __init__(self, redis: Redis, store: GenerationStore, *, keep: timedelta) -> None:
        self._redis = redis
        self._store = store
        self._settling = Settling(redis, keep=keep)
        self._rows = _Rows(redis, read_delivery)
        self._keep = keep

    @reaching_store
    async def find(self, delivery_id: str, *, origin: str | None = None) -> Delivery:
        """One delivery; with an origin, only if it is that origin's.

        Raises:
            DeliveryNotFound: there is none; another origin's counts as none.
        """
        known = is_id(delivery_id, DELIVERY)
        fields = await read_hash(self._redis, key(delivery_id)) if known else {}
        if "event_id" not in fields or origin not in {None, fields["origin"]}:
            raise DeliveryNotFound
        return read_delivery(delivery_id, fields)

    async def page(
        self, wanted: DeliveryFilter, *, origin: str | None, limit: int, after: Place | None = None
    ) -> Page[Delivery]:
        """As of generations (``listing.py``), the newest first; the exhausted by their end."""
        index_of = exhausted_key if wanted.is_of_exhausted else deliveries_key
        return await self._rows.read(index_of(origin), wanted, limit=limit, after=after)

    async def redeliver(self, delivery: Delivery) -> Delivery:
        """Tell it again, under the same ``webhook-id``: now, and then by the whole schedule.

        What is pending already is only hurried; its schedule goes on.

        Raises:
            DeliverySuperseded: a later event says more, or it is a test.
            DeliveryNotFound: it, or what it tells of, is not kept any more.
        """
        try:
            generation = await self._store.find(delivery.generation_id)
        except GenerationNotFound as exc:
            if delivery.is_test:
                raise DeliverySuperseded("A test is told once; test the endpoint again.") from exc
            raise DeliveryNotFound from exc
        if is_pointless(delivery, generation):
            raise DeliverySuperseded
        outcome, status = await self._apply(delivery, _BEGIN_ANEW, new_guard())
        while outcome == "refused" and status == DeliveryStatus.PENDING:
            outcome, _ = await self._apply(delivery, _HURRY, {"only_due": True})
            if outcome == "refused":
                # A worker has ended it in between.
                outcome, status = await self._apply(delivery, _BEGIN_ANEW, new_guard())
        if outcome == "refused":
            raise DeliverySuperseded
        return await self.find(delivery.id)

    async def _apply(
        self, delivery: Delivery, step: Step, guard: Mapping[str, Any]
    ) -> tuple[str, str]:
        return await self._settling.apply(
            delivery.id, Lane.DELIVERIES, step, guard, origin=delivery.origin
        )

    async def _now_ms(self) -> int:
        seconds, micros = await self._redis.time()
        return int(seconds) * 1000 + int(micros) // 1000

    @reaching_store
    async def test(self, endpoint: str, *, origin: str) -> Delivery:
        """Put a test event for an endpoint on record, due now: a delivery of no generation."""
        delivery_id = new_id(DELIVERY)
        now = await self._now_ms()
        fields: dict[Any, str | int] = {
            "generation_id": "",
            "origin": origin,
            "event_id": new_id(EVENT),
            "endpoint": endpoint,
            "told": "",
            "status": DeliveryStatus.PENDING,
            "created_at": now,
            "fence": 1,
            "sequence": 0,
        }
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hset(key(delivery_id), mapping=fields)
            pipe.zadd(due_key(Lane.DELIVERIES), {delivery_id: now})
            pipe.sadd(UNFINISHED, delivery_id)
            for index in (deliveries_key(), deliveries_key(origin)):
                pipe.zadd(index, {delivery_id: now})
                pipe.zremrangebyscore(index, "-inf", now - in_ms(index_time(self._keep)))
            await pipe.execute()
        return await self.find(delivery_id)

    @reaching_store
    async def count_exhausted(self) -> dict[str, int]:
        """How many exhausted deliveries are kept, by origin; two round trips for all of them."""
        origins = sorted(str(origin) for origin in await self._redis.smembers(ORIGINS))
        oldest = await self._now_ms() - in_ms(self._keep)
        async with self._redis.pipeline(transaction=False) as pipe:
            for origin in origins:
                pipe.zcount(exhausted_key(origin), oldest, "+inf")
            return dict(zip(origins, await pipe.execute(), strict=True))


class _Rows(Rows[Delivery]):
    """Of deliveries, which have their notes on the generation that they tell of."""

    async def _fitting(self, index: str, places: Sequence[Place], wanted: Wanted) -> list[Place]:
        fitting = await super()._fitting(index, places, wanted)
        if not isinstance(wanted, DeliveryFilter) or not wanted.metadata:
            return fitting
        async with self._redis.pipeline(transaction=False) as pipe:
            for place in fitting:
                pipe.hget(key(place.id), "generation_id")
            ids = [str(found or "") for found in await pipe.execute()]
            for generation_id in ids:
                pipe.hget(key(generation_id), "metadata")
            texts = await pipe.execute()
        notes = [read_metadata(text).items() for text in texts]
        return [
            p for p, noted in zip(fitting, notes, strict=True) if wanted.metadata.items() <= noted
        ]
