"""Tariffs that cannot be: each with its place, its local time and the remedy, before anything is
solved.
"""

import numpy as np
import pytest
import xarray as xr
from cases import case, market, product, storage
from faulty import problems
from stories import hash_of

import v2g_linopy as v2g

CONTRACT = {"supply_price": [200.0, 100, 100], "feed_in_price": [50.0, 50, 50]}
HOUSE = {"baseline": [2.0, 2, 2]}


def home(
    energy: object = None,
    reserve: object = None,
    start: str = "2026-01-05",
    step: str = "1h",
    **fields: object,
):
    """A house in Rome with a connection, and a market unless told otherwise."""
    at = {"timezone": "Europe/Rome", "start": start, "step": step}
    given = market([60.0, 20, 60]) if energy is None else energy or None
    return case(None, given, reserve, fields, load=HOUSE, battery=storage(), **at)


def ranked(*labels: int) -> xr.DataArray:
    return xr.DataArray(np.ones(len(labels)), coords={"rank": list(labels)}, dims="rank")


NUMBERS = {
    "import_max": (-1, "allowed [0, inf] kW"),
    "export_max": (-1, "allowed [0, inf] kW"),
    "supply_price": (np.inf, "give a number"),
    "feed_in_price": (np.inf, "give a number"),
    "fee_import": (np.nan, "give every value"),
    "fee_export": (np.nan, "give every value"),
    "tax": (-1, "allowed [0, inf] EUR/MWh"),
    "vat": (22, "allowed [0, 1]"),
    "peak_price": (-1, "allowed [0, inf] EUR/kW"),
    "peak_count": (0, "allowed [1, inf]"),
    "peak_weight": (-0.5, "allowed [0, inf]"),
    "hour_initial": (-1, "allowed [0, inf] kWh"),
    "day_initial": (-1, "allowed [0, inf] kW"),
    "subscribed": (-1, "allowed [0, inf] kW"),
    "subscribed_price": (-1, "allowed [0, inf] EUR/kW/year"),
    "overrun_price": (-1, "allowed [0, inf] EUR/kW"),
    "overrun_initial": (-1, "allowed [0, inf] kW"),
    "fixed_cost": (-1, "allowed [0, inf] EUR/year"),
    "capacity": (-1, "allowed [0, inf] kW"),
    "capacity_cost": (-1, "allowed [0, inf] EUR/kW/year"),
    "usage_cost": (-1, "allowed [0, inf] EUR/kWh"),
}


def test_every_number_has_its_wrong_value():
    """What is listed above is every quantity of a connection but the ranked peaks, which have a
    test of their own.
    """
    fields = v2g.PARTS["connection"].schema.inputs
    assert {f.name for f in fields if f.kind == "quantity"} == {*NUMBERS, "peak_initial"}


@pytest.mark.parametrize(
    ("name", "value", "words"), [(n, *v) for n, v in NUMBERS.items()], ids=NUMBERS
)
def test_a_wrong_number_is_placed(name, value, words):
    """The field, its pod, the value and what is allowed."""
    (problem,) = problems(home(**{name: float(value)}))
    assert problem.where == f"connection.{name}"
    assert "pod site" in problem.detail and words in problem.detail


TOGETHER = {
    "a gap in the contract": (
        CONTRACT | {"supply_price": [200.0, np.nan, 100]},
        "supply_price",
        ["pod site at 2026-01-05 02:00 +0100", "missing", "in every step, or in none"],
    ),
    "a gap in the feed-in": (
        CONTRACT | {"feed_in_price": [50.0, np.nan, np.nan]},
        "feed_in_price",
        ["2026-01-05 02:00 +0100", "0 where export is not paid", "(and 1 more)"],
    ),
    "supply without feed-in": ({"supply_price": 100.0}, "feed_in_price", ["pod site: missing"]),
    "feed-in without supply": ({"feed_in_price": 100.0}, "supply_price", ["pod site: missing"]),
    "feed-in above supply": (
        CONTRACT | {"feed_in_price": [50.0, 130, 50], "import_max": 9.0},
        "export_max",
        ["pod site at 2026-01-05 02:00 +0100: -30 EUR/MWh", "without end", "give export_max"],
    ),
    "export paid more than import costs, without a limit on either": (
        {"fee_import": -5.0, "export_max": 9.0},
        "import_max",
        ["-5 EUR/MWh", "without end", "give import_max"],
    ),
    "VAT on a negative price": (
        {"supply_price": -100.0, "feed_in_price": -110.0, "vat": 0.2, "import_max": 9.0},
        "export_max",
        ["-10 EUR/MWh", "give export_max"],
    ),
    "a subscription without a size": (
        {"subscribed_price": 10.0},
        "subscribed",
        ["missing", "give it (kW)"],
    ),
    "an overrun of nothing": ({"overrun_price": 10.0}, "subscribed", ["missing", "give it (kW)"]),
    "operation of nothing": ({"capacity_cost": 10.0}, "capacity", ["capacity_cost is paid for it"]),
    "half an hour": (
        {"peak_price": 1.0, "peak_count": 2.5},
        "peak_count",
        ["2.5", "no whole number"],
    ),
    "an unknown period": (
        {"peak_period": "days"},
        "peak_period",
        ["'days' is not one of hour, day; did you mean day?"],
    ),
    "an unknown share": ({"partial": "prorata"}, "partial", ["did you mean pro_rata?"]),
    "ranks that are none": (
        {"peak_price": 1.0, "peak_count": 2.0, "peak_initial": ranked(1, 3)},
        "peak_initial",
        ["has the ranks [1, 3]; give [1, 2]"],
    ),
    "a negative peak": (
        {"peak_price": 1.0, "peak_initial": -ranked(1)},
        "peak_initial",
        ["-1", "allowed [0, inf] kW"],
    ),
}


