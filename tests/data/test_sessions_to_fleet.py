"""Sessions on steps: what must come out by hand, and what holds for any sessions."""

import json
from time import process_time

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_data import reference
from sessions_made import START, stays, steps

import v2g_linopy as v2g
from v2g_linopy.data import BatteryAssumption, sessions_to_fleet
from v2g_linopy.data.sessions.packing import concurrent, pack
from v2g_linopy.errors import SchemaError


def row(fleet, name, k=0):
    return np.asarray(fleet[name].isel(fleet=k))


def test_partial_steps_are_pro_rata():
    """Plugged 0:30 to 2:15 at 10 kW: 5, 10 and 2.5 kW. Full power in the edge steps would deliver
    30 kWh, not 17.5.
    """
    fleet, _ = sessions_to_fleet(stays((0.5, 2.25)), steps(4))
    assert row(fleet, "charge_max").tolist() == [5.0, 10.0, 2.5, 0.0]
    assert row(fleet, "energy_in").tolist() == [10.0, 0.0, 0.0, 0.0]
    assert row(fleet, "energy_min").tolist() == [0.0, 0.0, 20.0, 0.0]
    assert row(fleet, "energy_max").tolist() == [40.0, 40.0, 40.0, 0.0]
    assert row(fleet, "keep").tolist() == [0.0, 1.0, 1.0, 0.0]
    assert row(fleet, "session").tolist() == [0, 0, 0, -1]


def test_drivers_are_billed_for_what_their_need_draws():
    """From 10 to 20 kWh at 0.8 are 12.5 kWh at the grid, in the last plugged step; a car that comes
    with more than it needs is billed nothing, and nobody where they pay for net energy.
    """
    table = stays((0.5, 2.25), (3, 4), energy_need=[20.0, 5.0], eta_charge=0.8)
    fleet, _ = sessions_to_fleet(table, steps(4))
    assert row(fleet, "need_billed").tolist() == [0.0, 0.0, 12.5, 0.0]
    net, _ = sessions_to_fleet(table, steps(4), retail_on="net")
    assert "need_billed" not in net


def test_one_battery_is_billed_for_its_trips():
    """10 of 20 kWh are charged before the first trip of 6, which leaves 14; the second stay needs
    20 again, 6 are billed. It drives 22, more than the battery is asked to hold: 22 are needed.
    """
    table = stays(
        (0, 2),
        (3, 5),
        vehicle=["a", "a"],
        energy_arrival=[10.0, 0.0],
        energy_trip=[6.0, 22.0],
    )
    fleet, _ = sessions_to_fleet(table, steps(6), rows="vehicle", linked=True)
    assert row(fleet, "need_billed").tolist() == [0.0, 10.0, 0.0, 0.0, 8.0, 0.0]


def test_one_battery_that_has_enough_keeps_it():
    """10 kWh on board where 5 are needed, 2 are driven: it comes home with 8 of the 20 that it then
    needs, 12 are billed. Were it taken to leave with 5, 17 would be.
    """
    table = stays((0, 2), (3, 5), vehicle=["a", "a"], energy_need=[5.0, 20.0], energy_trip=2.0)
    fleet, _ = sessions_to_fleet(table, steps(6), rows="vehicle", linked=True)
    assert row(fleet, "need_billed").tolist() == [0.0, 0.0, 0.0, 0.0, 12.0, 0.0]


def test_departure_on_the_edge_of_a_step_leaves_the_next_step_alone():
    """Leaving at 2:00 sharp occupies steps 0 and 1; the next car may arrive in step 2 of the same
    row.
    """
    fleet, table = sessions_to_fleet(stays((0, 2), (2, 4)), steps(4))
    assert fleet.sizes["fleet"] == 1
    assert row(fleet, "session").tolist() == [0, 0, 1, 1]
    assert row(fleet, "keep").tolist() == [0.0, 1.0, 0.0, 1.0]
    assert table.row.values.tolist() == ["row 01", "row 01"]


