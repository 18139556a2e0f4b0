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


#: Whose task it is; where nobody consumes it, only the way into the queue is measured.
TASK: Final = os.environ.get("PLAIN_TASK", "plain.generate")


# apply_async blocks, so FastAPI's manual would have it run in threads.
@app.post("/in-threads/v1/models/{model_id:path}")
def create(model_id: str, given: dict[str, Any]) -> dict[str, str]:
    """Put a message in the queue; its id."""
    return {"request_id": str(celery.send_task(TASK, (model_id, given)).id)}


# It costs less CPU where it blocks the loop instead, and everybody else with it.
@app.post("/on-the-loop/v1/models/{model_id:path}")
async def create_blocking(model_id: str, given: dict[str, Any]) -> dict[str, str]:
    """The same, on the event loop."""
    return create(model_id, given)


@app.get("/readyz")
def ready() -> dict[str, str]:
    """Whether it serves."""
    return {"status": "ready"}
