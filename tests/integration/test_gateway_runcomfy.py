"""The routes that speak RunComfy, over real HTTP and a real store."""

import httpx
import pytest

from generations.lifecycle import Status
from generations.presentation import SHOWN
from generations.store import GenerationStore
from tests.builders import UNLISTED
from tests.integration.gateway_process import GatewayProcess
from tests.integration.played_worker import OUTPUT, PlayedWorker

INPUT = {
    "prompt": "A gentle breeze 🎞",
    "seed": 2**53 + 1,
    "strength": 0.1,
    "nested": {"a": [None, True]},
}
POSITIONS = {Status.QUEUED: 1, Status.SUBMITTING: 1, Status.IN_QUEUE: 4}


async def submit(origin: httpx.AsyncClient, **query: str) -> dict[str, str]:
    """What the gateway answers to a submit."""
    answer = await origin.post(f"/v1/models/{UNLISTED}", json=INPUT, params=query)
    assert answer.status_code == 200, answer.text
    body: dict[str, str] = answer.json()
    return body


async def test_a_submit_answers_an_id_and_where_to_follow_it(
    studio: httpx.AsyncClient, gateway: GatewayProcess
) -> None:
    accepted = await submit(studio)
    request = f"{gateway.url}/v1/requests/{accepted['request_id']}"
    assert accepted == {
        "request_id": accepted["request_id"],
        "status_url": f"{request}/status",
        "result_url": f"{request}/result",
        "cancel_url": f"{request}/cancel",
    }


async def test_what_was_submitted_is_on_record_as_it_was_sent(
    studio: httpx.AsyncClient, store: GenerationStore
) -> None:
    webhook = "https://studio.example/hook?a=1&b=2"
    accepted = await submit(studio, webhook=webhook, webhook_intermediate_status="true")
    generation = await store.find(accepted["request_id"])
    assert generation.origin == "studio"
    assert generation.model_id == UNLISTED
    assert generation.input == INPUT
    assert generation.webhook == webhook
    assert generation.webhook_intermediate_status


async def test_the_urls_follow_the_name_that_the_caller_used(studio: httpx.AsyncClient) -> None:
    answer = await studio.post(
        f"/v1/models/{UNLISTED}", json={}, headers={"Host": "darkroom.example:8443"}
    )
    assert answer.json()["status_url"].startswith("http://darkroom.example:8443/v1/requests/")


async def test_a_body_needs_no_content_type(studio: httpx.AsyncClient) -> None:
    answer = await studio.post(f"/v1/models/{UNLISTED}", content=b'{"prompt": "x"}')
    assert answer.status_code == 200


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_the_scheme_of_the_key_has_no_case(studio: httpx.AsyncClient, scheme: str) -> None:
    key = studio.headers["Authorization"].removeprefix("Bearer ")
    answer = await studio.get("/v1/generations", headers={"Authorization": f"{scheme} {key}"})
    assert answer.status_code == 200


@pytest.mark.parametrize("status", list(Status))
async def test_every_status_is_shown_in_runcomfys_words(
    studio: httpx.AsyncClient, worker: PlayedWorker, status: Status
) -> None:
    accepted = await submit(studio)
    if status is not Status.QUEUED:
        await worker.bring_to(status)
    shown = (await studio.get(accepted["status_url"])).json()
    expected: dict[str, str | int] = {
        "request_id": accepted["request_id"],
        "status": SHOWN[status],
        "status_url": accepted["status_url"],
        "result_url": accepted["result_url"],
    }
    if status in POSITIONS:
        expected["queue_position"] = POSITIONS[status]
    assert shown == expected


async def test_the_place_in_line_counts_those_before_it(studio: httpx.AsyncClient) -> None:
    urls = [(await submit(studio))["status_url"] for _ in range(3)]
    shown = [(await studio.get(url)).json()["queue_position"] for url in urls]
    assert shown == [1, 2, 3]


@pytest.mark.parametrize(
    "status", [Status.QUEUED, Status.SUBMITTING, Status.IN_QUEUE, Status.IN_PROGRESS]
)
async def test_before_the_end_the_result_is_where_the_request_is(
    studio: httpx.AsyncClient, worker: PlayedWorker, status: Status
) -> None:
    accepted = await submit(studio)
    if status is not Status.QUEUED:
        await worker.bring_to(status)
    answer = await studio.get(accepted["result_url"])
    assert answer.status_code == 200
    result = answer.json()
    assert result.pop("queue_position", None) == POSITIONS.get(status)
    assert result.pop("created_at")
    assert result == {
        "request_id": accepted["request_id"],
        "model_id": UNLISTED,
        "status": SHOWN[status],
        "input": INPUT,
    }


async def test_a_success_has_its_output_and_echoes_its_input(
    studio: httpx.AsyncClient, worker: PlayedWorker
) -> None:
    accepted = await submit(studio)
    await worker.bring_to(Status.SUCCEEDED)
    result = (await studio.get(accepted["result_url"])).json()
    assert result["status"] == "succeeded"
    assert result["output"] == OUTPUT
    assert result["input"] == INPUT
    assert result["created_at"] <= result["finished_at"]
    assert "error" not in result


async def test_the_cost_is_told_to_who_asks_for_it(
    studio: httpx.AsyncClient, worker: PlayedWorker
) -> None:
    url = (await submit(studio))["result_url"]
    await worker.bring_to(Status.SUCCEEDED)
    assert "cost" not in (await studio.get(url)).json()
    assert (await studio.get(url, params={"include_cost": "true"})).json()["cost"] == 2.85


async def test_a_cost_that_is_not_known_is_left_out(studio: httpx.AsyncClient) -> None:
    url = (await submit(studio))["result_url"]
    assert "cost" not in (await studio.get(url, params={"include_cost": "true"})).json()


async def test_a_failure_says_why(studio: httpx.AsyncClient, worker: PlayedWorker) -> None:
    url = (await submit(studio))["result_url"]
    await worker.bring_to(Status.FAILED)
    result = (await studio.get(url)).json()
    assert result["status"] == "failed"
    assert result["error"] == "The model could not do it."
    assert "output" not in result


async def test_acceptance_is_logged_without_the_prompt(
    studio: httpx.AsyncClient, gateway: GatewayProcess
) -> None:
    accepted = await submit(studio)
    (line,) = [x for x in gateway.log.splitlines() if accepted["request_id"] in x]
    assert '"event":"generation.accepted"' in line
    assert '"origin":"studio"' in line
    assert "gentle breeze" not in gateway.log
