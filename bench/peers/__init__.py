"""What a user would otherwise write, written fairly: each peer is real, and correct."""

from typing import Final

#: What peers sign their callbacks with.
PEER_SECRET: Final = "whsec_" + "A" * 32
