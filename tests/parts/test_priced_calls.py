"""What calls of reserves cost: losses and wear of every state that a step is called in."""

from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from cases import case, market, product, storage, vehicle
from pytest import approx
from typer.testing import CliRunner

import v2g_linopy as v2g
from v2g_linopy.cli.app import app
from v2g_linopy.data import Regulation
from v2g_linopy.model.upper_sets import upper_sets
from v2g_linopy.parts.markets.reserve import priced_calls
from v2g_linopy.parts.rules.connection import metered_calls
from v2g_linopy.report import tables
from v2g_linopy.report.page import content
from v2g_linopy.report.result_view import ResultView

HALF = {"activation_up": 0.25, "activation_down": 0.25}
LOSSY = {"eta_charge": 0.8, "eta_discharge": 0.8, "discharge_max": 10.0}


def on_board(**fields: object) -> dict[str, object]:
    """A lossy vehicle, half full, with 10 kW each way."""
    return vehicle(energy_initial=20.0, **LOSSY | fields)


def symmetric(**fields: object) -> dict[str, object]:
    """A product that is called up, and down, in a quarter of each step."""
    return product(up=1.0, down=1.0, capacity_price=[1000.0]) | HALF | fields


def sold(**fields: object) -> xr.DataTree:
    """An hour at 100 EUR/MWh, wear 0.08 EUR/kWh, and calls that cancel in their mean."""
    return case(on_board(wear=0.08), market([100.0]), symmetric(**fields))


def test_calls_that_cancel_in_the_mean_wear_the_battery():
    """10 kW are sold for 10 EUR. A quarter of the hour 10 kW are fed in: 2.5 kWh at the charger,
    3.125 kWh from the battery, 0.25 EUR of wear. Netted, nothing moves.
    """
    assert v2g.solve(sold()).attrs["profit"] == approx(10.0)
    told = v2g.solve(v2g.with_on_off_calls(sold()))
    assert told.attrs["profit"] == approx(10.0 - 0.25)
    assert told["fleet"].discharge.item() == approx(2.5)
    assert told["fleet"].energy.item() == approx(20.0 + 2.5 * 0.8 - 2.5 / 0.8)
    assert told["audit"].attrs["passed"]


def test_the_ladder_shows_what_calls_and_bid_steps_take():
    """Bids of 4 kW: 8 kW are sold for 8 EUR, and 2 kWh a quarter fed in wear 0.2 EUR. Netted they
    would not; and without steps 10 kW would earn 9.75. Of 2 kWh drawn a fifth is lost, of 2 kWh fed
    in another quarter: 0.9 kWh at 0.05 EUR. All of it is what a mean does not see.
    """
    hour = case(on_board(wear=0.08), market([50.0]), symmetric(step=4.0))
    result = v2g.compare(v2g.with_on_off_calls(hour))
    ladder = result["ladder"].to_dataset()
    rungs = ladder.profit.to_series().iloc[-3:].to_dict()
    assert rungs == approx({"V2G + reserves": 7.8, "calls netted": 8.0, "no least bids": 9.75})
    assert ladder.step.sel(rung="calls netted", cause="wear") == approx(0.2)
    assert result.attrs["profit"] == approx(7.8)

    found = v2g.cost_of_calls(result).sel(asset="fleet")
    assert found[["wear", "wear_unseen"]].to_array().values == approx(0.2)
    assert found[["loss", "loss_unseen"]].to_array().values == approx(0.045)
    assert found.energy_lost == approx(0.9)
    page = content.cost_of_call_rows(ResultView.of(result))
    assert page["taken"][0]["cells"][-1] == "0.9" and "in full or not" in page["sentence"]
    assert [row["cells"] for row in page["states"]][1:] == [["25.0 %", "−1"], ["25.0 %", "1"]]
    netted = tables.calls(v2g.solve(v2g.with_netted_calls(sold())))
    assert netted == {}


