"""Bands of sites: each value is one that the site can reach, and no other is beyond it."""

import numpy as np
import pytest
import xarray as xr
from cases import case, market, product, storage, vehicle
from pytest import approx
from scipy.optimize import linprog

import v2g_linopy as v2g


def bands(tree, **asked):
    """The bands of a case."""
    return v2g.flexibility(tree, **asked)["flexibility_bands"].to_dataset()


def edges(band, pod, edge):
    """The values of a site along time."""
    return [round(float(x), 6) + 0.0 for x in band.sel(pod=pod, edge=edge)]


def test_a_battery_that_is_half_full():
    """10 kW each way, 10 kWh, half full, efficiency 0.5 each way. In the first hour it takes 10 kW
    (5 kWh into the battery), and gives 2.5 kW (all 5 kWh). Later it takes 10 kW, if it waits, and
    gives 5 kW, if it filled up before. In sum it takes 10 kWh by the first hour, no more by the
    last, and gives 2.5.

    Proves efficiency, and that each value has a plan of its own: 10 kW in each hour is no plan.
    """
    lossy = storage(energy_initial=5.0, eta_charge=0.5, eta_discharge=0.5, pod="hall")
    found = bands(case(None, market([10.0, 10.0]), battery=lossy))
    assert edges(found.power, "hall", "max") == [10, 10]
    assert edges(found.power, "hall", "min") == [-2.5, -5]
    assert edges(found.energy, "hall", "min") == [-2.5, -2.5]
    assert found.attrs["meaning"] == "each value alone can be reached; all together need not be"


def test_burning_energy_is_no_flexibility():
    """A full battery with losses cannot draw anything in the first hour, nor in sum: if it could
    charge and discharge at once it would draw 10 kW and give 2.5, 7.5 kW that are burnt.

    Proves that each value is one of a plan that goes one way at a time.
    """
    full = storage(energy_initial=10.0, eta_charge=0.5, eta_discharge=0.5, pod="hall")
    found = bands(case(None, market([10.0]), battery=full))
    assert edges(found.power, "hall", "max") == [0]
    assert edges(found.power, "hall", "min") == [-5]


def test_sites_add_up():
    """A roof that may curtail its 4 kW, and a car that needs 10 kWh within two hours at 10 kW: the
    portfolio is drawn by the sum of both, as they share nothing.
    """
    car = vehicle(energy_min=[0.0, 10.0], energy_max=10.0, unserved_cost=float("nan"), pod="garage")
    roof = {"available": [4.0, 4.0], "pod": "roof"}
    found = bands(case(car, market([10.0, 10.0], limit=1.0), renewable=roof))
    assert edges(found.power, "garage", "max") == [10, 10]
    assert edges(found.energy, "garage", "min") == [0, 10]
    assert edges(found.power, "roof", "min") == [-4, -4]
    assert edges(found.power, "portfolio", "max") == [10, 10]
    assert edges(found.energy, "portfolio", "min") == [-4, 2]


def test_every_edge_is_reached_by_a_plan():
    """Each value of a car, a battery and a house behind 12 kW is that of a plan of `v2g.solve` that
    is paid for what the site draws, or feeds in, in that step alone.
    """
    behind = {"import_max": 12.0, "export_max": 12.0}
    need = {"energy_min": [0.0, 4.0, 14.0], "unserved_cost": float("nan")}
    car = vehicle(discharge_max=5.0, energy_initial=3.0, eta_charge=0.8, **need)
    box = storage(energy_initial=6.0, eta_discharge=0.9, cyclic=1.0)

    def tree(price):
        house = {"baseline": [1.0, 3.0, 2.0]}
        return case(car, market(price), None, behind, battery=box, load=house)

    found = bands(tree([0.0] * 3))
    for step in range(3):
        for edge, sign in (("max", -1000.0), ("min", 1000.0)):
            price = [sign if k == step else 0.0 for k in range(3)]
            sold = v2g.solve(tree(price))["energy"]["position"].isel(market=0, time=step)
            expected = found.power.sel(pod="site", edge=edge).isel(time=step)
            assert float(expected) == approx(-float(sold), abs=1e-6)


def test_bands_are_kept_by_a_file(tmp_path):
    """Written and read as any tree."""
    tree = v2g.flexibility(case(None, market([10.0]), battery=storage(pod="hall")))
    v2g.write(tree, tmp_path / "bands.nc")
    loaded = v2g.read(tmp_path / "bands.nc")
    xr.testing.assert_equal(
        loaded["flexibility_bands"].to_dataset(), tree["flexibility_bands"].to_dataset()
    )


