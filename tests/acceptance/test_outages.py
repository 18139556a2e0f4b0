"""RunComfy away, Redis away, a worker that must not start: what waits, and what says why."""

from typing import Final

from tests.acceptance.origins import OriginClient, an_input
from tests.acceptance.stack import Stack
from tests.acceptance.waiting import eventually

SOME: Final = 10


def test_a_submission_that_never_left_waits_until_runcomfy_is_back_and_is_paid_once(
    breakable: Stack, brave: OriginClient
) -> None:
    given, endpoint = an_input(), brave.endpoint()
    breakable.simulator.kill()
    request_id = brave.submit(given, webhook=endpoint.url)

    def is_refused_and_queued() -> bool:
        record = brave.record(request_id)
        return record["status"] == "queued" and len(record["timeline"]) >= 3

    eventually(is_refused_and_queued, "the submission was tried, and is queued again")
    assert brave.record(request_id)["submissions"] == 0
    breakable.start()

    callback = endpoint.wait_for_event("generation.succeeded")

    assert callback.told["submissions"] == 1
    assert len(breakable.runcomfy.paid_for(given)) == 1


def test_nothing_is_lost_when_redis_goes_away_and_comes_back(
    breakable: Stack, brave: OriginClient
) -> None:
    endpoint, inputs = brave.endpoint(), [an_input() for _ in range(SOME)]
    breakable.runcomfy.hold(progress=True)
    request_ids = [brave.submit(given, webhook=endpoint.url) for given in inputs]
    for request_id in request_ids:
        brave.wait_until(request_id, "in_progress")

    breakable.valkey.terminate()
    breakable.valkey.wait(seconds=10)
    (worker,) = breakable.workers
    eventually(
        lambda: worker.has_logged("dispatcher.waiting") or not worker.is_running,
        "the worker notices that Redis is away",
    )
    breakable.runcomfy.finish_all()
    refused = brave.post(an_input())
    unread = brave.call("GET", f"/v1/requests/{request_ids[0]}/status")
    breakable.valkey.start()
    breakable.valkey.wait_until_ready()

    for answer in (refused, unread):
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) >= 1
        assert answer.json()["code"] == "store_unavailable"

    def is_all_told() -> bool:
        breakable.revive_workers()
        return len(endpoint.callbacks) >= SOME

    eventually(is_all_told, "every generation is told", seconds=60)
    told = {callback.told["request_id"] for callback in endpoint.wait_for(SOME)}
    assert told == set(request_ids)
    assert {brave.record(request_id)["status"] for request_id in request_ids} == {"succeeded"}
    assert [len(breakable.runcomfy.paid_for(given)) for given in inputs] == [1] * SOME
    breakable.runcomfy.hold()
    assert brave.wait_until_finished(brave.submit(an_input()))["status"] == "succeeded"


def test_a_worker_without_a_runcomfy_token_refuses_to_start_and_says_why(
    breakable: Stack,
) -> None:
    worker = breakable.add_worker("worker-without-token", without="RUNCOMFY_API_TOKEN")
    worker.start()

    assert worker.wait(seconds=30) == 2

    assert "darkroom: RUNCOMFY_API_TOKEN is not set." in worker.text()
    assert "Traceback" not in worker.text()
