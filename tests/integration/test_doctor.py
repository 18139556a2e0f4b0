"""The doctor at RunComfy, as a server that says what the test has it say."""

from typing import Any

import pytest

from generations.durability import Level
from ops.doctor.runcomfy import Account, examine
from tests.integration.played_runcomfy import PlayedRunComfy
from tests.integration.raw_server import close, serving

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
