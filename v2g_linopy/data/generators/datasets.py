"""The small cases in `datasets/`: `python -m v2g_linopy.data.generators.datasets [FOLDER]` writes
them anew.
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import xarray as xr

from ...case.io import write
from .commuters import commuters
from .depot import depot
from .fleets import fleets
from .portfolio import portfolio
from .single_site import site

CASES: Mapping[str, Callable[[], xr.DataTree]] = {
    "commuters_10x7.nc": lambda: commuters(vehicles=10, days=7, seed=0),
    "fleets_168h_few.nc": lambda: fleets(hours=168, world="few", seed=0),
    "depot_12x3.nc": lambda: depot(vehicles=12, days=3, seed=0),
    "site_10x7.nc": lambda: site(vehicles=10, days=7, seed=0),
    "portfolio_10x3.nc": lambda: portfolio(vehicles=12, days=3, seed=0, pods=10),
}


def make(name: str) -> xr.DataTree:
    """Return one of the shipped cases.

    It is free of the moment it was made at, so that the same code gives the same file.
    """
    case = CASES[name]()
    case.attrs["history"] = "made by python -m v2g_linopy.data.generators.datasets"
    return case


def main(folder: str = "datasets") -> None:
    """Write every case into a folder, over what stands there."""
    for name in CASES:
        write(make(name), Path(folder) / name, overwrite=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
