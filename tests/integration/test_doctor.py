"""The doctor at RunComfy and at endpoints, which say what the test has them say."""

from typing import Any

import pytest

from generations.addresses import Allowed
from generations.connection import Redis
from generations.durability import Finding, Level
from generations.endpoints import EndpointStore
from generations.origins import OriginStore
from ops.doctor.endpoints import examine_endpoints, registered_endpoints
from ops.doctor.runcomfy import Account, examine
from tests.integration.played_runcomfy import PlayedRunComfy
from tests.integration.raw_server import close, serving
from tests.integration.test_callback_sender import PlayedResolver

BALANCE = {"balance_usd": 42.0, "currency": "USD"}


async def found(
    answers: dict[str, tuple[str, Any]], *, asks_balance: bool = True
) -> dict[str, Level]:
    played = PlayedRunComfy()
    played.will_answer(answers)
    async with serving(played) as played.server:
        url = played.server.url
        balance_base = f"{url}/prod/v2" if asks_balance else None
        findings = await examine(Account(f"{url}/v1", "rc-token", balance_base, trust_env=False))
    requests = played.server.requests
    assert all(b"authorization: bearer rc-token" in request.lower() for request in requests)
    return {finding.check: finding.level for finding in findings}


WELL = {"runcomfy": Level.OK, "token": Level.OK, "balance": Level.OK}


async def test_all_is_well() -> None:
    assert (
        await found({"models": ("200 OK", {"models": []}), "balance": ("200 OK", BALANCE)}) == WELL
    )


async def test_a_token_that_is_not_taken_is_not_asked_for_its_balance() -> None:
    assert (await found({"models": ("401 No", {})}))["token"] is Level.PROBLEM


@pytest.mark.parametrize("said", [{}, [], {"balance_usd": None}, {"balance_usd": True}, "no"])
async def test_a_balance_in_other_words_is_not_told(said: Any) -> None:
    answers = {"models": ("200 OK", {}), "balance": ("200 OK", said)}
    assert (await found(answers))["balance"] is Level.WARNING


async def test_nobody_is_asked_for_the_balance_where_nobody_told_whom_to_ask() -> None:
    levels = await found({"models": ("200 OK", {})}, asks_balance=False)
    assert levels == {"runcomfy": Level.OK, "token": Level.OK}


async def test_a_runcomfy_that_cannot_be_reached_is_a_problem() -> None:
    async with serving(close) as server:
        url = server.url
    (finding,) = await examine(Account(f"{url}/v1", "rc-token", None, trust_env=False))
    assert (finding.check, finding.level) == ("runcomfy", Level.PROBLEM)
    assert finding.advice


PUBLIC = "https://studio.example/callbacks?token=s3cr3t"


async def at_endpoint(url: str, *addresses: str, allowed: Allowed | None = None) -> Finding:
    resolver = PlayedResolver(addresses)
    (finding,) = await examine_endpoints([url, url], allowed or Allowed(), resolver)
    return finding


async def test_a_public_endpoint_may_be_called_and_no_part_of_it_that_may_be_secret_is_shown() -> (
    None
):
    finding = await at_endpoint(PUBLIC, "93.184.215.14", "2606:2800:21f::1")
    assert finding.level is Level.OK
    assert finding.says == (
        "https://studio.example is 93.184.215.14, 2606:2800:21f::1, and may be called"
    )


@pytest.mark.parametrize(
    ("url", "addresses"),
    [(PUBLIC, ["10.1.2.3"]), (PUBLIC, ["93.184.215.14", "127.0.0.1"]), ("http://10.0.0.1/", [])],
)
async def test_a_private_one_is_a_problem_with_what_to_do(url: str, addresses: list[str]) -> None:
    finding = await at_endpoint(url, *addresses)
    assert finding.level is Level.PROBLEM
    assert "DARKROOM_WEBHOOK_ALLOW" in finding.advice


async def test_a_private_one_that_is_listed_may_be_called() -> None:
    allowed = Allowed.parse(["10.0.0.0/8"])
    assert (await at_endpoint(PUBLIC, "10.1.2.3", allowed=allowed)).level is Level.OK


async def test_a_name_that_is_nobodys_is_a_problem() -> None:
    finding = await at_endpoint(PUBLIC)
    assert (finding.level, finding.says.split(" (")[0]) == (
        Level.PROBLEM,
        "https://studio.example does not resolve",
    )


async def test_where_only_https_is_called_http_is_a_problem() -> None:
    allowed = Allowed.parse([], https_only=True)
    finding = await at_endpoint("http://studio.example/", "93.184.215.14", allowed=allowed)
    assert "https" in finding.advice
    assert finding.level is Level.PROBLEM


async def test_what_is_no_url_is_a_problem() -> None:
    assert (await at_endpoint("studio")).level is Level.PROBLEM


async def test_where_no_endpoint_is_known_the_doctor_says_how_to_name_one() -> None:
    (finding,) = await examine_endpoints([], Allowed())
    assert (finding.level, "--endpoint" in finding.says) == (Level.OK, True)


async def test_endpoints_that_origins_registered_are_looked_at_too(
    redis_url: str, store_redis: Redis, origins: OriginStore
) -> None:
    await origins.create_key("studio")
    await EndpointStore(store_redis).set("studio", PUBLIC, headers={}, is_default=True)
    assert await registered_endpoints(redis_url) == [PUBLIC]


async def test_where_the_store_is_away_no_endpoint_is_known() -> None:
    async with serving(close) as server:
        port = server.port
    assert await registered_endpoints(f"redis://127.0.0.1:{port}/0") == []
