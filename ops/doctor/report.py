"""All findings, printed; whether all is well."""

import json
from dataclasses import asdict
from typing import Final

from rich.console import Console
from rich.text import Text

from generations.durability import Finding, Level
from ops.doctor.runcomfy import examine_runcomfy
from ops.doctor.servers import examine_redis
from ops.local.folder import Folder

MARKS: Final = {
    Level.OK: ("✓", "green"),
    Level.WARNING: ("!", "yellow"),
    Level.PROBLEM: ("✗", "red"),
}


async def run_doctor(folder: Folder, *, as_json: bool) -> int:
    """Look at everything and print what was found; the exit code."""
    findings = [*await examine_redis(folder), *await examine_runcomfy(folder)]
    is_well = all(finding.level is not Level.PROBLEM for finding in findings)
    console = Console(highlight=False, soft_wrap=True)
    if as_json:
        report = {"ok": is_well, "findings": [asdict(finding) for finding in findings]}
        console.print(json.dumps(report, indent=2), markup=False)
    else:
        for finding in findings:
            console.print(_line(finding))
    return 0 if is_well else 1


def _line(finding: Finding) -> Text:
    mark, colour = MARKS[finding.level]
    line = Text.assemble((f"{mark} ", colour), f"{finding.check:<17}", finding.says)
    if finding.advice:
        line.append(f"\n  {'':<17}{finding.advice}", style="dim")
    return line
