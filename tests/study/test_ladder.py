"""The value ladder and the unmanaged plan that it starts from."""

import numpy as np
import pytest
import xarray as xr
from cases import case, market, product, row, storage, vehicle
from pytest import approx
from stories import through_a_file

import v2g_linopy as v2g
from v2g_linopy.errors import SchemaError
from v2g_linopy.report.page import content
from v2g_linopy.report.result_view import ResultView

CAR = vehicle(
    discharge_max=10,
    energy_max=20,
    energy_min=[0, 0, 0, 10],
    wear=0.01,
    retail_price=0.01,
    vehicles=2,
)
# equal to the need at the end, so that retail on net energy is the same in every rung
CAR["energy_max"] = [20, 20, 20, 10]
LADDER = case(
    CAR, market([60, 20, 80, 40]), product(down=1, capacity_price=10, volume_max=[10, 0, 0, 0])
)
RUNGS = ["unmanaged", "smart", "V2G", "smart + reserves", "V2G + reserves"]


@pytest.fixture(scope="module")
def compared() -> xr.DataTree:
    return v2g.compare(LADDER)


@pytest.fixture(params=["compare", "compare-save-load"])
def ladder(request, compared, tmp_path) -> xr.Dataset:
    tree = (
        compared if request.param == "compare" else through_a_file(compared, tmp_path / "ladder.nc")
    )
    return tree["ladder"].to_dataset()


def test_five_rungs(ladder):
    """10 kWh are due after hours at 60, 20, 80 and 40 EUR/MWh; drivers pay 0.01 EUR/kWh on them,
    0.10 in every rung.

    Unmanaged buys at 60: -0.60. Smart at 20: -0.20. V2G buys 10 at 20, sells them at 80, buys again
    at 40: 0.20, less 0.10 wear. 10 kW of room in the first hour earn 0.10 where the plan does not
    charge then."""
    profit = dict(
        zip(ladder["rung"].values.tolist(), ladder["profit"].values.tolist(), strict=True)
    )
    assert profit == approx(
        {
            "unmanaged": -0.50,
            "smart": -0.10,
            "V2G": 0.20,
            "smart + reserves": 0.0,
            "V2G + reserves": 0.30,
        },
        abs=1e-9,
    )


def test_the_headline_says_what_feeding_back_adds_where_reserves_are_sold(compared):
    """Two cars over 4 of 8760 hours: 0.30 EUR with V2G and 0 without, both with reserves, are 328.5
    EUR per vehicle and year; V2G with reserves and without lie 0.10 apart, 109.5.
    """
    words = content.headline(ResultView.of(compared))
    assert "reserves add +110 to V2G, so with reserves V2G adds +329 to smart charging" in words


def test_every_step_has_its_causes(ladder):
    """The energy shift brings 0.40, arbitrage 0.40 at 0.10 of wear, reserves 0.10 with or without
    V2G, drivers nothing new.

    Proves the attribution: causes of a step add up to the difference between its rungs.
    """
    step = ladder["step"].to_pandas()
    assert step.loc["smart", "energy"] == approx(0.40)
    assert step.loc["V2G", "energy"] == approx(0.40)
    assert step.loc["V2G", "wear"] == approx(-0.10)
    assert step.loc["smart + reserves", "reserve"] == approx(0.10)
    assert step.loc["V2G + reserves", "reserve"] == approx(0.10)
    assert step["drivers"].abs().max() == approx(0, abs=1e-9)
    before = {
        "smart": "unmanaged",
        "V2G": "smart",
        "smart + reserves": "smart",
        "V2G + reserves": "V2G",
    }
    profit = ladder["profit"].to_pandas()
    for rung, base in before.items():
        assert step.loc[rung].sum() == approx(profit[rung] - profit[base])
    assert step.loc["unmanaged"].abs().sum() == 0


def test_ledger_of_every_rung_adds_up(ladder):
    """Entries of each rung sum to its objective; nothing is missed here, so that is its profit."""
    assert ladder["ledger"].sum("entry").values == approx(ladder["objective"].values)
    assert ladder["objective"].values == approx(ladder["profit"].values)


def test_figures_per_vehicle_and_year(ladder):
    """The member stands for 2 vehicles over 4 of 8760 hours."""
    assert ladder.attrs["vehicles"] == 2
    assert ladder.attrs["years"] == approx(4 / 8760)


