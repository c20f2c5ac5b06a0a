"""What a NetCDF file declares, looked at before anything of it is loaded."""

import math
from pathlib import Path

import netCDF4

from ..errors import InputFileError

MOST_NUMBERS = 2**28
"""In one array: no programme with so many variables of one kind could be solved (10 000 vehicles in
a year of quarter-hours are more)."""
MOST_NUMBERS_IN_ALL = 2**31


def refuse_what_cannot_be_held(path: Path) -> None:
    """Raise where a file declares groups within groups, or more numbers than any case can have.

    A file of some kilobytes may declare arrays that fill every memory, or groups without end.

    Parameters
    ----------
    path : pathlib.Path
        A file that is there.

    Raises
    ------
    InputFileError
        Naming the group or the array.
    OSError
        It is no NetCDF file.
    """
    total = 0
    with netCDF4.Dataset(path) as file:
        for name, group in {"": file, **file.groups}.items():
            if name and group.groups:
                inner = next(iter(group.groups))
                raise InputFileError(path, f"/{name}/{inner}: groups hold arrays, not groups")
            for leaf, array in group.variables.items():
                size = math.prod(array.shape)
                total += size
                if size > MOST_NUMBERS:
                    raise InputFileError(path, _too_many(f"{name}/{leaf}", size, MOST_NUMBERS))
                if total > MOST_NUMBERS_IN_ALL:
                    where = f"it, up to {name}/{leaf},"
                    raise InputFileError(path, _too_many(where, total, MOST_NUMBERS_IN_ALL))


def _too_many(where: str, size: int, most: int) -> str:
    return (
        f"{where} declares {size:,} numbers, and no case with more than {most:,} can be solved:"
        " leave the array out, or cut the case"
    )
