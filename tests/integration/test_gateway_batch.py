"""A batch over real HTTP: each create by itself, the whole safe to send again."""

import asyncio
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from generations.limits import Limits
from generations.listing import index_of
from generations.origins import OriginStore
from tests.builders import SEEDANCE, UNLISTED
from tests.integration.conftest import BATCH_LIMIT, BODY_LIMIT

BATCH = "/v1/generations/batch"
KEY = {"Idempotency-Key": "nightly"}

Body = dict[str, Any]


def a_create(prompt: str = "A gentle breeze", **fields: Any) -> Body:
    return {"model": UNLISTED, "input": {"prompt": prompt}, **fields}


async def send(origin: httpx.AsyncClient, *creates: Any, **headers: str) -> Body:
    """The answer to a batch that is one."""
    answer = await origin.post(BATCH, json={"generations": creates}, headers=headers)
    assert answer.status_code == 200, answer.text
    body = dict(answer.json())
    assert len(body["results"]) == body["accepted"] + body["refused"] == len(creates)
    return body


def ids_of(answer: Body) -> list[str]:
    return [result["generation"]["id"] for result in answer["results"] if result["generation"]]


async def kept(redis: Redis) -> int:
    """How many generations of "studio" are on record."""
    return int(await redis.zcard(index_of("studio")))


async def test_each_is_answered_with_its_record_in_order(
    studio: httpx.AsyncClient,
) -> None:
    creates = [a_create(str(n), metadata={"n": str(n)}) for n in range(120)]
    answer = await send(studio, *creates)
    assert (answer["accepted"], answer["refused"]) == (120, 0)
    for n, result in enumerate(answer["results"]):
        assert (result["status"], result["replayed"], result["problem"]) == (201, False, None)
        assert result["generation"]["metadata"] == {"n": str(n)}
        assert result["generation"]["input"] == {"prompt": str(n)}
    last = answer["results"][-1]["generation"]
    assert (await studio.get(f"/v1/generations/{last['id']}")).json() == last


async def test_what_is_wrong_with_one_stops_none_of_the_others(
    studio: httpx.AsyncClient, store_redis: Redis
) -> None:
    wrong = [
        (a_create(webhook="http://127.0.0.1/hook"), 400, "address_not_allowed", None),
        (a_create(webhook="ftp://x"), 400, "invalid_webhook", None),
        (a_create(model="no model"), 400, "invalid_model_id", None),
        (a_create(metadata={"n": 1}), 422, "invalid_request", ["/metadata/n"]),
        (
            a_create(deadline_seconds=0, more=1),
            422,
            "invalid_request",
            ["/deadline_seconds", "/more"],
        ),
        (
            {"model": SEEDANCE, "input": {"prompt": "x"}},
            422,
            "invalid_input",
            ["/input/first_frame_image_url"],
        ),
        ({"input": {}}, 422, "invalid_request", ["/model"]),
        (a_create(idempotency_key=""), 422, "invalid_request", ["/idempotency_key"]),
        (a_create(idempotency_key="a\nb"), 422, "invalid_request", ["/idempotency_key"]),
        ("a create", 422, "invalid_request", [""]),
        (None, 422, "invalid_request", [""]),
        (a_create("x" * BODY_LIMIT), 413, "body_too_large", None),
    ]
    creates = [part for create, *_ in wrong for part in (create, a_create())]
    answer = await send(studio, *creates)
    assert (answer["accepted"], answer["refused"]) == (len(wrong), len(wrong))
    assert await kept(store_redis) == len(wrong)
    for n, (_, status, code, places) in enumerate(wrong):
        result, problem = answer["results"][2 * n], answer["results"][2 * n]["problem"]
        assert (result["status"], result["generation"], result["replayed"]) == (status, None, False)
        assert (problem["status"], problem["code"]) == (status, code)
        pointers = [f"#/generations/{2 * n}{place}" for place in places or []]
        assert [error["pointer"] for error in problem.get("errors", [])] == pointers
        assert None not in problem.values()
        assert answer["results"][2 * n + 1]["status"] == 201


async def test_a_batch_that_is_sent_again_creates_nothing(
    studio: httpx.AsyncClient, store_redis: Redis
) -> None:
    # Two of them alike: they are two all the same.
    creates = [a_create(), a_create(), a_create(model="no model"), a_create("else")]
    first = await send(studio, *creates, **KEY)
    again = await send(studio, *creates, **KEY)
    assert len(set(ids_of(first))) == 3
    assert ids_of(again) == ids_of(first)
    assert [result["replayed"] for result in again["results"]] == [True, True, False, True]
    assert [result["status"] for result in again["results"]] == [201, 201, 400, 201]
    assert await kept(store_redis) == 3


async def test_fifty_identical_batches_at_once_create_one(
    studio: httpx.AsyncClient, store_redis: Redis
) -> None:
    creates = [a_create(str(n)) for n in range(7)]
    answers = await asyncio.gather(*(send(studio, *creates, **KEY) for _ in range(50)))
    assert len({tuple(ids_of(answer)) for answer in answers}) == 1
    assert await kept(store_redis) == 7


