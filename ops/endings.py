"""How a command ends when it cannot do its work: one sentence, exit code 1, no traceback."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from pathlib import Path

    from ops.local.folder import Folder

TAIL_LINES = 20


@contextmanager
def ending_in_sentences(folder: "Folder | None" = None) -> Iterator[None]:
    """Turn what a person can do something about into a sentence; anything else is a bug."""
    from pydantic import ValidationError
    from pydantic_settings import SettingsError

    from generations.errors import DarkroomError, StoreUnavailable
    from generations.settings import explain
    from ops.local.errors import CannotRun, PartCannotStart

    try:
        yield
    except ValidationError as error:
        sentence = explain(error)
    except PartCannotStart as error:
        sentence = str(error)
        if folder is not None:
            log = folder.log_of(error.part)
            sentence = f"{sentence} The end of {log}:\n{tail(log)}"
    except StoreUnavailable:
        sentence = "Redis cannot be reached: set DARKROOM_REDIS_URL, or start 'darkroom up'."
    except (CannotRun, DarkroomError, SettingsError, OSError) as error:
        sentence = str(error)
    else:
        return
    typer.echo(f"darkroom: {sentence}", err=True)
    raise typer.Exit(1)


def tail(log: "Path", lines: int = TAIL_LINES) -> str:
    """The last lines of a log, indented."""
    try:
        text = log.read_text(errors="replace")
    except FileNotFoundError:
        return "  (there is no log)"
    return "\n".join(f"  {line}" for line in text.splitlines()[-lines:]) or "  (the log is empty)"
