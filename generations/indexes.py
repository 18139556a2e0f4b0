"""The Redis keys of the indexes; the scripts say what is in each."""

from typing import Final

from generations.connection import key
from generations.steps import Lane

#: A set of the ids of all unfinished generations and deliveries.
UNFINISHED: Final = key("unfinished")
#: A set of the ids of all generations that RunComfy has, may have, or is about to get.
IN_FLIGHT: Final = key("in_flight")
#: A sorted set of the origins with a line, by their turns.
LINES: Final = key("lines")
#: What all workers share of how RunComfy is called.
UPSTREAM: Final = key("upstream")
#: A set of the names of all origins.
ORIGINS: Final = key("origins")


def due_key(lane: Lane) -> str:
    """The sorted set of one lane."""
    return key(f"due:{lane}")


def origin_key(origin: str) -> str:
    """The origin's own record, its limits included."""
    return key(f"origin:{origin}")


def deliveries_key(origin: str | None = None) -> str:
    """The sorted set of its deliveries' ids by creation (ms); without an origin, of all."""
    return key(f"deliveries:{origin}" if origin else "deliveries")


def exhausted_key(origin: str | None = None) -> str:
    """The sorted set of its exhausted deliveries' ids by when they were given up (ms)."""
    return key(f"exhausted:{origin}" if origin else "exhausted")


def unfinished_key(origin: str) -> str:
    """The set of its unfinished generations."""
    return key(f"unfinished:{origin}")


def in_flight_key(origin: str) -> str:
    """The set of its generations that RunComfy has, or may have."""
    return key(f"in_flight:{origin}")


def line_key(origin: str) -> str:
    """The sorted set of those that wait for their turn to be submitted, the next one first."""
    return key(f"line:{origin}")
