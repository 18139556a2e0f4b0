"""What a run is told from outside: ``CHAOS_`` and the name in capitals."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ChaosSettings(BaseSettings):
    """How much of everything; seconds are seconds."""

    model_config = SettingsConfigDict(
        env_prefix="CHAOS_", frozen=True, extra="forbid", env_ignore_empty=True
    )

    #: Generations.
    n: int = Field(default=2_000, ge=1)
    #: The length of the submit phase, in which all the killing is done.
    seconds: float = Field(default=210.0, gt=0)
    #: Of kills and faults. When they meet what is under way is up to the machine.
    seed: int = 1
    workers: int = Field(default=2, ge=1)
    #: Of workers and the gateway.
    kills: int = Field(default=46, ge=0)
    redis_kills: int = Field(default=6, ge=0)
    #: After the submit phase, at most.
    drain: float = Field(default=200.0, gt=0)
    #: How long a call to the simulator that hangs is kept waiting: longer than its timeouts.
    hang: float = Field(default=10.0, ge=0)
    #: Divides the time of a generation, which is about 20 seconds.
    speed: float = Field(default=6.0, gt=0)
    #: Of attempts that the receiver does not take.
    receiver_failures: float = Field(default=0.1, ge=0, le=1)
    #: Of submissions that the origin repeats although it had an answer.
    replays: float = Field(default=0.05, ge=0, le=1)
