"""What the routes are given: stores, catalog and settings, built once in ``app.py``.

Functions of the request for the routes that everybody waits for: each dependency that FastAPI
solves costs 25 µs, as much as the check of an input. The others have it solved.
"""

from dataclasses import dataclass
from typing import Annotated, Self

from fastapi import Depends, Request

from api_gateway.uses import Uses
from generations.catalog_store import CatalogCopy, CatalogStore
from generations.connection import Redis
from generations.deliveries import Deliveries
from generations.durations_store import Durations, DurationStore
from generations.listing import Listing
from generations.moves import Moves
from generations.origins import OriginStore
from generations.public_keys import PublicKeys
from generations.settings import GatewaySettings
from generations.store import GenerationStore


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that lives as long as the program."""

    settings: GatewaySettings
    store: GenerationStore
    origins: OriginStore
    listing: Listing
    deliveries: Deliveries
    moves: Moves
    catalog: CatalogCopy
    durations: Durations
    public_keys: PublicKeys

    @classmethod
    def over(cls, redis: Redis, settings: GatewaySettings) -> Self:
        """All of it over one connection pool, which its owner closes."""
        store = GenerationStore(redis, deadline=settings.deadline, keep=settings.keep)
        catalog = CatalogCopy(CatalogStore(redis))
        return cls(
            settings=settings,
            store=store,
            origins=OriginStore(redis),
            listing=Listing(redis),
            deliveries=Deliveries(redis, store, keep=settings.keep),
            moves=Moves(redis),
            catalog=catalog,
            durations=Durations(DurationStore(redis), catalog),
            public_keys=PublicKeys(redis),
        )


def parts_of(request: Request) -> Parts:
    """The program's parts."""
    parts: Parts = request.app.state.parts
    return parts


def uses_of(request: Request) -> Uses:
    """Where the use of keys is noted."""
    uses: Uses = request.app.state.uses
    return uses


def own_url(request: Request) -> str:
    """The gateway's own URL as its callers see it, without a slash at the end."""
    return str(parts_of(request).settings.public_url or request.base_url).rstrip("/")


async def _parts(request: Request) -> Parts:
    return parts_of(request)


Wired = Annotated[Parts, Depends(_parts)]
