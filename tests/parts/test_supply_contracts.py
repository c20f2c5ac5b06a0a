"""The bill of a pod: its supplier beside the markets, fees, taxes, subscribed capacity and the cost
of operation.
"""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from cases import case, market, product, row, storage, vehicle
from pytest import approx

import v2g_linopy as v2g

CONTRACT = {"supply_price": 200.0, "feed_in_price": 50.0}
HOUR = 8760.0  # EUR a year that are 1 EUR an hour


def house(*power: float, **fields: object) -> dict:
    return {"baseline": [float(p) for p in power]} | fields


def roof(*power: float, **fields: object) -> dict:
    return {"available": [float(p) for p in power]} | fields


def test_a_pod_buys_from_its_supplier(pipeline):
    """2 kW at 200 EUR/MWh and 3 kW of roof at 50; the market would pay 80 for both and sees
    neither.
    """
    given = {"load": house(2, 0), "renewable": roof(0, 3)}
    result = pipeline(case(None, market(80), connection=CONTRACT, **given))
    assert row(result, "energy.position") == [0, 0]
    assert row(result, "ledger.connection.supply") == [-0.4, 0]
    assert row(result, "ledger.connection.feed_in") == [0, 0.15]
    assert row(result, "price.electricity") == [200, 50]
    assert result.attrs["profit"] == approx(-0.25)


def test_one_pod_with_a_supplier_and_one_without(pipeline):
    """`a` draws 2 kW at 200 EUR/MWh, `b` 3 kW at the market's 80: 0.40 + 0.24; the position is that
    of `b` alone.
    """
    load = {"a": house(2, pod="a"), "b": house(3, pod="b")}
    result = pipeline(case(None, market(80), connection={"a": CONTRACT, "b": {}}, load=load))
    assert row(result, "energy.position") == [-3]
    assert result.attrs["profit"] == approx(-0.64)


def test_pods_with_a_supplier_do_not_trade_with_each_other(pipeline):
    """`a` has 2 kW to spare at 50 EUR/MWh, `b` needs 2 kW at 200: 0.10 - 0.40. In one portfolio it
    would be 0.
    """
    given = {"load": {"b": house(2, pod="b")}, "renewable": {"a": roof(2, pod="a")}}
    result = pipeline(case(None, None, connection={"a": CONTRACT, "b": CONTRACT}, **given))
    assert result.attrs["profit"] == approx(-0.30)


def test_no_market_is_needed_where_every_pod_has_a_supplier(pipeline):
    """4 kWh of battery move 2 kWh from an hour at 300 to one at 100 EUR/MWh: 6 kWh x 0.1 and
    nothing later.
    """
    battery = storage(energy_max=4.0)
    contract = CONTRACT | {"supply_price": [100.0, 300]}
    result = pipeline(case(None, None, connection=contract, load=house(2, 4), battery=battery))
    assert "market" not in result["price"]
    assert row(result, "connection.import_") == [6, 0]
    assert result.attrs["profit"] == approx(-0.6)


def test_pods_with_a_supplier_are_solved_apart():
    """Two pods that share nothing are two blocks, also where the case has a market; without one it
    has no row.
    """
    load = {name: house(2, 4, pod=name) for name in "ab"}
    battery = {name: storage(pod=name, energy_max=size) for name, size in (("a", 3.0), ("b", 4.0))}
    contract = CONTRACT | {"supply_price": [100.0, 300]}
    given = {"connection": {"a": contract, "b": contract}, "load": load, "battery": battery}
    for energy in (None, market(80)):
        assert v2g.solve(case(None, energy, **given)).attrs["blocks"] >= 2
    assert v2g.build(case(None, None, **given)).constraints["node.market"].ncons == 0


GATES = {"day_ahead": market([50]), "intraday": market([80])}


def test_a_supplied_pod_backs_no_trade(pipeline):
    """Day-ahead at 50, intraday at 80 EUR/MWh; 4 kW of roof trade there. 10 kW of roof above a load
    of 10 kW have a supplier.

    4 x 0.08 = 0.32. Were the supplied pod to back sales and purchases, 10 kW more would be bought
    at 50 and sold at 80: 0.62."""
    roofs = {"a": roof(10, pod="a"), "b": roof(4, pod="b")}
    connection = {"a": CONTRACT, "b": {}}
    result = pipeline(
        case(None, GATES, connection=connection, renewable=roofs, load={"a": house(10, pod="a")})
    )
    assert row(result, "energy.position") == [0, 4]
    assert result.attrs["profit"] == approx(0.32)


