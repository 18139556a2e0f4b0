"""Limits in HTTP's words are whole numbers that never promise too much."""

from datetime import timedelta

import pytest

from api_gateway.quotas import quota_headers, retry_after
from generations.limits import ACCEPTS, UNFINISHED, Quota


@pytest.mark.parametrize(
    ("rate", "policy"),
    [(10, "q=10;w=1"), (2.5, "q=2;w=1"), (1, "q=1;w=1"), (0.5, "q=1;w=2"), (0.3, "q=1;w=4")],
)
def test_a_rate_is_so_many_in_so_many_seconds(rate: float, policy: str) -> None:
    told = quota_headers([Quota(ACCEPTS, rate, 0, timedelta(milliseconds=100))])
    assert told == {"RateLimit-Policy": f'"accepts";{policy}', "RateLimit": '"accepts";r=0;t=1'}


def test_several_limits_are_one_list() -> None:
    quotas = [Quota(UNFINISHED, 100, 7), Quota(ACCEPTS, 3, 2, timedelta())]
    assert quota_headers(quotas) == {
        "RateLimit-Policy": '"unfinished";q=100, "accepts";q=3;w=1',
        "RateLimit": '"unfinished";r=7, "accepts";r=2;t=1',
    }


def test_without_limits_there_are_no_headers() -> None:
    assert quota_headers([]) == {}


@pytest.mark.parametrize(
    ("quotas", "seconds"),
    [
        ([Quota(ACCEPTS, 1, 0, timedelta(milliseconds=1))], 1),
        ([Quota(ACCEPTS, 1, 0, timedelta(milliseconds=1001))], 2),
        ([Quota(UNFINISHED, 9, 0), Quota(ACCEPTS, 1, 3, timedelta(hours=1))], 5),
        ([], 5),
    ],
)
def test_whoever_is_refused_is_told_how_many_whole_seconds_to_wait(
    quotas: list[Quota], seconds: int
) -> None:
    assert retry_after(quotas) == seconds
