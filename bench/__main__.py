"""Every figure of the README, in one run: ``python -m bench``, or some parts by name.

Prints the README's table and writes ``build/bench.json``; a part that was not measured this time
keeps the figures that it had there.
"""

import argparse
import json
import platform
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import psutil

from bench.registry import PARTS
from bench.table import table

REPORT: Final = Path("build/bench.json")


def main() -> None:
    """Measure, keep, and print."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("parts", nargs="*", metavar="part", help=", ".join(PARTS))
    asked = arguments.parse_args().parts or list(PARTS)
    unknown = [name for name in asked if name not in PARTS]
    if unknown:
        arguments.error(f"there is no part {unknown[0]}; there are {', '.join(PARTS)}")
    begun = time.monotonic()
    for number, name in enumerate(asked, 1):
        tell(f"[{number}/{len(asked)}] {name}")
        keep(PARTS[name](lambda said: tell(f"    {said}")))
    tell(f"{time.monotonic() - begun:.0f} seconds, figures in {REPORT}")
    print(table(json.loads(REPORT.read_text())))


def keep(figures: Mapping[str, float]) -> None:
    """Write figures into the report, beside those of other parts."""
    report: dict[str, Any] = json.loads(REPORT.read_text()) if REPORT.exists() else {}
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps({**report, **figures, "machine": machine()}, indent=2) + "\n")


def machine() -> dict[str, Any]:
    """What was measured on."""
    return {
        "python": platform.python_version(),
        "architecture": platform.machine(),
        "system": platform.system(),
        "cores": psutil.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
    }


def tell(said: str) -> None:
    sys.stderr.write(f"{said}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    main()
