"""What is marked as secret goes in, and is looked for in everything that comes out or is kept.

Records hold inputs and URLs, which is what they are for; the database of the records is the one
place that is not searched.
"""

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import uuid4

import pytest

from generations.connection import Redis
from generations.endpoints import EndpointSet, EndpointStore
from generations.signing_keys import PRIVATE, SEED_BYTES, SigningKey
from ops.local.example import INPUT, MODEL_ID
from tests.acceptance.broker import LANES
from tests.acceptance.observed import FLOWER_LOGIN, GATEWAY, WORKER, Observed
from tests.acceptance.origins import OriginClient
from tests.acceptance.receiver import Endpoint
from tests.acceptance.stack import SIGNING_KEYS, TOKEN
from tests.acceptance.waiting import eventually

PROMPT, SIGNATURE, NOTE, HEADER = (
    f"{what}{uuid4().hex}" for what in ("prompt", "signature", "note", "header")
)


@pytest.fixture
def marked(watched: OriginClient) -> dict[str, str]:
    """Everything that nobody may show, by what it is."""
    return {
        "prompt": PROMPT,
        "signature of an image": SIGNATURE,
        "query of an endpoint": "SIGNED",
        "metadata": NOTE,
        "API key": watched.api_key,
        "webhook secret": watched.secret,
        "webhook secret without its prefix": watched.secret.removeprefix("whsec_"),
        "RunComfy's token": TOKEN,
        "Flower's password": FLOWER_LOGIN[1],
        "output": "/outputs/",
        "header of an endpoint": HEADER,
        **{f"signing key {n}": key.private_text for n, key in enumerate(SIGNING_KEYS)},
        **{f"seed of signing key {n}": seed_of(key) for n, key in enumerate(SIGNING_KEYS)},
    }


