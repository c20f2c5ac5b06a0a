"""Cars at connectors: the limits and efficiencies of both together, and rows that stand at one
charger.
"""

import numpy as np
import pytest
import xarray as xr
from cases import row
from pytest import approx
from sessions_made import stays, steps

import v2g_linopy as v2g
from v2g_linopy.data.sessions.connectors import with_connector_limits
from v2g_linopy.errors import SchemaError


def connectors(**fields):
    """An AC post of 22 kW, and a DC plug of 50 kW that gives back 20 kW with losses of its own each
    way.
    """
    given = {
        "current": ["AC", "DC"],
        "charge_max": [22.0, 50.0],
        "discharge_max": [22.0, 20.0],
        "charge_min": [1.5, 4.0],
        "eta_charge": [1.0, 0.95],
        "eta_discharge": [1.0, 0.9],
    }
    arrays = {n: ("connector", np.asarray(v)) for n, v in (given | fields).items()}
    return xr.Dataset(arrays, coords={"connector": ["post", "fast"]})


def visits(*plugs, **columns):
    """Two hours at each of the plugs named: a car with 11 kW on board, bidirectional, 0.9 in and
    0.85 back.
    """
    on_board = {"onboard_max": 11.0, "eta_onboard_charge": 0.9, "eta_onboard_discharge": 0.85}
    columns = on_board | {"charge_max": 40.0, "discharge_max": 15.0} | columns
    table = stays(
        *[(2 * k, 2 * k + 2) for k in range(len(plugs))], connector=list(plugs), **columns
    )
    return table.drop_vars(["eta_charge", "eta_discharge"])


def test_ac_goes_through_the_car():
    """The car's own charger limits both ways, 11 kW at a post of 22, and its efficiency counts."""
    table = with_connector_limits(visits("post"), connectors())
    assert float(table.charge_max[0]) == 11
    assert float(table.discharge_max[0]) == 11
    assert float(table.eta_charge[0]) == approx(0.9)
    assert float(table.eta_discharge[0]) == approx(0.85)
    assert float(table.charge_min[0]) == 1.5


def test_dc_goes_past_it():
    """40 kW that the car takes of the 50, 15 kW that it gives of the 20; each way at the charger's
    efficiency.
    """
    table = with_connector_limits(visits("fast"), connectors())
    assert float(table.charge_max[0]) == 40
    assert float(table.discharge_max[0]) == 15
    assert float(table.eta_charge[0]) == approx(0.95)
    assert float(table.eta_discharge[0]) == approx(0.9)
    assert float(table.charge_min[0]) == 4


def test_the_connector_limits_too():
    """A post of 7.4 kW before 11 kW on board; a car with a battery efficiency of its own multiplies
    it in.
    """
    slow = with_connector_limits(
        visits("post").assign(eta_charge=0.95), connectors(charge_max=[7.4, 50.0])
    )
    assert float(slow.charge_max[0]) == 7.4
    assert float(slow.eta_charge[0]) == approx(0.95 * 0.9)


def test_without_a_word_from_the_car():
    """A car takes what is given, and gives nothing back."""
    table = with_connector_limits(
        visits("fast").drop_vars(["charge_max", "discharge_max", "onboard_max"]), connectors()
    )
    assert float(table.charge_max[0]) == 50
    assert float(table.discharge_max[0]) == 0


def test_units_are_converted():
    """0.022 MW and 11 000 W."""
    table = visits("post")
    table["onboard_max"] = (table.onboard_max * 1000).assign_attrs(units="W")
    plugs = connectors()
    plugs["charge_max"] = (plugs.charge_max / 1000).assign_attrs(units="MW")
    assert float(with_connector_limits(table, plugs).charge_max[0]) == 11
    assert float(with_connector_limits(table.assign(onboard_max=30.0), plugs).charge_max[0]) == 22


def test_one_row_two_plugs():
    """The same row of the fleet: an AC session, then a DC session, each with its own powers and
    efficiencies.

    10 kWh more are due after each: 10 / 0.9 kW over two hours, then 10 / 0.95.
    """
    fleet, _ = v2g.sessions_to_fleet(visits("post", "fast"), steps(4), connectors=connectors())
    assert fleet.charge_max.values.tolist() == [[11, 11, 40, 40]]
    assert fleet.charge_min.values.tolist() == [[1.5, 1.5, 4, 4]]
    assert fleet.eta_charge.values == approx(np.array([[0.9, 0.9, 0.95, 0.95]]))
    energy = xr.Dataset(
        {"price": ("time", [10.0, 20, 20, 10]), "limit": 100.0}, coords={"market": ["spot"]}
    )
    result = v2g.solve(
        v2g.assemble(steps(4), {"fleet": fleet.drop_vars("discharge_max"), "energy": energy})
    )
    # 11.11 kWh at least: 9.61 at 10 and 1.5 (the least) at 20 EUR/MWh; then 10.53 kWh at 10
    assert row(result, "fleet.charge") == approx([10 / 0.9 - 1.5, 1.5, 0, 10 / 0.95], abs=1e-6)


