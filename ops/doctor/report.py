"""All findings, printed; whether all is well."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

from rich.console import Console
from rich.text import Text

from generations.durability import Finding, Level
from ops.doctor.endpoints import examine_endpoints, registered_endpoints
from ops.doctor.runcomfy import examine_runcomfy
from ops.doctor.servers import examine_redis
from ops.doctor.settings import Setting, examine_settings
from ops.local.folder import Folder, store_settings

MARKS: Final = {
    Level.OK: ("✓", "green"),
    Level.WARNING: ("!", "yellow"),
    Level.PROBLEM: ("✗", "red"),
}


async def run_doctor(folder: Folder, *, endpoints: Sequence[str], as_json: bool) -> int:
    """Look at everything and print what was found; the exit code."""
    findings = examine_settings(os.environ)
    if all(finding.level is not Level.PROBLEM for finding in findings):
        findings += await examine_redis(folder)
        findings += await examine_runcomfy(folder)
        settings = store_settings(folder)
        known = await registered_endpoints(settings.redis_url.get_secret_value())
        findings += await examine_endpoints([*endpoints, *known], settings.allowed)
    is_well = all(finding.level is not Level.PROBLEM for finding in findings)
    console = Console(highlight=False, soft_wrap=True)
    if as_json:
        report = {"ok": is_well, "findings": [asdict(finding) for finding in findings]}
        console.print(json.dumps(report, indent=2), markup=False)
    else:
        for finding in findings:
            console.print(_line(finding))
    return 0 if is_well else 1


def print_settings(settings: Sequence[Setting], *, as_json: bool) -> None:
    """Every setting of gateway and worker, what it is now, and what it means."""
    console = Console(highlight=False, soft_wrap=True)
    if as_json:
        console.print(json.dumps([asdict(one) for one in settings], indent=2), markup=False)
        return
    for one in settings:
        style = "bold" if one.is_set else "dim"
        console.print(Text.assemble((f"{one.name}={one.value}", style), f"\n  {one.means}"))


def _line(finding: Finding) -> Text:
    mark, colour = MARKS[finding.level]
    line = Text.assemble((f"{mark} ", colour), f"{finding.check:<17}", finding.says)
    if finding.advice:
        line.append(f"\n  {'':<17}{finding.advice}", style="dim")
    return line
