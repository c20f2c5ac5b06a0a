"""`import pv`, `import load`: from a meter's file to a plan."""

import re

import pandas as pd
import pytest

import v2g_linopy as v2g
from v2g_linopy.cli.solve import FILES

SPOT = ["2026-01-05 00:00,50", "2026-01-05 01:00,20", "2026-01-05 02:00,20", "2026-01-05 03:00,50"]
ROOF = [
    "2026-01-05 00:00,0,0",
    "2026-01-05 01:00,400,100",
    "2026-01-05 02:00,800,200",
    "2026-01-05 03:00,0,0",
]
ROME = ("--timezone", "Europe/Rome")


def csv(path, header, rows):
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


@pytest.fixture
def spot(tmp_path):
    return csv(tmp_path / "spot.csv", "when,price", SPOT)


@pytest.fixture
def roof(tmp_path):
    return csv(tmp_path / "roof.csv", "when,south,north", ROOF)


def prices(spot):
    return (
        *("--prices", spot, "--price-column", "time=when", "--price-column", "day_ahead=price"),
        *("--price-timezone", "Europe/Rome"),
    )


COLUMNS = ("--column", "time=when", "--column", "south=south", "--column", "north=north")


def test_a_roof_to_a_plan(run, spot, roof, tmp_path):
    """0.4 and 0.8 kW per kWp of 50 kWp, 0.1 and 0.2 of 20: 20 + 40 + 2 + 4 kWh sold at 20 EUR/MWh
    are 1.32 EUR.
    """
    sizes = ("--unit", "W", "--kwp", "50", "--kwp", "north=20")
    made = run(
        "import", "pv", roof, *COLUMNS, *ROME, *sizes, *prices(spot), "-o", tmp_path / "case"
    )
    assert made.exit_code == 0, made.output
    assert "south: from roof.csv (50 kWp)" in made.stdout
    assert "north: from roof.csv (20 kWp)" in made.stdout
    assert "2 solar or wind plants, 1 market, 4 steps" in made.stdout
    case = v2g.read(tmp_path / "case.nc")
    assert case["renewable"].available.sel(renewable="south").values.tolist() == [0, 20, 40, 0]
    assert case.attrs["timezone"] == "Europe/Rome"
    assert "next: v2g solve" in made.stdout
    solved = run("solve", tmp_path / "case.nc", "-o", tmp_path / "out")
    assert solved.exit_code == 0, solved.output
    assert "profit 1.32 EUR" in solved.stdout
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*FILES}
    bill = pd.read_csv(tmp_path / "out" / "bill.csv")
    assert bill["amount"].sum() == pytest.approx(1.32)
    assert set(pd.read_csv(tmp_path / "out" / "schedule.csv")["asset"]) == {"renewable", "meter"}
    page = (tmp_path / "out" / "report.html").read_text()
    assert "vehicle" not in re.sub(r"<figure>.*?</figure>", "", page, flags=re.DOTALL)
    assert "The plan earns" in page


def test_a_meter_beside_it(run, spot, roof, tmp_path):
    """A load of 2 kWh per half hour behind its own meter: 4 kW, 16 kWh at 35 EUR/MWh in the
    mean.
    """
    run(
        "import",
        "pv",
        roof,
        *COLUMNS,
        *ROME,
        "--unit",
        "W",
        *prices(spot),
        "--pod",
        "farm",
        "-o",
        tmp_path / "one",
    )
    rows = [f"05.01.2026 0{k // 2}:{30 * (k % 2):02d};2,0" for k in range(8)]
    meter = csv(tmp_path / "meter.csv", "Von;Verbrauch", rows)
    result = run(
        *(
            "import",
            "load",
            meter,
            "--column",
            "time=Von",
            "--column",
            "office=Verbrauch",
            "--unit",
            "kWh",
        ),
        *("--separator", ";", "--decimal", ",", "--time-format", "%d.%m.%Y %H:%M", *ROME),
        *("--into", tmp_path / "one.nc", "--pod", "office=town", "-o", tmp_path / "two"),
    )
    assert result.exit_code == 0, result.output
    case = v2g.read(tmp_path / "two.nc")
    assert case["load"].baseline.values.tolist() == [[4, 4, 4, 4]]
    assert case["load"].pod.values.tolist() == ["town"]
    assert case["renewable"].pod.values.tolist() == ["farm", "farm"]
    assert "/load, office: from meter.csv." in case.attrs["assumptions"]
    sun = (0.4 + 0.8 + 0.1 + 0.2) * 20 / 1000
    assert v2g.solve(case).attrs["profit"] == pytest.approx(sun - 16 * 35 / 1000)


@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        ([], 2, "--into"),
        (["PRICES", "--kwp", "fifty"], 2, "kWp"),
        (["PRICES", "--kwp", "-1"], 2, "kWp"),
        (["PRICES", "--kwp", "sout=5"], 2, "did you mean south"),
        (["PRICES", "--pod", "west=a"], 2, "known: north, south"),
        (["PRICES", "--unit", "EUR"], 2, "no unit of power or energy; give kW or MW"),
        (["PRICES", "--start", "2026-01-04"], 3, "missing for"),
        (["--into", "nowhere.nc"], 3, "does not exist"),
        (["--into", "nowhere.nc", "PRICES"], 2, "not both"),
        (["--into", "nowhere.nc", "--limit", "5"], 2, "--limit"),
    ],
)
def test_what_is_refused(run, spot, roof, tmp_path, words, code, expected):
    given = [part for word in words for part in (prices(spot) if word == "PRICES" else [word])]
    result = run("import", "pv", roof, *COLUMNS, *ROME, *given, "-o", tmp_path / "out.nc")
    assert result.exit_code == code, result.output
    assert expected in " ".join(result.stderr.split())
    assert not (tmp_path / "out.nc").exists()


def test_a_negative_reading_is_named(run, spot, tmp_path):
    """What an inverter draws at night is no sun: it is refused with its place, not cut."""
    roof = csv(
        tmp_path / "roof.csv",
        "when,south",
        [row.rsplit(",", 1)[0].replace(",0", ",-3") for row in ROOF],
    )
    result = run(
        "import", "pv", roof, *COLUMNS[:4], *ROME, *prices(spot), "-o", tmp_path / "out.nc"
    )
    assert result.exit_code == 3
    assert "renewable south at 2026-01-05 00:00 +0100: -3 (and 1 more), allowed" in " ".join(
        result.stderr.split()
    )


def test_a_dry_run_writes_nothing(run, spot, roof, tmp_path):
    result = run(
        "import",
        "load",
        roof,
        *COLUMNS,
        *ROME,
        *prices(spot),
        "-o",
        tmp_path / "out.nc",
        "--dry-run",
    )
    assert result.exit_code == 0, result.output
    assert "would write" in result.stdout
    assert not (tmp_path / "out.nc").exists()
