"""A plan as charging profiles of OCPP: valid by the published schemas, and read again by itself it
gives every session the energy of the plan."""

import json
from datetime import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from cases import case, market, vehicle
from ocpp.messages import MessageType, get_validator

import v2g_linopy as v2g
from v2g_linopy.errors import SchemaError

ZONE = "Europe/Berlin"
NIGHT = dict(start="2026-03-28 22:00", step="30min", timezone=ZONE)  # UTC; the clock skips an hour
STEPS = 10
PRICES = [20, 90, 90, 10, 10, 20, 80, 90, 30, 20]


def two_cars(charger=None, charger_of="", **fields):
    """One car is plugged in for the whole night; another leaves after two hours, and a third takes
    its connector an hour later. They must hold 30 kWh when they leave.
    """
    second = np.array([11, 11, 11, 11, 0, 0, 11, 11, 11, 11]) / 1.0
    there = (second > 0).astype(float)
    keep = [1, 1, 1, 1, 0, 0, 0, 1, 1, 1]
    arriving = [0, 0, 0, 0, 0, 0, 20, 0, 0, 0]
    need = [0, 0, 0, 30, 0, 0, 0, 0, 0, 30]
    first = vehicle(
        charge_max=11.0,
        discharge_max=7.4,
        energy_initial=25.0,
        energy_min=[0] * 9 + [30],
        wear=0.01,
    )
    other = vehicle(
        charge_max=second.tolist(),
        discharge_max=(7.4 * there).tolist(),
        energy_max=(40 * there).tolist(),
        energy_initial=25.0,
        energy_in=arriving,
        keep=keep,
        energy_min=need,
        wear=0.01,
    )
    fields |= {"charger": charger_of} if charger else {}
    cars = {"first": first | fields, "other": other | fields}
    return case(cars, market(PRICES), charger=charger, **NIGHT)


@pytest.fixture(scope="module")
def plan():
    """Its powers are no whole kW: the least power is 1.38 kW, and losses are 5 %."""
    return v2g.solve(two_cars(eta_charge=0.95, charge_min=1.38))


def assert_valid(messages, version):
    """By the schemas of the package `ocpp`; multiples of 0.1 are told of decimals alone."""
    decimals = {"parse_float": Decimal} if version == "1.6" else {}
    for one in messages:
        kind, _, action, payload = json.loads(json.dumps(one["message"]), **decimals)
        assert (kind, action) == (MessageType.Call, "SetChargingProfile")
        get_validator(MessageType.Call, action, version, **decimals).validate(payload)


def powers(messages, time, step):
    """Read the requests as a station does: kW of each charge point at every step (UTC), as far as a
    profile is valid there; written without a look at what wrote them.
    """
    found = {}
    for one in messages:
        payload = one["message"][3]
        profile = payload.get("chargingProfile") or payload["csChargingProfiles"]
        schedule = profile["chargingSchedule"]
        schedule = schedule[0] if isinstance(schedule, list) else schedule
        assert schedule["chargingRateUnit"] == "W" and schedule["startSchedule"].endswith("Z")
        begin = datetime.fromisoformat(schedule["startSchedule"]).timestamp()
        starts = [p["startPeriod"] for p in schedule["chargingSchedulePeriod"]]
        assert starts[0] == 0 and starts == sorted(set(starts))
        series = found.setdefault(one["chargePoint"], np.full(len(time), np.nan))
        for k, moment in enumerate(time.tz_localize("UTC")):
            since = moment.timestamp() - begin
            if 0 <= since < schedule["duration"]:
                assert np.isnan(series[k])  # one profile at a time
                period = schedule["chargingSchedulePeriod"][
                    np.searchsorted(starts, since, "right") - 1
                ]
                if period.get("operationMode") == "Idle":
                    assert set(period) == {"startPeriod", "operationMode"}  # Q10.FR.01
                    series[k] = 0.0
                elif "setpoint" in period:
                    assert period["dischargeLimit"] <= period["setpoint"] <= period["limit"]
                    series[k] = period["setpoint"] / 1000
                else:
                    series[k] = period["limit"] / 1000
    return found


def test_set_points_give_every_session_its_energy(plan):
    """Losses, a least power, feeding in, an hour that the clock skips, and two sessions at one
    connector: each has the energy of the plan, to half of a tenth of a watt in each step.
    """
    messages = v2g.charging_profiles(plan)
    assert_valid(messages, "2.1")
    time = pd.DatetimeIndex(plan["time"].to_numpy())
    found = powers(messages, time, 0.5)
    fleet = plan["fleet"]
    net = (fleet.charge - fleet.discharge).transpose("fleet", "time")
    assert float(net.min()) < -1 and float(net.max()) > 1  # it does both
    for member, sessions in {"first": [slice(0, 10)], "other": [slice(0, 4), slice(6, 10)]}.items():
        for steps in sessions:
            planned = 0.5 * float(net.sel(fleet=member)[steps].sum())
            told = 0.5 * found[member][steps].sum()
            assert told == pytest.approx(planned, abs=0.5 * 10 * 0.05e-3)
    assert (found["other"][4:6] == 0).all()  # nobody is there
    begin = messages[0]["message"][3]["chargingProfile"]["chargingSchedule"][0]
    assert begin["startSchedule"] == "2026-03-28T22:00:00Z" and begin["duration"] == 5 * 3600
    assert begin["minChargingRate"] == 1380.0


