"""What a key may on the gateway, and what the gateway notes of it."""

import json
from datetime import timedelta

import httpx

from generations.model import ApiKey, Scope
from generations.origins import OriginStore
from tests.builders import UNLISTED
from tests.integration.gateway_process import GatewayProcess
from tests.waiting import eventually

SUBMIT = f"/v1/models/{UNLISTED}"


def asking_with(gateway: GatewayProcess, api_key: str) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {api_key}"}
    return httpx.AsyncClient(base_url=gateway.url, headers=headers, verify=False)


async def test_a_key_that_may_only_read_submits_and_cancels_nothing(
    gateway: GatewayProcess, origins: OriginStore, studio: httpx.AsyncClient
) -> None:
    made = (await studio.post(SUBMIT, json={"prompt": "a boat"})).json()
    key = await origins.create_key("studio", scopes=[Scope.READ])
    async with asking_with(gateway, key.api_key) as reader:
        assert (await reader.get(f"/v1/generations/{made['request_id']}")).status_code == 200
        for path in (SUBMIT, f"/v1/requests/{made['request_id']}/cancel"):
            answer = await reader.post(path, json={"prompt": "a boat"})
            assert answer.status_code == 403
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert answer.json()["code"] == "forbidden"
            assert "'submit'" in answer.json()["detail"]


async def test_a_key_that_may_only_submit_sees_nothing(
    gateway: GatewayProcess, origins: OriginStore, redis_url: str
) -> None:
    assert redis_url
    key = await origins.create_key("studio", scopes=[Scope.SUBMIT])
    async with asking_with(gateway, key.api_key) as submitter:
        answer = await submitter.post(SUBMIT, json={"prompt": "a boat"})
        assert answer.status_code == 200
        request_id = answer.json()["request_id"]
        seen = await submitter.get(f"/v1/requests/{request_id}/status")
        assert seen.status_code == 403
        assert "'read'" in seen.json()["detail"]
        assert (await submitter.post(f"/v1/requests/{request_id}/cancel")).status_code == 200


async def test_a_revoked_key_is_refused_by_the_next_request(
    gateway: GatewayProcess, origins: OriginStore, redis_url: str
) -> None:
    assert redis_url
    key = await origins.create_key("studio")
    async with asking_with(gateway, key.api_key) as client:
        assert (await client.get("/v1/generations")).status_code == 200
        await origins.revoke(key.id)
        assert (await client.get("/v1/generations")).status_code == 401


async def test_a_request_leaves_when_its_key_was_used(
    gateway: GatewayProcess, origins: OriginStore, redis_url: str
) -> None:
    assert redis_url
    key = await origins.create_key("studio", scopes=[Scope.ADMIN])
    async with asking_with(gateway, key.api_key) as client:
        assert (await client.get("/v1/generations")).status_code == 200

    async def used() -> ApiKey | None:
        (found,) = await origins.keys("studio")
        return found if found.last_used_at else None

    await eventually(used, "the use is noted")


async def test_logs_name_a_key_by_its_id(
    gateway: GatewayProcess, origins: OriginStore, redis_url: str
) -> None:
    assert redis_url
    key = await origins.create_key("studio")
    async with asking_with(gateway, key.api_key) as client:
        await client.post(SUBMIT, json={"prompt": "a boat"})
    lines = [json.loads(line) for line in gateway.log.splitlines() if line.startswith("{")]
    accepted = [line for line in lines if line["event"] == "generation.accepted"]
    assert accepted[-1]["key_id"] == key.id
    assert key.api_key not in gateway.log


async def test_the_old_key_works_beside_the_new_one_until_it_ends(
    gateway: GatewayProcess, origins: OriginStore, redis_url: str
) -> None:
    assert redis_url
    old = await origins.create_key("studio")
    new = await origins.rotate(old.id, overlap=timedelta(hours=1))
    assert new is not None
    for key in (old, new):
        async with asking_with(gateway, key.api_key) as client:
            assert (await client.get("/v1/generations")).status_code == 200
