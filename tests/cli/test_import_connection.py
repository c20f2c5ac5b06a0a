"""A fleet behind its grid connection, whose batteries are not driven to 0."""

import numpy as np
import pandas as pd
import pytest
import typer
import xarray as xr

import v2g_linopy as v2g
from v2g_linopy.cli.set_option import changed

STAYS = """arrival,departure,vehicle,capacity,board,need,charger,back
2026-01-05 00:00,2026-01-05 04:00,full,100,60,60,50,50
2026-01-05 00:00,2026-01-05 04:00,low,100,10,10,50,50
2026-01-05 00:00,2026-01-05 04:00,smart,100,60,60,50,0
"""
COLUMNS = {"capacity": "capacity", "energy_arrival": "board", "energy_need": "need"}
COLUMNS |= {"charge_max": "charger", "discharge_max": "back", "vehicle": "vehicle"}
COLUMNS |= {"arrival": "arrival", "departure": "departure"}


@pytest.fixture
def fleet(run, tmp_path):
    """Write the stays and prices that are high first, import them, and return the outcome."""
    (tmp_path / "stays.csv").write_text(STAYS)
    rows = [f"2026-01-05 0{h}:00,{p}" for h, p in enumerate((500, 500, 10, 10))]
    (tmp_path / "spot.csv").write_text("\n".join(["time,price", *rows]))

    def made(*options, stays="stays.csv"):
        columns = [w for name, header in COLUMNS.items() for w in ("--column", f"{name}={header}")]
        prices = ("--prices", tmp_path / "spot.csv", "--price-format", "csv")
        prices += ("--price-column", "time=time", "--price-column", "day_ahead=price")
        zones = ("--timezone", "UTC", "--price-timezone", "UTC", "--wear", "0")
        words = (*columns, *prices, *zones, *options, "-o", tmp_path / "case.nc")
        return run("import", "sessions", tmp_path / stays, *words)

    return made


def least(case) -> dict[str, list[float]]:
    return {str(x.fleet.item()): x.values.tolist() for x in case["fleet"]["energy_min"]}


def test_drivers_pay_for_their_need_unless_told_otherwise(fleet, tmp_path):
    """19 kWh are needed at 0.95, 20 at the grid are billed; on net energy nothing is written, and a
    third word is none.
    """
    row = "2026-01-05 00:00,2026-01-05 04:00,needy,100,60,79,50,50"
    (tmp_path / "needy.csv").write_text("\n".join([STAYS.splitlines()[0], row]))
    made = fleet("--retail-price", "0.13", stays="needy.csv")
    assert made.exit_code == 0, made.output
    assert "Drivers pay 0.13 EUR per kWh that they need" in made.stdout
    billed = v2g.read(tmp_path / "case.nc")["fleet"].need_billed
    assert billed.values.ravel().tolist() == pytest.approx([0, 0, 0, 20])

    net = fleet("--retail-price", "0.13", "--retail-on", "net", "--force", stays="needy.csv")
    assert "drawn on balance" in net.stdout
    assert "need_billed" not in v2g.read(tmp_path / "case.nc")["fleet"]
    assert fleet("--retail-on", "gross", "--force").exit_code == 2


def test_nobody_is_driven_to_zero_without_a_word(fleet, tmp_path):
    """20 of 100 kWh stay on board; the car that came with 10 keeps 10, and one that cannot
    discharge has no floor. At 500 and then 10 EUR/MWh the first sells down to the floor.
    """
    made = fleet()
    assert made.exit_code == 0, made.output
    assert "Discharging leaves 0.2 of the battery on board" in made.stdout
    case = v2g.read(tmp_path / "case.nc")
    assert least(case) == {
        "full": [20, 20, 20, 60],
        "low": [10, 10, 10, 10],
        "smart": [0, 0, 0, 60],
    }
    fleet_plan = v2g.solve(case)["fleet"]
    assert float(fleet_plan.energy.sel(fleet="full").min()) == pytest.approx(20)
    assert float(fleet_plan.energy.sel(fleet="low").min()) == pytest.approx(10)
    assert float(fleet_plan.unserved.sum()) == pytest.approx(0, abs=1e-9)