def test_a_station_of_few_periods_gets_several_profiles(plan):
    """Three periods each: every profile is valid until the next begins, and they say the same."""
    time = pd.DatetimeIndex(plan["time"].to_numpy())
    few = v2g.charging_profiles(plan, most_periods=3)
    assert_valid(few, "2.1")
    profiles = [m["message"][3]["chargingProfile"] for m in few if m["chargePoint"] == "first"]
    assert len(profiles) > 1 and len({p["id"] for p in profiles}) == len(profiles)
    assert all(a["validTo"] == b["validFrom"] for a, b in zip(profiles, profiles[1:], strict=False))
    whole = powers(v2g.charging_profiles(plan), time, 0.5)
    cut = powers(few, time, 0.5)
    assert all(np.array_equal(cut[name], whole[name]) for name in whole)


def test_a_running_transaction_ends_with_its_session(plan):
    """Two hours of the connector of which the first car leaves; the other is not running."""
    messages = v2g.charging_profiles(plan, transactions={"other": "tx-7"})
    assert_valid(messages, "2.1")
    by_name = {m["chargePoint"]: m["message"][3]["chargingProfile"] for m in messages}
    other = by_name["other"]
    assert (other["chargingProfilePurpose"], other["transactionId"]) == ("TxProfile", "tx-7")
    assert other["chargingSchedule"][0]["duration"] == 2 * 3600
    assert by_name["first"]["chargingProfilePurpose"] == "TxDefaultProfile"
    assert "transactionId" not in by_name["first"]


def test_what_stations_cannot_do_is_listed(plan):
    """Discharge in OCPP 1.6, a slow ramp, and a transaction that is no number, all at once."""
    with pytest.raises(SchemaError) as caught:
        v2g.charging_profiles(plan, "1.6", ramp=0.1, transactions={"first": "a", "third": "1"})
    said = {p.where: p.sentence() for p in caught.value.problems}
    assert "no word for discharging" in said["fleet.discharge"]
    assert "export it as OCPP 2.1" in said["fleet.discharge"]
    assert "longer than the step" in said["ramp"]
    assert len(caught.value.problems) == 4
    # 18.4 kW, from feeding in at 7.4 to charging at 11, are the largest change of any plan here
    v2g.charging_profiles(plan, ramp=18.4 / 30)


def test_the_largest_change_takes_a_whole_step():
    """From 0 to 6 kW, and from 6 to 0, in steps of 30 minutes: 0.2 kW a minute are just enough."""
    needs = vehicle(charge_max=6.0, energy_min=[0.0, 3.0, 0.0], energy_max=3.0, eta_charge=1.0)
    tree = case({"ev": needs}, market([50.0, 10.0, 50.0]), step="30min")
    plan = v2g.solve(tree)
    assert plan["fleet"].charge.values.ravel().tolist() == pytest.approx([0, 6, 0])
    v2g.charging_profiles(plan, ramp=0.2)
    with pytest.raises(SchemaError, match="longer than the step"):
        v2g.charging_profiles(plan, ramp=0.199)


def test_charging_alone_in_both_versions():
    """OCPP 1.6 says the same powers as 2.1 where nothing is fed in; plugs of a charger are its
    EVSEs, and a member of two vehicles is no charge point.
    """
    hub = {"hub": {"charge_max": 50.0, "discharge_max": 0.0}}
    tree = two_cars(charger=hub, discharge_max=0.0, charger_of="hub")
    plan = v2g.solve(tree)
    old, new = v2g.charging_profiles(plan, "1.6"), v2g.charging_profiles(plan)
    assert_valid(old, "1.6")
    assert_valid(new, "2.1")
    assert [(m["chargePoint"], m["message"][3]["connectorId"]) for m in old] == [
        ("hub", 1),
        ("hub", 2),
    ]
    assert [m["message"][3]["evseId"] for m in new] == [1, 2]
    time = pd.DatetimeIndex(plan["time"].to_numpy())
    for a, b in zip(old, new, strict=True):
        assert np.array_equal(powers([a], time, 0.5)["hub"], powers([b], time, 0.5)["hub"])

    with pytest.raises(SchemaError, match="3 periods in one|a station takes 1 in one schedule"):
        v2g.charging_profiles(plan, "1.6", most_periods=1)
    plan["fleet"]["vehicles"] = xr.DataArray([1.0, 2.0], dims="fleet")
    with pytest.raises(SchemaError, match="a charge point has one: other"):
        v2g.charging_profiles(plan)
