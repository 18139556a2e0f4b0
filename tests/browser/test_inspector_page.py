"""The inspector's page in a real browser, with real callbacks coming in."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import ActionChains, Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from tests.inspectors import (
    DEADLINE,
    FOREIGN_KEY,
    FOREIGN_SECRET,
    OLD_SECRET,
    SECRET,
    SIGNING_KEY,
    a_body,
    an_inspector,
    public_text,
    signature_by,
    signed,
)

#: Drawn here, because a test calls nobody: an image that the inspector itself serves.
PICTURE = "/icon.svg"
HOSTILE = '</script><img src=x onerror="window.hacked=1"><b>'


@pytest.fixture(scope="module")
def inspector() -> Iterator[httpx.Client]:
    with (
        an_inspector(
            DARKROOM_INSPECTOR_SECRET=f"{SECRET}, {OLD_SECRET}",
            DARKROOM_INSPECTOR_PUBLIC_KEYS=public_text(SIGNING_KEY),
            DARKROOM_INSPECTOR_HANG_SECONDS="1",
        ) as (url, _),
        httpx.Client(base_url=url, timeout=DEADLINE) as client,
    ):
        yield client


@pytest.fixture(autouse=True)
def _at_the_page(browser: Chrome, inspector: httpx.Client) -> None:
    """The page, live, with nothing on it and the switch at 200."""
    inspector.delete("/api/callbacks").raise_for_status()
    inspector.put("/api/answer", json={}).raise_for_status()
    browser.get(str(inspector.base_url))
    seen(browser, "#live", text="live")
    browser.get_log("browser")  # type: ignore[no-untyped-call]  # selenium leaves it so.


def seen(browser: Chrome, selector: str, *, text: str = "") -> WebElement:
    """The first element that a selector finds, once one has the text."""

    def found(chrome: Chrome) -> WebElement | None:
        elements = chrome.find_elements(By.CSS_SELECTOR, selector)
        return next((one for one in elements if text in one.text), None)

    # A card that is shown anew while it is read is read again.
    waiting = WebDriverWait(browser, DEADLINE, 0.05, [StaleElementReferenceException])
    return waiting.until(found, f"{text!r} in {selector}")  # type: ignore[return-value]


def texts(browser: Chrome, selector: str) -> list[str]:
    return [one.text for one in browser.find_elements(By.CSS_SELECTOR, selector)]


def complaints(browser: Chrome) -> list[str]:
    """What the browser did not like since the last look, but for answers that are no 200."""
    found: list[dict[str, Any]] = browser.get_log("browser")  # type: ignore[no-untyped-call]
    return [one["message"] for one in found if "Failed to load resource" not in one["message"]]


def post(inspector: httpx.Client, body: bytes, **how: Any) -> httpx.Response:
    return inspector.post("/callbacks", content=body, headers=signed(body, **how))


def an_end(inspector: httpx.Client, **data: Any) -> bytes:
    """A success with a picture, as it is told."""
    facts = {
        "request_id": "gen_01KAQ8Y5M8W7F0V1Z3T6R9N2XB",
        "model_id": "bytedance/seedance-v1.5-pro/image-to-video",
        "status": "succeeded",
        "output": {"images": [f"{str(inspector.base_url).rstrip('/')}{PICTURE}"]},
        "error": None,
        "submissions": 1,
        "cost": 2.85,
        "metadata": {"order": "4711"},
    }
    return a_body(data=facts | data)


def test_a_callback_appears_while_one_looks_and_is_read_at_a_glance(
    browser: Chrome, inspector: httpx.Client
) -> None:
    seen(browser, "#empty h2", text="Waiting for the first callback")
    assert seen(browser, "#address").text == f"{str(inspector.base_url).rstrip('/')}/callbacks"
    post(inspector, an_end(inspector))
    card = seen(browser, ".card", text="generation.succeeded")
    assert "✓ signature verified" in card.text
    assert "gen_01KAQ8Y5M8W7F0V1Z3T6R9N2XB" in card.text
    assert "v1 · secret 1" in card.text
    picture = card.find_element(By.CSS_SELECTOR, ".outputs img")
    assert str(picture.get_attribute("src")).endswith(PICTURE)
    assert seen(browser, "#news").get_attribute("textContent") == (
        "generation.succeeded, signature verified"
    )
    assert complaints(browser) == []


def test_the_body_and_the_headers_are_printed_in_order(
    browser: Chrome, inspector: httpx.Client
) -> None:
    body = an_end(inspector)
    post(inspector, body)
    card = seen(browser, ".card")
    for summary in card.find_elements(By.TAG_NAME, "summary"):
        summary.click()
    assert seen(browser, ".card pre").text == json.dumps(json.loads(body), indent=2)
    names = texts(browser, ".headers dt")
    assert names[:3] == ["webhook-id", "webhook-signature", "webhook-timestamp"]


def test_attempts_of_one_callback_are_one_card_and_each_can_be_looked_at(
    browser: Chrome, inspector: httpx.Client, keep_screenshot: Callable[[str], Path]
) -> None:
    post(inspector, a_body(), webhook_id="evt_other", secret=FOREIGN_SECRET)
    body = an_end(inspector)
    for status in (500, 429, 200):
        inspector.put("/api/answer", json={"status": status, "times": 1})
        post(inspector, body, webhook_id="evt_end", secret=SECRET if status == 200 else OLD_SECRET)
    newest = seen(browser, ".card", text="#3 200")
    assert len(texts(browser, ".card")) == 2
    seen(browser, ".card", text="✗ No signature matches")
    assert "v1 · secret 1" in newest.text
    newest.find_elements(By.TAG_NAME, "summary")[0].click()
    seen(browser, ".card pre")
    assert keep_screenshot("inspector").stat().st_size > 0
    seen(browser, ".attempts button", text="#1 500").click()
    assert "v1 · secret 2" in seen(browser, ".card", text="answered 500").text
    assert browser.switch_to.active_element.text.startswith("#1 500")
    assert seen(browser, ".card pre").text
    post(inspector, body, webhook_id="evt_end")
    seen(browser, ".attempts button", text="#4 200")
    assert "answered 500" in seen(browser, ".card", text="#4 200").text
    assert complaints(browser) == []


def test_what_a_sender_wrote_is_shown_and_never_run(
    browser: Chrome, inspector: httpx.Client
) -> None:
    body = json.dumps(
        {
            "type": HOSTILE,
            "data": {
                "request_id": HOSTILE,
                "model_id": HOSTILE,
                "error": {"code": HOSTILE, "message": HOSTILE},
                "output": {
                    "images": ["javascript:window.hacked=1", "data:text/html,x", HOSTILE],
                    "video": "javascript:window.hacked=1",
                },
            },
        }
    ).encode()
    headers = {"webhook-id": "</li><script>window.hacked=1</script>", "x-odd": HOSTILE}
    inspector.post("/callbacks/<b>", content=body, headers=headers)
    inspector.post("/callbacks", content=HOSTILE.encode())
    card = seen(browser, ".card", text=HOSTILE)
    for summary in browser.find_elements(By.TAG_NAME, "summary"):
        summary.click()
    assert card.find_elements(By.CSS_SELECTOR, ".outputs *") == []
    assert browser.find_elements(By.CSS_SELECTOR, "#list script, #list b:not(.attempts b)") == []
    assert browser.execute_script("return window.hacked") is None
    assert complaints(browser) == []


@pytest.mark.parametrize(
    ("choice", "status_code", "retry_after"),
    [("500", 500, None), ("429", 429, "5"), ("410", 410, None)],
)
def test_the_switch_changes_what_callbacks_are_answered(
    choice: str,
    status_code: int,
    retry_after: str | None,
    browser: Chrome,
    inspector: httpx.Client,
) -> None:
    seen(browser, "#switch button", text=choice).click()
    seen(browser, '#switch [aria-pressed="true"]', text=choice)
    answer = post(inspector, a_body())
    assert (answer.status_code, answer.headers.get("retry-after")) == (status_code, retry_after)
    seen(browser, ".card", text=f"answered {status_code}")


def test_the_switch_leaves_a_callback_hanging_and_can_be_turned_back(
    browser: Chrome, inspector: httpx.Client
) -> None:
    seen(browser, "#switch button", text="hang").click()
    seen(browser, '#switch [aria-pressed="true"]', text="hang")
    with pytest.raises(httpx.ReadTimeout):
        inspector.post("/callbacks", content=a_body(), timeout=0.2)
    seen(browser, ".card", text="left hanging")
    seen(browser, "#switch button", text="200").click()
    seen(browser, '#switch [aria-pressed="true"]', text="200")
    assert post(inspector, a_body()).status_code == 200


def test_who_made_each_signature_is_shown_secrets_and_keys_alike(
    browser: Chrome, inspector: httpx.Client
) -> None:
    body = a_body()
    headers = signed(body)
    by = [signature_by(key, headers, body) for key in (SIGNING_KEY, FOREIGN_KEY)]
    headers["webhook-signature"] = " ".join([headers["webhook-signature"], *by])
    inspector.post("/callbacks", content=body, headers=headers)
    seen(browser, ".card", text="✓ signature verified")
    shown = ["v1 · secret 1", "v1a · public key 1", "v1a · no key of ours"]
    assert texts(browser, ".check") == shown
    assert texts(browser, ".check.good") == shown[:2]


def test_the_keyboard_walks_through_the_callbacks(browser: Chrome, inspector: httpx.Client) -> None:
    for n in range(2):
        post(inspector, a_body(), webhook_id=f"evt_{n}")
    seen(browser, ".card:nth-child(2)")
    ActionChains(browser).send_keys("j", "j", Keys.ENTER).perform()
    assert seen(browser, ".card:nth-child(2) details[open] pre").text


def test_it_is_as_it_was_after_the_page_is_loaded_anew(
    browser: Chrome, inspector: httpx.Client, keep_screenshot: Callable[[str], Path]
) -> None:
    for _ in range(2):
        post(inspector, an_end(inspector), webhook_id="evt_end")
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"features": [{"name": "prefers-color-scheme", "value": "dark"}]},
    )
    browser.refresh()
    seen(browser, ".card", text="#2 200")
    assert texts(browser, "#received") == ["2"]
    keep_screenshot("inspector-dark")
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
