"""Why the local stack cannot run. Each text is a sentence that says what to do."""


class CannotRun(Exception):
    """The local stack cannot run as it was asked to."""


class FolderInUse(CannotRun):
    """Another ``darkroom up`` runs on the same folder."""


class NoFreePort(CannotRun):
    """No port near the wanted one is free."""


class RedisAway(CannotRun):
    """The Redis that the stack was pointed to does not answer."""


class NoEmbeddedServer(CannotRun):
    """The package with the embedded server is missing."""


class PartCannotStart(CannotRun):
    """A part ended again and again before it was ready."""

    def __init__(self, part: str, ending: str) -> None:
        super().__init__(f"{part} cannot start: it {ending}.")
        self.part = part
