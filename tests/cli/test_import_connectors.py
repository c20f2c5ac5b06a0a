"""Connectors on the command line: a table of them beside the sessions says what each stay can
draw.
"""

import pytest

import v2g_linopy as v2g

STAYS = """arrival,departure,plug,energy,onboard
2026-01-05 08:00,2026-01-05 12:00,wall,10,7.4
2026-01-05 09:00,2026-01-05 11:00,hub-1,12,7.4
2026-01-05 09:00,2026-01-05 13:00,hub-2,8,11
"""
COLUMNS = (
    "connector,current,charge_max (kW),discharge_max (kW),charge_min (kW),eta_charge,charger,"
    "charger_max (kW)"
)
PLUGS = f"""{COLUMNS}
wall,AC,11,0,1.4,1,,
hub-1,DC,0.03,0.03,,0.95,hub,0.04
hub-2,DC,0.03,0.03,,0.95,hub,0.04
"""


@pytest.fixture
def imported(run, tmp_path):
    """Import the sessions with a table of connectors; ways to spoil either."""
    prices = "time,price\n" + "\n".join(
        f"2026-01-05 {hour:02d}:00,{50 + hour}" for hour in range(24)
    )
    (tmp_path / "spot.csv").write_text(prices)
    made = run(
        *(
            "import",
            "prices",
            tmp_path / "spot.csv",
            "--column",
            "time=time",
            "--column",
            "day_ahead=price",
        ),
        *("--timezone", "UTC", "-o", tmp_path / "spot.nc"),
    )
    assert made.exit_code == 0, made.output

    def invoke(
        plugs=PLUGS, stays=STAYS, options=(), columns=("connector=plug", "onboard_max=onboard")
    ):
        (tmp_path / "stays.csv").write_text(stays)
        (tmp_path / "plugs.csv").write_text(plugs)
        named = [
            w
            for c in ("arrival=arrival", "departure=departure", "energy=energy", *columns)
            for w in ("--column", c)
        ]
        return run(
            *(
                "import",
                "sessions",
                tmp_path / "stays.csv",
                *named,
                "--timezone",
                "UTC",
                "--assume",
                "defaults",
            ),
            *("--prices", tmp_path / "spot.nc", "--connectors", tmp_path / "plugs.csv", *options),
            *("-o", tmp_path / "case.nc", "--force"),
        )

    return invoke


MW = (
    PLUGS.replace("charge_max (kW)", "charge_max [MW]")
    .replace("0.04", "40")
    .replace("wall,AC,11", "wall,AC,0.011")
)


def test_a_table_of_connectors(imported, tmp_path):
    """The wall box is bound by the car (7.4 of 11 kW); the hub gives 30 kW each, 40 together.

    Without the table every charger would be assumed; the unit in the header makes 0.03 MW of it (30
    kW)."""
    made = imported(MW)
    assert made.exit_code == 0, made.output
    case = v2g.read(tmp_path / "case.nc")
    fleet = case["fleet"].to_dataset().max("time")
    assert fleet.charge_max.sel(fleet="wall") == 7.4
    assert fleet.discharge_max.sel(fleet="wall") == 0
    assert fleet.charge_min.sel(fleet="wall") == 1.4
    assert fleet.charge_max.sel(fleet="hub-1") == fleet.discharge_max.sel(fleet="hub-1") == 30
    eta = case["sessions"].to_dataset().set_index(session="connector").eta_charge
    assert eta.sel(session=["wall", "hub-1", "hub-2"]).values.tolist() == [1.0, 0.95, 0.95]
    assert case["charger"].charge_max.values.tolist() == [40]
    assert "car and connector together (3 connectors, plugs.csv)" in case.attrs["assumptions"]
    assert v2g.solve(case)["audit"].attrs["passed"]


def test_the_assumption_fills_what_no_table_says(imported, tmp_path):
    """No efficiency anywhere: the 0.95 assumed; no power back: none, though the assumption would
    feed in.
    """
    made = imported("connector,current,charge_max\nwall,AC,11\nhub-1,DC,30\nhub-2,DC,30\n")
    assert made.exit_code == 0, made.output
    case = v2g.read(tmp_path / "case.nc")
    assert set(case["sessions"].eta_charge.values.ravel()) == {0.95}
    assert float(case["fleet"].discharge_max.max()) == 0
    assert "charger" not in case.children


FAULTS = {
    "a plug that is not there": (
        {"plugs": PLUGS.replace("hub-2", "hub-3")},
        "'hub-2' has no line in the connectors",
    ),
    "a current": ({"plugs": PLUGS.replace("wall,AC", "wall,AV")}, "'AV' is not one of AC, DC"),
    "a header": ({"plugs": PLUGS.replace("current", "curent")}, "connectors.curent"),
    "no header": (
        {"plugs": PLUGS.replace("charge_max (kW),d", "power,d")},
        "connectors.charge_max",
    ),
    "a number": ({"plugs": PLUGS.replace("AC,11", "AC,eleven")}, "not a number at row 2: 'eleven'"),
    "a unit": (
        {"plugs": PLUGS.replace("charge_max (kW),d", "charge_max (kWh),d")},
        "unit 'kWh' does not fit",
    ),
    "no power of a converter": (
        {"plugs": MW.replace("hub,40", "hub,")},
        "charger hub: give the power",
    ),
    "a plug above the car": ({"plugs": PLUGS.replace("1.4", "9")}, "gives no less than 9 kW"),
    "no column of plugs": ({"columns": ()}, "column `connector`"),
}


@pytest.mark.parametrize(("spoilt", "words"), FAULTS.values(), ids=FAULTS)
def test_faults_are_told(imported, spoilt, words):
    made = imported(**({"plugs": MW} | spoilt))
    assert made.exit_code == 3, made.output
    assert words in made.output
    assert "Traceback" not in made.output


def test_a_file_that_is_not_there(run, tmp_path):
    (tmp_path / "stays.csv").write_text(STAYS)
    made = run(
        *(
            "import",
            "sessions",
            tmp_path / "stays.csv",
            "--prices",
            tmp_path / "none.nc",
            "--connectors",
            "none.csv",
        ),
        *("-o", tmp_path / "case.nc"),
    )
    assert made.exit_code == 3
