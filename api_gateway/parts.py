"""What the routes are given: stores, catalog and settings, built once in ``app.py``."""

from dataclasses import dataclass
from typing import Annotated, Self

from fastapi import Depends, Request

from api_gateway.uses import Uses
from generations.catalog_store import CatalogCopy, CatalogStore
from generations.connection import Redis
from generations.listing import Listing
from generations.moves import Moves
from generations.origins import OriginStore
from generations.settings import GatewaySettings
from generations.store import GenerationStore


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that lives as long as the program."""

    settings: GatewaySettings
    store: GenerationStore
    origins: OriginStore
    listing: Listing
    moves: Moves
    catalog: CatalogCopy

    @classmethod
    def over(cls, redis: Redis, settings: GatewaySettings) -> Self:
        """All of it over one connection pool, which its owner closes."""
        return cls(
            settings=settings,
            store=GenerationStore(redis, deadline=settings.deadline, keep=settings.keep),
            origins=OriginStore(redis),
            listing=Listing(redis),
            moves=Moves(redis),
            catalog=CatalogCopy(CatalogStore(redis)),
        )


async def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


async def _own_url(request: Request, parts: Annotated[Parts, Depends(_parts)]) -> str:
    return str(parts.settings.public_url or request.base_url).rstrip("/")


async def _uses(request: Request) -> Uses:
    uses: Uses = request.app.state.uses
    return uses


Wired = Annotated[Parts, Depends(_parts)]
KeyUses = Annotated[Uses, Depends(_uses)]
#: The gateway's own URL as its callers see it, without a slash at the end.
OwnUrl = Annotated[str, Depends(_own_url)]
