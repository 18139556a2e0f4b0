"""A receiver that takes connections and never answers: it harms nobody, and loses nothing."""

import socket
from collections.abc import Iterator

import pytest
import redis

from generations.connection import key
from generations.indexes import due_key
from generations.steps import Lane
from tests.acceptance.origins import Body, OriginClient, an_input
from tests.acceptance.stack import Stack
from tests.acceptance.waiting import eventually

#: So many may be attempted at once, and more are owed: more than a worker has threads.
AT_ONCE = 50
OWED = 60


@pytest.fixture
def deaf() -> Iterator[str]:
    """A receiver that hangs on every request, as scheme, host and port."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        # The system takes the connections; nobody reads them.
        listening.listen(2 * OWED)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def test_others_are_told_while_a_receiver_hangs_and_it_is_left_alone(
    breakable: Stack, brave: OriginClient, deaf: str
) -> None:
    hung = [brave.submit(an_input(), webhook=f"{deaf}/hook") for _ in range(OWED)]
    with redis.Redis.from_url(breakable.redis_url) as store:
        eventually(
            lambda: (
                store.zcard(key(f"endpoint_slots:{deaf}")) == AT_ONCE
                and store.zcard(key(f"endpoint_waiting:{deaf}"))
            ),
            "all its places are taken, and others wait",
        )

    good = brave.endpoint()
    for _ in range(5):
        brave.submit(an_input(), webhook=good.url)
    good.wait_for(5)

    (worker,) = breakable.workers
    eventually(lambda: worker.has_logged("endpoint.breaker", "opened", deaf), "it is left alone")
    deliveries = [delivery_of(brave, request_id) for request_id in hung]
    assert all(delivery["status"] == "pending" for delivery in deliveries)
    with redis.Redis.from_url(breakable.redis_url) as store:
        scores = store.zmscore(due_key(Lane.DELIVERIES), [one["id"] for one in deliveries])
    # Whether it was attempted or not, each is to be attempted again.
    assert isinstance(scores, list)
    assert None not in scores
    assert any(not delivery["attempts"] for delivery in deliveries)


def delivery_of(origin: OriginClient, request_id: str) -> Body:
    """A generation's only delivery."""
    (delivery,) = origin.record(request_id)["deliveries"]
    return dict(delivery)