def test_hard_needs_stay_feasible_for_those_who_come_with_less(fleet, tmp_path):
    assert fleet("--set", "fleet.unserved_cost=nan").exit_code == 0
    assert v2g.solve(v2g.read(tmp_path / "case.nc")).attrs["status"] == "optimal"


@pytest.mark.parametrize(("word", "floor"), [("0.5", 50), ("50 %", 50), ("0%", 0)])
def test_the_floor_is_as_told(fleet, tmp_path, word, floor):
    made = fleet("--soc-floor", word)
    assert made.exit_code == 0, made.output
    assert least(v2g.read(tmp_path / "case.nc"))["full"] == [floor] * 3 + [60]
    assert ("Discharging leaves" in made.stdout) is (floor > 0)


@pytest.mark.parametrize("word", ["20", "-1%", "half", "nan"])
def test_no_share_is_refused(fleet, word):
    made = fleet("--soc-floor", word)
    assert made.exit_code == 2
    assert f"'{word}' is no share; give one such as 20% or 0.2" in made.stderr.replace("\n", " ")


def test_a_floor_of_the_data_is_taken(fleet, tmp_path):
    rows = STAYS.strip().splitlines()
    rows = [f"{row},{f}" for row, f in zip(rows, ("floor", 30, 30, 30), strict=True)]
    (tmp_path / "own.csv").write_text("\n".join(rows))
    made = fleet("--column", "energy_floor=floor", stays="own.csv")
    assert made.exit_code == 0, made.output
    assert least(v2g.read(tmp_path / "case.nc"))["full"] == [30, 30, 30, 60]
    assert "Discharging leaves" not in made.stdout


@pytest.mark.parametrize(
    ("options", "drawn", "fed"),
    [
        (("--connection", "0.06 MW"), 60, 60),
        (("--connection", "site=60kw", "--export-limit", "0kW"), 60, 0),
        (("--export-limit", "5kW"), np.inf, 5),
    ],
)
def test_a_connection_limits_the_fleet(fleet, tmp_path, options, drawn, fed):
    """Two cars of 50 kW each way would draw and feed 100; the meter shows no more than it may."""
    made = fleet(*options)
    assert made.exit_code == 0, made.output
    assert "Grid connection, site:" in made.stdout
    case = v2g.read(tmp_path / "case.nc")
    limits = case["connection"].to_dataset()
    assert limits.import_max.values.tolist() == [drawn]
    assert limits.export_max.values.tolist() == [fed]
    plan = v2g.solve(case)["fleet"]
    net = (plan.charge - plan.discharge).sum("fleet")
    assert float(net.max()) <= drawn + 1e-6
    assert float(-net.min()) <= fed + 1e-6
    assert fed > 5 or float(-net.min()) == pytest.approx(fed)


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--connection", "200"), 2, "give a number and its unit"),
        (("--connection", "200kWh"), 2, "is no power"),
        (("--connection", "-5kW"), 2, "is no power"),
        (("--connection", "depot=200kW"), 3, "depot: nothing stands there; the case has site"),
    ],
)
def test_a_limit_that_is_none_is_refused(fleet, tmp_path, options, code, words):
    made = fleet(*options)
    assert made.exit_code == code
    assert words in made.stderr.replace("\n", " ")
    assert not (tmp_path / "case.nc").exists()


def test_set_adds_a_connection(run, case_file, tmp_path):
    """8 kW at the meter: 15 kWh at 20 and 30 EUR/MWh are 8 and 7, which cost 0.37 EUR, not 0.35."""
    limit = ("--set", "connection.import_max=8")
    solved = run("solve", case_file, "-o", tmp_path / "out", "--no-report", *limit)
    assert solved.exit_code == 0, solved.output
    assert "the case had no /connection; it is added for site" in solved.stderr
    assert "profit -0.37 EUR" in solved.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["conection.import_max=1"], "did you mean connection?"),
        (["battery.energy_max=1"], "names no members of it"),
        (["battery.energy_max=1"], "charge_max, discharge_max, energy_max"),
        (["imbalance.limit=1"], "to add it give --set imbalance.price_long=… (EUR/MWh), too"),
        (["connection[depot].import_max=1"], "connection has no member 'depot'"),
    ],
)
def test_set_says_what_else_a_part_needs(smart_case, words, said):
    with pytest.raises(typer.BadParameter) as refused:
        changed(smart_case, words)
    assert said in refused.value.message
    assert "connection" not in smart_case.children


