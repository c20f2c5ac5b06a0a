"""Power purchase agreements and contracts for difference: what is paid and delivered, and what they
make of a plan.

A roof gives 3, 5 and 4 kW in three hours.
"""

from functools import cache

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from cases import case, market, row, storage, vehicle
from pytest import approx
from tampering import audit_of_tampered, tampered

import v2g_linopy as v2g
from v2g_linopy.errors import SchemaError

ROOF = {"available": [3, 5, 4]}
PRICES = [50, -20, 90]


def cfd(**fields):
    """A contract of 60 EUR/MWh on the roof."""
    return {"strike": 60, "renewable": "roof"} | fields


def baseload(power, **fields):
    """A contract of 60 EUR/MWh on a given power, on no plant."""
    return {"strike": 60, "renewable": "", "volume_type": "baseload", "baseload": power} | fields


def sited(contract, price=PRICES, roof=ROOF, **more):
    return case(
        None,
        market(price) if not isinstance(price, dict) else price,
        renewable=roof,
        ppa=contract,
        **more,
    )


def test_the_seller_earns_the_strike(pipeline):
    """12 kWh at 60 EUR/MWh are 0.72 EUR whatever the market pays; as a merchant 0.15 + 0.36 = 0.51
    EUR.
    """
    result = pipeline(sited(cfd()))
    assert result.attrs["profit"] == approx(0.72)
    assert row(result, "ledger.ppa.difference") == [0.03, 0.40, -0.12]
    assert pipeline(case(None, market(PRICES), renewable=ROOF)).attrs["profit"] == approx(0.51)


@pytest.mark.parametrize(
    ("volume_type", "price", "curtailed", "profit"),
    [
        ("output", -20, 0, 0.72),
        ("output", -500, 0, 0.72),
        ("deemed", -20, 5, 0.82),
        ("deemed", -500, 5, 3.22),
    ],
)
def test_output_distorts_and_deemed_does_not(pipeline, volume_type, price, curtailed, profit):
    """At -20 EUR/MWh the roof goes on where its output counts: price and difference make the
    strike, 60, at any price.

    Where what it could have given counts, it curtails as a merchant does, keeps the difference of 5
    x 80 = 0.40 EUR and saves 5 x 20 = 0.10: 0.82 EUR."""
    result = pipeline(sited(cfd(volume_type=volume_type), [50, price, 90]))
    assert row(result, "renewable.curtail") == [0, curtailed, 0]
    assert result.attrs["profit"] == approx(profit)


@pytest.mark.parametrize(("prices", "curtailed"), [([50, -10, 80], 0), ([50, -30, 100], 5)])
def test_a_monthly_reference_is_a_premium(pipeline, prices, curtailed):
    """The mean is 40 EUR/MWh, 20 below the strike: the roof goes on while the price is above -20.

    Proves the reference: with the price of the step it would go on at -30, too.
    """
    result = pipeline(sited(cfd(averaging="month"), prices))
    assert row(result, "renewable.curtail") == [0, curtailed, 0]
    assert row(result, "ledger.ppa.difference") == [0.06, 0.1 - curtailed * 0.02, 0.08]


@pytest.mark.through_file
def test_the_months_of_the_reference_are_local(pipeline):
    """22:00 UTC on 31 January is January in Rome, 23:00 is February: means of 10, and of (40 + 70)
    / 2 = 55.

    A month is known as far as the horizon shows it. In UTC the mean of January would be 25.
    """
    tree = sited(
        baseload(1, averaging="month"),
        [10, 40, 70],
        start="2026-01-31 22:00",
        timezone="Europe/Rome",
    )
    assert row(pipeline(tree), "ledger.ppa.difference") == [0.05, 0.005, 0.005]


def test_one_way_pays_no_one_back(pipeline):
    """At 90 EUR/MWh nothing is returned: 0.72 + 4 x 30 = 0.84 EUR."""
    result = pipeline(sited(cfd(settlement="one_way")))
    assert row(result, "ledger.ppa.difference") == [0.03, 0.40, 0]
    assert result.attrs["profit"] == approx(0.84)


