"""A case file in, the best plan for an EV fleet out, with a proof and a bill that adds up.

The plan is replayed from its written numbers, without the model that made it, which proves it
physical; the bill is the sum of a ledger.

This is the door of the house: a name is loaded when it is first used, so that `import v2g_linopy`
and `v2g --help` are quick.

Examples
--------
>>> import v2g_linopy as v2g
>>> case = v2g.commuters(vehicles=1, days=1, regulation=None)
>>> result = v2g.solve(case)
>>> result.attrs["status"], result["audit"].attrs["passed"]
('optimal', 1)
"""

import sys
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING, Any

_HOME = {
    "open_study": "batch.run_study",
    "run_study": "batch.run_study",
    "read_study": "batch.study_file",
    "sweep": "batch.sweep",
    "__version__": "case.version",
    "assemble": "case.io",
    "read": "case.io",
    "write": "case.io",
    "TableFormat": "data",
    "case_from_sessions": "data",
    "charging_station": "data",
    "commuters": "data",
    "depot": "data",
    "homes_and_depot": "data",
    "fleets": "data",
    "from_availability": "data",
    "nordic_fcr": "data",
    "sessions_to_fleet": "data",
    "read_capacity_prices": "data",
    "read_connectors": "data",
    "read_frequency": "data",
    "read_prices": "data",
    "read_profiles": "data",
    "read_sessions": "data",
    "read_site_types": "data",
    "sequential": "data",
    "site": "data",
    "portfolio": "data",
    "virtual_power_plant": "data",
    "fitted_acceptance": "data",
    "fitted_activation": "data",
    "with_acceptance": "data",
    "with_offers": "data",
    "with_reserves": "data",
    "extreme_signals": "delivery.activation_signals",
    "random_signals": "delivery.activation_signals",
    "frequency_signals": "delivery.frequency",
    "with_frequency": "delivery.frequency",
    "with_netted_calls": "delivery.call_states",
    "with_calls_from_record": "delivery.calls_from_record",
    "with_on_off_calls": "delivery.call_states",
    "stress": "delivery.stress_test",
    "Infeasible": "errors",
    "flexibility": "flexibility.bands",
    "envelope": "flexibility.envelope",
    "aggregate": "flexibility.exchange",
    "bound": "flexibility.exchange",
    "message": "flexibility.exchange",
    "plan": "flexibility.exchange",
    "portfolio_case": "flexibility.exchange",
    "disaggregate": "flexibility.shares",
    "keep_promise": "flexibility.shares",
    "site_values": "flexibility.site_values",
    "with_values_alone": "flexibility.site_values",
    "Interrupted": "errors",
    "OutputError": "errors",
    "Problem": "errors",
    "SchemaError": "errors",
    "SolveError": "errors",
    "SolverError": "errors",
    "V2GError": "errors",
    "with_contracts": "operate.contract_entry",
    "BidRule": "operate.day_ahead_bids",
    "with_dual_prices": "operate.dual_settlement",
    "with_drawn_acceptance": "operate.offer_acceptance",
    "simulate": "operate.simulate",
    "stage_values": "operate.stage_values",
    "unmanaged": "operate.unmanaged",
    "select_window": "operate.window_case",
    "with_initial_state": "operate.window_case",
    "PARTS": "parts.catalogue",
    "charging_profiles": "report.exports.charging_profiles",
    "to_pypsa": "report.exports.pypsa_network",
    "to_flexmeasures": "report.exports.flexmeasures",
    "flexmeasures_schedules": "report.exports.flexmeasures",
    "follow_schedules": "report.exports.flexmeasures",
    "products": "parts.markets.reserve.nordic_products",
    "replay": "solve.audit",
    "split": "solve.decompose.site_cases",
    "verify": "solve.verification",
    "build": "solve.solve",
    "check": "solve.solve",
    "solve": "solve.solve",
    "break_even": "study.break_even",
    "break_even_map": "study.break_even_map",
    "contract_study": "study.contract_study",
    "explain": "study.explain",
    "cost_of_calls": "study.cost_of_calls",
    "compare": "study.ladder",
    "profit_sources": "study.profit_sources",
    "profit_steps": "study.profit_sources",
    "case_with_types": "study.menus.copies",
    "worth_of_known_prices": "study.profit_sources",
    "menu": "study.menus.design",
    "integrated_menu": "study.menus.integrated",
    "schedule_table": "study.menus.schedule",
    "scenarios": "study.scenarios",
    "evpi": "study.value_of_information",
    "vss": "study.value_of_information",
    "capacity_loss": "study.wear",
    "wear": "study.wear",
}
"""The module that holds each public name."""
_RENAMED = {"energy_management": "delivery.nordic_energy_management"}
"""Modules that are public as they are, under another name."""

