"""Which headers an endpoint may be sent."""

import pytest

from generations.endpoints import LONGEST_HEADERS, MOST_HEADERS, check_headers


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer a.b-c"},
        {"X-Api-Key": "k", "x_routing": "a b\tc"},
        {f"X-{n}": "v" for n in range(MOST_HEADERS)},
        {"X": "v" * (LONGEST_HEADERS - 1)},
    ],
)
def test_ordinary_headers_are_fine(headers: dict[str, str]) -> None:
    check_headers(headers)


@pytest.mark.parametrize(
    "name",
    [
        "webhook-id",
        "Webhook-Signature",
        "webhook-anything",
        "Host",
        "Content-Length",
        "content-type",
        "Connection",
        "Keep-Alive",
        "Transfer-Encoding",
        "TE",
        "Trailer",
        "Upgrade",
        "Expect",
        "User-Agent",
        "traceparent",
        "TraceState",
        "Proxy-Authorization",
        "X-Forwarded-For",
        "Accept-Encoding",
    ],
)
def test_reserved_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="set by Darkroom"):
        check_headers({name: "s3cret"})


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a\r\nb", "a\nHost", "ä", "a" * 129, "(x)"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        check_headers({name: "v"})


@pytest.mark.parametrize(
    "value", ["", " s3cret", "s3cret ", "s3cret\r\nX: y", "s3cret\n", "s3cret\0", "s3cret\x7f", "ü"]
)
def test_what_could_end_a_line_is_refused_and_not_repeated(value: str) -> None:
    with pytest.raises(ValueError, match="X-Key") as refused:
        check_headers({"X-Key": value})
    assert "s3cret" not in str(refused.value)


def test_there_is_a_bound_on_how_many_and_how_long() -> None:
    with pytest.raises(ValueError, match="headers"):
        check_headers({f"X-{n}": "v" for n in range(MOST_HEADERS + 1)})
    with pytest.raises(ValueError, match="headers"):
        check_headers({"X": "v" * LONGEST_HEADERS})
