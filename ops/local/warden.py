"""The warden: ends the parts when the supervisor vanishes without ending them itself.

``python ops/local/warden.py`` reads which process groups live ("+123") and which are gone
("-123") from its standard input. When that closes, because the supervisor ended for whatever
reason, SIGKILL included, every group still listed is asked to end, and then made to.

It imports next to nothing, so that it costs next to nothing.
"""

import os
import signal
import sys
import time

#: Seconds that groups have to end by themselves.
GRACE = 10.0


def main() -> None:
    groups: dict[int, None] = {}
    for line in sys.stdin:
        if line[:1] == "+":
            groups[int(line)] = None
        else:
            groups.pop(-int(line), None)
    end(list(reversed(groups)))


def end(groups: list[int]) -> None:
    """End groups in the order given; come back when all are gone."""
    left = [group for group in groups if tell(group, signal.SIGTERM)]
    deadline = time.monotonic() + GRACE
    while left and time.monotonic() < deadline:
        time.sleep(0.05)
        left = [group for group in left if tell(group, 0)]
    for group in left:
        tell(group, signal.SIGKILL)


def tell(group: int, number: int) -> bool:
    """Send a signal to a group; whether there was one (0 only asks)."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    main()
