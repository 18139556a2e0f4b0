"""The limit of open files is raised, and never lowered."""

import resource
from collections.abc import Iterator

import pytest

from api_gateway.open_files import ENOUGH, allow_open_files


@pytest.fixture
def hard() -> Iterator[int]:
    """The hard limit; the soft one is put back afterwards."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_low_limit_is_raised_as_far_as_the_system_allows(hard: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    allow_open_files()
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert soft == (ENOUGH if hard == resource.RLIM_INFINITY else min(ENOUGH, hard))


def test_a_limit_that_is_high_enough_stays(hard: int) -> None:
    assert hard
    allow_open_files()
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    allow_open_files()
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == before
