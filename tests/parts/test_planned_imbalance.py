"""Imbalance is settled and not traded: what a plan may leave to it while a market is open."""

import numpy as np
import pytest
import xarray as xr
from cases import case, market, row
from pytest import approx

import v2g_linopy as v2g

WAYS = {"long": 1.0, "short": -1.0}
CHANCES = {"calm": 0.75, "windy": 0.25}


def settled(price_long: object, **fields: object) -> dict[str, object]:
    """Imbalance prices, ample unless `limit` is given."""
    return {"price_long": price_long, "limit": 100.0} | fields


def house(*power: float) -> dict[str, object]:
    """A load (kW) that nobody can shift."""
    return {"baseline": list(power)}


def test_an_inflexible_load_pays_day_ahead(pipeline):
    """10 kW in two hours at 50 and 40 EUR/MWh, imbalance at 20 and 90: bought day-ahead, 0.90 EUR.

    Proves that there is no bet on the spread, in neither way: left to the imbalance, the first hour
    would cost 0.20, and 10 kW more bought in the second would bring 0.50."""
    result = pipeline(case(None, market([50, 40]), load=house(10, 10), imbalance=settled([20, 90])))
    assert result.attrs["profit"] == approx(-0.90)
    assert row(result, "energy.position") == [-10, -10]


def test_a_load_is_shaped_by_the_imbalance_inside_a_block(pipeline):
    """One position for two hours, 10 and 4 kW drawn: 7 kW are bought at 50, 3 kW are missing at 20
    and 3 left over at 90.

    -14 x 0.05 - 3 x 0.02 + 3 x 0.09 = -0.49 EUR. Proves that the mean of the block is what counts;
    in each hour there would be no plan, and without the rule 110 kW would be bought for the
    second."""
    block = market([50, 50], block=2)
    result = pipeline(case(None, block, load=house(10, 4), imbalance=settled([20, 90])))
    assert result.attrs["profit"] == approx(-0.49)
    assert row(result, "energy.position") == [-7, -7]
    assert (row(result, "imbalance.short"), row(result, "imbalance.long")) == ([3, 0], [0, 3])


def test_of_two_blocks_each_has_a_mean_of_its_own(pipeline):
    """An auction for two hours at 50 and one for each at 60: the second hour by hour takes what the
    first leaves, 4 kW are bought in the long one and 6 more in the first hour.

    -8 x 0.05 - 6 x 0.06 = -0.76 EUR. Proves that the shorter blocks count as well: with the long
    ones alone 7 kW would be bought in them, and the shape settled at 20 and 90."""
    auctions = {"long": market([50, 50], block=2), "short": market([60, 60])}
    result = pipeline(case(None, auctions, load=house(10, 4), imbalance=settled([20, 90])))
    assert result.attrs["profit"] == approx(-0.76)
    assert row(result, "imbalance.short") == [0, 0]


def test_after_the_gate_deviations_are_free(pipeline):
    """10 kW were bought, nothing is drawn: settled at 80, and a battery that is full for nothing
    sells its 5 kWh there too.

    -0.50 + 15 x 0.08 = 0.70 EUR. Proves that the rule ends with the gate."""
    bought = market([50], closed=1, committed=-10)
    box = {"charge_max": 0.0, "discharge_max": 10.0, "energy_max": 5.0, "energy_initial": 5.0}
    result = pipeline(
        case(None, bought, battery=box | {"eta_discharge": 1.0}, imbalance=settled([80]))
    )
    assert result.attrs["profit"] == approx(0.70)


def test_a_market_that_takes_nothing_is_as_good_as_closed(pipeline):
    """The only market has a limit of 0 in the second hour: the 10 kW of that hour are left to the
    imbalance at 20, those of the first are bought at 50: 0.70 EUR.
    """
    half_a_day = market([50, 50], limit=[100.0, 0.0])
    result = pipeline(case(None, half_a_day, load=house(10, 10), imbalance=settled([20, 20])))
    assert result.attrs["profit"] == approx(-0.70)
    assert row(result, "energy.position") == [-10, 0]


def test_what_is_allowed_beyond_the_plan_is_a_number(pipeline):
    """Day-ahead at 50, imbalance at 80, 3 kW allowed: 3 kW of paper, 0.09 EUR."""
    result = pipeline(
        case(None, market([50], unbacked=3.0), load=house(0), imbalance=settled([80]))
    )
    assert result.attrs["profit"] == approx(0.09)


def test_a_market_that_is_too_small_has_no_plan():
    """10 kW are drawn, a market that is open takes 6: the message names its limit."""
    small = case(None, market([50], limit=6), load=house(10), imbalance=settled([20]))
    with pytest.raises(v2g.Infeasible, match=r"energy\.limit"):
        v2g.solve(small)


def test_the_mean_of_the_scenarios_is_bought(pipeline):
    """10 or 4 kW are drawn, day-ahead at 50; imbalance at 90 where it is calm, 30 in the wind: the
    mean of 8.5 kW is bought.

    -0.425 - 0.75 x 1.5 x 0.09 + 0.25 x 4.5 x 0.03 = -0.4925 EUR. The mean imbalance price is 75:
    without the rule 104 kW would be bought, as 100 may be left over."""
    drawn = {"house": {"baseline": {"calm": [10.0], "windy": [4.0]}}}
    prices = settled({"calm": [90.0], "windy": [30.0]})
    result = pipeline(case(None, market([50]), load=drawn, imbalance=prices, scenarios=CHANCES))
    assert result.attrs["profit"] == approx(-0.4925)
    assert result["energy"].position.to_numpy().ravel() == approx(-8.5)


