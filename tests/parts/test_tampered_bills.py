"""Each line of a pod's bill, each reading of its meter and each rule of its connection is found
when it is changed.
"""

import pytest
import xarray as xr
from cases import case, market, product, row, storage, vehicle
from tampering import audit_of_tampered, tampered

import v2g_linopy as v2g


@pytest.fixture(scope="module")
def honest() -> xr.DataTree:
    """A pod with a supplier, whose battery holds a reserve, and one on the market with a car; both
    pay every tariff.
    """
    tariff = {
        "fee_import": 10.0,
        "fee_export": 5.0,
        "tax": 5.0,
        "vat": 0.2,
        "usage_cost": 0.01,
        "fixed_cost": 100.0,
    }
    tariff |= {
        "subscribed": 4.0,
        "subscribed_price": 50.0,
        "overrun_price": 1.0,
        "capacity": 9.0,
        "capacity_cost": 7.0,
    }
    tariff |= {"peak_price": 2.0, "peak_count": 2.0, "import_max": 30.0, "export_max": 30.0}
    contract = {
        "supply_price": [200.0, 150, 100],
        "feed_in_price": 50.0,
        "peak_period": "day",
        "day_initial": 1.0,
    }
    supplied = {"peak_initial": xr.DataArray([3.0, 1.0], coords={"rank": [1, 2]}, dims="rank")}
    connection = {"home": tariff | contract | supplied, "depot": tariff | supplied}
    at = {"start": "2026-01-10 22:00", "timezone": "UTC"}
    loads = {
        "house": {"baseline": [6.0, 2, 5], "pod": "home"},
        "office": {"baseline": [1.0, 9, 3], "pod": "depot"},
    }
    roofs = {
        "house": {"available": [0.0, 9, 0], "pod": "home"},
        "office": {"available": [5.0, 0, 0], "pod": "depot"},
    }
    given = {"load": loads, "renewable": roofs, "battery": storage(pod="home", energy_max=3.0)}
    reserve = product(up=1, activation_up=0.1, activation_price_up=90.0, capacity_price=5.0)
    car = vehicle(pod="depot", energy_min=[0, 0, 8], energy_max=12)
    return v2g.solve(case(car, market([60.0, 50, 70]), reserve, connection, **at, **given))


def test_the_honest_result_passes(honest):
    """Nothing is wrong with what the other tests change, and every line of the bill is there."""
    checks = v2g.replay(honest)
    assert checks.attrs["passed"] == 1
    assert max(float(x) for x in checks.data_vars.values()) < 1e-9
    lines = {
        str(n).partition(".")[2]
        for n in honest["ledger"].data_vars
        if str(n).startswith("connection.")
    }
    assert lines == {*LINES}
    for line in LINES:
        assert float(abs(honest["ledger"][f"connection.{line}"]).sum()) > 0, line
    assert sum(row(honest, "reserve.volume")) > 0


LINES = (
    *("supply", "feed_in", "fee_import", "fee_export", "tax", "vat", "usage"),
    *("subscribed", "fixed", "capacity", "peak", "overrun", "vat_capacity"),
)
READINGS = {
    "an import that nobody drew": ("connection.import_", 0.5, "connection.meter"),
    "an import that is not paid": ("connection.import_", -0.5, "connection.supply"),
    "an import below zero": ("connection.import_", -40.0, "connection.sign"),
    "an export that nobody fed in": ("connection.export", 0.5, "connection.meter"),
    "a peak forgotten": ("connection.peak", -1.0, "connection.metered_peak"),
    "an overrun forgotten": ("connection.overrun", -1.0, "connection.metered_overrun"),
    "an hour's reading": ("connection.hour_energy", 0.1, "connection.metered_hour_energy"),
    "a day's reading": ("connection.day_peak", 0.1, "connection.metered_day_peak"),
    "a month's reading": ("connection.peak_to_date", 0.1, "connection.metered_peak_to_date"),
    "an overrun's reading": (
        "connection.overrun_to_date",
        -0.1,
        "connection.metered_overrun_to_date",
    ),
    "a reading missing": (
        "connection.peak_to_date",
        float("nan"),
        "connection.metered_peak_to_date",
    ),
    "a market for a supplied pod": ("energy.position", 0.5, "node.electricity"),
    "activation that no meter shows": ("reserve.share_battery", 0.5, "node.electricity"),
}


@pytest.mark.parametrize("line", LINES)
def test_a_false_line_is_found(honest, line):
    """A cent more on one line: the audit does not pass, and the check of that line sees it."""
    checks = audit_of_tampered(honest, f"ledger.connection.{line}", 0.01)
    assert checks.attrs["passed"] == 0
    assert float(checks[f"connection.{line}"]) > 1e-6


@pytest.mark.parametrize(("name", "change", "check"), READINGS.values(), ids=READINGS)
def test_a_false_reading_is_found(honest, name, change, check):
    checks = audit_of_tampered(honest, name, change)
    assert checks.attrs["passed"] == 0
    assert float(checks[check]) > 1e-6


def test_a_flow_both_ways_is_found(honest):
    """1 kW more in and out keeps the meter's balance, and is no plan."""
    changed = tampered(tampered(honest, "connection.import_", 1.0), "connection.export", 1.0)
    checks = v2g.replay(changed)
    assert float(checks["connection.meter"]) < 1e-9
    assert float(checks["connection.both_ways"]) >= 1


PRICES = {
    "supply_price": "supply",
    "feed_in_price": "feed_in",
    "fee_import": "fee_import",
    "fee_export": "fee_export",
    "tax": "tax",
    "vat": "vat",
    "usage_cost": "usage",
    "peak_price": "peak",
    "peak_weight": "peak",
    "peak_count": "peak",
    "peak_initial": "peak",
    "day_initial": "metered_day_peak",
    "subscribed": "overrun",
    "subscribed_price": "subscribed",
    "overrun_price": "overrun",
    "overrun_initial": "overrun",
    "fixed_cost": "fixed",
    "capacity": "capacity",
    "capacity_cost": "capacity",
}


@pytest.mark.parametrize(("field", "line"), PRICES.items())
def test_the_bill_is_that_of_the_case(honest, field, line):
    """Every field of the tariff changes the line it belongs to: a bill made with another price does
    not pass.
    """
    changed = honest.copy(deep=True)
    given = changed["connection"].to_dataset(inherit=False)
    more = {"peak_count": 1.0, "day_initial": 20.0}.get(field, 0.5)
    array = given.get(field, xr.DataArray(1.0 if field == "peak_weight" else 0.0))
    changed["connection"] = given.assign({field: array + more})
    if field == "peak_count":  # its two ranks would no longer fit
        changed["connection"] = (
            changed["connection"].to_dataset(inherit=False).drop_vars("peak_initial")
        )
    checks = v2g.replay(changed)
    assert checks.attrs["passed"] == 0
    assert float(checks[f"connection.{line}"]) > 1e-6
