"""Real callbacks are what the API's description says of them, field by field."""

from typing import Any

import httpx
import jsonschema_rs
import pytest

from tests.acceptance.origins import OriginClient, an_input
from tests.acceptance.receiver import Callback
from tests.acceptance.runcomfy import RunComfy
from tests.acceptance.stack import Stack

STATUSES = {"queued", "submitting", "in_queue", "in_progress"}


@pytest.fixture(scope="module")
def document(shared_stack: Stack) -> Any:
    """The gateway's OpenAPI document."""
    return httpx.get(f"{shared_stack.gateway_url}/openapi.json", trust_env=False).json()


def told_of_success(origin: OriginClient, runcomfy: RunComfy) -> list[Callback]:
    endpoint = origin.endpoint()
    runcomfy.hold(queue=True, progress=True)
    path = "/v1/generations"
    asked = {
        "model": "runcomfy/unlisted/text-to-image",
        "input": an_input(),
        "webhook": endpoint.url,
        "webhook_intermediate_status": True,
        "metadata": {"order": "4711"},
    }
    assert origin.call("POST", path, json=asked).is_success
    endpoint.wait_for_event("generation.in_queue")
    runcomfy.start_all()
    endpoint.wait_for_event("generation.in_progress")
    runcomfy.finish_all()
    endpoint.wait_for_event("generation.succeeded")
    return endpoint.wait_for(3)


def told_of_failure(origin: OriginClient) -> Callback:
    endpoint = origin.endpoint()
    origin.submit(an_input("[[sim:failed]]"), webhook=endpoint.url)
    return endpoint.wait_for_event("generation.failed")


def told_of_a_cancel(origin: OriginClient, runcomfy: RunComfy) -> Callback:
    endpoint = origin.endpoint()
    runcomfy.hold(queue=True)
    request_id = origin.submit(an_input(), webhook=endpoint.url)
    origin.wait_until(request_id, "in_queue")
    origin.cancel(request_id)
    return endpoint.wait_for_event("generation.cancelled")


def test_every_event_is_as_the_description_has_it(
    north: OriginClient, runcomfy: RunComfy, document: Any
) -> None:
    callbacks = [
        told_of_failure(north),
        *told_of_success(north, runcomfy),
        told_of_a_cancel(north, runcomfy),
    ]
    described = document["webhooks"]
    assert {callback.event for callback in callbacks} == set(described)
    for callback in callbacks:
        check(callback, described[callback.event]["post"], document)
    succeeded = next(c for c in callbacks if c.event == "generation.succeeded")
    assert succeeded.told["metadata"] == {"order": "4711"}
    assert set(succeeded.told["timings"]) == STATUSES


def check(callback: Callback, described: Any, document: Any) -> None:
    """A callback against its description: the schema, and no field that it does not have."""
    schema = described["requestBody"]["content"]["application/json"]["schema"]
    whole = {**schema, "components": document["components"]}
    jsonschema_rs.validate(whole, callback.body, validate_formats=True)
    name = schema["$ref"].rpartition("/")[2]
    parts = document["components"]["schemas"]
    assert set(callback.body) == set(parts[name]["properties"]) == set(parts[name]["required"])
    data = parts["EventData"]
    assert set(callback.told) == set(data["properties"]) == set(data["required"])
    assert all(facts.get("description") for facts in data["properties"].values())
    sent = {p["name"] for p in described["parameters"] if p["required"]}
    assert sent == {"webhook-id", "webhook-timestamp", "webhook-signature"} <= set(callback.headers)
    # From its creation on, the timings lead to the event.
    assert callback.told["sequence"] > len(callback.told["timings"]) > 0