def test_what_cannot_be_divided_has_no_bands():
    """Plans are no sites."""
    with pytest.raises(v2g.SchemaError, match="holds plans already"):
        v2g.flexibility(case(None, market([10.0]), flexibility={"traded": [1.0]}))


def at(hour):
    """An hour of the day on which the cases begin."""
    return f"2026-01-05T{hour:02}:00"


def test_windows_of_a_battery_that_is_half_full():
    """5 of 10 kWh: in the first hour 5 kWh either way; in the two hours after it 10, as the first
    hour fills or empties it. From the start to the end of the second hour it would be 5 again.

    Proves that a window is found by itself, and that its edges are those of steps.
    """
    half = storage(energy_initial=5.0, pod="hall")
    asked = {"first": (at(0), at(1)), "late": (at(1), at(3))}
    found = bands(case(None, market([10.0] * 3), battery=half), windows=asked)
    assert edges(found.window_energy, "hall", "max") == [5, 10]
    assert edges(found.window_energy, "hall", "min") == [-5, -10]
    assert edges(found.energy, "hall", "max") == [5, 5, 5]
    assert found.window_end.astype(str).values.tolist()[0].startswith(at(1))


def test_what_is_held_for_hours():
    """The same battery, 10 kW: for one hour it can hold 5 kW now, and 10 kW once it is full (empty
    for downward); for two hours half of that. Two hours from the last hour on are not in the case.

    Proves energy for all hours behind what is held; by power alone it would be 10 kW everywhere.
    """
    half = storage(energy_initial=5.0, pod="hall")
    found = bands(case(None, market([10.0] * 3), battery=half), hours=[1, 2])
    for way in ("up", "down"):
        held = found["product"].sel(pod="hall", direction=way)
        assert held.sel(hours=1.0).values == approx([5, 10, 10])
        assert held.sel(hours=2.0).values == approx([2.5, 5, np.nan], nan_ok=True)


def test_what_is_held_is_held_all_the_time():
    """50 kWh, 10 kW in the first hour and 4 in the second: 10 and 4 for an hour, 4 for both."""
    box = storage(charge_max=0.0, discharge_max=[10.0, 4.0], energy_max=60.0, energy_initial=50.0)
    found = bands(case(None, market([10.0] * 2), battery=box), hours=[1, 2])["product"]
    held = found.sel(pod="site", direction="up")
    assert held.sel(hours=1.0).values == approx([10, 4])
    assert float(held.sel(hours=2.0)[0]) == approx(4)


def test_what_is_held_could_be_sold():
    """A car with losses and a house behind a connection, over two hours: what the band says for two
    hours is what the real case sells of a product of two hours in one block, if nothing else pays.

    Proves the product against the case in which it is traded, and is below the power of the car.
    """
    car = vehicle(discharge_max=8.0, energy_initial=9.0, energy_max=12.0, eta_charge=0.8)
    car |= {"eta_discharge": 0.9}
    behind = {"import_max": 9.0, "export_max": 6.0}

    def tree(reserve=None):
        return case(car, market([0.0] * 2), reserve, behind, load={"baseline": [1.0, 4.0]})

    found = bands(tree(), hours=[2])["product"].sel(pod="site", hours=2.0).isel(time=0)
    for way in ("up", "down"):
        kind = {way: 1.0, f"hours_{way}": 2.0, "guarantee": "endurance"}
        sold = v2g.solve(tree(product(**kind, block=2.0, capacity_price=1000.0)))
        volume = sold["reserve"]["volume"].values[0]
        assert float(found.sel(direction=way)) == approx(float(volume[0]), abs=1e-6)
        assert volume[0] == volume[1] and 0.5 < volume[0] < 7.5


def test_what_shifting_costs():
    """A battery of 10 kWh buys at 10 and sells at 20 EUR/MWh, 0.1 EUR; nothing at 15 after that.

    With the last price at 37.5 it sells then instead, 10 kW less drawn: at market prices that
    earns 0.05, so it costs 0.05. With the first at 25 it buys nothing, 10 kW less, and loses the
    0.1. With the second at 10 it sells in the last hour. No answer costs nothing.
    """
    found = bands(
        case(None, market([10.0, 20.0, 15.0]), battery=storage(pod="hall")), prices=[1.5, -0.5]
    ).sel(pod="hall")
    assert found["shift"].sel(price=1.5).values == approx([-10, 0, -10])
    assert found["shift_cost"].sel(price=1.5).values == approx([0.1, 0, 0.05])
    assert found["shift"].sel(price=-0.5).values == approx([0, 10, 0])
    assert found["shift_cost"].sel(price=-0.5).values == approx([0, 0.05, 0])