@pytest.mark.parametrize("volume_type", ["output", "deemed"])
def test_no_payment_at_negative_prices(pipeline, volume_type):
    """The contract rests at -20 EUR/MWh: the roof curtails, 3 x 60 + 4 x 60 = 0.42 EUR."""
    result = pipeline(sited(cfd(volume_type=volume_type, negative_hours=0)))
    assert row(result, "renewable.curtail") == [0, 5, 0]
    assert row(result, "ledger.ppa.difference") == [0.03, 0, -0.12]
    assert result.attrs["profit"] == approx(0.42)


@pytest.mark.parametrize(
    ("hours", "paid"), [(1, [0, 1, 0, 0, 1]), (2, [1, 1, 0, 0, 1]), (3, [1, 1, 1, 1, 1])]
)
def test_negative_for_hours_without_a_break(pipeline, hours, paid):
    """-5, 10, -5, -5, 10 EUR/MWh: one hour below 0, then two. A run that is long enough is unpaid
    from its start.
    """
    contract = baseload(1, negative_hours=hours)
    result = pipeline(sited(contract, [-5, 10, -5, -5, 10], {"available": 0}))
    gaps = [0.065, 0.05, 0.065, 0.065, 0.05]
    assert row(result, "ledger.ppa.difference") == [a * b for a, b in zip(gaps, paid, strict=True)]


def test_zero_is_not_negative(pipeline):
    """At 0 EUR/MWh the contract pays its 60; it rests at -0.01 only."""
    result = pipeline(sited(baseload(1, negative_hours=0), [0, -0.01], {"available": 0}))
    assert row(result, "ledger.ppa.difference") == [0.06, 0]


def test_negative_hours_in_quarters(pipeline):
    """Three quarter-hours below 0, then four: only the four are an hour."""
    prices = [-5] * 3 + [10] + [-5] * 4
    result = pipeline(sited(baseload(4, negative_hours=1), prices, {"available": 0}, step="15min"))
    assert row(result, "ledger.ppa.difference") == [0.065] * 3 + [0.05] + [0] * 4


def test_the_clause_looks_at_the_step_not_at_the_month(pipeline):
    """The mean is 40 EUR/MWh, and the contract rests in the hour at -20 all the same: 3 x 20 and 4
    x 20 EUR/MWh.
    """
    result = pipeline(sited(cfd(volume_type="deemed", averaging="month", negative_hours=0)))
    assert row(result, "ledger.ppa.difference") == [0.06, 0, 0.08]


def test_a_delivery_leaves_at_the_strike(pipeline):
    """4 kW are sold at 60 EUR/MWh, 0.72 EUR; a roof of 3, 5 and 4 kW lacks 1 kW at 50 and curtails
    at -20, buying 4.

    -1 x 50 + 4 x 20 + 0 = 0.03 EUR.
    """
    result = pipeline(sited(baseload(4, settlement="physical")))
    assert row(result, "energy.position") == [-1, -4, 0]
    assert row(result, "ledger.ppa.delivery") == [0.24, 0.24, 0.24]
    assert result.attrs["profit"] == approx(0.75)


def test_output_is_delivered_as_it_comes(pipeline):
    """Half of what the roof gives leaves at 60 EUR/MWh, half is sold: worth 20 together at -20, so
    it goes on.

    6 x 60 + 1.5 x 50 - 2.5 x 20 + 2 x 90 = 0.565 EUR; half of it traded.
    """
    result = pipeline(sited(cfd(settlement="physical", share=0.5)))
    assert row(result, "energy.position") == [1.5, 2.5, 2]
    assert result.attrs["profit"] == approx(0.565)


def test_a_resting_delivery_stays(pipeline):
    """The contract rests at -20 EUR/MWh: nothing leaves, the roof curtails, 7 kWh at 60 are 0.42
    EUR.
    """
    result = pipeline(sited(cfd(settlement="physical", negative_hours=0)))
    assert row(result, "renewable.curtail") == [0, 5, 0]
    assert row(result, "energy.position") == [0, 0, 0]
    assert result.attrs["profit"] == approx(0.42)


