"""What a suspect is tried by: ``python -m worker.alone``, with claims on its standard input.

They are worked on one after the other, so that a death has one cause; ``trials.py`` waits for it.
"""

import asyncio
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from functools import partial

from generations.due import Claim
from generations.errors import StoreUnavailable
from generations.logs import configure_logs, logger, note_subject
from generations.model import Delivery
from generations.settings import WorkerSettings
from generations.steps import Lane
from generations.tally import tally
from generations.traces import collect_traces, end_traces
from worker.claims import GIVEN_BACK, LEFT, about, act, report
from worker.clients import Clients
from worker.delivery import attempt_once
from worker.polling import count_polls, poll_once
from worker.submission import submit_once
from worker.turns import addressed

log = logger(__name__)

#: Lane, id, the claim's fence, and the fence that the take leaves behind.
Asked = tuple[str, str, int, int]


async def try_all(asked: Sequence[Asked], clients: Clients) -> None:
    """Work on each, until one is left unsettled: only what it died of may be that."""
    worker = os.getppid()
    for lane, record_id, fence, next_fence in asked:
        # Nobody would see the death of what is tried now.
        if os.getppid() != worker:
            return
        word = await _try(Claim(Lane(lane), record_id, fence), next_fence, clients)
        if word in {LEFT, GIVEN_BACK}:
            return


async def _try(claim: Claim, next_fence: int, clients: Clients) -> str | None:
    lease = clients.leases.lease(claim.lane)
    taken = await clients.due.take_alone(claim, fence=next_fence, lease=lease)
    if taken is None:
        return None
    mine, record = taken
    note_subject(partial(about, mine, record))
    if isinstance(record, Delivery):
        ((mine, delivery),) = await addressed([(mine, record)], clients)
        return await act(mine, delivery, attempt_once, clients)
    once = submit_once if claim.lane is Lane.SUBMISSIONS else poll_once
    word = await act(mine, record, once, clients)
    if once is poll_once:
        count_polls([word])
    await report(Counter([word]), clients)
    return word


async def main() -> None:
    """Try what is asked for; a record that breaks the code ends the process."""
    settings = WorkerSettings()
    configure_logs(settings.log_level)
    collect_traces("worker", settings)
    clients = await Clients.open(settings)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, clients.calls.end)
    try:
        await try_all(json.load(sys.stdin), clients)
    except StoreUnavailable as exc:
        log.warning("trial.left", reason=type(exc).__name__)
    finally:
        await clients.close()
        end_traces()
        # Whoever started this goes on with its counts.
        sys.stdout.write(json.dumps(tally()))


if __name__ == "__main__":
    asyncio.run(main())
