"""Keeping the catalog fresh: fetched from RunComfy by whichever worker's turn it is, for all."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Final

from generations.errors import RunComfyThrottled, RunComfyUnavailable, StoreUnavailable
from generations.logs import logger
from worker.clients import Clients
from worker.pauses import pause_for
from worker.runcomfy.listing import Record

log = logger(__name__)

#: How long after a refresh that failed, or whose worker died, another is tried.
RETRY: Final = timedelta(minutes=2)
#: How long a whole refresh may take; shorter, so that no two go on at once.
BUDGET: Final = timedelta(seconds=100)
#: How long models may be asked for one by one, where the list has no schemas.
ONE_BY_ONE: Final = timedelta(seconds=60)
#: How many of these are asked for at once.
AT_ONCE: Final = 8
#: So many models are kept, whatever RunComfy lists.
MOST_MODELS: Final = 2_000


async def refresh_in_turn(clients: Clients) -> None:
    """Fetch anew what is old, if no other worker is at it; take over what was fetched.

    What fails is logged, and what was fetched before is kept until a whole new catalog is there.
    """
    retry = min(RETRY, max(clients.settings.catalog_interval, timedelta(seconds=1)))
    try:
        is_old = not await clients.catalogs.is_fresh()
        if is_old and await clients.due.is_my_turn("catalog", interval=retry):
            async with asyncio.timeout(BUDGET.total_seconds()):
                await refresh_once(clients)
        await clients.catalog.look()
    except RunComfyThrottled as exc:
        log.warning("catalog.throttled")
        with suppress(StoreUnavailable):
            await clients.extra_calls.pause(pause_for(exc, draw=clients.draw()))
    except (StoreUnavailable, RunComfyUnavailable, TimeoutError) as exc:
        log.warning("catalog.not_refreshed", reason=type(exc).__name__)


async def refresh_once(clients: Clients) -> None:
    """Fetch the catalog and keep it.

    Raises:
        RunComfyUnavailable: RunComfy did not give a whole one.
        StoreUnavailable: it could not be kept.
    """
    found = await _fetch_list(clients)
    if not found:
        raise RunComfyUnavailable("RunComfy's catalog has no models.")
    await _add_schemas(found, clients)
    records = list(found.values())
    is_new = await clients.catalogs.save(records, fresh_for=clients.settings.catalog_interval)
    log.info("catalog.refreshed", models=len(records), is_new=is_new)


async def _fetch_list(clients: Clients) -> dict[str, Record]:
    found: dict[str, Record] = {}
    offset = 0
    while len(found) < MOST_MODELS:
        page = await clients.runcomfy.list_models(offset=offset)
        before = len(found)
        found |= {record["model_id"]: record for record in page.records}
        offset += page.listed
        is_last = page.total is not None and offset >= page.total
        if is_last or len(found) == before:
            break
    return dict(list(found.items())[:MOST_MODELS])


async def _add_schemas(found: dict[str, Record], clients: Clients) -> None:
    """Ask for each model that the list has no schema of; in doubt, take the one of last time."""
    missing = [model_id for model_id, record in found.items() if not record.get("input_schema")]
    if not missing:
        return
    last = {record["model_id"]: record for record in await clients.catalogs.read()}
    found |= {model_id: _with_schema(found[model_id], last.get(model_id)) for model_id in missing}
    asking = asyncio.Semaphore(AT_ONCE)

    async def ask(model_id: str) -> None:
        async with asking:
            try:
                record = await clients.runcomfy.find_model(model_id)
            except RunComfyThrottled:
                raise
            except RunComfyUnavailable:
                return
            found[model_id] = _with_schema(found[model_id], record)

    try:
        async with asyncio.timeout(ONE_BY_ONE.total_seconds()):
            await asyncio.gather(*(ask(model_id) for model_id in missing))
    except TimeoutError:
        log.warning("catalog.schemas_missing", models=len(missing))


def _with_schema(record: Record, other: Record | None) -> Record:
    schema = (other or {}).get("input_schema")
    return {**record, "input_schema": schema} if schema else record
