"""Callbacks that are not taken at once."""

from tests.acceptance.origins import Body, OriginClient, an_input
from tests.acceptance.waiting import eventually


def test_an_endpoint_that_answers_500_twice_is_told_at_the_third_attempt(
    north: OriginClient,
) -> None:
    endpoint = north.endpoint(500, 500)
    request_id = north.submit(an_input(), webhook=endpoint.url)

    first, second, third = endpoint.wait_for(3)

    assert first.event_id == second.event_id == third.event_id
    assert first.body == second.body == third.body
    assert first.timestamp <= second.timestamp <= third.timestamp
    delivery = wait_for_delivery(north, request_id, "delivered")
    assert [attempt["number"] for attempt in delivery["attempts"]] == [1, 2, 3]
    assert [attempt["status_code"] for attempt in delivery["attempts"]] == [500, 500, 200]
    assert delivery["event_id"] == first.event_id


def test_each_attempt_is_signed_for_its_own_instant(north: OriginClient) -> None:
    # Signatures carry whole seconds: the wait that the endpoint asks for makes them differ.
    endpoint = north.endpoint((503, {"Retry-After": "1"}))
    north.submit(an_input(), webhook=endpoint.url)

    first, second = endpoint.wait_for(2)

    assert int(second.timestamp) >= int(first.timestamp) + 1
    assert first.event_id == second.event_id


def test_an_endpoint_that_is_gone_is_not_asked_again(north: OriginClient) -> None:
    endpoint = north.endpoint(410)
    request_id = north.submit(an_input(), webhook=endpoint.url)

    delivery = wait_for_delivery(north, request_id, "exhausted")

    assert [attempt["status_code"] for attempt in delivery["attempts"]] == [410]
    assert north.record(request_id)["status"] == "succeeded"


def wait_for_delivery(origin: OriginClient, request_id: str, status: str) -> Body:
    """A generation's only delivery, once it is in a status."""

    def look() -> Body | None:
        deliveries = origin.record(request_id)["deliveries"]
        return next((dict(d) for d in deliveries if d["status"] == status), None)

    return eventually(look, f"the delivery is {status}")
