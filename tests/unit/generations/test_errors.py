"""The taxonomy: what to do next is in the class, and everything has words."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest

from generations import errors
from generations.errors import (
    DarkroomError,
    IllegalMove,
    Permanent,
    Refusal,
    RunComfyRejected,
    RunComfyThrottled,
    RunComfyUnavailable,
    SubmissionUncertain,
    Transient,
)


def below(kind: type[DarkroomError]) -> Iterator[type[DarkroomError]]:
    for child in kind.__subclasses__():
        yield child
        yield from below(child)


ALL: list[type[DarkroomError]] = [DarkroomError, *below(DarkroomError)]
#: Classes that group others, and are never raised themselves.
GROUPS: set[type[DarkroomError]] = {DarkroomError, Refusal, Transient, Permanent}


@pytest.mark.parametrize("kind", ALL)
def test_every_error_explains_itself_in_one_sentence(kind: type[DarkroomError]) -> None:
    message = str(kind())
    assert message == kind.default_message() == (kind.__doc__ or "").strip().splitlines()[0]
    assert message.endswith((".", "'."))
    assert len(message) > 10


@pytest.mark.parametrize("kind", ALL)
def test_a_message_of_ones_own_stands_instead(kind: type[DarkroomError]) -> None:
    error = kind("No such thing.")
    assert error.message == str(error) == "No such thing."


def test_every_error_that_is_raised_has_a_code_of_its_own() -> None:
    codes = Counter(kind.code for kind in ALL if kind not in GROUPS)
    assert set(codes.values()) == {1}
    assert all("code" in vars(kind) for kind in ALL if kind not in GROUPS | {Permanent})


def test_every_error_belongs_to_one_answer_of_what_to_do_next() -> None:
    answers = (Refusal, Transient, Permanent, SubmissionUncertain, IllegalMove)
    for kind in below(DarkroomError):
        assert sum(issubclass(kind, answer) for answer in answers) == 1


def test_the_drawing_in_the_docstring_shows_every_error() -> None:
    for kind in ALL:
        assert kind.__name__ in (errors.__doc__ or "")


@pytest.mark.parametrize("kind", list(below(Transient)))
def test_a_transient_error_may_say_when_to_try_again(kind: type[Transient]) -> None:
    assert kind().retry_after is None
    assert kind(retry_after=timedelta(seconds=3)).retry_after == timedelta(seconds=3)


def test_being_throttled_is_a_way_of_being_unavailable() -> None:
    assert issubclass(RunComfyThrottled, RunComfyUnavailable)


def test_an_empty_balance_is_told_apart_from_a_bad_input() -> None:
    assert RunComfyRejected().no_balance is False
    assert RunComfyRejected(no_balance=True).no_balance is True


def test_a_lost_submission_is_no_reason_to_try_again() -> None:
    assert not issubclass(SubmissionUncertain, Transient | Permanent | Refusal)
