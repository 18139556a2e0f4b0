"""Sums of what several processes counted."""

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from generations import metrics
from generations.steps import Lane
from generations.tally import Tally, families, load, tally, total

CLAIMED = '["darkroom_claims_total", {"lane": "polls"}]'


class Shown(Collector):
    """A tally, as it is exported."""

    def __init__(self, counted: Tally) -> None:
        self._counted = counted

    def collect(self) -> list[Metric]:
        return list(families(self._counted))


def exported(counted: Tally) -> str:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Shown(counted))
    return generate_latest(registry).decode()


def test_what_is_counted_is_in_the_tally() -> None:
    before = tally()
    metrics.CLAIMS.labels(Lane.POLLS).inc(3)
    assert tally()[CLAIMED] - before[CLAIMED] == 3


def test_tallies_are_summed_sample_by_sample() -> None:
    assert total([{"a": 1, "b": 2}, {"b": 3}, {}]) == {"a": 1, "b": 5}


def test_a_tally_that_cannot_be_read_is_empty() -> None:
    assert [load(text) for text in ("", "{", "[1]", b"\xff{}")] == [{}] * 4


def test_a_sum_is_exported_as_the_metrics_that_were_counted() -> None:
    metrics.REDIS_SECONDS.observe(0.002)
    once = exported(tally())
    twice = exported(total([tally(), tally()]))
    assert "# TYPE darkroom_claims_total counter" in once
    assert 'darkroom_redis_seconds_bucket{le="+Inf"}' in once
    assert [line.rpartition(" ")[0] for line in once.splitlines()] == [
        line.rpartition(" ")[0] for line in twice.splitlines()
    ]


def test_what_this_version_does_not_know_is_left_out() -> None:
    assert "future" not in exported({'["darkroom_future_total", {}]': 1.0})


def test_no_label_may_hold_what_a_caller_chooses() -> None:
    known = {"outcome", "code", "status", "model", "source", "lane", "kind", "result", "route"}
    for family in metrics.REGISTRY.collect():
        for sample in family.samples:
            assert set(sample.labels) <= known | {"le"}
