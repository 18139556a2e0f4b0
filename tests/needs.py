"""Programs that a test needs and a machine may lack."""

import os
import shutil

import pytest


def need(program: str) -> str:
    """The path of a program; without it the test is skipped, and fails where CI=true."""
    path = shutil.which(program)
    if path is None:
        reason = f"{program} is not installed"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return path