def test_the_top_rung_is_the_result(compared):
    """What `compare` returns is the plan of V2G with reserves."""
    assert compared.attrs["profit"] == approx(0.30)
    assert row(compared, "fleet.charge") == [0, 10, 0, 10]
    assert row(compared, "fleet.discharge") == [0, 0, 10, 0]
    assert row(compared, "reserve.volume") == [10, 0, 0, 0]


@pytest.mark.parametrize("reserve", [None, {}], ids=["no group", "no product"])
def test_without_reserves_there_are_three_rungs(reserve):
    """Rungs with reserves would only repeat those without: the ladder ends at V2G, and its causes
    still add up.
    """
    tree = v2g.compare(case(CAR, market([60, 20, 80, 40])))
    if reserve is not None:
        given = LADDER.copy()
        given["reserve"] = given["reserve"].isel(product=slice(0, 0))
        tree = v2g.compare(given)
    ladder = tree["ladder"]
    profit = dict(
        zip(ladder["rung"].values.tolist(), ladder["profit"].values.tolist(), strict=True)
    )
    assert profit == approx({"unmanaged": -0.50, "smart": -0.10, "V2G": 0.20}, abs=1e-9)
    assert ladder["before"].values.tolist() == ["", "unmanaged", "smart"]
    assert ladder["step"].sel(rung="V2G").sum().item() == approx(0.30)
    assert tree.attrs["profit"] == approx(0.20), "the result is that of the top rung"
    assert content.causes(ResultView.of(tree)) == ["energy", "battery wear", "drivers' payments"]
    # two cars over 4 of 8760 hours are scaled by 1095: 0.40 EUR is 438, 0.30 is 328.5
    words = content.headline(ResultView.of(tree))
    assert words.startswith("Smart charging adds +438 to unmanaged charging, V2G adds +32"), words
    assert words.endswith(" to smart charging (EUR per vehicle and year, scaled up from 4 hours).")


def test_the_ladder_shows_what_not_knowing_the_future_takes():
    """10 kWh on board sell at 50 EUR/MWh now, or in an hour at 20 where 60 were forecast: operated
    they bring 0.20 EUR, and 0.30 more to who knows it. A plan is no run.
    """
    car = vehicle(charge_max=0, discharge_max=10, energy_max=10, energy_initial=10)
    settled = {"price_long": [0.0, 0.0], "price_short": [99.0, 99.0], "limit": 100.0}
    tree = case(car, market([50, 20]), imbalance=settled)
    known = {"vintage": np.array(["2026-01-01"], "datetime64[ns]")}
    price = tree["energy"].price.copy(data=[[50.0, 60.0]]).expand_dims(vintage=1)
    forecast = xr.Dataset({"energy.price": price.assign_coords(known)})
    tree = tree.assign(vintage=xr.DataTree(forecast))
    operated = v2g.simulate(tree, window=1.0, ahead=2.0)
    result = v2g.compare(tree, operated=operated)
    profit = result["ladder"].profit.to_series()
    found = {"V2G": 0.50, "operated": 0.20, "known in advance": 0.50}
    assert profit.iloc[2:].to_dict() == approx(found, abs=1e-9)
    assert result["ladder"].step.sel(rung="known in advance", cause="energy").item() == approx(0.30)
    assert "not knowing the future takes" in content.headline(ResultView.of(result))
    with pytest.raises(SchemaError, match="is no run of this case"):
        v2g.compare(tree, operated=result)


def unmanaged(tree: xr.DataTree) -> dict[str, list[float]]:
    plan = v2g.unmanaged(tree).transpose("fleet", "time")
    return dict(zip(plan["fleet"].values.tolist(), plan.values.round(6).tolist(), strict=True))


def test_unmanaged_charges_on_arrival():
    """Plugged from the second hour with 4 kWh, 20 due at the fourth, 0.8 of 10 kW arrive: 10, then
    10 kW, nothing in the last hour.

    Proves full power until the need is met, not until the battery is full.
    """
    car = vehicle(
        charge_max=[0, 10, 10, 10],
        eta_charge=0.8,
        keep=[0, 0, 1, 1],
        energy_in=[0, 4, 0, 0],
        energy_min=[0, 0, 0, 20],
    )
    assert unmanaged(case(car, market([1, 1, 1, 1]))) == {"ev": [0, 10, 10, 0]}


def test_unmanaged_stops_at_each_need():
    """Two stays: 6 and 15 kWh due, both charged from their arrival on, the second over two
    hours.
    """
    car = vehicle(keep=[0, 1, 0, 1], energy_min=[0, 6, 0, 15])
    assert unmanaged(case(car, market([1, 1, 1, 1]))) == {"ev": [6, 0, 10, 5]}


