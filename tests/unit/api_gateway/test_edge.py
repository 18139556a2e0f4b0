"""The last line: nothing unexpected reaches the caller, and no prompt reaches the log."""

import os
from typing import Any

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api_gateway.bounds import Bounds
from api_gateway.edge import Edge
from generations.errors import BodyTooLarge

PROMPT = "a secret idea"


async def call(app: ASGIApp, *chunks: bytes, **headers: str) -> list[Message]:
    """What an application sends for one POST."""
    sent: list[Message] = []
    incoming: list[Message] = [
        {"type": "http.request", "body": chunk, "more_body": n < len(chunks)}
        for n, chunk in enumerate(chunks, start=1)
    ]
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "headers": [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()],
    }

    async def receive() -> Message:
        return incoming.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent


async def breaks(_scope: Scope, _receive: Receive, _send: Send) -> None:
    try:
        os.environ[PROMPT]
    except KeyError as exc:
        raise ValueError(PROMPT) from exc


async def reads_all(_scope: Scope, receive: Receive, send: Send) -> None:
    while (await receive())["more_body"]:
        pass
    await send({"type": "http.response.start", "status": 200})


async def breaks_halfway(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200})
    raise ValueError(PROMPT)


async def test_the_unexpected_is_a_500_that_tells_nothing() -> None:
    start, body = await call(Edge(breaks), b"")
    assert start["status"] == 500
    assert b'"code":"internal"' in body["body"]
    assert PROMPT.encode() not in body["body"]


async def test_the_unexpected_is_logged_with_its_lines_but_not_its_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    logged: list[dict[str, Any]] = []
    monkeypatch.setattr("api_gateway.edge.log.error", lambda _event, **facts: logged.append(facts))
    await call(Edge(breaks), b"")
    (line,) = logged
    assert line["error"] == "ValueError"
    assert "KeyError" in line["trace"]
    assert any("test_edge.py" in entry for entry in line["trace"])
    assert not any(f'"{PROMPT}"' in entry or f"'{PROMPT}'" in entry for entry in line["trace"])


async def test_half_an_answer_is_broken_off() -> None:
    with pytest.raises(ValueError, match=PROMPT):
        await call(Edge(breaks_halfway), b"")


async def test_a_body_at_the_limit_is_read() -> None:
    (start,) = await call(Bounds(reads_all, limit=10), b"12345", b"67890")
    assert start["status"] == 200


async def test_a_streamed_body_is_broken_off_past_the_limit() -> None:
    with pytest.raises(BodyTooLarge):
        await call(Bounds(reads_all, limit=10), b"12345", b"67890", b"1", b"never read")


async def test_an_announced_body_over_the_limit_is_not_read() -> None:
    start, _ = await call(Bounds(reads_all, limit=10), content_length="11")
    assert start["status"] == 413


async def test_a_path_may_have_a_limit_of_its_own() -> None:
    limited = Bounds(reads_all, limit=1, own_limits={"/": 10})
    (start,) = await call(limited, b"12345", b"67890")
    assert start["status"] == 200
    with pytest.raises(BodyTooLarge):
        await call(limited, b"12345", b"67890", b"1", b"never read")
    with pytest.raises(BodyTooLarge):
        await call(Bounds(reads_all, limit=1, own_limits={"/other": 10}), b"12")