def test_a_purchase_enters_at_the_strike(pipeline):
    """2 kW bought at 60 EUR/MWh: 0.36 EUR, worth 2 x 50 - 2 x 20 + 2 x 90 = 0.24 EUR on the market,
    beside 0.51.
    """
    result = pipeline(sited(baseload(2, settlement="physical", side="buyer")))
    assert row(result, "energy.position") == [5, 2, 6]
    assert result.attrs["profit"] == approx(0.51 - 0.36 + 0.24)


def test_what_is_bought_backs_a_sale(pipeline):
    """Two markets, no bid without a plan behind it: 2 kW bought under contract can be sold, at the
    better price.

    2 x (70 - 60) = 0.02 EUR; a contract that backs nothing would leave no plan at all.
    """
    markets = {"a": market(70), "b": market(50)}
    deal = baseload(2, settlement="physical", side="buyer")
    result = pipeline(case(None, markets, load={"baseline": 0}, ppa=deal))
    assert row(result, "energy.position", market="a") == [2]
    assert result.attrs["profit"] == approx(0.02)


def test_a_published_index_is_a_market_without_room(pipeline):
    """The reference is an index of 40 EUR/MWh that nobody trades: a market with limit 0. 12 x 20 =
    0.24 EUR more.
    """
    markets = {"day_ahead": market([50, 20, 90]), "index": market(40, limit=0)}
    result = pipeline(sited(cfd(reference="index"), markets))
    assert row(result, "ledger.ppa.difference") == [0.06, 0.10, 0.08]
    assert row(result, "energy.position", market="index") == [0, 0, 0]


NEUTRAL = {
    "output": cfd(),
    "deemed": cfd(volume_type="deemed"),
    "baseload": baseload([1, 2, 3]),
    "delivered output": cfd(settlement="physical", share=0.25),
    "delivered deemed": cfd(settlement="physical", volume_type="deemed"),
    "delivered baseload": baseload([1, 2, 3], settlement="physical"),
    "bought": baseload([1, 2, 3], settlement="physical", side="buyer"),
    "output, buyer": cfd(side="buyer"),
    "deemed, buyer": cfd(volume_type="deemed", side="buyer"),
    "one way": cfd(settlement="one_way"),
}


@cache
def merchant() -> float:
    """What the site earns without a contract (EUR)."""
    site = case(None, market(PRICES), battery=storage(), renewable=ROOF)
    return float(v2g.solve(site).attrs["objective"])


@pytest.mark.parametrize("contract", NEUTRAL.values(), ids=NEUTRAL)
def test_a_strike_at_the_reference_is_merchant(contract):
    """Strike and price are the same in every step: the objective is that of the merchant, to
    1e-9.
    """
    site = {"battery": storage(), "renewable": ROOF}
    result = v2g.solve(case(None, market(PRICES), **site, ppa=contract | {"strike": PRICES}))
    assert result.attrs["objective"] == approx(merchant(), abs=1e-9)


@pytest.mark.parametrize(
    "contract",
    [cfd(), cfd(volume_type="deemed"), NEUTRAL["bought"], baseload(2, averaging="month")],
)
def test_buyer_and_seller_cancel(pipeline, contract):
    """The same contract on both sides changes nothing: entries that cancel, and the merchant's
    plan.
    """
    both = {side: contract | {"side": side} for side in ("seller", "buyer")}
    result = pipeline(sited(both, [50, -20, 90]))
    assert result.attrs["profit"] == approx(0.51, abs=1e-9)
    entry = "ppa.delivery" if contract.get("settlement") == "physical" else "ppa.difference"
    ledger = result["ledger"][entry]
    assert abs(ledger).max() > 0.01
    assert abs(ledger.sum("contract")).max() == approx(0, abs=1e-12)


def test_slices_of_one_plant(pipeline):
    """A half at 60, a quarter at 80 EUR/MWh: all the output is worth 30 + 20 + a quarter of the
    price.

    At -160 EUR/MWh that is 10, and the roof goes on; at -240 it is -10. Proves that two contracts
    on one plant add up."""
    slices = {"half": cfd(share=0.5), "quarter": cfd(strike=80, share=0.25)}
    result = pipeline(sited(slices, [100, -160, -240]))
    assert row(result, "renewable.curtail") == [0, 0, 4]
    assert result.attrs["profit"] == approx(3 * 0.075 + 5 * 0.010)


