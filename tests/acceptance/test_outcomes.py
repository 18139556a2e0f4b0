"""The ways a generation ends besides success, as its origin and its endpoint are told."""

from tests.acceptance.origins import OriginClient, an_input
from tests.acceptance.runcomfy import RunComfy
from tests.builders import UNLISTED


def test_a_failed_generation_is_told_in_runcomfys_words(
    north: OriginClient, runcomfy: RunComfy
) -> None:
    given, endpoint = an_input("[[sim:failed]]"), north.endpoint()
    request_id = north.submit(given, webhook=endpoint.url)

    callback = endpoint.wait_for_event("generation.failed")

    words = "Simulated failure: the generation did not succeed."
    error = {"code": "generation_failed", "message": words}
    assert callback.told["error"] == error
    assert callback.told["output"] is None
    assert north.status(request_id)["status"] == "completed"
    assert north.result(request_id)["status"] == "failed"
    assert north.result(request_id)["error"] == words
    assert north.record(request_id)["error"] == error
    assert len(runcomfy.paid_for(given)) == 1


def test_an_input_that_runcomfy_rejects_is_told_in_its_words_and_not_paid(
    north: OriginClient, runcomfy: RunComfy
) -> None:
    given, endpoint = an_input(resolution="9K"), north.endpoint()
    request_id = north.submit(given, model_id=UNLISTED, webhook=endpoint.url)

    callback = endpoint.wait_for_event("generation.failed")

    words = (
        "Validation error: the input does not match the model's schema: "
        'resolution: "9K" is not one of "1K" or "2K"'
    )
    assert callback.told["error"] == {"code": "rejected", "message": words}
    assert callback.told["submissions"] == 0
    assert north.record(request_id)["submissions"] == 0
    assert runcomfy.paid_for(given) == []


def test_intermediate_statuses_are_told_in_order_where_they_are_asked_for(
    north: OriginClient, runcomfy: RunComfy
) -> None:
    given, endpoint = an_input(), north.endpoint()
    runcomfy.hold(queue=True, progress=True)
    north.submit(given, webhook=endpoint.url, intermediate=True)
    endpoint.wait_for_event("generation.in_queue")
    runcomfy.start_all()
    endpoint.wait_for_event("generation.in_progress")
    runcomfy.finish_all()

    endpoint.wait_for_event("generation.succeeded")

    callbacks = endpoint.wait_for(3)
    told = [callback.event for callback in callbacks]
    assert told == ["generation.in_queue", "generation.in_progress", "generation.succeeded"]
    sequence = [callback.told["sequence"] for callback in callbacks]
    assert sequence == sorted(set(sequence))
    assert [callback.told["output"] is None for callback in callbacks] == [True, True, False]
    assert len({callback.event_id for callback in callbacks}) == 3