def test_unmanaged_charges_ahead_of_trips():
    """8 kWh are driven in the third hour: they are charged on arrival, in the first."""
    car = vehicle(charge_max=[10, 10, 0], energy_out=[0, 0, 8])
    assert unmanaged(case(car, market([1, 1, 1]))) == {"ev": [8, 0, 0]}


@pytest.mark.parametrize("on_board", [0, 1])
def test_first_come_first_served(on_board):
    """12 kW come in. `late` arrives an hour after `early`, which still needs 5: `early` takes 5 and
    leaves 7, whatever its place in the list.

    Proves the order of arrival, also for cars that arrive empty.
    """
    late = vehicle(
        charge_max=[0, 10, 10],
        keep=[0, 0, 1],
        energy_in=[0, on_board, 0],
        energy_min=[0, 0, 10 + on_board],
    )
    early = vehicle(keep=[0, 1, 1], energy_in=[on_board, 0, 0], energy_min=[0, 0, 15 + on_board])
    tree = case({"late": late, "early": early}, market([1, 1, 1]), connection={"import_max": 12})
    assert unmanaged(tree) == {"late": [0, 7, 3], "early": [10, 5, 0]}


def test_each_pod_has_its_own_queue():
    """Behind 6 kW two cars share, first come first served; a third, at a pod without a limit, does
    not wait.
    """
    fleet = {
        name: vehicle(pod=pod, energy_min=[0, 5])
        for name, pod in {"a": "north", "b": "north", "c": "south"}.items()
    }
    tree = case(
        fleet, market([1, 1]), connection={"north": {"import_max": 6}, "south": {"import_max": 100}}
    )
    assert unmanaged(tree) == {"a": [5, 0], "b": [1, 4], "c": [5, 0]}


def test_share_fleet_charges_until_full():
    """A fleet given by shares charges towards what fits: 20 kWh, and only 8 where half of it is
    about to leave.
    """
    fleet = vehicle(energy_max=[20, 20, 8], discharge_max=0, aggregate=1)
    assert unmanaged(case(fleet, market([1, 1, 1]))) == {"ev": [8, 0, 0]}
    fleet["energy_max"] = [20, 20, 20]
    assert unmanaged(case(fleet, market([1, 1, 1]))) == {"ev": [10, 10, 0]}


def test_who_comes_back_waits_again():
    """6 kW come in. A was there first, left and is back after B came: B is served before it.

    Proves that the order is that of the last arrival, also without a restart of the battery.
    """
    a = vehicle(charge_max=[10, 0, 0, 10], keep=1, energy_min=[0, 0, 0, 10])
    b = vehicle(charge_max=[0, 0, 10, 10], energy_min=[0, 0, 0, 11])
    tree = case({"a": a, "b": b}, market([1] * 4), connection={"import_max": [6, 6, 6, 6]})
    assert unmanaged(tree) == {"a": [6, 0, 0, 1], "b": [0, 0, 6, 5]}


def test_what_may_leave_makes_room():
    """25 kWh in a fleet; in the second hour 10 fit and up to 20 leave: it is charged to 30, 5 kW.

    Proves that energy that may leave counts as room of the hour before: else none is charged.
    """
    fleet = vehicle(
        energy_initial=25,
        energy_max=[40, 10],
        spill_max=[0, 20],
        charge_max=[10, 0],
        aggregate=1,
    )
    assert unmanaged(case(fleet, market([1, 1]))) == {"ev": [5, 0]}


def test_every_kind_of_wear_is_wear():
    """By the kWh, by depth and by time, of cars and of batteries: all under the cause wear, nothing
    under other.
    """
    aged = {"wear": 0.01, "wear_charge": 0.01, "replacement_cost": 400.0, "calendar_cost": 10.0}
    car = vehicle(energy_min=[0, 0, 10], energy_initial=5, discharge_max=10, **aged)
    result = v2g.compare(case(car, market([20, 400, 30]), battery=storage(**aged)))
    ladder = result["ladder"]
    worn = [e for e in ladder.entry.values if ".wear" in e]
    assert len(worn) == 8
    assert float(abs(ladder.step.sel(cause="other")).max()) == 0
    change = ladder.ledger.sel(entry=worn).sum("entry")
    for rung in ("smart", "V2G"):
        before = str(ladder.before.sel(rung=rung).item())
        gap = float(change.sel(rung=rung) - change.sel(rung=before))
        assert float(ladder.step.sel(rung=rung, cause="wear")) == approx(gap)