def test_slices_delivered_from_one_plant(pipeline):
    """The same in kind: three quarters leave, a quarter is sold; 1.25 kW cost 0.20 EUR at -160,
    3.75 kW earn 0.25.
    """
    slices = {
        "half": cfd(share=0.5, settlement="physical"),
        "quarter": cfd(strike=80, share=0.25, settlement="physical"),
    }
    result = pipeline(sited(slices, [100, -160, -240]))
    assert row(result, "renewable.curtail") == [0, 0, 4]
    assert row(result, "energy.position") == [0.75, 1.25, 0]
    assert result.attrs["profit"] == approx(3 * 0.075 + 5 * 0.010)


def test_each_contract_has_its_own_plant(pipeline):
    """Roof and wind alike, one under contract: 3 kWh at 60 and 3 at 50. Merged, both would be; or
    neither.
    """
    plants = {"roof": {"available": [3]}, "wind": {"available": [3]}, "sea": {"available": [3]}}
    result = pipeline(sited(cfd(renewable="wind"), [50], plants))
    assert result.attrs["profit"] == approx(0.18 + 0.30)
    assert result.attrs["merged_members"] == 1


def test_energy_short_of_what_is_due(pipeline):
    """15 kWh are agreed, a tenth may be missing: 1.5 of 13.5 kWh are short at 100 EUR/MWh, 0.15
    EUR.
    """
    due = {"contracted": 15, "tolerance": 0.1, "shortfall_price": 100, "period": "horizon"}
    result = pipeline(sited(cfd(settlement="physical", **due)))
    assert row(result, "ledger.ppa.shortfall") == [0, 0, -0.15]
    assert row(result, "ppa.behind")[-1] == 1.5
    assert result.attrs["profit"] == approx(0.72 - 0.15)


@pytest.mark.parametrize(("penalty", "curtailed"), [(10, 5), (30, 2)])
def test_a_shortfall_is_weighed_against_the_price(pipeline, penalty, curtailed):
    """Merchant but for a guarantee of 10 kWh: at -20 EUR/MWh it is met at a penalty of 30, and not
    at 10.
    """
    due = {"contracted": 10, "shortfall_price": penalty, "period": "horizon"}
    result = pipeline(sited(cfd(strike=PRICES, **due)))
    assert row(result, "renewable.curtail") == [0, curtailed, 0]
    assert result.attrs["profit"] == approx(0.51 - (0.03 if penalty == 10 else 0.06))


def test_a_month_is_due_pro_rata_and_by_itself(pipeline):
    """2688 kWh a month are 4 kWh an hour of February (672 h), 3.6129 of January (744 h), of which
    one hour is left.

    0.6129 kWh short in January at 100 EUR/MWh; February has 9 of 8 kWh, no help for January. In UTC
    January would have two hours, 8 of 7.2 kWh, and nothing short."""
    due = {"contracted": 4 * 672, "shortfall_price": 100, "period": "month"}
    tree = sited(cfd(volume_type="deemed", **due), start="2026-01-31 22:00", timezone="Europe/Rome")
    result = pipeline(tree)
    assert row(result, "ledger.ppa.shortfall") == [
        approx(-0.1 * (4 * 672 / 744 - 3), abs=1e-6),
        0,
        0,
    ]
    assert row(result, "ppa.ahead")[-1] == 1


@pytest.mark.parametrize(("period", "hours"), [("month", 743), ("year", 8760), ("horizon", 3)])
def test_periods_have_their_own_length(pipeline, period, hours):
    """March 2026 is an hour short in Rome. A period's energy is due at its rate: 6 kWh more than
    that are ahead.
    """
    due = {"contracted": 2 * hours, "shortfall_price": 100, "period": period}
    result = pipeline(
        sited(cfd(volume_type="deemed", **due), start="2026-03-29 00:00", timezone="Europe/Rome")
    )
    assert row(result, "ppa.ahead")[-1] == 6


