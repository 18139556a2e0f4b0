"""The list over real HTTP: filters, pages, and what is said where either is not as it must be."""

import base64
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from generations.lifecycle import Status
from generations.selection import Place
from tests.builders import UNLISTED
from tests.integration.played_worker import PlayedWorker

LIST = "/v1/generations"
ENDPOINT = "https://studio.example/hook"

Record = dict[str, Any]


async def create(origin: httpx.AsyncClient, **fields: Any) -> Record:
    """The record of a new generation."""
    answer = await origin.post(LIST, json={"model": UNLISTED, "input": {"prompt": "x"}, **fields})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def page(origin: httpx.AsyncClient, **query: Any) -> Record:
    answer = await origin.get(LIST, params=query)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def listed(origin: httpx.AsyncClient, **query: Any) -> list[str]:
    """The ids of all pages."""
    ids: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        found = await page(origin, **query, **cursor)
        ids += [record["id"] for record in found["generations"]]
        if found["next_cursor"] is None:
            return ids
        cursor = {"cursor": found["next_cursor"]}


async def test_pages_lead_from_the_newest_to_the_oldest(studio: httpx.AsyncClient) -> None:
    made = [(await create(studio))["id"] for _ in range(5)]
    first = await page(studio, limit=2)
    assert [record["id"] for record in first["generations"]] == made[:2:-1]
    assert await listed(studio, limit=2) == made[::-1]
    assert (await page(studio, limit=5))["next_cursor"] is None


async def test_rows_hold_what_the_record_holds(
    studio: httpx.AsyncClient, worker: PlayedWorker
) -> None:
    told = await create(studio, webhook=ENDPOINT)
    await worker.bring_to(Status.SUCCEEDED)
    for _ in range(3):
        await create(studio)
    rows = (await page(studio))["generations"]
    assert [row["queue_position"] for row in rows] == [3, 2, 1, None]
    assert [len(row["deliveries"]) for row in rows] == [0, 0, 0, 1]
    assert rows[3]["id"] == told["id"]
    assert rows == [(await studio.get(f"{LIST}/{row['id']}")).json() for row in rows]


async def test_statuses_are_alternatives(studio: httpx.AsyncClient, worker: PlayedWorker) -> None:
    ids = {}
    for status in (Status.SUCCEEDED, Status.FAILED, Status.IN_PROGRESS):
        ids[status] = (await create(studio))["id"]
        await worker.bring_to(status)
    assert await listed(studio, status="failed") == [ids[Status.FAILED]]
    assert await listed(studio, status=["succeeded", "in_progress"], limit=1) == [
        ids[Status.IN_PROGRESS],
        ids[Status.SUCCEEDED],
    ]
    assert await listed(studio, status="queued") == []


async def test_model_and_metadata_narrow_it_down(studio: httpx.AsyncClient) -> None:
    plain = (await create(studio))["id"]
    other = (await create(studio, model="other/model", metadata={"user": "17"}))["id"]
    both = (await create(studio, metadata={"user": "17", "order": "4711"}))["id"]
    assert await listed(studio, model=UNLISTED) == [both, plain]
    assert await listed(studio, model=UNLISTED.upper()) == []
    assert await listed(studio, **{"metadata[user]": "17"}) == [both, other]
    assert await listed(studio, **{"metadata[user]": "17", "metadata[order]": "4711"}) == [both]
    assert await listed(studio, **{"metadata[user]": "1"}) == []
    assert await listed(studio, **{"metadata[user]": "17", "model": "other/model"}) == [other]


async def test_instants_bound_it_on_both_sides(studio: httpx.AsyncClient) -> None:
    made: list[Record] = []
    while len({record["created_at"] for record in made}) < 3:
        made.append(await create(studio))
    instants = sorted({record["created_at"] for record in made})

    def ids(*wanted: str) -> list[str]:
        return [record["id"] for record in made[::-1] if record["created_at"] in wanted]

    first, middle, *_, last = instants
    assert sorted(await listed(studio, created_before=middle)) == sorted(ids(first))
    assert sorted(await listed(studio, created_after=middle, limit=1)) == sorted(ids(*instants[2:]))
    between = await listed(studio, created_after=first, created_before=last)
    assert sorted(between) == sorted(ids(*instants[1:-1]))
    earlier = (datetime.fromisoformat(first) - timedelta(microseconds=1)).astimezone()
    assert len(await listed(studio, created_after=earlier.isoformat())) == len(made)
    assert await listed(studio, created_after=last, created_before=first) == []


async def test_what_is_created_meanwhile_shifts_no_page(studio: httpx.AsyncClient) -> None:
    made = [(await create(studio))["id"] for _ in range(4)]
    first = await page(studio, limit=2)
    newer = (await create(studio))["id"]
    second = await page(studio, limit=2, cursor=first["next_cursor"])
    assert [r["id"] for r in first["generations"] + second["generations"]] == made[::-1]
    assert second["next_cursor"] is None
    assert (await listed(studio))[0] == newer


async def test_another_origins_cursor_shows_its_reader_only_its_own(
    studio: httpx.AsyncClient, archive: httpx.AsyncClient
) -> None:
    theirs = []
    for _ in range(3):
        theirs.append((await create(archive))["id"])
        await create(studio)
    cursor = (await page(studio, limit=1))["next_cursor"]
    found = await page(archive, cursor=cursor)
    assert {record["id"] for record in found["generations"]} <= set(theirs)


@pytest.mark.parametrize(
    "cursor",
    ["", "x", "gen_01M82P1PYJXCCQKQW58TGX2232", "%00", Place(1, "gen_1").as_cursor(), "é" * 99],
)
async def test_a_cursor_that_no_list_gave_is_refused(
    studio: httpx.AsyncClient, cursor: str
) -> None:
    answer = await studio.get(LIST, params={"cursor": cursor})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_cursor")


async def test_a_cursor_of_another_version_is_refused(studio: httpx.AsyncClient) -> None:
    await create(studio)
    await create(studio)
    cursor = (await page(studio, limit=1))["next_cursor"]
    text = base64.urlsafe_b64decode(cursor + "==").decode()
    other = base64.urlsafe_b64encode(f"2{text[1:]}".encode()).decode().rstrip("=")
    answer = await studio.get(LIST, params={"cursor": other})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_cursor")


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("limit=0", "?limit"),
        ("limit=101", "?limit"),
        ("status=done", "?status.0"),
        ("status=queued&status=", "?status.1"),
        ("created_after=yesterday", "?created_after"),
        ("created_after=1700000000", "?created_after"),
        ("created_after=2026-11-22", "?created_after"),
        ("created_after=2026-11-22T12:00:00", "?created_after"),
        ("created_after=2026-13-22T12:00:00Z", "?created_after"),
        ("created_before=2026-11-22T12:00:00+01:00", "?created_before"),
        ("metadata=order", "?metadata"),
        ("metadata[order]=" + "x" * 513, "?metadata[order]"),
    ],
)
async def test_a_filter_that_cannot_be_meant_is_refused(
    studio: httpx.AsyncClient, query: str, pointer: str
) -> None:
    answer = await studio.get(f"{LIST}?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_instants_of_any_year_and_zone_are_read(studio: httpx.AsyncClient) -> None:
    made = (await create(studio))["id"]
    for early in ("0001-01-01T00:00:00+14:00", "1969-12-31t23:59:59.999999999z"):
        assert await listed(studio, created_after=early) == [made]
    for late in ("9999-12-31T23:59:59-14:00", "9999-12-31T23:59:59.999Z"):
        assert await listed(studio, created_before=late) == [made]
