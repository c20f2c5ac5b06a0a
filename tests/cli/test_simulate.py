"""`v2g simulate`: what is written, and a run that is interrupted goes on to the result it would
have had.
"""

import itertools
import json
import shutil
import signal
import subprocess
import time
from dataclasses import fields

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from by_hand import command_line, environment
from typer.testing import CliRunner

import v2g_linopy as v2g
from v2g_linopy.cli import app
from v2g_linopy.errors import OutputError
from v2g_linopy.model.inputs import inputs_of
from v2g_linopy.operate import checkpoint, simulate, windows

OPTIONS = ("--forecast", "naive", "--start", "2026-03-03", "--window", "6", "--ahead", "12")
OPTIONS += ("--every", "3", "--no-report")
FILES = {"result.nc", "schedule.csv", "bids.csv", "bill.csv", "kpi.json"}


def sequential_case() -> xr.DataTree:
    """Three days in Rome; sun and a battery, day-ahead until noon of the day before, intraday until
    an hour before.
    """
    time = pd.date_range("2026-03-01", periods=72, freq="h", name="time")
    hour = np.arange(72)
    price = 60 + 25 * np.sin(hour * 0.7) + hour % 5
    sun = np.clip(40 * np.sin(np.pi * (hour % 24 - 6) / 12), 0, None) * np.select(
        [hour < 24, hour < 48], [0.8, 0.6], 0.7
    )
    markets = {"market": ["intraday", "day_ahead"]}
    groups = {
        "renewable": xr.Dataset(
            {"available": (("renewable", "time"), [sun])}, {"renewable": ["roof"], "time": time}
        ),
        "battery": xr.Dataset(
            {
                n: ("battery", [x])
                for n, x in {"charge_max": 10.0, "discharge_max": 10.0, "energy_max": 30.0}.items()
            },
            {"battery": ["store"]},
        ),
        "energy": xr.Dataset(
            {
                "price": (("market", "time"), [price + 3, price]),
                "limit": 100.0,
                "spread": ("market", [2.0, 0.0]),
            },
            markets | {"time": time},
        ),
        "imbalance": xr.Dataset(
            {
                "price_long": ("time", price - 20),
                "price_short": ("time", price + 30),
                "limit": 200.0,
            },
            {"time": time},
        ),
        "gates": xr.Dataset(
            {"hour": ("gate", [12.0, np.nan]), "lead": ("gate", [np.nan, 1.0])},
            {"gate": ["day_ahead", "intraday"]},
        ),
    }
    return v2g.assemble(time, groups, timezone="Europe/Rome", title="a sequence")


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """The case in a file."""
    path = tmp_path_factory.mktemp("case") / "case.nc"
    v2g.write(sequential_case(), path)
    return path


@pytest.fixture(scope="module")
def whole() -> xr.DataTree:
    """The run without any interruption."""
    return v2g.simulate(
        sequential_case(), forecast="naive", start="2026-03-03", window=6.0, ahead=12.0, every=3.0
    )


def same(folder, whole: xr.DataTree) -> bool:
    """Whether a written result is, group by group and bit by bit, that of the run without
    interruption.
    """
    result = v2g.read(folder / "result.nc")
    assert result.attrs["decisions"] == whole.attrs["decisions"]
    assert result.attrs["objective"] == whole.attrs["objective"]
    return all(result[n].to_dataset().equals(whole[n].to_dataset()) for n in whole.children)


def test_files_and_figures(run, path, whole, tmp_path):
    """The regret is what hindsight earns more; the positions of both markets are listed with the
    close of their gate.

    Day-ahead for 3 March closes on the 2nd at noon in Rome, intraday an hour before each step.
    Without the rule for operated cases bids.csv would be empty: every gate has closed."""
    done = run("simulate", path, "-o", tmp_path / "out", *OPTIONS, "--json", "--stage-values")
    assert done.exit_code == 0, done.output
    assert {p.name for p in (tmp_path / "out").iterdir()} == FILES, "no windows are left"
    assert same(tmp_path / "out", whole)
    kpi = json.loads(done.stdout)["kpi"]["sequence"]
    assert kpi["forecast"] == "naive"
    assert kpi["regret"] == pytest.approx(kpi["objective_hindsight"] - kpi["objective"], abs=1e-9)
    days = pd.DataFrame(kpi["by_day"])
    assert list(days["day"]) == ["2026-03-03", "2026-03-04"], "a local day begins at 23:00 UTC"
    assert days["profit"].sum() == pytest.approx(kpi["objective"], abs=1e-9)
    stages = pd.DataFrame(kpi["by_stage"])
    assert list(stages["stage"]) == ["day_ahead", "intraday"]
    assert stages["profit"].iloc[-1] == kpi["objective"]
    bids = pd.read_csv(tmp_path / "out" / "bids.csv")
    start, gate = (pd.to_datetime(bids[n]).dt.tz_convert("Europe/Rome") for n in ("start", "gate"))
    ahead = bids["market"] == "day_ahead"
    assert set(bids["market"]) == {"day_ahead", "intraday"}
    assert ((start - gate)[~ahead] == pd.Timedelta("1h")).all()
    noon = start[ahead].dt.normalize() - pd.Timedelta("12h")
    assert (gate[ahead] == noon).all()
    sold = (
        bids["quantity_kW"]
        .where(bids["side"] == "sell", -bids["quantity_kW"])
        .groupby(bids["market"])
        .sum()
    )
    position = whole["energy"].position.sum("time")
    assert all(
        sold[m] == pytest.approx(float(position.sel(market=m)), abs=1e-4) for m in sold.index
    )


