"""What an answer to a submission proves: accepted, refused, turned away, or nothing."""

from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generations.errors import (
    DarkroomError,
    RunComfyRejected,
    RunComfyThrottled,
    RunComfyUnavailable,
    SubmissionUncertain,
)
from tests.builders import an_answer
from tests.unit.worker.test_protocol import HTML, UNREADABLE, bodies
from worker.answers import Answer
from worker.runcomfy.protocol import read_submission

ACCEPTED = {
    "request_id": "0d5c1b1e-7f0e-4b9a-8f56-0a9fd8d5c8a1",
    "status_url": "https://model-api.runcomfy.net/v1/requests/x/status",
}


@pytest.mark.parametrize("status_code", [200, 201, 202])
@pytest.mark.parametrize(
    "body",
    [
        ACCEPTED,
        {"request_id": ACCEPTED["request_id"]},
        {**ACCEPTED, "error_code": None},
        {**ACCEPTED, "error_code": 0, "code": 200, "message": "OK"},
    ],
)
def test_an_id_means_accepted(status_code: int, body: dict[str, Any]) -> None:
    assert read_submission(an_answer(status_code, body)) == ACCEPTED["request_id"]


@pytest.mark.parametrize("request_id", ["req_" + "0a" * 16, "a", "A-b_9", "x" * 200])
def test_any_plain_text_is_an_id(request_id: str) -> None:
    assert read_submission(an_answer(200, {"request_id": request_id})) == request_id


@pytest.mark.parametrize("body", UNREADABLE)
@pytest.mark.parametrize("status_code", [200, 202, 204])
def test_a_2xx_that_cannot_be_read_is_uncertain(status_code: int, body: bytes) -> None:
    with pytest.raises(SubmissionUncertain, match=f"answered the submission with {status_code}"):
        read_submission(Answer(status_code, {}, body))


@pytest.mark.parametrize(
    "request_id", [None, "", 7, True, [], {"id": "rc-1"}, "rc\n1", "rc-é", "\ud83d", "x" * 201]
)
def test_a_2xx_without_a_usable_id_is_uncertain(request_id: Any) -> None:
    with pytest.raises(SubmissionUncertain):
        read_submission(an_answer(200, {"request_id": request_id}))


@pytest.mark.parametrize(
    "status_code", [301, 302, 303, 307, 308, 408, 500, 502, 503, 504, 520, 599]
)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        HTML,
        ACCEPTED,
        {"error_code": 500001, "error_message": "Internal"},
        {"error_code": 422001, "error_message": "Validation"},
        {"code": 400004},
    ],
)
def test_what_is_neither_2xx_nor_a_refusal_is_uncertain(status_code: int, body: Any) -> None:
    with pytest.raises(SubmissionUncertain):
        read_submission(an_answer(status_code, body))


@pytest.mark.parametrize("code", [500001, "500001", 500, 503001])
def test_a_200_with_runcomfys_own_failure_is_uncertain(code: Any) -> None:
    with pytest.raises(SubmissionUncertain):
        read_submission(an_answer(200, {"error_code": code, **ACCEPTED}))


@pytest.mark.parametrize("status_code", [400, 402, 403, 404, 405, 409, 410, 413, 415, 422, 451])
@pytest.mark.parametrize("body", [b"", HTML, b"{}", b'{"error_message": "No."}'])
def test_a_4xx_is_a_refusal(status_code: int, body: bytes) -> None:
    with pytest.raises(RunComfyRejected):
        read_submission(Answer(status_code, {}, body))


@pytest.mark.parametrize(
    "code", [400001, "400001", 403001, 404001, 422001, 10002, 10003, -1, "ValidationError"]
)
def test_a_200_with_an_error_code_is_a_refusal(code: Any) -> None:
    with pytest.raises(RunComfyRejected, match=r"^No\.$") as caught:
        read_submission(an_answer(200, {"error_code": code, "error_message": "No."}))
    assert caught.value.no_balance is False