def test_set_adds_a_part_that_has_all_it_needs(smart_case):
    said: list[str] = []
    words = ["imbalance.limit=5", "imbalance.price_long=30"]
    new = changed(smart_case, words, said.append)
    assert said == ["--set imbalance.limit=5: the case had no /imbalance; it is added"]
    v2g.check(new)
    assert float(new["imbalance"]["limit"]) == 5


def test_each_pod_has_a_connection(smart_case):
    fleet = smart_case["fleet"].to_dataset(inherit=False)
    smart_case["fleet"] = fleet.assign(pod=("fleet", ["depot"]))
    time = pd.DatetimeIndex(smart_case.to_dataset().indexes["time"])
    assert len(time) == 4
    new = changed(smart_case, ["connection.import_max=8"])
    assert new["connection"]["pod"].values.tolist() == ["depot"]
    v2g.check(new)


def test_vans_come_home_with_the_floor(tmp_path):
    """A battery of 100 kWh, empty on Monday evening; trips take 30 kWh each. It leaves with 50 and
    comes home with 20, which discharging leaves; the short stay of 1 h gets 20 kWh at most, so that
    it leaves with 40 and comes home with 10.
    """
    hours = [(0, 8), (10, 11), (13, 20)]
    monday, hour = pd.Timestamp("2026-01-05"), pd.Timedelta("1h")
    stays = xr.Dataset(
        {
            "arrival": ("session", [monday + hour * a for a, _ in hours]),
            "departure": ("session", [monday + hour * b for _, b in hours]),
            "vehicle": ("session", ["van"] * 3),
            "energy_need": ("session", [30.0] * 3),
            "energy_trip": ("session", [30.0] * 3),
            **{n: ((), 20.0) for n in ("charge_max", "discharge_max")},
            **{n: ((), 1.0) for n in ("eta_charge", "eta_discharge")},
            "capacity": ((), 100.0),
            "energy_arrival": ((), 0.0),
        },
        coords={"session": [0, 1, 2]},
    )
    time = pd.date_range("2026-01-05", periods=24, freq="h", name="time")
    prices = xr.Dataset({"day_ahead": ("time", [100.0, *[50.0] * 23])}, {"time": time})
    options = {"timezone": "UTC", "linked": True, "soc_floor": 0.2, "unserved_cost": np.nan}
    case = v2g.case_from_sessions(stays, prices, **options)
    least = case["fleet"]["energy_min"].values[0]
    assert least[:9].tolist() == [0] * 7 + [50, 0]
    assert least[[10, 13, 18, 19]].tolist() == [40, 10, 10, 50]
    assert "It leaves with that much more than its trip takes" in case.attrs["assumptions"]
    plan = v2g.solve(case)["fleet"]
    assert float(plan.energy.isel(time=slice(8, None)).min()) == pytest.approx(10)


def test_markets_close_where_a_gate_is_given(fleet, tmp_path):
    """At noon the day before: half past eleven and an hour of lead are other gates."""
    made = fleet("--gate", "day_ahead=12:00")
    assert made.exit_code == 0, made.output
    assert "Gate of day_ahead: closes at 12:00 of the day before." in made.stdout
    gates = v2g.read(tmp_path / "case.nc")["gates"].to_dataset()
    assert gates.hour.to_series().to_dict() == {"day_ahead": 12.0}
    for word, name, hours in (("11:30", "hour", 11.5), ("45min", "lead", 0.75)):
        assert fleet("--gate", f"day_ahead={word}", "--force").exit_code == 0
        assert v2g.read(tmp_path / "case.nc")["gates"][name].values.tolist() == [hours]


@pytest.mark.parametrize(
    ("gate", "code", "words"),
    [
        ("day_ahead=12:60", 2, "'12:60' is no time of a day; write it as 12:00"),
        ("day_ahead=noon", 2, "'noon' is no length of time"),
        ("day_ahed=12:00", 3, "'day_ahed' is no market and no product; the case has day_ahead"),
    ],
)
def test_a_gate_that_is_none_is_refused(fleet, tmp_path, gate, code, words):
    made = fleet("--gate", gate)
    assert made.exit_code == code
    assert words in made.stderr.replace("\n", " ")
    assert not (tmp_path / "case.nc").exists()
