"""A headless Chromium for the tests of a module, and a place for what it showed."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

from tests.needs import need

#: Kept after the tests, and by CI as an artefact.
SCREENSHOTS: Final = Path("build/screenshots")
_QUIET: Final = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A picture of something half faded in shows nothing.
    "--force-prefers-reduced-motion",
    "--window-size=1280,1000",
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """A browser that nobody used before; it calls nobody but the pages it is shown."""
    options = ChromeOptions()
    options.binary_location = need("chromium")
    for argument in (*_QUIET, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chrome = Chrome(options, Service(need("chromedriver")))
    try:
        yield chrome
    finally:
        chrome.quit()


@pytest.fixture
def keep_screenshot(browser: Chrome) -> Callable[[str], Path]:
    """Keeps what the browser shows now under a name."""

    def keep(name: str) -> Path:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        path = SCREENSHOTS / f"{name}.png"
        assert browser.save_screenshot(str(path))
        return path

    return keep
