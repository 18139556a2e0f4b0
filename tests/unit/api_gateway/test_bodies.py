"""Which bodies are read, and which are refused."""

import pytest

from api_gateway.bodies import DEEPEST, parse_object
from generations.errors import InvalidBody


def nested(levels: int) -> bytes:
    """An object with arrays in it, so many levels in all."""
    return b'{"a":' + b"[" * (levels - 1) + b"1" + b"]" * (levels - 1) + b"}"


@pytest.mark.parametrize(
    ("body", "read"),
    [
        (b"{}", {}),
        (b' {"a": [1, 2.5, null, true, "x"]}\n', {"a": [1, 2.5, None, True, "x"]}),
        ('{"größe": "日本 🎞"}'.encode(), {"größe": "日本 🎞"}),
        (b'{"a": "\\ud83c\\udf9e"}', {"a": "🎞"}),
        (b'{"a": 123456789012345678901234567890}', {"a": 123456789012345678901234567890}),
        (b'{"a": {"b": 1}, "c": {"b": 1}}', {"a": {"b": 1}, "c": {"b": 1}}),
    ],
)
def test_an_object_is_read_as_it_is(body: bytes, read: object) -> None:
    assert parse_object(body) == read


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"7",
        b"{",
        b'{"a": 1} {"a": 2}',
        b"{'a': 1}",
        b"a=1&b=2",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"a": 1e999}',
        b'{"a": -1e999}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": 1, "a": 2}',
        b'{"a": {"b": 1, "b": 1}}',
        b'{"a": "\xff"}',
        '{"a": 1}'.encode("utf-16"),
        b'\xef\xbb\xbf{"a": 1}',
        b'{"a": "\\ud83d"}',
        b'{"\\udc00": 1}',
        b'{"a": ["\\u0000"]}',
        b'{"a": "\x00"}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        nested(DEEPEST + 1),
    ],
)
def test_anything_else_is_refused_with_a_sentence(body: bytes) -> None:
    with pytest.raises(InvalidBody) as refused:
        parse_object(body)
    assert refused.value.message.endswith((".", "json"))


def test_nesting_is_read_to_the_limit() -> None:
    assert parse_object(nested(DEEPEST))


def test_a_refusal_says_where_the_body_is_broken() -> None:
    with pytest.raises(InvalidBody, match="line 2, column 8"):
        parse_object(b'{\n  "a": }')


def test_a_refusal_does_not_quote_the_body() -> None:
    with pytest.raises(InvalidBody) as refused:
        parse_object(b'{"prompt": "a secret idea" "')
    assert "secret" not in refused.value.message
