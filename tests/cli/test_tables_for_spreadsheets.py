"""`day`, `bids --day`, `--xlsx` and the marks of CSV files on the command line."""

import json

import openpyxl
import pytest


def test_the_sheet_of_a_day(run, result_file):
    """As CSV on stdout, as JSON, as a page, a workbook and CSV in other marks."""
    done = run("day", result_file, "--day", "2026-01-05")
    assert done.exit_code == 0, done.output
    assert "ev-001,2026-01-05T01:00+01:00,2026-01-05T02:00+01:00,charges,10.0" in done.stdout
    document = json.loads(run("day", result_file, "--day", "2026-01-05", "--json").stdout)
    assert [row["doing"] for row in document["rows"]] == ["charges", "charges", "waits", "away"]
    for name, start in (("a.html", b"<!doctype html>"), ("a.xlsx", b"PK"), ("a.csv", b"vehicle,")):
        path = result_file.parent / name
        assert run("day", result_file, "--day", "2026-01-05", "-o", path).exit_code == 0
        assert path.read_bytes().startswith(start)
        assert run("day", result_file, "--day", "2026-01-05", "-o", path).exit_code == 8
    refused = run("day", result_file, "--day", "2026-01-07")
    assert refused.exit_code == 2 and "its local days are" in refused.stderr


def test_bids_of_a_day(run, result_file):
    """All bids are of the one day that there is; another day is refused."""
    every = run("bids", result_file).stdout
    assert run("bids", result_file, "--day", "2026-01-05").stdout == every
    assert run("bids", result_file, "--day", "2026-01-06").exit_code == 2


def test_files_for_a_continental_excel(run, case_file):
    """Every table has the marks, and the workbook a sheet of each."""
    folder = case_file.parent / "out"
    marks = ("--csv-separator", ";", "--csv-decimal", ",")
    done = run("solve", case_file, "-o", folder, "--no-report", "--xlsx", *marks)
    assert done.exit_code == 0, done.output
    for name in ("schedule.csv", "bids.csv", "bill.csv"):
        text = (folder / name).read_text(encoding="utf-8-sig")
        assert ";" in text.splitlines()[0] and "," not in text.splitlines()[0]
    assert "-0,35" in (folder / "bill.csv").read_text(encoding="utf-8-sig")
    book = openpyxl.load_workbook(folder / "tables.xlsx")
    assert book.sheetnames == ["schedule", "bids", "bill"]


@pytest.mark.parametrize(
    ("marks", "said"),
    [
        (("--csv-decimal", ","), "give --csv-separator ';' too"),
        (("--csv-decimal", ":"), "not among"),
        (("--csv-separator", "::"), "not among"),
    ],
)
def test_marks_that_cannot_be_told_apart_are_refused(run, case_file, marks, said):
    """Before anything is solved or written."""
    refused = run("solve", case_file, "-o", case_file.parent / "out", *marks)
    assert refused.exit_code == 2
    assert said in refused.stderr
    assert not (case_file.parent / "out").exists()


def test_a_workbook_of_an_earlier_run_is_named(run, case_file, tmp_path):
    """A run that writes none leaves it, and says that it is not of this run."""
    assert run("solve", case_file, "-o", tmp_path / "out", "--xlsx").exit_code == 0
    before = (tmp_path / "out" / "tables.xlsx").read_bytes()
    again = run("solve", case_file, "-o", tmp_path / "out", "--force")
    assert again.exit_code == 0
    assert "tables.xlsx is of an earlier run" in again.stderr
    assert (tmp_path / "out" / "tables.xlsx").read_bytes() == before


def test_marks_are_refused_before_a_case_is_operated(run, case_file, tmp_path):
    """A run of hours is not begun for files that could not be written: nothing is there after."""
    refused = run("simulate", case_file, "-o", tmp_path / "out", "--csv-decimal", ":")
    assert refused.exit_code == 2 and "not among" in refused.stderr
    assert not (tmp_path / "out").exists()
