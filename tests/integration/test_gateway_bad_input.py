"""Every bad input is a problem that says what to do, and nothing is stored."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from redis.asyncio import Redis

from generations.ids import GENERATION, new_id
from tests.builders import UNLISTED
from tests.integration.conftest import BODY_LIMIT

SUBMIT = f"/v1/models/{UNLISTED}"
CREATE = "/v1/generations"
BOTH = [SUBMIT, CREATE]
ROUTES = [
    ("POST", SUBMIT),
    ("POST", CREATE),
    ("GET", "/v1/generations"),
    ("GET", "/v1/generations/gen_1"),
    ("POST", "/v1/generations/gen_1/cancel"),
    ("GET", "/v1/requests/gen_1/status"),
    ("GET", "/v1/requests/gen_1/result"),
    ("POST", "/v1/requests/gen_1/cancel"),
]


@pytest_asyncio.fixture(autouse=True)
async def nothing_is_stored(studio: httpx.AsyncClient, store_redis: Redis) -> AsyncIterator[None]:
    """Nothing is on record after the test but what was before, the origin's key."""
    assert studio.headers["Authorization"]  # Its key is on record by now.
    before = sorted(await store_redis.keys())
    yield
    assert sorted(await store_redis.keys()) == before


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem that an answer holds, checked for what all of them have."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["type"] == f"urn:darkroom:problem:{code}"
    assert body["status"] == status
    assert body["code"] == code
    assert body["title"]
    assert len(body["detail"].split()) > 5
    assert body["detail"].endswith(".")
    return body


def created(**fields: Any) -> dict[str, Any]:
    """The body of a create, with other fields."""
    return {"model": UNLISTED, "input": {}, **fields}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/v2/generations"),
        ("GET", "/v1/generations/"),
        ("GET", "/v1/requests/gen_1"),
        ("POST", "/v1/requests/a%2Fb/cancel"),
    ],
)
async def test_an_unknown_route(studio: httpx.AsyncClient, method: str, path: str) -> None:
    problem(await studio.request(method, path), 404, "route_not_found")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("DELETE", "/v1/generations", "GET, POST"),
        ("PUT", SUBMIT, "GET, POST"),
        ("POST", "/v1/models", "GET"),
        ("POST", "/v1/requests/x/status", "GET"),
        ("GET", "/v1/generations/x/cancel", "POST"),
        ("PUT", "/healthz", "GET"),
        # Not what those of an id would take.
        ("DELETE", "/v1/models/categories", "GET"),
        ("DELETE", "/v1/generations/batch", "POST"),
    ],
)
async def test_a_method_that_the_route_does_not_take(
    studio: httpx.AsyncClient, method: str, path: str, allow: str
) -> None:
    answer = await studio.request(method, path)
    problem(answer, 405, "method_not_allowed")
    assert answer.headers["Allow"] == allow


@pytest.mark.parametrize(
    "generation_id",
    [
        pytest.param(new_id(GENERATION), id="nobody's"),
        "gen_1",
        "x",
        "generations",
        "origins",
        "due:submissions",
        "origin:studio",
        "%00",
        "%ff",
        "gen_" + "0" * 5000,
    ],
)
async def test_an_unknown_id(studio: httpx.AsyncClient, generation_id: str) -> None:
    for path in (f"/v1/requests/{generation_id}/status", f"/v1/generations/{generation_id}"):
        body = problem(await studio.get(path), 404, "generation_not_found")
        assert body["error_code"] == 404001


@pytest.mark.parametrize(
    "headers",
    [
        [],
        *(
            [(b"Authorization", value)]
            for value in (b"", b"Bearer", b"Bearer no", b"Basic eDo=", b"dk_key", b"Bearer \xff")
        ),
    ],
)
async def test_a_missing_or_wrong_key(
    stranger: httpx.AsyncClient, headers: list[tuple[bytes, bytes]]
) -> None:
    for method, path in ROUTES:
        answer = await stranger.request(method, path, headers=headers)
        body = problem(answer, 401, "unauthorized")
        assert body["error_code"] == 400004
        assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_a_key_is_asked_for_before_anything_else(stranger: httpx.AsyncClient) -> None:
    for path in (SUBMIT, CREATE, "/v1/models/odd"):
        problem(await stranger.post(path, content=b"no json"), 401, "unauthorized")


@pytest.mark.parametrize("path", BOTH)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"x"',
        b"{",
        b"prompt=x",
        b'{"model": "a/b", "input": {"a": NaN}}',
        b'{"model": "a/b", "input": {"a": 1e999}}',
        b'{"model": "a/b", "input": {"a": "\\ud83d"}}',
        b'{"model": "a/b", "input": {"a": "\\u0000"}}',
        b'{"model": "a/b", "input": {"a": "\xff"}}',
        b'{"model": "a/b", "input": ' + b"[" * 40_000 + b"]" * 40_000 + b"}",
    ],
)
async def test_a_body_that_is_no_json_object(
    studio: httpx.AsyncClient, path: str, body: bytes
) -> None:
    problem(await studio.post(path, content=body), 400, "invalid_body")


