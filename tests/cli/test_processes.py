"""What only a process of its own can show: the solver's banner, pipes, a full disk, Ctrl-C in the
middle of a solve.
"""

import json
import os
import resource
import signal
import subprocess
import sys
import time

import pytest
from by_hand import ROOT, command_line, environment, process

import v2g_linopy as v2g
from v2g_linopy.data import commuters


def test_stdout_of_a_real_solve_is_one_document(case_file, tmp_path):
    """HiGHS prints through the C library, past Python: the whole stdout must still be one
    document.
    """
    done = process("solve", case_file, "-o", tmp_path / "out", "--json", "--no-report")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "optimal"


def test_what_a_solver_prints_goes_to_stderr(tmp_path):
    """Printed by the C library into its own buffer; without the redirection (or its flush) it would
    stand on stdout.
    """
    script = (
        "import ctypes, os\n"
        "from v2g_linopy.cli.terminal import Terminal\n"
        "with Terminal(verbose=1).solving('x'):\n"
        "    ctypes.CDLL(None).puts(b'banner')\n"
        "print('answer')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment(),
        check=True,
    )
    assert done.stdout == "answer\n"
    assert "banner" in done.stderr


def test_python_dash_m(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "v2g_linopy", "--version"],
        **{"capture_output": True, "text": True, "cwd": ROOT, "env": environment(), "check": True},
    )
    assert done.stdout.startswith("v2g-linopy ")


def test_full_disk_is_8_and_loses_nothing(case_file, tmp_path):
    """No file may grow beyond 16 kB, as on a disk that fills up while the result is written; the
    old files stay.
    """
    folder = tmp_path / "out"
    folder.mkdir()
    for name in ("result.nc", "schedule.csv", "bids.csv", "kpi.json"):
        (folder / name).write_text(f"old {name}")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (16_384, 16_384))  # noqa: E731
    done = process("solve", case_file, "-o", folder, "--force", "--no-report", preexec_fn=limit)
    assert done.returncode == 8, (done.returncode, done.stderr)
    assert "Traceback" not in done.stderr
    assert done.stderr.count("v2g:") == 1
    assert (
        f"cannot write {folder / 'result.nc'}: the file would be larger than this system allows"
        in done.stderr
    )
    assert "MB are free; nothing was changed" in done.stderr
    assert ".v2g-" not in done.stderr
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("words", [["schema", "energy"], ["schema", "--json"]])
def test_stdout_that_is_full_is_8(words):
    with open("/dev/full", "w") as full:
        done = process(*words, stdout=full, stderr=subprocess.PIPE, capture_output=False)
    assert done.returncode == 8
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def close_all_streams() -> None:
    """As `v2g ... <&- >&- 2>&-` does."""
    for descriptor in range(3):
        os.close(descriptor)


def test_a_process_without_streams_and_without_a_home(case_file, tmp_path):
    """From cron at its worst: stdin, stdout and stderr closed, `HOME` not set. All files are
    written, and what would be printed is in none of them: without a stdout the first file that is
    opened would be it.
    """
    bare = {key: x for key, x in environment().items() if key in ("PATH", "PYTHONPATH")}
    words = ("solve", case_file, "-o", tmp_path / "out", "-v")
    done = process(*words, env=bare, preexec_fn=close_all_streams, capture_output=False)
    assert done.returncode == 0
    assert len([*(tmp_path / "out").iterdir()]) == 6
    assert v2g.read(tmp_path / "out" / "result.nc").attrs["profit"] == pytest.approx(-0.35)
    assert json.loads((tmp_path / "out" / "kpi.json").read_text())["profit"]


def test_json_on_an_ascii_terminal_is_json(tmp_path):
    """A path that ASCII does not have, and whose end is not even text, of a file that is missing:
    the message is in the document, escaped as JSON does it, and the code that of a wrong input.
    """
    plain = environment() | {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}
    done = process("check", tmp_path / "vélo-\udcff.nc", "--json", env=plain)
    assert done.returncode == 3, done.stderr
    assert "vélo-\udcff.nc" in json.loads(done.stdout)["message"]
    assert "v\\xe9lo-\\udcff.nc" in done.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_stderr_that_nobody_can_read_stops_nothing(tmp_path):
    """A disk is full under the log: notices are lost, the code is that of the work."""
    with open("/dev/full", "w") as full:
        words = dict(stdout=subprocess.PIPE, stderr=full, capture_output=False)
        assert process("check", tmp_path / "missing.nc", **words).returncode == 3


def test_a_reader_that_leaves_is_no_error():
    """`v2g schema | head -1`."""
    with subprocess.Popen(
        command_line("schema"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as run:
        run.stdout.close()
        assert run.stderr.read() == b""
        assert run.wait(60) == 0


def test_interrupt_in_the_middle_of_a_solve(tmp_path):
    """SIGINT after the solver has started: code 130, one line, at once, nothing written, old files
    as they were.
    """
    case, folder = tmp_path / "big.nc", tmp_path / "out"
    v2g.write(commuters(vehicles=100, days=60), case)
    folder.mkdir()
    (folder / "kpi.json").write_text("old")
    words = command_line(
        "solve", case, "-o", folder, "--force", "--no-blocks", "--option", "solver=ipm"
    )
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    ) as run:
        wait_for_the_solver(run, folder)
        run.send_signal(signal.SIGINT)
        sent = time.monotonic()
        out, err = run.communicate(timeout=60)
    assert run.returncode == 130, (run.returncode, err)
    assert time.monotonic() - sent < 15
    assert out == ""
    assert [line.split()[0] for line in err.splitlines() if "assumed" not in line] == ["v2g:"], err
    assert "interrupted" in err
    assert [path.name for path in folder.iterdir()] == ["kpi.json"]
    assert (folder / "kpi.json").read_text() == "old"


def wait_for_the_solver(run: subprocess.Popen, folder) -> None:
    """The stage is made just before the model is built; a second thread of the process means that
    HiGHS runs.
    """
    deadline = time.monotonic() + 60
    while not any(path.name.startswith(".v2g-") for path in folder.iterdir()):
        assert run.poll() is None, "it ended before it could be interrupted"
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(3)
    assert run.poll() is None, "it ended before it could be interrupted"
