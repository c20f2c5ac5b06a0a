"""What an export hands over, and how one lists what its format cannot say."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from ...errors import Problem, SchemaError

LISTED = 3
"""Places named in one problem; more are counted."""


@dataclass(frozen=True)
class Exported:
    """A document in another format, and what it leaves out or supposes.

    Parameters
    ----------
    document
        What is written: data for JSON, or an object of another package.
    notes
        Sentences for the user: what the format does not say, and what was chosen.
    """

    document: Any
    notes: tuple[str, ...] = ()


def refuse(problems: Sequence[Problem], source: str) -> None:
    """Raise every problem that an export has found; none is none.

    Raises
    ------
    SchemaError
        Listing all of them.
    """
    if problems:
        raise SchemaError(problems, source)


def places(wrong: xr.DataArray, shown: Callable[[dict[str, Any]], str]) -> str:
    """Return the first cells in which something holds, each as `shown` says it, and how many more
    there are; empty where it holds nowhere.
    """
    cells = np.argwhere(wrong.to_numpy())
    labels = [wrong.indexes[dim] for dim in wrong.dims]
    first = [
        shown({str(dim): index[i] for dim, index, i in zip(wrong.dims, labels, cell, strict=True)})
        for cell in cells[:LISTED]
    ]
    more = [f"{len(cells) - LISTED} more"] if len(cells) > LISTED else []
    return ", ".join(first) + (f" and {more[0]}" if more else "")
