"""The version of this package, for files and for people; nothing else is loaded for it."""

from functools import cache
from importlib.metadata import PackageNotFoundError, version


@cache
def package_version() -> str:
    """Return the version of the installed package."""
    try:
        return version("v2g-linopy")
    except PackageNotFoundError:
        return "0+checkout"


__version__ = package_version()
