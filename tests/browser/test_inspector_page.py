"""The inspector's page in a real browser, with real callbacks coming in."""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from tests.inspectors import DEADLINE, OLD_SECRET, SECRET, a_body, an_inspector, signed


@pytest.fixture(scope="module")
def inspector() -> Iterator[httpx.Client]:
    with (
        an_inspector(DARKROOM_INSPECTOR_SECRET=f"{SECRET}, {OLD_SECRET}") as (url, _),
        httpx.Client(base_url=url, timeout=DEADLINE) as client,
    ):
        yield client


def seen(browser: Chrome, selector: str, *, text: str = "") -> str:
    """The text of the first element that a selector finds, once it has the text."""

    def found(chrome: Chrome) -> str | None:
        texts = [one.text for one in chrome.find_elements(By.CSS_SELECTOR, selector)]
        return next((one for one in texts if text in one), None)

    return str(WebDriverWait(browser, DEADLINE).until(found, f"{text!r} in {selector}"))


def test_a_callback_appears_while_one_looks(
    browser: Chrome, inspector: httpx.Client, keep_screenshot: Callable[[str], Path]
) -> None:
    browser.get(str(inspector.base_url))
    seen(browser, "#live", text="live")
    body = a_body()
    inspector.post("/callbacks", content=body, headers=signed(body))
    assert "signature verified" in seen(browser, ".card", text="generation.succeeded")
    assert keep_screenshot("inspector").stat().st_size > 0
