"""Flower in a real browser: a login, the workers, the tasks of one generation, the queues."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import httpx
import pytest
import redis
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from tests.acceptance.origins import OriginClient, an_input
from tests.acceptance.receiver import Receiver
from tests.acceptance.stack import TOKEN, Stack
from tests.acceptance.waiting import eventually

LOGIN: Final = ("ops", "a-password-that-nobody-may-show")
#: Seconds that a page may take on a busy machine.
DEADLINE: Final = 30.0
PROMPT: Final = "a prompt that nobody may show"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("watched"), workers=("worker-1",))
    try:
        stack.start()
        stack.add_flower(":".join(LOGIN)).start()
        eventually(lambda: "worker-1@" in asked(stack, "/api/workers?refresh=true"), "it is seen")
        yield stack
    finally:
        stack.close()


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture(scope="module")
def request_id(stack: Stack, receiver: Receiver) -> str:
    """A generation that just ran, its callback told."""
    key = stack.create_origin("watched")
    with httpx.Client(base_url=stack.gateway_url, timeout=DEADLINE, trust_env=False) as http:
        origin = OriginClient("watched", key.api_key, key.webhook_secret, http, receiver)
        endpoint = origin.endpoint()
        request_id = origin.submit(an_input(prompt=PROMPT), webhook=endpoint.url)
        eventually(lambda: endpoint.callbacks, "it is told")
    eventually(lambda: request_id in asked(stack, "/api/tasks?taskname=darkroom.deliver"), "shown")
    return request_id


def asked(stack: Stack, path: str) -> str:
    """What Flower's API says, with the login; nothing while it does not answer."""
    try:
        answer = httpx.get(stack.flower_url + path, auth=LOGIN, timeout=DEADLINE, trust_env=False)
    except httpx.TransportError:
        return ""
    return answer.text if answer.status_code == 200 else ""


def opened(browser: Chrome, stack: Stack, path: str) -> None:
    """Open a page with the login, as a person who was asked for it."""
    user, password = LOGIN
    browser.get(stack.flower_url.replace("//", f"//{user}:{password}@") + path)


def rows(browser: Chrome, table: str, *, having: str) -> list[str]:
    """The rows of a table, once one of them has these words."""

    def look(chrome: Chrome) -> list[str] | None:
        script = f"return [...document.querySelectorAll('#{table} tbody tr')].map(r => r.innerText)"
        texts: list[str] = chrome.execute_script(script)
        return texts if any(having in text for text in texts) else None

    return WebDriverWait(browser, DEADLINE).until(look, f"{having!r} in {table}") or []


def test_nobody_is_let_in_without_the_password(browser: Chrome, stack: Stack) -> None:
    browser.get(stack.flower_url)
    assert "worker-1" not in browser.page_source
    assert httpx.get(stack.flower_url, trust_env=False).status_code == 401


def test_the_workers_are_seen(
    browser: Chrome, stack: Stack, request_id: str, keep_screenshot: Callable[[str], Path]
) -> None:
    del request_id
    opened(browser, stack, "/workers")
    (row,) = rows(browser, "workers-table", having="worker-1@")
    assert "Online" in row
    assert keep_screenshot("flower-workers").stat().st_size > 0


def test_the_tasks_of_a_generation_are_found_by_its_id(
    browser: Chrome, stack: Stack, request_id: str, keep_screenshot: Callable[[str], Path]
) -> None:
    opened(browser, stack, "/tasks")
    search = WebDriverWait(browser, DEADLINE).until(
        lambda chrome: chrome.find_element(By.CSS_SELECTOR, "input[type=search]")
    )
    search.send_keys(request_id)
    found = rows(browser, "tasks-table", having="darkroom.deliver")
    for name in ("darkroom.submit", "darkroom.poll", "darkroom.deliver"):
        assert any(name in row and "SUCCESS" in row for row in found), name
    assert keep_screenshot("flower-tasks").stat().st_size > 0

    browser.find_element(By.PARTIAL_LINK_TEXT, polled(stack, request_id)[:8]).click()
    page = WebDriverWait(browser, DEADLINE).until(
        lambda chrome: chrome.find_element(By.ID, "task-page")
    )
    assert request_id in page.text
    assert "polled 1: 1 succeeded" in page.text
    assert keep_screenshot("flower-task").stat().st_size > 0


def polled(stack: Stack, request_id: str) -> str:
    """The task that saw the end of a generation."""
    tasks = json.loads(asked(stack, "/api/tasks?taskname=darkroom.poll"))
    return next(
        str(uuid)
        for uuid, task in tasks.items()
        if request_id in task["args"] and "succeeded" in task["result"]
    )


def test_nothing_secret_is_seen(stack: Stack, request_id: str) -> None:
    seen = asked(stack, "/api/tasks") + asked(stack, "/api/workers?refresh=true")
    assert request_id in seen
    assert "worker-1@" in seen
    assert [secret for secret in (TOKEN, PROMPT, LOGIN[1], "http://") if secret in seen] == []


def test_the_queues_have_the_lengths_that_redis_has(
    browser: Chrome, stack: Stack, keep_screenshot: Callable[[str], Path]
) -> None:
    (worker,) = stack.workers
    worker.kill()  # Or it would take what is put there.
    with redis.Redis.from_url(stack.redis_url.removesuffix("/0") + "/1") as broker:
        broker.rpush("polls", *["{}"] * 3)
        broker.rpush("deliveries", "{}")
        opened(browser, stack, "/broker")
        found = rows(browser, "queue-table", having="polls")
        broker.delete("polls", "deliveries")
    lengths = {row.split()[0]: row.split()[1] for row in found}
    assert lengths == {"submissions": "0", "polls": "3", "deliveries": "1"}
    assert keep_screenshot("flower-broker").stat().st_size > 0
