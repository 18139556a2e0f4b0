"""The doctor's own judgements; those of a server are in ``generations/durability.py``."""

from generations.durability import Level
from ops.doctor import judge_latency


def test_a_distant_server_is_a_warning() -> None:
    finding = judge_latency(40.0)
    assert (finding.level, finding.says) == (Level.WARNING, "40.0 ms a round trip")


def test_a_near_server_is_well() -> None:
    assert judge_latency(0.4).level is Level.OK
