"""A study of contracts, against runs made one by one and numbers by hand."""

import numpy as np
import pytest
import xarray as xr
from contracts_made import full_cars, menu, parked

import v2g_linopy as v2g
from v2g_linopy.study.contract_study import life_given
from v2g_linopy.study.v2g_gain import varied_menu, with_share_of_sessions

RULE = {"policy": "rule", "forecast": "published", "bids": "none", "hindsight": False}
TRIED = {"wears": [0.005, 0.01], "spreads": [1.0, 2.0], "shares": [0.5, 1.0], "terms": [2, 3]}


def offered(wear=0.01, term=3.0):
    return v2g.menu(theta=[1, 2], share=0.5, wear=wear, term=term, power=11, utility_scale=0.2)


@pytest.fixture(scope="module")
def station():
    return v2g.charging_station(vehicles=2, days=2)


@pytest.fixture(scope="module")
def study(station):
    return v2g.contract_study(station, offered(), bids="none", seed=3, **TRIED)


def run(case, contracts=None, **options):
    """Profit of a run by itself, and what its owners are owed."""
    result = v2g.simulate(case, contracts=contracts, **RULE | options)
    owners = result["ledger"].to_dataset().get("contract.owners")
    return result.attrs["profit"], 0.0 if owners is None else -float(owners.sum())


def without_feeding_in(case):
    fleet = case["fleet"].to_dataset()
    return case.assign(fleet=xr.DataTree(fleet.assign(discharge_max=0.0 * fleet.discharge_max)))


def test_the_three_runs_are_those_of_simulate(station, study):
    runs = study["runs"]
    alone = without_feeding_in(station)
    expected = [run(alone, policy="unmanaged")[0], run(alone)[0]]
    under_menu, owed = run(station, offered(), seed=3)
    assert runs["profit"].values == pytest.approx([*expected, under_menu], abs=1e-6)
    assert float(runs["owners"][-1]) == pytest.approx(owed)
    assert runs["by_source"].sum("source").values == pytest.approx(runs["profit"].values)
    positions = study["positions"]
    traded = positions["day_ahead"] + positions["imbalance"]
    assert traded.values == pytest.approx(-positions["drawn"].values, abs=1e-6)


def test_a_menu_of_another_term_or_wear_is_designed_anew(station, study):
    smart = run(without_feeding_in(station))[0]
    for name, value in (("wear", 0.005), ("term", 2.0)):
        alone, owed = run(station, offered(**{name: value}), seed=3)
        point = study[name].to_dataset().sel({name: value})
        assert float(point["gain"]) == pytest.approx(alone - smart, abs=1e-6)
        assert float(point["owners"]) == pytest.approx(owed)


def test_prices_spread_for_both(station, study):
    """At twice the distance of prices from their mean smart charging earns something else, too."""
    wide = station.copy()
    for group, name in (("energy", "price"), ("imbalance", "price_long")):
        ds = wide[group].to_dataset()
        mean = ds[name].mean("time")
        moved = (mean + 2 * (ds[name] - mean)).assign_attrs(ds[name].attrs)
        wide[group] = xr.DataTree(ds.assign({name: moved}))
    point = study["spread"].to_dataset().sel(spread=2.0)
    assert float(point["smart"]) == pytest.approx(run(without_feeding_in(wide))[0], abs=1e-6)
    assert float(point["v2g"]) == pytest.approx(run(wide, offered(), seed=3)[0], abs=1e-6)


def test_payments_move_the_map_and_no_run(study):
    """At the spread of the case the gain falls by what owners are owed, per payment."""
    gain = study["map_payment"]["gain"].sel(spread=1.0)
    owed = float(study["runs"]["owners"][-1])
    slopes = np.diff(gain.values) / np.diff(gain.payment_scale.values)
    assert slopes == pytest.approx(-owed)
    assert float(gain.sel(payment_scale=1.0)) == pytest.approx(
        float(study["spread"]["gain"].sel(spread=1.0))
    )
    crossing = study["map_term"]["gain"].sel(spread=1.0, term=3.0)
    assert float(crossing) == pytest.approx(float(study["term"]["gain"].sel(term=3.0)))