def test_calls_one_way_save_what_the_traded_power_would_have_cost():
    """10 kW are fed in for 1 EUR; called down by half, 10 kW sold draw 5 of them back. That saves
    half of 12.5 kWh of wear at 0.01 EUR, and half of the losses; beside the mean nothing turns.
    """
    down = product(down=1.0, volume_max=10.0, capacity_price=[1000.0])
    tree = case(on_board(wear=0.01), market([100.0]), down)
    held = tree["reserve"].to_dataset()
    held = held.assign_coords(call_state=["half"])
    held["call"] = (("product", "call_state"), [[-0.5]])
    held["call_share"] = ("call_state", [1.0])
    held["activation_price_down"] = ("product", [0.0])
    tree = tree.assign(reserve=xr.DataTree(held))
    result = v2g.solve(tree)
    assert (result["fleet"].discharge - result["fleet"].charge).item() == approx(5.0)
    found = v2g.cost_of_calls(result).sel(asset="fleet")
    assert found.wear == approx(-5.0 / 0.8 * 0.01)
    assert found.loss == approx(-5.0 * 0.25 * 0.1)
    assert found.wear_unseen == approx(0.0, abs=1e-9)


def test_shares_of_states_may_change_with_time():
    """In the second hour nobody calls: only the first wears."""
    quiet = symmetric(capacity_price=[1000.0, 1000.0], activation_up=[0.25, 0.0])
    quiet |= {"activation_down": [0.25, 0.0]}
    tree = v2g.with_on_off_calls(case(on_board(wear=0.08), market([100.0, 100.0]), quiet))
    assert tree["reserve"].call_share.dims == ("call_state", "time")
    result = v2g.solve(tree)
    assert result.attrs["profit"] == approx(20.0 - 0.25)
    assert result["fleet"].discharge.values.ravel() == approx([2.5, 0.0])


def test_commuters_settled_as_energy():
    """Check value A8: 100 commuters, 14 days, two independent products that are called in full or
    not at all. Netted, the same plan shows 2 600.5.
    """
    fleet = v2g.commuters(vehicles=100, days=14, regulation=Regulation(settlement="energy"))
    result = v2g.solve(v2g.with_on_off_calls(fleet))
    assert result.attrs["profit"] == approx(662.2, abs=0.05)
    assert result["audit"].attrs["passed"]


def vans(days: int, **calls: object) -> xr.DataTree:
    """A van that is plugged in from 16:00 to 7:30 and at weekends, and sells FCR-N."""
    time = pd.date_range("2026-03-02", periods=24 * days, freq="h")
    hour, at_work = time.hour.to_numpy(), (time.day_of_week < 5)
    plugged = np.where(at_work, (hour >= 16) | (hour < 7), True) + 0.5 * (at_work & (hour == 7))
    van = vehicle(
        charge_max=list(10.0 * plugged),
        discharge_max=list(10.0 * plugged),
        energy_max=24.0,
        energy_initial=12.0,
        energy_min=list(np.where(at_work & (hour == 7), 0.7 * 24.0, 0.0)),
        energy_out=list(np.where(at_work & (hour == 8), 7.0, 0.0)),
        eta_charge=0.9,
        eta_discharge=0.9,
        wear=0.03,
    )
    price = list(35.0 + 5.0 * np.sin(2 * np.pi * np.arange(len(time)) / 24))
    sold = product(up=1.0, down=1.0, capacity_price=[25.0] * len(time), guarantee="endurance")
    sold |= {"hours_up": 0.25, "hours_down": 0.25, "volume_max": 1000.0}
    return case(van, market(price), sold | calls, start="2026-03-02")


def test_calls_in_a_fifth_of_each_step_cost_a_van_416_euro_a_year():
    """FCR-N called 20 % up and 20 % down earns at least 416 EUR a year less than never called, and
    burns nothing on the path without calls, which is never further away than the energy that the
    calls of a step have lost: 0.2 (1 / 0.9 - 0.9) x 10 kW.
    """
    never = v2g.solve(vans(14)).attrs["profit"]
    told = v2g.with_on_off_calls(vans(14, activation_up=0.2, activation_down=0.2))
    result = v2g.solve(told, gap=0.005)
    assert (never - result.attrs["profit"]) * 365 / 14 >= 416
    fleet = result["fleet"]
    both = np.minimum(fleet.charge_baseline, fleet.discharge_baseline)
    assert float(both.max()) <= 1e-6
    backlog = fleet.energy_baseline - fleet.energy
    assert float(backlog.min()) >= -1e-6
    assert float(backlog.max()) == approx(0.2 * (1 / 0.9 - 0.9) * 10.0, abs=1e-6)