def seed_of(key: SigningKey) -> str:
    """What of its text is secret, as far as that is whole characters."""
    return key.private_text.removeprefix(PRIVATE)[: SEED_BYTES * 4 // 3]


@pytest.fixture
def held_back(observed: Observed) -> Iterator[Observed]:
    """No message is taken before its lane is let go."""
    broker = observed.stack.broker
    broker.hold_back(*LANES, workers=1)
    yield observed
    broker.let_go(*LANES, workers=1)
    observed.stack.runcomfy.reset()


def ask(watched: OriginClient, endpoint: Endpoint, words: str = "", **more: Any) -> str:
    """Have a generation accepted whose every part is marked; its id."""
    image = f"https://images.example/one.png?X-Amz-Signature={SIGNATURE}"
    body = {
        "model": MODEL_ID,
        "input": {**INPUT, "prompt": f"{PROMPT} {words}", "first_frame_image_url": image},
        "webhook": endpoint.url,
        "webhook_intermediate_status": True,
        "metadata": {"note": NOTE},
        **more,
    }
    answer = watched.call("POST", "/v1/generations", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def wait_until_told(watched: OriginClient, generation_id: str, how: str) -> None:
    """Come back once the last of its deliveries has ended so."""

    def look() -> bool:
        deliveries = watched.record(generation_id)["deliveries"]
        return bool(deliveries and deliveries[-1]["status"] == how)

    eventually(look, f"the last delivery of {generation_id} is {how}")


def give_header(observed: Observed, watched: OriginClient, endpoint: Endpoint) -> None:
    """Have an endpoint sent a secret of its own."""

    async def work(redis: Redis) -> EndpointSet:
        headers = {"Authorization": f"Bearer {HEADER}"}
        return await EndpointStore(redis).set(watched.name, endpoint.url, headers=headers)

    assert observed.stack.with_store(work) is EndpointSet.SET


def through_the_queues(observed: Observed, watched: OriginClient) -> tuple[str, str]:
    """One generation's whole path, stopped at each queue; its id, and what the broker held."""
    broker, endpoint, seen = observed.stack.broker, watched.endpoint(500), ""
    give_header(observed, watched, endpoint)
    about = generation_id = ask(watched, endpoint)
    with broker.listening() as heard:
        for lane in LANES:
            if lane == "deliveries":
                record = watched.wait_until(generation_id, "succeeded")
                about = record["deliveries"][-1]["id"]
            broker.wait_for_message(lane, about)
            seen += broker.contents()
            broker.let_go(lane, workers=1)
        told = endpoint.wait_for_event("generation.succeeded")
        assert told.headers["authorization"] == f"Bearer {HEADER}"
        wait_until_told(watched, generation_id, "delivered")
        seen += broker.contents() + heard()
    return generation_id, seen


def into_trouble(observed: Observed, watched: OriginClient) -> str:
    """Failures of every kind, each of which has something to say; what the callers were told."""
    endpoint, runcomfy = watched.endpoint(), observed.stack.runcomfy
    unreachable = f"http://127.0.0.1:9/callback?token={SIGNATURE}"
    tested = watched.call("POST", "/v1/endpoints/test", json={"webhook": endpoint.url})
    assert tested.json()["status"] == "delivered"
    exhausted = ask(watched, endpoint, webhook=unreachable)
    watched.wait_until(exhausted, "succeeded")
    for fault in ("answer_lost", "error_500", "html", "error_code_200"):
        runcomfy.order(fault, route="submit")
    refused = [ask(watched, endpoint) for _ in range(4)]
    for generation_id in refused:
        watched.wait_until(generation_id, "failed")
    runcomfy.order("error_500", route="status", times=2)
    failed = ask(watched, endpoint, "[[sim:failed]]")
    # RunComfy's own route has the endpoint in its query.
    asked = watched.submit({**INPUT, "prompt": PROMPT}, model_id=MODEL_ID, webhook=endpoint.url)
    for generation_id in (failed, asked):
        watched.wait_until_finished(generation_id)
    wait_until_told(watched, exhausted, "exhausted")
    return "".join(answer for answer in refusals(watched))


def refusals(watched: OriginClient) -> Iterator[str]:
    """What is answered to requests that are refused, each for another reason."""
    image = {"image_url": f"https://images.example/?s={SIGNATURE}"}
    wrong: list[Mapping[str, Any]] = [
        {"json": {"model": MODEL_ID, "input": {"prompt": [PROMPT], **image}}},
        {"json": {"model": MODEL_ID, "input": {PROMPT: 1, "prompt": "x"}, "metadata": [NOTE]}},
        {"json": {"model": PROMPT * 9, "input": {}}},
        {"json": {"model": MODEL_ID, "input": {}, "webhook": f"http://10.0.0.1/?t={SIGNATURE}"}},
        {"json": {"model": MODEL_ID, "input": {}, "webhook": f"ftp://x/?t={SIGNATURE}"}},
        {"content": f'{{"prompt": "{PROMPT}"'.encode()},
    ]
    for request in wrong:
        answer = watched.call("POST", "/v1/generations", **request)
        assert answer.is_client_error
        yield answer.text
    bad_key = watched.http.get(
        "/v1/generations", headers={"Authorization": f"Bearer {watched.api_key}x"}
    )
    assert bad_key.status_code == 401
    yield bad_key.text


def test_nothing_that_is_marked_is_to_be_seen_anywhere(
    held_back: Observed, watched: OriginClient, marked: dict[str, str]
) -> None:
    generation_id, broker = through_the_queues(held_back, watched)
    answers = into_trouble(held_back, watched)
    programs = [*held_back.stack.programs.values(), held_back.flower]
    # The simulator plays RunComfy, which is told all of it.
    logs = {p.name: p.text(whole=True) for p in programs if p is not held_back.stack.simulator}
    tasks = eventually(lambda: flower_tasks(held_back, generation_id), "Flower knows the tasks")
    places = {
        **logs,
        "broker": broker + held_back.stack.broker.contents(),
        "Flower": tasks + held_back.ask_flower("/api/workers"),
        "the gateway's metrics": held_back.exposition(GATEWAY),
        "the worker's metrics": held_back.exposition(WORKER),
        "spans": held_back.collector.raw.decode(errors="replace"),
    }
    for name in ("gateway", "worker-1", "broker", "Flower", "spans"):
        assert generation_id in places[name], name
    found = [
        f"{what} in {name}"
        for name, text in places.items()
        for what, secret in marked.items()
        if secret in text
    ]
    assert found == []
    # What a caller is told may name fields of its own request, and nothing of their values.
    assert [what for what, secret in marked.items() if secret in answers] == []


def flower_tasks(observed: Observed, generation_id: str) -> str | None:
    """What Flower tells of its tasks, once it knows those of a generation."""
    told = observed.ask_flower("/api/tasks?limit=1000")
    return told if generation_id in told and "attempted 1" in told else None