def test_interrupted_and_resumed(run, path, whole, tmp_path):
    """SIGINT after the first window: code 130, the windows stay; --resume gives the result of an
    unbroken run.
    """
    folder = tmp_path / "out"
    words = command_line("simulate", path, "-o", folder, *OPTIONS)
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    ) as real:
        deadline = time.monotonic() + 60
        while not (folder / ".windows" / "00000.nc").exists():
            assert real.poll() is None, real.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        real.send_signal(signal.SIGINT)
        out, err = real.communicate(timeout=60)
    assert real.returncode == 130, err
    assert out == ""
    assert "interrupted" in err
    assert "--resume goes on" in err
    assert "Traceback" not in err
    assert [p.name for p in folder.iterdir()] == [".windows"]
    kept = len(checkpoint.windows_in(folder / ".windows"))
    assert 1 <= kept < 4

    refused = run("simulate", path, "-o", folder, *OPTIONS)
    assert refused.exit_code == 8
    assert "go on with --resume, or start anew with --force" in refused.output
    resumed = run("simulate", path, "-o", folder, *OPTIONS, "--resume")
    assert resumed.exit_code == 0, resumed.output
    assert f"{kept} window" in resumed.output
    assert same(folder, whole)
    assert {p.name for p in folder.iterdir()} == FILES


@pytest.fixture(scope="module")
def broken(path, tmp_path_factory):
    """A run whose disk was full when the third window was to be written; it says what it has
    kept.
    """
    keep, folder = checkpoint.write, tmp_path_factory.mktemp("broken")

    def fails(tree, target, overwrite):
        if target.name == "00002.nc":
            raise OutputError(f"cannot write {target}: the disk is full")
        keep(tree, target, overwrite)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(checkpoint, "write", fails)
        done = CliRunner().invoke(app, ["simulate", str(path), "-o", str(folder), *OPTIONS])
    assert done.exit_code == 8, done.output
    assert "2 windows kept" in done.output
    assert "the disk is full" in done.output
    return folder


@pytest.fixture
def unfinished(broken, tmp_path):
    """A copy of it."""
    return shutil.copytree(broken, tmp_path / "out")


def test_full_disk_loses_no_window(run, path, whole, unfinished):
    assert run("simulate", path, "-o", unfinished, *OPTIONS, "--resume").exit_code == 0
    assert same(unfinished, whole)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("--every", "2"), "every was 3 h, is 2 h"),
        (("--window", "12"), "window was 6 h, is 12 h"),
        (("--set", "battery.energy_max=31"), "the case has changed"),
        (("--forecast", "perfect"), "forecast was naive, is perfect"),
        (("--option", "presolve=off"), "solver options was"),
    ],
)
def test_another_run_does_not_go_on(run, path, unfinished, change, told):
    """What was decided for one case or in one way says nothing about another: code 3, what differs,
    and the remedy.
    """
    done = run("simulate", path, "-o", unfinished, *OPTIONS, *change, "--resume")
    assert done.exit_code == 3, done.output
    assert told in done.output
    assert "or remove" in done.output
    assert "--resume goes on" not in done.output
    assert len(checkpoint.windows_in(unfinished / ".windows")) == 2


def test_start_anew(run, path, whole, unfinished):
    """--force gives the unfinished run up, also one of another case."""
    done = run("simulate", path, "-o", unfinished, *OPTIONS, "--force", "--no-hindsight")
    assert done.exit_code == 0, done.output
    assert float(v2g.read(unfinished / "result.nc").attrs["objective"]) == whole.attrs["objective"]


def test_damaged_window_is_named(run, path, unfinished):
    (unfinished / ".windows" / "00001.nc").write_bytes(b"no window")
    done = run("simulate", path, "-o", unfinished, *OPTIONS, "--resume")
    assert done.exit_code == 3
    assert "00001.nc" in done.output


