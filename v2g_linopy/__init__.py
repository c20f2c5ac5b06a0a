"""A case file in, the best plan for an EV fleet out, with a proof that it is physical and a bill that adds up."""

import xarray as _xr

from . import energy_management
from .audit import replay
from .case import assemble, read, write
from .case import package_version as _package_version
from .catalogue import PARTS
from .compare import compare, unmanaged
from .degradation import capacity_loss, wear
from .errors import Infeasible, Interrupted, OutputError, Problem, SchemaError, SolveError, SolverError, V2GError
from .explain import explain
from .frequency import frequency_signals, with_frequency
from .horizon import simulate
from .ingest import (
    case_from,
    commuters,
    depot,
    fleets,
    from_availability,
    nordic_fcr,
    rasterise,
    read_capacity_prices,
    read_connectors,
    read_frequency,
    read_prices,
    read_profiles,
    read_sessions,
    sequential,
    site,
    sites,
    with_reserves,
)
from .portfolio import build, check, solve
from .products import products
from .report.plots import ResultPlots as _ResultPlots
from .rolling import carried, window
from .scenarios import scenarios
from .signals import extreme_signals, random_signals
from .stages import stage_values
from .stress import stress
from .uncertainty import evpi, vss

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
    "carried",
    "case_from",
    "check",
    "commuters",
    "compare",
    "depot",
    "energy_management",
    "evpi",
    "explain",
    "extreme_signals",
    "fleets",
    "frequency_signals",
    "from_availability",
    "nordic_fcr",
    "products",
    "random_signals",
    "rasterise",
    "read",
    "read_capacity_prices",
    "read_frequency",
    "read_connectors",
    "read_prices",
    "read_profiles",
    "read_sessions",
    "replay",
    "scenarios",
    "sequential",
    "simulate",
    "site",
    "sites",
    "solve",
    "stage_values",
    "stress",
    "unmanaged",
    "vss",
    "wear",
    "with_frequency",
    "with_reserves",
    "window",
    "write",
]