@pytest.mark.parametrize("path", BOTH)
async def test_a_body_over_the_limit(studio: httpx.AsyncClient, path: str) -> None:
    body = b'{"prompt": "' + b"x" * BODY_LIMIT + b'"}'
    problem(await studio.post(path, content=body), 413, "body_too_large")


@pytest.mark.parametrize("path", BOTH)
async def test_a_body_that_streams_over_the_limit(studio: httpx.AsyncClient, path: str) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b'{"prompt": "'
        for _ in range(1 + BODY_LIMIT // 1000):
            yield b"x" * 1000
        yield b'"}'

    problem(await studio.post(path, content=chunks()), 413, "body_too_large")


@pytest.mark.parametrize(
    "model_id",
    [
        "",
        "vendor",
        "vendor/",
        "vendor//model",
        "vendor/%2e%2e/model",
        "%2e/model",
        "vendor/mo%20del",
        "vendor/mo%00del",
        "vendor/%ff",
        "vendor/mod%C3%A8le",
        "vendor/%252e%252e",
        "vendor/model%0a",
        "a/" + "b" * 200,
    ],
)
async def test_an_odd_model_id(studio: httpx.AsyncClient, model_id: str) -> None:
    body = problem(await studio.post(f"/v1/models/{model_id}", json={}), 400, "invalid_model_id")
    assert body["error_code"] == 400001


@pytest.mark.parametrize("model_id", ["", "vendor", "vendor/../model", "vendor/model\n", "a/%2e"])
async def test_an_odd_model_id_in_a_body(studio: httpx.AsyncClient, model_id: str) -> None:
    answer = await studio.post(CREATE, json=created(model=model_id))
    problem(answer, 400, "invalid_model_id")


@pytest.mark.parametrize(
    "webhook",
    [
        "",
        "hook",
        "/hook",
        "ftp://studio.example/hook",
        "javascript:alert(1)",
        "https://",
        "https://user:password@studio.example/hook",
        "https://studio.example:99999/hook",
        "https://studio.example/ho ok",
        "https://studio.example/\u202ehook",
        "https://studio.example/" + "x" * 3000,
    ],
)
async def test_a_webhook_that_is_no_url(studio: httpx.AsyncClient, webhook: str) -> None:
    answers = [
        await studio.post(SUBMIT, json={}, params={"webhook": webhook}),
        await studio.post(CREATE, json=created(webhook=webhook)),
    ]
    for answer in answers:
        problem(answer, 400, "invalid_webhook")


@pytest.mark.parametrize(
    "webhook",
    [
        "http://127.0.0.1/hook",
        "http://localhost:8091/hook",
        "http://10.0.0.1/hook",
        "http://192.168.1.1/hook",
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]/hook",
        "http://[::ffff:10.0.0.1]/hook",
        "http://2130706433/hook",
        "http://0x7f.1/hook",
    ],
)
async def test_a_webhook_to_a_private_address(studio: httpx.AsyncClient, webhook: str) -> None:
    answers = [
        await studio.post(SUBMIT, json={}, params={"webhook": webhook}),
        await studio.post(CREATE, json=created(webhook=webhook)),
    ]
    for answer in answers:
        problem(answer, 400, "address_not_allowed")


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, {"#/model", "#/input"}),
        (created(model=7), {"#/model"}),
        (created(input=[]), {"#/input"}),
        (created(webhook=7), {"#/webhook"}),
        (created(webhook_intermediate_status="yes"), {"#/webhook_intermediate_status"}),
        (created(**{"web/hook": 1, "prompt": 2}), {"#/web~1hook", "#/prompt"}),
    ],
)
async def test_fields_that_are_not_as_they_must_be(
    studio: httpx.AsyncClient, body: dict[str, Any], pointers: set[str]
) -> None:
    found = problem(await studio.post(CREATE, json=body), 422, "invalid_request")
    assert {error["pointer"] for error in found["errors"]} == pointers
    assert all(error["message"] for error in found["errors"])


@pytest.mark.parametrize(
    ("method", "path", "query"),
    [
        ("POST", SUBMIT, {"webhook_intermediate_status": "perhaps"}),
        ("GET", "/v1/generations", {"limit": "0"}),
        ("GET", "/v1/generations", {"limit": "101"}),
        ("GET", "/v1/generations", {"limit": "many"}),
    ],
)
async def test_query_parameters_that_are_not_as_they_must_be(
    studio: httpx.AsyncClient, method: str, path: str, query: dict[str, str]
) -> None:
    answer = await studio.request(method, path, params=query, content=b"{}")
    found = problem(answer, 422, "invalid_request")
    assert [error["pointer"] for error in found["errors"]] == [f"?{name}" for name in query]
