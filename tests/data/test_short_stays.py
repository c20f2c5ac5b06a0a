"""Stays in which nothing can be planned, and numbers that no charger gives."""

import json

import numpy as np
import pytest
import xarray as xr
from sessions_made import stays

from v2g_linopy.data import case_from_sessions, read_netcdf_sessions
from v2g_linopy.data.generators.noise_and_prices import italian_prices
from v2g_linopy.data.tables.plausibility import STATED, check_stated_units, plausibility_problems
from v2g_linopy.data.tables.short_stays import without_short_stays
from v2g_linopy.errors import SchemaError


def metered_stays(*spans, energy):
    sessions = stays(*spans)[["arrival", "departure"]]
    return sessions.assign(energy=("session", np.asarray(energy, float), {"units": "kWh"}))


def with_an_open_one():
    """An hour; one that ends as it begins; one without end; one that ends before it begins."""
    sessions = metered_stays((0, 1), (2, 2), (3, 4), (6, 5), energy=[5.0, 3.0, 1.0, 1.0])
    departure = sessions.departure.to_numpy().copy()
    departure[2] = np.datetime64("NaT")
    return sessions.assign(departure=("session", departure))


def test_short_stays_are_counted_and_listed():
    """Of four stays the second (no length) and the third (open) go; the last is a fault, and
    stays.
    """
    kept = without_short_stays(with_an_open_one())
    assert kept.session.values.tolist() == [0, 3]
    assert json.loads(kept.attrs["left_out"]) == {"1": "no length, 3 kWh", "2": "open, no end"}
    assert kept.attrs["notes"] == (
        "2 sessions left out, in which nothing can be planned (short stays):"
        " 1 (no length, 3 kWh), 2 (open, no end)."
    )


def test_short_stays_may_be_problems():
    with pytest.raises(SchemaError) as error:
        without_short_stays(with_an_open_one(), "problem")
    assert [str(p) for p in error.value.problems] == [
        'sessions.departure: session 1: no length, 3 kWh; short_stays="drop" leaves it out',
        'sessions.departure: session 2: open, no end; short_stays="drop" leaves it out',
    ]


def test_no_energy_is_short_only_where_that_is_asked_for():
    """A car that stood ten hours and took nothing may sell reserves: it stays unless asked for."""
    sessions = metered_stays((0, 10.5), (1, 2), energy=[0.0, 1.0])
    assert without_short_stays(sessions) is sessions
    kept = without_short_stays(sessions, no_energy=True)
    assert json.loads(kept.attrs["left_out"]) == {"0": "no energy, 10 h 30 min"}


def test_nothing_but_short_stays_is_refused():
    with pytest.raises(SchemaError, match=r"no session is left; left out are 0 \(no length\)"):
        without_short_stays(metered_stays((1, 1), energy=[0.0]))


def test_more_than_twenty_are_listed_by_name():
    sessions = metered_stays(*[(1, 1)] * 25, energy=[0.0] * 25)
    with pytest.raises(SchemaError) as error:
        without_short_stays(sessions, "problem")
    assert len(error.value.problems) == 21
    assert "and 5 more short stays: 20, 21, 22, 23, 24" in str(error.value)


@pytest.mark.parametrize(
    ("name", "value", "unit", "wanted"),
    [
        ("energy", 21_000.0, "kWh", "Wh"),  # 21 kWh, written in Wh
        ("capacity", 2_001.0, "kWh", "Wh"),
        ("power_max", 11_000.0, "kW", "W"),
        ("charge_max", 5_001.0, "kW", "W"),
        ("energy", 2.1, "MWh", "Wh"),
    ],
)
def test_what_no_charger_gives_is_refused(name, value, unit, wanted):
    """The session is named, and the option that mends it; what the user has stated is believed."""
    data = {name: ("session", [5.0 / 1000, value], {"units": unit})}
    sessions = xr.Dataset(data, coords={"session": ["a", "b"]})
    (problem,) = plausibility_problems(sessions)
    assert problem.where == f"sessions.{name}"
    assert problem.detail.startswith("session b: ")
    assert f'for {wanted} give units={{"{name}": "{wanted}"}}' in str(problem)
    sessions[name].attrs[STATED] = 1
    assert not plausibility_problems(sessions)


def test_the_largest_lorry_is_believed():
    """2 000 kWh and 5 000 kW are the limits themselves; 21 000 in Wh are 21 kWh."""
    data = {
        "capacity": ("session", [2000.0]),
        "charge_max": ("session", [5000.0]),
        "energy": ("session", [21_000.0], {"units": "Wh"}),
        "onboard_max": ("session", [np.inf]),
    }
    assert not plausibility_problems(xr.Dataset(data, coords={"session": ["a"]}))


def test_less_than_nothing_on_the_meter_is_refused():
    sessions = metered_stays((0, 1), (2, 3), energy=[1.0, -5.0])
    (problem,) = plausibility_problems(sessions)
    assert str(problem) == "sessions.energy: session 1: -5, allowed [0, inf] kWh"


def test_a_case_is_refused_with_the_unit_that_mends_it():
    """Every reader's sessions pass here: 21 MWh are refused before anything is assumed of them."""
    sessions = stays((0, 4)).assign(energy_need=("session", [30_000.0]))
    time = sessions.arrival.to_index()[[0, 0]] + [np.timedelta64(h, "h") for h in (0, 1)]
    prices = italian_prices(time.rename("time"))
    with pytest.raises(SchemaError) as error:
        case_from_sessions(sessions, prices, timezone="UTC")
    assert [p.where for p in error.value.problems] == ["sessions.energy_need"]


def test_stated_units_fit():
    with pytest.raises(SchemaError) as error:
        check_stated_units({"energy": "kW", "price": "EUR"}, {"energy": "kWh"}, "a file")
    assert [(p.where, p.rule) for p in error.value.problems] == [
        ("energy", "unit"),
        ("price", "unknown"),
    ]


def test_flat_files_have_both_rules(tmp_path):
    """Of three stays one is open; 21 000 in a file without units are Wh where the user says so."""
    sessions = with_an_open_one().isel(session=[0, 1, 2])
    sessions["energy"] = ("session", [21_000.0, 1.0, 1.0])
    path = tmp_path / "stays.nc"
    sessions.to_netcdf(path)
    read = read_netcdf_sessions(path)
    assert json.loads(read.attrs["left_out"]) == {"1": "no length, 1 kWh", "2": "open, no end"}
    assert "for Wh give" in str(plausibility_problems(read)[0])
    with pytest.raises(SchemaError, match="session 2: open, no end"):
        read_netcdf_sessions(path, short_stays="problem")
    told = read_netcdf_sessions(path, units={"energy": "Wh"})
    assert (told.energy.attrs["units"], plausibility_problems(told)) == ("Wh", [])
    assert not plausibility_problems(read_netcdf_sessions(path, units={"energy": "kWh"}))
    with pytest.raises(SchemaError, match="has a unit but is not read"):
        read_netcdf_sessions(path, units={"power_max": "W"})
