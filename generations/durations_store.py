"""How long models took, in Redis, shared by all workers; and each program's own copy of it."""

import asyncio
from collections import OrderedDict
from datetime import timedelta
from time import monotonic
from typing import Final

from redis.asyncio import Redis

from generations.catalog_store import CatalogCopy
from generations.connection import key, load_script, reaching_store
from generations.durations import KEPT, LETTERS, UNKNOWN, Pace, Ran, pace_of, read_ran, write_ran
from generations.errors import StoreUnavailable
from generations.kinds import kind_of
from generations.logs import logger
from generations.model import Generation
from generations.records import in_ms

#: How many kinds of input are told apart, of each model; beside them, it has its ends as a whole.
MOST_KINDS: Final = 64
#: How long a model is remembered that nobody asks for.
REMEMBERED: Final = timedelta(days=30)
#: How old a program's copy may be, in seconds, and of how many kinds it has one.
OLDEST: Final = 10.0
MOST_COPIES: Final = 1_000

log = logger(__name__)

#: A model's id, and the kind of an input.
_Kind = tuple[str, str]


class DurationStore:
    """The latest ends of every model."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._note = load_script(redis, "note_duration")

    @reaching_store
    async def note(self, model_id: str, kind: str, ran: Ran) -> None:
        """Keep one more end."""
        bounds = [KEPT * LETTERS, MOST_KINDS + 1, in_ms(REMEMBERED)]
        kinds = dict.fromkeys(["", kind])
        await self._note(keys=[_key(model_id)], args=[write_ran(ran), *bounds, *kinds])

    @reaching_store
    async def read(self, model_id: str, kind: str) -> tuple[str, str]:
        """The ends of a kind and of its model, as they are written."""
        own, of_model = await self._redis.hmget(_key(model_id), [kind, ""])
        return str(own or ""), str(of_model or "")


class _Copy:
    """What was read of one kind, and the pace that came of it."""

    __slots__ = ("pace", "read_at", "reading", "texts")

    def __init__(self) -> None:
        self.pace = UNKNOWN
        self.texts = ("", "")
        self.read_at = float("-inf")
        self.reading: asyncio.Task[None] | None = None


class Durations:
    """The paces of generations, at the cost of one read for each kind in ten seconds."""

    def __init__(self, store: DurationStore, catalog: CatalogCopy) -> None:
        self._store = store
        self._catalog = catalog
        self._copies: OrderedDict[_Kind, _Copy] = OrderedDict()

    async def pace_of(self, generation: Generation) -> Pace:
        """The pace of generations like this one; what was known last while Redis is away."""
        kind = self._kind(generation)
        copy = self._copies.get(kind)
        if copy is None:
            copy = self._copies[kind] = _Copy()
            while len(self._copies) > MOST_COPIES:
                self._copies.popitem(last=False)
        if copy.reading is None and monotonic() - copy.read_at > OLDEST:
            copy.reading = asyncio.create_task(self._read(kind, copy))
        if copy.reading is not None and copy.read_at < 0:
            # Only for the first one: whoever gave up waiting does not end it for the others.
            await asyncio.shield(copy.reading)
        return copy.pace

    async def note(self, generation: Generation, ran: Ran) -> None:
        """Keep its end. While Redis is away it is left out: others will follow."""
        try:
            await self._store.note(*self._kind(generation), ran)
        except StoreUnavailable:
            log.debug("duration.not_noted")

    async def _read(self, kind: _Kind, copy: _Copy) -> None:
        try:
            texts = await self._store.read(*kind)
            if texts != copy.texts:
                copy.pace = pace_of(*map(read_ran, texts))
                copy.texts = texts
        except StoreUnavailable:
            log.debug("durations.unread")
        finally:
            copy.read_at = monotonic()
            copy.reading = None

    def _kind(self, generation: Generation) -> _Kind:
        model = self._catalog.current.find(generation.model_id)
        drivers = model.drivers if model and model.schema else None
        return generation.model_id, kind_of(generation.input, drivers)


def _key(model_id: str) -> str:
    return key(f"durations:{model_id}")
