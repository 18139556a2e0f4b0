"""The common recipe: one Celery message per poll, sent with ``countdown``, and a kept client.

Durable where Celery is (the broker), early acknowledgement, no results, no events: the cheapest
way to run it. Started by ``celery -A bench.peers.countdown worker --pool …``.
"""

import json
import os
from datetime import UTC, datetime
from typing import Any, Final

import httpx
from celery import Celery
from standardwebhooks.webhooks import Webhook

from bench.peers import PEER_SECRET

UPSTREAM: Final = os.environ.get("PEER_UPSTREAM", "http://127.0.0.1:9000/v1")
CALLBACK: Final = os.environ.get("PEER_CALLBACK", "")

celery: Final = Celery(broker=os.environ.get("PEER_BROKER", "redis://127.0.0.1:6379/3"))
celery.conf.update(task_ignore_result=True, broker_connection_retry_on_startup=True)
#: Opened once and shared: httpx.Client may be used by many threads.
client: Final = httpx.Client(
    headers={"Authorization": "Bearer bench", "User-Agent": "peer"},
    timeout=15,
    limits=httpx.Limits(max_connections=200, max_keepalive_connections=200),
    trust_env=False,
)


@celery.task(name="peer.generate")
def generate(model_id: str, given: dict[str, Any]) -> None:
    """Submit, and come back for the first look."""
    answer = client.post(f"{UPSTREAM}/models/{model_id}", json=given).raise_for_status()
    poll.apply_async((answer.json()["request_id"], 1), countdown=gap(0))


@celery.task(name="peer.poll")
def poll(request_id: str, polls: int) -> None:
    """One look; another message where it is not done."""
    status = client.get(f"{UPSTREAM}/requests/{request_id}/status").raise_for_status().json()
    if status["status"] != "completed":
        poll.apply_async((request_id, polls + 1), countdown=gap(polls))
        return
    result = client.get(f"{UPSTREAM}/requests/{request_id}/result").raise_for_status().json()
    tell.delay(result)


@celery.task(name="peer.tell", max_retries=9)
def tell(result: dict[str, Any]) -> None:
    """Call back, signed as Standard Webhooks has it; again later where nobody took it."""
    try:
        call_back(result)
    except httpx.HTTPError as exc:
        raise tell.retry(exc=exc, countdown=5) from exc


def call_back(result: dict[str, Any]) -> None:
    """One signed POST."""
    body, now = json.dumps(result), datetime.now(UTC)
    event_id = f"evt_{result['request_id']}"
    headers = {
        "content-type": "application/json",
        "webhook-id": event_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(PEER_SECRET).sign(event_id, now, body),
    }
    client.post(CALLBACK, content=body, headers=headers).raise_for_status()


def gap(polls: int) -> float:
    """Seconds until the next look: the backoff that Darkroom begins with, too."""
    return float(min(1.25**polls, 10))
