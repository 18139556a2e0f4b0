"""The garbage collector is spared what stays: it goes over what a process makes as it works.

Modules, classes and clients are there until the end. Full collections that go over them again
and again, because a chunk of records made many objects at once, took a fifth of a worker's CPU.
"""

import gc
from typing import Final

#: So many objects more than before, and the young ones are looked at: several chunks' worth.
YOUNG: Final = 20_000


def spare_what_stays() -> None:
    """Once, when all is there that a process needs to begin."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 10, 10)
