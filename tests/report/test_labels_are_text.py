"""Labels of members, pods and markets are text: each comes through every file as it is, and runs
nowhere.
"""

import io
import json
import re

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from typer.testing import CliRunner

import v2g_linopy as v2g
from v2g_linopy.case.label_text import as_cell, from_cell, printable
from v2g_linopy.cli import app
from v2g_linopy.report.table_files import csv_text

PLAIN = ["007", "07", "7", "NA", "None", "nan", "null", "a,b;c", 'a"b', "../../x", " padded ", "_x"]
RUN = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "'=1"]
UNSEEN = ["\x1b[31mred", "bell\x07", "back\rward", "\x9b31m", "turned\u202eround"]
SHOWN = ["<script>alert(1)</script>", "--><script>", "$\\frac$", "total", "total (member)"]
LABELS = [*PLAIN, *RUN, *UNSEEN, *SHOWN]
MARKET = "=cmd|' /C calc'!A0"
TEXT = {"member": str, "pod": str, "market": str}
RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]")


def named_case(labels: list[str]) -> xr.DataTree:
    """A car of each name at a pod of its name needs 15 kWh in three hours."""
    time = pd.date_range("2026-01-05", periods=3, freq="h", name="time")
    car = {"charge_max": ((), 10.0), "energy_max": ((), 40.0)}
    car |= {"energy_min": ("time", [0.0, 0.0, 15.0]), "pod": ("fleet", labels)}
    market = {"price": (("market", "time"), [[30.0, 20.0, 60.0]]), "limit": 1e6}
    groups = {
        "fleet": xr.Dataset(car, coords={"fleet": labels}),
        "energy": xr.Dataset(market, coords={"market": [MARKET]}),
        "connection": xr.Dataset({"fee_import": ("pod", np.ones(len(labels)))}, {"pod": labels}),
    }
    return v2g.assemble(time, groups, title="<b>\x1b[31mtitle</b>", assumptions="<script>\x07")


@pytest.fixture(scope="module")
def solved(tmp_path_factory):
    """The folder of a solved case with every label, and what the command said."""
    folder = tmp_path_factory.mktemp("labels")
    v2g.write(named_case(LABELS), folder / "case.nc")
    words = ["solve", str(folder / "case.nc"), "-o", str(folder / "out"), "--no-report"]
    said = CliRunner().invoke(app, words, catch_exceptions=False)
    assert said.exit_code == 0, said.output
    return folder / "out", said


def read(path) -> pd.DataFrame:
    """A table as the documentation says it is read."""
    return pd.read_csv(path, dtype=TEXT, keep_default_na=False)


def test_netcdf_keeps_each_label(solved):
    folder, _ = solved
    result = v2g.read(folder / "result.nc")
    assert result["fleet"]["fleet"].values.tolist() == LABELS
    assert result["connection"]["pod"].values.tolist() == LABELS
    assert result["energy"]["market"].values.tolist() == [MARKET]


def test_tables_keep_each_label_and_run_none(solved):
    """A row for each member and step; nothing begins like a formula, and numbers are numbers."""
    folder, _ = solved
    schedule, bids, bill = (read(folder / f"{n}.csv") for n in ("schedule", "bids", "bill"))
    of_total = {"total": "total (member) (member)"}
    written = {of_total.get(label, label) for label in LABELS}
    members = schedule["member"].map(from_cell)
    assert set(members) == written | {"total"}
    assert (members.value_counts() == 3).all()
    assert set(bill["pod"].map(from_cell)) >= set(LABELS)
    assert set(bids["market"].map(from_cell)) == {MARKET}
    for table in (schedule, bids, bill):
        cells = table.select_dtypes(exclude="number").to_numpy().ravel().tolist()
        assert not [cell for cell in cells if re.match(r"[=+\-@\t\r]", str(cell))]
        assert not [name for name in table.columns if re.match(r"[=+\-@\t\r]", name)]
    whole = schedule[members == "total"]["charge_kW"]
    assert whole.sum() == pytest.approx(15 / 0.95 * len(LABELS))


def test_the_command_line_moves_no_cursor(solved):
    """Bids as a table and as JSON, the plan in words, and the message of an unknown member."""
    folder, said = solved
    runs = [said]
    for words in (
        ["bids", str(folder)],
        ["bids", str(folder), "--json"],
        ["explain", str(folder), "--vehicle", "bell\x07"],
        ["explain", str(folder), "--vehicle", "no\x1b[31mne"],
        ["check", str(folder.parent / "case.nc"), "-v"],
        ["solve", str(folder / "no\x1b[31mne.nc"), "-o", "x"],
        [
            "solve",
            str(folder.parent / "case.nc"),
            "-o",
            "x",
            "--set",
            "fleet[\x9b31m].charge_max=x",
        ],
    ):
        runs.append(CliRunner().invoke(app, words))
    assert [run.exit_code for run in runs[1:3]] == [0, 0]
    for run in runs:
        assert not RAW.search(run.stdout + run.stderr), run.args
    assert "\\x1b[31m" in runs[4].stderr
    assert json.loads(runs[2].stdout)["bids"][0]["market"] == MARKET


def test_json_names_what_it_escapes():
    """\\x9b is a control character that JSON leaves as it is; read back it is the same label."""
    from v2g_linopy.cli.terminal import to_json

    text = to_json({"label": UNSEEN})
    assert not RAW.search(text)
    assert json.loads(text) == {"label": UNSEEN}


def test_the_page_runs_nothing():
    """Six vehicles, few enough that figures name them."""
    page = pytest.importorskip("v2g_linopy.report.page.write")
    pytest.importorskip("matplotlib")
    text = page.render(v2g.solve(named_case([*SHOWN[:3], *UNSEEN[:2], "total"])))
    assert "<script" not in text and "&lt;script&gt;" in text
    assert not RAW.search(text)
    assert "\\x1b[31mtitle" in text


def test_twice_the_same_label_is_a_problem():
    with pytest.raises(v2g.SchemaError, match="007 appears more than once"):
        v2g.check(named_case(["007", "07", "007"]))


def test_cells_come_back():
    texts = [*LABELS, "'", "''=", "'t Harde", "", "\n=1"]
    assert [from_cell(as_cell(text)) for text in texts] == texts
    assert [as_cell(text) for text in PLAIN] == PLAIN
    table = pd.DataFrame({"=kW": [-1.5, 2.0], "who": ["-x", "x"], "none": [None, "a"]})
    text = csv_text(table)
    assert text == "'=kW,who,none\n-1.5,'-x,\n2.0,x,a\n"
    assert pd.read_csv(io.StringIO(text))["'=kW"].tolist() == [-1.5, 2.0]


def test_lines_stay_lines():
    assert printable("a\n\tb\x00") == "a\n\tb\\x00"
