"""Every error that a caller can meet has its place in HTTP."""

from collections.abc import Iterator

import pytest

from api_gateway.problems import MEDIA_TYPE, PROBLEMS, describe, problem_of
from generations.errors import DarkroomError, Refusal, StoreUnavailable


def all_below(error: type[DarkroomError]) -> Iterator[type[DarkroomError]]:
    """Every subclass, however deep."""
    for below in error.__subclasses__():
        yield below
        yield from all_below(below)


TOLD: list[type[DarkroomError]] = [*all_below(Refusal), StoreUnavailable]


def test_the_table_has_every_error_that_is_told() -> None:
    assert set(PROBLEMS) == set(TOLD)


def test_codes_are_unique() -> None:
    codes = [error.code for error in TOLD]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("error", TOLD)
def test_a_problem_says_what_it_is_and_what_to_do(error: type[DarkroomError]) -> None:
    problem = describe(error())
    assert problem.type == f"urn:darkroom:problem:{error.code}"
    assert problem.code == error.code
    assert problem.status == PROBLEMS[error].status
    assert len(problem.detail.split()) > 5
    assert problem.title


@pytest.mark.parametrize("error", TOLD)
def test_a_problem_has_runcomfys_number_and_name_where_there_is_one(
    error: type[DarkroomError],
) -> None:
    problem, theirs = describe(error()), PROBLEMS[error].runcomfy
    assert problem.error_code == theirs
    name = f"{theirs.name}: " if theirs else ""
    assert problem.error_message == name + problem.detail


@pytest.mark.parametrize("error", TOLD)
def test_an_answer_is_problem_json_with_its_headers(error: type[DarkroomError]) -> None:
    answer = problem_of(error())
    assert answer.status_code == PROBLEMS[error].status
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert (
        PROBLEMS[error].headers.items()
        <= {
            name.title().replace("Www", "WWW"): value for name, value in answer.headers.items()
        }.items()
    )


def test_refusals_are_the_callers_doing_and_outages_are_not() -> None:
    assert all(400 <= PROBLEMS[error].status < 500 for error in all_below(Refusal))
    assert PROBLEMS[StoreUnavailable].status == 503