def test_reserves_of_a_supplied_pod_back_no_trade(pipeline):
    """10 kW each of a product up and one down, 10 EUR/MW of capacity: 0.20 EUR. Half of both is
    expected to be called, 5 kW in and 5 kW out that the markets do not see; as backing they would
    be traded for 0.15 more."""
    way = {
        "activation_price_up": 0.0,
        "activation_price_down": 0.0,
        "capacity_price": [10.0],
        "volume_max": 10,
    }
    products = {
        "up": product(up=1, activation_up=0.5, **way),
        "down": product(down=1, activation_down=0.5, **way),
    }
    battery = storage(energy_initial=5.0, energy_min=5.0, energy_max=5.0)
    result = pipeline(case(None, GATES, products, CONTRACT, battery=battery))
    assert row(result, "reserve.volume") == [10, 10]
    assert row(result, "energy.position") == [0, 0]
    assert result.attrs["profit"] == approx(0.20)


UPWARD = product(up=1, activation_up=0.5, activation_price_up=100.0)


@pytest.mark.parametrize("energy", [None, market(60)], ids=["no market", "market"])
def test_activation_at_a_supplied_pod_is_on_its_meter(pipeline, energy):
    """5 kWh on board leave through activation: 10 kW of upward reserve, half of it expected to be
    called.

    100 EUR/MWh for the activated energy and the supplier's 50 for what the meter counts: 0.75 EUR.
    The market sees neither: delivering to the reserve from there would cost 0.30 more."""
    battery = storage(charge_max=[0.0], energy_initial=5.0)
    result = pipeline(case(None, energy, UPWARD, CONTRACT, battery=battery))
    assert row(result, "reserve.volume") == [10]
    assert row(result, "connection.export") == [5]
    assert result.attrs["profit"] == approx(0.75)


def test_activation_without_a_supplier_is_delivered_from_the_market(pipeline):
    """The same battery beside it without a contract: its 5 kWh of activation earn 100 EUR/MWh and
    nothing else, and only the one with a supplier is paid twice."""
    battery = {n: storage(charge_max=0.0, energy_initial=5.0, pod=n) for n in "ab"}
    result = pipeline(case(None, market([-60]), UPWARD, {"a": CONTRACT, "b": {}}, battery=battery))
    assert row(result, "energy.position") == [0]
    assert result.attrs["profit"] == approx(0.75 + 0.5)


def test_every_line_of_a_bill(pipeline):
    """2 kW for an hour, then 1 kW of surplus: each line by hand.

    supply 0.40, fee 0.02, tax 0.01; VAT 20 % of 0.43 = 0.086; feed-in 0.05 less a fee of 0.005;
    operation 0.01 EUR for each of 3 kWh; subscribed 4 kW at 1 EUR/kW/h for two hours with its VAT,
    8 + 1.6; fixed 2; 3 kW of rating 6."""
    connection = CONTRACT | {
        "fee_import": 10.0,
        "fee_export": 5.0,
        "tax": 5.0,
        "vat": 0.2,
        "usage_cost": 0.01,
    }
    connection |= {"subscribed": 4.0, "subscribed_price": HOUR, "fixed_cost": HOUR, "capacity": 3.0}
    connection |= {"capacity_cost": HOUR}
    result = pipeline(
        case(None, None, connection=connection, load=house(2, 0), renewable=roof(0, 1))
    )
    expected = {
        "supply": [-0.4, 0],
        "fee_import": [-0.02, 0],
        "tax": [-0.01, 0],
        "vat": [-0.086, 0],
        "feed_in": [0, 0.05],
        "fee_export": [0, -0.005],
        "usage": [-0.02, -0.01],
        "subscribed": [-8],
        "vat_capacity": [-1.6],
        "fixed": [-2],
        "capacity": [-6],
    }
    assert {entry: row(result, f"ledger.connection.{entry}") for entry in expected} == expected
    assert result.attrs["profit"] == approx(sum(map(sum, expected.values())))
    assert {
        n.partition(".")[2] for n in result["ledger"].data_vars if n.startswith("connection.")
    } == set(expected)


