"""The inspector as a real process over real sockets; its verdict beside a library's."""

import asyncio
import base64
import json
import signal
import string
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from ops.inspector.verification import Finding, secret_key, verify
from tests.inspectors import (
    DEADLINE,
    FOREIGN_SECRET,
    OLD_SECRET,
    SECRET,
    a_body,
    an_inspector,
    signed,
)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with an_inspector(DARKROOM_INSPECTOR_SECRET=f"{SECRET}, {OLD_SECRET}") as (url, _):
        yield url


@pytest.fixture
async def inspector(url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=url, timeout=DEADLINE) as client:
        await client.delete("/api/callbacks")
        await client.put("/api/answer", json={})
        yield client


async def newest(inspector: httpx.AsyncClient, **query: Any) -> dict[str, Any]:
    callbacks = (await inspector.get("/api/callbacks", params=query)).json()["callbacks"]
    assert callbacks
    found: dict[str, Any] = callbacks[0]
    return found


async def events_of(stream: httpx.Response, count: int) -> list[tuple[str, Any]]:
    """The next ``count`` events of a stream: their names and what they carry."""
    found: list[tuple[str, Any]] = []
    name = ""
    async with asyncio.timeout(DEADLINE):
        async for line in stream.aiter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                found.append((name, json.loads(line.removeprefix("data: "))))
            if len(found) == count:
                break
    return found


# Receiving


async def test_a_signed_callback_is_kept_whole_and_answered(inspector: httpx.AsyncClient) -> None:
    body = a_body()
    response = await inspector.post("/callbacks", content=body, headers=signed(body))
    assert (response.status_code, response.json()) == (200, {"received": True})
    callback = await newest(inspector)
    assert callback["verified"] is True
    assert callback["verdict"] == "verified"
    assert callback["webhook_id"] == callback["headers"]["webhook-id"] == "evt_1"
    assert callback["body"] == json.loads(body)
    assert callback["body_text"] == body.decode()
    assert callback["answered"] == 200
    assert datetime.fromisoformat(callback["received_at"]).tzinfo is not None


async def test_a_signature_by_a_former_secret_verifies(inspector: httpx.AsyncClient) -> None:
    body = a_body()
    await inspector.post("/callbacks", content=body, headers=signed(body, secret=OLD_SECRET))
    assert (await newest(inspector))["verified"] is True


async def test_what_does_not_verify_is_kept_with_the_reason(inspector: httpx.AsyncClient) -> None:
    body = a_body()
    for headers in (
        {},
        signed(body, age=400),
        signed(body, age=-400),
        signed(body, secret=FOREIGN_SECRET),
        signed(body) | {"webhook-timestamp": "soon"},
    ):
        assert (await inspector.post("/callbacks", content=body, headers=headers)).is_success
    listed = (await inspector.get("/api/callbacks")).json()
    assert [callback["verdict"] for callback in listed["callbacks"]] == [
        "timestamp unreadable",
        "wrong signature",
        "timestamp too new",
        "timestamp too old",
        "header missing",
    ]
    assert listed["counts"] == {"received": 5, "verified": 0, "not_verified": 5}


async def test_the_exact_bytes_of_any_body_come_back(inspector: httpx.AsyncClient) -> None:
    for body in (b"", b"\xff\x00\r\n", b'{"a": NaN}', b'"\\ud800"', b"[" * 10_000, b"1e999"):
        await inspector.post("/callbacks", content=body)
        n = (await newest(inspector))["n"]
        assert (await inspector.get(f"/api/callbacks/{n}/body")).content == body


async def test_any_path_below_is_received_and_found_by_it(inspector: httpx.AsyncClient) -> None:
    for path in ("/callbacks/a", "/callbacks/a/b", "/callbacks/ab"):
        await inspector.post(path, params={"token": "t"}, content=b"{}")
    below = (await inspector.get("/api/callbacks", params={"path": "/callbacks/a"})).json()
    assert [found["path"] for found in below["callbacks"]] == ["/callbacks/a/b", "/callbacks/a"]
    assert below["callbacks"][0]["query"] == "token=t"


async def test_callbacks_of_one_id_are_counted(inspector: httpx.AsyncClient) -> None:
    for webhook_id in ("evt_1", "evt_2", "evt_1"):
        await inspector.post("/callbacks", content=b"{}", headers={"webhook-id": webhook_id})
    assert (await newest(inspector))["attempt_number_seen"] == 2
    assert (await newest(inspector, webhook_id="evt_2"))["attempt_number_seen"] == 1


