"""What the looks at a generation tell of its time: how far it is, and how long it took. Pure."""

from datetime import datetime, timedelta

from generations.durations import Progress, Ran, progress_of, submitted_at
from generations.lifecycle import Status
from generations.model import Generation
from worker.runcomfy.protocol import NotThere, Observation


def look_at(generation: Generation, seen: Observation, *, now: datetime) -> Progress:
    """How far it is, with what was seen now."""
    begun = generation.running_since
    if begun is None and seen.status is Status.IN_PROGRESS:
        begun = began_at(generation, now)
    return progress_of(
        generation, now, begun=begun, is_seen=True, turn=_turn(generation, seen, now=now)
    )


def began_at(generation: Generation, now: datetime) -> datetime:
    """When RunComfy began with what is first seen to run now."""
    if generation.looked_at is None:
        # Nobody saw it wait. If it did, that is part of what is known of its time.
        return submitted_at(generation)
    return generation.looked_at + (now - generation.looked_at) / 2


def end_seen(generation: Generation, seen: Observation | NotThere, *, now: datetime) -> Ran | None:
    """How long it took, if it ended by itself and was followed from its submission on."""
    if isinstance(seen, NotThere) or seen.status not in {Status.SUCCEEDED, Status.FAILED}:
        return None
    if generation.past_ends or generation.cancel_requested_at is not None:
        return None
    return ran(generation, seen.took, now)


def ran(generation: Generation, took: timedelta | None, now: datetime) -> Ran:
    """How long one took that is first seen to have ended now; ``took`` is RunComfy's word."""
    taken = submitted_at(generation)
    seen = generation.looked_at or taken
    least, most = seen, max(seen, now)
    if took is not None:
        least = most = min(max(taken + took, seen), most)
    if generation.running_since is not None:
        begun = generation.running_since
    elif generation.looked_at is not None:
        begun = least = generation.looked_at  # It began and ended since.
    else:
        begun = taken
    return Ran(
        queued=max((begun - taken).total_seconds(), 0.0),
        least=max((least - begun).total_seconds(), 0.0),
        most=max((most - begun).total_seconds(), 0.0),
    )


def _turn(generation: Generation, seen: Observation, *, now: datetime) -> float | None:
    """Seconds until its turn, if the line has moved since the last look."""
    before, ahead = generation.queue_position, seen.queue_position
    if before is None or ahead is None or generation.looked_at is None or ahead >= before:
        return None
    passed = (now - generation.looked_at).total_seconds()
    return passed / (before - ahead) * max(ahead, 1)
