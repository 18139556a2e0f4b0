"""A heartbeat is a file that grows old when something stands still."""

import time
from pathlib import Path

from worker.heartbeat import CONSUMER_LATE, ConsumerSigns, Heartbeat


def test_a_beat_touches_the_file(tmp_path: Path) -> None:
    file = tmp_path / "beat"
    Heartbeat(file, ConsumerSigns()).beat()
    assert file.exists()


def test_without_a_file_nothing_is_touched() -> None:
    Heartbeat(None, ConsumerSigns()).beat()


def test_a_file_that_cannot_be_written_stops_no_work(tmp_path: Path) -> None:
    Heartbeat(tmp_path / "missing" / "beat", ConsumerSigns()).beat()


def test_a_consumer_is_late_only_while_it_has_its_broker() -> None:
    signs = ConsumerSigns()
    now = time.monotonic() + CONSUMER_LATE + 1
    assert not signs.is_late(now)
    signs.show()
    assert signs.is_late(now)
    signs.away()
    assert not signs.is_late(now)