def test_nothing_to_resume_is_a_new_run(run, path, tmp_path):
    done = run(
        "simulate",
        path,
        "-o",
        tmp_path / "out",
        *OPTIONS,
        "--resume",
        "--stop",
        "2026-03-03T06",
        "--no-hindsight",
    )
    assert done.exit_code == 0, done.output
    assert "nothing to resume" in done.output


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--forecast", "weather"), 2, "vintage, published, naive, perfect"),
        (("--forecast", "vintage"), 3, "no group /vintage"),
        (("--start", "2027-01-01"), 3, "no step of the case"),
        (("--bids", "none"), 2, "only with --policy rule, latest or unmanaged"),
        (("--policy", "rule", "--every", "2", "--ahead", "9"), 2, "a rule decides in each step"),
        (("--policy", "rule", "--resume"), 2, "a rule keeps no windows"),
        (("--policy", "rule", "--days", "5"), 2, "only with bids that are made of earlier days"),
        (("--policy", "rule", "--caps", "min"), 2, "only with --bids saa-virtual or cvar-virtual"),
        (("--policy", "rule", "--cap-level", "0.2"), 2, "only with --caps quantile"),
        (("--policy", "rule", "--confidence", "0.8"), 2, "only with --bids cvar-backed"),
        (("--policy", "rule", "--bids", "all"), 2, "saa-backed"),
        (("--policy", "rule", "--expects", "all"), 2, "week-ago, mean-of-days, none, known"),
        (("--settlement", "dual"), 2, "only with --policy rule, latest or unmanaged"),
        (("--type-seed", "7"), 2, "only with --contracts"),
        (("--every", "0.3"), 3, "no whole number of steps"),
        (("--solver", "cbc"), 5, "choose the solver highs"),
    ],
)
def test_what_cannot_be_run(run, path, tmp_path, words, code, told):
    done = run("simulate", path, "-o", tmp_path / "out", *words)
    assert done.exit_code == code, done.output
    assert told in " ".join(done.output.split())
    assert not (tmp_path / "out").exists()


def test_dry_run(run, path, tmp_path):
    done = run("simulate", path, "-o", tmp_path / "out", *OPTIONS, "--dry-run")
    assert done.exit_code == 0
    assert "would write result.nc" in done.output
    assert not (tmp_path / "out").exists()


def test_every_part_of_the_state_is_read_back(tmp_path):
    """Two of many windows: positions, turnover, states, values at the end, what was told; each
    number to the bit.
    """
    case = sequential_case()
    truth = inputs_of(case, v2g.PARTS)
    q = simulate.sequence(case, truth, "naive", "2026-03-03", None, 3.0, 3.0, 6.0, "lazy", True, {})
    kept = checkpoint.Checkpoint(tmp_path / "windows", checkpoint.run_of(case, truth, q))
    state = simulate.fresh(case, q)
    for number, after in enumerate(itertools.islice(windows.run_windows(q, state), 2)):
        after.revised = number == 1  # whatever these forecasts did: else nothing told is kept
        kept.save(q, after)
    again = kept.restore(q, simulate.fresh(case, q))
    assert (
        state.terminal_value
        and state.next_inputs
        and state.last_forecast
        and len(again.realised) == 2
    )
    for field in fields(state):
        one, other = getattr(state, field.name), getattr(again, field.name)
        if field.name == "realised":
            one, other = (
                {(k, n): x for k, w in enumerate(list_) for n, x in w.items()}
                for list_ in (one, other)
            )
        if not isinstance(one, dict):
            assert one == other, field.name
            continue
        assert one.keys() == other.keys(), field.name
        for key, x in one.items():
            assert x.equals(other[key].transpose(*x.dims)), (field.name, key)


def test_what_is_bid_is_said_and_kept(run, tmp_path):
    """A bet on the spread is called one, and a benchmark as well; a mean of days needs no word.
    Everything that a bid was made with stands in the result, and hindsight is told beside a bet.
    """
    v2g.write(v2g.charging_station(vehicles=3, days=3), tmp_path / "case.nc")
    words = ("--policy", "rule", "--forecast", "published", "--no-report", "--force")
    bids = {
        "saa-virtual": ("a bet on the spread and nothing else", ("--caps", "quantile")),
        "known": ("a benchmark, no bid", ()),
        "mean-of-days": ("", ("--days", "3", "--settlement", "dual", "--no-hindsight")),
    }
    results = {}
    for kind, (said, options) in bids.items():
        out = tmp_path / kind
        done = run("simulate", tmp_path / "case.nc", "-o", out, "--bids", kind, *words, *options)
        assert done.exit_code == 0, done.output
        told = " ".join(done.output.split())
        assert said in told
        assert ("bet on" in told) == (kind == "saa-virtual")
        results[kind] = v2g.read(out / "result.nc")
    kept = results["saa-virtual"].attrs
    assert (kept["bid_caps"], kept["bid_cap_level"], kept["bids_expected"]) == (
        *("quantile", 0.5),
        "mean-of-days",
    )
    assert "expected" in results["saa-virtual"]["energy"]
    assert results["mean-of-days"].attrs["settlement"] == "dual"
    assert v2g.replay(results["mean-of-days"]).attrs["passed"] == 1
