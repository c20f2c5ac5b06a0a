"""A command that is ended from outside, at any moment: by Ctrl-C, by a system that shuts down, by a
terminal that is closed, or killed. Nothing is half written, nothing is left but by a kill, and a
run in windows goes on.
"""

import random
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from by_hand import lossless_case
from cases import case, market, storage
from forked import command_ended_behind, run, started
from hypothesis import settings

import v2g_linopy as v2g
from v2g_linopy.case.staging import STAGE
from v2g_linopy.cli.process import Ended, code_of_signal, complete_streams
from v2g_linopy.errors import Interrupted

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129, signal.SIGKILL: -9}
KILLS = settings().max_examples // 10  # of each kind: one, and thirty where many are drawn
NAMES = ("result.nc", "schedule.csv", "bids.csv", "bill.csv", "kpi.json")


def small(price: float) -> object:
    car = {"charge_max": [10.0] * 6, "energy_min": [0.0] * 5 + [15.0]}
    return lossless_case([price, 20.0, 60.0, 40.0, 30.0, 10.0], {"ev-001": car})


def several_rounds() -> object:
    """Two batteries and a roof behind one small market."""
    boxes = {
        "hall": storage(energy_initial=5.0, wear=0.01, pod="hall"),
        "yard": storage(energy_initial=2.0, wear=0.02, charge_max=6.0, pod="yard"),
    }
    roof = {"available": [4.0, 8.0, 2.0], "pod": "roof"}
    return case(None, market([30.0, 10.0, 60.0], limit=7.0), battery=boxes, renewable=roof)


@pytest.fixture(scope="module")
def twice(tmp_path_factory) -> tuple[Path, float]:
    """A folder with two cases and the result of the first, and how long a solve takes."""
    folder = tmp_path_factory.mktemp("kills")
    for name, price in (("one", 30.0), ("two", 5.0)):
        v2g.write(small(price), folder / f"{name}.nc")
    done = run("solve one.nc -o out --no-report -q", folder)
    assert done.code == 0, done.said
    return folder, run("solve one.nc -o out --no-report -q --force", folder).seconds


@pytest.mark.parametrize("end", CODES, ids=lambda end: end.name)
def test_a_solve_that_is_ended_leaves_old_files_or_new_ones(twice, end):
    """At a moment that is drawn between start and end: the code says which signal it was, every
    file is the old or the new one, whole; a kill may leave a stage, which the next run removes and
    names.
    """
    folder, seconds = twice
    rng = random.Random(f"{end}")
    for _ in range(KILLS):
        old = {name: (folder / "out" / name).read_bytes() for name in NAMES}
        words = "solve two.nc -o out --no-report -q --force"
        done = run(words, folder, end, rng.uniform(0.0, 1.1) * seconds)
        at_its_very_end = done.code == -end and "wrote result.nc" in done.said
        assert done.code in (CODES[end], 0) or at_its_very_end, done
        left = {path.name for path in (folder / "out").iterdir()} - set(NAMES)
        assert end == signal.SIGKILL or not left, left
        assert all(name.startswith(STAGE) for name in left)
        same = [(folder / "out" / name).read_bytes() == old[name] for name in NAMES]
        changed = "wrote result.nc" in done.said or "all files were written" in done.said
        changed |= end == signal.SIGKILL
        assert changed or all(same), done.said
        assert v2g.read(folder / "out" / "result.nc").attrs["status"] == "optimal"

        after = run("solve one.nc -o out --no-report --force", folder)
        assert all(name in after.said for name in left), after.said
        assert {path.name for path in (folder / "out").iterdir()} == set(NAMES)


def test_two_levels_that_are_killed_go_on(tmp_path):
    """Killed at moments that are drawn, with no chance to tidy up: the same command comes to the
    value of a run that nobody ended, and leaves no rounds.
    """
    v2g.write(several_rounds(), tmp_path / "group.nc")
    words = "vpp solve group.nc --no-report --no-alone --no-bands"
    whole = run(f"{words} -o whole", tmp_path)
    assert whole.code == 0, whole.said
    profit = v2g.read(tmp_path / "whole" / "result.nc").attrs["profit"]
    rng = random.Random("two levels")
    for k in range(KILLS):
        for _ in range(2):
            done = run(
                f"{words} -o cut-{k}", tmp_path, signal.SIGKILL, rng.random() * whole.seconds
            )
            if done.code == 0:
                break
        done = run(f"{words} -o cut-{k}", tmp_path) if done.code else done
        at_its_end = done.code == 8 and "exists" in done.said
        assert done.code == 0 or at_its_end, done.said
        cut = tmp_path / f"cut-{k}"
        assert v2g.read(cut / "result.nc").attrs["profit"] == pytest.approx(profit, rel=1e-6)
        assert at_its_end or not (cut / ".rounds").exists()


