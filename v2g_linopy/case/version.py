"""The version of this package, for files and for people; nothing else is loaded for it."""

from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec


@cache
def package_version() -> str:
    """Return the version of the installed package."""
    try:
        return version("v2g-linopy")
    except PackageNotFoundError:
        return "0+checkout"


def lacking(extra: str, *packages: str) -> str:
    """Return which packages of an extra are not installed, and the remedy; empty where all are."""
    missing = [name for name in packages if find_spec(name) is None]
    return f"{' and '.join(missing)} missing; pip install 'v2g-linopy[{extra}]'" if missing else ""


__version__ = package_version()
