"""Every figure of the README, in one run: ``python -m bench``, or some parts by name.

Prints the README's table and writes ``build/bench.json``. Parts by name leave the figures of the
others there as they are; a run of all of them begins with none. A part that fails says so, and
the others go on.
"""

import argparse
import json
import os
import platform
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psutil

from bench.registry import PARTS
from bench.table import table

REPORT: Final = Path("build/bench.json")
#: Seconds that a part may take: several times what it does.
LONGEST: Final = 420.0


def main() -> None:
    """Measure, keep, and print."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("parts", nargs="*", metavar="part", help=", ".join(PARTS))
    named = arguments.parse_args().parts
    unknown = [name for name in named if name not in PARTS]
    if unknown:
        arguments.error(f"there is no part {unknown[0]}; there are {', '.join(PARTS)}")
    if not named:
        REPORT.unlink(missing_ok=True)
    begun, asked = time.monotonic(), named or list(PARTS)
    failed = [name for number, name in enumerate(asked, 1) if not run(name, number, len(asked))]
    tell(f"{time.monotonic() - begun:.0f} seconds, figures in {REPORT}")
    if REPORT.exists():
        print(table(json.loads(REPORT.read_text())))
    if failed:
        sys.exit(f"Not measured: {', '.join(failed)}.")


def run(name: str, number: int, of: int) -> bool:
    """Measure one part and keep its figures; whether that went well. The others go on anyway."""
    begun = time.monotonic()
    tell(f"[{number}/{of}] {name}")
    try:
        with limited(LONGEST):
            figures = PARTS[name](lambda said: tell(f"    {said}"))
    except Exception as exc:
        # The edge: whatever it is, it is the figures of this part alone that are missing.
        traceback.print_exc()
        tell(f"    failed after {time.monotonic() - begun:.0f} s: {exc!r}")
        return False
    keep(figures)
    tell(f"    {time.monotonic() - begun:.0f} s")
    return True


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """What takes longer is interrupted, as by Ctrl-C: it ends what it started.

    Raises:
        TimeoutError: it was.
    """
    is_over = threading.Event()

    def interrupt() -> None:
        is_over.set()
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(seconds, interrupt)
    timer.start()
    try:
        yield
    except KeyboardInterrupt:
        if is_over.is_set():
            raise TimeoutError(f"It took longer than {seconds:.0f} s.") from None
        raise
    finally:
        timer.cancel()


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