def test_least_power_is_pro_rata_of_the_plugged_time():
    """Plugged for a quarter of the first hour: a quarter of 1.5 kW, as a quarter of 11."""
    table = visits("post")
    table["arrival"] = table.arrival + np.timedelta64(45, "m")
    fleet, _ = v2g.sessions_to_fleet(
        table.assign(energy_need=10.0), steps(3), connectors=connectors()
    )
    assert fleet.charge_min.values.tolist() == [[0.375, 1.5, 0]]
    assert fleet.charge_max.values.tolist() == [[2.75, 11, 0]]


def test_sessions_carry_their_taper():
    """A column of the sessions; nothing where nothing is plugged in."""
    table = stays((0, 1), (2, 3), taper_from=[0.8, 0.5], taper_to=[0.1, 0.2])
    fleet, _ = v2g.sessions_to_fleet(table, steps(4))
    assert fleet.taper_from.values[0, [0, 2]].tolist() == [0.8, 0.5]
    assert np.isnan(fleet.taper_from.values[0, [1, 3]]).all()
    energy = xr.Dataset({"price": 10.0, "limit": 100.0}, coords={"market": ["spot"]})
    assert v2g.check(v2g.assemble(steps(4), {"fleet": fleet, "energy": energy}))


def test_a_row_stands_at_one_charger():
    """Sessions one after the other share a row at one charger, and not across two; rows say where
    they stand.
    """
    plugs = connectors(charger=["", "hub"])
    fleet, _ = v2g.sessions_to_fleet(visits("post", "fast", "post"), steps(6), connectors=plugs)
    assert fleet.charger.values.tolist() == ["", "hub"]
    assert fleet.fleet.values.tolist() == ["row 01", "hub row 01"]
    assert fleet.session.values.tolist() == [[0, 0, -1, -1, 2, 2], [-1, -1, 1, 1, -1, -1]]


def test_sessions_behind_one_converter():
    """Two DC sessions at once behind 45 kW: 2 h x 45 kW for 2 x 40 kWh at 0.95, 80 / 0.95 kWh at 10
    EUR/MWh.
    """
    plugs = connectors(charger=["", "hub"], charge_min=[0.0, 0.0])
    table = visits("fast", "fast", capacity=60.0, energy_need=50.0)
    table["connector"] = ("session", ["fast", "fast"])
    for name in ("arrival", "departure"):
        table[name] = ("session", table[name].values[[0, 0]])
    with pytest.raises(SchemaError, match="overlap"):
        v2g.sessions_to_fleet(table, steps(2), connectors=plugs)  # one plug, one car
    two = xr.concat(
        [plugs, plugs.sel(connector=["fast"]).assign_coords(connector=["fast 2"])], "connector"
    )
    table["connector"] = ("session", ["fast", "fast 2"])
    fleet, _ = v2g.sessions_to_fleet(table, steps(2), connectors=two)
    energy = xr.Dataset({"price": 10.0, "limit": 100.0}, coords={"market": ["spot"]})
    hub = xr.Dataset({"charge_max": 45.0, "discharge_max": 0.0}, coords={"charger": ["hub"]})
    result = v2g.solve(v2g.assemble(steps(2), {"fleet": fleet, "energy": energy, "charger": hub}))
    assert result.attrs["profit"] == approx(-80 / 0.95 * 0.01)
    assert max(result["fleet"].charge.sum("fleet").values) <= 45 + 1e-9


BAD = {
    "unknown connector": ("psot", {}, {}, "sessions.connector", "did you mean post?"),
    "no kind": (
        "post",
        {},
        {"current": ["AC", "ac"]},
        "connectors.current",
        "'ac' is not one of AC, DC",
    ),
    "negative": (
        "post",
        {},
        {"charge_max": [-1.0, 50]},
        "connectors.charge_max",
        "allowed [0, inf] kW",
    ),
    "lossless plus": (
        "post",
        {},
        {"eta_charge": [1.1, 1]},
        "connectors.eta_charge",
        "allowed [0.5, 1]",
    ),
    "on board": ("post", {"onboard_max": -1.0}, {}, "sessions.onboard_max", "allowed [0, inf] kW"),
    "cannot start": (
        "post",
        {"onboard_max": 1.0},
        {},
        "sessions.charge_max",
        "takes 1 kW, and connector post gives no less than 1.5",
    ),
}


@pytest.mark.parametrize(("name", "session", "plug", "where", "words"), BAD.values(), ids=BAD)
def test_bad_input_is_named(name, session, plug, where, words):
    """The column, the connector or session, and what is allowed."""
    with pytest.raises(SchemaError) as found:
        v2g.sessions_to_fleet(visits(name, **session), steps(2), connectors=connectors(**plug))
    (problem,) = found.value.problems
    assert problem.where == where
    assert words in problem.detail


def test_a_session_without_a_connector_is_refused():
    """Where connectors are given, each session names one."""
    with pytest.raises(SchemaError, match=r"sessions\.connector.*give the connector"):
        v2g.sessions_to_fleet(
            visits("post").drop_vars("connector"), steps(2), connectors=connectors()
        )
