"""A fleet as a request to FlexMeasures, and schedules there and back."""

import json

import numpy as np
import pytest
from cases import case, market, vehicle

import v2g_linopy as v2g
from v2g_linopy.errors import SchemaError

SENSORS = {"drives": 41, "changes/1": 42, "changes/2": 43}
PRICES = [20.0, 20.0, 90.0, 90.0, 10.0, 10.0]


@pytest.fixture(scope="module")
def two_stays():
    """One vehicle stays, drives 8 kWh in the fourth half-hour, and must hold 12 kWh at the end; a
    connector sees two vehicles, of which the second comes with 5 kWh.
    """
    drives = vehicle(
        charge_max=[10, 10, 10, 0, 10, 10],
        discharge_max=[7, 7, 7, 0, 7, 7],
        energy_initial=10.0,
        energy_out=[0, 0, 0, 8, 0, 0],
        energy_min=[0, 0, 0, 0, 0, 12],
        wear=0.01,
    )
    changes = vehicle(
        charge_max=[10, 10, 0, 10, 10, 10],
        energy_max=[40, 40, 0, 20, 20, 20],
        keep=[1, 1, 0, 0, 1, 1],
        energy_in=[0, 0, 0, 5, 0, 0],
        energy_min=[0, 9, 0, 0, 0, 15],
        eta_charge=0.9,
    )
    site = {"site": {"import_max": 30.0, "export_max": 20.0, "fee_import": 5.0, "fee_export": 2.0}}
    cars = {"drives": drives, "changes": changes}
    return case(cars, market(PRICES, spread=2.0), connection=site, step="30min")


def test_every_field_of_a_request(two_stays):
    """By hand: prices are those of the market with half of the spread and the fees; 8 kWh in half
    an hour are a usage of 16 kW; needs stand at the end of their step; a device has no power before
    and after its stay.
    """
    asked = json.loads(json.dumps(v2g.to_flexmeasures(two_stays, sensors=SENSORS)))
    assert (asked["start"], asked["duration"]) == ("2026-01-05T00:00:00+00:00", "PT3H")
    context = asked["flex-context"]
    assert context["site-consumption-capacity"][0]["value"] == "30 kW"
    assert context["site-production-capacity"][0]["value"] == "20 kW"
    # 20 + 1 + 5 bought, 20 - 1 - 2 sold, for the first hour
    first = {"start": "2026-01-05T00:00:00+00:00", "end": "2026-01-05T01:00:00+00:00"}
    assert context["consumption-price"][0] == first | {"value": "26 EUR/MWh"}
    assert context["production-price"][0] == first | {"value": "17 EUR/MWh"}
    assert context["soc-minima-breach-price"] == "10 EUR/kWh"
    one, left, came = asked["flex-model"]
    assert [m["sensor"] for m in asked["flex-model"]] == [41, 42, 43]
    assert (one["soc-at-start"], one["soc-max"], one["power-capacity"]) == (
        "10 kWh",
        "40 kWh",
        "10 kW",
    )
    (usage,) = one["soc-usage"]
    assert [s["value"] for s in usage] == ["0 kW", "16 kW", "0 kW"]
    assert one["soc-minima"] == [{"datetime": "2026-01-05T03:00:00+00:00", "value": "12 kWh"}]
    assert [s["value"] for s in one["production-capacity"]] == ["7 kW", "0 kW", "7 kW"]
    assert [s["value"] for s in left["consumption-capacity"]] == ["10 kW", "0 kW"]
    assert left["soc-minima"] == [{"datetime": "2026-01-05T01:00:00+00:00", "value": "9 kWh"}]
    assert came["soc-at-start"] == "5 kWh" and came["charging-efficiency"] == "90 %"
    assert [s["value"] for s in came["consumption-capacity"]] == ["0 kW", "10 kW"]
    assert "soc-gain" not in came and "soc-usage" not in came


def test_a_schedule_there_and_back(two_stays):
    """In MW, as FlexMeasures gives it, the plan comes back to the kW, and its bill and its energies
    are those of the plan; the replay finds nothing.
    """
    plan = v2g.solve(two_stays)
    told = v2g.flexmeasures_schedules(plan, sensors=SENSORS)
    mega = {
        name: one | {"unit": "MW", "values": [x / 1000 for x in one["values"]]}
        for name, one in told.items()
    }
    again = v2g.follow_schedules(two_stays, json.loads(json.dumps(mega)))
    assert again["audit"].attrs["passed"] == 1
    assert again.attrs["profit"] == pytest.approx(plan.attrs["profit"], abs=1e-6)
    for name in ("charge", "discharge", "energy"):
        ours, theirs = (x["fleet"][name].transpose("fleet", "time") for x in (plan, again))
        assert np.allclose(ours, theirs, atol=1e-6)
    assert sum(told["changes/1"]["values"][2:]) == 0  # the next battery is another device

    # all faults at once: a missing device, one too many, another length, unit and time
    wrong = {"drives": told["drives"] | {"unit": "kWh"}, "nobody": {}}
    wrong["changes/1"] = told["changes/1"] | {"start": "2026-01-05T01:00:00+00:00"}
    with pytest.raises(SchemaError) as caught:
        v2g.follow_schedules(two_stays, wrong)
    assert [p.rule for p in caught.value.problems] == ["unit", "labels", "time", "labels"]
    much = told | {"drives": told["drives"] | {"values": [11.0] * 6}}
    with pytest.raises(SchemaError, match="allowed"):
        v2g.follow_schedules(two_stays, much)


def test_what_the_scheduler_cannot_keep_is_listed():
    """Least powers, tapers, losses that vary, two sites and two markets, all at once."""
    first = vehicle(charge_min=1.0, pod="north", keep=[1.0, 0.9])
    second = vehicle(taper_from=0.8, taper_to=0.1, pod="south", keep=[1.0, 1.0])
    tree = case(
        {"a": first, "b": second}, {"early": market([20.0, 30.0]), "late": market([25.0, 20.0])}
    )
    with pytest.raises(SchemaError) as caught:
        v2g.to_flexmeasures(tree)
    assert sorted(p.where for p in caught.value.problems) == [
        "energy",
        "fleet.charge_min",
        "fleet.keep",
        "fleet.pod",
        "fleet.taper_from",
    ]
