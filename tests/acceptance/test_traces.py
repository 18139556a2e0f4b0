"""One trace from the origin's request to its callback, over real processes."""

import subprocess
import sys
from collections import Counter
from uuid import uuid4

from tests.acceptance.collector import Collector, Span
from tests.acceptance.observed import Observed
from tests.acceptance.origins import OriginClient, an_input
from tests.acceptance.stack import Stack
from tests.acceptance.waiting import eventually

#: Of the origin's own request.
SPAN_ID = "00f067aa0ba902b7"
UNTRACED = """
import sys
import api_gateway, worker.tasks
from generations.settings import StoreSettings
from generations.traces import OFF, collect_traces, span
collect_traces("test", StoreSettings())
assert span("nothing", None, "client", of="nothing") is OFF
# FastAPI and redis-py import other parts of it, whatever they are told.
parts = ("opentelemetry.sdk.trace", "opentelemetry.exporter")
print([name for name in sys.modules if name.startswith(parts)])
"""


def a_trace_id() -> str:
    return uuid4().hex


def collected(collector: Collector, trace_id: str, *names: str) -> dict[str, list[Span]]:
    """The spans of a trace by name, once there are so many of these names."""
    wanted = Counter(names)

    def look() -> dict[str, list[Span]] | None:
        found: dict[str, list[Span]] = {}
        for span in collector.of_trace(trace_id):
            found.setdefault(span.name, []).append(span)
        is_whole = all(len(found.get(name, ())) >= count for name, count in wanted.items())
        return found if is_whole else None

    return eventually(look, f"the spans of {trace_id} are collected")


def test_one_trace_connects_the_request_with_its_callback(
    observed: Observed, watched: OriginClient
) -> None:
    trace_id, endpoint = a_trace_id(), watched.endpoint(500)
    sent = {"traceparent": f"00-{trace_id}-{SPAN_ID}-01", "tracestate": "vendor=opaque"}
    answer = watched.post(an_input(), webhook=endpoint.url, headers=sent)
    generation_id = answer.json()["request_id"]
    callbacks = endpoint.wait_for(2)
    attempts = ["delivery.attempt"] * 2
    names = ("generation.accept", "generation.submit", "generation.poll", *attempts)
    spans = collected(observed.collector, trace_id, *names)

    (accept,) = spans["generation.accept"]
    assert (accept.program, accept.parent) == ("darkroom-gateway", SPAN_ID)
    (submit,) = spans["generation.submit"]
    polls = spans["generation.poll"]
    followed = [submit, *polls, *spans["delivery.attempt"]]
    assert {span.parent for span in followed} == {accept.id}
    assert {span.program for span in followed} == {"darkroom-worker"}
    assert len(polls) == watched.record(generation_id)["polls"]
    assert {span.facts["darkroom.generation_id"] for span in [accept, submit, *polls]} == {
        generation_id
    }
    results = {span.facts["darkroom.result"]: span.id for span in spans["delivery.attempt"]}
    assert [callback.traceparent for callback in callbacks] == [
        f"00-{trace_id}-{results[result]}-01" for result in ("5xx", "2xx")
    ]
    assert {callback.tracestate for callback in callbacks} == {"vendor=opaque"}
    assert observed.stack.workers[0].has_logged("record.moved", generation_id, trace_id)
    assert observed.stack.gateway.has_logged("generation.accepted", generation_id, trace_id)


def test_a_request_without_a_trace_begins_one(observed: Observed, watched: OriginClient) -> None:
    endpoint = watched.endpoint()
    sent = {"traceparent": "00-what-nobody-can-read"}
    answer = watched.post(an_input(), webhook=endpoint.url, headers=sent)
    callback = endpoint.wait_for_event("generation.succeeded")
    trace_id = callback.traceparent.split("-")[1]
    spans = collected(observed.collector, trace_id, "generation.accept", "delivery.attempt")
    (accept,) = spans["generation.accept"]
    assert accept.parent == ""
    assert accept.facts["darkroom.generation_id"] == answer.json()["request_id"]


def test_a_trace_that_is_not_sampled_is_passed_on_and_not_collected(
    observed: Observed, watched: OriginClient
) -> None:
    trace_id, endpoint = a_trace_id(), watched.endpoint()
    sent = {"traceparent": f"00-{trace_id}-{SPAN_ID}-00"}
    watched.post(an_input(), webhook=endpoint.url, headers=sent).raise_for_status()
    callback = endpoint.wait_for_event("generation.succeeded")
    assert callback.traceparent.startswith(f"00-{trace_id}-")
    assert callback.traceparent.endswith("-00")
    # Another one that is collected, and whose spans ended later.
    later, other = a_trace_id(), watched.endpoint()
    sent = {"traceparent": f"00-{later}-{SPAN_ID}-01"}
    watched.post(an_input(), webhook=other.url, headers=sent).raise_for_status()
    collected(observed.collector, later, "generation.accept", "delivery.attempt")
    assert observed.collector.of_trace(trace_id) == []


def test_a_submission_whose_answer_is_lost_is_a_span_that_failed(
    observed: Observed, watched: OriginClient
) -> None:
    trace_id = a_trace_id()
    observed.stack.runcomfy.order("answer_lost", route="submit")
    sent = {"traceparent": f"00-{trace_id}-{SPAN_ID}-01"}
    answer = watched.post(an_input(), headers=sent)
    watched.wait_until(answer.json()["request_id"], "failed")
    spans = collected(observed.collector, trace_id, "generation.submit")
    (submit,) = spans["generation.submit"]
    assert submit.has_failed
    assert submit.facts["error.type"] == "SubmissionUncertain"


def test_without_a_collector_a_trace_is_passed_on_as_it_came(
    stack: Stack, north: OriginClient
) -> None:
    trace_id, endpoint = a_trace_id(), north.endpoint()
    sent = {"traceparent": f"00-{trace_id}-{SPAN_ID}-01", "tracestate": "vendor=opaque"}
    answer = north.post(an_input(), webhook=endpoint.url, headers=sent)
    callback = endpoint.wait_for_event("generation.succeeded")
    assert (callback.traceparent, callback.tracestate) == (sent["traceparent"], sent["tracestate"])
    assert stack.gateway.has_logged(answer.json()["request_id"], trace_id)


def test_the_same_request_in_another_trace_is_the_same_request(north: OriginClient) -> None:
    given, key = an_input(), uuid4().hex
    answers = [
        north.post(
            given,
            idempotency_key=key,
            headers={"traceparent": f"00-{a_trace_id()}-{SPAN_ID}-01"},
        )
        for _ in range(2)
    ]
    assert answers[0].json()["request_id"] == answers[1].json()["request_id"]


def test_without_a_collector_what_sends_spans_is_not_even_imported(stack: Stack) -> None:
    said = subprocess.run(
        [sys.executable, "-c", UNTRACED],
        env=stack.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == "[]\n"
