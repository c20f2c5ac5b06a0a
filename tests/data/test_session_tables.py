"""Sessions from any table."""

import numpy as np
import pytest

from v2g_linopy.data import read_sessions
from v2g_linopy.errors import SchemaError

COLUMNS = {
    "arrival": "From",
    "departure": "To",
    "energy": "kWh",
    "power_max": "kW",
    "connector": "Plug",
}
HEADER = "From,To,kWh,kW,Plug"


@pytest.fixture
def table(tmp_path):
    def write(*rows, header=HEADER):
        path = tmp_path / "sessions.csv"
        path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
        return path

    return write


def test_local_times_in_order_of_arrival(table):
    """Amsterdam is two hours ahead in summer; the second row arrives first and becomes session
    0.
    """
    path = table(
        "2026-06-01 10:00,2026-06-01 12:00,7,11,a", "2026-06-01 09:30,2026-06-01 10:00,1,3.7,b"
    )
    sessions = read_sessions(path, columns=COLUMNS, timezone="Europe/Amsterdam")
    assert sessions.arrival.values.tolist() == [
        np.datetime64("2026-06-01T07:30", "ns").astype(int),
        np.datetime64("2026-06-01T08:00", "ns").astype(int),
    ]
    assert sessions.energy.values.tolist() == [1, 7]
    assert sessions.connector.values.tolist() == ["b", "a"]
    assert sessions.energy.attrs["units"] == "kWh"
    assert sessions.session.values.tolist() == [0, 1]


def test_numbers_of_sessions_are_kept(table):
    path = table(
        "2026-06-01 10:00,2026-06-01 12:00,7,11,42", "2026-06-01 09:30,2026-06-01 10:00,1,3.7,17"
    )
    columns = {name: c for name, c in COLUMNS.items() if name != "connector"} | {"session": "Plug"}
    assert read_sessions(path, columns=columns, timezone="UTC").session.values.tolist() == [17, 42]


def test_arrival_and_departure_are_both_reported(table):
    """An arrival in the double hour and a departure in the skipped one: two problems, one message,
    rules that help.
    """
    path = table(
        "2026-10-25 02:30,2026-10-25 12:00,7,11,a", "2026-03-28 20:00,2026-03-29 02:30,7,11,a"
    )
    with pytest.raises(SchemaError) as error:
        read_sessions(path, columns=COLUMNS, timezone="Europe/Rome")
    assert [p.where for p in error.value.problems] == ["arrival", "departure"]
    rules = {"ambiguous": "second", "nonexistent": "shift"}
    sessions = read_sessions(path, columns=COLUMNS, timezone="Europe/Rome", **rules)
    assert sessions.departure.values[0] == np.datetime64("2026-03-29T01:30")
    assert sessions.arrival.values[1] == np.datetime64("2026-10-25T01:30")
    assert sessions.attrs["notes"].splitlines() == [
        "Local clock of Europe/Rome: 2026-10-25 02:30: shown twice, taken as the second.",
        "Local clock of Europe/Rome: 2026-03-29 02:30: does not exist, moved one hour on.",
    ]
    with pytest.raises(SchemaError, match="'both' is no rule for sessions"):
        read_sessions(path, columns=COLUMNS, timezone="Europe/Rome", ambiguous="both")


def test_unknown_field_is_suggested(table):
    with pytest.raises(SchemaError) as error:
        read_sessions(
            table("x,y,1,1,a"), columns={"arival": "From", "departure": "To"}, timezone="UTC"
        )
    assert {p.where for p in error.value.problems} == {"columns", "columns.arival"}
    assert "did you mean arrival?" in str(error.value)


def test_cells_that_are_no_numbers_are_named(table):
    path = table(
        "2026-06-01 10:00,2026-06-01 12:00,seven,11,a",
        "2026-06-01 10:00,2026-06-01 12:00,7,1e999,a",
    )
    with pytest.raises(SchemaError) as error:
        read_sessions(path, columns=COLUMNS, timezone="UTC")
    assert [p.where for p in error.value.problems] == ["energy", "power_max"]
    assert "row 2: 'seven'" in str(error.value)


def test_some_times_with_and_some_without_an_offset(table):
    path = table(
        "2026-06-01 10:00Z,2026-06-01 12:00,7,11,a", "2026-06-01 10:00,2026-06-01 12:00,7,11,a"
    )
    with pytest.raises(SchemaError, match="some times have an offset, others have none"):
        read_sessions(path, columns=COLUMNS, timezone="UTC")
