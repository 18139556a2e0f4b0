"""The processes of one program: each leaves its tally where the others find it.

A server that has several processes serve one port (granian, say) has whichever is free answer,
so each must be able to speak for all of them, those that have ended included: a counter that
went down would read as one that began anew.
"""

import fcntl
import hashlib
import json
import multiprocessing
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Final, Self

from generations.tally import Tally, load, tally, total

PREFIX: Final = "darkroom-metrics-"


class Siblings:
    """A folder that the processes of one program share, and that goes when the last one ends."""

    def __init__(self, folder: Path) -> None:
        self._member = _join(folder)
        self.folder = folder
        # A name of its own: a process number may come again, and would undo what it was.
        self._own = folder / f"{secrets.token_hex(8)}.json"
        self._own.write_text("{}")
        self._speaker: IO[str] | None = None

    @classmethod
    def gather(cls) -> Self:
        """Those that the same process started; what was left by others is swept away."""
        # A secret that multiprocessing gives to each process's children, and to nobody else.
        key = multiprocessing.current_process().authkey
        name = hashlib.sha256(b"metrics" + key).hexdigest()[:24]
        place = Path(tempfile.gettempdir())
        for folder in place.glob(f"{PREFIX}*"):
            if folder.name != PREFIX + name:
                _sweep(folder)
        return cls(place / f"{PREFIX}{name}")

    def write(self) -> None:
        """Leave what this process has counted so far."""
        whole = self._own.with_suffix(f".{secrets.token_hex(4)}.part")
        whole.write_text(json.dumps(tally()))
        whole.replace(self._own)

    def total(self) -> Tally:
        """What all of them have counted, this one up to now."""
        self.write()
        return total(load(text) for text in self._texts())

    @property
    def are_many(self) -> bool:
        """Whether there are, or were, others."""
        return sum(1 for _ in self.folder.glob("*.json")) > 1

    def speaks(self) -> bool:
        """Whether this process is the one of them that answers; another is when it ends."""
        if self._speaker is None:
            speaker = _opened(self.folder / "speaker")
            if not _locks(speaker):
                speaker.close()
                return False
            self._speaker = speaker
        return True

    def leave(self) -> None:
        """Leave the last of what this process counted; the last one takes the folder with it."""
        self.write()
        if self._speaker is not None:
            self._speaker.close()
        self._member.close()
        _sweep(self.folder)

    def _texts(self) -> Iterator[str]:
        for file in self.folder.glob("*.json"):
            with suppress(FileNotFoundError):
                yield file.read_text()


def _join(folder: Path) -> IO[str]:
    """The lock that keeps a folder from being swept away."""
    while True:
        folder.mkdir(mode=0o700, exist_ok=True)
        with suppress(FileNotFoundError):
            member = _opened(folder / "members")
            fcntl.flock(member, fcntl.LOCK_SH)
            # Before it was locked, somebody may have taken it for one that nobody uses.
            if os.path.samestat(os.fstat(member.fileno()), (folder / "members").stat()):
                return member


def _opened(file: Path) -> IO[str]:
    return file.open("a")


def _locks(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _sweep(folder: Path) -> None:
    """Remove what nobody uses any more, if it is ours."""
    with suppress(OSError):
        if folder.stat().st_uid != os.getuid():
            return
        with _opened(folder / "members") as members:
            if _locks(members):
                shutil.rmtree(folder)
