"""Leases outlive what they cover, whatever the timeouts are set to."""

from datetime import timedelta
from itertools import product

import pytest
from pydantic import SecretStr

from generations.pacing import AttemptAgain, decide_backoff, decide_next_attempt
from generations.settings import WorkerSettings
from generations.steps import Lane
from worker.leases import IN_QUEUE, MARGIN, Leases

TIMEOUTS = {
    Lane.SUBMISSIONS: "submit_timeout",
    Lane.POLLS: "poll_timeout",
    Lane.DELIVERIES: "attempt_timeout",
}


@pytest.mark.parametrize("lane", Lane)
@pytest.mark.parametrize("seconds", [0.1, 15, 3600])
def test_a_lease_is_longer_than_its_calls_and_their_settle(lane: Lane, seconds: float) -> None:
    timeout = timedelta(seconds=seconds)
    settings = WorkerSettings.model_construct(runcomfy_api_token=SecretStr("t"))

    leases = Leases.derive(settings.model_copy(update={TIMEOUTS[lane]: timeout}))

    looking = settings.preflight_timeout if lane is Lane.SUBMISSIONS else timedelta()
    assert leases.budgets[lane] == max(looking, timeout) + MARGIN
    assert leases.lease(lane) == leases.budgets[lane] + MARGIN


def test_the_way_through_the_queue_is_shorter_than_any_work() -> None:
    settings = WorkerSettings.model_construct(runcomfy_api_token=SecretStr("t"))
    leases = Leases.derive(settings)
    assert all(leases.lease(lane) > IN_QUEUE for lane in Lane)


@pytest.mark.parametrize("seconds", [15, 7200])
def test_nothing_that_is_ever_asked_to_wait_waits_too_long(seconds: float) -> None:
    settings = WorkerSettings.model_construct(runcomfy_api_token=SecretStr("t"))
    timeouts = dict.fromkeys(TIMEOUTS.values(), timedelta(seconds=seconds))
    leases = Leases.derive(settings.model_copy(update=timeouts))
    schedule = (timedelta(seconds=5), timedelta(days=2))
    longest = leases.longest_waits(schedule)
    assert all(longest[lane] >= leases.lease(lane) for lane in Lane)
    wish = timedelta(days=9)
    for failures in (1, 50):
        wait = decide_backoff(failures=failures, retry_after=wish, draw=1)
        assert wait <= min(longest[Lane.SUBMISSIONS], longest[Lane.POLLS])
    for attempts, asked in product((1, 2), (None, wish)):
        again = decide_next_attempt(
            attempts=attempts, age=timedelta(), schedule=schedule, retry_after=asked, draw=1
        )
        assert isinstance(again, AttemptAgain)
        assert again.delay <= longest[Lane.DELIVERIES]
