"""Reading ``Prefer: wait`` as RFC 7240 has it."""

import pytest

from api_gateway.waiting import preferred_wait


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        (None, None),
        ([], None),
        (["wait=30"], 30),
        (["wait=0"], 0),
        (["wait"], 60),
        (["Wait = 30"], 30),
        (['wait="30"'], 30),
        (["wait=30; foo=bar"], 30),
        (["respond-async, wait=30"], 30),
        (["respond-async", "wait=30"], 30),
        # The first one counts.
        (["wait=10, wait=20"], 10),
        # More than is granted.
        (["wait=600"], 60),
        (["wait=999999999"], 60),
        # None that is understood is none.
        (["wait=99999999999999999999"], None),
        (["wait=-1"], None),
        (["wait=1.5"], None),
        (["wait=soon"], None),
        (['wait="30'], None),
        (["awaits=3"], None),
        (["wait=٣"], None),
        (["return=minimal"], None),
        ([""], None),
    ],
)
def test_a_preference_says_how_long_to_wait(prefer: list[str] | None, seconds: int | None) -> None:
    assert preferred_wait(prefer) == seconds
