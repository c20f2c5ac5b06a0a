"""What keeps a case from being run in sequence is told at once, with place and remedy."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from cases import case, market, storage

import v2g_linopy as v2g
from v2g_linopy.model import gates as gates_read

NAN = float("nan")
HOURS = pd.date_range("2026-01-04 23:00", periods=48, freq="h", name="time")  # two days of Rome
PRICE = 50.0 + 10 * np.sin(np.arange(48.0))


def good() -> xr.DataTree:
    """A battery, two markets with gates, dual-priced imbalance, and two forecasts of prices."""
    markets = {"day_ahead": market(PRICE), "intraday": market(PRICE + 1, spread=1.0)}
    settled = {"price_long": PRICE - 20, "price_short": PRICE + 20, "limit": 100.0}
    tree = case(
        None,
        markets,
        battery=storage(),
        imbalance=settled,
        start=str(HOURS[0]),
        timezone="Europe/Rome",
    )
    tree["gates"] = xr.DataTree(
        xr.Dataset(
            {"hour": ("gate", [12.0, NAN]), "lead": ("gate", [NAN, 1.0])},
            {"gate": ["day_ahead", "intraday"]},
        )
    )
    known = pd.Index(pd.to_datetime(["2026-01-04 10:00", "2026-01-05 10:00"]), name="vintage")
    price, settled = tree["energy"].price.drop_attrs(), tree["imbalance"].to_dataset().drop_attrs()
    tree["vintage"] = xr.DataTree(
        xr.Dataset(
            {
                "energy.price": xr.concat([price - 5, price], known),
                "imbalance.price_long": xr.concat(
                    [settled.price_long - 5, settled.price_long], known
                ),
                "imbalance.price_short": xr.concat(
                    [settled.price_short + 5, settled.price_short], known
                ),
            }
        )
    )
    return tree


def changed(tree: xr.DataTree, group: str, **arrays: object) -> xr.DataTree:
    """Replace arrays of a group, or leave out those that are None."""
    ds = tree[group].to_dataset()
    gone = [name for name, x in arrays.items() if x is None]
    tree[group] = xr.DataTree(
        ds.drop_vars(gone).assign({n: x for n, x in arrays.items() if x is not None})
    )
    return tree


def test_the_good_case_is_good():
    """Nothing is wrong with what the other tests break."""
    v2g.check(good())


def gates(**arrays: object) -> Callable[[xr.DataTree], xr.DataTree]:
    return lambda tree: changed(tree, "gates", **arrays)


def vintage(change: Callable[[xr.Dataset], xr.Dataset]) -> Callable[[xr.DataTree], xr.DataTree]:
    def run(tree: xr.DataTree) -> xr.DataTree:
        tree["vintage"] = xr.DataTree(change(tree["vintage"].to_dataset(inherit=False)))
        return tree

    return run


def _crossed(tree: xr.DataTree) -> xr.DataTree:
    short = tree["imbalance"].price_short.copy()
    short[[3, 20]] = -100.0
    return changed(tree, "imbalance", price_short=short)


def _crossed_forecast(ds: xr.Dataset) -> xr.Dataset:
    short = ds["imbalance.price_short"].copy()
    short[1, 4] = -100.0
    return ds.assign({"imbalance.price_short": short})


FLOOR = {"energy_final": 1.0, "energy_min": 2.0, "energy_initial": 3.0}
FAULTS = {
    "short below long": (
        _crossed,
        {
            "imbalance.price_short": [
                "2 step(s)",
                "2026-01-05 03:00 +0100",
                "2026-01-05 20:00 +0100",
            ]
        },
    ),
    "negative limit": (
        lambda tree: changed(tree, "imbalance", limit=xr.DataArray(-1.0)),
        {"imbalance.limit": ["-1", "allowed [0, inf] kW"]},
    ),
    "more committed than traded": (
        lambda t: changed(t, "energy", committed=xr.DataArray(5.0), turnover=xr.DataArray(4.0)),
        {"energy.turnover": ["4", "less than the committed position takes"]},
    ),
    "turnover below zero": (
        lambda t: changed(t, "energy", turnover=xr.DataArray(-4.0)),
        {"energy.turnover": ["-4", "[0, inf] kW"]},
    ),
    "backed by less than nothing": (
        lambda t: changed(t, "energy", unbacked=xr.DataArray(-1.0)),
        {"energy.unbacked": ["-1", "[0, inf] kW"]},
    ),
    "half revisable": (
        lambda t: changed(t, "energy", revisable=xr.DataArray(0.5)),
        {"energy.revisable": ["0.5", "0 or 1"]},
    ),
    "an end above the brim": (
        lambda t: changed(t, "battery", energy_final=("battery", [11.0])),
        {"battery.energy_final": ["battery box", "11", "more than energy_max"]},
    ),
    "an end below the floor": (
        lambda t: changed(t, "battery", **{n: ("battery", [x]) for n, x in FLOOR.items()}),
        {"battery.energy_final": ["battery box", "1", "less than energy_min"]},
    ),
    "no long price": (
        lambda t: changed(t, "imbalance", price_long=None),
        {"imbalance.price_long": ["missing"]},
    ),
    "hour and lead": (
        gates(lead=("gate", [2.0, 1.0])),
        {"gates.hour": ["day_ahead", "not both or none"]},
    ),
    "neither": (
        gates(hour=("gate", [NAN, NAN])),
        {"gates.hour": ["day_ahead", "not both or none"]},
    ),
    "neither at all": (
        gates(hour=None, lead=None),
        {"gates.hour": ["gate intraday", "not both or none"]},
    ),
    "no such hour": (gates(hour=("gate", [25.0, NAN])), {"gates.hour": ["25", "[0, 24]"]}),
    "a lead back in time": (gates(lead=("gate", [NAN, -1.0])), {"gates.lead": ["-1", "[0, inf]"]}),
    "no such market": (
        lambda tree: tree.assign(
            {
                "gates": xr.DataTree(
                    tree["gates"].to_dataset().assign_coords(gate=["intraday", "dayahead"])
                )
            }
        ),
        {"gates.gate": ["'dayahead'", "did you mean day_ahead?"]},
    ),
    "a gate twice": (
        lambda tree: tree.assign(
            {"gates": xr.DataTree(tree["gates"].to_dataset().assign_coords(gate=["intraday"] * 2))}
        ),
        {"gates.gate": ["intraday appears more than once"]},
    ),
    "a column misspelt": (
        gates(hours=("gate", [12.0, NAN])),
        {"gates.hours": ["unknown", "gates.hour"]},
    ),
    "forecasts unordered": (
        vintage(lambda ds: ds.isel(vintage=[1, 0])),
        {"vintage.vintage": ["in order"]},
    ),
    "forecasts twice": (
        vintage(lambda ds: ds.isel(vintage=[0, 0])),
        {"vintage.vintage": ["duplicated"]},
    ),
    "forecasts without time": (
        vintage(lambda ds: ds.assign_coords(vintage=["old", "new"])),
        {"vintage.vintage": ["UTC time"]},
    ),
    "a name misspelt": (
        vintage(lambda ds: ds.rename({"energy.price": "energy.prices"})),
        {"vintage.energy.prices": ["did you mean energy.price?"]},
    ),
    "a part that is not there": (
        vintage(lambda ds: ds.rename({"energy.price": "load.baseline"})),
        {"vintage.load.baseline": ["is no series"]},
    ),
    "a constant forecast": (
        vintage(lambda ds: ds.assign({"battery.energy_initial": ds["imbalance.price_long"]})),
        {"vintage.battery.energy_initial": ["is no series"]},
    ),
    "a flag forecast": (
        vintage(lambda ds: ds.assign({"energy.closed": ds["energy.price"] * 0})),
        {"vintage.energy.closed": ["is no series"]},
    ),
    "a dimension too many": (
        vintage(lambda ds: ds.assign({"energy.price": ds["energy.price"].expand_dims(pod=["a"])})),
        {"vintage.energy.price": ["has dimension pod"]},
    ),
    "known since when": (
        vintage(
            lambda ds: ds.assign({"energy.price": ds["energy.price"].isel(vintage=0, drop=True)})
        ),
        {"vintage.energy.price": ["no dimension vintage"]},
    ),
    "other markets": (
        vintage(
            lambda ds: ds.drop_vars(["imbalance.price_long", "imbalance.price_short"]).isel(
                market=[0]
            )
        ),
        {"vintage.energy.price": ["other labels along market", "day_ahead"]},
    ),
    "another unit": (
        vintage(
            lambda ds: ds.assign({"energy.price": ds["energy.price"].assign_attrs(units="kWh")})
        ),
        {"vintage.energy.price": ["unit 'kWh' does not fit"]},
    ),
    "forecasts that cross": (
        vintage(_crossed_forecast),
        {
            "vintage.imbalance.price_short": [
                "as known at 2026-01-05 11:00 +0100",
                "2026-01-05 04:00 +0100",
            ]
        },
    ),
    "everything at once": (
        lambda t: changed(
            vintage(lambda ds: ds.isel(vintage=[1, 0]))(gates(hour=None)(t)), "energy", price=None
        ),
        {"energy.price": ["missing"], "gates.hour": ["day_ahead"], "vintage.vintage": ["in order"]},
    ),
}


@pytest.mark.parametrize(("fault", "told"), FAULTS.values(), ids=FAULTS)
def test_what_is_wrong_with_a_case_is_told(fault, told):
    """`check` names every place and what is wrong there, and `simulate` refuses the case for the
    same reason.
    """
    tree = fault(good())
    with pytest.raises(v2g.SchemaError) as caught:
        v2g.check(tree)
    found = {p.where: p.detail for p in caught.value.problems}
    assert set(found) == set(told)
    for where, words in told.items():
        assert all(word in found[where] for word in words), found[where]
    with pytest.raises(v2g.SchemaError):
        v2g.simulate(tree)


@pytest.mark.parametrize("together", [1, 2, 100])
def test_a_forecast_that_crosses_is_found_among_many(monkeypatch, together):
    """Forecasts are looked at several at a time; the one at fault is named all the same."""
    monkeypatch.setattr(gates_read, "_TOGETHER", together)
    with pytest.raises(v2g.SchemaError, match="as known at 2026-01-05 11:00"):
        v2g.check(vintage(_crossed_forecast)(good()))


def _without(*groups: str) -> xr.DataTree:
    return good().filter(lambda node: node.name not in groups)


def _uncertain() -> xr.DataTree:
    two = {"calm": 0.5, "windy": 0.5}
    return case(
        None, market({"calm": [1.0, 2.0], "windy": [3.0, 4.0]}), battery=storage(), scenarios=two
    )


RUNS = {
    "forecast of no kind": (good, {"forecast": "oracle"}, "forecast", ["'oracle'"]),
    "forecast without vintages": (
        lambda: _without("vintage"),
        {"forecast": "vintage"},
        "forecast",
        ["vintage"],
    ),
    "start off the grid": (good, {"start": "2026-01-05 10:30"}, "start", ["no step of the case"]),
    "start outside": (good, {"start": "2026-02-05"}, "start", ["no step of the case"]),
    "start unreadable": (good, {"start": "noon"}, "start", ["'noon' is no time"]),
    "stop before start": (
        good,
        {"start": "2026-01-05", "stop": "2026-01-05"},
        "stop",
        ["after start"],
    ),
    "every quarter": (good, {"every": 0.25}, "every", ["0.25 h", "whole number of steps"]),
    "every and a half": (good, {"every": 1.5}, "every", ["1.5 h", "whole number of steps"]),
    "never": (good, {"every": 0.0}, "every", ["0 h"]),
    "window": (good, {"window": 0.5}, "window", ["0.5 h"]),
    "ahead": (good, {"ahead": -1.0}, "ahead", ["-1 h"]),
    "scenarios": (_uncertain, {}, "scenario", ["take one of them"]),
    "no market": (
        lambda: _without("energy", "gates", "vintage"),
        {},
        "energy",
        ["at least one energy market"],
    ),
    "nowhere to settle": (
        lambda: vintage(lambda ds: ds[["energy.price"]])(_without("imbalance")),
        {},
        "imbalance",
        ["price_long and limit"],
    ),
    "no earlier day": (
        good,
        {"forecast": "naive", "start": "2026-01-05"},
        "start",
        ["no earlier day"],
    ),
}


@pytest.mark.parametrize(("tree", "options", "where", "words"), RUNS.values(), ids=RUNS)
def test_what_is_wrong_with_a_run_is_told(tree, options, where, words):
    """Arguments that do not fit the case are told by their names, and nothing is run."""
    with pytest.raises(v2g.SchemaError) as caught:
        v2g.simulate(tree(), **options)
    found = {p.where: p.detail for p in caught.value.problems}
    assert list(found) == [where]
    assert all(word in found[where] for word in words), found[where]


def test_several_faults_of_a_run_are_told_at_once():
    with pytest.raises(v2g.SchemaError) as caught:
        v2g.simulate(good(), every=0.25, window=0.5, start="noon")
    assert {p.where for p in caught.value.problems} == {"every", "window", "start"}


SHORT = {
    "does not begin early enough": (
        lambda ds: ds.isel(vintage=[1]),
        "2026-01-04 11:00",
        "earlier vintage",
    ),
    "does not reach far enough": (
        lambda ds: ds.where(ds.time < HOURS[30]),
        "2026-01-06 05:00",
        "end of the plan",
    ),
}


@pytest.mark.parametrize(("change", "when", "remedy"), SHORT.values(), ids=SHORT)
def test_a_forecast_says_something_of_every_step(change, when, remedy):
    """A plan that knows nothing of a step is not made up: what is missing and when it was needed is
    told.
    """
    tree = good()
    ds = tree["vintage"].to_dataset()[["energy.price"]]
    tree["vintage"] = xr.DataTree(change(ds).drop_vars("time", errors="ignore"))
    with pytest.raises(v2g.SchemaError) as caught:
        v2g.simulate(tree, hindsight=False)
    (problem,) = caught.value.problems
    assert problem.where == "vintage.energy.price"
    assert when in problem.detail and remedy in problem.detail
