"""What the bench puts on record is what the product itself would have put there."""

from datetime import UTC, datetime, timedelta

from redis.asyncio import Redis

from bench.filling import ORIGIN, Begun, Filler
from generations.auditing import Audited
from generations.due import DueIndex
from generations.lifecycle import Status
from generations.listing import Listing
from generations.selection import Filter
from generations.steps import Lane
from generations.store import GenerationStore
from tests.integration.claiming import FAR, LONG

AGE = timedelta(minutes=10)


async def test_what_is_filled_is_as_if_it_had_come_that_way(
    store: GenerationStore, due: DueIndex, listing: Listing, store_redis: Redis
) -> None:
    at = datetime.now(UTC)
    begun = [Begun(f"until-{number}", AGE) for number in range(4)]
    ids = await Filler(store_redis, store, due).fill(begun, at=at, within=timedelta())
    shown = await listing.page(Filter(), origin=ORIGIN, limit=10)
    assert {one.id for one in shown.rows} > set(ids)
    found = [await store.find(one) for one in ids]
    assert [one.runcomfy_request_id for one in found] == [one.request_id for one in begun]
    assert {one.status for one in found} == {Status.IN_PROGRESS}
    assert all(abs(at - AGE - one.created_at) < timedelta(seconds=1) for one in found)
    claims = await due.claim({Lane.POLLS: 10}, lease=LONG)
    assert {claim.id for claim in claims} > set(ids)
    # The audit misses nothing in any index; the fifth is the one that the others are copies of.
    assert await due.audit(submitting=LONG, longest=FAR) == Audited(looked_at=5)