def test_a_stay_within_one_step():
    """6 minutes at 10 kW bring 1 kWh: arrival, need and energy all stand in the one step."""
    fleet, _ = sessions_to_fleet(stays((1.5, 1.6), energy_need=11.0), steps(3))
    assert row(fleet, "charge_max") == pytest.approx([0, 1, 0])
    assert row(fleet, "energy_in").tolist() == [0, 10, 0]
    assert row(fleet, "energy_min").tolist() == [0, 11, 0]


@pytest.mark.parametrize("step", ["1h", "30min", "15min"])
def test_a_need_that_is_just_reachable_is_served(step):
    """0:20 to 2:07 at 9 kW and 0.8 brings 12.84 kWh. On any step that need is served in full, at 1
    EUR/kWh = 16.05 EUR.

    Were the edge steps cut off, energy would be missing; were they whole, there would be more than
    the charger has."""
    sessions = stays(
        (1 / 3, 2 + 7 / 60), charge_max=9.0, eta_charge=0.8, energy_need=10 + 0.8 * 9 * 107 / 60
    )
    time = steps(4 * int(pd.Timedelta("1h") / pd.Timedelta(step)), step)
    fleet, _ = sessions_to_fleet(sessions, time)
    energy = xr.Dataset(
        {"price": ((), 1000.0), "limit": ("market", [100.0])}, coords={"market": ["spot"]}
    )
    result = v2g.solve(v2g.assemble(time, {"fleet": fleet, "energy": energy}))
    assert float(result["fleet"].unserved.sum()) == pytest.approx(0, abs=1e-9)
    assert result.attrs["profit"] == pytest.approx(-9 * 107 / 60, rel=1e-9)


def test_two_sessions_of_one_connector_in_one_step_need_two_rows():
    """One leaves 1:10, the next arrives 1:30: packed they take two rows, as a connector they cannot
    be one row.
    """
    sessions = stays((0, 7 / 6), (1.5, 3), connector=["a", "a"])
    fleet, _ = sessions_to_fleet(sessions, steps(3))
    assert fleet.sizes["fleet"] == 2
    with pytest.raises(
        SchemaError,
        match="connector a: session 0 leaves 2026-01-05 01:10 UTC and session 1 arrives",
    ) as error:
        sessions_to_fleet(sessions, steps(3), rows="connector")
    assert len(error.value.problems) == 1
    fleet, _ = sessions_to_fleet(sessions, steps(12, "15min"), rows="connector")
    assert fleet.fleet.values.tolist() == ["a"]
    assert fleet.connector.values.tolist() == ["a"]


def test_sessions_share_a_row_only_within_a_pod():
    """Three stays one after the other fit one row; with the middle one at another pod there are
    two.
    """
    one, _ = sessions_to_fleet(stays((0, 1), (1, 2), (2, 3)), steps(3))
    two, _ = sessions_to_fleet(
        stays((0, 1), (1, 2), (2, 3), pod=["north", "south", "north"]), steps(3)
    )
    assert one.sizes["fleet"] == 1
    assert two.fleet.values.tolist() == ["north row 01", "south row 01"]
    assert two.pod.values.tolist() == ["north", "south"]
    assert two.session.values.tolist() == [[0, -1, 2], [-1, 1, -1]]


def test_parameters_belong_to_their_session():
    """Two cars in one row keep their own battery, charger and efficiency."""
    sessions = stays(
        (0, 1), (1, 2), capacity=[40.0, 80.0], charge_max=[10.0, 20.0], eta_charge=[1.0, 0.9]
    )
    fleet, _ = sessions_to_fleet(sessions, steps(3))
    assert row(fleet, "energy_max").tolist() == [40, 80, 0]
    assert row(fleet, "charge_max").tolist() == [10, 20, 0]
    assert row(fleet, "eta_charge").tolist() == [1.0, 0.9, 1.0]
    assert fleet.eta_discharge.ndim == 0