def test_nothing_is_due_while_the_contract_rests(pipeline):
    """At -20 EUR/MWh nothing counts and nothing is due: 4 of 8 kWh behind, at the end as after the
    hour before.
    """
    due = {"contracted": 5 * 3, "shortfall_price": 100, "period": "horizon", "negative_hours": 0}
    result = pipeline(sited(cfd(**due)))
    assert row(result, "ppa.behind") == [2, 2, 3]


def test_the_balance_is_carried_to_the_next_window():
    """Four hours at once, and two by two: the same balance of the month at the end, and the same
    shortfall there.
    """
    roof = {"available": [3, 3, 4, 1]}
    due = {"contracted": 4 * 744, "shortfall_price": 100, "period": "month"}
    whole = v2g.solve(tree := sited(cfd(**due), [50, 20, 90, 10], roof))
    later = v2g.solve(window := v2g.with_initial_state(tree, whole, 2))
    assert row(whole, "ppa.behind") == [1, 2, 2, 5]
    assert row(later, "ppa.behind") == [2, 5]
    fresh = sited(cfd(**due), [90, 10], {"available": [4, 1]}, start="2026-02-01 00:00")
    fresh["ppa"] = window["ppa"].to_dataset(inherit=False)
    # a month that begins with the window owes nothing from the one before
    assert row(v2g.solve(fresh), "ppa.ahead")[0] == 0
    assert row(v2g.solve(fresh), "ppa.behind")[0] == approx(4 * 744 / 672 - 4, abs=1e-6)


MIDMONTH = {
    "mean_initial": 40,
    "mean_hours_initial": 6,
    "settled_initial": 10,
    "averaging": "month",
}


@pytest.mark.parametrize(
    ("settlement", "strike", "paid"), [("two_way", 60, 0.24), ("one_way", 45, 0.06)]
)
def test_a_month_at_its_old_mean(pipeline, settlement, strike, paid):
    """Three hours at 40 after six at 40 on average: nothing to correct, 12 kWh at strike - 40."""
    deal = cfd(settlement=settlement, strike=strike, volume_type="deemed") | MIDMONTH
    result = pipeline(sited(deal, [40, 20, 60]))
    assert sum(row(result, "ledger.ppa.difference")) == approx(paid)
    assert row(result, "ledger.ppa.correction") == [0]


@pytest.mark.parametrize(
    ("settlement", "paid", "corrected"), [("two_way", -0.12, -0.30), ("one_way", 0.0, -0.20)]
)
def test_a_month_goes_on(pipeline, settlement, paid, corrected):
    """Six hours at a mean of 40, then three at 130: (6 x 40 + 3 x 130) / 9 = 70 EUR/MWh, above the
    strike of 60.

    12 kWh are settled at 60 - 70. The 10 kWh of before were paid (60 - 40) and are worth 60 - 70, 0
    one way: 10 x -30 or 10 x -20 EUR/MWh. Without what came before the mean would be 130."""
    deal = cfd(settlement=settlement, volume_type="deemed") | MIDMONTH
    result = pipeline(sited(deal, [130, 130, 130]))
    assert sum(row(result, "ledger.ppa.difference")) == approx(paid)
    assert row(result, "ledger.ppa.correction") == [approx(corrected)]
    assert row(result, "ppa.settled") == [13, 18, 22]
    assert row(result, "ppa.mean_hours") == [7, 8, 9]
    assert row(result, "ppa.mean_to_date") == [
        approx(0.37 / 7, abs=1e-6),
        approx(0.0625),
        approx(0.07),
    ]


def test_a_new_month_knows_nothing_of_the_old(pipeline):
    """The horizon begins with the month: the mean is its own, 130, and nothing is corrected."""
    deal = cfd(volume_type="deemed") | MIDMONTH
    result = pipeline(sited(deal, [130, 130, 130], start="2026-02-01"))
    assert sum(row(result, "ledger.ppa.difference")) == approx(12 * -0.07)
    assert row(result, "ledger.ppa.correction") == [0]


