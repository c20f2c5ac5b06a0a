"""Every way out of the command: one message, the right code, no traceback, nothing overwritten."""

import json
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import v2g_linopy as v2g

FILES = {"result.nc", "schedule.csv", "bids.csv", "bill.csv", "kpi.json", "report.html"}


def message(result) -> str:
    """The one message on stderr; a traceback or a second message fails."""
    assert "Traceback" not in result.output
    assert result.stderr.count("v2g:") == 1, result.stderr
    return result.stderr.split("v2g:", 1)[1]


def test_optimal_is_0_and_writes_every_file(run, case_file, tmp_path):
    """10 kWh at 20 and 5 kWh at 30 EUR/MWh cost 0.35 EUR."""
    result = run("solve", case_file, "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES
    assert json.loads((tmp_path / "out" / "kpi.json").read_text())["profit"] == pytest.approx(-0.35)
    written = v2g.read(tmp_path / "out" / "result.nc")
    assert written.attrs["profit"] == pytest.approx(-0.35)
    assert "wear" in written.children


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["solv"], "solve"),
        (["solve"], "CASE"),
        (["solve", "CASE", "--gap", "many"], "--gap"),
        (["solve", "CASE", "--option", "threads"], "KEY=VALUE"),
        (["solve", "CASE", "--set", "fleet.discharge_mx=0"], "did you mean discharge_max"),
        (["solve", "CASE", "--set", "fleeet.discharge_max=0"], "did you mean fleet"),
        (["solve", "CASE", "--set", "fleet[ev-01].charge_max=1"], "did you mean ev-001"),
        (["solve", "CASE", "--set", "fleet.charge_max=lots"], "number"),
        (["solve", "CASE", "--set", "charge_max=1"], "PART.FIELD"),
        (["schema", "flet"], "did you mean fleet"),
        (["explain", "CASE", "--hour", "12:00"], "--vehicle"),
        (["new", "x", "--template", "commuter"], "commuter"),
        (["new", "x", "--start", "someday"], "someday"),
    ],
)
def test_usage_is_2(run, case_file, tmp_path, monkeypatch, words, expected):
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.iterdir())
    result = run(*(case_file if word == "CASE" else word for word in words))
    assert result.exit_code == 2, result.output
    assert expected in message(result)
    assert set(tmp_path.iterdir()) == before


def test_invalid_input_is_3_and_lists_every_problem(run, smart_case, tmp_path):
    """Three faults in two groups, one message with all of them."""
    case = smart_case.copy(deep=True)
    case["fleet"]["charge_max"][0, 1] = np.nan
    case["fleet"]["energy_max"][0, 2] = -5.0
    case["energy"]["pricee"] = case["energy"]["price"] * 2
    v2g.write(case, tmp_path / "bad.nc")
    result = run("solve", tmp_path / "bad.nc", "-o", tmp_path / "out")
    assert result.exit_code == 3
    for word in (
        "fleet.charge_max",
        "fleet.energy_max",
        "energy.pricee",
        "did you mean energy.price?",
        "2026-01-05 01:00",
    ):
        assert word in message(result)
    assert not (tmp_path / "out").exists()


def truncated(path: Path, source: Path) -> None:
    whole = source.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


@pytest.mark.parametrize(
    ("name", "make", "expected"),
    [
        ("missing.nc", lambda path, source: None, "does not exist"),
        ("empty.nc", lambda path, source: path.touch(), "empty"),
        ("folder.nc", lambda path, source: path.mkdir(), "directory"),
        ("truncated.nc", truncated, "truncated"),
        ("text.nc", lambda path, source: path.write_text("price;20"), "cannot be read"),
    ],
)
@pytest.mark.parametrize("command", ["check", "solve", "explain"])
def test_a_file_that_is_no_case_is_3(run, case_file, tmp_path, name, make, expected, command):
    make(tmp_path / name, case_file)
    output = ["-o", tmp_path / "out"] if command == "solve" else []
    result = run(command, tmp_path / name, *output)
    assert result.exit_code == 3, result.output
    assert name in message(result)
    assert expected in message(result)
    assert not (tmp_path / "out").exists()


def test_a_case_is_not_a_result(run, case_file):
    for command in ("bids", "explain", "report"):
        result = run(command, case_file)
        assert result.exit_code == 3
        assert "v2g solve" in message(result)