def test_units_of_the_table_are_read():
    """20000 W and 0.04 MWh are 20 kW and 40 kWh."""
    sessions = stays((0, 1), charge_max=20000.0, capacity=0.04)
    sessions.charge_max.attrs["units"], sessions.capacity.attrs["units"] = "W", "MWh"
    fleet, _ = sessions_to_fleet(
        sessions, steps(1, "1h").append(steps(1, "1h", START + pd.Timedelta("1h")))
    )
    assert row(fleet, "charge_max").tolist() == [20, 0]
    assert row(fleet, "energy_max") == pytest.approx([40, 0])


def test_a_linked_vehicle_drives_between_its_stays():
    """30 kWh on board at the start; 12 are driven in the first step away and nothing restarts."""
    sessions = stays(
        (0, 2), (4, 6), vehicle=["v", "v"], energy_trip=[12.0, 0.0], energy_arrival=[30.0, 0.0]
    )
    fleet, _ = sessions_to_fleet(sessions, steps(6), rows="vehicle", linked=True)
    assert float(fleet.keep) == 1 and float(fleet.energy_in) == 0
    assert fleet.energy_initial.values.tolist() == [30.0]
    assert fleet.energy_max.values.tolist() == [40.0]
    assert row(fleet, "energy_out").tolist() == [0, 0, 12, 0, 0, 0]
    assert row(fleet, "energy_min").tolist() == [0, 20, 0, 0, 0, 20]
    energy = xr.Dataset(
        {"price": ((), 1000.0), "limit": ("market", [100.0])}, coords={"market": ["spot"]}
    )
    result = v2g.solve(v2g.assemble(steps(6), {"fleet": fleet, "energy": energy}))
    assert result.attrs["profit"] == pytest.approx(-2.0), (
        "30 - 12 = 18 come back, 20 are needed: 2 kWh at 1 EUR"
    )


def test_outside_is_named_and_dropped_or_clipped():
    """Four steps; a stay begins an hour before, one ends an hour after. Cut, they have charged 10
    and still can 10.
    """
    sessions = stays((-1, 2), (1, 5), (2, 3), (9, 12), energy_need=[25.0, 25.0, 15.0, 15.0])
    with pytest.raises(SchemaError, match="3 outside .*: 0, 1, 3; give outside="):
        sessions_to_fleet(sessions, steps(4))
    fleet, table = sessions_to_fleet(sessions, steps(4), outside="drop")
    assert table.session.values.tolist() == [2]
    assert (
        json.loads(table.attrs["dropped_sessions"]) == [0, 1, 3]
        and table.attrs["dropped_count"] == 3
    )
    fleet, table = sessions_to_fleet(sessions, steps(4), outside="clip")
    assert table.session.values.tolist() == [0, 1, 2]
    assert json.loads(table.attrs["dropped_sessions"]) == [3]
    assert json.loads(table.attrs["clipped_sessions"]) == [0, 1]
    first, second = (
        fleet.isel(fleet=np.flatnonzero((fleet.session == k).any("time"))[0]) for k in (0, 1)
    )
    assert first.energy_in.values[0] == 20.0, "10 on arrival, 10 charged in the hour before"
    assert second.energy_min.values[3] == 15.0, "25 needed, 10 can still be charged afterwards"
    assert table.arrival.values[0] == np.datetime64(START - pd.Timedelta("1h")), (
        "the table keeps what was given"
    )


def test_need_beyond_the_charger():
    """1.5 h at 10 kW bring 15 kWh to the 10 on board: 30 kWh are 5 too many, reached at 2:00."""
    sessions = stays((0, 1.5), (0, 3), energy_need=[30.0, 40.0])
    with pytest.raises(SchemaError) as error:
        sessions_to_fleet(sessions, steps(3))
    (problem,) = error.value.problems
    assert problem.where == "sessions.energy_need"
    assert "session 0: needs 30 kWh on board at 2026-01-05 01:30" in problem.detail
    assert "reaches 25 kWh: 5 kWh missing (possible from 2026-01-05 02:00 UTC)" in problem.detail
    fleet, table = sessions_to_fleet(sessions, steps(3), need="cap")
    assert sorted(fleet.energy_min.max("time").values.tolist()) == [25.0, 40.0]
    assert table.energy_missing.values.tolist() == [5.0, 0.0]
    assert json.loads(table.attrs["capped_sessions"]) == [0]


