"""The switch that makes the inspector answer otherwise than 200. No I/O."""

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt


class Answer(BaseModel):
    """How callbacks are answered, for how many of them, and below which path."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: int = Field(default=200, ge=200, le=599)
    #: Leave the sender waiting instead of answering.
    hang: bool = False
    #: After this many callbacks the answer is 200 again; None: until told otherwise.
    times: PositiveInt | None = None
    #: Seconds, sent as ``Retry-After``.
    retry_after: NonNegativeInt | None = None
    #: Only callbacks at this path or below it; the others are answered with 200.
    path: str | None = Field(default=None, pattern="^/")

    @property
    def headers(self) -> dict[str, str]:
        return {} if self.retry_after is None else {"retry-after": str(self.retry_after)}

    def concerns(self, path: str) -> bool:
        return self.path is None or is_at_or_below(path, self.path)


RECEIVED = Answer()


class AnswerSwitch:
    """Holds the answer that is set now, and counts its ``times`` down."""

    def __init__(self) -> None:
        self.current = RECEIVED

    def turn_to(self, answer: Answer) -> None:
        self.current = answer

    def take(self, path: str) -> Answer:
        """The answer for one callback; uses up one of its ``times``."""
        answer = self.current
        if not answer.concerns(path):
            return RECEIVED
        if answer.times is not None:
            self.current = _with_one_less(answer, answer.times)
        return answer


def is_at_or_below(path: str, top: str) -> bool:
    """Whole segments count: ``/a/b`` is below ``/a``, ``/ab`` is not."""
    top = top.rstrip("/")
    return path == top or path.startswith(f"{top}/")


def _with_one_less(answer: Answer, times: int) -> Answer:
    return RECEIVED if times == 1 else answer.model_copy(update={"times": times - 1})