def test_energy_is_not_burnt_where_that_pays():
    """At -400 EUR/MWh the relaxation feeds in more than its states, to draw more: binaries say
    which way the power goes in each state, and the plan passes its audit.
    """
    prices = [-300.0, 20.0, -400.0, 50.0]
    paid = symmetric(capacity_price=[25.0] * 4, activation_up=0.2, activation_down=0.2)
    tree = case(on_board(energy_max=20.0), market(prices), paid)
    tree = v2g.with_on_off_calls(tree)
    with pytest.raises(v2g.SolverError, match=r"reserve\.fed_in_fleet"):
        v2g.solve(tree, complementarity="off")
    lazy, all_of_them = (v2g.solve(tree, complementarity=m, gap=0) for m in ("lazy", "milp"))
    assert lazy.attrs["profit"] == approx(all_of_them.attrs["profit"], abs=1e-9)
    assert "binaries" in lazy.attrs["complementarity"]


def test_many_states_get_a_column_each_and_the_same_plan():
    """Two independent products of five states have 250 upper sets: as rows, and as columns."""
    levels = np.linspace(-1, 1, 5)
    both = np.array([(a, b) for a in levels for b in levels]).T
    share = np.outer([0.1, 0.2, 0.4, 0.2, 0.1], [0.2, 0.1, 0.2, 0.1, 0.4]).ravel()
    two = {
        name: product(up=1.0, down=1.0, capacity_price=[price, 30.0])
        for name, price in (("a", 40.0), ("b", 60.0))
    }
    tree = case(on_board(wear=0.05), market([100.0, 20.0]), two)
    group = tree["reserve"].to_dataset().assign_coords(call_state=np.arange(25).astype(str))
    group = group.assign(call=(("product", "call_state"), both), call_share=("call_state", share))
    tree = tree.assign(reserve=xr.DataTree(group))
    by_columns = v2g.solve(tree)
    assert "fed_in_fleet" not in by_columns["reserve"]  # a help of the model, not a result
    assert len(upper_sets(both, 300)) == 250
    with patch.object(priced_calls, "MOST_ROWS", 300):
        by_rows = v2g.solve(tree)
    assert by_rows.attrs["profit"] == approx(by_columns.attrs["profit"], abs=1e-9)


def test_what_is_decided_in_windows_is_the_plan_of_the_whole():
    """With prices known, decisions every two hours find what one plan finds, also where the shares
    of the states change.
    """
    calls = {"activation_up": [0.2, 0.1, 0.3, 0.0], "activation_down": [0.2, 0.3, 0.1, 0.2]}
    paid = symmetric(capacity_price=[60.0, 40.0, 80.0, 30.0]) | calls
    tree = case(on_board(wear=0.05), market([100.0, 20.0, 60.0, 90.0]), paid)
    tree = v2g.with_on_off_calls(tree)
    whole = v2g.solve(tree)
    decided = v2g.simulate(tree, every=2.0, forecast="perfect")
    assert decided.attrs["profit"] == approx(whole.attrs["profit"], abs=1e-6)


def test_forecasts_of_calls_are_those_of_their_states():
    """States that are forecast as they come are known; any others earn no more, and what is done is
    audited on the truth. A forecast of another mean than theirs is refused.
    """
    calls = {"activation_up": [0.2, 0.1, 0.3, 0.2], "activation_down": [0.2, 0.3, 0.1, 0.2]}
    paid = symmetric(capacity_price=[60.0, 40.0, 80.0, 30.0]) | calls
    price = [100.0, 20.0, 60.0, 90.0]
    settled = {"price_long": price, "limit": 1000.0}
    tree = case(on_board(wear=0.05), market(price), paid, imbalance=settled)
    tree = v2g.with_on_off_calls(tree)
    perfect = v2g.simulate(tree, every=1.0, forecast="perfect", hindsight=False)

    def on_forecast(name: str, values: xr.DataArray) -> xr.DataTree:
        before = pd.DatetimeIndex(["2026-01-04"], name="vintage")
        known = xr.Dataset({f"reserve.{name}": values.expand_dims(vintage=before)})
        told = tree.assign(vintage=xr.DataTree(known))
        return v2g.simulate(told, every=1.0, forecast="vintage", hindsight=False)

    share, best = tree["reserve"].call_share, perfect.attrs["profit"]
    assert on_forecast("call_share", share).attrs["profit"] == approx(best, abs=1e-9)
    silent = share.where(share.call_state == "none", 0.0)
    silent = silent + (1.0 - silent.sum("call_state")) * (share.call_state == "none")
    missed = on_forecast("call_share", silent)
    assert missed["audit"].attrs["passed"] and missed.attrs["profit"] <= best + 1e-9
    always = xr.zeros_like(tree["reserve"].capacity_price) + 1.0
    with pytest.raises(v2g.SchemaError, match="other than the mean of the states"):
        on_forecast("activation_up", always)


