"""What a caller may ask for beside model and input."""

from datetime import timedelta

import pytest
from pydantic import ValidationError

from api_gateway.schemas import CreateGeneration


@pytest.mark.parametrize("seconds", [60, 60.0])
def test_a_whole_number_may_have_a_point(seconds: float) -> None:
    asked = {"model": "vendor/model", "input": {}, "deadline_seconds": seconds}
    assert CreateGeneration.model_validate(asked).deadline == timedelta(minutes=1)


@pytest.mark.parametrize("seconds", [60.5, 0, 0.0, -1, 604_801, "60", True])
def test_a_deadline_that_is_none(seconds: object) -> None:
    asked = {"model": "vendor/model", "input": {}, "deadline_seconds": seconds}
    with pytest.raises(ValidationError, match="deadline_seconds"):
        CreateGeneration.model_validate(asked)


@pytest.mark.parametrize("priority", [-10, 0, 10, 2.0])
def test_a_priority_is_a_small_whole_number(priority: float) -> None:
    asked = {"model": "vendor/model", "input": {}, "priority": priority}
    assert CreateGeneration.model_validate(asked).priority == priority


@pytest.mark.parametrize("priority", [11, -11, 0.5, "high", None, True])
def test_a_priority_that_is_none(priority: object) -> None:
    asked = {"model": "vendor/model", "input": {}, "priority": priority}
    with pytest.raises(ValidationError, match="priority"):
        CreateGeneration.model_validate(asked)
