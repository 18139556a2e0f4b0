"""What follows a look for the cost of what has succeeded."""

from datetime import timedelta

import pytest

from generations.lifecycle import Status
from generations.steps import Due, Lane, Step
from tests.builders import a_generation
from worker.costs import FIRST_LOOK, GIVEN_UP_AFTER, decide_cost

SUCCEEDED = a_generation(status=Status.SUCCEEDED)
ENDED = SUCCEEDED.timeline[-1].at
SECOND = timedelta(seconds=1)


def looked(cost: float | None, *, after: timedelta, asked: timedelta | None = None) -> Step:
    return decide_cost(SUCCEEDED, cost, now=ENDED + after, asked=asked)


@pytest.mark.parametrize("cost", [0.0, 2.85])
@pytest.mark.parametrize("after", [SECOND, 2 * GIVEN_UP_AFTER])
def test_a_cost_that_is_known_is_kept_and_asked_for_no_more(cost: float, after: timedelta) -> None:
    assert looked(cost, after=after) == Step(due=None, set={"cost": cost, "cost_late": "1"})


@pytest.mark.parametrize(("after", "wait"), [(0, 5), (1, 5), (5, 15), (20, 60), (1280, 3840)])
def test_each_look_waits_longer(after: int, wait: int) -> None:
    step = looked(None, after=after * SECOND)
    assert step == Step(due=Due(Lane.POLLS, wait * SECOND), cancel_known=True)


def test_it_is_given_up_in_the_end() -> None:
    looks, age = 0, FIRST_LOOK
    while (step := looked(None, after=age)).due is not None:
        looks, age = looks + 1, age + step.due.delay
    assert step == Step(due=None)
    assert looks == 5


def test_runcomfy_is_left_alone_as_long_as_it_asks() -> None:
    step = looked(None, after=SECOND, asked=70 * SECOND)
    assert step.due == Due(Lane.POLLS, 70 * SECOND)
