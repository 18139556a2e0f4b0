"""Everything that the work of one process shares, opened and closed with its event loop."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import random

from generations.catalog_store import CatalogCopy, CatalogStore
from generations.connection import Redis, connect
from generations.due import DueIndex
from generations.durations_store import Durations, DurationStore
from generations.endpoint_health import EndpointHealth
from generations.origins import OriginStore
from generations.public_keys import PublicKeys
from generations.settings import WorkerSettings
from generations.signing_keys import SigningKey, parse_signing_keys
from generations.store import GenerationStore
from generations.upstream import ExtraCalls
from worker.calls import Calls
from worker.images.fetcher import ImageFetcher
from worker.leases import Leases
from worker.lingering import Lingering
from worker.runcomfy.client import RunComfyClient
from worker.webhooks.sender import CallbackSender


@dataclass(frozen=True, slots=True)
class Clients:
    """What ``*_once`` functions reach the world with."""

    settings: WorkerSettings
    redis: Redis
    due: DueIndex
    store: GenerationStore
    origins: OriginStore
    catalogs: CatalogStore
    catalog: CatalogCopy
    durations: Durations
    runcomfy: RunComfyClient
    sender: CallbackSender
    images: ImageFetcher
    leases: Leases
    extra_calls: ExtraCalls
    health: EndpointHealth
    public_keys: PublicKeys
    #: What signs callbacks beside the origins' secrets.
    signing_keys: tuple[SigningKey, ...] = ()
    #: A random number from 0 to 1.
    draw: Callable[[], float] = random
    calls: Calls = field(default_factory=Calls)
    lingering: Lingering = field(default_factory=Lingering)

    @classmethod
    async def open(cls, settings: WorkerSettings) -> "Clients":
        """Nothing connects before it is first used."""
        redis = connect(settings.redis_url.get_secret_value())
        extra_calls = ExtraCalls(redis, settings.upstream)
        catalogs = CatalogStore(redis)
        catalog = CatalogCopy(catalogs)
        leases = Leases.derive(settings)
        return cls(
            settings=settings,
            redis=redis,
            due=DueIndex(redis, keep=settings.keep, upstream=settings.upstream),
            store=GenerationStore(redis, deadline=settings.deadline, keep=settings.keep),
            origins=OriginStore(redis),
            catalogs=catalogs,
            catalog=catalog,
            durations=Durations(DurationStore(redis), catalog),
            runcomfy=RunComfyClient(
                base=settings.api_base,
                token=settings.runcomfy_api_token.get_secret_value(),
                submit_timeout=settings.submit_timeout,
                poll_timeout=settings.poll_timeout,
                connect_timeout=settings.connect_timeout,
                next_call=extra_calls.wait,
            ),
            sender=CallbackSender(
                allowed=settings.allowed,
                attempt_timeout=settings.attempt_timeout,
                connect_timeout=settings.connect_timeout,
                proxy=settings.egress_proxy,
            ),
            images=ImageFetcher(
                allowed=settings.allowed,
                timeout=settings.preflight_timeout,
                connect_timeout=settings.connect_timeout,
            ),
            leases=leases,
            health=EndpointHealth(redis, leases.health_rules(settings)),
            extra_calls=extra_calls,
            public_keys=PublicKeys(redis),
            signing_keys=_signing_keys(settings),
        )

    async def close(self) -> None:
        """Close every connection."""
        await self.runcomfy.close()
        await self.sender.close()
        await self.images.close()
        await self.redis.aclose()


def _signing_keys(settings: WorkerSettings) -> tuple[SigningKey, ...]:
    held = settings.signing_keys
    return parse_signing_keys(held.get_secret_value()) if held else ()