@pytest.mark.parametrize(
    ("before", "paid"), [(0, [0.8 * 0.3, 0.8 * 0.5, 0.0]), (1.5, [0.0, 0.0, 0.0]), (0.5, None)]
)
def test_a_run_goes_on(pipeline, before, paid):
    """Two hours below 0 after 1.5 hours are 3.5, beyond the 3 of the clause; after none or half an
    hour they are not.

    At -20 and strike 60 an hour is paid 80 EUR/MWh on 3 and 5 kWh; the third is at the strike.
    """
    deal = cfd(volume_type="deemed", negative_hours=3, negative_initial=before)
    result = pipeline(sited(deal, [-20, -20, 60]))
    assert row(result, "ledger.ppa.difference") == approx(paid or [0.24, 0.4, 0.0])
    assert row(result, "ppa.negative_run") == [before + 1, before + 2, 0]


def test_a_shortfall_is_charged_once(pipeline):
    """2 kWh behind and charged for, 12 kWh come of 15 due in the horizon: 5 behind, 3 of them new,
    at 0.1 EUR.
    """
    due = {"contracted": 15, "shortfall_price": 100, "period": "horizon", "behind_initial": 2}
    assert sum(row(pipeline(sited(cfd(**due))), "ledger.ppa.shortfall")) == approx(-0.3)


def test_a_window_of_the_horizon_owes_its_part():
    """A third of three hours owes a third of what is due in them, not all of it: 5 of 15 kWh, 3
    come.
    """
    tree = sited(cfd(contracted=15, shortfall_price=100, period="horizon"))
    assert row(v2g.solve(v2g.select_window(tree, 0, 1)), "ppa.behind") == [2]


@pytest.mark.through_file
def test_each_future_has_its_own_settlement(pipeline):
    """Prices of 10 or -30, strike 60: the difference is 50 or 90, paid on 3 kW in both; the mean is
    0.21 EUR.

    Day-ahead positions are the same in both futures, 3 x -10 on average: 0.21 - 0.03 EUR.
    """
    result = pipeline(
        sited(
            cfd(),
            {"price": {"high": [10], "low": [-30]}, "limit": 100},
            {"available": [3]},
            scenarios={"high": 0.5, "low": 0.5},
        )
    )
    assert row(result, "ledger.ppa.difference") == [0.15, 0.27]
    assert result.attrs["profit"] == approx(0.18)


def test_a_contract_stands_on_every_rung():
    """The ladder of a car beside a contract: the same settlement on all rungs, counted as
    energy.
    """
    car = vehicle(energy_min=[0, 0, 10], discharge_max=5)
    tree = case(car, market([80, 20, 60]), ppa=baseload(2, settlement="physical", side="buyer"))
    ladder = v2g.compare(tree)["ladder"].to_dataset()
    assert ladder.ledger.sel(entry="ppa.delivery").values == approx([-0.36] * 3)
    assert ladder.step.sel(cause="other").values == approx([0] * 3)


def test_no_contracts_change_nothing():
    """A group without members is no contract."""
    tree = sited(cfd())
    tree["ppa"] = tree["ppa"].to_dataset().isel(contract=slice(0))
    assert v2g.solve(tree).attrs["profit"] == approx(0.51)


@pytest.fixture(scope="module")
def honest():
    """A contract on the roof that falls short, one delivered, and one that buys."""
    due = {"contracted": 20, "shortfall_price": 100, "period": "horizon"}
    deals = {
        "roof": cfd(share=0.5, **due),
        "sold": baseload(2, settlement="physical"),
        "bought": baseload(1, side="buyer"),
    }
    return v2g.solve(sited(deals, [50, 20, 90]))


TAMPERED = {
    "difference": ("ledger.ppa.difference", 0.01, "ppa.difference"),
    "delivery": ("ledger.ppa.delivery", 0.01, "ppa.delivery"),
    "shortfall": ("ledger.ppa.shortfall", 0.01, "ppa.shortfall"),
    "not delivered": ("energy.position", 2.0, "node.electricity"),
    "output that was not": ("renewable.curtail", 1.0, "ppa.difference"),
}


@pytest.mark.parametrize(("name", "change", "check"), TAMPERED.values(), ids=TAMPERED)
def test_a_false_number_is_found(honest, name, change, check):
    """The last number of one array is changed: the audit does not pass, and the expected check sees
    it.
    """
    checks = v2g.replay(tampered_at(honest, name, change))
    assert checks.attrs["passed"] == 0
    assert float(checks[check]) > 1e-6


