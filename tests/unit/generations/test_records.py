"""What is written is read back, whatever it holds."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generations.lifecycle import DeliveryStatus, Status
from generations.model import (
    Attempt,
    ErrorCode,
    Generation,
    GenerationError,
    Moment,
    NewGeneration,
    OnUncertain,
    PastEnd,
)
from generations.records import (
    as_accepted,
    dump_json,
    from_ms,
    read_attempt,
    read_delivery,
    read_error,
    read_generation,
    read_origin,
    read_timeline,
    to_ms,
    write_attempt,
    write_field,
    write_new_generation,
)
from tests.builders import NOW, a_new_generation, an_attempt

#: Instants that Redis's clock can give, to the millisecond.
instants = st.integers(min_value=0, max_value=9_999_999_999_999)
#: With what JSON leaves unescaped and Python's splitlines() splits at.
texts = st.text() | st.text(alphabet="a\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029\ud83d")
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
    max_leaves=6,
)


def written(**facts: Any) -> dict[str, str]:
    """A hash just after acceptance, and then these facts."""
    fields = as_accepted(write_new_generation(a_new_generation()), to_ms(NOW), 60_000)
    return {**fields, **{name: write_field(name, value) for name, value in facts.items()}}


def read_back(**facts: Any) -> Generation:
    return read_generation("gen_1", written(**facts))


@given(noted=st.dictionaries(texts, texts))
def test_metadata_is_read_back_as_it_was_given(noted: dict[str, str]) -> None:
    new = a_new_generation(metadata=noted)
    fields = as_accepted(write_new_generation(new), to_ms(NOW), 60_000)
    assert read_generation("gen_1", fields).metadata == noted


@given(ms=instants)
def test_an_instant_survives_to_the_millisecond(ms: int) -> None:
    assert to_ms(from_ms(ms)) == to_ms(from_ms(str(ms))) == ms
    assert from_ms(ms).tzinfo is UTC


@given(value=json_values)
def test_any_json_survives_and_can_be_sent(value: Any) -> None:
    text = dump_json(value)
    assert json.loads(text.encode()) == value


def test_json_is_compact_and_keeps_its_letters() -> None:
    assert dump_json({"prompt": "ein Bär 🐻", "n": [1, 2]}) == '{"prompt":"ein Bär 🐻","n":[1,2]}'


def test_half_of_an_emoji_is_escaped() -> None:
    assert dump_json("\ud83d") == '"\\ud83d"'


@given(value=json_values.filter(lambda value: value is not None))
def test_any_output_survives(value: Any) -> None:
    assert read_back(output=value).output == value


@pytest.mark.parametrize("output", [False, 0, 0.0, "", [], {}])
def test_an_output_that_looks_like_nothing_is_not_nothing(output: Any) -> None:
    assert read_back(output=output).output == output


def test_none_is_an_empty_string_and_reads_as_none() -> None:
    names = ("output", "error", "cost", "queue_position", "cancel_outcome", "runcomfy_request_id")
    assert {written(**{name: None})[name] for name in names} == {""}
    found = read_back(**dict.fromkeys(names))
    assert [getattr(found, name) for name in names] == [None] * len(names)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("queue_position", 0),
        ("queue_position", 12),
        ("cost", 0.0),
        ("cost", 2.85),
        ("polls", 7),
        ("submissions", 1),
        ("failures", 3),
        ("misses", 2),
        ("missing_since", NOW),
        ("runcomfy_request_id", "0d5c1b1e-7f0e-4b9a-8f56-0a9fd8d5c8a1"),
        ("cancel_outcome", "not_cancellable"),
        ("error", GenerationError(ErrorCode.REJECTED, 'duration: "3" is too short\n')),
        ("past_ends", (PastEnd(3, GenerationError(ErrorCode.INTERNAL, "No."), 1, True),)),
        ("past_ends", (PastEnd(3, None, 0, False), PastEnd(6, None, 1, False))),
    ],
)
def test_a_fact_survives(name: str, value: Any) -> None:
    assert getattr(read_back(**{name: value}), name) == value


@given(message=texts, code=st.sampled_from(ErrorCode))
def test_any_error_survives(message: str, code: ErrorCode) -> None:
    error = GenerationError(code, message)
    assert read_error(write_field("error", error)) == error


@settings(max_examples=20)
@given(
    new=st.builds(
        NewGeneration,
        id=st.just("gen_1"),
        origin=texts,
        model_id=texts,
        input=st.dictionaries(texts, json_values),
        webhook=st.none() | st.text(min_size=1),
        webhook_intermediate_status=st.booleans(),
        on_uncertain=st.sampled_from(OnUncertain),
    ),
    accepted_ms=instants,
)
def test_what_an_origin_asked_for_survives(new: NewGeneration, accepted_ms: int) -> None:
    found = read_generation("gen_1", as_accepted(write_new_generation(new), accepted_ms, 60_000))
    for name in ("origin", "model_id", "input", "webhook", "webhook_intermediate_status"):
        assert getattr(found, name) == getattr(new, name)
    assert found.on_uncertain is new.on_uncertain
    assert found.created_at == from_ms(accepted_ms)
    assert found.deadline == found.created_at + timedelta(minutes=1)
    assert found.timeline == (Moment(Status.QUEUED, found.created_at),)


def test_a_fresh_record_has_nothing_to_tell_yet() -> None:
    found = read_back()
    assert found.status is Status.QUEUED
    assert (found.polls, found.submissions, found.failures, found.misses) == (0, 0, 0, 0)
    assert (found.output, found.error, found.cost, found.queue_position) == (None,) * 4
    assert found.delivery_ids == ()
    assert not found.is_finished
    assert not found.is_cancel_pending
    assert found.finished_at is None


def test_a_timeline_reads_in_order_and_repeats_what_was_entered_again() -> None:
    timeline = read_timeline("queued=1000;submitting=2000;queued=3000;submitting=4500;")
    assert [moment.status for moment in timeline] == ["queued", "submitting"] * 2
    assert timeline[-1].at == datetime.fromtimestamp(4.5, UTC)


def test_a_finished_generation_finished_when_it_entered_its_last_status() -> None:
    fields = {**written(), "status": "failed", "timeline": "queued=1000;failed=2000;"}
    assert read_generation("gen_1", fields).finished_at == datetime.fromtimestamp(2, UTC)


def test_a_cancel_is_pending_until_there_is_a_word_on_it() -> None:
    asked = {**written(), "cancel_requested_at": "1000"}
    assert read_generation("gen_1", asked).is_cancel_pending
    answered = {**asked, "cancel_outcome": "not_cancellable"}
    assert not read_generation("gen_1", answered).is_cancel_pending


attempts = st.builds(
    Attempt,
    number=st.integers(min_value=1, max_value=99),
    at=instants.map(from_ms),
    duration_ms=st.integers(min_value=0, max_value=60_000),
    status_code=st.none() | st.integers(min_value=100, max_value=599),
    error=st.none() | texts,
    address=st.none() | st.ip_addresses().map(str),
    response_headers=st.dictionaries(texts, texts, max_size=3),
    response_body=texts,
)


@given(made=st.lists(attempts, max_size=4))
def test_every_attempt_of_a_delivery_survives(made: list[Attempt]) -> None:
    fields = {**A_DELIVERY, "attempts": "".join(map(write_attempt, made))}
    assert read_delivery("dlv_1", fields).attempts == tuple(made)


def test_an_attempt_from_before_answers_were_kept_is_read() -> None:
    line = '{"number":1,"at":1795262400000,"duration_ms":3,"status_code":500,"error":null}\n'
    (found,) = read_delivery("dlv_1", {**A_DELIVERY, "attempts": line}).attempts
    assert (found.address, found.response_headers, found.response_body) == (None, {}, "")


def test_an_attempt_keeps_its_instant_to_the_millisecond() -> None:
    made = an_attempt(number=2, at=NOW + timedelta(microseconds=1700), error="Refused.")
    found = read_attempt(write_attempt(made))
    assert found == replace(made, at=NOW + timedelta(milliseconds=2))


A_DELIVERY = {
    "generation_id": "gen_1",
    "origin": "studio",
    "event_id": "evt_1",
    "told": "in_progress",
    "endpoint": "https://studio.example/callback?token=1",
    "status": "pending",
    "created_at": "1000",
    "sequence": "4",
}


def test_a_delivery_reads_back() -> None:
    delivery = read_delivery("dlv_1", A_DELIVERY)
    assert delivery.told is Status.IN_PROGRESS
    assert delivery.status is DeliveryStatus.PENDING
    assert delivery.event_type == "generation.in_progress"
    assert delivery.is_intermediate
    assert not delivery.is_finished
    assert delivery.sequence == 4
    assert delivery.attempts == ()


def test_an_origin_has_its_newest_secret_first_and_never_shows_one() -> None:
    fields = {"created_at": "1000", "webhook_secrets": "whsec_new whsec_old"}
    origin = read_origin("studio", fields)
    assert origin.secrets_at(NOW) == ("whsec_new", "whsec_old")
    assert "whsec" not in repr(origin)
