"""What a run tells those who do not watch it: a line a minute, a file with dates, silence."""

import re
import time

import pytest

from v2g_linopy.cli import logs
from v2g_linopy.cli.terminal import Terminal

DATED = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d{4} (INFO|WARNING|ERROR) ")


@pytest.fixture
def short_minutes(monkeypatch):
    """A minute of these tests takes a fiftieth of a second."""
    monkeypatch.setattr(logs, "EVERY", 0.02)


def work(terminal: Terminal) -> None:
    with terminal.progress("Simulating 3 vehicles", counted=True) as move:
        move(2, 7)
        time.sleep(0.2)


def test_long_work_says_every_minute_how_far_it_is(short_minutes, capsys):
    """Stderr is no terminal here: some ten lines, each with what is done and how far; what is done
    within a minute says nothing.
    """
    work(Terminal())
    lines = capsys.readouterr().err.splitlines()
    assert set(lines) == {"Simulating 3 vehicles, 2 of 7, 0 min"}
    assert 2 <= len(lines) <= 10
    with Terminal().progress("Reading"):
        pass
    work(Terminal(quiet=True))
    assert capsys.readouterr().err == ""


def test_a_minute_is_a_minute():
    assert logs.EVERY == 60.0


def test_a_solve_says_what_it_is_at(run, case_file, tmp_path, short_minutes, monkeypatch):
    """The stages that the package logs are what is reached: model, rows, replay."""
    monkeypatch.setattr(logs, "EVERY", 0.002)
    done = run("solve", case_file, "-o", tmp_path / "out", "--no-report")
    assert re.search(r"^Solving 1 fleet member, .*, building the model, 0 min$", done.stderr, re.M)
    assert "Writing, 0 min" in done.stderr
    assert "optimal" in done.stdout


def test_a_log_is_appended_to_with_dates(run, case_file, tmp_path):
    """Two runs from cron, one of which fails: each line has its date, the command, what was said
    and found, the error, and the exit code stand in it. With `-q` nothing of it is on stderr.
    """
    log, folder = tmp_path / "runs.log", tmp_path / "out"
    words = ("solve", case_file, "-o", folder, "--no-report", "-q", "--log", log)
    assert run(*words).stderr == ""
    again = run(*words)
    assert again.stderr.startswith("v2g: ") and again.stderr.count("\n") == 1
    lines = log.read_text().splitlines()
    assert all(DATED.match(line) for line in lines)
    said = [DATED.sub("", line) for line in lines]
    assert [x for x in said if x.startswith("ended")] == [
        "ended with exit code 0",
        "ended with exit code 8",
    ]
    assert len([x for x in said if x.startswith("v2g ")]) == 2
    assert any("defaults assumed" in x for x in said)
    assert any(x.startswith("optimal: profit -0.35 EUR") for x in said)
    assert [line for line in lines if " ERROR " in line and "exist already" in line]


def test_a_log_has_the_progress_also_where_stderr_has_not(short_minutes, tmp_path, capsys):
    """With `-q` the lines of long work stand in the file alone."""
    terminal = Terminal(quiet=True, log=tmp_path / "a.log")
    terminal.listen()
    work(terminal)
    logs.keep_in([])
    assert capsys.readouterr().err == ""
    assert "Simulating 3 vehicles, 2 of 7, 0 min" in (tmp_path / "a.log").read_text()


def test_a_table_does_not_fill_a_log(run, result_file, tmp_path):
    log = tmp_path / "a.log"
    Terminal(log=log).listen()
    Terminal().say("\n".join(map(str, range(1000))))
    logs.keep_in([])
    lines = log.read_text().splitlines()
    assert lines[-1].endswith("INFO ... 980 lines more") and len(lines) == 22


def test_a_log_that_cannot_be_written_stops_before_the_work(run, case_file, tmp_path):
    """Named in one message, exit code 8; nothing is solved."""
    (tmp_path / "file").write_text("")
    log = tmp_path / "file" / "a.log"
    done = run("solve", case_file, "-o", tmp_path / "out", "--log", log)
    assert done.exit_code == 8
    assert done.stderr == f"v2g: {log}: Not a directory\n"
    assert not (tmp_path / "out").exists()