def test_every_fault_is_listed_at_once():
    """Eight faults in eight sessions: eight problems, each with the session and the remedy, and no
    result.
    """
    sessions = stays(
        (0, 1), (2, 2), (3, 1), (0, 1), (0, 1), (0, 1), (0, 2), (1, 3), (0, 1),
        connector=["a", "b", "c", "d", "e", "f", "g", "g", "h"],
        energy_arrival=[50.0, 10, 10, 10, -1, 10, 10, 10, 10],
        capacity=[40.0, 40, 40, np.nan, 40, 40, 40, 40, 40],
        eta_charge=[1.0, 1, 1, 1, 1, 1.2, 1, 1, 1],
        energy_need=[20.0, 20, 20, 20, 20, 20, 20, 20, 41],
    )  # fmt: skip
    with pytest.raises(SchemaError) as error:
        sessions_to_fleet(sessions, steps(4))
    text = [f"{p.where}: {p.detail}" for p in error.value.problems]
    expected = [
        "sessions.energy_arrival: session 0: 50 kWh on arrival is above the capacity of 40 kWh",
        (
            "sessions.departure: session 1: arrives 2026-01-05 02:00 UTC, leaves 2026-01-05 02:00"
            " UTC: it must leave later"
        ),
        (
            "sessions.departure: session 2: arrives 2026-01-05 03:00 UTC, leaves 2026-01-05 01:00"
            " UTC: it must leave later"
        ),
        "sessions.capacity: session 3: nan: give a number",
        "sessions.energy_arrival: session 4: -1, allowed [0, inf] kWh",
        "sessions.eta_charge: session 5: 1.2, allowed (0, 1] 1",
        (
            "sessions.connector: session 7: arrives 2026-01-05 01:00 UTC at connector g, but"
            " session 6 leaves it"
        ),
        (
            "sessions.energy_need: session 8: 41 kWh needed at departure is above the capacity of"
            " 40 kWh"
        ),
    ]
    assert len(text) == len(expected)
    for line in expected:
        assert any(t.startswith(line) for t in text), line


def test_missing_columns_and_wrong_types_are_listed_at_once():
    sessions = stays((0, 1)).drop_vars(["capacity", "arrival"])
    sessions["charge_max"] = ("session", ["ten"])
    with pytest.raises(SchemaError) as error:
        sessions_to_fleet(sessions, steps(2))
    assert {(p.where, p.rule) for p in error.value.problems} == {
        ("sessions.capacity", "missing"),
        ("sessions.arrival", "missing"),
        ("sessions.charge_max", "type"),
    }


def test_unsorted_or_uneven_steps_are_refused():
    for time in (steps(4)[::-1], steps(4)[[0, 1, 3]], steps(1)):
        with pytest.raises(SchemaError, match="step"):
            sessions_to_fleet(stays((0, 1)), pd.DatetimeIndex(time))


def test_overlap_behind_a_long_stay_is_found():
    """A stay of ten hours covers two short ones: both overlap it, though the third does not touch
    the second.
    """
    with pytest.raises(SchemaError) as error:
        sessions_to_fleet(stays((0, 10), (1, 2), (5, 6), vehicle="v"), steps(12))
    assert [p.detail.split(":")[0] for p in error.value.problems] == ["session 1", "session 2"]


def test_text_labels_become_numbers_and_keep_their_name():
    sessions = stays((0, 1), (0, 1)).assign_coords(session=["x", "y"])
    fleet, table = sessions_to_fleet(sessions, steps(2))
    assert table.session.values.tolist() == [0, 1]
    assert table.name.values.tolist() == ["x", "y"]
    assert set(np.unique(fleet.session)) == {-1, 0, 1}


def test_no_sessions_no_rows():
    fleet, table = sessions_to_fleet(stays(), steps(2))
    assert fleet.sizes == {"fleet": 0, "time": 2} and table.sizes["session"] == 0


