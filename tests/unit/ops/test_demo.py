"""The demo's story and verdict: what is told, in which order, and what makes it fail."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ops.demo.client import Output
from ops.demo.verdict import Facts, has_all_tasks, judge, output_url, timings
from ops.local.example import INPUT, MODEL_ID
from ops.story import Step, Story

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(seconds: float) -> str:
    return (START + timedelta(seconds=seconds)).isoformat()


def a_record(*moves: str, **more: Any) -> dict[str, Any]:
    """A native record with a move a second."""
    timeline = [{"status": status, "at": at(second)} for second, status in enumerate(moves)]
    return {
        "id": "gen_1",
        "created_at": at(0),
        "status": moves[-1],
        "timeline": timeline,
        "polls": 0,
        "queue_position": None,
        "submissions": 1,
        "output": None,
        "error": None,
        "deliveries": [],
    } | more


def a_delivery(*answers: int | str, status: str = "delivered") -> dict[str, Any]:
    attempts = [
        {
            "number": number,
            "at": at(5),
            "status_code": answer if isinstance(answer, int) else None,
            "error": None if isinstance(answer, int) else answer,
        }
        for number, answer in enumerate(answers, start=1)
    ]
    return {"id": "dlv_1", "status": status, "attempts": attempts}


def a_callback(*, verified: bool = True, about: str = "gen_1") -> dict[str, Any]:
    return {
        "received_at": at(5.5),
        "verified": verified,
        "verdict": "verified" if verified else "wrong signature",
        "verdict_sentence": "No signature matches.",
        "body": {"data": {"request_id": about, "status": "succeeded"}},
    }


WHOLE = ("queued", "submitting", "in_queue", "in_progress", "succeeded")


def told(story: Story, record: dict[str, Any], *callbacks: dict[str, Any]) -> list[str]:
    return [entry.text for entry in story.observe(record, callbacks, START)]


def test_each_move_is_told_once() -> None:
    story = Story()
    assert told(story, a_record("queued", "submitting")) == ["queued", "submitting"]
    assert told(story, a_record("queued", "submitting", "in_queue")) == ["in queue"]


def test_each_position_that_a_poll_saw_is_told() -> None:
    story = Story()
    in_queue = ("queued", "in_queue")
    assert told(story, a_record(*in_queue, queue_position=1)) == ["queued", "in queue"]
    for position in (3, 2, 2):
        record = a_record(*in_queue, queue_position=position, polls=1)
        if lines := told(story, record):
            assert lines == [f"in queue at position {position}"]


def test_instants_are_seconds_since_the_acceptance() -> None:
    entries = Story().observe(a_record(*WHOLE), [], START)
    assert [entry.seconds for entry in entries] == [0, 1, 2, 3, 4]
    assert [entry.step for entry in entries] == list(Step)[:5]


def test_a_callback_is_told_after_its_attempt_although_it_is_seen_before() -> None:
    story = Story()
    told(story, a_record(*WHOLE))
    assert told(story, a_record(*WHOLE), a_callback()) == []
    record = a_record(*WHOLE, deliveries=[a_delivery(200)])
    assert told(story, record, a_callback()) == ["callback attempt 1: 200", "signature verified"]


@pytest.mark.parametrize("answer", [500, "ConnectTimeout"])
def test_a_bad_attempt_is_no_step_of_a_good_end(answer: int | str) -> None:
    record = a_record(*WHOLE, deliveries=[a_delivery(answer)])
    last = Story().observe(record, [], START)[-1]
    assert (last.text, last.step) == (f"callback attempt 1: {answer}", None)


def test_a_wrong_signature_is_told_with_its_reason() -> None:
    record = a_record(*WHOLE, deliveries=[a_delivery(200)])
    line = told(Story(), record, a_callback(verified=False))[-1]
    assert line == "signature not verified: No signature matches."


def a_task(name: str, state: str = "SUCCESS") -> dict[str, Any]:
    return {"name": f"darkroom.{name}", "state": state}


OUTPUT = {"video": "http://127.0.0.1/v.mp4"}
MP4 = Output(OUTPUT["video"], 200, "video/mp4", b"\0\0\0\x20ftypisom")
GOOD = Facts(
    record=a_record(*WHOLE, output=OUTPUT, deliveries=[a_delivery(200)]),
    result={"status": "succeeded", "output": OUTPUT},
    callbacks=[a_callback()],
    tasks=[a_task("submit"), a_task("poll"), a_task("poll"), a_task("deliver")],
    ledger=[{"model_id": MODEL_ID, "input": dict(INPUT)}],
    output=MP4,
)


def broken(facts: Facts) -> list[str]:
    return [check.promise for check in judge(facts) if not check.held]


def test_a_good_end_keeps_every_promise() -> None:
    assert broken(GOOD) == []


def test_timings_are_taken_from_the_records() -> None:
    assert timings(GOOD) == replace(
        timings(GOOD), to_submitted=2.0, to_end=4.0, end_to_callback=1.5
    )


PAID_TWICE = [*GOOD.ledger, *GOOD.ledger]
HTML = replace(MP4, content=b"<html></html>")


@pytest.mark.parametrize(
    ("facts", "promise"),
    [
        (replace(GOOD, ledger=PAID_TWICE), "exactly the page's example was paid for, once"),
        (replace(GOOD, ledger=[]), "exactly the page's example was paid for, once"),
        (replace(GOOD, output=None), "the output URL gives an MP4"),
        (replace(GOOD, output=HTML), "the output URL gives an MP4"),
        (replace(GOOD, output=replace(MP4, status=404)), "the output URL gives an MP4"),
        (replace(GOOD, callbacks=[]), "one callback arrived, its signature verified"),
        (
            replace(GOOD, callbacks=[a_callback(verified=False)]),
            "one callback arrived, its signature verified",
        ),
        (
            replace(GOOD, callbacks=[a_callback(about="gen_2")]),
            "one callback arrived, its signature verified",
        ),
        (
            replace(GOOD, callbacks=[a_callback(), a_callback()]),
            "one callback arrived, its signature verified",
        ),
        (
            replace(GOOD, tasks=[a_task("submit"), a_task("poll")]),
            "Flower saw submit, poll and deliver, all SUCCESS",
        ),
        (
            replace(GOOD, result={"status": "completed"}),
            "RunComfy's result route says the same",
        ),
        (
            replace(GOOD, record={**GOOD.record, "deliveries": [a_delivery(500, 200)]}),
            "one callback attempt was answered 200",
        ),
    ],
)
def test_one_broken_promise_is_named_alone(facts: Facts, promise: str) -> None:
    assert broken(facts) == [promise]


def test_a_failure_is_told_with_its_error() -> None:
    record = a_record("queued", "failed", error={"code": "rejected", "message": "no"})
    check = judge(replace(GOOD, record=record))[0]
    assert not check.held
    assert "it is failed" in check.found
    assert "rejected" in check.found


def test_tasks_are_complete_when_every_kind_succeeded() -> None:
    assert has_all_tasks(GOOD.tasks)
    assert not has_all_tasks([*GOOD.tasks, a_task("poll", "STARTED")])


@pytest.mark.parametrize(
    ("output", "url"),
    [(None, None), ({"image": "u"}, None), ({"video": "u"}, "u"), ({"videos": ["a", "b"]}, "a")],
)
def test_the_videos_url_is_found_in_both_shapes(output: object, url: str | None) -> None:
    assert output_url({"output": output}) == url
