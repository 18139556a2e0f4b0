"""Many at once, through the real processes: a batch to its callbacks, a cancel of all meant."""

from uuid import uuid4

from tests.acceptance.origins import Body, OriginClient, an_input
from tests.acceptance.runcomfy import IMAGE_MODEL, RunComfy
from tests.acceptance.waiting import eventually

COUNT = 12


def send(origin: OriginClient, creates: list[Body]) -> Body:
    """The answer to a batch that names itself by its creates."""
    key = {"Idempotency-Key": str(creates[0]["metadata"]["batch"])}
    answer = origin.call("POST", "/v1/generations/batch", key, json={"generations": creates})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def ids_of(answer: Body) -> list[str]:
    return [result["generation"]["id"] for result in answer["results"] if result["generation"]]


def listed(origin: OriginClient, **query: object) -> list[str]:
    """The ids of all pages, a few at a time."""
    ids: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        answer = origin.call("GET", "/v1/generations", params={"limit": 5, **query, **cursor})
        assert answer.status_code == 200, answer.text
        ids += [generation["id"] for generation in answer.json()["generations"]]
        if answer.json()["next_cursor"] is None:
            return ids
        cursor = {"cursor": answer.json()["next_cursor"]}


def test_a_batch_sent_twice_is_paid_once_each_and_told_with_its_metadata(
    north: OriginClient, runcomfy: RunComfy
) -> None:
    endpoint, batch = north.endpoint(), uuid4().hex
    creates = [
        {
            "model": IMAGE_MODEL,
            "input": an_input(),
            "webhook": endpoint.url,
            "metadata": {"batch": batch, "n": str(n)},
        }
        for n in range(COUNT)
    ]
    wrong = {**creates[0], "webhook": "ftp://nowhere.example"}

    first, again = send(north, [*creates, wrong]), send(north, [*creates, wrong])

    assert (first["accepted"], first["refused"]) == (COUNT, 1)
    assert first["results"][-1]["problem"]["code"] == "invalid_webhook"
    assert ids_of(again) == ids_of(first)
    told = endpoint.wait_for(COUNT)
    assert {(c.told["request_id"], c.told["metadata"]["n"]) for c in told} == {
        (generation_id, str(n)) for n, generation_id in enumerate(ids_of(first))
    }
    assert {c.told["metadata"]["batch"] for c in told} == {batch}
    succeeded = listed(north, status="succeeded", **{"metadata[batch]": batch})
    assert sorted(succeeded) == sorted(ids_of(first))
    assert all(len(runcomfy.paid_for(create["input"])) == 1 for create in creates)


def test_all_that_match_are_cancelled_and_the_others_go_on(
    north: OriginClient, runcomfy: RunComfy
) -> None:
    batch = uuid4().hex
    runcomfy.hold(queue=True)
    creates = [
        {
            "model": IMAGE_MODEL,
            "input": an_input(),
            "metadata": {"batch": batch, "unwanted": str(n % 2)},
        }
        for n in range(COUNT)
    ]
    ids = ids_of(send(north, creates))
    for generation_id in ids:
        north.wait_until(generation_id, "in_queue")
    unwanted = {"metadata": {"batch": batch, "unwanted": "1"}}

    answer = north.call("POST", "/v1/generations/cancel", json=unwanted)

    assert answer.status_code == 202
    assert sorted(answer.json()["cancellation_requested"]["ids"]) == sorted(ids[1::2])
    assert answer.json()["cancelled"] == {"count": 0, "ids": []}

    def cancelled() -> bool:
        found = listed(north, status="cancelled", **{"metadata[batch]": batch})
        return sorted(found) == sorted(ids[1::2])

    eventually(cancelled, "RunComfy has cancelled all that matched")
    again = north.call("POST", "/v1/generations/cancel", json=unwanted)
    assert (again.status_code, again.json()["cancelled"]["count"]) == (200, 0)
    runcomfy.start_all()
    for generation_id in ids[::2]:
        north.wait_until(generation_id, "succeeded")
