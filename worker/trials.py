"""Suspects, tried by a process beside the worker, whose death tells which of them it died of.

What that process does is in ``alone.py``.
"""

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

from generations.due import Claim, new_fence
from generations.logs import logger
from generations.records import dump_json
from generations.tally import inherit, load
from worker.clients import Clients

log = logger(__name__)

#: For the process to start, on a machine that is busy.
STARTING: Final = timedelta(minutes=1)


async def try_alone(claims: Sequence[Claim], clients: Clients) -> None:
    """Have a process of its own work on these, one after the other, and see whether it survives.

    Of those that it did not come to, nothing is changed; their claims run out.
    """
    trials = [replace(claim, fence=new_fence()) for claim in claims]
    asked = [
        [claim.lane, claim.id, claim.fence, trial.fence]
        for claim, trial in zip(claims, trials, strict=True)
    ]
    budgets = (clients.leases.budgets[claim.lane] for claim in claims)
    exit_code = await _run(dump_json(asked).encode(), limit=sum(budgets, STARTING))
    if exit_code == 0:
        return
    log.error("trial.died", exit_code=exit_code, ids=[claim.id for claim in claims])
    for trial in trials:
        # The one that it had taken, and not settled, is the one that still has this fence.
        await clients.due.note_death(trial)


async def _run(asked: bytes, *, limit: timedelta) -> int | None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "worker.alone"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(limit.total_seconds()):
            counted, _ = await process.communicate(asked)
        inherit(load(counted))
    except TimeoutError:
        process.kill()
        await process.wait()
    finally:
        if process.returncode is None:
            # The worker ends: what it is at is given back.
            process.terminate()
    return process.returncode
