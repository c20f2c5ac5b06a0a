"""Offers of reserves that may not be accepted, and bids that are made together with others."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from cases import case, market, product, vehicle
from pytest import approx
from typer.testing import CliRunner

import v2g_linopy as v2g
from v2g_linopy.cli.app import app
from v2g_linopy.report.schedule_and_bids import bids

LOSSY = {"eta_charge": 0.8, "eta_discharge": 0.8, "discharge_max": 10.0, "energy_initial": 20.0}


def van(**fields: object) -> dict[str, object]:
    """A lossy vehicle, half full, with 10 kW each way."""
    return vehicle(**LOSSY | fields)


def symmetric(**fields: object) -> dict[str, object]:
    """A product that pays 1 EUR per kW and hour."""
    return product(up=1.0, down=1.0, capacity_price=1000.0) | fields


def test_an_offer_that_is_accepted_half_the_time_is_paid_and_worn_half_the_time():
    """10 kW are held for 10 EUR, and worn for 0.25 EUR where they are called a quarter of the hour
    each way (2.5 kWh fed in, 3.125 from the battery at 0.08 EUR): half of both is expected.
    """
    called = symmetric(activation_up=0.25, activation_down=0.25)
    sold = v2g.with_on_off_calls(case(van(wear=0.08), market([100.0]), called))
    result = v2g.solve(v2g.with_acceptance(sold, 0.5))
    assert result["reserve"].volume.item() == approx(10.0)
    assert result["ledger"]["reserve.capacity"].sum().item() == approx(10.0)
    assert result["ledger"]["reserve.acceptance"].sum().item() == approx(-5.0)
    assert result["ledger"]["fleet.wear"].sum().item() == approx(-0.125)
    assert result["audit"].attrs["passed"]


def test_the_ladder_shows_what_acceptance_takes():
    """10 kW at 1 EUR, half of which is expected."""
    hour = case(van(), market([50.0]), symmetric(accept_probability=0.5))
    ladder = v2g.compare(hour)["ladder"].profit.to_series()
    assert ladder.iloc[-2:].to_dict() == approx({"V2G + reserves": 5.0, "all accepted": 10.0})


def test_products_are_accepted_independently():
    """Each is called all the time if it is accepted, which is half the time: the vehicle then feeds
    10 kW in a quarter of the time, and nothing moves where both are called, or none.
    """
    paid = {"capacity_price": [1000.0], "volume_max": 10.0}
    both = {
        "up": product(up=1.0, activation_up=1.0, **paid),
        "down": product(down=1.0, activation_down=1.0, **paid),
    }
    told = v2g.with_on_off_calls(case(van(wear=0.08), market([0.0]), both))
    result = v2g.solve(v2g.with_acceptance(told, 0.5))
    assert result["reserve"].volume.values.ravel() == approx([10.0, 10.0])
    assert result["fleet"].discharge.item() == approx(2.5)
    assert result["audit"].attrs["passed"]
    surely_up = v2g.solve(v2g.with_acceptance(told, {"down": 0.5}))
    assert surely_up["fleet"].discharge.item() == approx(5.0)


def test_energy_is_held_for_the_whole_offer():
    """A quarter of an hour behind each kW: 2 kWh on board back 0.8 x 2 / 0.25 kW, whether or not
    the offer is accepted.
    """
    held = symmetric(down=0.0, hours_up=0.25, guarantee="endurance", activation_up=0.0)
    tree = case(van(energy_initial=2.0, charge_max=0.0), market([100.0]), held)
    likely = [v2g.solve(v2g.with_acceptance(tree, p)) for p in (1.0, 0.25)]
    for result, p in zip(likely, (1.0, 0.25), strict=True):
        assert result["reserve"].volume.item() == approx(0.8 * 2.0 / 0.25)
        assert result.attrs["profit"] == approx(p * 0.8 * 2.0 / 0.25)


def test_what_is_committed_has_been_accepted():
    """The gate has closed on 4 kW: they are paid whole, and called."""
    shut = symmetric(closed=1.0, committed=4.0, accept_probability=0.5, activation_up=0.5)
    result = v2g.solve(case(van(), market([100.0]), shut))
    assert result["ledger"]["reserve.capacity"].sum().item() == approx(4.0)
    assert result["ledger"]["reserve.acceptance"].sum().item() == 0.0
    assert result["ledger"]["reserve.activation"].sum().item() == approx(0.5 * 4 * 0.1)


@pytest.mark.parametrize(
    ("least", "lot", "pool", "sold"),
    [(12, 0, 0, 0), (12, 0, 3, 10), (12, 0, 1, 0), (0, 4, 0, 8), (0, 4, 1, 8), (0, 4, 2, 10)],
)
def test_others_make_the_bid_up(least, lot, pool, sold):
    """10 kW can be held. A least bid of 12 needs 2 kW of others; bid steps of 4 kW allow 8, and 10
    where others add 2 to make 12.
    """
    bid = symmetric(minimum_bid=float(least), step=float(lot), pool=float(pool))
    result = v2g.solve(case(van(), market([100.0]), bid))
    assert result["reserve"].volume.item() == approx(sold)
    assert result["audit"].attrs["passed"]
    if pool and sold:
        table = bids(result)
        assert table[table.market == "regulation"].pool_kW.tolist() == [pool]


def auctioned(accepted: list[float], **fields: object) -> xr.DataTree:
    """Two hours whose prices are known, each an auction that closes an hour before."""
    sold = symmetric(activation_up=0.5, activation_price_up=0.0, **fields)
    settled = {"price_long": [100.0, 100.0], "price_short": [100.0, 100.0], "limit": 100.0}
    tree = case(van(), market([100.0, 100.0]), sold, imbalance=settled)
    if accepted:
        flags = xr.DataArray([accepted], dims=("product", "time"))
        tree["reserve"] = tree["reserve"].assign(accepted=flags)
    price = tree["energy"].price.broadcast_like(tree["time"]).expand_dims(vintage=1)
    known = {"vintage": np.array(["2026-01-01"], "datetime64[ns]")}
    forecast = xr.Dataset({"energy.price": price.assign_coords(known)})
    return tree.assign(vintage=xr.DataTree(forecast))


def test_a_simulation_settles_what_was_accepted():
    """10 kW are offered in each hour and accepted in the first: it pays 10 EUR, and no imbalance.
    The bids show what was offered, and hindsight offers what will be accepted.
    """
    tree = auctioned([1.0, 0.0], accept_probability=0.5)
    result = v2g.simulate(tree, window=2.0, ahead=0.0)
    assert result["reserve"].volume.values.ravel() == approx([10.0, 0.0])
    assert result["reserve"].volume_offered.values.ravel() == approx([10.0, 10.0])
    assert result["ledger"]["reserve.capacity"].sum().item() == approx(10.0)
    assert "acceptance_seed" not in result.attrs
    table = bids(result)
    table = table[table.market == "regulation"]
    assert table.quantity_kW.tolist() == approx([10.0, 10.0])
    assert table.accepted_kW.tolist() == approx([10.0, 0.0])
    assert result.attrs["regret"] >= -1e-9
    assert result["audit"].attrs["passed"]

    best = v2g.simulate(tree, window=2.0, ahead=0.0, forecast="perfect")
    assert best["reserve"].volume_offered.values.ravel() == approx([10.0, 0.0])
    assert best.attrs["regret"] == approx(0.0, abs=1e-9)


def test_draws_have_a_seed_and_are_one_for_each_block():
    """A simulation keeps its seed; a product has the same draws beside another one, all hours of a
    block have one, and half of many are accepted.
    """
    result = v2g.simulate(auctioned([], accept_probability=0.5), window=2.0, acceptance_seed=3)
    assert result.attrs["acceptance_seed"] == 3
    drawn = v2g.with_drawn_acceptance(auctioned([], accept_probability=0.5), 3)["reserve"].accepted
    assert result["reserve"].accepted.values.tolist() == drawn.values.tolist()

    price = market([100.0] * 960)
    one = symmetric(accept_probability=0.5, block=4.0)
    two = {"a": one, "b": one}
    both = v2g.with_drawn_acceptance(case(van(), price, two), 7)["reserve"].accepted
    alone = v2g.with_drawn_acceptance(case(van(), price, {"b": one}), 7)["reserve"].accepted
    assert both.sel(product="b").values.tolist() == alone.sel(product="b").values.tolist()
    assert not (both.sel(product="a") == both.sel(product="b")).all()
    blocks = both.values.reshape(2, 240, 4)
    assert (blocks == blocks[:, :, :1]).all()
    assert blocks[:, :, 0].mean() == approx(0.5, abs=4 * 0.5 / np.sqrt(480))


def test_what_cannot_be_said_of_acceptance_is_listed():
    """Out of range, changing inside a block, and outcomes that have no chance, all at once."""
    wrong = {
        "a": symmetric(accept_probability=1.5),
        "b": symmetric(accept_probability=0.5, pool=-1.0),
    }
    with pytest.raises(v2g.SchemaError) as error:
        v2g.check(case(van(), market([100.0]), wrong))
    assert {p.where for p in error.value.problems} == {"reserve.accept_probability", "reserve.pool"}

    inside = symmetric(accept_probability=[0.5, 0.6], block=2.0, accepted=[1.0, 0.0])
    with pytest.raises(v2g.SchemaError, match="inside a market block of 2 h") as error:
        v2g.check(case(van(), market([100.0] * 2), inside))
    assert [p.where for p in error.value.problems] == [
        "reserve.accepted",
        "reserve.accept_probability",
    ]
    sure = symmetric(accept_probability=[1.0, 0.0], accepted=[0.0, 1.0])
    with pytest.raises(v2g.SchemaError, match="always accepted") as error:
        v2g.check(case(van(), market([100.0] * 2), sure))
    assert "never accepted" in str(error.value)

    more = symmetric(accept_probability=0.5, closed=1.0, committed=2.0, volume_offered=1.0)
    with pytest.raises(v2g.SchemaError, match="less than committed"):
        v2g.check(case(van(), market([100.0]), more))

    with pytest.raises(v2g.SchemaError, match="'aFRR' is no product"):
        v2g.with_acceptance(case(van(), market([100.0]), symmetric()), {"aFRR": 0.5})
    with pytest.raises(v2g.SchemaError, match="nothing to offer"):
        v2g.with_acceptance(case(van(), market([100.0])), 0.5)


def test_the_command_sets_and_draws_acceptance(tmp_path: Path):
    """`--set` says how likely offers are accepted, `--acceptance-seed` which draws are taken."""
    v2g.write(auctioned([]), tmp_path / "case.nc")
    wanted = ["--set", "reserve.accept_probability=0.5", "--acceptance-seed", "3", "--window", "2"]
    wanted += ["--no-report", "-o", str(tmp_path / "out")]
    words = ["simulate", str(tmp_path / "case.nc"), *wanted]
    run = CliRunner().invoke(app, words)
    assert run.exit_code == 0, run.output
    assert v2g.read(tmp_path / "out" / "result.nc").attrs["acceptance_seed"] == 3
    assert "accepted_kW" in (tmp_path / "out" / "bids.csv").read_text(encoding="utf-8")


def history() -> xr.DataArray:
    """500 marginal prices about 48 EUR/MW/h."""
    drawn = np.random.default_rng(1).gamma(4, 12, 500)
    return xr.DataArray(drawn, {"time": pd.date_range("2025-01-01", periods=500, freq="h")})


def priced(**fields: object) -> xr.DataTree:
    """Two hours, one block, of a vehicle that sells a product at a price of its own."""
    sold = product(up=1.0, down=1.0, capacity_price=[0.0, 0.0], block=2.0, **fields)
    car = van(energy_initial=8.0, energy_max=20.0, wear=0.05)
    return case(car, market([20.0, 80.0]), sold)


def test_a_curve_of_prices_and_quantities():
    """10 kW can be held. 4 kW are bought at 30 and above, 8 at 20 and above, any volume at 12:
    split, 4, 4 and 2 kW earn 120 + 80 + 24 for the hour; at one price 160 of 120, 160 and 120.
    """
    curve = {"bid_price": [12.0, 20.0, 30.0], "capacity_price": [12.0, 20.0, 30.0]}
    curve |= {"accept_probability": [1.0, 1.0, 1.0], "volume_max": [np.inf, 8.0, 4.0]}
    offers = xr.Dataset({n: ("offer", x) for n, x in curve.items()})
    tree = case(van(), market([0.0]), product(up=1.0, capacity_price=[0.0], down=1.0))
    split = v2g.solve(v2g.with_offers(tree, "regulation", offers))
    assert split.attrs["profit"] == approx((120 + 80 + 24) / 1000)
    assert bids(split).price.tolist() == [12.0, 20.0, 30.0]
    one = v2g.solve(v2g.with_offers(tree, "regulation", offers, one_price=True), gap=0)
    assert one.attrs["profit"] == approx(160 / 1000)
    assert one["reserve"].volume.values.ravel() == approx([0.0, 8.0, 0.0])


def test_a_dearer_offer_of_energy_is_called_less():
    """Merit order: energy offered at 100 EUR/MWh is called half the time, at 300 a tenth. With wear
    of 0.2 EUR/kWh in the battery and energy at 0, a kWh called costs 0.25: only the dear one pays,
    0.1 x 0.05 EUR a kW.
    """
    offers = {"bid_price": [0.0, 0.0], "capacity_price": [0.0, 0.0]}
    offers |= {"accept_probability": [1.0, 1.0], "activation_up": [0.5, 0.1]}
    offers |= {"activation_price_up": [100.0, 300.0]}
    curve = xr.Dataset({n: ("offer", x) for n, x in offers.items()})
    car = van(charge_max=0.0, wear=0.2)
    tree = case(car, market([0.0]), product(up=1.0, capacity_price=[0.0], volume_max=10.0))
    told = v2g.with_on_off_calls(v2g.with_offers(tree, "regulation", curve))
    assert told["reserve"].call.values.tolist() == [[0.0, 1.0, 1.0], [0.0, 0.0, 1.0]]
    assert told["reserve"].call_share.values == approx([0.5, 0.4, 0.1])
    result = v2g.solve(told)
    assert result["reserve"].volume.values.ravel() == approx([0.0, 10.0])
    assert result.attrs["profit"] == approx(10 * 0.1 * (0.3 - 0.25))
    assert result["audit"].attrs["passed"]


def test_offers_of_one_product_are_accepted_from_the_cheapest_on():
    """5 kW at each of two prices, accepted in 0.75 and 0.25 of the cases, called whenever they are:
    10 kW in a quarter, 5 kW in half. From a baseline of -5 kW the vehicle feeds 5 kW in a quarter.
    A simulation draws both with one number.
    """
    offers = {"bid_price": [10.0, 20.0], "capacity_price": [10.0, 20.0]}
    offers |= {"accept_probability": [0.75, 0.25], "volume_max": [10.0, 5.0]}
    curve = xr.Dataset({n: ("offer", x) for n, x in offers.items()})
    up = product(up=1.0, capacity_price=[0.0] * 96, activation_up=1.0, activation_price_up=100.0)
    whole = case(van(discharge_max=5.0, charge_max=5.0), market([0.0] * 96), up)
    tree = v2g.with_offers(v2g.with_on_off_calls(whole), "regulation", curve)
    drawn = v2g.with_drawn_acceptance(tree, 5)["reserve"].accepted
    assert (drawn.diff("product") <= 0).all()
    assert 0.1 < drawn[1].mean() < 0.4 < 0.6 < drawn[0].mean() < 0.9

    fixed = {"reserve.volume": 5.0, "fleet.charge": 1.25, "fleet.discharge": 1.25}
    hour = v2g.select_window(tree, 0, 1)
    result = v2g.solve(hour, fix=fixed)
    assert result["audit"].attrs["passed"]
    net = result["energy"].position.item()
    assert net == approx(-(0.75 * 5 + 0.25 * 5))


def test_what_cannot_be_offered_is_listed():
    """Curves that rise with the price, prices out of order, words and fields that are not known,
    and a history without a price.
    """
    curve = {"bid_price": [20.0, 10.0], "capacity_price": [20.0, 10.0]}
    offers = xr.Dataset({n: ("offer", x) for n, x in curve.items()})
    offers = offers.assign(accept_probability=("offer", [0.5, 0.6]))
    called = priced(activation_up=0.3)
    with pytest.raises(v2g.SchemaError, match="from the cheapest to the dearest") as error:
        v2g.check(v2g.with_offers(called, "regulation", offers))
    assert "accepted no more often" in str(error.value)
    with pytest.raises(v2g.SchemaError) as error:
        v2g.with_offers(called, "aFRR", offers.drop_vars("bid_price").assign(prize=1.0))
    assert {p.where for p in error.value.problems} == {
        *("offers.prize", "offers.bid_price", "reserve.product")
    }
    nothing = xr.full_like(history(), np.nan)
    with pytest.raises(v2g.SchemaError) as error:
        v2g.fitted_acceptance(nothing, 0, paid_as="asked")
    assert {p.where for p in error.value.problems} == {"paid_as", "history", "prices"}
    with pytest.raises(v2g.SchemaError) as error:
        v2g.fitted_activation(nothing, 0, paid_as="asked", direction="both")
    assert {p.where for p in error.value.problems} == {"direction", "paid_as", "history", "prices"}


def test_a_curve_for_each_hour_of_the_day():
    """Marginal prices are 10 at night and 30 by day: an offer at 30 is accepted by day alone."""
    time = pd.date_range("2026-01-01", periods=48, freq="h")
    marginal = xr.DataArray(np.where(time.hour < 12, 10.0, 30.0), {"time": time})
    curve = v2g.fitted_acceptance(marginal, [10.0, 30.0], by_hour=True)
    tree = case(van(), market([50.0] * 24), product(up=1.0, capacity_price=[0.0] * 24))
    sold = v2g.with_offers(tree, "regulation", curve)["reserve"]
    assert sold.bid_price.values.ravel().tolist() == [10.0] * 12 + [30.0] * 12
    assert (sold.accept_probability == 1).all()


def test_energy_is_offered_at_the_price_that_the_merit_order_pays_best():
    """In two of four hours energy is called up to 100 EUR/MWh, in a third to 60 alone: bids of 50,
    60 and 100 are called in 3, 3 and 2 hours of 4, and 10 kW bring 0.375, 0.45 and 0.5 EUR as bid.
    As cleared the first two have a mean of 120, 0.9 EUR. Downward, 60 is called in one hour alone.
    """
    time = pd.date_range("2026-01-01", periods=4, freq="h")
    marginal = xr.DataArray([100.0, np.nan, 60.0, 200.0], {"time": time})
    capacity = {"accept_probability": 1.0, "capacity_price": 0.0}
    best = {"bid": 0.5, "cleared": 0.9}
    for paid_as, profit in best.items():
        curve = v2g.fitted_activation(marginal, [50.0, 60.0, 100.0], paid_as=paid_as)
        assert curve.activation_up.values.tolist() == [0.75, 0.75, 0.5]
        curve = curve.assign(**capacity, bid_price=("offer", [1.0, 2.0, 3.0]))
        tree = case(van(), market([0.0]), product(up=1.0, capacity_price=[0.0], volume_max=10.0))
        result = v2g.solve(v2g.with_offers(tree, "regulation", curve))
        assert result.attrs["profit"] == approx(profit)
    down = v2g.fitted_activation(marginal, [60.0, 100.0], direction="down", by_hour=True)
    assert down.activation_down.sel(hour=[0, 2]).values.tolist() == [[1.0, 1.0], [0.0, 1.0]]
    assert down.activation_price_down.sel(hour=2).values.tolist() == [60.0, 60.0]


def test_the_command_reads_a_history_of_marginal_prices(tmp_path: Path):
    """A file of four hours into a case that sells FCR-N: three prices, paid as cleared."""
    rows = "".join(f"2025-01-01 {h:02d}:00,{p}\n" for h, p in enumerate([10, 20, 20, 50]))
    (tmp_path / "marginal.csv").write_text("Time,Normal\n" + rows, encoding="utf-8")
    sold = {"FCR-N": product(up=1.0, down=1.0, capacity_price=[0.0], activation_up=0.1)}
    v2g.write(case(van(), market([100.0]), sold), tmp_path / "case.nc")
    named = ["--column", "time=Time", "--column", "FCR-N=Normal", "--timezone", "UTC"]
    kept = ["--into", str(tmp_path / "case.nc"), "-o", str(tmp_path / "made.nc")]
    words = ["import", "acceptance", str(tmp_path / "marginal.csv"), *named, *kept]
    run = CliRunner().invoke(app, [*words, "--prices", "3", "--paid-as", "cleared", "--one-price"])
    assert run.exit_code == 0, run.output
    made = v2g.read(tmp_path / "made.nc")["reserve"]
    assert made.bid_price.values.ravel().tolist() == [10.0, 20.0, 50.0]
    assert made.accept_probability.values.ravel().tolist() == [1.0, 0.75, 0.25]
    assert made.capacity_price.values.ravel().tolist() == [25.0, 30.0, 50.0]
    assert made.one_price.values.tolist() == [1.0] * 3
    run = CliRunner().invoke(app, [*words, "--paid-as", "asked", "--force"])
    assert run.exit_code == 2 and "asked" in run.output
