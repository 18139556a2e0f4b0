"""Log lines as a process of its own writes them: to a pipe, and to a terminal."""

import json
import os
import pty
import subprocess
import sys

PROGRAM = """
from structlog.contextvars import bound_contextvars
from generations.logs import configure_logs, logger
configure_logs()
log = logger("test")
def fails(prompt):
    raise RuntimeError("broken")
with bound_contextvars(generation_id="gen_1", trace_id="4bf9"):
    log.info("record.moved", status="succeeded")
    try:
        fails("a lighthouse in fog")
    except RuntimeError:
        log.exception("claim.broken")
"""


def test_lines_are_json_with_the_ids_that_are_bound() -> None:
    said = subprocess.run(
        [sys.executable, "-c", PROGRAM], stderr=subprocess.PIPE, text=True, check=True
    )
    moved, broken = map(json.loads, said.stderr.splitlines())
    assert moved["event"] == "record.moved"
    assert (moved["generation_id"], moved["trace_id"]) == ("gen_1", "4bf9")
    assert (moved["level"], moved["status"]) == ("info", "succeeded")
    assert broken["exception"].endswith("RuntimeError: broken")


def test_on_a_terminal_they_are_for_people() -> None:
    ours, theirs = pty.openpty()
    try:
        process = subprocess.Popen([sys.executable, "-c", PROGRAM], stderr=theirs)
        os.close(theirs)
        text = _all_of(ours)
    finally:
        os.close(ours)
    assert process.wait() == 0
    assert "\x1b[" in text
    assert "record.moved" in text
    assert not text.lstrip().startswith("{")
    # A traceback with the values of variables would show prompts.
    assert "RuntimeError: broken" in text
    assert text.count("a lighthouse in fog") == text.count('fails("a lighthouse in fog")')


def _all_of(terminal: int) -> str:
    text = b""
    while True:
        try:
            some = os.read(terminal, 65536)
        except OSError:  # How Linux tells that the other side is closed.
            return text.decode()
        if not some:
            return text.decode()
        text += some
