"""``make chaos`` in short: parts and Redis are killed under load, and every promise is kept."""

from pathlib import Path
from typing import Final

import pytest

from bench.chaos.run import run_chaos
from bench.chaos.settings import ChaosSettings
from ops.local.folder import Folder

SHORT: Final = ChaosSettings(n=200, seconds=25.0, kills=8, redis_kills=2, drain=120.0)


@pytest.mark.timeout(240)
async def test_nothing_is_lost_or_paid_twice_while_parts_and_redis_are_killed(
    tmp_path: Path,
) -> None:
    figures = (await run_chaos(SHORT, Folder(tmp_path))).as_json()

    broken = ("lost", "paid_twice", "callbacks_missing", "callbacks_unverified")
    assert {name: figures[name] for name in broken} == dict.fromkeys(broken, 0), figures
    whole = ("accepted", "distinct_ids", "finished")
    assert {name: figures[name] for name in whole} == dict.fromkeys(whole, SHORT.n), figures
    assert (figures["kills"], figures["redis_kills"]) == (8, 2)
    assert figures["replays_differing"] == 0
    assert figures["longest_stall_s"] < 30
