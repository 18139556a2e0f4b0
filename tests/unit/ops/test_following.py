"""Following a generation in a terminal: what is told, and how far the bar is."""

import io
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from rich.console import Console

from ops.following import JsonLines, follow, progress_of, show_until_ended, urls_of
from ops.story import Json
from tests.builders import NOW

SECOND = timedelta(seconds=1)
STATUSES = ("queued", "submitting", "in_queue", "in_progress", "succeeded")


def a_record(status: str, **fields: Any) -> dict[str, Any]:
    """What the gateway says of a generation a second after each of its moves."""
    moves = (
        STATUSES[: STATUSES.index(status) + 1] if status in STATUSES else (*STATUSES[:1], status)
    )
    timeline = [
        {"sequence": n + 1, "status": move, "at": (NOW + n * SECOND).isoformat()}
        for n, move in enumerate(moves)
    ]
    record: dict[str, Any] = {
        "id": "gen_1",
        "status": status,
        "created_at": NOW.isoformat(),
        "timeline": timeline,
        "polls": 0,
        "deliveries": [],
    }
    return record | fields


class Looks:
    """Looks that see one record after the other."""

    def __init__(self, *records: Json) -> None:
        self._records: Iterator[Json] = iter(records)

    async def __call__(self) -> Json:
        return next(self._records)


async def test_a_script_gets_a_line_for_each_change_and_none_for_a_look_that_saw_nothing() -> None:
    queued, ended = a_record("queued"), a_record("succeeded")
    lines: list[str] = []
    assert await follow(Looks(queued, queued, ended), JsonLines(lines.append)) == ended
    assert [json.loads(line) for line in lines] == [queued, ended]


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled"])
async def test_every_end_ends_it(status: str) -> None:
    lines: list[str] = []
    ended = a_record(status)
    assert await follow(Looks(ended), JsonLines(lines.append)) == ended


async def shown(*records: Json) -> list[str]:
    written = io.StringIO()
    await show_until_ended(Looks(*records), Console(file=written), as_json=False)
    return [line.strip() for line in written.getvalue().splitlines() if line.strip()]


async def test_a_person_is_told_each_move_once_and_what_came_of_it() -> None:
    output = {"video": "https://a/1.mp4", "videos": ["https://a/1.mp4"]}
    ended = a_record("succeeded", output=output, cost=0.25)
    assert await shown(a_record("in_queue"), a_record("in_progress"), ended) == [
        "0.00 s  queued",
        "1.00 s  submitting",
        "2.00 s  in queue",
        "3.00 s  in progress",
        "4.00 s  succeeded",
        "output   https://a/1.mp4",
        "cost     0.2500 USD",
    ]


async def test_a_failure_is_told_with_its_reason() -> None:
    error = {"code": "rejected", "message": "Not [bold]this[/bold] way."}
    lines = await shown(a_record("failed", error=error))
    assert lines[-1] == "error    rejected: Not [bold]this[/bold] way."


@pytest.mark.parametrize(
    ("passed", "done", "left"),
    [
        (0, 0.0, "about 40 s left"),
        (10, 0.25, "about 30 s left"),
        (39.5, 0.97, "any moment now"),
        (400, 0.97, "any moment now"),
    ],
)
def test_the_bar_follows_the_estimate_and_is_never_full_before_the_end(
    passed: float, done: float, left: str
) -> None:
    record = a_record("in_progress", estimated_finish_at=(NOW + 40 * SECOND).isoformat())
    reached, said = progress_of(record, NOW + passed * SECOND)
    assert reached == pytest.approx(done)
    assert said == left


def test_an_estimate_that_was_over_at_once_breaks_nothing() -> None:
    record = a_record("in_progress", estimated_finish_at=NOW.isoformat())
    assert progress_of(record, NOW + SECOND)[0] == pytest.approx(0.97, abs=1e-3)


def test_nobody_can_tell_how_far_what_waits_or_is_new_is() -> None:
    assert progress_of(a_record("in_queue", queue_position=3), NOW) == (
        None,
        "place 3 in the queue",
    )
    assert progress_of(a_record("in_progress", estimated_finish_at=None), NOW) == (None, "")


@pytest.mark.parametrize(
    ("output", "urls"),
    [
        (None, []),
        ("https://a/1", ["https://a/1"]),
        ("no address", []),
        (["https://a/1", {"image": "https://a/2"}, 3], ["https://a/1", "https://a/2"]),
        ({"video": "https://a/1", "videos": ["https://a/1"]}, ["https://a/1"]),
    ],
)
def test_the_addresses_in_an_output_are_found_whatever_its_shape(
    output: object, urls: list[str]
) -> None:
    assert urls_of(output) == urls
