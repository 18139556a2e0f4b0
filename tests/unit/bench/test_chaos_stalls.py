"""The longest time without a move, where something was under way."""

import pytest

from bench.chaos.stalls import longest_stall


@pytest.mark.parametrize(
    ("moves", "spans", "longest"),
    [
        pytest.param([], [], 0.0, id="nothing at all"),
        pytest.param([1, 2, 5, 6], [(0, 6)], 3.0, id="the longest gap counts"),
        pytest.param([4], [(1, 4)], 3.0, id="waiting for the first move counts"),
        pytest.param([2], [(1, 9)], 7.0, id="waiting for an end that never comes counts"),
        pytest.param([2, 50], [(1, 2), (48, 50)], 2.0, id="time without work does not count"),
        pytest.param([2, 8], [(1, 2), (5, 8)], 3.0, id="a gap counts from where work begins"),
        pytest.param([3, 9], [(0, 3), (2, 9)], 6.0, id="one's end is no end for the other"),
        pytest.param([5], [(5, 5)], 0.0, id="an end at its beginning is no stall"),
    ],
)
def test_the_longest_stall(
    moves: list[float], spans: list[tuple[float, float]], longest: float
) -> None:
    assert longest_stall(moves, spans) == longest
