"""How many connections this process may hold, as far as the system is asked."""

import resource
from typing import Final

#: Each waiting caller is one open file, and many systems begin with 1,024.
ENOUGH: Final = 65_536


def allow_open_files() -> None:
    """Raise this process's own limit towards what its system allows it; never lower it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ENOUGH if hard == resource.RLIM_INFINITY else min(ENOUGH, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
