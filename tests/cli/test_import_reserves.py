"""`import reserves`, `import frequency`: from an operator's files to a case that sells them."""

import numpy as np
import pytest
import xarray as xr
from by_hand import lossless_case

import v2g_linopy as v2g
from v2g_linopy.data import frequency_record, with_reserves

HOURS = [f"2026-01-05 0{k}:00" for k in range(1, 5)]
HELSINKI = ("--timezone", "Europe/Helsinki")


@pytest.fixture
def plan(tmp_path):
    """A car that can discharge, four hours from 23:00 UTC."""
    car = {"charge_max": [10.0] * 4, "discharge_max": [10.0] * 4, "energy_initial": 20.0}
    v2g.write(lossless_case([30.0, 20.0, 60.0, 40.0], {"ev": car}), tmp_path / "case.nc")
    return tmp_path / "case.nc"


@pytest.fixture
def offers(tmp_path):
    """Prices in local time, two hours ahead; nothing was bought of FCR-D up in the third hour."""
    rows = [
        f"{h};{n};{u}"
        for h, n, u in zip(HOURS, ("20,5", "21", "22", "23"), ("5", "6", "", "8"), strict=True)
    ]
    (tmp_path / "fcr.csv").write_text("\n".join(["When;N;Up", *rows]) + "\n")
    return tmp_path / "fcr.csv"


COLUMNS = ("--column", "time=When", "--column", "FCR-N=N", "--column", "FCR-D up=Up")
TABLE = ("--separator", ";", "--decimal", ",")


def test_products_are_named_by_their_columns(run, plan, offers, tmp_path):
    result = run(
        "import",
        "reserves",
        offers,
        *COLUMNS,
        *TABLE,
        *HELSINKI,
        "--into",
        plan,
        "-o",
        tmp_path / "out",
    )
    assert result.exit_code == 0, result.output
    assert "FCR-N, FCR-D up: from fcr.csv, for limited reservoirs (with NEM)." in result.stdout
    case = v2g.read(tmp_path / "out.nc")
    reserve = case["reserve"].to_dataset()
    assert reserve.capacity_price.sel(product="FCR-N").values.tolist() == [20.5, 21, 22, 23]
    assert reserve.volume_max.sel(product="FCR-D up").values.tolist() == [np.inf, np.inf, 0, np.inf]
    assert reserve.up.values.tolist() == [1.34, 1.0]
    v2g.check(case)


def test_who_cannot_discharge_holds_two_hours(run, plan, offers, tmp_path):
    """Found from the case, or as told; prices per kW; a limit on what is bought; the bids changed
    on the way.
    """
    idle = v2g.read(plan)
    idle["fleet/discharge_max"] = xr.zeros_like(idle["fleet/discharge_max"])
    v2g.write(idle, tmp_path / "idle.nc")
    words = (
        "import",
        "reserves",
        offers,
        *COLUMNS[:4],
        *TABLE,
        *HELSINKI,
        "--unit",
        "EUR/kW/h",
        "--volume-max",
        50,
    )
    words += ("--set", "reserve.minimum_bid=0", "--into")
    made = run(*words, tmp_path / "idle.nc", "-o", tmp_path / "a")
    assert made.exit_code == 0 and "two hours of full activation" in made.stdout
    reserve = v2g.read(tmp_path / "a.nc")["reserve"].to_dataset()
    assert reserve.hours_up.values.tolist() == [2] and reserve.up.values.tolist() == [1]
    assert float(reserve.volume_max.max()) == 50 and float(reserve.minimum_bid.max()) == 0
    assert reserve.capacity_price.attrs["units"] == "EUR/kW/h"
    told = run(*words, plan, "--reservoir", "ample", "-o", tmp_path / "b")
    assert told.exit_code == 0 and "two hours" in told.stdout
    again = run(*words, tmp_path / "b.nc", "-o", tmp_path / "c")
    assert "take the place of all that the case had in /reserve" in again.stderr


def test_a_frequency_record_into_a_case(run, plan, offers, tmp_path):
    """Two files, an hour late and moved; the case then knows activation and excursions, and
    solves.
    """
    run(
        "import",
        "reserves",
        offers,
        *COLUMNS,
        *TABLE,
        *HELSINKI,
        "--into",
        plan,
        "-o",
        tmp_path / "fcr",
    )
    frequency_record("2026-01-05 00:00", 4, step="10s", seed=1).to_netcdf(tmp_path / "hertz.nc")
    words = (
        "import",
        "frequency",
        tmp_path / "hertz.nc",
        "--into",
        tmp_path / "fcr.nc",
        "-o",
        tmp_path / "called",
    )
    late = run(*words)
    assert late.exit_code == 3 and "give --moved" in " ".join(late.stderr.split())
    made = run(*words, "--moved", "--set", "reserve.minimum_bid=0", "--set", "reserve.step=0")
    assert made.exit_code == 0, made.output
    assert "hertz.nc, from 2026-01-05 00:00:00 UTC, moved to the start of the case." in made.stdout
    reserve = v2g.read(tmp_path / "called.nc")["reserve"].to_dataset().sel(product="FCR-N")
    assert 0.05 < float(reserve.activation_up.mean()) < 0.5
    assert float(reserve.excursion_up.max()) > 0.01
    assert v2g.solve(v2g.read(tmp_path / "called.nc"))["reserve"].volume.sum() > 0


@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        (
            ("reserves", "FCR", "--column", "time=When", "--column", "FCR-M=N"),
            3,
            "did you mean FCR-N",
        ),
        (
            ("reserves", "FCR", *COLUMNS, "--unit", "EUR/MWh"),
            2,
            "no unit of a capacity price; give EUR/kW/h or EUR/MW/h",
        ),
        (("reserves", "FCR", *COLUMNS, "--reservoir", "huge"), 2, "not among limited, ample"),
        (("reserves", "FCR", *COLUMNS), 3, "give --timezone"),
        (("reserves", "FCR"), 2, "say which column holds what"),
        (
            ("frequency", "FCR", "--column", "time=When", "--column", "frequency=N", *HELSINKI),
            3,
            "not within 45 to 55",
        ),
    ],
)
def test_what_is_refused(run, plan, offers, tmp_path, words, code, expected):
    given = [offers if w == "FCR" else w for w in words]
    result = run("import", *given, *TABLE, "--into", plan, "-o", tmp_path / "out")
    assert result.exit_code == code, result.output
    assert expected in " ".join(result.stderr.split())
    assert not (tmp_path / "out.nc").exists()


def test_prices_must_cover_the_case_in_one_unit(plan):
    case = v2g.read(plan)
    time = case.to_dataset().indexes["time"]
    one = xr.Dataset(
        {"FCR-N": ("time", [5.0] * 3, {"units": "EUR/MW/h"})}, coords={"time": time[:3]}
    )
    with pytest.raises(v2g.SchemaError, match="they cover"):
        with_reserves(case, one)
    two = xr.Dataset(
        {
            n: ("time", [5.0] * 4, {"units": u})
            for n, u in (("FCR-N", "EUR/MW/h"), ("mFRR up", "EUR/kW/h"))
        }
    )
    with pytest.raises(v2g.SchemaError, match="give all in one"):
        with_reserves(case, two.assign_coords(time=time))