def test_yearly_costs_are_shared_out_over_the_months(pipeline):
    """Two hours in January and one in February: 2 and 1 EUR of a cost of 1 EUR an hour."""
    at = {"start": "2026-01-31 22:00", "load": house(1, 1, 1)}
    result = pipeline(case(None, market(0), connection={"fixed_cost": HOUR}, **at))
    assert row(result, "ledger.connection.fixed") == [-2, -1]


def test_fees_hold_a_battery_back(pipeline):
    """20 EUR/MWh between two hours do not pay 15 + 10 of grid fees; without them a kWh would be
    moved for 0.02.
    """
    battery = storage(energy_max=1.0)
    markets = market([40, 60])
    assert pipeline(case(None, markets, battery=battery)).attrs["profit"] == approx(0.02)
    fees = {"fee_import": 15.0, "fee_export": 10.0}
    assert pipeline(case(None, markets, connection=fees, battery=battery)).attrs[
        "profit"
    ] == approx(0)


PAID = {"supply_price": [200.0, -100, 200], "feed_in_price": [50.0, -110, 50], "vat": 0.2}


def test_tax_on_a_negative_price_needs_one_binary(pipeline):
    """At -100 EUR/MWh VAT turns a purchase into 120 received, and export costs 110: at once they
    would earn 10.

    2 kWh on board serve the first hour, 6 kWh are drawn in the second: 0.72. The 4 in store serve
    the last hour, 2 of them leave at 50: 0.10. Without the binary 10 kW would be drawn and 4 fed
    in, 0.04 more; without VAT in the test of signs there would be no binary."""
    limits = {"import_max": 10.0, "export_max": 10.0}
    battery = storage(energy_initial=2.0, energy_max=4.0, charge_max=4.0, discharge_max=4.0)
    result = pipeline(
        case(None, None, connection=PAID | limits, load=house(2, 2, 2), battery=battery)
    )
    assert result.attrs["binaries"] == 1
    assert row(result, "connection.importing") == [0, 1, 0]
    assert row(result, "connection.export") == [0, 0, 2]
    assert result.attrs["profit"] == approx(0.82)
    assert "no binaries" in result.attrs["complementarity"]  # of vehicles and batteries


@pytest.mark.parametrize(
    "limits", [{"import_max": 0.0}, {"export_max": 0.0}], ids=["import", "export"]
)
def test_one_way_needs_no_binary(limits):
    """Where only one direction is open there is nothing to keep apart, and no other limit is asked
    for.
    """
    tree = case(None, None, connection=PAID | limits, load=house(0, 0, 0), renewable=roof(1, 1, 1))
    assert v2g.solve(tree).attrs["binaries"] == 0


def test_what_costs_nothing_flows_one_way(pipeline):
    """A fee of -5 on import and 5 on export: both at once would cost nothing, without limit; the
    plan has the net.
    """
    result = pipeline(
        case(None, market(50), connection={"fee_import": -5.0, "fee_export": 5.0}, load=house(2, 3))
    )
    assert result.attrs["binaries"] == 0
    assert row(result, "connection.import_") == [2, 3]
    assert row(result, "connection.export") == [0, 0]


def test_what_flows_both_ways_is_taken_out_before_the_bill():
    """A solver may return any of many equal plans: 5 kW in and 3 kW out at one price become 2 kW
    in, and each line of the bill is that of 2 kW."""
    tree = case(
        None, None, connection={"supply_price": 100.0, "feed_in_price": 100.0}, load=house(2)
    )
    both = {"connection.import_": 5.0, "connection.export": 3.0}
    fix = {
        name: xr.DataArray([[x]], coords={"pod": ["site"], "time": tree["time"].values})
        for name, x in both.items()
    }
    result = v2g.solve(tree, fix=fix)
    assert row(result, "connection.import_") == [2]
    assert row(result, "ledger.connection.supply") == [-0.2]
    assert row(result, "ledger.connection.feed_in") == [0]


