"""``python -m bench.chaos``: run, show, write ``build/chaos.json``; settings are ``CHAOS_…``."""

import asyncio
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from rich.console import Console

from bench.chaos.run import Outcome, run_chaos
from bench.chaos.screen import Screen
from bench.chaos.settings import ChaosSettings
from ops.local.errors import CannotRun
from ops.local.folder import Folder

BUILD: Final = Path("build")
INTERRUPTED: Final = 130


def main() -> int:
    """One run; the exit code."""
    console = Console()
    screen = Screen(console)
    with tempfile.TemporaryDirectory(prefix="darkroom-chaos-") as path:
        folder = Folder(Path(path))
        try:
            outcome = asyncio.run(run_chaos(ChaosSettings(), folder, watch=screen.watch))
        except CannotRun as error:
            console.print(str(error), style="red")
            return 2
        except (asyncio.CancelledError, KeyboardInterrupt):
            console.print("Interrupted; everything has ended.")
            return INTERRUPTED
        finally:
            _keep_logs(folder)
    _write(outcome)
    screen.conclude(outcome)
    return 0 if outcome.is_clean else 1


def _keep_logs(folder: Folder) -> None:
    kept = BUILD / "chaos-logs"
    shutil.rmtree(kept, ignore_errors=True)
    if folder.logs():
        shutil.copytree(folder.path / "logs", kept)


def _write(outcome: Outcome) -> None:
    BUILD.mkdir(exist_ok=True)
    text = json.dumps(outcome.as_json(), indent=2, sort_keys=True)
    (BUILD / "chaos.json").write_text(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
