"""Profiles of sun and loads from tables: power or energy, clocks, and their way into a case."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from cases import case, market

import v2g_linopy as v2g
from v2g_linopy.data import read_profiles, with_profiles
from v2g_linopy.errors import SchemaError


def table(path, rows, header="when,value"):
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def read(path, **options):
    return read_profiles(path, columns={"time": "when", "roof": "value"}, **options)


@pytest.mark.parametrize(
    ("unit", "values"),
    [
        ("kW", [2, 4]),
        ("W", [2000, 4000]),
        ("MW", [0.002, 0.004]),
        ("kWh", [0.5, 1.0]),
        ("Wh", [500, 1000]),
        ("MWh", [0.0005, 0.001]),
    ],
)
def test_power_or_energy_per_step(tmp_path, unit, values):
    """Quarter-hours of 2 and 4 kW, however they are written: 0.5 kWh in a quarter of an hour are 2
    kW.
    """
    rows = [f"2026-03-01T00:{15 * k:02d}Z,{value}" for k, value in enumerate(values)]
    found = read(table(tmp_path / "roof.csv", rows), unit=unit)
    np.testing.assert_allclose(found.roof, [2, 4])
    assert found.roof.attrs["units"] == "kW"


def test_energy_of_steps_of_two_lengths(tmp_path):
    """1 kWh in an hour is 1 kW, in a quarter of an hour 4 kW; the order of the rows does not
    matter.
    """
    stamps = [
        "01:45",
        "01:15",
        "02:00",
        "02:15",
        "00:00",
        "01:00",
        "01:30",
    ]  # hours from 23:00, quarters from 1:00 on
    rows = [f"2026-03-01T{stamp}Z,1" for stamp in stamps] + ["2026-02-28T23:00Z,1"]
    found = read(table(tmp_path / "roof.csv", rows), unit="kWh", resample="15min")
    np.testing.assert_allclose(found.roof, [1] * 8 + [4] * 6)


def test_the_clock_has_its_rules(tmp_path):
    """The hour that October repeats: energy cannot stand for both hours, power can; twice written
    it is inferred.
    """
    rows = [
        f"2026-10-25 {stamp},{value}"
        for stamp, value in (("01:00", 1), ("02:00", 2), ("02:00", 3), ("03:00", 4))
    ]
    path = table(tmp_path / "roof.csv", rows)
    found = read(path, timezone="Europe/Rome", ambiguous="infer", unit="kWh")
    assert found.roof.values.tolist() == [1, 2, 3, 4]
    assert str(found.time.values[0])[:16] == "2026-10-24T23:00"
    once = table(tmp_path / "once.csv", [rows[0], rows[1], rows[3]])
    assert read(once, timezone="Europe/Rome", ambiguous="both").roof.values.tolist() == [1, 2, 2, 4]
    with pytest.raises(SchemaError, match="cannot stand for both hours"):
        read(once, timezone="Europe/Rome", ambiguous="both", unit="kWh")
    with pytest.raises(SchemaError, match="give timezone"):
        read(once)


def test_what_is_no_power_is_refused(tmp_path):
    path = table(tmp_path / "roof.csv", ["2026-03-01T00:00Z,1", "2026-03-01T01:00Z,2"])
    with pytest.raises(SchemaError, match="neither power nor energy"):
        read(path, unit="EUR")
    with pytest.raises(
        SchemaError, match=r'at least one member; such as columns=\{"roof": "Power"\}'
    ):
        read_profiles(path, columns={"time": "when"})
    twice = table(tmp_path / "twice.csv", ["2026-03-01T00:00Z,1", "2026-03-01T00:00Z,2"])
    with pytest.raises(SchemaError, match="more than once"):
        read(twice, unit="kWh")


def test_a_header_that_names_another_unit_is_heard(tmp_path):
    """Watts in the header are watts, unless the user says what they are."""
    rows = ["2026-03-01 00:00,1500", "2026-03-01 01:00,2500"]
    path = table(tmp_path / "roof.csv", rows, header="when,Leistung [W]")
    columns = {"time": "when", "roof": "Leistung [W]"}
    found = read_profiles(path, columns=columns, timezone="Europe/Rome")
    assert found.roof.values.tolist() == [1.5, 2.5]
    assert found.attrs["notes"] == "roof: W, as the file says."
    told = read_profiles(path, columns=columns, timezone="Europe/Rome", unit="kW")
    assert told.roof.values.tolist() == [1500.0, 2500.0]
    assert found.attrs["timezone"] == "Europe/Rome"


def profile(values, **coords):
    time = pd.date_range(
        "2026-01-05", periods=len(values), freq=coords.pop("freq", "1h"), name="time"
    )
    return xr.Dataset({"new": ("time", values, {"units": "kW"})}, coords={"time": time})


def test_a_new_member_beside_an_old_one():
    """The old load keeps every field it has, one without the dimension of members too; the new one
    gets defaults.
    """
    old = case(
        None,
        market([10.0] * 4),
        load={"old": {"baseline": 3.0, "curtail_max": 1.0, "pod": "north"}},
    )
    group = old["load"].to_dataset()
    group["curtail_max"] = ((), 1000.0, {"units": "W"})
    group["curtail_cost"] = ((), 50.0, {"units": "ct/kWh"})
    old["load"] = xr.DataTree(group)
    case_ = with_profiles(
        old, "load", "baseline", profile([1.0, 2.0, 3.0, 4.0]), pods={"new": "south"}
    )
    v2g.check(case_)
    load = case_["load"].to_dataset()
    assert load.baseline.sel(load="new").values.tolist() == [1, 2, 3, 4]
    assert load.baseline.sel(load="old").values.tolist() == [3, 3, 3, 3]
    assert load.curtail_max.values.tolist() == [1000, 0]
    assert load.curtail_cost.values.tolist() == [50, 1000]  # the default is 10 EUR/kWh
    assert load.pod.values.tolist() == ["north", "south"]
    assert set(old["load"].to_dataset()["load"].values) == {"old"}, "the case given is as it was"
    plan = v2g.solve(case_)
    assert plan.attrs["profit"] == pytest.approx(-0.01 * (4 * 3 + 10))


def test_a_known_member_gets_new_numbers_only():
    old = case(
        None,
        market([10.0] * 4),
        load={
            "new": {"baseline": 3.0, "shift_up_max": 1.0},
            "other": {"baseline": 5.0, "shift_up_max": 0.0},
        },
    )
    load = with_profiles(old, "load", "baseline", profile([1.0, 2.0, 3.0, 4.0]))[
        "load"
    ].to_dataset()
    assert load.baseline.sel(load="new").values.tolist() == [1, 2, 3, 4]
    assert load.baseline.sel(load="other").values.tolist() == [5, 5, 5, 5]
    assert load.shift_up_max.values.tolist() == [1, 0]


def test_scenarios_of_an_old_member_stay():
    both = {"dry": 1.0, "wet": 2.0}
    old = case(
        None,
        market([10.0, 10.0]),
        load={"old": {"baseline": both}},
        scenarios={"dry": 0.5, "wet": 0.5},
    )
    load = with_profiles(old, "load", "baseline", profile([7.0, 8.0]))
    v2g.check(load)
    assert load["load"].baseline.sel(load="old", scenario="wet").values.tolist() == [2, 2]
    assert load["load"].baseline.sel(load="new", scenario="wet").values.tolist() == [7, 8]


def test_finer_profiles_are_averaged_and_gaps_refused():
    """Quarter-hours of 1, 2, 3, 6 kW are 3 kW in the hour; a case that reaches further is told
    where.
    """
    fine = profile([1.0, 2.0, 3.0, 6.0] * 2, freq="15min")
    found = with_profiles(case(None, market([10.0, 10.0])), "load", "baseline", fine)
    assert found["load"].baseline.values.tolist() == [[3, 3]]
    with pytest.raises(SchemaError, match="missing for 1 of 3 model steps"):
        with_profiles(case(None, market([10.0] * 3)), "load", "baseline", fine)


def test_a_new_group_survives_the_file(tmp_path):
    made = with_profiles(
        case(None, market([10.0] * 4)),
        "load",
        "baseline",
        profile([1.0] * 4),
        pods={"new": "a"},
    )
    v2g.write(made, tmp_path / "case.nc")
    again = v2g.read(tmp_path / "case.nc")
    assert (
        v2g.solve(again).attrs["profit"]
        == pytest.approx(v2g.solve(made).attrs["profit"])
        == pytest.approx(-0.04)
    )