@pytest.mark.parametrize(
    ("name", "change"), [("ppa.ahead", 0.5), ("ppa.behind", 0.5), ("ppa.ahead", -1.0)]
)
def test_a_false_balance_is_found(honest, name, change):
    """Energy ahead of what is due, or behind, that is not there."""
    checks = v2g.replay(tampered_at(honest, name, change))
    assert float(checks["ppa.due"]) > 1e-6
    if change < 0:
        assert float(checks["ppa.sign"]) > 1e-6


def tampered_at(result: xr.DataTree, name: str, change: float) -> xr.DataTree:
    """The last step of the contract `roof`, or of whatever there is."""
    group, _, quantity = name.partition(".")
    array = result[group][quantity]
    if "contract" not in array.dims:
        return tampered(result, name, change)
    changed = result.copy(deep=True)
    which = "sold" if quantity.endswith("delivery") else "roof"
    spot = xr.zeros_like(array)
    spot.loc[{"contract": which, "time": array.time[-1]}] = change
    changed[group] = changed[group].to_dataset().assign({quantity: array + spot})
    return changed


READINGS = {
    "a mean": ("ppa.mean_to_date", 0.01, "ppa.mean_to_date"),
    "hours": ("ppa.mean_hours", 1.0, "ppa.mean_hours"),
    "energy settled": ("ppa.settled", 1.0, "ppa.settled"),
    "a run": ("ppa.negative_run", 1.0, "ppa.negative_run"),
    "a correction": ("ledger.ppa.correction", 0.01, "ppa.correction"),
}


@pytest.fixture(scope="module")
def monthly():
    return v2g.solve(sited(cfd(negative_hours=3, negative_initial=1) | MIDMONTH, [130, 130, -20]))


@pytest.mark.parametrize(("name", "change", "check"), READINGS.values(), ids=READINGS)
def test_a_false_reading_is_found(monthly, name, change, check):
    """What the next window begins with is read off prices and output again."""
    assert float(audit_of_tampered(monthly, name, change)[check]) > 1e-6


@pytest.mark.parametrize(
    ("field", "check"),
    [
        ("mean_initial", "correction"),
        ("mean_hours_initial", "difference"),
        ("settled_initial", "correction"),
    ],
)
def test_another_past_is_another_bill(monthly, field, check):
    changed = monthly.copy(deep=True)
    changed["ppa"] = changed["ppa"].to_dataset().assign({field: ("contract", [7.0])})
    assert float(v2g.replay(changed)[f"ppa.{check}"]) > 1e-6


def test_a_false_suspension_is_found():
    """A contract that rests is paid nothing: a clause that is struck out of the written file makes
    the bill wrong.
    """
    result = v2g.solve(sited(cfd(volume_type="deemed", negative_hours=0)))
    for field, value in {
        "negative_hours": np.nan,
        "averaging": "month",
        "side": "buyer",
        "strike": 61.0,
    }.items():
        changed = result.copy(deep=True)
        changed["ppa"] = changed["ppa"].to_dataset().assign({field: ("contract", [value])})
        assert float(v2g.replay(changed)["ppa.difference"]) > 1e-6, field


