"""A frequency record: read from files, folded into the steps of a case, and as the calls of a
plan.
"""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from cases import case, market, product, row, storage
from pytest import approx

import v2g_linopy as v2g
from v2g_linopy.data import frequency_record, read_netcdf_frequency
from v2g_linopy.delivery.frequency import fold
from v2g_linopy.errors import InputFileError

QUARTER = pd.date_range("2026-01-05", periods=1, freq="15min", name="time")


def record(hertz, step="5min", start="2026-01-05") -> xr.DataArray:
    time = pd.date_range(start, periods=len(hertz), freq=step, name="time")
    return xr.DataArray(np.asarray(hertz, float), coords={"time": time}, dims="time")


def written(path, rows, header="Time,Hz"):
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


COLUMNS = {"time": "Time", "frequency": "Hz"}


def test_seconds_of_a_local_clock(tmp_path):
    """Three seconds of Helsinki time, two hours ahead of UTC in winter, with a decimal comma."""
    rows = [f"2026-01-05 02:00:0{k};{v}" for k, v in enumerate(("50,01", "49,98", "49,9"))]
    path = written(tmp_path / "f.csv", rows, "Time;Hz")
    read = v2g.read_frequency(
        path, columns=COLUMNS, timezone="Europe/Helsinki", separator=";", decimal=","
    )
    assert read.frequency.values.tolist() == [50.01, 49.98, 49.9]
    assert read.indexes["time"][0] == pd.Timestamp("2026-01-05 00:00")
    assert pd.Timedelta(read.indexes["time"][1] - read.indexes["time"][0]) == pd.Timedelta("1s")
    assert read.frequency.attrs["units"] == "Hz"


def test_tenths_of_a_second_with_a_gap(tmp_path):
    """A record of ten a second with one missing: refused, or the one before holds."""
    stamps = pd.date_range("2026-01-05", periods=6, freq="100ms").delete(3)
    path = written(tmp_path / "f.csv", [f"{t.isoformat()},50.0{k}" for k, t in enumerate(stamps)])
    with pytest.raises(v2g.SchemaError, match="1 step without a row"):
        v2g.read_frequency(path, columns=COLUMNS, timezone="UTC")
    read = v2g.read_frequency(path, columns=COLUMNS, timezone="UTC", missing="hold")
    assert read.frequency.values.tolist() == [50.00, 50.01, 50.02, 50.02, 50.03, 50.04]


def test_a_netcdf_file(tmp_path):
    made = frequency_record("2026-01-05", 0.1, step="10s", seed=3)
    made.rename(frequency="f50").to_netcdf(tmp_path / "f.nc")
    read = read_netcdf_frequency(tmp_path / "f.nc")
    np.testing.assert_array_equal(read.frequency, made.frequency)


@pytest.mark.parametrize(
    ("rows", "columns", "words"),
    [
        (
            ["2026-01-05 00:00,50", "2026-01-05 00:01,-20"],
            COLUMNS,
            "00:01:00: -20: not within 45 to 55 Hz; give it in Hz",
        ),
        (
            ["2026-01-05 00:00,50", "2026-01-05 00:01,"],
            COLUMNS,
            "without a number: .*00:01:00 UTC; .*hold",
        ),
        (["2026-01-05 00:00,50", "2026-01-05 00:00,50"], COLUMNS, "given more than once"),
        (["2026-01-05 00:00,50", "2026-01-05 00:01,fast"], COLUMNS, "not a number at row 3"),
        (["2026-01-05 00:00,50"], {"time": "Time"}, "at least one frequency"),
        (["2026-01-05 00:00,50"], COLUMNS | {"rocof": "Hz"}, "columns.rocof"),
        (
            ["2026-01-05 00:00,50"],
            {"time": "Time", "frequency": "mHz"},
            "no column 'mHz'; did you mean 'Hz'",
        ),
    ],
)
def test_what_a_file_can_have_wrong(tmp_path, rows, columns, words):
    with pytest.raises(v2g.SchemaError, match=words):
        v2g.read_frequency(written(tmp_path / "f.csv", rows), columns=columns, timezone="UTC")


def test_a_netcdf_file_without_a_frequency(tmp_path):
    time = pd.date_range("2026-01-05", periods=2, freq="s", name="time")
    both = xr.Dataset(
        {n: ("time", [50.0, 50.0]) for n in ("north", "south")}, coords={"time": time}
    )
    both.to_netcdf(tmp_path / "f.nc")
    with pytest.raises(v2g.SchemaError, match="no variable frequency; the file has north, south"):
        read_netcdf_frequency(tmp_path / "f.nc")
    with pytest.raises(InputFileError, match="does not exist"):
        read_netcdf_frequency(tmp_path / "none.nc")


