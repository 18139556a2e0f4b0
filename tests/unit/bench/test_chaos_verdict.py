"""The comparison finds what it is there to find: each broken promise, made by hand."""

from dataclasses import replace
from typing import Any

from bench.chaos.evidence import Arrival, Evidence, Json, Submission
from bench.chaos.verdict import Compared, compare

DONE = {"status": "succeeded", "output": {"video": "a"}, "error": None, "submissions": 1}
UNCERTAIN = {
    "status": "failed",
    "output": None,
    "error": {"code": "submission_uncertain", "message": "."},
    "submissions": 1,
}


def a_submission(generation_id: str | None = "gen_1", **changes: Any) -> Submission:
    facts = {"marker": f"marker of {generation_id}", "sent_at": 0.0, "accepted_at": 1.0}
    return Submission(generation_id=generation_id, **{**facts, **changes})


def a_record(facts: Json = DONE, generation_id: str = "gen_1") -> Json:
    event = {"event_id": f"evt of {generation_id}", "type": f"generation.{facts['status']}"}
    return {**facts, "deliveries": [event]}


def an_arrival(facts: Json = DONE, generation_id: str = "gen_1", **changes: Any) -> Arrival:
    arrival = Arrival(
        at=2.0,
        event_id=f"evt of {generation_id}",
        is_verified=True,
        body={
            "type": f"generation.{facts['status']}",
            "data": {**facts, "request_id": generation_id},
        },
        answered=200,
    )
    return replace(arrival, **changes)


def an_entry(generation_id: str = "gen_1") -> Json:
    return {"input": {"prompt": f"marker of {generation_id}"}}


def compared(**changes: Any) -> Compared:
    """Of one generation that went well, but for the changes."""
    evidence = Evidence([a_submission()], {"gen_1": a_record()}, [an_entry()], [an_arrival()])
    return compare(replace(evidence, **changes))


def test_a_generation_that_went_well_is_clean() -> None:
    found = compared()

    assert found.is_clean
    assert (found.accepted, found.finished, found.succeeded, found.submissions) == (1, 1, 1, 1)


def test_an_accepted_id_without_a_record_is_lost() -> None:
    found = compared(records={}, arrivals=[])

    assert (found.lost, found.is_clean) == (1, False)


def test_an_accepted_id_that_has_not_finished_is_lost() -> None:
    found = compared(records={"gen_1": a_record({**DONE, "status": "in_queue"})}, arrivals=[])

    assert (found.lost, found.finished, found.is_clean) == (1, 0, False)


def test_a_generation_with_two_entries_in_the_ledger_is_paid_twice() -> None:
    found = compared(ledger=[an_entry(), an_entry()])

    assert (found.paid_twice, found.is_clean) == (1, False)


def test_an_end_that_was_never_told_is_missing() -> None:
    found = compared(arrivals=[])

    assert (found.callbacks_missing, found.is_clean) == (1, False)


def test_an_end_that_was_told_but_never_taken_is_missing() -> None:
    found = compared(arrivals=[an_arrival(answered=500), an_arrival(answered=None)])

    assert (found.callbacks_missing, found.is_clean) == (1, False)


def test_a_callback_that_does_not_verify_is_told_and_counts_as_missing_too() -> None:
    found = compared(arrivals=[an_arrival(is_verified=False)])

    assert (found.callbacks_unverified, found.callbacks_missing) == (1, 1)


def test_a_callback_that_contradicts_the_record_does_not_count_as_verified() -> None:
    contradictions = [
        an_arrival({**DONE, "output": {"video": "b"}}),
        an_arrival({**DONE, "submissions": 2}),
        an_arrival(UNCERTAIN),
        an_arrival(event_id="evt of nobody"),
        an_arrival(generation_id="gen_2"),
        an_arrival(body={}),
    ]
    for arrival in contradictions:
        found = compared(arrivals=[an_arrival(), arrival])
        assert (found.callbacks_unverified, found.is_clean) == (1, False), arrival


def test_a_repetition_with_another_body_does_not_count_as_verified() -> None:
    first = an_arrival(answered=500)
    other = replace(first, body={**first.body, "timestamp": "another"}, answered=200)

    assert compared(arrivals=[first, other]).callbacks_unverified == 1


def test_a_callback_that_comes_again_after_it_was_taken_is_a_duplicate_and_allowed() -> None:
    found = compared(arrivals=[an_arrival(answered=500), an_arrival(), an_arrival()])

    assert (found.callbacks_duplicate, found.is_clean) == (1, True)


def test_two_ids_for_one_submission_and_one_id_for_two_are_found() -> None:
    differing = compared(submissions=[a_submission(replayed_ids=["gen_1", "gen_2"])])
    shared = compared(submissions=[a_submission(), a_submission()])

    assert (differing.replays, differing.replays_differing, differing.is_clean) == (2, 1, False)
    assert (shared.distinct_ids, shared.is_clean) == (1, False)


def test_a_submission_that_was_refused_is_not_clean() -> None:
    found = compared(submissions=[a_submission(), a_submission(None, refused=422)])

    assert (found.refused, found.accepted, found.is_clean) == (1, 1, False)


def test_an_uncertain_submission_is_a_failure_that_keeps_every_promise() -> None:
    evidence = {"records": {"gen_1": a_record(UNCERTAIN)}, "arrivals": [an_arrival(UNCERTAIN)]}
    paid, unpaid = compared(**evidence), compared(**evidence, ledger=[])

    assert (paid.failed, paid.uncertain, paid.uncertain_paid, paid.is_clean) == (1, 1, 1, True)
    assert (unpaid.uncertain, unpaid.uncertain_paid) == (1, 0)
