"""A sweep: one case at many values of its fields, each as if it was solved by itself."""

import numpy as np
import pytest
import xarray as xr
from cases import case, market, product, vehicle
from pytest import approx

import v2g_linopy as v2g
from v2g_linopy.batch.run_case import key_figures
from v2g_linopy.batch.sweep import ALONE, BUILT_AGAIN, IN_PLACE
from v2g_linopy.data.case_changes import with_changes


def trader(**more):
    """A car that buys 10 kWh at 20 EUR/MWh in the first hour, and sells them at 60 in the next."""
    lossless = {"eta_charge": 1.0, "eta_discharge": 1.0, "discharge_max": 10.0, "energy_max": 10.0}
    return case({"ev": vehicle(**lossless | more)}, market([20.0, 60.0]))


def test_every_point_is_solved_as_if_alone():
    """10 kWh earn 0.04 EUR each, times the factor of the prices, less the wear; nothing is done
    where wear takes more. The plan moves 10 kWh in and out, and so says each array and figure.
    """
    done = []
    found = v2g.sweep(
        trader(wear=0.0),
        {"fleet.wear": [0.01, 0.03, 0.05], "energy.price.scale": [1.0, 2.0]},
        arrays=["fleet.discharge", "price.electricity", "reserve.volume"],
        figures=["power.peak_export_kW"],
        progress=lambda done_now, of: done.append((done_now, of)),
    )
    assert found.profit.dims == ("fleet.wear", "energy.price.scale")
    expected = [[0.3, 0.7], [0.1, 0.5], [0.0, 0.3]]
    np.testing.assert_allclose(found.profit, expected, atol=1e-9)
    np.testing.assert_allclose(found.ledger.sum("entry"), expected, atol=1e-9)
    wear = found.ledger.sel({"entry": "fleet.wear", "energy.price.scale": 2.0})
    np.testing.assert_allclose(wear, [-0.1, -0.3, -0.5], atol=1e-9)
    moved = np.array([[10.0, 10.0], [10.0, 10.0], [0.0, 10.0]])
    np.testing.assert_allclose(found["energy.discharged_kWh"], moved, atol=1e-9)
    np.testing.assert_allclose(found["power.peak_export_kW"], moved, atol=1e-9)
    sold = found["fleet.discharge"].sel(fleet="ev").isel(time=1)
    np.testing.assert_allclose(sold, moved, atol=1e-9)
    assert found["fleet.discharge"].attrs["units"] == "kW"
    assert np.isnan(found["reserve.volume"]).all(), "the case sells no reserve"
    assert set(found.way.values.ravel()) == {IN_PLACE}
    assert done[0] == (0, 6) and done[-1] == (6, 6)


def test_what_cannot_be_moved_is_solved_otherwise():
    """Power that is not there at first, hours that are sold as one block, a least power (which
    takes binaries), and needs of 30 kWh in two hours of 10 kW and of more than a battery holds.
    """
    grown = v2g.sweep(trader(discharge_max=0.0), {"fleet.discharge_max": [0.0, 5.0, 10.0]})
    np.testing.assert_allclose(grown.profit, [0.0, 0.2, 0.4], atol=1e-9)
    assert grown.way.values.tolist() == [IN_PLACE, BUILT_AGAIN, IN_PLACE]

    blocks = v2g.sweep(trader(), {"energy.block": [0.0, 2.0], "fleet.charge_min": [0.0, 6.0]})
    np.testing.assert_allclose(blocks.profit, [[0.4, 0.4], [0.0, 0.0]], atol=1e-9)
    assert blocks.way.values.tolist() == [[IN_PLACE, ALONE], [BUILT_AGAIN, ALONE]]

    needs = trader(energy_max=40.0, discharge_max=0.0, energy_min=[0.0, 0.0], unserved_cost=np.nan)
    short = v2g.sweep(needs, {"fleet.energy_min": [10.0, 30.0, 50.0, 5.0]})
    np.testing.assert_allclose(short.profit, [-0.2, np.nan, np.nan, -0.1], atol=1e-9)
    assert short.status.values.tolist() == ["optimal", "infeasible", "invalid input", "optimal"]
    assert "ev" in str(short["message"][1].item())
    assert np.isnan(short["energy.charged_kWh"][1:3]).all()


def test_where_calls_no_longer_turn_the_power_nothing_is_burnt():
    """At -50 EUR/MWh a full car would charge and discharge at once to burn energy. While calls of
    both ways are expected within a step it may do both; where they are not, it may not.
    """
    car = vehicle(discharge_max=10.0, eta_charge=0.9, eta_discharge=0.9, energy_initial=40.0)
    fcr = product(up=1.0, down=1.0, activation_up=0.2, activation_down=0.2, volume_max=1.0)
    tree = case({"ev": car}, market([-50.0]), fcr)
    target = "reserve.activation_down"
    found = v2g.sweep(tree, {target: [0.2, 0.0]})
    alone = [v2g.solve(with_changes(tree, {target: x})).attrs["objective"] for x in (0.2, 0.0)]
    np.testing.assert_allclose(found.objective, alone, atol=1e-9)
    assert found.way.values.tolist() == [IN_PLACE, ALONE]


def test_points_have_the_figures_of_a_separate_result():
    """Also where a battery would charge and discharge at once, which binaries stop."""
    burning = case(
        {"ev": vehicle(discharge_max=10.0, eta_charge=0.5, energy_max=2.5)}, market([20.0, -60.0])
    )
    found = v2g.sweep(burning, {"energy.price.scale": [-1.0, 1.0]}, arrays=["energy.position"])
    for k, scale in enumerate([-1.0, 1.0]):
        result = v2g.solve(with_changes(burning, {"energy.price.scale": scale}))
        point = found.isel({"energy.price.scale": k})
        assert float(point.objective) == approx(result.attrs["objective"], rel=1e-9)
        for name, value in key_figures(result).items():
            if name in point:
                assert float(point[name]) == approx(value, abs=1e-9), name
        xr.testing.assert_allclose(
            point["energy.position"].drop_vars("energy.price.scale"), result["energy"].position
        )
    assert ALONE in found.way.values


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, "names no field"),
        ({"wear": [1.0]}, "is not PART.FIELD"),
        ({"fleat.wear": [1.0]}, "did you mean fleet?"),
        ({"fleet.waer": [1.0]}, "did you mean wear?"),
        ({"fleet.wear": []}, "needs a list of values"),
        ({"fleet.wear": [1.0, 1.0]}, "names a value twice"),
        ({"fleet.wear": ["much"]}, "needs a number"),
        ({"fleet.wear.scale": [np.inf]}, "needs a factor"),
        ({"fleet.pod.scale": [2.0]}, "cannot be scaled"),
        ({"fleet[ev-2].wear": [1.0]}, "has no member"),
        ({"battery.wear": [1.0]}, "no part 'battery'"),
    ],
)
def test_what_is_asked_wrongly_is_listed(fields, told):
    with pytest.raises(v2g.SchemaError) as caught:
        v2g.sweep(trader(), fields, arrays=["charge"], complementarity="milp")
    listed = str(caught.value)
    assert told in listed
    assert "'charge' is not GROUP.NAME" in listed and "'milp' is none of" in listed
