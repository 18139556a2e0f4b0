"""What both submit routes take beside model and input, and how they answer a replay."""

from datetime import timedelta
from typing import Annotated, Any, Final

from fastapi import Header, Response
from pydantic import BaseModel, BeforeValidator, Field

from generations.accepting import LONGEST_DEADLINE
from generations.model import Generation, NewGeneration, OnUncertain

WEBHOOK: Final = "https://example.com/callbacks"
LONGEST_KEY: Final = 255
#: And the lowest below 0.
HIGHEST_PRIORITY: Final = 10

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=LONGEST_KEY,
        description=(
            "A key of the caller's own choice, such as a UUID. For 24 hours the same key with "
            "the same request gives the first answer again, and creates nothing."
        ),
    ),
]


def _as_whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


#: To JSON Schema, and to some JSON writers, 60.0 is an integer.
_Seconds = Annotated[
    int, Field(ge=1, le=int(LONGEST_DEADLINE.total_seconds())), BeforeValidator(_as_whole)
]
_Priority = Annotated[
    int, Field(ge=-HIGHEST_PRIORITY, le=HIGHEST_PRIORITY), BeforeValidator(_as_whole)
]


class Asked(BaseModel):
    """How a generation is to be told, ended and, in doubt, paid for."""

    webhook: str | None = Field(
        default=None,
        description="An http(s) URL that is told how the generation ends. Default: the origin's "
        "default endpoint, where it has one.",
        examples=[WEBHOOK],
        json_schema_extra={"format": "uri"},
    )
    webhook_intermediate_status: bool = Field(
        default=False, description="Whether it is told of in_queue and in_progress too."
    )
    # Not strict: JSON has no enums, so the word is all that can come.
    on_uncertain: OnUncertain | None = Field(
        default=None,
        strict=False,
        description=(
            "What to do if RunComfy's answer to the submission is lost: fail (never pay twice) "
            "or resubmit (once more, perhaps paying twice). Default: the origin's choice."
        ),
    )
    preflight: bool | None = Field(
        default=None,
        description=(
            "Whether its images are looked at before anything is submitted: where one breaks the "
            "model's rules it fails with invalid_input, unpaid. Default: the origin's choice."
        ),
    )
    deadline_seconds: _Seconds | None = Field(
        default=None,
        description="Seconds after which it fails if it has not finished. Default: a day.",
    )

    priority: _Priority = Field(
        default=0,
        description=(
            "Among the origin's own that wait to be submitted, the higher goes first. Each step is "
            "worth ten minutes of waiting, so that nothing waits for ever."
        ),
    )

    @property
    def deadline(self) -> timedelta | None:
        """The deadline as the store takes it."""
        if self.deadline_seconds is None:
            return None
        return timedelta(seconds=self.deadline_seconds)


def tell_replay(response: Response, new: NewGeneration, accepted: Generation) -> None:
    """Say so where the answer is one that was given before."""
    if accepted.id != new.id:
        response.headers["Idempotent-Replayed"] = "true"
