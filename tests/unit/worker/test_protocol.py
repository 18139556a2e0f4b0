"""RunComfy's words and rules, as the reference has them (sections 1.3 to 1.8)."""

import json
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generations.errors import RunComfyThrottled, RunComfyUnavailable
from generations.lifecycle import Status
from tests.builders import SEEDANCE, an_answer
from worker.answers import Answer
from worker.runcomfy.protocol import (
    WORDS,
    NotThere,
    Observation,
    read_cancel,
    read_result,
    read_status,
    request_path,
    submit_path,
)

#: Section 1.5: every word seen in any source, and ours for it.
VOCABULARY = {
    "in_queue": Status.IN_QUEUE,
    "pending": Status.IN_QUEUE,
    "waiting": Status.IN_QUEUE,
    "starting": Status.IN_PROGRESS,
    "in_progress": Status.IN_PROGRESS,
    "processing": Status.IN_PROGRESS,
    "completed": Status.SUCCEEDED,
    "succeeded": Status.SUCCEEDED,
    "failed": Status.FAILED,
    "cancelled": Status.CANCELLED,
    "canceled": Status.CANCELLED,
}
HTML = b"<html><body><h1>504 Gateway Time-out</h1></body></html>"
#: Bodies that are no JSON object, whatever the status says.
UNREADABLE = [
    b"",
    HTML,
    b'{"request_id": "rc-1", "stat',
    b"null",
    b"[]",
    b'"completed"',
    b"\xff\xfe\x00",
    b"[" * 100_000,
    b'{"queue_position": ' + b"9" * 5000 + b"}",
]


def status_of(body: Any, status_code: int = 200, **headers: str) -> Observation | NotThere:
    return read_status(an_answer(status_code, body, **headers))


def result_of(body: Any, status_code: int = 200, **headers: str) -> Observation | NotThere:
    return read_result(an_answer(status_code, body, **headers))


def seen(observation: Observation | NotThere) -> Observation:
    assert isinstance(observation, Observation)
    return observation


def test_a_model_id_keeps_its_slashes_and_nothing_else_that_means_something() -> None:
    assert submit_path(SEEDANCE) == "/models/bytedance/seedance-v1.5-pro/image-to-video"
    assert submit_path("a/b?c#d e") == "/models/a/b%3Fc%23d%20e"


def test_a_request_id_cannot_lead_elsewhere() -> None:
    assert request_path("rc-1", "status") == "/requests/rc-1/status"
    assert request_path("../models?x=", "cancel") == "/requests/..%2Fmodels%3Fx%3D/cancel"


def test_the_vocabulary_covers_the_reference() -> None:
    assert {word: WORDS[word] for word in VOCABULARY} == VOCABULARY


@pytest.mark.parametrize("word", VOCABULARY)
def test_a_status_is_read_in_any_case(word: str) -> None:
    for spelling in (word, word.upper(), word.title()):
        assert seen(status_of({"status": spelling})).status is VOCABULARY[word]
        found = seen(result_of({"status": spelling, "output": {}}))
        assert found.status is VOCABULARY[word]


@pytest.mark.parametrize(
    "word", ["", "archived", "cancellation_requested", None, 7, {}, ["failed"]]
)
def test_an_unknown_word_means_still_running(word: Any) -> None:
    assert seen(status_of({"status": word, "queue_position": 1})).status is None
    assert seen(result_of({"status": word, "output": {"video": "x"}})).status is None


@pytest.mark.parametrize(
    ("position", "read"),
    [(0, 0), (1, 1), (312, 312), (None, None), ("3", None), (1.5, None), (True, None), ([], None)],
)
def test_a_queue_position_is_a_whole_number_or_unknown(position: Any, read: int | None) -> None:
    found = seen(status_of({"status": "in_queue", "queue_position": position}))
    assert found.queue_position == read
    assert type(found.queue_position) is type(read)


def test_a_success_has_output_and_cost() -> None:
    output = {"video": "https://files.runcomfy.net/a.mp4", "videos": []}
    found = result_of({"status": "succeeded", "output": output, "cost": 2.85})
    assert found == Observation(Status.SUCCEEDED, output=output, cost=2.85)


@pytest.mark.parametrize(
    "output",
    [
        {"image": "https://a/1.png"},
        {"images": ["https://a/1.png", "https://a/2.png"]},
        {"video": "https://a/1.mp4", "videos": ["https://a/1.mp4"]},
        {"audio": "https://a/1.wav", "audios": []},
        "https://a/1.mp4",
        ["https://a/1.mp4"],
        [],
        {},
        "",
    ],
)
def test_an_output_is_taken_as_it_is(output: Any) -> None:
    assert seen(result_of({"status": "completed", "output": output})).output == output


def test_only_output_is_read_for_what_was_made() -> None:
    body = {
        "status": "succeeded",
        "input": {"first_frame_image_url": "https://example.com/theirs.png"},
        "output": {"video": "https://files.runcomfy.net/ours.mp4"},
        "url": "https://example.com/other.mp4",
        "video": "https://example.com/other.mp4",
    }
    assert seen(result_of(body)).output == {"video": "https://files.runcomfy.net/ours.mp4"}