def test_what_is_decided_later_leaves_no_imbalance_at_all(pipeline):
    """The same where the market takes its position once the scenario is known: 10 or 4 kW at 50.

    -0.425 EUR in the mean. Proves that the mean of the scenarios is not what counts then: long in
    the calm and three times as short in the wind, it would bring 0.75 x 33 x 0.04 and 0.25 x 100 x
    0.02 EUR more."""
    drawn = {"house": {"baseline": {"calm": [10.0], "windy": [4.0]}}}
    prices = settled({"calm": [90.0], "windy": [30.0]})
    later = market([50], first_stage=0)
    result = pipeline(case(None, later, load=drawn, imbalance=prices, scenarios=CHANCES))
    assert result.attrs["profit"] == approx(-0.425)


@pytest.mark.parametrize("seed", range(8))
def test_a_hedge_against_two_prices_is_no_bet(seed):
    """Day-ahead between, above and below two imbalance prices, four scenarios: the position is the
    best of the quantities that occur, tried one by one, and never beyond them.

    Proves the newsvendor (its optimum is one of the quantities) and the bound where a position
    beyond all of them would pay, which has binaries there alone."""
    rng = np.random.default_rng(seed)
    names, share = list("abcd"), rng.dirichlet(np.ones(4))
    drawn, price = rng.uniform(2, 10, 4), rng.normal(50, 20, 4)
    long = rng.normal(50, 20, 4)
    short = long + rng.uniform(5, 30)

    def by_name(x: np.ndarray) -> dict[str, list[float]]:
        return {name: [float(value)] for name, value in zip(names, x, strict=True)}

    prices = settled(by_name(long), price_short=by_name(short))
    chances = dict(zip(names, share.tolist(), strict=True))
    load = {"house": {"baseline": by_name(drawn)}}
    tree = case(None, market(by_name(price)), load=load, imbalance=prices, scenarios=chances)
    result = v2g.solve(tree)

    def worth(position: float) -> float:
        rest = -drawn - position
        settlement = np.where(rest > 0, rest * long, rest * short)
        return float(share @ (position * price + settlement)) / 1000

    assert result.attrs["profit"] == approx(max(worth(-x) for x in drawn), abs=1e-9)
    beyond = {
        "sale_met": share @ price > share @ short,
        "purchase_met": share @ price < share @ long,
    }
    assert {name: name in result["imbalance"] for name in beyond} == beyond
    position = float(result["energy"].position[{"market": 0, "time": 0, "scenario": 0}])
    assert -max(drawn) - 1e-6 <= position <= -min(drawn) + 1e-6


@pytest.mark.parametrize(("unbacked", "profit"), [(0.0, -0.67), (3.0, -0.55)])
def test_what_is_allowed_beyond_a_hedge(unbacked, profit, pipeline):
    """10 or 4 kW are drawn; day-ahead at 100, a shortage costs 60, a surplus earns 20: 4 kW are
    bought, as the windy scenario needs them all; 3 kW less where so much is allowed.

    -0.40 - 0.75 x 0.36 = -0.67 EUR, and -0.10 - 0.75 x 0.54 - 0.25 x 0.18 = -0.55 EUR."""
    drawn = {"house": {"baseline": {"calm": [10.0], "windy": [4.0]}}}
    prices = settled([20], price_short=[60])
    dear = market([100], unbacked=unbacked)
    result = pipeline(case(None, dear, load=drawn, imbalance=prices, scenarios=CHANCES))
    assert result.attrs["profit"] == approx(profit)
    assert result["energy"].position.to_numpy().ravel() == approx(unbacked - 4)


PAPER = {
    "one kW bought on paper": (1.0, {}, "imbalance.backed"),
    "one kW sold on paper": (-1.0, {}, "imbalance.backed"),
    "bought in each scenario": (1.0, {"first_stage": 0.0}, "imbalance.backed_each"),
    "sold in each scenario": (-1.0, {"first_stage": 0.0}, "imbalance.backed_each"),
}


@pytest.mark.parametrize(("bought", "stage", "check"), PAPER.values(), ids=PAPER)
def test_a_bet_on_the_imbalance_is_found(bought, stage, check):
    """11 kW were bought for an hour whose gate has closed, 10 are drawn: one is left over, rightly.
    In the next a kW more, or less, is bought than drawn, its money in the ledger: a false plan by
    the rule alone.

    Proves the check of the replay, and that with virtual bidding it is none."""
    gate = market([50, 50], closed=[1, 0], committed=[-11, 0], **stage)
    result = v2g.solve(case(None, gate, load=house(10, 10), imbalance=settled([80, 80])))
    assert result["imbalance"].long.to_numpy().tolist() == approx([1, 0])
    later = xr.DataArray([0.0, 1.0], dims="time")
    energy, imbalance, ledger = (result[n].to_dataset() for n in ("energy", "imbalance", "ledger"))
    result["energy"] = energy.assign(position=energy.position - bought * later)
    moved = {name: imbalance[name] + max(way * bought, 0.0) * later for name, way in WAYS.items()}
    result["imbalance"] = imbalance.assign(moved)
    money = {"energy.energy": -0.05 * bought, "imbalance.settlement": 0.08 * bought}
    result["ledger"] = ledger.assign({n: ledger[n] + x * later for n, x in money.items()})
    result.attrs["objective"] += 0.03 * bought

    checks = v2g.replay(result)
    assert [str(n) for n, x in checks.data_vars.items() if float(x) > 1e-6] == [check]
    virtual = result["energy"].to_dataset().assign(virtual_bidding=xr.DataArray(1.0))
    result["energy"] = virtual
    assert v2g.replay(result).attrs["passed"] == 1
