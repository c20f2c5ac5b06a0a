"""Energy markets: limits, spreads, several gates, positions already taken."""

from cases import case, market, product, row, vehicle
from pytest import approx


def test_market_limit(pipeline):
    """10 kWh are due; the cheap hour at 20 EUR/MWh sells at most 6: 6 x 20 + 4 x 60 = 0.36 EUR.

    Proves the limit: without it 0.20. A further kWh in the first hour would save one at 60: that is
    its price at the site."""
    result = pipeline(case(vehicle(energy_min=[0, 10]), market([20, 60], limit=6)))
    assert result.attrs["profit"] == approx(-0.36)
    assert row(result, "energy.position") == [-6, -4]
    assert row(result, "price.electricity") == [60, 60]


def test_spread_is_paid_in_halves(pipeline):
    """Mid prices 40 and 60 with a spread of 10: bought at 45, sold at 55, 10 kWh earn 0.10 EUR.

    Proves that each side pays half of the spread: without it 0.20, with all of it on each side 0.
    """
    result = pipeline(case(vehicle(discharge_max=10), market([40, 60], spread=10)))
    assert result.attrs["profit"] == approx(0.10)
    assert row(result, "energy.bought") == [10, 0]
    assert row(result, "energy.sold") == [0, 10]


def test_spread_leaves_a_dead_band(pipeline):
    """With a spread of 24 the same trade buys at 52 and sells at 48: nothing is traded.

    Proves that the spread decides and is not only billed.
    """
    result = pipeline(case(vehicle(discharge_max=10), market([40, 60], spread=24)))
    assert result.attrs["profit"] == 0
    assert row(result, "energy.position") == [0, 0]


GATES = {"day_ahead": market([50], limit=100), "intraday": market([80], limit=100)}


def test_open_markets_trade_the_physical_plan(pipeline):
    """Two open markets at 50 and 80 EUR/MWh, 4 kWh on board: they are sold at 80, 0.32 EUR, and no
    more.

    Proves that positions are backed by the plan: 100 kW bought at 50 and sold at 80 would add 3 EUR
    of paper."""
    result = pipeline(case(vehicle(discharge_max=10, energy_initial=4), GATES))
    assert result.attrs["profit"] == approx(0.32)
    assert row(result, "energy.position") == [0, 4]


def test_expected_activation_backs_paper_trades(pipeline):
    """2 kWh are expected to leave as activation at 100 EUR/MWh, 0.20 EUR; as gross injection and
    withdrawal they also back 2 kW bought at 50 and sold at 80, 0.06.

    Proves how far the backing goes: net, there would be no paper, 0.20; without backing, 100 kW of
    it for 3 EUR."""
    up = product(up=1, activation_up=0.5, activation_price_up=[100], volume_max=4)
    result = pipeline(case(vehicle(discharge_max=10, energy_initial=2), GATES, up))
    assert result.attrs["profit"] == approx(0.26)
    assert row(result, "energy.position") == [-2, 2]


def test_open_markets_buy_where_it_is_cheap(pipeline):
    """A need of 6 kWh is bought at 50 and not at 80: 0.30 EUR, and nothing is sold."""
    result = pipeline(case(vehicle(energy_min=[6]), GATES))
    assert result.attrs["profit"] == approx(-0.30)
    assert row(result, "energy.position") == [-6, 0]


def test_virtual_bidding(pipeline):
    """With virtual bidding 100 kW sold at 80 are bought at 50: the 4 kWh on board are the
    difference between both markets.

    100 x 0.08 - 96 x 0.05 = 3.20 EUR. Proves the switch and that the limit is what ends it.
    """
    gates = {name: fields | {"virtual_bidding": 1} for name, fields in GATES.items()}
    result = pipeline(case(vehicle(discharge_max=10, energy_initial=4), gates))
    assert result.attrs["profit"] == approx(3.20)
    assert row(result, "energy.position") == [-96, 100]


def test_committed_purchase_is_sold_back(pipeline):
    """10 kW were bought day-ahead at 50, nobody needs them: sold intraday at 80, 0.30 EUR.

    Proves that a closed gate is data: with the position free again nothing would be bought at all,
    0."""
    gates = {"day_ahead": market([50], closed=1, committed=-10), "intraday": market([80])}
    result = pipeline(case(vehicle(charge_max=0), gates))
    assert row(result, "energy.position") == [-10, 10]
    assert result.attrs["profit"] == approx(0.30)


def test_committed_sale_is_bought_back(pipeline):
    """10 kW were sold day-ahead at 50; 4 kWh are on board, so 6 are bought back intraday at 80 with
    a spread of 10, at 85.

    0.50 - 0.51 = -0.01 EUR. Proves the obligation: dropping the sale would cost nothing.
    """
    gates = {"day_ahead": market([50], closed=1, committed=10), "intraday": market([80], spread=10)}
    result = pipeline(case(vehicle(discharge_max=10, energy_initial=4), gates))
    assert row(result, "energy.position") == [10, -6]
    assert result.attrs["profit"] == approx(-0.01)


def test_sale_back_between_two_open_gates(pipeline):
    """10 kW bought in a closed gate may be sold in either of two open ones: all 10 at 80, none at
    60, and no more than 10.

    0.80 - 0.50 = 0.30 EUR. Proves that a purchase already made backs a sale when virtual bidding is
    off."""
    gates = {
        "day_ahead": market([50], closed=1, committed=-10),
        "late": market([60]),
        "intraday": market([80]),
    }
    result = pipeline(case(vehicle(charge_max=0), gates))
    assert row(result, "energy.position") == [-10, 0, 10]
    assert result.attrs["profit"] == approx(0.30)