@pytest.mark.parametrize("word", ["completed", "succeeded"])
@pytest.mark.parametrize("rest", [{}, {"output": None}, {"input": {"image": "https://a/1.png"}}])
def test_a_success_without_output_is_not_there_yet(word: str, rest: dict[str, Any]) -> None:
    assert result_of({"status": word, **rest}) == NotThere()


@pytest.mark.parametrize(
    ("cost", "read"),
    [(2.85, 2.85), (0, 0.0), (3, 3.0), (None, None), ("2.85", None), (True, None), ({}, None)],
)
def test_a_cost_may_come_late_or_unreadable(cost: Any, read: float | None) -> None:
    body = {"status": "succeeded", "output": {}, "cost": cost}
    assert seen(result_of(body)).cost == read
    assert seen(result_of({"status": "succeeded", "output": {}})).cost is None


def test_a_cost_that_is_no_number_is_none() -> None:
    body = b'{"status": "succeeded", "output": {"score": NaN}, "cost": NaN}'
    assert result_of(body) == Observation(Status.SUCCEEDED, output={"score": None})


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"error": "Out of memory."}, "Out of memory."),
        ({"error": {"message": "Out of memory."}}, "Out of memory."),
        ({"error": {"code": 7}}, '{"code": 7}'),
        ({"error": [{"msg": "too dark"}, {"msg": "too wide"}]}, "too dark; too wide"),
        ({"error": ["too dark", 7]}, "too dark; 7"),
        ({"failure_reason": "Content policy."}, "Content policy."),
        ({"error_message": "Node 7 failed."}, "Node 7 failed."),
        ({"error_code": 500001, "error_message": "Node 7 failed."}, "Node 7 failed."),
        ({}, "RunComfy gave no reason."),
        ({"error": ""}, "RunComfy gave no reason."),
        ({"error": "x" * 9000}, "x" * 500),
    ],
)
def test_a_failure_is_told_in_runcomfys_words(said: dict[str, Any], message: str) -> None:
    assert result_of({"status": "failed", **said}) == Observation(Status.FAILED, error=message)


@pytest.mark.parametrize("read", [read_status, read_result])
@pytest.mark.parametrize("body", UNREADABLE)
def test_a_200_that_is_no_object_is_no_answer(read: Any, body: bytes) -> None:
    with pytest.raises(RunComfyUnavailable):
        read(Answer(200, {}, body))


@pytest.mark.parametrize("read", [read_status, read_result])
@pytest.mark.parametrize(
    "status_code", [301, 302, 307, 400, 401, 403, 408, 409, 500, 502, 503, 504]
)
@pytest.mark.parametrize("body", [b"", HTML, b'{"status": "completed", "output": {}}'])
def test_what_is_not_2xx_says_nothing_about_the_request(
    read: Any, status_code: int, body: bytes
) -> None:
    with pytest.raises(RunComfyUnavailable):
        read(Answer(status_code, {}, body))


@pytest.mark.parametrize("read", [read_status, read_result])
@pytest.mark.parametrize(
    "body",
    [
        {"error_code": 500001, "error_message": "Internal"},
        {"error_code": "403001", "message": "Foreign"},
        {"error_code": "InternalError"},
        {"error_code": 400004, "status": "completed"},
        {"error_code": -1, "output": {"video": "x"}},
    ],
)
def test_a_200_with_an_error_code_is_an_error(read: Any, body: dict[str, Any]) -> None:
    with pytest.raises(RunComfyUnavailable):
        read(an_answer(200, body))


@pytest.mark.parametrize("nothing", [None, 0, ""])
def test_an_error_code_of_nothing_is_none(nothing: Any) -> None:
    body = {"status": "in_progress", "error_code": nothing, "code": 200}
    assert seen(status_of(body)).status is Status.IN_PROGRESS


@pytest.mark.parametrize("word", ["failed", "cancelled"])
def test_an_error_code_beside_an_end_belongs_to_the_generation(word: str) -> None:
    assert seen(status_of({"status": word, "error_code": 500123})).status is WORDS[word]


@pytest.mark.parametrize("read", [read_status, read_result])
@pytest.mark.parametrize(
    "answer",
    [
        an_answer(404, {"error_code": 404001, "error_message": "expired"}),
        an_answer(404, {"error_message": "expired"}),
        an_answer(400, {"error_code": 404001}),
        an_answer(200, {"error_code": 404001}),
        an_answer(200, {"error_code": "404001"}),
        an_answer(400, {"code": 404001}),
    ],
)
def test_an_unknown_or_expired_request_is_not_there(read: Any, answer: Answer) -> None:
    assert read(answer) == NotThere()


@pytest.mark.parametrize("read", [read_status, read_result, read_cancel])
@pytest.mark.parametrize(
    "said",
    [b"", HTML, b"no healthy upstream", b"[]"]
    + [
        json.dumps(said).encode()
        for said in (
            {"message": "no Route matched with those values"},
            {"detail": "Not Found"},
            {"status": 404, "error": "Not Found", "path": "/"},
            {"code": 404, "message": "Not Found"},
        )
    ],
)
def test_a_404_of_whatever_is_before_runcomfy_says_nothing_of_a_request(
    read: Any, said: bytes
) -> None:
    with pytest.raises(RunComfyUnavailable):
        read(an_answer(404, said))


