"""What each way for the call of a submission to end proves. No row may be missing."""

import inspect

import httpx
import pytest

from generations.errors import DarkroomError, RunComfyUnavailable, SubmissionUncertain
from worker.answers import Answer
from worker.runcomfy.client import SUBMIT_FAILURES, classify_submission

NOT_SENT, UNCERTAIN = RunComfyUnavailable, SubmissionUncertain
ROWS: dict[type[Exception], type[DarkroomError]] = {
    # No connection came about, so no byte of the request left.
    httpx.ConnectError: NOT_SENT,
    httpx.ConnectTimeout: NOT_SENT,
    httpx.PoolTimeout: NOT_SENT,
    httpx.InvalidURL: NOT_SENT,
    httpx.UnsupportedProtocol: NOT_SENT,
    # Some of it may have left, and all of it may have arrived.
    httpx.WriteError: UNCERTAIN,
    httpx.WriteTimeout: UNCERTAIN,
    httpx.ReadError: UNCERTAIN,
    httpx.ReadTimeout: UNCERTAIN,
    httpx.CloseError: UNCERTAIN,
    httpx.RemoteProtocolError: UNCERTAIN,
    httpx.LocalProtocolError: UNCERTAIN,
    httpx.ProxyError: UNCERTAIN,
    TimeoutError: UNCERTAIN,
    # An answer came, and cannot be read.
    httpx.DecodingError: UNCERTAIN,
    httpx.TooManyRedirects: UNCERTAIN,
    httpx.HTTPStatusError: UNCERTAIN,
    httpx.StreamError: UNCERTAIN,
    httpx.StreamConsumed: UNCERTAIN,
    httpx.StreamClosed: UNCERTAIN,
    httpx.ResponseNotRead: UNCERTAIN,
    httpx.RequestNotRead: UNCERTAIN,
    # The families of the others: nothing raises them as they are.
    httpx.HTTPError: UNCERTAIN,
    httpx.RequestError: UNCERTAIN,
    httpx.TransportError: UNCERTAIN,
    httpx.TimeoutException: UNCERTAIN,
    httpx.NetworkError: UNCERTAIN,
    httpx.ProtocolError: UNCERTAIN,
}
#: Of the cookie jar, which is not used.
NOT_OF_A_CALL = {httpx.CookieConflict}


def httpx_errors() -> set[type[Exception]]:
    """Every exception that this version of httpx exports."""
    members = (member for _, member in inspect.getmembers(httpx, inspect.isclass))
    return {member for member in members if issubclass(member, Exception)}


@pytest.mark.parametrize("failure", ROWS, ids=lambda failure: failure.__name__)
def test_a_failure_proves_that_nothing_was_sent_or_leaves_it_open(
    failure: type[Exception],
) -> None:
    # Built without its arguments: only its class counts.
    with pytest.raises(DarkroomError) as caught:
        classify_submission(failure.__new__(failure))

    assert caught.type is ROWS[failure]


def test_every_exception_of_httpx_has_its_row_and_is_caught() -> None:
    found = httpx_errors() - NOT_OF_A_CALL

    assert found == set(ROWS) - {TimeoutError}
    assert all(issubclass(failure, SUBMIT_FAILURES) for failure in found)


@pytest.mark.parametrize("status_code", range(200, 600))
def test_an_empty_answer_of_any_status_accepts_nothing(status_code: int) -> None:
    with pytest.raises(DarkroomError) as caught:
        classify_submission(Answer(status_code, {}, b""))

    is_refusal = 400 <= status_code < 500 and status_code != 408
    assert (caught.type is not SubmissionUncertain) == is_refusal