def test_a_record_folded_by_hand():
    """Five minutes each at 49.95, 50.10 and 49.90 Hz: FCR-N is called 1/2 up, 1 down, 1 up.

    Mean up (1/2 + 1) / 3 = 1/2, down 1/3. With 0.8 each way a kW sold draws 0.625, stores 0.8,
    draws 1.25 of a twelfth of an hour: after them 0.625, -0.175, 1.075 twelfths drawn, so 1.075 /
    12 h at the worst, at the end. Stored beside a baseline that discharges: -0.4, -0.4 + 1.25 =
    0.85, 0.05; at rest -0.625, 0.175, -1.075."""
    f = record([49.95, 50.10, 49.90])
    eta = {"eta_charge": 0.8, "eta_discharge": 0.8}
    read = fold(f, ["FCR-N", "FCR-D up"], QUARTER, 0.25, **eta).sel(product="FCR-N")
    assert float(read.activation_up.sum()) == approx(1 / 2) and float(
        read.activation_down.sum()
    ) == approx(1 / 3)
    assert float(read.excursion_up.sum()) == approx(1.075 / 12)
    assert float(read.excursion_down.sum()) == approx(0.85 / 12)
    resting = fold(f, ["FCR-N"], QUARTER, 0.25, **eta, at_rest=True)
    assert float(resting.excursion_down.sum()) == approx(0.175 / 12)
    calm = fold(f, ["FCR-D up"], QUARTER, 0.25, **eta)
    assert [float(x.sum()) for x in calm.data_vars.values()] == approx([0] * 4, abs=1e-12)


def test_every_step_begins_anew():
    """Up in the first quarter, down in the second: each excursion is that of its own step."""
    f = record([49.9] * 3 + [50.1] * 3)
    read = fold(
        f, ["FCR-N"], pd.date_range("2026-01-05", periods=2, freq="15min", name="time"), 0.25
    )
    assert read.excursion_up.values.ravel().tolist() == approx([0.25, 0.0])
    assert read.excursion_down.values.ravel().tolist() == approx([0.0, 0.25])
    assert read.activation_down.values.ravel().tolist() == approx([0.0, 1.0])


@pytest.mark.parametrize("baseline", [-700.0, -60.0, 0.0, 60.0, 700.0])
def test_no_battery_leaves_its_path_by_more(baseline):
    """500 kW of FCR-N on a random record beside a baseline: the path of the battery, second by
    second, stays within the excursions of the path without calls; at rest it reaches them."""
    f = frequency_record("2026-01-05", 0.25, step="1s", seed=5)["frequency"]
    eta = {"eta_charge": 0.9, "eta_discharge": 0.85}

    def path(power):
        return np.cumsum(np.where(power > 0, power / 0.85, power * 0.9)) / 3600

    share = ((50 - f.values) / 0.1).clip(-1, 1)
    apart = path(baseline + 500 * share) - path(baseline + 0 * share)
    read = fold(f, ["FCR-N"], QUARTER, 0.25, **eta, at_rest=baseline == 0)
    up, down = 500 * float(read.excursion_up.sum()), 500 * float(read.excursion_down.sum())
    assert apart.max() <= up + 1e-9 and -apart.min() <= down + 1e-9
    if baseline == 0:
        assert apart.max() == approx(up) and -apart.min() == approx(down, abs=1e-9)
    assert up > 5


def nordic(steps=1, **fields) -> xr.DataTree:
    """A battery that sells FCR-N, and a product of another name."""
    box = storage(
        charge_max=1000, discharge_max=1000, energy_max=1000, energy_initial=500, eta_charge=0.8
    )
    offers = {"FCR-N": product(up=1.34, down=1.34), "other": product(up=1, activation_up=0.25)}
    offers = {n: p | {"capacity_price": [10.0] * steps} | fields for n, p in offers.items()}
    return case(None, market([0] * steps, limit=0), offers, battery=box, step="15min")