def test_a_simulation_that_is_ended_goes_on(tmp_path):
    """Ended after one window and again after another: each time the code of the signal, the windows
    stay and are named; with `--resume` it comes to the result of a run that nobody ended.
    """
    v2g.write(small(30.0), tmp_path / "case.nc")
    words = "simulate case.nc --window 1 --every 1 --ahead 2 --no-hindsight --no-report"
    kept = tmp_path / "cut" / ".windows"
    for end, window, more in ((signal.SIGHUP, 0, []), (signal.SIGTERM, 2, ["--resume"])):
        line = [*words.split(), "-o", "cut", *more]
        behind = kept / f"{window:05d}.nc"
        given = (behind, end, line, str(tmp_path))
        child = started().Process(target=command_ended_behind, args=given)
        child.start()
        child.join(60)
        said = (tmp_path / "err.txt").read_text()
        assert child.exitcode == CODES[end], said
        assert "interrupted" in said and "--resume" in said, said
        assert {path.name for path in (tmp_path / "cut").iterdir()} == {".windows"}
        assert all(path.suffix == ".nc" for path in kept.iterdir())

    assert run(f"{words} -o cut --resume", tmp_path).code == 0
    assert run(f"{words} -o whole", tmp_path).code == 0
    cut, whole = (v2g.read(tmp_path / name / "result.nc") for name in ("cut", "whole"))
    assert cut["fleet"].to_dataset().equals(whole["fleet"].to_dataset())
    assert not kept.exists()


def test_the_signal_behind_an_error_gives_the_code():
    """Also where something else failed while the command was being ended, such as the terminal."""
    chains = (
        (KeyboardInterrupt(), 130),
        (Ended(signal.SIGTERM), 143),
        (Ended(signal.SIGHUP), 129),
        (ValueError(), None),
    )
    for first, code in chains:
        wrapped, later = Interrupted("x"), OSError("the terminal is gone")
        wrapped.__cause__, later.__context__ = first, wrapped
        assert [code_of_signal(e) for e in (first, wrapped, later)] == [code] * 3


def test_a_signal_that_falls_into_a_callback_comes_again():
    """Python drops an exception in a callback of a weak reference, and a Ctrl-C with it: it is sent
    once more, and nothing is said; another exception is told as ever.
    """
    lines = """
        import os, signal, sys, time, weakref
        from v2g_linopy.cli.process import end_at_signals
        class Thing: pass
        end_at_signals()
        def callback(reference):
            os.kill(os.getpid(), NUMBER)
            time.sleep(0.01)
        thing = Thing()
        kept = weakref.ref(thing, callback)
        try:
            del thing
            time.sleep(20)
        except KeyboardInterrupt as error:
            print(type(error).__name__)
        kept = weakref.ref(thing := Thing(), lambda reference: 1 / 0)
        del thing
    """
    for number, name in ((signal.SIGINT, "KeyboardInterrupt"), (signal.SIGTERM, "Ended")):
        code = textwrap.dedent(lines).replace("NUMBER", str(int(number)))
        command_line = [sys.executable, "-c", code]
        done = subprocess.run(command_line, capture_output=True, text=True, timeout=60)
        assert done.stdout.split() == [name]
        assert "KeyboardInterrupt" not in done.stderr and "ZeroDivisionError" in done.stderr


def test_letters_that_a_terminal_does_not_know_are_no_fault(monkeypatch, tmp_path):
    """An ASCII terminal: `\\u2264` and not an error; a stream that was closed takes everything."""
    with (
        open(tmp_path / "out", "w", encoding="ascii") as out,
        open(tmp_path / "err", "w", encoding="ascii") as err,
    ):
        for name, stream in (("stdin", None), ("stdout", out), ("stderr", err)):
            monkeypatch.setattr(sys, name, stream)
        complete_streams()
        print("0 ≤ x ≤ 1 \udc80")
        assert sys.stdin.read() == ""
        sys.stdin.close()
    assert (tmp_path / "out").read_text() == "0 \\u2264 x \\u2264 1 \\udc80\n"