@pytest.mark.parametrize("read", [read_status, read_result, read_cancel])
def test_being_throttled_is_told_with_its_wish(read: Any) -> None:
    with pytest.raises(RunComfyThrottled) as caught:
        read(an_answer(429, HTML, retry_after="7"))
    assert caught.value.retry_after == timedelta(seconds=7)


@pytest.mark.parametrize("read", [read_status, read_result, read_cancel])
def test_a_429_without_a_wish_is_the_matter_of_its_call_alone(read: Any) -> None:
    with pytest.raises(RunComfyUnavailable) as caught:
        read(an_answer(429, HTML))
    assert type(caught.value) is RunComfyUnavailable


def test_a_503_may_say_when_to_come_back() -> None:
    with pytest.raises(RunComfyUnavailable) as caught:
        status_of(HTML, 503, retry_after="9")
    assert caught.value.retry_after is not None
    assert caught.value.retry_after.total_seconds() == 9


def test_an_html_page_is_not_quoted() -> None:
    with pytest.raises(RunComfyUnavailable, match=r"^RunComfy answered 504: HTTP 504 without"):
        status_of(HTML, 504)


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"outcome": "cancelled", "status": "cancelled"}, "cancelled"),
        ({"outcome": "canceled"}, "cancelled"),
        ({"outcome": "CANCELLED", "status": "in_queue"}, "cancelled"),
        ({"status": "cancelled"}, "cancelled"),
        ({"outcome": "not_cancellable", "status": "in_progress"}, "not_cancellable"),
        ({"outcome": "not_cancellable", "status": "cancelled"}, "not_cancellable"),
        ({"outcome": "not_cancellable", "status": "completed"}, "not_cancellable"),
        ({"outcome": "cancellation_requested", "status": "in_progress"}, "cancellation_requested"),
        ({"request_id": "rc-1"}, "not_cancellable"),
    ],
)
@pytest.mark.parametrize("status_code", [200, 202])
def test_a_cancel_is_believed_by_its_outcome(
    body: dict[str, Any], word: str, status_code: int
) -> None:
    assert read_cancel(an_answer(status_code, body)) == word


@pytest.mark.parametrize("status_code", [400, 405, 409, 410, 422])
@pytest.mark.parametrize("body", [b"", HTML, b'{"error_message": "already running"}'])
def test_a_refused_cancel_is_an_answer(status_code: int, body: bytes) -> None:
    assert read_cancel(Answer(status_code, {}, body)) == "not_cancellable"


@pytest.mark.parametrize(
    "answer",
    [
        an_answer(401),
        an_answer(403, {"message": "Forbidden"}),
        an_answer(400, {"error_code": 400004}),
        an_answer(408),
        an_answer(500),
        an_answer(502, HTML),
        an_answer(200, HTML),
        an_answer(200, {"error_code": 500001}),
        an_answer(302),
    ],
)
def test_a_cancel_without_an_answer_is_asked_again(answer: Answer) -> None:
    with pytest.raises(RunComfyUnavailable):
        read_cancel(answer)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
bodies = st.dictionaries(
    st.sampled_from(
        ["status", "output", "error", "error_code", "code", "detail", "message", "cost"],
    )
    | st.sampled_from(["outcome", "queue_position", "request_id", "failure_reason"]),
    json_values | st.sampled_from([*VOCABULARY, [{"loc": None, "msg": 1}], [{"loc": 3}]]),
)


@given(status_code=st.sampled_from([200, 202, 302, 400, 404, 422, 429, 500, 503]), body=bodies)
def test_no_answer_breaks_the_reading(status_code: int, body: dict[str, Any]) -> None:
    for read in (read_status, read_result, read_cancel):
        with suppress(RunComfyUnavailable):
            read(an_answer(status_code, body))


@pytest.mark.parametrize(
    ("created", "finished", "seconds"),
    [
        ("2026-11-22T12:00:00.5+00:00", "2026-11-22T12:01:00+00:00", 59.5),
        ("2026-11-22T12:00:00Z", "2026-11-22T14:01:00+02:00", 60.0),
        ("2026-11-22 12:00:00", "2026-11-22 12:01:00", 60.0),
        ("2026-11-22T12:00:00", "2026-11-22T12:01:00+00:00", None),
        ("2026-11-22T12:01:00Z", "2026-11-22T12:00:00Z", None),
        ("yesterday", "2026-11-22T12:00:00Z", None),
        (1763812800, 1763812860, None),
        (None, "", None),
    ],
)
def test_how_long_it_took_is_read_where_runcomfy_says_so(
    created: Any, finished: Any, seconds: float | None
) -> None:
    body = {"status": "succeeded", "output": {}, "created_at": created, "finished_at": finished}
    took = seen(result_of(body)).took
    assert took == (None if seconds is None else timedelta(seconds=seconds))
    assert seen(result_of({"status": "succeeded", "output": {}})).took is None