def test_a_value_that_was_not_proved_says_so():
    """The full battery that burns energy, over four hours: it gives 5 kWh, then draws 10 and 10,
    and in the last hour it is full again: 15 kWh. Without a search a bound beyond that stands, and
    its words, at the site and in the sum; what needs no search is verified all the same.
    """
    full = storage(energy_initial=10.0, eta_charge=0.5, eta_discharge=0.5, pod="hall")
    roof = {"available": 4.0, "pod": "roof"}
    tree = case(None, market([10.0] * 4), battery=full, renewable=roof)
    found = bands(tree, nodes=0).isel(time=3)
    assert float(found.energy.sel(pod="hall", edge="max")) > 15.1
    verified = found.energy_verified.sel(edge="max").to_series()
    assert verified.to_dict() == {"hall": 0, "roof": 1, "portfolio": 0}
    assert int(found.energy_verified.sel(edge="min").min()) == 1
    assert "max: upper bound, not verified" in found.attrs["not_verified"]
    proved = bands(tree).isel(time=3)
    assert float(proved.energy.sel(pod="hall", edge="max")) == approx(15)
    assert int(proved.energy_verified.min()) == 1


def test_a_battery_that_idles_needs_no_search():
    """What is free to charge and discharge at once in an hour that has no price does not count
    against the value of another: a plan as good is found that leaves it alone.
    """
    lossy = storage(energy_initial=5.0, eta_charge=0.5, eta_discharge=0.5, pod="hall")
    found = bands(case(None, market([10.0] * 4), battery=lossy), nodes=0)
    assert int(found.power_verified.sel(pod="hall", edge="min").min()) == 1
    assert edges(found.power, "hall", "min") == [-2.5, -5, -5, -5]


def delivered(batteries, drawn):
    """True where some plan of batteries (charge, discharge, capacity, initial, efficiencies) draws
    a trajectory: a linear programme written here, in which nobody gains by doing both at once.
    """
    steps, count = len(drawn), len(batteries)
    width = 2 * steps * count
    sums, rows, right = np.zeros((steps, width)), [], []
    bounds = []
    for b, (charge, discharge, capacity, initial, into, out) in enumerate(batteries):
        for t in range(steps):
            column = 2 * (b * steps + t)
            sums[t, column], sums[t, column + 1] = 1.0, -1.0
            bounds += [(0, charge), (0, discharge)]
            row = np.zeros(width)
            for s in range(t + 1):
                row[2 * (b * steps + s)], row[2 * (b * steps + s) + 1] = into, -1 / out
            rows += [row, -row]
            right += [capacity - initial, initial]
    found = linprog(np.zeros(width), rows, np.array(right) + 1e-9, sums, drawn, bounds)
    return found.status == 0


BATTERIES = {"hall": (10, 10, 10, 5), "yard": (4, 8, 12, 3)}


def two_batteries(eta):
    """The case of two batteries at two pods, and what `delivered` takes of them."""
    names = ("charge_max", "discharge_max", "energy_max", "energy_initial")
    members = {
        pod: dict(zip(names, x, strict=True))
        | {"eta_charge": eta, "eta_discharge": eta, "pod": pod}
        for pod, x in BATTERIES.items()
    }
    known = [(*map(float, x), eta, eta) for x in BATTERIES.values()]
    return case(None, market([10.0, 10.0]), battery=members), known


def test_sums_are_exact_without_losses():
    """Two hours have three sets of steps, and the bands show all: each hour, and both. Of two
    batteries without losses every trajectory within the summed bands can be delivered, corners of
    the bands included; the corner of power alone, the most in both hours, cannot.
    """
    tree, known = two_batteries(1.0)
    found = bands(tree)
    assert found.attrs["exact_sum"] == 1 and "every trajectory" in found.attrs["sum_meaning"]
    low, high = (found.power.sel(pod="portfolio", edge=edge).values for edge in ("min", "max"))
    least, most = (
        float(found.energy.sel(pod="portfolio", edge=edge).isel(time=1)) for edge in ("min", "max")
    )
    for first in np.linspace(low[0], high[0], 9):
        lowest, highest = max(low[1], least - first), min(high[1], most - first)
        assert delivered(known, [first, lowest]) and delivered(known, [first, highest])
        assert not delivered(known, [first, highest + 0.01])
    assert high.sum() > most + 1
    assert not delivered(known, high)
    position = -high + xr.zeros_like(tree["energy"]["price"].reset_coords(drop=True))
    with pytest.raises(v2g.Infeasible):
        v2g.solve(tree, fix={"energy.position": position})