BAD = {
    "no plant": ({"strike": 60}, "ppa.renewable", "name the plant"),
    "empty plant": (cfd(renewable=""), "ppa.renewable", "name the plant"),
    "unknown plant": (
        cfd(renewable="rof"),
        "ppa.renewable",
        "'rof' is not a renewable of /renewable; did you mean roof?",
    ),
    "unknown market": (cfd(reference="day_ahed"), "ppa.reference", "did you mean day_ahead?"),
    "power of no baseload": (cfd(baseload=3), "ppa.baseload", "volume_type"),
    "own energy bought": (
        cfd(settlement="physical", side="buyer"),
        "ppa.settlement",
        "count twice",
    ),
    "free shortfall": (cfd(contracted=10), "ppa.shortfall_price", "give what a kWh"),
    "buyer owes": (
        cfd(side="buyer", contracted=10, shortfall_price=1),
        "ppa.contracted",
        "from a seller only",
    ),
    "side": (cfd(side="seler"), "ppa.side", "did you mean seller?"),
    "settlement": (cfd(settlement="twoway"), "ppa.settlement", "did you mean two_way?"),
    "volume": (cfd(volume_type="outputs"), "ppa.volume_type", "did you mean output?"),
    "averaging": (cfd(averaging="monthly"), "ppa.averaging", "did you mean month?"),
    "period": (cfd(period="years"), "ppa.period", "did you mean year?"),
    "share above 1": (cfd(share=1.5), "ppa.share", "allowed [0, 1]"),
    "share below 0": (cfd(share=-0.5), "ppa.share", "allowed [0, 1]"),
    "negative power": (baseload(-1), "ppa.baseload", "allowed [0, inf] kW"),
    "negative clause": (cfd(negative_hours=-1), "ppa.negative_hours", "allowed [0, inf] h"),
    "tolerance": (cfd(tolerance=2), "ppa.tolerance", "allowed [0, 1]"),
    "negative penalty": (
        cfd(shortfall_price=-1),
        "ppa.shortfall_price",
        "allowed [0, inf] EUR/MWh",
    ),
    "negative energy": (cfd(contracted=-1), "ppa.contracted", "allowed [0, inf] kWh"),
    "negative balance": (cfd(ahead_initial=-1), "ppa.ahead_initial", "allowed [0, inf] kWh"),
    "negative debt": (cfd(behind_initial=-1), "ppa.behind_initial", "allowed [0, inf] kWh"),
    "a mean of nothing": (
        cfd(mean_initial=40),
        "ppa.mean_hours_initial",
        "give the hours before the first step",
    ),
    "settled at nothing": (
        cfd(settled_initial=4),
        "ppa.mean_hours_initial",
        "give the hours before the first step",
    ),
    "negative hours": (cfd(mean_hours_initial=-1), "ppa.mean_hours_initial", "allowed [0, inf] h"),
    "negative run": (cfd(negative_initial=-1), "ppa.negative_initial", "allowed [0, inf] h"),
    "negative past": (
        cfd(settled_initial=-1, mean_hours_initial=1),
        "ppa.settled_initial",
        "allowed [0, inf] kWh",
    ),
    "no strike": (cfd(strike=float("nan")), "ppa.strike", "missing (NaN)"),
}


@pytest.mark.parametrize(("contract", "where", "words"), BAD.values(), ids=BAD)
def test_bad_input_is_named(contract, where, words):
    """One problem, in the field that is wrong, with the contract and the remedy."""
    with pytest.raises(SchemaError) as found:
        v2g.check(sited(contract))
    (problem,) = found.value.problems
    assert problem.where == where
    assert words in problem.detail


def test_a_year_of_hours_builds_in_one_go():
    """50 contracts on 50 plants over 8760 hours, leap year and clock changes included: the
    differences add up.

    Half of what is available counts, all of it at a strike 10 above the price: 50 x 5 EUR/MWh x the
    energy."""
    time = pd.date_range("2028-01-01", periods=8784, freq="h", name="time")
    rng = np.random.default_rng(1)
    price, sun = (
        rng.integers(-50, 100, 8784).astype(float),
        rng.integers(0, 9, (50, 8784)).astype(float),
    )
    names = [f"plant-{i}" for i in range(50)]
    groups = {
        "renewable": xr.Dataset(
            {"available": (("renewable", "time"), sun)}, coords={"renewable": names}
        ),
        "energy": xr.Dataset({"price": ("time", price), "limit": 1e6}, coords={"market": ["spot"]}),
        "ppa": xr.Dataset(
            {
                "strike": ("time", price + 10),
                "renewable": ("contract", names),
                "share": 0.5,
                "volume_type": ("contract", ["deemed"] * 50),
            },
            coords={"contract": names},
        ),
    }
    result = v2g.solve(v2g.assemble(time, groups, timezone="Europe/Rome"))
    assert float(result["ledger"]["ppa.difference"].sum()) == approx(sun.sum() * 0.5 * 0.01)
