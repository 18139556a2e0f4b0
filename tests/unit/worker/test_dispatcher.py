"""How what is due is spread over Celery messages."""

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generations.due import Claim
from generations.steps import Lane
from worker.app import celery
from worker.dispatcher import CHUNKS_A_ROUND, LARGEST_CHUNK, TASK_NAMES, chunked


def claims(count: int) -> list[Claim]:
    return [Claim(Lane.POLLS, f"gen_{n}", n) for n in range(count)]


@pytest.mark.parametrize(
    ("due", "chunks", "largest"),
    [
        (0, 0, 0),
        (1, 1, 1),
        (2, 2, 1),
        (3, 2, 2),
        (17, 2, 9),
        (80, 2, 40),
        (200, 2, 100),
        (799, 8, 100),
        (1001, 11, 100),
    ],
)
def test_chunks_grow_with_what_is_due(due: int, chunks: int, largest: int) -> None:
    sizes = [len(chunk) for chunk in chunked(claims(due))]
    assert len(sizes) == chunks
    assert max(sizes, default=0) == largest


@given(due=st.integers(min_value=0, max_value=3000))
def test_every_claim_is_in_one_chunk_and_no_chunk_is_too_large(due: int) -> None:
    found = list(chunked(claims(due)))
    assert list(chain.from_iterable(found)) == claims(due)
    assert all(0 < len(chunk) <= LARGEST_CHUNK for chunk in found)
    assert len(found) <= max(CHUNKS_A_ROUND, due // LARGEST_CHUNK + 1)


def test_every_lane_has_a_task_that_celery_knows() -> None:
    celery.loader.import_default_modules()
    assert set(TASK_NAMES) == set(Lane)
    assert set(TASK_NAMES.values()) <= set(celery.tasks)
