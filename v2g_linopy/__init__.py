"""A case file in, the best plan for an EV fleet out, with a proof that it is physical and a bill
that adds up.
"""

import xarray as _xr

from .case.io import assemble, read, write
from .case.io import package_version as _package_version
from .data import (
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
from .delivery import nordic_energy_management as energy_management
from .delivery.activation_signals import extreme_signals, random_signals
from .delivery.frequency import frequency_signals, with_frequency
from .delivery.stress_test import stress
from .errors import (
    Infeasible,
    Interrupted,
    OutputError,
    Problem,
    SchemaError,
    SolveError,
    SolverError,
    V2GError,
)
from .operate.simulate import simulate
from .operate.stage_values import stage_values
from .operate.unmanaged import unmanaged
from .operate.window_case import select_window, with_initial_state
from .parts.catalogue import PARTS
from .parts.markets.reserve.nordic_products import products
from .report.figures.accessor import ResultPlots as _ResultPlots
from .solve.audit import replay
from .solve.solve import build, check, solve
from .study.explain import explain
from .study.ladder import compare
from .study.scenarios import scenarios
from .study.value_of_information import evpi, vss
from .study.wear import capacity_loss, wear

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
    "with_initial_state",
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
    "select_window",
    "write",
]
