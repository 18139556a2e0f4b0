"""The supervisor with small programs as parts: what dies comes back, what is stopped is gone."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from ops.local.errors import PartCannotStart
from ops.local.keeper import FIRST_WAIT, LONGEST_WAIT, decide_wait, ending_of
from ops.local.parts import Logs, Part
from ops.local.supervisor import Supervisor, supervising

SLEEPING = "print('up.', flush=True); import time; time.sleep(600)"
#: Like a server with worker processes: ends only with its child, and the child never by itself.
WITH_A_CHILD = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, '-c', {SLEEPING!r}])
print('child', child.pid, flush=True)
child.wait()
"""
DEAF = (
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "print('up.', flush=True); signal.pause()"
)


class Notes:
    """An audience that writes down what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def ready(self, part: Part, seconds: float) -> None:  # noqa: ARG002
        self.said.append(f"{part.name} ready")

    def died(self, part: Part, ending: str, wait: float) -> None:
        self.said.append(f"{part.name} {ending}, {wait}")


def python(name: str, code: str) -> Part:
    return Part(name, (sys.executable, "-S", "-c", code), Logs("up."))


def is_alive(pid: int) -> bool:
    # A zombie is dead: whether it is buried is its parent's affair.
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  # What is awaited happens in other processes.
            await asyncio.sleep(0.01)


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
async def supervisor(tmp_path: Path, notes: Notes) -> AsyncIterator[Supervisor]:
    async with supervising(
        environment=dict(os.environ),
        folder=tmp_path,
        log_of=lambda name: tmp_path / f"{name}.log",
        audience=notes,
        grace=0.5,
    ) as supervisor:
        yield supervisor


@pytest.mark.parametrize(
    ("deaths", "wait"), [(1, FIRST_WAIT), (2, 1.0), (3, 2.0), (6, LONGEST_WAIT), (999, 10.0)]
)
def test_waits_between_starts_double_up_to_a_limit(deaths: int, wait: float) -> None:
    assert decide_wait(deaths) == wait


def test_an_ending_is_named() -> None:
    assert ending_of(3) == "ended with exit code 3"
    assert ending_of(-9) == "was ended by SIGKILL"


async def test_a_killed_part_is_started_again(supervisor: Supervisor, notes: Notes) -> None:
    supervisor.start(python("part", SLEEPING))
    await supervisor.until_ready()
    first = supervisor.pids["part"]
    os.kill(first, signal.SIGKILL)
    await until(lambda: notes.said.count("part ready") == 2)
    assert supervisor.pids["part"] != first
    assert notes.said == ["part ready", "part was ended by SIGKILL, 0.5", "part ready"]


async def test_a_part_that_worked_for_a_while_is_not_kept_waiting_longer_each_time(
    supervisor: Supervisor, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ops.local.keeper.FIRST_WAIT", 0.01)
    monkeypatch.setattr("ops.local.keeper.RECOVERED", 0.0)
    supervisor.start(python("part", SLEEPING))

    async def until_ready(times: int) -> None:
        await until(lambda: notes.said.count("part ready") == times)

    for lives in (1, 2, 3):
        await until_ready(lives)
        os.kill(supervisor.pids["part"], signal.SIGKILL)
    await until_ready(4)
    assert notes.said.count("part was ended by SIGKILL, 0.01") == 3


async def test_what_a_killed_part_had_started_is_ended_too(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    supervisor.start(python("part", WITH_A_CHILD))
    await supervisor.until_ready()
    child = int((tmp_path / "part.log").read_text().split()[1])
    os.kill(supervisor.pids["part"], signal.SIGKILL)
    await until(lambda: not is_alive(child))


async def test_a_part_that_never_gets_ready_is_given_up(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ops.local.keeper.FIRST_WAIT", 0.01)
    supervisor.start(python("part", "raise SystemExit(3)"))
    with pytest.raises(PartCannotStart, match="part cannot start: it ended with exit code 3"):
        await supervisor.until_ready()


async def test_parts_end_in_reverse_order_and_nothing_is_left(
    supervisor: Supervisor, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("first", "second"):
        supervisor.start(python(name, SLEEPING))
    await supervisor.until_ready()
    pids = supervisor.pids
    ended: list[str] = []
    monkeypatch.setattr(
        "ops.local.keeper.kill_group",
        lambda group: ended.append(next(name for name, pid in pids.items() if pid == group)),
    )
    await supervisor.stop(grace=20)
    assert ended == ["second", "first"]
    assert not any(is_alive(pid) for pid in pids.values())
    assert not any("ended" in line for line in notes.said)


async def test_a_part_that_does_not_listen_is_killed_after_the_grace(
    supervisor: Supervisor,
) -> None:
    supervisor.start(python("deaf", DEAF))
    await supervisor.until_ready()
    pid = supervisor.pids["deaf"]
    began = time.monotonic()
    await supervisor.stop(grace=0.2)
    assert time.monotonic() - began >= 0.2
    assert not is_alive(pid)


async def test_a_part_is_not_reached_by_the_terminals_ctrl_c(supervisor: Supervisor) -> None:
    supervisor.start(python("part", SLEEPING))
    await supervisor.until_ready()
    assert os.getsid(supervisor.pids["part"]) != os.getsid(0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_no_part_outlives_its_supervisor(tmp_path: Path, number: signal.Signals) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import asyncio, os, pathlib, sys\n"
        f"sys.path[:0] = {[str(Path.cwd()), str(Path(__file__).parent)]!r}\n"
        "from test_local_supervisor import Notes, WITH_A_CHILD, python\n"
        "from ops.local.supervisor import supervising\n"
        "here = pathlib.Path(sys.argv[1])\n"
        "async def main():\n"
        "    async with supervising(environment=dict(os.environ), folder=here,\n"
        "            log_of=lambda name: here / name, audience=Notes()) as supervisor:\n"
        "        supervisor.start(python('part', WITH_A_CHILD))\n"
        "        await supervisor.until_ready()\n"
        "        print(supervisor.pids['part'], flush=True)\n"
        "        await asyncio.sleep(600)\n"
        "asyncio.run(main())\n"
    )
    command = [sys.executable, str(program), str(tmp_path)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as supervisor:
        assert supervisor.stdout is not None
        part = int(supervisor.stdout.readline())
        child = int((tmp_path / "part").read_text().split()[1])
        supervisor.send_signal(number)
        supervisor.wait(20)
    deadline = time.monotonic() + 20
    while is_alive(part) or is_alive(child):
        assert time.monotonic() < deadline, "something was left running"
        time.sleep(0.02)
