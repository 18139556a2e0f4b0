"""Before a delivery is attempted: where it goes now, and whether it is its turn."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

from generations.due import Claim
from generations.model import Delivery, Generation
from worker.clients import Clients

#: How long an event waits for an earlier one that is on its way.
TURN_INTERVAL: Final = timedelta(milliseconds=200)


async def addressed(
    taken: Sequence[tuple[Claim, Delivery]], clients: Clients
) -> list[tuple[Claim, Delivery]]:
    """The same; those for a default endpoint go to the one that is the default now.

    An operator who corrects it reaches what is still to be told. Where there is none any more,
    the attempt finds that out.
    """
    names = {delivery.origin for _, delivery in taken if delivery.to_default}
    found = [await clients.origins.find(name) for name in sorted(names)]
    defaults = {one.name: one.default_endpoint.url for one in found if one and one.default_endpoint}
    return [
        (claim, replace(delivery, endpoint=defaults.get(delivery.origin, delivery.endpoint)))
        if delivery.to_default
        else (claim, delivery)
        for claim, delivery in taken
    ]


async def is_in_turn(delivery: Delivery, generation: Generation, clients: Clients) -> bool:
    """Whether no earlier event of the generation is on its way right now.

    Such a one was taken before this one was owed, and must not arrive after it. Whoever takes
    an earlier one from now on finds it pointless.
    """
    ids = generation.delivery_ids
    earlier = ids[: ids.index(delivery.id)] if delivery.id in ids else ()
    if not earlier:
        return True
    found = await clients.store.find_deliveries(replace(generation, delivery_ids=earlier))
    return not any(one.is_taken and not one.is_finished for one in found)
