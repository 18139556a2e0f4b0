"""What a user would otherwise write, written fairly: each peer is real, and correct."""