async def test_a_batch_whose_answer_was_lost_halfway_goes_on_where_it_was(
    studio: httpx.AsyncClient, store_redis: Redis
) -> None:
    creates = [a_create(str(n)) for n in range(4)]
    first = await send(studio, *creates, **KEY)
    # As where the store went away after two of them.
    for name in [name async for name in store_redis.scan_iter("darkroom:idempotency:studio:*")][:2]:
        await store_redis.delete(name)
    again = await send(studio, *creates, **KEY)
    assert sum(result["replayed"] for result in again["results"]) == 2
    assert len(set(ids_of(first)) & set(ids_of(again))) == 2


@pytest.mark.parametrize(
    "other", [[], [a_create("other")], [a_create(), a_create(), a_create()], [a_create()]]
)
async def test_a_key_for_another_batch_is_refused_as_a_whole(
    studio: httpx.AsyncClient, store_redis: Redis, other: list[Body]
) -> None:
    await send(studio, a_create(), a_create(), **KEY)
    answer = await studio.post(BATCH, json={"generations": other}, headers=KEY)
    assert answer.status_code == 422
    assert answer.json()["code"] == ("idempotency_conflict" if other else "invalid_request")
    assert await kept(store_redis) == 2


async def test_a_create_may_have_a_key_of_its_own(
    studio: httpx.AsyncClient, archive: httpx.AsyncClient, store_redis: Redis
) -> None:
    single = await studio.post("/v1/generations", json=a_create(), headers={"Idempotency-Key": "k"})
    mine = a_create(idempotency_key="k")
    answer = await send(studio, mine, a_create(), mine, a_create("else", idempotency_key="k"))
    replayed, new, again, conflict = answer["results"]
    assert replayed["generation"]["id"] == again["generation"]["id"] == single.json()["id"]
    assert (replayed["replayed"], new["replayed"], again["replayed"]) == (True, False, True)
    assert (conflict["status"], conflict["problem"]["code"]) == (422, "idempotency_conflict")
    assert ids_of(await send(archive, mine)) != [single.json()["id"]]
    # In place of the batch's key, so that it holds over other batches too.
    other = await send(studio, a_create(), mine, **KEY)
    assert [result["replayed"] for result in other["results"]] == [False, True]
    assert await kept(store_redis) == 3


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "#/generations"),
        ({"generations": []}, "#/generations"),
        ({"generations": {}}, "#/generations"),
        ({"generations": None}, "#/generations"),
        ({"generations": [a_create()] * 501}, "#/generations"),
        ({"generations": [a_create()], "model": UNLISTED}, "#/model"),
    ],
)
async def test_what_is_no_batch_is_refused_as_a_whole(
    studio: httpx.AsyncClient, store_redis: Redis, body: Body, pointer: str
) -> None:
    answer = await studio.post(BATCH, json=body, headers=KEY)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert await kept(store_redis) == 0
    assert not [name async for name in store_redis.scan_iter("darkroom:idempotency*")]


async def test_five_hundred_are_a_batch(studio: httpx.AsyncClient, store_redis: Redis) -> None:
    assert (await send(studio, *[a_create()] * 500))["accepted"] == 500
    assert await kept(store_redis) == 500


async def test_a_batch_may_be_larger_than_one_create(studio: httpx.AsyncClient) -> None:
    half = a_create("x" * (BODY_LIMIT // 2))
    assert (await send(studio, half, half, half))["accepted"] == 3
    answer = await studio.post(
        BATCH, json={"generations": [half] * (BATCH_LIMIT // BODY_LIMIT * 2)}
    )
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


async def test_no_json_is_refused_as_a_whole(studio: httpx.AsyncClient) -> None:
    answer = await studio.post(BATCH, content=b'{"generations": [}')
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_body")


async def test_what_is_over_a_limit_is_refused_by_itself_and_accepted_when_sent_again(
    studio: httpx.AsyncClient, origins: OriginStore, store_redis: Redis
) -> None:
    await origins.limit("studio", Limits(max_unfinished=3))
    body = {"generations": [a_create(str(n)) for n in range(5)]}
    first = await studio.post(BATCH, json=body, headers=KEY)
    results = first.json()["results"]
    assert [result["status"] for result in results] == [201, 201, 201, 429, 429]
    assert results[4]["problem"]["code"] == "over_limit"
    assert int(first.headers["Retry-After"]) > 0
    assert first.headers["RateLimit"] == '"unfinished";r=0'
    assert first.headers["RateLimit-Policy"] == '"unfinished";q=3'
    await studio.post(f"/v1/generations/{results[0]['generation']['id']}/cancel")
    again = (await studio.post(BATCH, json=body, headers=KEY)).json()["results"]
    assert [result["status"] for result in again] == [201, 201, 201, 201, 429]
    assert [result["replayed"] for result in again] == [True, True, True, False, False]
    assert await kept(store_redis) == 4
