"""Whatever is sent, the gateway answers as its OpenAPI document says, and never with a 5xx.

schemathesis makes the requests from the document: its examples, the edges of every schema,
random data within and outside of it, and chains of calls. What it may not find out by itself
is in ``conformance_hooks.py``.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from redis.asyncio import Redis

from generations.lifecycle import DeliveryStatus, Status
from generations.origins import OriginStore
from generations.steps import Lane, Step
from tests.builders import ENDPOINT, SEEDANCE, an_attempt
from tests.conftest import RedisServer
from tests.integration.gateway_process import ROOT, GatewayProcess
from tests.integration.played_worker import PlayedWorker

VIDEO_INPUT = {"prompt": "A gentle breeze", "first_frame_image_url": "https://a.example/1.png"}
#: Seconds; it takes about 60 on two cores.
PATIENCE = 400
CONFIG = str(Path(__file__).with_name("schemathesis.toml"))
SCHEMATHESIS = [sys.executable, "-m", "schemathesis.cli", "--config-file", CONFIG]


@pytest.fixture
def hasty_gateway(valkey_server: RedisServer, tmp_path: Path) -> Iterator[GatewayProcess]:
    """A gateway that waits for no worker, as there is none."""
    started = GatewayProcess(
        tmp_path / "gateway.log",
        redis_url=valkey_server.url(),
        CANCEL_WAIT="0",
        ENDPOINT_TEST_WAIT="0",
        WEBHOOK_HTTPS_ONLY="true",
    )
    yield started
    started.stop()


async def one_in_every_status(client: httpx.AsyncClient, worker: PlayedWorker) -> dict[str, str]:
    """The ids of generations, by the names of their statuses."""
    ids = {}
    for status in [*(s for s in Status if s is not Status.QUEUED), Status.QUEUED]:
        path = f"/v1/models/{SEEDANCE}"
        accepted = await client.post(path, json=VIDEO_INPUT, params={"webhook": ENDPOINT})
        ids[status.name] = str(accepted.json()["request_id"])
        if status is not Status.QUEUED:
            await worker.bring_to(status)
    return ids


async def delivery_given_up(client: httpx.AsyncClient, worker: PlayedWorker, of: str) -> str:
    """The id of a generation's delivery, which no endpoint took; nor did any take the others."""
    claims = await worker.due.claim({Lane.DELIVERIES: 10}, lease=worker.lease)
    for claim, _ in await worker.due.take_deliveries(claims, lease=worker.lease):
        attempt = an_attempt(status_code=410, response_body="Gone")
        await worker.due.settle(claim, Step(due=None, to=DeliveryStatus.EXHAUSTED, attempt=attempt))
    (told,) = (await client.get(f"/v1/generations/{of}/deliveries")).json()["deliveries"]
    assert told["status"] == "exhausted"
    return str(told["id"])


@pytest.mark.timeout(PATIENCE + 20)
async def test_every_answer_is_as_the_description_says(
    hasty_gateway: GatewayProcess, store_redis: Redis, worker: PlayedWorker, tmp_path: Path
) -> None:
    key = await OriginStore(store_redis).create_key("studio")
    headers = {"Authorization": f"Bearer {key.api_key}"}
    async with httpx.AsyncClient(base_url=hasty_gateway.url, headers=headers) as client:
        ids = await one_in_every_status(client, worker)
        ids["ENDED"] = ids["SUCCEEDED"]
        ids["DELIVERY"] = await delivery_given_up(client, worker, ids["ENDED"])
    told = {"API_KEY": key.api_key, "PYTHONPATH": str(ROOT)}
    run = await asyncio.to_thread(
        subprocess.run,
        [*SCHEMATHESIS, "run", f"{hasty_gateway.url}/openapi.json", "--no-color"],
        cwd=tmp_path,  # It keeps a cache where it runs.
        env=os.environ | ids | told,
        timeout=PATIENCE,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "request.broke" not in hasty_gateway.log
    # The run met what there is, and not only what there is not.
    assert "delivery.redelivered" in hasty_gateway.log
    assert "endpoint.tested" in hasty_gateway.log