@pytest.mark.parametrize(("fields", "name", "words"), TOGETHER.values(), ids=TOGETHER)
def test_fields_that_do_not_fit_together(fields, name, words):
    (problem,) = problems(home(**fields))
    assert problem.where == f"connection.{name}"
    for word in words:
        assert word in problem.detail


@pytest.mark.parametrize(
    ("start", "period", "most"),
    [
        ("2026-03-05", "hour", 743),
        ("2026-10-05", "hour", 745),
        ("2026-02-05", "day", 28),
        ("2024-02-05", "day", 29),
    ],
)
def test_no_more_peaks_than_a_month_has(start, period, most):
    """As many as a full month has are fine, though the horizon is shorter; one more is named with
    the month.
    """
    good = {"peak_price": 1.0, "peak_period": period, "peak_count": float(most)}
    v2g.check(home(start=start, **good))
    (problem,) = problems(home(start=start, **good | {"peak_count": most + 1.0}))
    assert problem.where == "connection.peak_count"
    assert f"{start[:7]}: {most + 1}, at most the {most} {period}s" in problem.detail


@pytest.mark.parametrize(
    ("start", "step"), [("2026-01-05 00:30", "1h"), ("2026-01-05", "40min"), ("2026-01-05", "2h")]
)
def test_steps_that_cross_the_clock_hour(start, step):
    """No peak of clock hours can be read off them; without a peak tariff they are fine."""
    v2g.check(home(start=start, step=step, fee_import=1.0))
    (problem,) = problems(home(start=start, step=step, peak_price=1.0))
    assert problem.where == "connection.peak_price"
    assert (
        "more than one clock hour" in problem.detail
        and "steps of an hour or less" in problem.detail
    )


def test_nowhere_to_trade():
    """Without a market, every pod needs a supplier: those without are named."""
    (problem,) = problems(home(energy=False, peak_price=1.0))
    assert problem.where == "energy"
    assert (
        "give at least one energy market" in problem.detail
        and "site would trade there" in problem.detail
    )
    v2g.check(home(energy=False, **CONTRACT))


def test_activation_without_a_price():
    """Without a market, expected activation needs a price of its own, in the direction in which it
    is expected.
    """
    down = product(down=1, activation_down=0.1, capacity_price=[1.0, 1, 1])
    (problem,) = problems(home(energy=False, reserve=down, **CONTRACT))
    assert problem.where == "reserve.activation_price_down"
    v2g.check(home(energy=False, reserve=down | {"activation_price_down": 10.0}, **CONTRACT))
    v2g.check(home(energy=False, reserve=down | {"activation_down": 0.0}, **CONTRACT))


@pytest.mark.parametrize(
    ("name", "value", "unit", "same"),
    [
        ("peak_price", 2000.0, "EUR/MW", 2.0),
        ("peak_price", 2.0, "EUR/kW/month", 2.0),
        ("overrun_price", 2000.0, "EUR/MW/month", 2.0),
        ("subscribed_price", 2000.0, "EUR/MW/a", 2.0),
        ("capacity_cost", 2.0, "EUR/kW/a", 2.0),
        ("fixed_cost", 2.0, "EUR/month", 24.0),
        ("fixed_cost", 2.0, "EUR/a", 2.0),
        ("usage_cost", 2.0, "ct/kWh", 0.02),
        ("supply_price", 20.0, "ct/kWh", 200.0),
        ("vat", 20.0, "%", 0.2),
    ],
)
def test_units_of_tariffs(name, value, unit, same):
    """The same bill, whatever the unit: 2 000 EUR/MW of peak are 2 EUR/kW, 2 EUR a month are 24 a
    year. A bill is made of the inputs alone: these are the same, and not of twice the price.
    """
    rest = {
        "subscribed": 1.0,
        "capacity": 1.0,
        "feed_in_price": 0.0,
        "supply_price": 100.0,
        "fee_import": 10.0,
    }
    rest |= {"peak_price": 1.0, "overrun_price": 1.0}
    plain, other = home(**rest | {name: same}), home(**rest | {name: value})
    other["connection"][name].attrs["units"] = unit
    assert hash_of(other, {}) == hash_of(plain, {})
    assert hash_of(home(**rest | {name: 2 * same}), {}) != hash_of(plain, {})


def test_a_wrong_unit_is_refused():
    """A price per year is no price of a month's peak."""
    tree = home(peak_price=2.0)
    tree["connection"]["peak_price"].attrs["units"] = "EUR/kW/year"
    (problem,) = problems(tree)
    assert "use one of EUR/kW, EUR/MW, EUR/kW/month, EUR/MW/month" in problem.detail