def test_infeasible_is_4(run, case_file, tmp_path):
    """A hard need of 35 kWh: three hours at 10 kW reach 30."""
    result = run(
        *("solve", case_file, "-o", tmp_path / "out"),
        *("--set", "fleet.energy_min=35", "--set", "fleet.unserved_cost=nan"),
    )
    assert result.exit_code == 4, result.output
    assert "ev-001" in message(result)
    assert not (tmp_path / "out").exists()


def test_unknown_solver_is_5(run, case_file, tmp_path):
    result = run("solve", case_file, "-o", tmp_path / "out", "--solver", "hihgs")
    assert result.exit_code == 5
    assert "hihgs" in message(result)
    assert "highs" in message(result)


@pytest.mark.parametrize("option", ["thread=1", "threads=many"])
def test_unknown_solver_option_is_5(run, case_file, tmp_path, option):
    """HiGHS itself would ignore a misspelt option in silence."""
    result = run("solve", case_file, "-o", tmp_path / "out", "--option", option)
    assert result.exit_code == 5
    assert option.partition("=")[0] in message(result)
    assert not (tmp_path / "out").exists()


def test_stopped_at_a_limit_is_6_and_writes_the_incumbent(run, case_file, tmp_path, monkeypatch):
    """Stopped at its limit with a plan: the files are written, the code says that it may not be the
    best.
    """
    solve = v2g.solve

    def stopped(case, **options):
        result = solve(case, **options)
        result.attrs["status"] = "time_limit"
        return result

    monkeypatch.setattr(v2g, "solve", stopped)
    result = run("solve", case_file, "-o", tmp_path / "out", "--no-report")
    assert result.exit_code == 6
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES - {"report.html"}
    assert "time_limit" in result.stdout


def test_existing_output_is_8_and_stays(run, case_file, tmp_path):
    """Refused in one message before any work, byte for byte as it was; with --force it is
    replaced.
    """
    folder = tmp_path / "out"
    assert run("solve", case_file, "-o", folder, "--no-report").exit_code == 0
    (folder / "result.nc").write_text("mine")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    result = run("solve", case_file, "-o", folder)
    assert result.exit_code == 8
    assert "result.nc" in message(result)
    assert "kpi.json" in message(result)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert run("solve", case_file, "-o", folder, "--no-report", "--force").exit_code == 0
    assert v2g.read(folder / "result.nc").attrs["status"] == "optimal"


def test_unwritable_output_is_8(run, case_file, tmp_path):
    result = run("solve", case_file, "-o", case_file / "out")
    assert result.exit_code == 8
    assert "cannot write" in message(result)
    assert run("solve", case_file, "-o", case_file).exit_code == 8


@pytest.mark.parametrize("command", ["new", "report", "bids"])
def test_every_command_keeps_what_is_there(run, result_file, tmp_path, command):
    target = tmp_path / "kept.nc"
    target.write_text("mine")
    words = ["new", target] if command == "new" else [command, result_file, "-o", target]
    result = run(*words)
    assert result.exit_code == 8
    assert "exists already" in message(result)
    assert target.read_text() == "mine"


def test_interrupt_is_130(run, case_file, tmp_path, monkeypatch):
    """Ctrl-C anywhere in the work: one line, nothing written, the folder made for it gone; a
    program that runs the command beside threads of its own goes on.
    """
    over = threading.Event()
    threading.Thread(target=over.wait, daemon=True).start()

    def interrupted(case, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(v2g, "solve", interrupted)
    result = run("solve", case_file, "-o", tmp_path / "out")
    assert result.exit_code == 130
    assert "interrupted" in message(result)
    assert not (tmp_path / "out").exists()
    over.set()


def test_without_the_report_extra(run, case_file, result_file, tmp_path, monkeypatch):
    """`solve` writes the other files and says why; `report` cannot: exit code 8 with the remedy."""
    monkeypatch.setitem(sys.modules, "jinja2", None)
    solved = run("solve", case_file, "-o", tmp_path / "out")
    assert solved.exit_code == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES - {"report.html"}
    assert "no report.html: jinja2 missing; pip install 'v2g-linopy[report]'" in solved.stderr
    result = run("report", result_file)
    assert result.exit_code == 8
    assert "pip install" in message(result)


def test_debug_shows_the_traceback(run, tmp_path):
    assert "Traceback" in run("check", tmp_path / "missing.nc", "--debug").stderr
