"""One generation's whole path over RunComfy's routes, seen from each of its ends."""

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

import pytest

from ops.local.example import INPUT, MODEL_ID
from tests.acceptance.origins import Body, OriginClient
from tests.acceptance.receiver import Callback
from tests.acceptance.runcomfy import Entry
from tests.acceptance.stack import Stack
from tests.acceptance.waiting import eventually

WORDS: Final = ["in_queue", "in_progress", "completed"]


@dataclass(frozen=True, slots=True)
class Path:
    """Everything that was to be seen of one generation."""

    given: Body
    accepted: Body
    words: list[str]
    positions: list[int]
    result: Body
    record: Body
    callbacks: list[Callback]
    paid: list[Entry]
    calls: dict[str, int]


@pytest.fixture(scope="module")
def path(shared_stack: Stack, north_of_all: OriginClient) -> Path:
    """The page's own example, held at each of RunComfy's states until it was seen there."""
    north, runcomfy = north_of_all, shared_stack.runcomfy
    given = {**INPUT, "duration": 7}
    endpoint = north.endpoint()
    runcomfy.hold(queue=True, progress=True)
    accepted = dict(north.post(given, model_id=MODEL_ID, webhook=endpoint.url).json())
    request_id = accepted["request_id"]
    words: list[str] = []
    positions: list[int] = []

    def sees(word: str) -> bool:
        status = north.status(request_id)
        if "queue_position" in status:
            positions.append(status["queue_position"])
        if status["status"] != (words or [""])[-1]:
            words.append(status["status"])
        return bool(words[-1] == word)

    eventually(lambda: north.record(request_id)["polls"], "RunComfy said its queue position")
    for word, proceed in zip(
        WORDS, (runcomfy.start_all, runcomfy.finish_all, runcomfy.reset), strict=True
    ):
        eventually(partial(sees, word), f"the status is {word}")
        proceed()
    callbacks = endpoint.wait_for()
    record = north.record(request_id)
    return Path(
        given=given,
        accepted=accepted,
        words=words,
        positions=positions,
        result=north.result(request_id),
        record=record,
        callbacks=callbacks,
        paid=runcomfy.paid_for(given),
        calls=runcomfy.request(record["runcomfy_request_id"])["calls"],
    )


def test_the_status_says_runcomfys_words_in_their_order(path: Path) -> None:
    assert path.words == WORDS
    assert path.positions
    assert min(path.positions) >= 1


def test_the_urls_of_the_answer_lead_to_the_gateway(path: Path, stack: Stack) -> None:
    request = f"{stack.gateway_url}/v1/requests/{path.accepted['request_id']}"
    assert path.accepted["status_url"] == f"{request}/status"
    assert path.accepted["result_url"] == f"{request}/result"
    assert path.accepted["cancel_url"] == f"{request}/cancel"


def test_the_result_is_what_runcomfy_made(path: Path) -> None:
    made_by_runcomfy = f"/outputs/{path.paid[0]['request_id']}.mp4"
    assert path.result["status"] == "succeeded"
    assert path.result["output"]["video"].endswith(made_by_runcomfy)
    assert path.result["input"] == path.given


def test_runcomfy_is_paid_once_for_exactly_what_was_given(path: Path) -> None:
    assert len(path.paid) == 1
    assert path.paid[0]["input"] == path.given
    assert path.paid[0]["model_id"] == MODEL_ID
    assert path.record["submissions"] == 1


def test_one_verified_callback_says_what_the_result_says(path: Path) -> None:
    (callback,) = path.callbacks
    assert callback.is_verified
    assert callback.event == "generation.succeeded"
    assert callback.told["request_id"] == path.accepted["request_id"]
    assert callback.told["output"] == path.result["output"]
    # RunComfy writes an instant in another way than we do.
    told, read = callback.told["finished_at"], path.result["finished_at"]
    assert datetime.fromisoformat(told) == datetime.fromisoformat(read)
    assert callback.told["submissions"] == 1


def test_every_poll_is_counted(path: Path) -> None:
    assert path.record["polls"] == path.calls["status"] >= len(WORDS)


def test_the_timeline_tells_every_move_in_order(path: Path) -> None:
    timeline = path.record["timeline"]
    moves = ["queued", "submitting", "in_queue", "in_progress", "succeeded"]
    assert [moment["status"] for moment in timeline] == moves
    assert [moment["at"] for moment in timeline] == sorted(moment["at"] for moment in timeline)
    assert timeline[0]["at"] == path.record["created_at"]
    assert timeline[-1]["at"] == path.record["finished_at"]


def test_the_delivery_is_on_record_with_its_attempt(path: Path, north: OriginClient) -> None:
    def look() -> Body | None:
        (delivery,) = north.record(path.accepted["request_id"])["deliveries"]
        return dict(delivery) if delivery["status"] == "delivered" else None

    delivery = eventually(look, "the delivery is delivered")
    assert delivery["event_id"] == path.callbacks[0].event_id
    assert [attempt["status_code"] for attempt in delivery["attempts"]] == [200]