async def test_a_body_above_one_mebibyte_is_refused(inspector: httpx.AsyncClient) -> None:
    mebibyte = b"x" * 1024 * 1024
    assert (await inspector.post("/callbacks", content=mebibyte)).status_code == 200
    assert (await inspector.post("/callbacks", content=mebibyte + b"x")).status_code == 413
    assert (await inspector.get("/api/callbacks")).json()["counts"]["received"] == 1


async def test_a_cleared_log_is_empty_but_numbers_go_on(inspector: httpx.AsyncClient) -> None:
    await inspector.post("/callbacks", content=b"{}")
    before = (await newest(inspector))["n"]
    assert (await inspector.delete("/api/callbacks")).status_code == 204
    assert (await inspector.get("/api/callbacks")).json()["callbacks"] == []
    assert (await inspector.get(f"/api/callbacks/{before}")).status_code == 404
    await inspector.post("/callbacks", content=b"{}")
    assert (await inspector.get(f"/api/callbacks/{before + 1}")).json()["n"] == before + 1


# The switch


async def test_the_switch_answers_so_many_times_and_then_200(inspector: httpx.AsyncClient) -> None:
    answer = {"status": 429, "times": 2, "retry_after": 7}
    assert (await inspector.put("/api/answer", json=answer)).is_success
    responses = [await inspector.post("/callbacks", content=b"{}") for _ in range(3)]
    assert [response.status_code for response in responses] == [429, 429, 200]
    assert [response.headers.get("retry-after") for response in responses] == ["7", "7", None]
    assert (await inspector.get("/api/answer")).json()["status"] == 200
    listed = (await inspector.get("/api/callbacks")).json()["callbacks"]
    assert [callback["answered"] for callback in listed] == [200, 429, 429]


async def test_the_switch_leaves_other_paths_alone(inspector: httpx.AsyncClient) -> None:
    answer = {"status": 410, "times": 1, "path": "/callbacks/gone"}
    await inspector.put("/api/answer", json=answer)
    paths = ("/callbacks", "/callbacks/goner", "/callbacks/gone/x", "/callbacks/gone")
    statuses = [(await inspector.post(path, content=b"{}")).status_code for path in paths]
    assert statuses == [200, 200, 410, 200]


async def test_a_hanging_callback_is_kept_and_not_answered(inspector: httpx.AsyncClient) -> None:
    await inspector.put("/api/answer", json={"hang": True})
    async with inspector.stream("GET", "/api/events") as stream:
        hanging = asyncio.create_task(inspector.post("/callbacks", content=b"{}"))
        await events_of(stream, 1)
    assert (await newest(inspector))["answered"] is None
    assert not hanging.done()
    hanging.cancel()
    await asyncio.wait({hanging}, timeout=DEADLINE)


async def test_a_switch_that_makes_no_sense_is_refused(inspector: httpx.AsyncClient) -> None:
    for answer in ({"status": 42}, {"times": 0}, {"path": "x"}, {"statuss": 500}):
        assert (await inspector.put("/api/answer", json=answer)).status_code == 422


# Live


