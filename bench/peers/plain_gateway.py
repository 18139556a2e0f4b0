"""The gateway that many begin with: FastAPI, and a Celery message for every request.

It checks neither key nor input, knows no idempotency, and keeps no record to ask for: the
message is all there is. Started by ``granian --interface asgi bench.peers.plain_gateway:app``.
"""

import os
from typing import Any, Final

from celery import Celery
from fastapi import FastAPI

app = FastAPI()
celery: Final = Celery(broker=os.environ.get("PLAIN_BROKER_URL", "redis://127.0.0.1:6379/2"))
celery.conf.task_ignore_result = True


@celery.task(name="plain.generate")
def generate(model_id: str, given: dict[str, Any]) -> None:
    """Nobody consumes it: only the way into the queue is measured."""


# Not async: apply_async blocks, so FastAPI runs it in its threads, as its manual says.
@app.post("/v1/models/{model_id:path}")
def create(model_id: str, given: dict[str, Any]) -> dict[str, str]:
    """Put a message in the queue; its id."""
    return {"request_id": str(generate.delay(model_id, given).id)}


@app.get("/readyz")
def ready() -> dict[str, str]:
    """Whether it serves."""
    return {"status": "ready"}