def test_the_result_survives_a_file(tmp_path):
    fleet, table = sessions_to_fleet(stays((0, 2), (9, 12)), steps(4), outside="drop")
    energy = xr.Dataset(
        {"price": ((), 1.0), "limit": ("market", [1.0])}, coords={"market": ["spot"]}
    )
    case = v2g.assemble(steps(4), {"fleet": fleet, "sessions": table, "energy": energy})
    v2g.write(case, tmp_path / "case.nc")
    back = v2g.read(tmp_path / "case.nc")
    xr.testing.assert_equal(back["sessions"].to_dataset(), case["sessions"].to_dataset())
    assert back["sessions"].attrs["dropped_sessions"] == "[1]"


spans = st.lists(
    st.tuples(st.integers(0, 90), st.integers(1, 30)).map(
        lambda s: (s[0] / 16, (s[0] + s[1]) / 16)
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(spans=spans, quarter=st.booleans())
def test_plugged_hours_and_energy_are_conserved(spans, quarter):
    """Hours plugged in, energies on arrival and needs are the same on steps as in the table; no
    step holds two.
    """
    step, count = (0.25, 32) if quarter else (1.0, 8)
    time = steps(count, pd.Timedelta(hours=step))
    fleet, table = sessions_to_fleet(stays(*spans, charge_max=1.0), time, need="cap")
    hours = sum(end - begin for begin, end in spans)
    assert float(fleet.charge_max.sum()) * step == pytest.approx(hours)
    assert float(fleet.energy_in.sum()) == pytest.approx(10.0 * len(spans))
    reach = sum(min(20.0, 10.0 + end - begin) for begin, end in spans)
    assert float(fleet.energy_min.sum()) == pytest.approx(reach)
    assert float(table.energy_missing.sum()) == pytest.approx(20.0 * len(spans) - reach)
    assert int((fleet.keep == 0).sum()) == fleet.session.size - int(
        (fleet.session >= 0).sum()
    ) + len(spans)
    for k, (begin, end) in enumerate(spans):
        place = fleet.session == k
        first, last = int(begin // step), int(np.ceil(end / step)) - 1
        assert int(place.any("time").sum()) == 1
        assert np.flatnonzero(place.any("fleet")).tolist() == list(range(first, last + 1))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 6)), min_size=1, max_size=30))
def test_packing_takes_as_many_rows_as_overlap(stretches):
    """Rows = largest number in one step, counted by brute force; no two of a row touch the same
    step.
    """
    first = np.array([a for a, _ in stretches])
    last = first + np.array([n for _, n in stretches])
    rows = pack(first, last)
    busiest = max(int(((first <= t) & (last >= t)).sum()) for t in range(30))
    assert rows.max() + 1 == busiest == concurrent(first, last)
    for name in np.unique(rows):
        steps_taken = [
            t
            for a, b in zip(first[rows == name], last[rows == name], strict=True)
            for t in range(a, b + 1)
        ]
        assert len(steps_taken) == len(set(steps_taken))


def test_a_year_of_dutch_sessions_packs_into_22_rows():
    """10 000 sessions of 1 293 connectors are at most 22 at once; those beyond the 364 days are
    named.
    """
    sessions = xr.load_dataset(reference("nl_sessions_2019.nc"))
    sessions, _ = BatteryAssumption().apply(sessions)
    time = pd.date_range("2019-01-01", periods=34944, freq="15min", name="time")
    began = process_time()
    fleet, table = sessions_to_fleet(sessions, time, outside="drop")
    assert process_time() - began < 1.0, "vectorised: 0.05 s of CPU time, or 0.2 s at first"
    assert fleet.sizes == {"fleet": 22, "time": 34944}
    assert table.sizes["session"] == 9963 and table.attrs["dropped_count"] == 37
    hours = (table.departure - table.arrival) / np.timedelta64(1, "h")
    delivered = float((fleet.charge_max * 0.25).sum())
    assert delivered == pytest.approx(float((hours * table.charge_max).sum()), rel=1e-12)
    assert float(fleet.energy_min.sum()) == pytest.approx(float(table.energy_need.sum()), rel=1e-12)
    assert float(table.energy_missing.sum()) == 0