async def test_listeners_are_told_as_it_happens(inspector: httpx.AsyncClient) -> None:
    async with inspector.stream("GET", "/api/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        await inspector.put("/api/answer", json={"status": 500, "times": 1})
        await inspector.post("/callbacks", content=a_body())
        await inspector.delete("/api/callbacks")
        events = await events_of(stream, 4)
    assert [name for name, _ in events] == ["answer", "callback", "answer", "cleared"]
    assert events[1][1]["body"]["data"]["request_id"] == "gen_1"
    assert events[2][1]["status"] == 200


# The page


async def test_the_page_allows_only_its_own_scripts(inspector: httpx.AsyncClient) -> None:
    page = await inspector.get("/")
    assert page.headers["content-type"].startswith("text/html")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
    for name in ("page.css", "page.js", "card.js", "icon.svg"):
        found = await inspector.get(f"/{name}")
        assert found.is_success
        assert "innerHTML" not in found.text


async def test_nothing_else_of_the_package_is_served(inspector: httpx.AsyncClient) -> None:
    for path in ("/app.py", "/settings.py", "/..%2fapp.py", "/docs", "/openapi.json"):
        assert (await inspector.get(path)).status_code == 404


# The program


async def test_sigterm_stops_it_though_a_page_listens_and_a_sender_waits() -> None:
    with an_inspector() as (url, process):
        async with httpx.AsyncClient(base_url=url, timeout=DEADLINE) as client:
            await client.put("/api/answer", json={"hang": True})
            async with client.stream("GET", "/api/events") as page:
                waiting = asyncio.create_task(client.post("/callbacks", content=b"{}"))
                await events_of(page, 1)
                process.send_signal(signal.SIGTERM)
                assert await asyncio.to_thread(process.wait, 3) == 0
            await asyncio.wait({waiting}, timeout=DEADLINE)
            assert waiting.done()
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_without_a_secret_nothing_is_verified_and_the_oldest_make_room() -> None:
    with (
        an_inspector(DARKROOM_INSPECTOR_KEEP="2") as (url, _),
        httpx.Client(base_url=url) as client,
    ):
        for _ in range(3):
            client.post("/callbacks", content=b"{}", headers=signed(b"{}"))
        listed = client.get("/api/callbacks").json()
    assert [callback["n"] for callback in listed["callbacks"]] == [3, 2]
    assert [callback["attempt_number_seen"] for callback in listed["callbacks"]] == [3, 2]
    assert {callback["verdict"] for callback in listed["callbacks"]} == {"no secret"}
    assert listed["counts"]["received"] == 3


def test_a_hanging_callback_is_answered_after_hang_seconds() -> None:
    with an_inspector(DARKROOM_INSPECTOR_HANG_SECONDS="0.05") as (url, _):
        httpx.put(f"{url}/api/answer", json={"hang": True, "status": 503}).raise_for_status()
        response = httpx.post(f"{url}/callbacks", content=b"{}", timeout=DEADLINE)
    assert response.status_code == 503


def test_a_port_in_use_is_refused(url: str) -> None:
    with an_inspector(port=httpx.URL(url).port or 0) as (_, process):
        _, complaint = process.communicate(timeout=DEADLINE)
    assert process.returncode == 1
    assert "cannot start" in complaint


def test_an_unreadable_secret_is_refused_and_not_repeated() -> None:
    with an_inspector(DARKROOM_INSPECTOR_SECRET="whsec_n%t-base64") as (_, process):
        _, complaint = process.communicate(timeout=DEADLINE)
    assert process.returncode == 1
    assert "base64" in complaint
    assert "n%t" not in complaint


# The verdict, beside an independent library's

AGES = st.sampled_from([-1000, -310, -290, 0, 290, 310, 1000])
WORDS = st.text(string.ascii_letters + string.digits + "_", min_size=1)


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[dict[str, str], bytes]:
    """A signed callback to which something may have happened on its way."""
    body = draw(st.text()).encode()
    secret = draw(st.sampled_from([SECRET, SECRET, FOREIGN_SECRET]))
    headers = signed(body, secret=secret, webhook_id=draw(WORDS), age=draw(AGES))
    match draw(st.sampled_from(["", "", "body", "id", "time", "signature", "missing", "several"])):
        case "body":
            body += draw(st.text(min_size=1)).encode()
        case "id":
            headers["webhook-id"] += draw(WORDS)
        case "time":
            headers["webhook-timestamp"] = str(int(headers["webhook-timestamp"]) + 1)
        case "signature":
            headers["webhook-signature"] = "v1," + base64.b64encode(draw(st.binary())).decode()
        case "missing":
            del headers[draw(st.sampled_from(sorted(headers)))]
        case "several":
            headers["webhook-signature"] = f"v1a,AAAA v1,AAAA {headers['webhook-signature']}"
    return headers, body


def the_library_verifies(headers: dict[str, str], body: bytes) -> bool:
    try:
        Webhook(SECRET).verify(body, headers, json_parse=False)
    except WebhookVerificationError:
        return False
    return True


@settings(max_examples=500, deadline=None)
@given(deliveries())
def test_the_verdict_is_that_of_an_independent_library(
    delivery: tuple[dict[str, str], bytes],
) -> None:
    headers, body = delivery
    verdict = verify(headers=headers, body=body, keys=[secret_key(SECRET)], now=datetime.now(UTC))
    assert verdict.is_verified == the_library_verifies(headers, body)


def test_a_timestamp_counts_up_to_the_tolerance_and_no_further() -> None:
    at = datetime(2026, 11, 22, 10, tzinfo=UTC)
    headers = {
        "webhook-id": "evt_1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(SECRET).sign("evt_1", at, "{}"),
    }
    findings = [
        verify(
            headers=headers,
            body=b"{}",
            keys=[secret_key(SECRET)],
            now=at + timedelta(seconds=seconds),
        ).finding
        for seconds in (-301, -300, 300, 301)
    ]
    assert findings == [Finding.TOO_NEW, Finding.VERIFIED, Finding.VERIFIED, Finding.TOO_OLD]
