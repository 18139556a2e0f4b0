"""Whether a Redis server keeps the promise that "accepted" makes: judged from what it says.

Pure: INFO and CONFIG are read elsewhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

LEAST_REDIS: Final = (7, 2)
LEAST_VALKEY: Final = (8, 0)


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"  #: Darkroom works; something is weaker than it could be.
    PROBLEM = "problem"  #: Darkroom does not work, or does not keep its word.


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    check: str
    level: Level
    says: str
    #: What to do; empty where nothing is to be done.
    advice: str = ""


def judge_server(facts: Mapping[str, Any], fsync: str | None) -> list[Finding]:
    """What INFO and CONFIG GET appendfsync (None: it does not tell) say about a server."""
    return [
        judge_version(facts),
        _judge_append_only(facts),
        _judge_fsync(fsync),
        _judge_eviction(facts),
        *_judge_replicas(facts),
    ]


def judge_version(facts: Mapping[str, Any]) -> Finding:
    """Whether the server is new enough: Redis 7.2, Valkey 8."""
    is_valkey = "valkey_version" in facts
    name, least = ("Valkey", LEAST_VALKEY) if is_valkey else ("Redis", LEAST_REDIS)
    version = str(facts["valkey_version" if is_valkey else "redis_version"])
    said = f"{name} {version}"
    if tuple(int(part) for part in version.split(".")[:2]) >= least:
        return Finding("version", Level.OK, said)
    wanted = ".".join(str(part) for part in least)
    return Finding("version", Level.PROBLEM, said, f"Use {name} {wanted} or newer.")


def _judge_append_only(facts: Mapping[str, Any]) -> Finding:
    if not int(facts.get("aof_enabled", 0)):
        advice = "Set 'appendonly yes': without it a restart loses what was accepted."
        return Finding("appendonly", Level.PROBLEM, "no", advice)
    if facts.get("aof_last_write_status", "ok") != "ok":
        advice = "Look at its disk: what is accepted now does not reach it."
        return Finding("appendonly", Level.PROBLEM, "yes, but the last write failed", advice)
    return Finding("appendonly", Level.OK, "yes")


def _judge_fsync(fsync: str | None) -> Finding:
    if fsync is None:
        advice = "Ask its operator whether appendfsync is 'always'."
        return Finding("appendfsync", Level.WARNING, "not told by this server", advice)
    if fsync == "always":
        return Finding("appendfsync", Level.OK, fsync)
    advice = "Set 'appendfsync always': else a crash loses what was accepted just before it."
    return Finding("appendfsync", Level.PROBLEM, fsync, advice)


def _judge_replicas(facts: Mapping[str, Any]) -> list[Finding]:
    replicas = int(facts.get("connected_slaves", 0))
    # A server tells the second one only where it waits for replicas at all.
    if not replicas or "min_slaves_good_slaves" in facts:
        return []
    advice = (
        "Set 'min-replicas-to-write 1' and a 'min-replicas-max-lag' of a few seconds: what a "
        "primary alone had is forgotten by a failover, and may be paid again."
    )
    said = f"{replicas}, and writes go on where they fall behind"
    return [Finding("replicas", Level.WARNING, said, advice)]


def _judge_eviction(facts: Mapping[str, Any]) -> Finding:
    policy = str(facts.get("maxmemory_policy", "unknown"))
    if policy == "noeviction":
        return Finding("maxmemory-policy", Level.OK, policy)
    advice = "Set 'maxmemory-policy noeviction': else records vanish when memory runs out."
    return Finding("maxmemory-policy", Level.PROBLEM, policy, advice)