def test_sums_are_outer_bounds_with_losses():
    """The same batteries at 0.5 each way: drawing 5 kW and then feeding in the most is within every
    band, as the most was found after charging at full power, and no plan does it.
    """
    tree, known = two_batteries(0.5)
    found = bands(tree)
    assert found.attrs["exact_sum"] == 0
    assert found.attrs["sum_meaning"] == (
        "outer bounds: each band alone can be reached, all together need not be"
    )
    low = found.power.sel(pod="portfolio", edge="min").values
    assert found.energy.sel(pod="portfolio", edge="min").values[1] <= 5 + low[1]
    assert delivered(known, [14.0, low[1]]) and not delivered(known, [5.0, low[1]])


@pytest.mark.parametrize(
    ("member", "exact"),
    [
        ({"discharge_max": 0.0, "eta_charge": 0.8}, 1),
        ({"discharge_max": 5.0, "eta_charge": 0.8}, 0),
        ({"discharge_max": 5.0}, 1),
        ({"discharge_max": 5.0, "keep": 0.9}, 0),
        ({"charge_min": 2.0}, 0),
        ({"eta_charge": [0.8, 0.9]}, 0),
    ],
)
def test_whose_sums_are_exact(member, exact):
    """Charging only at one efficiency, or no losses; no least power, nothing that fades."""
    assert bands(case(vehicle(**member), market([10.0, 10.0])), nodes=0).attrs["exact_sum"] == exact


def test_the_portfolio_is_what_the_whole_case_can_do():
    """A battery and a car at two pods: the most and least of the sum in the second hour is that of
    the whole case, paid for what all draw then.
    """

    def tree(price):
        car = vehicle(discharge_max=5.0, energy_initial=3.0, eta_charge=0.8, pod="garage")
        box = storage(energy_initial=6.0, eta_discharge=0.9, pod="hall")
        return case(car, market(price), battery=box)

    found = bands(tree([0.0, 0.0])).power.sel(pod="portfolio").isel(time=1)
    for edge, price in (("max", -1000.0), ("min", 1000.0)):
        sold = v2g.solve(tree([0.0, price]))["energy"]["position"].values[0, 1]
        assert float(found.sel(edge=edge)) == approx(-float(sold), abs=1e-6)


def test_some_sites():
    """Those that are asked for, without a sum over all."""
    roofs = {name: {"available": [x], "pod": name} for name, x in (("far", 5.0), ("near", 3.0))}
    found = bands(case(None, market([10.0]), renewable=roofs), pods=["near"])
    assert found.pod.values.tolist() == ["near"]
    assert edges(found.power, "near", "min") == [-3]


def test_what_is_asked_in_vain_is_listed():
    """Every problem at once, with its place, in the words of the call."""
    hall = case(None, market([10.0] * 3), battery=storage(pod="hall"))
    windows = {
        "early": ("2026-01-04T22:00", at(1)),
        "odd": (at(1), "2026-01-05T01:30"),
        "back": (at(2), at(1)),
        "never": (at(1), "noon"),
    }
    with pytest.raises(v2g.SchemaError) as told:
        v2g.flexibility(
            hall, pods=["hal"], windows=windows, hours=[0.5, 4], prices=[float("nan")], nodes=-1
        )
    said = str(told.value)
    for words in (
        "'hal' is no site of the case; did you mean hall?",
        "2026-01-04 22:00:00 UTC is outside the case",
        "2026-01-05 01:30:00 UTC is within a step of 1 h",
        f"ends at {at(1)}, and begins at {at(2)}",
        "'noon' is no time",
        "0.5 h is no whole number of steps of 1 h",
        "4 h is longer than the case, which has 3 h",
        "nan is no share of a price",
        "-1: give 0 or more",
    ):
        assert words in said, said
    assert len(told.value.problems) == 9


def test_prices_need_a_market():
    """A site with a supplier, and no market whose price could change."""
    supplied = {"supply_price": 50.0, "feed_in_price": 10.0}
    tree = case(None, None, None, supplied, battery=storage())
    with pytest.raises(v2g.SchemaError, match="there is no market"):
        v2g.flexibility(tree, prices=[0.5])