def test_half_of_the_sessions_and_the_other_half_earn_what_all_do(station):
    """Nothing binds sessions together and nothing is bid: profits of two halves add up, and each
    half keeps its needs.
    """
    half = with_share_of_sessions(station, 0.5, seed=1)
    kept = half["sessions"].session.values
    names = station["sessions"].session.values
    other = station.copy()
    fleet = station["fleet"].to_dataset()
    gone = fleet.session.isin(kept)
    emptied = {
        n: fleet[n].where(~gone, 0.0).assign_attrs(fleet[n].attrs)
        for n in ("charge_max", "discharge_max", "energy_min", "energy_in", "need_billed", "keep")
    }
    other["fleet"] = fleet.assign(emptied)
    rest = np.isin(names, kept, invert=True)
    sessions = station["sessions"].to_dataset(inherit=False)
    other["sessions"] = xr.DataTree(sessions.isel(session=np.flatnonzero(rest)))
    assert 0 < len(kept) < len(names)
    both = [run(without_feeding_in(case))[0] for case in (half, other)]
    assert sum(both) == pytest.approx(run(without_feeding_in(station))[0], abs=1e-6)
    larger = with_share_of_sessions(station, 1.0 - 1e-9, seed=1)["sessions"].session.values
    assert {*kept} < {*larger} and len(larger) == len(names), "a larger share holds the smaller one"


def test_what_an_owner_gives_of_its_battery():
    """9 kWh at the charger are 10 out of a battery of 40 that lasts 100 cycles: 1/400 of its life;
    0.06 EUR are paid. The other car stays too short.
    """
    losses = {"eta_charge": 0.9, "eta_discharge": 0.9, "charge_max": 20.0}
    cars = full_cars((0, 8), (0, 2), energy_arrival=40.0, energy_need=40.0, **losses)
    cars = cars.assign(type=("session", ["high", "high"]))
    case = parked(cars, [5.0, 5.0, 90.0, 30.0, *[5.0] * 20])
    owners = life_given(v2g.simulate(case, contracts=menu(), **RULE | {"forecast": "perfect"}), 100)
    assert owners["discharged"].values == pytest.approx([10.0])
    assert owners["life_used"].values == pytest.approx([1 / 400])
    assert owners["paid"].values == pytest.approx([0.06])


def test_a_menu_that_does_not_say_what_an_energy_is_worth_keeps_its_energies():
    """At twice the wear each payment is twice as large, and every type takes what it took."""
    tree = xr.DataTree.from_dict({"/": xr.Dataset(), "/contract": menu()})
    dearer = varied_menu(tree, wear=0.02, term=2.0)["contract"]
    assert dearer.energy.values == pytest.approx(menu().energy.values)
    assert dearer.payment.values == pytest.approx(2 * menu().payment.values)
    assert float(dearer.term) == 2.0
    assert varied_menu(tree, wear=0.01, term=3.0) is tree


def test_what_cannot_be_studied_is_listed(station):
    with pytest.raises(v2g.SchemaError) as caught:
        v2g.contract_study(
            station, offered(), spreads=[1], shares=[0.5, 1.5], wears=[0.0, 1.0], cycles=0
        )
    assert [p.where for p in caught.value.problems] == ["wear", "spread", "share", "cycles"]
    both = v2g.menu(theta=[1.0], share=1.0, wear=0.01, term=[1, 3], power=11, utility_scale=0.2)
    with pytest.raises(v2g.SchemaError, match="several terms"):
        varied_menu(both, term=2.0)
    with pytest.raises(v2g.SchemaError) as caught:
        v2g.break_even_map(
            station, offered(), ("spread", "wages"), values={"spread": [1, 1]}, policy="hope"
        )
    assert [p.where for p in caught.value.problems] == ["over", "spread", "policy"]