def test_overrun_of_each_month(pipeline):
    """5 kW are subscribed at 2 EUR per kW of overrun: 8 and 6 kW in January cost 3 kW, 7 kW in
    February 2 kW.

    10 EUR; by the energy above it, 6 kWh, it would be 12.
    """
    connection = {"subscribed": 5.0, "overrun_price": 2.0}
    at = {"start": "2026-01-31 22:00", "load": house(8, 6, 7)}
    result = pipeline(case(None, market(0), connection=connection, **at))
    assert row(result, "connection.overrun") == [3, 2]
    assert row(result, "ledger.connection.overrun") == [-6, -4]


def test_overrun_of_a_quarter_hour(pipeline):
    """8 kW for a quarter-hour above 5 kW: 3 kW, as a meter of quarter-hours reads it; the hour's
    mean is below.
    """
    connection = {"subscribed": 5.0, "overrun_price": 2.0}
    result = pipeline(
        case(None, market(0), connection=connection, load=house(8, 1, 1, 1), step="15min")
    )
    assert row(result, "connection.overrun") == [3]


def test_overrun_of_the_month_so_far(pipeline):
    """2 kW of overrun have been paid: 3 kW cost one more. On the first of a month they cost all
    three.
    """
    connection = {"subscribed": 5.0, "overrun_price": 2.0, "overrun_initial": 2.0}
    for start, expected in (("2026-01-10", -2), ("2026-02-01", -6)):
        result = pipeline(
            case(None, market(0), connection=connection, load=house(8, 4), start=start)
        )
        assert result.attrs["profit"] == approx(expected)


def test_a_battery_keeps_to_the_subscription(pipeline):
    """2 kWh on board against 8 kW where 5 are subscribed: 1 kW of overrun is left."""
    connection = {"subscribed": 5.0, "overrun_price": 2.0}
    battery = storage(charge_max=0.0, energy_initial=2.0)
    result = pipeline(
        case(None, market(0), connection=connection, load=house(8, 4), battery=battery)
    )
    assert result.attrs["profit"] == approx(-2)


def test_a_contract_in_each_scenario(pipeline):
    """The supplier's price is 100 or 300 EUR/MWh, with even chances: 2 kWh cost 0.40 on average."""
    prices = {"low": [100.0], "high": [300.0]}
    contract = {"site": {"supply_price": prices, "feed_in_price": 0.0}}
    result = pipeline(
        case(None, None, connection=contract, load=house(2), scenarios={"low": 0.5, "high": 0.5})
    )
    assert result.attrs["profit"] == approx(-0.40)


def test_the_ladder_with_a_supplier():
    """A car needs 10 kWh after hours at 300 and 100 EUR/MWh: unmanaged 3.00, smart 1.00; the 2.00
    are energy's.
    """
    car = vehicle(energy_min=[0, 10], energy_max=[40, 10])
    result = v2g.compare(case(car, None, connection=CONTRACT | {"supply_price": [300.0, 100]}))
    ladder = result["ladder"].to_dataset()
    assert ladder["profit"].values.tolist() == approx([-3, -1, -1])
    assert float(ladder["step"].sel(rung="smart", cause="energy")) == approx(2)


def test_other_prices_on_a_result_that_is_solved_again():
    """More ranks and other months than the result had: nothing of the old plan is left."""
    at = {"start": "2026-01-31 22:00", "load": house(1, 3, 2)}
    first = v2g.solve(case(None, market(0), connection={"peak_price": 1.0}, **at))
    changed = first["connection"].to_dataset().assign(peak_count=("pod", [2.0]))
    first["connection"] = changed
    again = v2g.solve(first)
    assert again["connection"].indexes["rank"].tolist() == [1, 2]
    assert row(again, "connection.peak") == [2, 2]
    assert np.isfinite(again["connection"]["peak_to_date"].isel(time=1).values).all()


def test_a_plan_is_not_rewritten_into_another_bill():
    """A part may rewrite its plan only into one that is worth the same: 3 kW of import for 2 is
    refused.
    """

    def another(v: object, d: xr.Dataset) -> dict[str, xr.DataArray]:
        return {"import_": d.import_ + 1.0}

    parts = v2g.PARTS | {"connection": replace(v2g.PARTS["connection"], postprocess=another)}
    with pytest.raises(v2g.SolverError, match=r"differ by 0\.2"):
        v2g.solve(case(None, None, connection=CONTRACT, load=house(2)), parts=parts, audit=False)