def test_what_is_forecast_of_states_is_prepared_for():
    """An empty vehicle, power at 10 and then 5 EUR/MWh, and calls upward that pay 1000. As it is
    forecast that the second hour is called in full, 10 kWh are charged in the first. Nobody calls:
    known, nothing is charged.
    """
    up = product(up=1.0, activation_price_up=1000.0, activation_up=[0.0, 0.5])
    settled = {"price_long": [10.0, 5.0], "limit": 1000.0}
    van = vehicle(energy_initial=0.0, discharge_max=10.0)
    tree = v2g.with_on_off_calls(case(van, market([10.0, 5.0]), up, imbalance=settled))
    states = tree["reserve"].to_dataset()
    is_none = xr.DataArray([1.0, 0.0], {"call_state": states.call_state})
    called = states.call_share.time == states.time[1]
    never = xr.ones_like(states.call_share) * is_none
    tree = tree.assign(reserve=xr.DataTree(states.assign(call_share=never)))

    before = pd.DatetimeIndex(["2026-01-04"], name="vintage")
    expected = never.where(~called, 1.0 - is_none).expand_dims(vintage=before)
    told = tree.assign(vintage=xr.DataTree(xr.Dataset({"reserve.call_share": expected})))
    for known, forecast, charged in ((told, "vintage", 10.0), (tree, "perfect", 0.0)):
        decided = v2g.simulate(known, every=1.0, forecast=forecast, hindsight=False)
        assert decided["fleet"].charge.values.ravel()[0] == approx(charged), forecast


def change(**fields: object):
    """Return the hour of `sold`, its calls told by states, with other fields of `/reserve`."""
    tree = v2g.with_on_off_calls(sold())
    return tree.assign(reserve=xr.DataTree(tree["reserve"].to_dataset().assign(**fields)))


DRIFTING = {"guarantee": ("product", ["box"]), "call_share": ("call_state", [0.5, 0.2, 0.3])}


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        (change(call_share=("call_state", [0.5, 0.25, 0.2])), "sum to 0.95"),
        (change(call=(("product", "call_state"), [[0.0, -1.0, 1.5]])), "more than is held upward"),
        (change(call=(("product", "call_state"), [[0.0, -2.0, 1.0]])), "more than is held down"),
        (change(activation_up=("product", [0.4])), "other than the mean of the states"),
        (change(**DRIFTING), "the calls move energy in the mean of a step"),
    ],
)
def test_states_that_no_calls_can_have_are_listed(tree, words):
    with pytest.raises(v2g.SchemaError, match=words):
        v2g.solve(tree)


def test_the_command_tells_calls_by_states_or_by_their_mean(tmp_path: Path):
    """`--calls on-off` and `netted` solve the hour of `sold` with and without its wear."""
    v2g.write(sold(), tmp_path / "mean.nc")
    v2g.write(v2g.with_on_off_calls(sold()), tmp_path / "states.nc")
    for name, calls, profit in (
        ("mean", "on-off", 9.75),
        ("states", "given", 9.75),
        ("states", "netted", 10.0),
    ):
        words = ["solve", str(tmp_path / f"{name}.nc"), "-o", str(tmp_path / "out"), "--force"]
        done = CliRunner().invoke(app, [*words, "--no-report", "--calls", calls])
        assert done.exit_code == 0, done.output
        assert v2g.read(tmp_path / "out" / "result.nc").attrs["profit"] == approx(profit)
    done = CliRunner().invoke(app, [*words, "--calls", "sometimes"])
    assert done.exit_code == 2 and "given, on-off, netted" in done.output


def test_vehicles_are_not_planned_apart_where_calls_are_told_by_states():
    """The plans of single vehicles know the mean of the calls alone."""
    for method in ("oracle", "decompose"):
        with pytest.raises(v2g.SchemaError, match="calls of reserves are told by states"):
            v2g.solve(change(), method=method)


def test_sites_plan_with_the_calls_of_the_portfolio():
    """Two sites with a vehicle each sell together what one plan of both sells."""
    two = {"a": on_board(wear=0.08, pod="a"), "b": on_board(wear=0.02, pod="b")}
    tree = v2g.with_on_off_calls(case(two, market([100.0]), symmetric(volume_max=15.0)))
    whole, apart = v2g.solve(tree), v2g.solve(tree, method="sites")
    assert apart.attrs["profit"] == approx(whole.attrs["profit"], abs=1e-6)
    assert apart["audit"].attrs["passed"]


