"""What an array of a made or imported case says of itself is what the schema of its part says."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import v2g_linopy as v2g
from v2g_linopy.data import (
    Regulation,
    case_from_sessions,
    charging_station,
    commuters,
    depot,
    fleets,
    frequency_record,
    nordic_fcr,
    portfolio,
    sequential,
    site,
    with_prices,
    with_profiles,
    with_reserves,
)
from v2g_linopy.data.generators.noise_and_prices import italian_prices
from v2g_linopy.data.sessions.new_case import declared_fields, with_meaning
from v2g_linopy.model.sessions import SESSION_FIELDS

TIME = pd.date_range("2026-03-23", periods=24, freq="h", name="time")


def imported() -> xr.DataTree:
    """Two sessions at two connectors of one charger, with regulation and imbalance."""
    table = xr.Dataset(
        {
            "arrival": ("session", TIME[[2, 3]]),
            "departure": ("session", TIME[[8, 9]]),
            "vehicle": ("session", ["a", "b"]),
            "pod": ("session", ["yard", "yard"]),
            "connector": ("session", ["left", "right"]),
            "capacity": ("session", [40.0, 40.0]),
            "energy_arrival": ("session", [10.0, 10.0]),
            "energy_need": ("session", [20.0, 20.0]),
            "taper_from": ("session", [0.8, 0.8]),
            "taper_to": ("session", [0.2, 0.2]),
            "retail_price": ("session", [0.3, 0.3]),
        }
    )
    plugs = xr.Dataset(
        {
            "current": ("connector", ["DC", "DC"]),
            "charge_max": ("connector", [50.0, 50.0]),
            "charge_min": ("connector", [2.0, 2.0]),
            "charger": ("connector", ["twin", "twin"]),
            "charger_max": ("connector", [60.0, 60.0]),
        },
        {"connector": ["left", "right"]},
    )
    prices = italian_prices(TIME)
    return case_from_sessions(
        table,
        prices.assign(long=prices.day_ahead - 5, short=prices.day_ahead + 5),
        timezone="UTC",
        connectors=plugs,
        regulation=Regulation(settlement="energy"),
        imbalance=("long", "short"),
    )


def with_everything_added() -> xr.DataTree:
    """A case into which profiles, prices, reserves and a frequency record were imported."""
    case = site(vehicles=2, days=1, start="2026-03-23", timezone="UTC", solar=0.0)
    case["energy"] = xr.DataTree(
        xr.Dataset({"price": ("market", [0.0]), "limit": ("market", [9.0])}, {"market": ["spot"]})
    )
    roof = xr.Dataset({"roof": ("time", np.ones(24), {"units": "MW"})}, {"time": TIME})
    case = with_profiles(case, "renewable", "available", roof, pods={"roof": "site"})
    prices = italian_prices(TIME)
    read = prices.assign(long=prices.day_ahead - 5, short=prices.day_ahead + 5)
    case = with_prices(case, read, ["day_ahead"], ("long", "short"))
    capacity = xr.Dataset(
        {"FCR-N": ("time", np.full(24, 12.0), {"units": "EUR/MW/h"})}, {"time": TIME}
    )
    case = with_reserves(case, capacity)
    record = frequency_record(TIME[0], 24, step="1min")
    return v2g.with_frequency(case, record["frequency"])


CASES = {
    "commuters": lambda: commuters(vehicles=2, days=1),
    "fleets": lambda: fleets(hours=24),
    "depot": lambda: depot(vehicles=2, days=1),
    "homes_and_depot": lambda: v2g.homes_and_depot(vehicles=2, days=1),
    "site": lambda: site(vehicles=2, days=1),
    "portfolio": lambda: portfolio(vehicles=4, days=1, pods=5, start="2026-03-23"),
    "nordic_fcr": lambda: nordic_fcr(vehicles=2, days=1),
    "sequential": lambda: sequential(vehicles=2, days=1),
    "charging_station": lambda: charging_station(vehicles=2, days=1),
    "imported sessions": imported,
    "imported series": with_everything_added,
}
ADDED = {"imported series": {"energy.limit"}}  # written by this test, without a meaning


@pytest.mark.parametrize("name", CASES)
def test_every_array_says_what_the_schema_says(name):
    """Unit and meaning of every array of every group; a table of sessions has its own schema."""
    case, seen, wrong = CASES[name](), 0, []
    for group in case.children:
        declared = declared_fields(group)
        for field, array in case[group].to_dataset().data_vars.items():
            where, seen = f"{group}.{field}", seen + 1
            if where in ADDED.get(name, ()):
                continue
            expected = declared[str(field)]
            word = expected.kind in ("label", "choice")
            unit = None if word else expected.unit
            if (array.attrs.get("units"), array.attrs.get("long_name")) != (unit, expected.doc):
                wrong.append((where, array.attrs, unit, expected.doc))
    assert not wrong
    assert seen > 8
    v2g.check(case)


def test_what_is_assumed_of_sessions_says_so():
    """The rule for batteries uses the meaning of each column, and adds that it is no data."""
    table = xr.Dataset(
        {
            "arrival": ("session", TIME[[2]]),
            "departure": ("session", TIME[[8]]),
            "energy": ("session", [10.0]),
            "power_max": ("session", [11.0]),
        }
    )
    made = v2g.data.BatteryAssumption().apply(table)[0]
    for name in set(made.data_vars) - set(table.data_vars):
        field = SESSION_FIELDS[str(name)]
        assert made[name].attrs == {"units": field.unit, "long_name": f"{field.doc} (assumed)"}


def test_a_case_in_another_money_says_so():
    """Prices of a case in dollars are per dollar in every unit that is added."""
    table = imported()["sessions"].to_dataset().drop_vars("retail_price")
    prices = italian_prices(TIME)
    for price in prices.data_vars.values():
        price.attrs["units"] = "USD/MWh"
    case = case_from_sessions(
        table, prices, timezone="UTC", currency="USD", regulation=Regulation()
    )
    assert case["energy"].price.attrs["units"] == "USD/MWh"
    assert case["fleet"].unserved_cost.attrs["units"] == "USD/kWh"
    assert case["reserve"].capacity_price.attrs["units"] == "USD/MW/h"


def test_a_unit_that_is_given_stays():
    """12 MW stay 12 MW: the meaning is that of the schema, the numbers are not touched. A table of
    sessions also keeps a meaning of its own.
    """
    given = {"units": "MW", "long_name": "of the maker"}
    fleet = xr.Dataset({"charge_max": ((), 12.0, given)})
    assert with_meaning("fleet", fleet).charge_max.attrs == {
        "units": "MW",
        "long_name": "power the plugged vehicles can draw",
    }
    assert with_meaning("sessions", fleet).charge_max.attrs == given
