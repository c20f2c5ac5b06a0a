"""A case file in, the best plan for an EV fleet out, with a proof that it is physical and a bill that adds up."""

import xarray as _xr

from .audit import replay
from .case import assemble, read, write
from .case import package_version as _package_version
from .catalogue import PARTS
from .compare import compare, unmanaged
from .degradation import capacity_loss, wear
from .errors import Infeasible, Interrupted, OutputError, Problem, SchemaError, SolveError, SolverError, V2GError
from .explain import explain
from .horizon import simulate
from .ingest import (
    case_from,
    commuters,
    depot,
    fleets,
    from_availability,
    rasterise,
    read_prices,
    read_profiles,
    read_sessions,
    site,
    sites,
)
from .portfolio import build, check, solve
from .report.plots import ResultPlots as _ResultPlots

__version__ = _package_version()

_xr.register_datatree_accessor("plot")(_ResultPlots)

__all__ = [
    "PARTS",
    "Infeasible",
    "Interrupted",
    "OutputError",
    "Problem",
    "SchemaError",
    "SolveError",
    "SolverError",
    "V2GError",
    "assemble",
    "build",
    "capacity_loss",
    "case_from",
    "check",
    "commuters",
    "compare",
    "depot",
    "explain",
    "fleets",
    "from_availability",
    "rasterise",
    "read",
    "read_prices",
    "read_profiles",
    "read_sessions",
    "replay",
    "simulate",
    "site",
    "sites",
    "solve",
    "unmanaged",
    "wear",
    "write",
]
