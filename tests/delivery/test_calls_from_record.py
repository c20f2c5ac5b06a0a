"""States of calls from a frequency record, and what buying back costs, against calls that are
followed minute by minute.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from cases import case, market, product, vehicle
from pytest import approx
from typer.testing import CliRunner

import v2g_linopy as v2g
from v2g_linopy.cli.app import app

HOURS, PARTS, ETA, WEAR = 24, 12, 0.9, 0.03
PRICE = list(35 + 30 * np.sin(2 * np.pi * np.arange(HOURS) / HOURS))


def record(minutes: int, seed: int = 0) -> xr.DataArray:
    """An Ornstein-Uhlenbeck record: 40 mHz about 50 Hz, reverting in 5 minutes."""
    rng, keep = np.random.default_rng(seed), np.exp(-1 / 5)
    steps = rng.standard_normal(minutes) * 0.04 * np.sqrt(1 - keep**2)
    away = np.convolve(steps, keep ** np.arange(200))[:minutes]
    stamps = pd.date_range("2025-01-01", periods=minutes, freq="1min")
    return xr.DataArray(50 + away, {"time": stamps})


def sold(**fields: object) -> xr.DataTree:
    """A large lossy battery on wheels for a day, as full at the end as at the beginning."""
    van = vehicle(
        discharge_max=10.0,
        energy_max=100.0,
        energy_initial=50.0,
        energy_min=[0.0] * (HOURS - 1) + [50.0],
        eta_charge=ETA,
        eta_discharge=ETA,
        wear=WEAR,
    )
    reserve = product(up=1.0, down=1.0, capacity_price=[25.0] * HOURS) | fields
    return case(van, market(PRICE), {"FCR-N": reserve})


def added(call: np.ndarray, share: np.ndarray | None = None) -> np.ndarray:
    """What calls add to the power fed in, E[(b + a)+] - (b + mean)+, at every b of [-1, 1]."""
    b = np.linspace(-1, 1, 201)
    fed_in = np.average(np.maximum(b[:, None] + call, 0), axis=1, weights=share)
    return fed_in - np.maximum(b + np.average(call, weights=share), 0)


def test_seven_states_miss_six_percent_of_what_calls_add():
    """Check value A7: 3, 5, 7 states of FCR-N by droop miss 35, 12, 6 % in the mean over the traded
    power; on/off calls of the same shares show twice as much. Exact at rest.
    """
    hertz = record(40_000)
    calls = np.clip((50 - hertz.values) / 0.1, -1, 1)[: 40_000 // 60 * 60]
    truth = added(calls)
    for states, missing in ((3, 0.35), (5, 0.12), (7, 0.06)):
        told = v2g.with_calls_from_record(sold(), hertz, states=states)["reserve"]
        shown = added(told.call.values.ravel(), told.call_share.values)
        assert 1 - shown.mean() / truth.mean() == approx(missing, abs=0.012)
        assert shown[100] == approx(truth[100], rel=2e-3)
        assert (shown <= truth + 1e-9).all()
        energy = abs(told.call.values.ravel() * told.call_share.values)
        upward = energy[: len(energy) // 2]
        assert upward == approx(upward.mean(), rel=2e-3)
    shares = np.array([(-calls).clip(0).mean(), 0.0, calls.clip(0).mean()])
    shares[1] = 1 - shares.sum()
    assert added(np.array([-1, 0, 1]), shares).mean() / truth.mean() == approx(2.0, abs=0.1)


def test_shares_of_a_record_may_be_those_of_each_step():
    """Two hours: at 49.9 Hz all the time, then at 50 and 50.1 Hz by halves. A product of
    continental Europe is called by half; one that is called by an operator, independently.
    """
    stamps = pd.date_range("2026-01-05", periods=120, freq="1min")
    hertz = xr.DataArray([49.9] * 60 + [50.0, 50.1] * 30, {"time": stamps})
    two = {
        "FCR": product(up=1.0, down=1.0),
        "aFRR up": product(up=1.0, activation_up=[0.5, 0.25]),
    }
    tree = case(vehicle(discharge_max=10.0), market([50.0, 50.0]), two)
    told = v2g.with_calls_from_record(tree, hertz, states=3, by_step=True)["reserve"]
    assert told.call.sel(product="FCR").values == approx(np.repeat([0.5, 0.0, -0.5], 2))
    assert told.call.sel(product="aFRR up").values.tolist() == [0, 1] * 3
    assert told.call_share.sum("call_state").values == approx([1.0, 1.0])
    assert told.call_share.isel(call_state=1).values == approx([0.5, 0.0])
    assert told.call_share.isel(call_state=5).values == approx([0.0, 0.125])
    assert (
        "6 states" not in told.call.attrs["source"] and "in each step" in told.call.attrs["source"]
    )


def followed(result: xr.DataTree, days: int) -> tuple[float, float]:
    """Mean profit of days on which every call of five minutes is drawn and followed, and what it
    moved beyond the plan is bought back in the next hour; and the error of that mean.
    """
    fleet, reserve = result["fleet"], result["reserve"]
    traded = (fleet.discharge - fleet.charge).values.ravel()
    volume, planned = reserve.volume.values.ravel(), fleet.energy.values.ravel()
    rng = np.random.default_rng(1)
    money, beyond, energy = np.zeros(days), np.zeros(days), np.full(days, 50.0)
    for hour, price in enumerate(PRICE):
        back = np.where(beyond > 0, beyond * ETA, beyond / ETA)
        calls = rng.choice([-1.0, 0.0, 1.0], p=[0.2, 0.6, 0.2], size=(days, PARTS))
        power = traded[hour] + back[:, None] + calls * volume[hour]
        out, into = power.clip(min=0).mean(axis=1), (-power).clip(min=0).mean(axis=1)
        energy += ETA * into - out / ETA
        beyond = energy - planned[hour]
        money += (volume[hour] * 25 + power.mean(axis=1) * price) / 1000 - WEAR * out / ETA
    money += np.where(beyond > 0, beyond * ETA, beyond / ETA) * PRICE[-1] / 1000
    return float(money.mean()), float(money.std() / days**0.5)


def test_buying_back_is_throughput():
    """Calls of five minutes, 20 % up and 20 % down: an hour is by 0.0717 kW in the mean above, and
    as much below, what is expected (the distribution of the sum of 12), and 60 % of the time
    nothing else flows. A plan that knows shows what following its calls earns, within 1 %; one that
    does not 8 % more.
    """
    sums = np.array([1.0])
    for _ in range(PARTS):
        sums = np.convolve(sums, [0.2, 0.6, 0.2])
    beyond = float(sums @ abs(np.arange(-PARTS, PARTS + 1))) / PARTS / 2
    assert beyond == approx(0.0717, abs=1e-4)
    tree = v2g.with_on_off_calls(sold(activation_up=0.2, activation_down=0.2))
    knows = tree["reserve"].to_dataset().assign(recovery_flow=("product", [0.6 * beyond]))
    knows = v2g.solve(tree.assign(reserve=xr.DataTree(knows)))
    earned, error = followed(knows, 4000)
    assert knows["audit"].attrs["passed"]
    assert knows.attrs["profit"] == approx(earned, rel=0.01) and error < 0.001 * earned
    blind = v2g.solve(tree)
    assert blind.attrs["profit"] / followed(blind, 4000)[0] > 1.07


def test_a_record_says_what_is_bought_back():
    """Every other hour FCR-N is called up by half, else down by half; in the hour after as much is
    bought back: the calls of an hour and what is bought back of the last have one sign, and beside
    0.25 kW fed in by calls in the mean, 0.25 kW are by what is given back.
    """
    stamps = pd.date_range("2025-01-01", periods=24 * 100, freq="30min")
    hertz = xr.DataArray(np.tile([49.95, 49.95, 50.05, 50.05], 600), {"time": stamps})
    told = v2g.with_calls_from_record(sold(), hertz, states=3)
    assert told["reserve"].recovery_flow.item() == approx(0.25, rel=0.01)
    late = sold(recovery_delay=2.0)
    assert v2g.with_calls_from_record(late, hertz)["reserve"].recovery_flow.item() == approx(0.0)
    assert "recovery_flow" not in v2g.with_netted_calls(told)["reserve"]


def test_the_command_reads_a_record(tmp_path: Path):
    """`--calls record.csv` tells the calls by it; a file that is missing, or no file, is named."""
    hertz = record(600).round(4)
    hertz.to_series().rename("frequency").rename_axis("time").to_csv(tmp_path / "hertz.csv")
    v2g.write(sold(), tmp_path / "case.nc")
    words = ["solve", str(tmp_path / "case.nc"), "-o", str(tmp_path / "out"), "--no-report"]
    done = CliRunner().invoke(app, [*words, "--calls", str(tmp_path / "hertz.csv")])
    assert done.exit_code == 0, done.output
    told = v2g.read(tmp_path / "out" / "result.nc")["reserve"].call
    assert told.sizes["call_state"] == 7 and "7 states" in told.attrs["source"]
    lost = CliRunner().invoke(app, [*words, "--force", "--calls", str(tmp_path / "no.csv")])
    assert lost.exit_code == 3 and "no.csv" in lost.output


@pytest.mark.parametrize(
    ("states", "hertz", "names", "words"),
    [
        (4, [50.0] * 120, "FCR-N", "odd number"),
        (7, [50.0] * 30, "FCR-N", "shorter than a step"),
        (7, [50.0, np.nan] * 60, "FCR-N", "60 steps without a number"),
        (7, [50.0] * 120, "up", "no product of the case follows"),
    ],
)
def test_records_that_tell_nothing_are_refused(states, hertz, names, words):
    tree = case(vehicle(discharge_max=10.0), market([50.0]), {names: product(up=1.0, down=1.0)})
    stamps = pd.date_range("2025-01-01", periods=len(hertz), freq="1min")
    with pytest.raises(v2g.SchemaError, match=words):
        v2g.with_calls_from_record(tree, xr.DataArray(hertz, {"time": stamps}), states=states)
