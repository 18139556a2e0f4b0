"""Nothing of one origin is visible to another, and nothing is done without a key that may.

Every route that the gateway describes is called, whichever they are; ``described_routes.py``
fails on one that it does not know how to call.
"""

from collections.abc import AsyncIterator, Iterator, Sequence

import httpx
import pytest_asyncio
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Route

from api_gateway import create_app
from generations.ids import GENERATION, new_id
from generations.model import Scope
from generations.origins import OriginStore
from generations.settings import GatewaySettings
from tests.integration.described_routes import Operation, read_operations
from tests.integration.gateway_process import GatewayProcess

UNKNOWN = new_id(GENERATION)
#: Whether the gateway is well, and how callbacks are verified, is nobody's secret.
OPEN = {"GET /healthz", "GET /readyz", "GET /.well-known/jwks.json"}
#: FastAPI's own, which describe the others.
DESCRIBING = {"/openapi.json", "/docs", "/docs/oauth2-redirect"}


@pytest_asyncio.fixture
async def operations(stranger: httpx.AsyncClient) -> list[Operation]:
    """Every operation of the running gateway."""
    found = await read_operations(stranger)
    assert len(found) > 10
    return found


@pytest_asyncio.fixture
async def theirs(operations: list[Operation], studio: httpx.AsyncClient) -> list[str]:
    """The ids of what "studio" made, by every way to make something."""
    # What makes something is described before what cancels all that there is.
    for operation in reversed(operations):
        if operation.method == "POST" and not operation.names_a_generation:
            assert (await operation.call(studio)).is_success, operation
    listed = (await studio.get("/v1/generations")).json()["generations"]
    assert {one["status"] for one in listed} == {"queued"}
    return [one["id"] for one in listed]


def seen(answer: httpx.Response) -> tuple[int, str, bytes]:
    return answer.status_code, answer.headers["Content-Type"], answer.content


async def state_of(ids: list[str], studio: httpx.AsyncClient) -> list[bytes]:
    return [(await studio.get(f"/v1/generations/{one}")).content for one in ids]


async def test_anothers_generation_is_answered_as_one_that_never_was(
    operations: list[Operation],
    theirs: list[str],
    studio: httpx.AsyncClient,
    archive: httpx.AsyncClient,
) -> None:
    before = await state_of(theirs, studio)
    naming = [operation for operation in operations if operation.names_a_generation]
    assert len(naming) > 5
    for operation in naming:
        never = await operation.call(archive, UNKNOWN)
        assert never.status_code == 404, operation
        for generation_id in theirs:
            foreign = await operation.call(archive, generation_id)
            assert seen(foreign) == seen(never), operation
            assert generation_id not in foreign.text
    assert await state_of(theirs, studio) == before


async def test_what_another_origin_has_changes_no_answer(
    operations: list[Operation], studio: httpx.AsyncClient, archive: httpx.AsyncClient
) -> None:
    looking = [
        operation
        for operation in operations
        if operation.method == "GET" and not operation.names_a_generation and operation.scope
    ]
    before = [seen(await operation.call(archive)) for operation in looking]
    for operation in operations:
        if operation.method == "POST" and not operation.names_a_generation:
            await operation.call(studio)
    assert [seen(await operation.call(archive)) for operation in looking] == before


async def test_what_another_origin_does_to_all_it_has_reaches_nobody_elses(
    operations: list[Operation],
    theirs: list[str],
    studio: httpx.AsyncClient,
    archive: httpx.AsyncClient,
) -> None:
    before = await state_of(theirs, studio)
    for operation in operations:
        if operation.method != "GET" and not operation.names_a_generation:
            answer = await operation.call(archive)
            assert answer.status_code < 400, operation
            assert not [one for one in theirs if one in answer.text], operation
    assert await state_of(theirs, studio) == before


async def test_anothers_cursor_leads_to_ones_own(
    operations: list[Operation],
    theirs: list[str],
    studio: httpx.AsyncClient,
    archive: httpx.AsyncClient,
) -> None:
    paged = [operation for operation in operations if operation.takes_cursor]
    assert paged
    for operation in paged:
        cursor = (await operation.call(studio, params={"limit": 1})).json()["next_cursor"]
        answer = await operation.call(archive, params={"limit": 1, "cursor": cursor})
        assert not [one for one in theirs if one in answer.text], operation


async def test_without_a_key_or_with_a_wrong_one_it_is_401(
    operations: list[Operation], theirs: list[str], stranger: httpx.AsyncClient
) -> None:
    assert {str(one) for one in operations if one.scope is None} == OPEN
    wrong = [{}, {"Authorization": "Bearer dk_wrong"}, {"Authorization": "Basic ZGs6eA=="}]
    for operation in operations:
        for headers in wrong:
            for generation_id in (theirs[0], UNKNOWN):
                answer = await operation.call(stranger, generation_id, headers=headers)
                if operation.scope is None:
                    assert answer.status_code == 200
                else:
                    assert answer.status_code == 401, operation
                    assert answer.json()["code"] == "unauthorized"
                    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest_asyncio.fixture
async def keyring(
    gateway: GatewayProcess, origins: OriginStore
) -> AsyncIterator[dict[Scope, httpx.AsyncClient]]:
    """One client of "studio" for each scope alone."""
    clients = {}
    for scope in Scope:
        made = await origins.create_key("studio", scopes=[scope])
        headers = {"Authorization": f"Bearer {made.api_key}"}
        clients[scope] = httpx.AsyncClient(base_url=gateway.url, headers=headers, verify=False)
    yield clients
    for client in clients.values():
        await client.aclose()


async def test_a_key_without_the_scope_is_403_and_with_it_alone_is_not(
    operations: list[Operation],
    theirs: list[str],
    keyring: dict[Scope, httpx.AsyncClient],
) -> None:
    for operation in operations:
        if operation.scope is None:
            continue
        for scope, client in keyring.items():
            answer = await operation.call(client, UNKNOWN)
            if scope in {operation.scope, Scope.ADMIN}:
                assert answer.status_code not in {401, 403}, (operation, scope)
            else:
                assert answer.status_code == 403, (operation, scope)
                assert answer.json()["code"] == "forbidden"
                assert f"'{operation.scope}'" in answer.json()["detail"]
    assert theirs


def test_there_is_no_route_that_is_not_described() -> None:
    app = create_app(GatewaySettings())
    described = {
        (method.upper(), path)
        for path, methods in app.openapi()["paths"].items()
        for method in methods
    }
    for route in all_routes(app.router.routes):
        if isinstance(route, APIRoute):
            path = route.path.replace(":path", "")
            assert {(method, path) for method in route.methods or ()} <= described
        else:
            assert isinstance(route, Route)
            assert route.path in DESCRIBING


def all_routes(routes: Sequence[BaseRoute]) -> Iterator[BaseRoute]:
    """Those of included routers too."""
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is None:
            yield route
        else:
            yield from all_routes(included.routes)
