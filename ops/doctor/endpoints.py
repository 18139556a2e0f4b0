"""Endpoints: whether callbacks may go there, by the very resolver that workers connect with."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver

from generations.addresses import Allowed, check_webhook
from generations.connection import connect
from generations.durability import Finding, Level
from generations.errors import AddressNotAllowed, HttpsRequired, InvalidWebhook, StoreUnavailable
from generations.origins import OriginStore
from worker.resolver import CheckedResolver

ALLOW = (
    "Endpoints have to be public. If this one is yours, list its host or network in "
    "DARKROOM_WEBHOOK_ALLOW, for gateway and workers."
)


async def registered_endpoints(redis_url: str) -> list[str]:
    """Those of all origins; none where the store is away, which is said elsewhere."""
    redis = connect(redis_url, max_connections=2)
    origins = OriginStore(redis)
    try:
        found = [await origins.find(name) for name in await origins.names()]
    except StoreUnavailable:
        return []
    finally:
        await redis.aclose()
    return [endpoint.url for origin in found if origin for endpoint in origin.endpoints]


async def examine_endpoints(
    urls: Iterable[str], allowed: Allowed, resolver: AbstractResolver | None = None
) -> list[Finding]:
    """What would become of a callback to each, without sending one."""
    checked = CheckedResolver(allowed, resolver)
    try:
        found = [await _examine(url, allowed, checked) for url in dict.fromkeys(urls)]
    finally:
        await checked.close()
    nothing = "none is known; 'darkroom doctor --endpoint URL' looks at one"
    return found or [Finding("endpoints", Level.OK, nothing)]


async def _examine(url: str, allowed: Allowed, resolver: CheckedResolver) -> Finding:
    # Paths and queries of endpoints may hold secrets.
    split = urlsplit(url)
    where = f"{split.scheme}://{split.hostname}"
    try:
        check_webhook(url, allowed)
        addresses = await resolver.resolve(split.hostname or "")
    except InvalidWebhook as error:
        return Finding("endpoint", Level.PROBLEM, "it is no URL of an endpoint", error.message)
    except HttpsRequired as error:
        return Finding("endpoint", Level.PROBLEM, f"{where} may not be called", error.message)
    except AddressNotAllowed:
        return Finding("endpoint", Level.PROBLEM, f"{where} may not be called", ALLOW)
    except OSError as error:
        said = f"{where} does not resolve ({type(error).__name__})"
        advice = "Check the name, and the DNS servers of the workers' machines."
        return Finding("endpoint", Level.PROBLEM, said, advice)
    said = ", ".join(dict.fromkeys(one["host"] for one in addresses))
    return Finding("endpoint", Level.OK, f"{where} is {said}, and may be called")
