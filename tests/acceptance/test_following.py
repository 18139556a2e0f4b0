"""The ways to follow a generation agree on its events, move by move."""

import socket
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

import httpx

from tests.acceptance.origins import Body, OriginClient, an_input
from tests.acceptance.runcomfy import IMAGE_MODEL, RunComfy
from tests.acceptance.stack import Stack
from tests.event_streams import Event, events_in

WAY: Final = ["queued", "submitting", "in_queue", "in_progress", "succeeded"]
#: More than granian keeps open by itself.
MANY: Final = 1100


def listen(origin: OriginClient, generation_id: str) -> list[Event]:
    """Every event of its stream."""
    headers = {"Authorization": f"Bearer {origin.api_key}"}
    path = f"/v1/generations/{generation_id}/events"
    with origin.http.stream("GET", path, headers=headers) as answer:
        return list(events_in(answer.iter_lines()))


def wait_on_and_on(origin: OriginClient, generation_id: str) -> list[Body]:
    """The last move in each answer of a long poll, until the end."""
    last: list[Body] = []
    while not last or last[-1]["status"] != WAY[-1]:
        path = f"/v1/generations/{generation_id}"
        record = origin.call("GET", path, params={"wait": 20}).json()
        if record["timeline"][-1] not in last:  # A wait may end without a move.
            last.append(record["timeline"][-1])
    return last


def test_stream_callbacks_waits_and_record_tell_the_same_numbered_events(
    north: OriginClient, runcomfy: RunComfy
) -> None:
    endpoint = north.endpoint()
    runcomfy.hold(queue=True, progress=True)
    generation_id = north.submit(an_input(), webhook=endpoint.url, intermediate=True)
    with ThreadPoolExecutor(2) as threads:
        listening: Future[list[Event]] = threads.submit(listen, north, generation_id)
        waiting: Future[list[Body]] = threads.submit(wait_on_and_on, north, generation_id)
        endpoint.wait_for_event("generation.in_queue")
        runcomfy.start_all()
        endpoint.wait_for_event("generation.in_progress")
        runcomfy.finish_all()
        endpoint.wait_for_event("generation.succeeded")
        events, waited = listening.result(), waiting.result()

    timeline = north.record(generation_id)["timeline"]
    assert [(moment["sequence"], moment["status"]) for moment in timeline] == list(
        enumerate(WAY, 1)
    )
    assert [(int(event.id), event.name) for event in events] == [
        (moment["sequence"], f"generation.{moment['status']}") for moment in timeline
    ]
    assert [event.body["timestamp"] for event in events] == [moment["at"] for moment in timeline]
    told = {event.body["data"]["sequence"]: event.body for event in events}
    callbacks = endpoint.wait_for(3)
    assert [callback.told["sequence"] for callback in callbacks] == [3, 4, 5]
    assert [callback.body for callback in callbacks] == [told[3], told[4], told[5]]
    assert waited == [moment for moment in timeline if moment in waited]
    assert waited[-1] == timeline[-1]


def test_one_call_is_enough_for_a_short_generation(north: OriginClient) -> None:
    headers = {"Prefer": "wait=60"}
    answer = north.call("POST", f"/v1/models/{IMAGE_MODEL}", headers, json=an_input(), timeout=90)
    waited = answer.json()
    result = north.result(waited["request_id"])
    assert result["status"] == "succeeded"
    assert {name: waited[name] for name in result} == result


def test_more_callers_wait_than_a_server_lets_in_by_itself(
    north: OriginClient, runcomfy: RunComfy, stack: Stack
) -> None:
    runcomfy.hold(queue=True)
    generation_id = north.submit(an_input())
    north.wait_until(generation_id, "in_queue")
    url = httpx.URL(stack.gateway_url)
    asked = (
        f"GET /v1/generations/{generation_id}?wait=60 HTTP/1.1\r\nHost: {url.host}\r\n"
        f"Authorization: Bearer {north.api_key}\r\n\r\n"
    ).encode()
    waiting = [socket.create_connection((url.host, url.port or 80), 20) for _ in range(MANY)]
    for caller in waiting:
        caller.sendall(asked)
    # Nobody in front of it has ended, and it is answered.
    assert north.call("GET", "/healthz").status_code == 200
    runcomfy.reset()
    answers = [caller.recv(12) for caller in waiting]
    for caller in waiting:
        caller.close()
    # All at once read what they waited for: on a busy machine some are told to come again.
    assert set(answers) <= {b"HTTP/1.1 200", b"HTTP/1.1 503"}
    assert b"HTTP/1.1 200" in answers