def test_a_record_goes_into_a_case():
    """Products are known by their names; the others keep what they have; the lowest efficiency
    counts.
    """
    read = v2g.with_frequency(nordic(), record([49.95, 50.10, 49.90]))
    reserve = read["reserve"].to_dataset()
    assert reserve.activation_up.values.ravel().tolist() == approx([1 / 2, 1 / 4])
    assert reserve.activation_down.values.ravel().tolist() == approx([1 / 3, 0])
    # 1/2 - 0.8 + 1 drawn, -0.4 + 1 stored at most, in twelfths
    assert reserve.excursion_up.values.ravel().tolist() == approx([0.7 / 12, 0])
    assert reserve.excursion_down.values.ravel().tolist() == approx([0.6 / 12, 0])
    assert not [n for n in v2g.check(read) if "excursion" in n and "no units" in n]
    assert "excursion_up" not in nordic()["reserve"]


def test_an_excursion_holds_energy_back():
    """A quarter of an hour of 49.9 Hz in every quarter draws 1/4 kWh per kW sold: 20 kWh let 80 kW
    be sold, though no level guarantees anything; the same record moved by a day is refused, or
    moved back."""
    tree = nordic()
    battery = tree.children["battery"].to_dataset(inherit=False)
    tree["battery"] = xr.DataTree(battery.assign(energy_initial=("battery", [20.0])))
    tree["reserve"] = xr.DataTree(
        tree.children["reserve"].to_dataset(inherit=False).sel(product=["FCR-N"])
    )
    full = v2g.with_frequency(tree, record([49.9] * 3))
    assert row(v2g.solve(full), "reserve.volume") == approx([80])
    late = record([49.9] * 3, start="2026-01-06")
    with pytest.raises(v2g.SchemaError, match="it covers 2026-01-06 .* give moved"):
        v2g.with_frequency(tree, late)
    xr.testing.assert_identical(
        v2g.with_frequency(tree, late, moved=True)["reserve"], full["reserve"]
    )


def test_a_record_as_the_calls_of_a_plan():
    """Shares of the power held: FCR-N holds 1.34 kW per kW sold and is called for 1 at most."""
    calls = v2g.frequency_signals(nordic(), record([49.95, 50.10, 49.90, 50.0]))
    assert calls.up.dims == ("signal", "product", "time")
    assert calls.up.values.ravel().tolist() == approx([0.5 / 1.34, 0, 1 / 1.34])
    assert calls.down.values.ravel().tolist() == approx([0, 1 / 1.34, 0])


def test_a_plan_made_with_a_record_survives_it():
    """A quarter of an hour of random frequency, 2 kWh on board: the plan that knows the excursions
    misses nothing.

    The one that does not sells 746 kW and runs dry.
    """
    tree = nordic()
    battery = tree.children["battery"].to_dataset(inherit=False)
    tree["battery"] = xr.DataTree(
        battery.assign(energy_initial=("battery", [2.0]), eta_discharge=("battery", [0.9]))
    )
    tree["reserve"] = xr.DataTree(
        tree.children["reserve"].to_dataset(inherit=False).sel(product=["FCR-N"])
    )
    f = frequency_record("2026-01-05", 0.25, step="1s", seed=5)["frequency"] - 0.02
    calls = v2g.frequency_signals(tree, f)
    careless, careful = v2g.solve(tree), v2g.solve(v2g.with_frequency(tree, f))
    assert row(careless, "reserve.volume") == approx([1000 / 1.34])
    assert float(v2g.stress(careless, calls).undelivered.sum()) > 10
    assert 0 < row(careful, "reserve.volume")[0] < 700
    survived = v2g.stress(careful, calls)
    assert (
        float(survived.undelivered.sum()) <= 1e-6 and float(survived.violation_energy.max()) <= 1e-6
    )


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: fold(record([50.0] * 3, "7min"), ["FCR-N"], QUARTER, 0.25), "steps of 420 s"),
        (
            lambda: fold(record([50.0] * 4).isel(time=[0, 1, 3]), ["FCR-N"], QUARTER, 0.25),
            "the same everywhere",
        ),
        (
            lambda: fold(record([50.0] * 3, start="2026-01-05 00:01"), ["FCR-N"], QUARTER, 0.25),
            "whole steps of 15 min",
        ),
        (lambda: fold(record([50.0] * 2), ["FCR-N"], QUARTER, 0.25), "it covers 2026-01-05"),
        (
            lambda: fold(record([50.0] * 3), ["aFRR up"], QUARTER, 0.25),
            "aFRR up follows no frequency",
        ),
        (
            lambda: v2g.with_frequency(case(None, market([0]), battery=storage()), record([50.0])),
            "no product of the case",
        ),
    ],
)
def test_what_cannot_be_folded(call, words):
    with pytest.raises(v2g.SchemaError, match=words):
        call()