def test_states_need_their_shares_and_a_reserve():
    tree = change()
    bare = tree["reserve"].to_dataset().drop_vars("call_share")
    with pytest.raises(v2g.SchemaError, match=r"reserve\.call_share +missing"):
        v2g.solve(tree.assign(reserve=xr.DataTree(bare)))
    with pytest.raises(v2g.SchemaError, match="nothing to call"):
        v2g.with_on_off_calls(tree.drop_nodes("reserve"))
    with pytest.raises(v2g.SchemaError, match="at most 64"):
        five = {str(n): symmetric() for n in range(5)}
        v2g.with_on_off_calls(case(on_board(), market([100.0]), five))
    calm = case(on_board(), market([100.0]), symmetric(activation_up=0.0, activation_down=0.0))
    assert v2g.with_on_off_calls(calm) is calm


@pytest.mark.parametrize("rows", [20, 0])
def test_a_meter_counts_what_calls_draw_and_feed_in(rows: int):
    """Drawing costs 0.1 EUR/kWh, feeding in earns nothing. At home 10 kW are drawn in half of the
    hour, 5 kWh for 0.5 EUR, and fed in in a quarter. At the shop, beside 10 kW of load, calls turn
    nothing: 12.5 kWh are drawn, 1.25 EUR. Accepted half the time, half of the calls and of the
    capacity is left. Netted, home draws 2.5 kWh.
    """
    cars = {pod: vehicle(discharge_max=10.0, energy_initial=20.0, pod=pod) for pod in PODS}
    shop = {"baseline": [10.0], "curtail_max": 0.0, "pod": "shop"}
    tree = case(cars, market([0.0]), symmetric(activation_down=0.5), PODS, load=shop)
    tree = v2g.with_on_off_calls(tree)
    with patch.object(metered_calls, "MOST_ROWS", rows):
        sure, half = (v2g.solve(x) for x in (tree, v2g.with_acceptance(tree, 0.5)))
    assert sure.attrs["profit"] == approx(20.0 - 0.5 - 1.25)
    assert sure["connection"].export.sel(pod=list(PODS)).values.ravel() == approx([2.5, 0.0])
    assert sure["connection"].import_.sel(pod=list(PODS)).values.ravel() == approx([5.0, 12.5])
    assert half.attrs["profit"] == approx(10.0 - 0.25 - 1.125)
    assert v2g.solve(v2g.with_netted_calls(tree)).attrs["profit"] == approx(20.0 - 0.25 - 1.25)

    group = sure["connection"].to_dataset()
    netted = sure.copy()
    netted["connection"] = xr.DataTree(group.assign(import_=group.import_ - 2.5 * AT_HOME))
    netted["connection"]["export"] = group.export - 2.5 * AT_HOME
    assert float(v2g.replay(netted)["connection.export_under_calls"].max()) == approx(2.5)


PODS = {"home": {"fee_import": 100.0}, "shop": {"fee_import": 100.0}}
AT_HOME = xr.DataArray([1.0, 0.0], {"pod": ["home", "shop"]}, dims="pod")


def test_connections_hold_what_is_sold_where_nothing_is_called():
    """A battery at rest unless it is called sells 10 kW where its pod feeds in 10 kW at most. Calls
    lose energy that is bought back: about what is traded then, more than 10 kW would fit.
    """
    box = storage(
        charge_max=20.0, discharge_max=20.0, energy_max=60.0, energy_initial=30.0, eta_charge=0.8
    )
    offer = symmetric(capacity_price=[1000.0] * 2, guarantee="physical")
    limits = {"export_max": 10.0, "import_max": 100.0}
    tree = case(None, market([20.0] * 2), offer, limits, battery=box)
    at_rest = {f"battery.{way}_baseline": xr.DataArray(0.0) for way in ("charge", "discharge")}
    result = v2g.solve(v2g.with_on_off_calls(tree), fix=at_rest)
    assert result["reserve"].volume.values.ravel() == approx([10.0] * 2)
    buys_back = result["battery"].charge - result["battery"].discharge > 0.1
    assert buys_back.any()
    narrow = result.copy()
    limit = result["connection"].export_max - 1.0 * buys_back.isel(battery=0, drop=True)
    narrow["connection"] = narrow["connection"].assign(export_max=limit)
    assert float(v2g.replay(narrow)["connection.activated_up"].max()) == approx(1.0)
