"""Which version this is."""

from importlib.metadata import PackageNotFoundError, version


def own_version() -> str:
    """As it was installed; "unknown" where it runs from a checkout that is not."""
    try:
        return version("darkroom")
    except PackageNotFoundError:
        return "unknown"
