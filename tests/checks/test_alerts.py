"""The alert rules: Prometheus's own checker reads them, and each leads into the runbook."""

import re
import subprocess
from pathlib import Path
from typing import Any, Final

import yaml

from tests.needs import need

ROOT: Final = Path(__file__).parents[2]
RULES: Final = ROOT / "ops/dashboards/alerts.yml"
RUNBOOK: Final = ROOT / "ops/runbook.md"
TESTS: Final = Path(__file__).parent / "alerts.test.yml"


def rules() -> list[dict[str, Any]]:
    found = yaml.safe_load(RULES.read_text())
    return [rule for group in found["groups"] for rule in group["rules"]]


def sections() -> dict[str, str]:
    """The runbook's sections by the names that links have for them."""
    parts = re.split(r"^#+ (.+)$", RUNBOOK.read_text(), flags=re.MULTILINE)[1:]
    titles = (title.lower().replace(" ", "-") for title in parts[::2])
    return dict(zip(titles, parts[1::2], strict=True))


def promtool(*arguments: str) -> None:
    said = subprocess.run(
        [need("promtool"), *arguments], capture_output=True, text=True, check=False
    )
    assert said.returncode == 0, said.stdout + said.stderr


def test_prometheus_takes_the_rules() -> None:
    promtool("check", "rules", str(RULES))


def test_alerts_are_raised_when_they_should_be() -> None:
    promtool("test", "rules", str(TESTS))


def test_each_alert_has_its_section_in_the_runbook() -> None:
    known = sections()
    for rule in rules():
        file, _, anchor = rule["annotations"]["runbook_url"].partition("#")
        assert ROOT / file == RUNBOOK
        assert anchor == rule["alert"].lower()
        for question in ("What it means", "What to look at", "What to do"):
            assert f"**{question}.**" in known.get(anchor, ""), (rule["alert"], question)


def test_the_runbook_has_no_section_for_an_alert_that_is_none() -> None:
    alerts = {rule["alert"].lower() for rule in rules()}
    assert {title for title in sections() if re.fullmatch("darkroom[a-z]+", title)} == alerts