@pytest.mark.parametrize(
    "answer",
    [
        an_answer(402),
        an_answer(402, {"message": "Insufficient balance"}),
        an_answer(400, {"error_code": 400002}),
        an_answer(400, {"code": "400002"}),
        an_answer(200, {"error_code": 400002}),
        an_answer(200, {"error_code": 10001, "error_message": "InsufficientFunds"}),
    ],
)
def test_an_empty_balance_is_told_apart(answer: Answer) -> None:
    with pytest.raises(RunComfyRejected) as caught:
        read_submission(answer)
    assert caught.value.no_balance is True


@pytest.mark.parametrize(
    "answer",
    [
        an_answer(401),
        an_answer(401, HTML),
        an_answer(401, {"error_code": 401001}),
        an_answer(400, {"error_code": 400004}),
        an_answer(400, {"code": 400004, "error": "UserAccountError"}),
        an_answer(200, {"error_code": "400004"}),
    ],
)
def test_a_bad_token_is_our_trouble_and_not_the_inputs(answer: Answer) -> None:
    with pytest.raises(RunComfyUnavailable, match="check RUNCOMFY_API_TOKEN"):
        read_submission(answer)


@pytest.mark.parametrize(
    ("asked", "error"), [({}, RunComfyUnavailable), ({"retry_after": "12"}, RunComfyThrottled)]
)
@pytest.mark.parametrize("body", [b"", HTML, {"error_code": 429001}, ACCEPTED])
def test_a_429_was_not_accepted(
    body: Any, asked: dict[str, str], error: type[RunComfyUnavailable]
) -> None:
    with pytest.raises(RunComfyUnavailable) as caught:
        read_submission(an_answer(429, body, **asked))
    assert type(caught.value) is error
    assert caught.value.retry_after == (timedelta(seconds=12) if asked else None)


LOC = ["body", "duration"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"error_message": "a", "message": "b", "error": "c", "detail": "d"}, "a"),
        ({"message": "b", "error": "c", "detail": "d"}, "b"),
        ({"error": "c", "detail": "d"}, "c"),
        ({"detail": "d"}, "d"),
        ({"detail": [{"loc": LOC, "msg": "too short"}]}, "duration: too short"),
        (
            {
                "detail": [
                    {"loc": LOC, "msg": "too short"},
                    {"loc": ["body", "ratio", 0], "msg": "?"},
                ]
            },
            "duration: too short; ratio.0: ?",
        ),
        (
            {"error_message": "not valid", "detail": [{"loc": LOC, "msg": "too short"}]},
            "not valid: duration: too short",
        ),
        ({"detail": [{"loc": None, "msg": "too short"}]}, "too short"),
        ({"detail": [{"loc": "prompt", "msg": "too long"}]}, "prompt: too long"),
        ({"detail": [{"loc": 7, "msg": "odd"}]}, "7: odd"),
        ({"detail": [{"error": "odd"}, "text", None, 7]}, "odd; text; None; 7"),
        ({"detail": [{"path": "x"}]}, '{"path": "x"}'),
        ({"error": {"message": "nested"}}, "nested"),
        ({"error": {"error": {"deep": 1}}}, '{"deep": 1}'),
        ({"message": "x" * 9000}, "x" * 500),
        ({}, "HTTP 422 without a message."),
        (HTML, "HTTP 422 without a message."),
    ],
)
def test_a_refusal_is_told_in_runcomfys_words(body: Any, message: str) -> None:
    with pytest.raises(RunComfyRejected) as caught:
        read_submission(an_answer(422, body))
    assert caught.value.message == message


@given(status_code=st.integers(min_value=200, max_value=599), body=bodies)
def test_every_answer_proves_something_or_is_uncertain(
    status_code: int, body: dict[str, Any]
) -> None:
    # Only a 2xx with an error code of RunComfy's, or a 4xx, says that nothing was accepted.
    proves = 200 <= status_code < 300 and body.get("error_code")
    may_be = DarkroomError if proves or 400 <= status_code < 500 else SubmissionUncertain
    with suppress(may_be):
        assert read_submission(an_answer(status_code, body)) == body["request_id"]
        assert 200 <= status_code < 300
