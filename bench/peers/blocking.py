"""The plain way: one Celery task that submits, sleeps, and polls until it is done.

Right as long as its worker lives, and one process a generation in flight. Started by
``celery -A bench.peers.blocking worker --pool prefork``.
"""

import time
from typing import Any

from bench.peers.countdown import UPSTREAM, call_back, celery, client, gap

__all__ = ["celery", "run"]


@celery.task(name="peer.run", autoretry_for=(), acks_late=False)
def run(model_id: str, given: dict[str, Any]) -> None:
    """A whole generation."""
    answer = client.post(f"{UPSTREAM}/models/{model_id}", json=given).raise_for_status()
    request_id, polls = answer.json()["request_id"], 0
    while True:
        time.sleep(gap(polls))
        status = client.get(f"{UPSTREAM}/requests/{request_id}/status").raise_for_status().json()
        polls += 1
        if status["status"] == "completed":
            break
    call_back(client.get(f"{UPSTREAM}/requests/{request_id}/result").raise_for_status().json())
