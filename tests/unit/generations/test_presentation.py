"""Generations in RunComfy's words, and in those of callbacks."""

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from generations.lifecycle import Status, is_finished
from generations.model import ErrorCode, GenerationError, Moment, PastEnd
from generations.presentation import event_body, result_body, rfc3339, shown_status, timings
from generations.records import dump_json
from tests.builders import NOW, SEEDANCE, a_generation

OUTPUT = {"video": "https://files.runcomfy.net/a.mp4"}
ERROR = GenerationError(ErrorCode.GENERATION_FAILED, "Out of memory.")
UNFINISHED = [status for status in Status if not is_finished(status)]

#: The second column of the design's table.
SHOWN = {
    "queued": "in_queue",
    "submitting": "in_queue",
    "in_queue": "in_queue",
    "in_progress": "in_progress",
    "succeeded": "completed",
    "failed": "completed",
    "cancelled": "cancelled",
}


@pytest.mark.parametrize("status", Status)
def test_a_status_is_shown_in_runcomfys_word(status: Status) -> None:
    assert shown_status(status) == SHOWN[status]


@pytest.mark.parametrize("status", UNFINISHED)
def test_before_the_end_a_result_says_where_the_request_is(status: Status) -> None:
    generation = a_generation(status=status)
    assert result_body(generation) == {
        "request_id": generation.id,
        "model_id": SEEDANCE,
        "status": SHOWN[status],
        "input": {"prompt": "A gentle breeze"},
        "created_at": "2026-11-22T12:00:00.000000+00:00",
    }


def test_a_result_says_succeeded_where_the_status_said_completed() -> None:
    generation = a_generation(status=Status.SUCCEEDED, output=OUTPUT)
    assert result_body(generation) == {
        "request_id": generation.id,
        "model_id": SEEDANCE,
        "status": "succeeded",
        "input": {"prompt": "A gentle breeze"},
        "output": OUTPUT,
        "created_at": "2026-11-22T12:00:00.000000+00:00",
        "finished_at": "2026-11-22T12:00:04.000000+00:00",
    }


def test_a_result_has_the_queue_position_where_there_is_one() -> None:
    waiting = a_generation(status=Status.IN_QUEUE)
    assert result_body(waiting, queue_position=3)["queue_position"] == 3
    assert "queue_position" not in result_body(waiting)


def test_a_failed_result_says_why_and_has_no_output() -> None:
    body = result_body(a_generation(status=Status.FAILED, error=ERROR))
    assert body["status"] == "failed"
    assert body["error"] == "Out of memory."
    assert "output" not in body


def test_a_cancelled_result_has_neither_output_nor_error() -> None:
    body = result_body(a_generation(status=Status.CANCELLED))
    assert body["status"] == "cancelled"
    assert not {"output", "error"} & set(body)


@pytest.mark.parametrize("output", [[], {}, "", 0, False])
def test_an_empty_output_is_an_output(output: Any) -> None:
    assert result_body(a_generation(status=Status.SUCCEEDED, output=output))["output"] == output


@pytest.mark.parametrize("status", list(Status))
def test_metadata_is_in_a_result_only_where_it_was_given(status: Status) -> None:
    noted = a_generation(status=status, metadata={"order": "4711"})
    assert result_body(noted)["metadata"] == {"order": "4711"}
    assert "metadata" not in result_body(a_generation(status=status))


def test_an_event_carries_the_metadata() -> None:
    noted = a_generation(status=Status.IN_QUEUE, metadata={"order": "4711"})
    assert event_body(noted, 3)["data"]["metadata"] == noted.metadata


def test_runcomfys_own_id_is_never_shown() -> None:
    generation = a_generation(status=Status.SUCCEEDED, runcomfy_request_id="rc-secret-1")
    event = event_body(generation, 5)
    assert "rc-secret-1" not in dump_json([result_body(generation), event])


def test_an_event_of_success_carries_the_output() -> None:
    generation = a_generation(status=Status.SUCCEEDED, output=OUTPUT, submissions=1, cost=2.85)
    assert event_body(generation, 5) == {
        "type": "generation.succeeded",
        "timestamp": "2026-11-22T12:00:04.000Z",
        "data": {
            "request_id": generation.id,
            "model_id": SEEDANCE,
            "status": "succeeded",
            "output": OUTPUT,
            "error": None,
            "created_at": "2026-11-22T12:00:00.000Z",
            "finished_at": "2026-11-22T12:00:04.000Z",
            "sequence": 5,
            "submissions": 1,
            "possible_duplicate_charge": False,
            "cost": 2.85,
            "timings": {"queued": 1.0, "submitting": 1.0, "in_queue": 1.0, "in_progress": 1.0},
            "metadata": {},
        },
    }


