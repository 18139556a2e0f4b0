"""What CI runs first: whatever a machine lacks is installed, and nothing else is."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: The script's own tools, and what stands for the programs that it looks for.
TOOLS = ("bash", "dirname", "env", "cp")
PROGRAMS = (
    "chromium",
    "chromedriver",
    "nginx",
    "promtool",
    "docker-compose",
    "wget",
    "curl",
    "openssl",
)
#: Notes each call; fails if it is the one that is to fail, and puts npm in place when asked to.
STUB = """#!/bin/bash
echo "${0##*/} $*" >> "$CALLS"
[[ "${0##*/}" == "${FAILING:-}" ]] && exit 2
[[ "$*" == *" npm" ]] && cp "$0" "${0%/*}/npm"
exit 0
"""


def ci(folder: Path, *present: str, **environment: str) -> tuple[int, list[str]]:
    """Run it on a machine that has these programs: its code, and what it called."""
    programs, checkout = folder / "bin", folder / "checkout"
    for made in (programs, checkout / ".ci", checkout / "tests/node"):
        made.mkdir(parents=True)
    shutil.copy(ROOT / ".ci/run", checkout / ".ci/run")
    for tool in TOOLS:
        (programs / tool).symlink_to(str(shutil.which(tool)))
    for name in ("apt-get", "sudo", "make", *present):
        (programs / name).write_text(STUB)
        (programs / name).chmod(0o755)
    (programs / "git").write_text("#!/bin/bash\necho tests/node/package-lock.json\n")
    (programs / "git").chmod(0o755)
    calls = folder / "calls"
    told = {"PATH": str(programs), "CALLS": str(calls), **environment}
    ran = subprocess.run([checkout / ".ci/run"], env=told, capture_output=True, check=False)
    return ran.returncode, calls.read_text().splitlines()


def test_a_machine_that_has_all_asks_no_mirror(tmp_path: Path) -> None:
    code, calls = ci(tmp_path, *PROGRAMS, "node", "npm")
    assert code == 0
    assert calls == ["npm ci --ignore-scripts --no-audit --no-fund", "make check", "make test"]


@pytest.mark.skipif(os.geteuid() != 0, reason="another user asks sudo, which is a stub here")
def test_what_is_missing_is_installed_before_anything_is_run(tmp_path: Path) -> None:
    code, calls = ci(tmp_path, *PROGRAMS[2:])
    assert code == 0
    update, install, *more = calls
    assert update.startswith("apt-get update")
    assert {"chromium", "chromium-driver", "nodejs"} < set(install.split())
    assert "prometheus" not in install.split()
    npm, ci_, *made = more
    assert npm.endswith(" npm")
    assert ci_.startswith("npm ci")
    assert made == ["make check", "make test"]


def test_nothing_is_run_on_half_a_machine(tmp_path: Path) -> None:
    code, calls = ci(tmp_path, *PROGRAMS[1:], "node", "npm", FAILING="apt-get")
    assert code == 2
    assert not any(call.startswith("make") for call in calls)


def test_a_check_that_fails_is_the_end(tmp_path: Path) -> None:
    code, calls = ci(tmp_path, *PROGRAMS, "node", "npm", FAILING="make")
    assert code == 2
    assert calls[-1] == "make check"
