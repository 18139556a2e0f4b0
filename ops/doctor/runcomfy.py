"""RunComfy: whether it answers, takes the token, and has money left on the account.

Where a local stack runs with its simulator, that is asked instead.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from generations.durability import Finding, Level
from ops.local.folder import Folder
from ops.local.settings import RUNCOMFY_BASE, LocalSettings

SECONDS_TO_ANSWER: Final = 5.0
#: What RunComfy's own command line asks for the balance (``balance.rs``): another host.
BALANCE_BASE: Final = "https://api.runcomfy.net/prod/v2"
#: US dollars; a video costs some tenths.
LITTLE_MONEY: Final = 5.0
UNSET: Final = "Set it to your RunComfy API token; workers do not start without one."
WHERE: Final = "Check the network, a proxy, and RUNCOMFY_MODEL_API_BASE."


@dataclass(frozen=True, slots=True)
class Account:
    """Whom to ask, and as whom."""

    base: str
    token: str
    #: None where nobody told where the balance is.
    balance_base: str | None
    #: Whether proxies of the environment are used.
    trust_env: bool = True


async def examine_runcomfy(folder: Folder) -> list[Finding]:
    """The account's token, whether RunComfy answers, and what is left to spend."""
    settings, kept = LocalSettings(), folder.read() if folder.is_locked else None
    simulator = kept.urls.get("simulator") if kept else None
    if settings.runcomfy_api_token is not None:
        base = settings.runcomfy_model_api_base.rstrip("/")
        token = settings.runcomfy_api_token.get_secret_value()
        return await examine(Account(base, token, _balance_base(settings)))
    if kept is not None and simulator is not None and kept.simulator_token is not None:
        token = kept.simulator_token.get_secret_value()
        account = Account(f"{simulator}/v1", token, f"{simulator}/prod/v2", trust_env=False)
        return await examine(account)
    return [Finding("token", Level.PROBLEM, "RUNCOMFY_API_TOKEN is not set", UNSET)]


def _balance_base(settings: LocalSettings) -> str | None:
    if settings.runcomfy_serverless_api_base:
        return settings.runcomfy_serverless_api_base.rstrip("/")
    # The token goes to RunComfy, and to whom the environment names; to nobody else.
    is_runcomfy = settings.runcomfy_model_api_base.rstrip("/") == RUNCOMFY_BASE
    return BALANCE_BASE if is_runcomfy else None


async def examine(account: Account) -> list[Finding]:
    """Ask with the token, over the network."""
    headers = {"Authorization": f"Bearer {account.token}"}
    async with httpx.AsyncClient(
        headers=headers, timeout=SECONDS_TO_ANSWER, trust_env=account.trust_env
    ) as client:
        try:
            answer = await client.get(f"{account.base}/models", params={"limit": 1})
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            said = f"{account.base} cannot be reached ({type(error).__name__})"
            return [Finding("runcomfy", Level.PROBLEM, said, WHERE)]
        found = judge_answer(urlsplit(account.base).netloc, answer.status_code, _json(answer))
        if account.balance_base is None or found[-1].level is Level.PROBLEM:
            return found
        return [*found, await _examine_balance(client, account.balance_base)]


async def _examine_balance(client: httpx.AsyncClient, base: str) -> Finding:
    try:
        answer = await client.get(f"{base}/balance")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return judge_balance(None, type(error).__name__)
    balance = _json(answer).get("balance_usd")
    is_number = isinstance(balance, int | float) and not isinstance(balance, bool)
    return judge_balance(balance if is_number else None, f"HTTP {answer.status_code}")


def judge_answer(host: str, status_code: int, body: Mapping[str, Any]) -> list[Finding]:
    """What RunComfy's answer to a question for its catalog says."""
    answers = Finding("runcomfy", Level.OK, f"{host} answers")
    if status_code < 300 and not body.get("error_code"):
        return [answers, Finding("token", Level.OK, "is taken")]
    if status_code in {401, 403} or body.get("error_code") == 400004:
        said = f"{host} does not take RUNCOMFY_API_TOKEN ({status_code})"
        advice = "Set it to a token of the account's profile page that is not revoked."
        return [answers, Finding("token", Level.PROBLEM, said, advice)]
    said = f"{host} answers {status_code}"
    level = Level.WARNING if status_code in {408, 429} or status_code >= 500 else Level.PROBLEM
    return [Finding("runcomfy", level, said, WHERE)]


def judge_balance(balance: float | None, answered: str) -> Finding:
    """What the dollars on the account mean; None where they are not told."""
    if balance is None:
        advice = "Look at RunComfy's billing page; generations fail when it is used up."
        return Finding("balance", Level.WARNING, f"not told ({answered})", advice)
    said = f"{balance:.2f} USD"
    if balance > LITTLE_MONEY:
        return Finding("balance", Level.OK, said)
    advice = "Add money: without it every submission fails with insufficient_balance."
    return Finding("balance", Level.WARNING if balance > 0 else Level.PROBLEM, said, advice)


def _json(answer: httpx.Response) -> Mapping[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