if TYPE_CHECKING:  # the same names, for type checkers and editors
    from .batch.run_study import open_study, run_study
    from .batch.study_file import read_study
    from .batch.sweep import sweep
    from .case.io import assemble, read, write
    from .case.version import __version__ as __version__
    from .data import (
        TableFormat,
        case_from_sessions,
        charging_station,
        commuters,
        depot,
        fitted_acceptance,
        fitted_activation,
        fleets,
        from_availability,
        homes_and_depot,
        nordic_fcr,
        portfolio,
        read_capacity_prices,
        read_connectors,
        read_frequency,
        read_prices,
        read_profiles,
        read_sessions,
        read_site_types,
        sequential,
        sessions_to_fleet,
        site,
        virtual_power_plant,
        with_acceptance,
        with_offers,
        with_reserves,
    )
    from .delivery import nordic_energy_management as energy_management
    from .delivery.activation_signals import extreme_signals, random_signals
    from .delivery.call_states import with_netted_calls, with_on_off_calls
    from .delivery.calls_from_record import with_calls_from_record
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
    from .flexibility.bands import flexibility
    from .flexibility.envelope import envelope
    from .flexibility.exchange import aggregate, bound, message, plan, portfolio_case
    from .flexibility.shares import disaggregate, keep_promise
    from .flexibility.site_values import site_values, with_values_alone
    from .operate.contract_entry import with_contracts
    from .operate.day_ahead_bids import BidRule
    from .operate.dual_settlement import with_dual_prices
    from .operate.offer_acceptance import with_drawn_acceptance
    from .operate.simulate import simulate
    from .operate.stage_values import stage_values
    from .operate.unmanaged import unmanaged
    from .operate.window_case import select_window, with_initial_state
    from .parts.catalogue import PARTS
    from .parts.markets.reserve.nordic_products import products
    from .report.exports.charging_profiles import charging_profiles
    from .report.exports.flexmeasures import (
        flexmeasures_schedules,
        follow_schedules,
        to_flexmeasures,
    )
    from .report.exports.pypsa_network import to_pypsa
    from .solve.audit import replay
    from .solve.decompose.site_cases import split
    from .solve.solve import build, check, solve
    from .solve.verification import verify
    from .study.break_even import break_even
    from .study.break_even_map import break_even_map
    from .study.contract_study import contract_study
    from .study.cost_of_calls import cost_of_calls
    from .study.explain import explain
    from .study.ladder import compare
    from .study.menus.copies import case_with_types
    from .study.menus.design import menu
    from .study.menus.integrated import integrated_menu
    from .study.menus.schedule import schedule_table
    from .study.profit_sources import profit_sources, profit_steps, worth_of_known_prices
    from .study.scenarios import scenarios
    from .study.value_of_information import evpi, vss
    from .study.wear import capacity_loss, wear
else:

    def __getattr__(name: str) -> Any:
        """Load a public name, or a room, when it is first used."""
        if name in _HOME:
            found = getattr(import_module(f".{_HOME[name]}", __name__), name)
        elif name in _RENAMED:
            found = import_module(f".{_RENAMED[name]}", __name__)
        elif not name.startswith("_") and find_spec(f".{name}", __name__):
            found = import_module(f".{name}", __name__)
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = found
        return found

    def __dir__() -> list[str]:
        """Every public name, loaded or not."""
        return sorted({*globals(), *__all__})


class _Door(ModuleType):
    """The package, in which a function keeps its name where a room is called the same.

    Python gives a package the attribute `solve` when it loads the room `solve`; here the name
    belongs to the function `solve`.
    """

    def __setattr__(self, name: str, value: object) -> None:
        is_room = isinstance(value, ModuleType) and value.__name__ == f"{__name__}.{name}"
        if not (is_room and name in _HOME):
            super().__setattr__(name, value)
        if is_room:
            _offer_plots()


def _plots(result: Any) -> Any:
    """Figures of a result: `result.plot.dispatch()`."""
    return import_module(".report.figures.accessor", __name__).ResultPlots(result)


def _offer_plots() -> None:
    """Give results their figures, as soon as there can be results."""
    trees = getattr(sys.modules.get("xarray"), "DataTree", None)
    if trees is not None and getattr(trees, "plot", None) is not _plots:
        sys.modules["xarray"].register_datatree_accessor("plot")(_plots)


sys.modules[__name__].__class__ = _Door
_offer_plots()

__all__ = [
    "PARTS",
    "follow_schedules",
    "flexmeasures_schedules",
    "to_flexmeasures",
    "to_pypsa",
    "charging_profiles",
    "Infeasible",
    "Interrupted",
    "OutputError",
    "Problem",
    "SchemaError",
    "SolveError",
    "SolverError",
    "TableFormat",
    "V2GError",
    "aggregate",
    "bound",
    "disaggregate",
    "keep_promise",
    "message",
    "plan",
    "portfolio_case",
    "assemble",
    "break_even",
    "break_even_map",
    "build",
    "capacity_loss",
    "site_values",
    "with_contracts",
    "BidRule",
    "with_dual_prices",
    "with_initial_state",
    "case_from_sessions",
    "case_with_types",
    "charging_station",
    "check",
    "commuters",
    "compare",
    "contract_study",
    "cost_of_calls",
    "depot",
    "energy_management",
    "evpi",
    "explain",
    "extreme_signals",
    "fleets",
    "envelope",
    "flexibility",
    "frequency_signals",
    "from_availability",
    "homes_and_depot",
    "integrated_menu",
    "menu",
    "nordic_fcr",
    "products",
    "profit_sources",
    "profit_steps",
    "with_values_alone",
    "worth_of_known_prices",
    "random_signals",
    "sessions_to_fleet",
    "read",
    "read_capacity_prices",
    "read_frequency",
    "read_connectors",
    "read_prices",
    "read_profiles",
    "read_sessions",
    "read_site_types",
    "read_study",
    "run_study",
    "open_study",
    "sweep",
    "replay",
    "scenarios",
    "schedule_table",
    "sequential",
    "simulate",
    "site",
    "portfolio",
    "virtual_power_plant",
    "solve",
    "split",
    "stage_values",
    "stress",
    "unmanaged",
    "verify",
    "vss",
    "wear",
    "with_calls_from_record",
    "with_frequency",
    "with_netted_calls",
    "with_on_off_calls",
    "fitted_acceptance",
    "fitted_activation",
    "with_acceptance",
    "with_offers",
    "with_drawn_acceptance",
    "with_reserves",
    "select_window",
    "write",
]
