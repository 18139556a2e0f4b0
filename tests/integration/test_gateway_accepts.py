"""What is unusual and right is accepted."""

import socket
from urllib.parse import urlsplit

import httpx
import pytest

from tests.builders import UNLISTED
from tests.integration.conftest import BODY_LIMIT
from tests.integration.gateway_process import GatewayProcess

SUBMIT = f"/v1/models/{UNLISTED}"


@pytest.mark.parametrize(
    "webhook",
    [
        "http://studio.example/hook?x=1#part",
        "https://93.184.216.34:8443/hook",
        "http://hooks.internal/hook",
        "http://10.1.2.3/hook",
    ],
)
async def test_public_and_allowed_webhooks(studio: httpx.AsyncClient, webhook: str) -> None:
    answer = await studio.post(SUBMIT, json={}, params={"webhook": webhook})
    assert answer.status_code == 200, answer.text


async def test_a_body_at_the_limit(studio: httpx.AsyncClient) -> None:
    body = b'{"p": "' + b"x" * (BODY_LIMIT - 9) + b'"}'
    assert len(body) == BODY_LIMIT
    assert (await studio.post(SUBMIT, content=body)).status_code == 200


async def test_nesting_at_the_limit_comes_back_as_it_was(studio: httpx.AsyncClient) -> None:
    nested: list[object] = []
    for _ in range(61):
        nested = [nested]
    answer = await studio.post("/v1/generations", json={"model": UNLISTED, "input": {"a": nested}})
    assert answer.status_code == 201, answer.text
    assert answer.json()["input"] == {"a": nested}


async def test_numbers_beyond_64_bits_come_back_as_they_were(studio: httpx.AsyncClient) -> None:
    asked = {"model": UNLISTED, "input": {"seed": 10**30}}
    answer = await studio.post("/v1/generations", json=asked)
    assert answer.status_code == 201, answer.text
    assert answer.json()["input"] == {"seed": 10**30}


async def test_a_body_that_breaks_off_stores_nothing(
    studio: httpx.AsyncClient, gateway: GatewayProcess
) -> None:
    place, logged = urlsplit(gateway.url), len(gateway.log)
    head = (
        f"POST {SUBMIT} HTTP/1.1\r\nHost: {place.netloc}\r\nContent-Length: 100\r\n"
        f"Authorization: {studio.headers['Authorization']}\r\n\r\n"
    )
    with socket.create_connection((place.hostname or "", place.port or 0)) as raw:
        raw.sendall(head.encode() + b'{"prompt": "x"}')
        raw.shutdown(socket.SHUT_WR)
        raw.settimeout(5)
        raw.recv(1000)
    assert (await studio.get("/v1/generations")).json()["generations"] == []
    assert "request.broke" not in gateway.log[logged:]
