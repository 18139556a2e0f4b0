"""Programs that a test needs and a machine may lack."""

import os
import shutil
import sys
from pathlib import Path

import pytest


def need(program: str) -> str:
    """The path of a program; without it the test is skipped, and fails where CI=true."""
    beside_python = str(Path(sys.executable).parent)
    path = shutil.which(program, path=os.pathsep.join([beside_python, os.environ["PATH"]]))
    if path is None:
        reason = f"{program} is not installed"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return path
