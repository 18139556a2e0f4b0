"""Metadata in a query: ``metadata[key]=value``, and what is said where it is not that."""

import pytest
from fastapi.exceptions import RequestValidationError

from api_gateway.metadata import LONGEST_NAME, LONGEST_VALUE, MOST_KEYS, read_metadata


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ([], {}),
        ([("webhook", "https://x.example")], {}),
        ([("metadata[order]", "4711"), ("metadata[user]", "")], {"order": "4711", "user": ""}),
        ([("metadata[a]b]", "x"), ("metadata[[]", "y")], {"a]b": "x", "[": "y"}),
        ([("metadata[zwei\nZeilen]", "é")], {"zwei\nZeilen": "é"}),
        ([("metadataxyz", "x"), ("meta[a]", "y")], {}),
        ([(f"metadata[{'k' * LONGEST_NAME}]", "v" * LONGEST_VALUE)], {"k" * 64: "v" * 512}),
    ],
)
def test_what_is_noted_is_read(query: list[tuple[str, str]], found: dict[str, str]) -> None:
    assert read_metadata(query) == found


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ([("metadata", '{"order": "4711"}')], "metadata"),
        ([("metadata[order", "4711")], "metadata[order"),
        ([("metadata[order]x", "4711")], "metadata[order]x"),
        ([("metadata[a]", "1"), ("metadata[a]", "2")], "metadata[a]"),
        ([("metadata[]", "x")], "metadata[]"),
        ([("metadata[a\0]", "x")], "metadata[a\0]"),
        ([("metadata[a]", "\0")], "metadata[a]"),
        ([(f"metadata[{'k' * (LONGEST_NAME + 1)}]", "v")], f"metadata[{'k' * 65}]"),
        ([("metadata[a]", "v" * (LONGEST_VALUE + 1))], "metadata[a]"),
        ([(f"metadata[{n}]", "v") for n in range(MOST_KEYS + 1)], "metadata"),
    ],
)
def test_what_cannot_be_noted_is_refused_at_its_place(
    query: list[tuple[str, str]], place: str
) -> None:
    with pytest.raises(RequestValidationError) as refused:
        read_metadata(query)
    (error,) = refused.value.errors()
    assert error["loc"] == ("query", place)
    assert error["msg"]