def test_a_cost_is_told_with_the_end_and_no_sooner() -> None:
    generation = a_generation(status=Status.SUCCEEDED, cost=2.85)
    costs = [event_body(generation, n)["data"]["cost"] for n in (3, 4, 5)]
    assert costs == [None, None, 2.85]


def test_timings_are_what_was_spent_in_each_status_so_far() -> None:
    generation = a_generation(status=Status.SUCCEEDED)
    assert event_body(generation, 1)["data"]["timings"] == {}
    assert event_body(generation, 3)["data"]["timings"] == {"queued": 1.0, "submitting": 1.0}


def test_a_status_that_was_entered_twice_has_both_its_times() -> None:
    words = (Status.QUEUED, Status.SUBMITTING, Status.QUEUED, Status.SUBMITTING, Status.FAILED)
    ends = (0.0, 1.5, 1.75, 11.75, 12.001)
    moments = [Moment(s, NOW + timedelta(seconds=n)) for s, n in zip(words, ends, strict=True)]
    assert timings(moments) == {"queued": 11.5, "submitting": 0.501}


def test_an_event_of_failure_says_why_and_how_often_it_was_perhaps_paid() -> None:
    generation = a_generation(
        status=Status.FAILED, error=ERROR, submissions=2, possible_duplicate_charge=True
    )
    data = event_body(generation, 5)["data"]
    assert data["error"] == {"code": "generation_failed", "message": "Out of memory."}
    assert (data["submissions"], data["possible_duplicate_charge"]) == (2, True)
    assert data["output"] is None


def test_an_event_keeps_its_content_when_the_generation_goes_on() -> None:
    before = a_generation(status=Status.IN_QUEUE)
    after = replace(a_generation(status=Status.SUCCEEDED, output=OUTPUT), id=before.id)
    assert event_body(before, 3) == event_body(after, 3)
    assert event_body(after, 3)["type"] == "generation.in_queue"
    assert event_body(after, 3)["data"]["output"] is None
    assert event_body(after, 3)["data"]["finished_at"] is None
    assert event_body(after, 3)["timestamp"] == "2026-11-22T12:00:02.000Z"


def test_an_end_that_was_reopened_is_still_told_as_the_end_that_it_was() -> None:
    failed = a_generation(status=Status.FAILED, error=ERROR)
    again = Moment(Status.QUEUED, NOW + timedelta(hours=1))
    reopened = replace(
        failed,
        status=Status.QUEUED,
        timeline=(*failed.timeline, again),
        error=None,
        possible_duplicate_charge=True,
        past_ends=(PastEnd(5, ERROR, 0, possible_duplicate_charge=False),),
    )
    assert event_body(reopened, 6)["data"]["possible_duplicate_charge"] is True
    assert event_body(reopened, 5)["data"]["status"] == "failed"
    assert event_body(reopened, 5) == event_body(failed, 5)
    assert event_body(reopened, 5)["data"]["finished_at"] == "2026-11-22T12:00:04.000Z"
    assert event_body(reopened, 6)["type"] == "generation.queued"
    assert event_body(reopened, 6)["data"]["finished_at"] is None


@pytest.mark.parametrize("status", [Status.IN_QUEUE, Status.IN_PROGRESS, Status.SUCCEEDED])
def test_what_is_shown_is_json(status: Status) -> None:
    generation = a_generation(status=status)
    shown = [result_body(generation), event_body(generation, len(generation.timeline))]
    assert json.loads(dump_json(shown)) == shown


def test_instants_are_shown_in_utc_with_milliseconds() -> None:
    at = datetime(2026, 11, 22, 13, 30, 1, 234_999, tzinfo=timezone(timedelta(hours=1)))
    assert rfc3339(at) == "2026-11-22T12:30:01.234Z"
    assert rfc3339(NOW) == "2026-11-22T12:00:00.000Z"
    assert rfc3339(None) is None


@pytest.mark.parametrize(("is_late", "told"), [(False, 2.85), (True, None)])
def test_an_event_has_the_same_cost_however_late_it_is_told(
    is_late: bool, told: float | None
) -> None:
    generation = a_generation(status=Status.SUCCEEDED, cost=2.85, is_cost_late=is_late)
    body = event_body(generation, len(generation.timeline))
    assert body["data"]["cost"] == told
