"""What processes counted: their values written down, and summed."""

import json
from collections.abc import Iterable, Iterator
from typing import Final

from prometheus_client.metrics_core import Metric

from generations import metrics

#: How much, by a sample's name and labels, as JSON.
Tally = dict[str, float]

#: What the names of samples end with beside their family's.
_ENDINGS: Final = ("total", "bucket", "count", "sum")
#: Of processes that have ended, and whose counts this one goes on with.
_inherited: Final[Tally] = {}


def tally() -> Tally:
    """What this process has counted so far."""
    return total([_counted(), _inherited])


def inherit(counted: Tally) -> None:
    """Go on with the counts of a process that has ended."""
    _inherited.update(total([_inherited, counted]))


def total(tallies: Iterable[Tally]) -> Tally:
    """Their sum, sample by sample."""
    summed: Tally = {}
    for one in tallies:
        for sample, value in one.items():
            summed[sample] = summed.get(sample, 0) + value
    return summed


def load(text: str | bytes) -> Tally:
    """The tally that stands there as JSON; an empty one where there is none."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def families(counted: Tally) -> Iterator[Metric]:
    """The metrics that have these values."""
    families = {family.name: family for family in metrics.REGISTRY.collect()}
    found: dict[str, Metric] = {}
    for sample, value in counted.items():
        name, labels = json.loads(sample)
        known = families.get(name.rpartition("_")[0])
        # A process of another version may count what this one does not know.
        if known is not None and _is_told(name):
            empty = Metric(known.name, known.documentation, known.type)
            found.setdefault(known.name, empty).add_sample(name, labels, value)
    yield from found.values()


def _counted() -> Tally:
    return {
        json.dumps([sample.name, sample.labels]): sample.value
        for family in metrics.REGISTRY.collect()
        for sample in family.samples
        if _is_told(sample.name)
    }


def _is_told(sample: str) -> bool:
    # Not when each was created, which the library notes beside it: such instants have no sum.
    return sample.rpartition("_")[2] in _ENDINGS
