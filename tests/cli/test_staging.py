"""All files or none: whatever fails, what was there before is there after."""

import logging
import os
import shutil
import signal
import warnings
from pathlib import Path

import pytest

import v2g_linopy as v2g
from v2g_linopy.case.staging import STAGE, stage_in, uninterrupted
from v2g_linopy.cli.output import put_in_place, staged
from v2g_linopy.errors import OutputError

NAMES = ("a.txt", "b.txt", "c.txt")


def write(folder: Path, text: str, names=NAMES) -> None:
    for name in names:
        (folder / name).write_text(text)


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_all_files_appear_at_the_end(tmp_path):
    """Nothing is visible under its name before everything is prepared, and no stage remains."""
    folder = tmp_path / "new" / "deep"
    with staged(folder, NAMES) as stage:
        write(stage, "new")
        assert not any((folder / name).exists() for name in NAMES)
    assert contents(folder) == dict.fromkeys(NAMES, "new")


def test_an_existing_file_refuses_before_the_work(tmp_path):
    write(tmp_path, "old", ["b.txt"])
    with (
        pytest.raises(OutputError, match=r"b\.txt exists already.*--force"),
        staged(tmp_path, NAMES),
    ):
        pytest.fail("the work must not start")
    assert contents(tmp_path) == {"b.txt": "old"}


def test_a_file_that_appears_meanwhile_is_kept(tmp_path):
    with pytest.raises(OutputError, match="exists already"), staged(tmp_path, NAMES) as stage:
        write(stage, "new")
        write(tmp_path, "another's", ["c.txt"])
    assert contents(tmp_path) == {"c.txt": "another's"}


def test_force_replaces_only_what_was_written(tmp_path):
    write(tmp_path, "old", [*NAMES, "other.txt"])
    with staged(tmp_path, NAMES, force=True) as stage:
        write(stage, "new", ["a.txt", "c.txt"])
    assert contents(tmp_path) == {
        "a.txt": "new",
        "b.txt": "old",
        "c.txt": "new",
        "other.txt": "old",
    }


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_in_the_work_changes_nothing(tmp_path, error):
    folder = tmp_path / "out"
    with pytest.raises(error), staged(folder, NAMES, force=True) as stage:
        write(stage, "new")
        raise error
    assert not folder.exists(), "a folder made for nothing is taken away again"


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_a_failure_between_two_renames_undoes_the_first(tmp_path, monkeypatch, error):
    """The third of three files cannot be renamed: the first two are the old ones again. Without
    undo they were new.
    """
    write(tmp_path, "old")
    rename = os.replace

    def fails(source, target):
        if Path(target) == tmp_path / "c.txt" and Path(source).read_text() == "new":
            raise error
        rename(source, target)

    monkeypatch.setattr(os, "replace", fails)
    with (
        pytest.raises((OutputError, KeyboardInterrupt)),
        staged(tmp_path, NAMES, force=True) as stage,
    ):
        write(stage, "new")
    assert contents(tmp_path) == dict.fromkeys(NAMES, "old")


def test_a_file_in_place_of_the_folder(tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(OutputError, match="is a file"), staged(tmp_path / "out", NAMES):
        pytest.fail("the work must not start")
    with pytest.raises(OutputError, match="cannot write"), staged(tmp_path / "out" / "deep", NAMES):
        pytest.fail("the work must not start")


def test_a_folder_in_place_of_a_file(tmp_path):
    (tmp_path / "b.txt").mkdir()
    with (
        pytest.raises(OutputError, match=r"b\.txt is a folder"),
        staged(tmp_path, NAMES, force=True),
    ):
        pytest.fail("the work must not start")


@pytest.mark.parametrize("hard_links", [True, False])
def test_a_kill_between_any_two_operations_leaves_old_or_new(tmp_path, hard_links):
    """A process that dies at its first, second, ... change of the disk: every file of before is
    there, whole, old or new.
    """
    names = ("a.txt", "b.txt", "new.txt")
    for moment in range(1, 12):
        folder = tmp_path / f"{moment}"
        stage = folder / "stage"
        stage.mkdir(parents=True)
        for name in names:
            (stage / name).write_text("new")
        for name in names[:2]:
            (folder / name).write_text("old")
        with warnings.catch_warnings():  # a worker of the tests has threads, which do nothing here
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:  # only the child dies
            _die_at(moment, hard_links)
            put_in_place(stage, folder, names)
            os._exit(0)
        died = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0
        there = [(folder / name).read_text() for name in names[:2]]
        assert set(there) <= {"old", "new"}, (moment, there)
        if not died:
            assert there == ["new", "new"] and (folder / "new.txt").read_text() == "new"
            return
    pytest.fail("it never came to its end")


def _die_at(moment: int, hard_links: bool) -> None:
    """Let this process die at a change of the disk, after it or before it."""
    count = [0]

    def deadly(change):
        def run(*words, **options):
            count[0] += 1
            if count[0] == moment:
                os._exit(9)
            return change(*words, **options)

        return run

    def no_link(*words, **options):
        raise OSError("one name only")

    os.replace, shutil.copy2 = deadly(os.replace), deadly(shutil.copy2)
    os.link = deadly(os.link) if hard_links else no_link


# ---- what is left of a process that was killed ---------------------------------------------------


def killed_while_it_writes(write) -> None:
    """Let a process begin to write, and kill it there; `write` takes what to call once it has."""
    ready, done = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:

        def wait_for_the_end() -> None:
            os.write(done, b"x")
            signal.pause()

        write(wait_for_the_end)
        os._exit(0)
    assert os.read(ready, 1) == b"x"
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(ready)
    os.close(done)


def test_the_next_run_names_and_removes_what_a_killed_one_left(tmp_path, caplog):
    """The stage of a process that was killed, with a file and a second name of an old one in it: it
    is there after the kill, and the next run says so and takes it away. The old file stays.
    """
    write(tmp_path, "old")

    def begin(wait) -> None:
        with staged(tmp_path, NAMES, force=True) as stage:
            write(stage, "half", ["a.txt"])
            (stage / "before").mkdir()
            os.link(tmp_path / "b.txt", stage / "before" / "b.txt")
            wait()

    killed_while_it_writes(begin)
    (left,) = tmp_path.glob(f"{STAGE}*")
    with caplog.at_level(logging.WARNING, "v2g_linopy"), staged(tmp_path, NAMES, True) as stage:
        write(stage, "new", ["c.txt"])
    assert contents(tmp_path) == {"a.txt": "old", "b.txt": "old", "c.txt": "new"}
    (record,) = caplog.records
    assert record.getMessage() == f"{tmp_path}: removed {left.name}, left by a run that was killed"


def test_a_file_that_was_half_written_is_removed_too(tmp_path, smart_case, caplog):
    """`v2g.write` was killed: the file of before is read, and the next write leaves it alone."""
    path = tmp_path / "case.nc"
    v2g.write(smart_case, path)

    def begin(wait) -> None:
        smart_case.map_over_datasets = lambda function: wait()
        v2g.write(smart_case, path, overwrite=True)

    killed_while_it_writes(begin)
    assert len([*tmp_path.iterdir()]) == 2
    v2g.write(smart_case, path, overwrite=True)
    assert [*tmp_path.iterdir()] == [path]
    assert "left by a run that was killed" in caplog.text
    assert v2g.read(path).identical(smart_case)


def test_what_a_running_process_writes_is_not_touched(tmp_path, caplog):
    """Two at once in a folder: each removes its own stage alone. A file and a link with such a name
    are not ours.
    """
    (tmp_path / f"{STAGE}file").write_text("mine")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / f"{STAGE}link").symlink_to(tmp_path / "elsewhere")
    with stage_in(tmp_path) as first:
        (first / "a.txt").write_text("at work")
        with stage_in(tmp_path) as second:
            assert first != second
        assert (first / "a.txt").read_text() == "at work"
        assert not second.exists()
    assert not first.exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        f"{STAGE}file",
        f"{STAGE}link",
        "elsewhere",
    ]
    assert caplog.text == ""


def test_without_locks_nothing_is_taken_for_a_leftover(tmp_path, monkeypatch):
    """A disk or a system that cannot lock: whose stage it is cannot be known, so it stays."""
    monkeypatch.setattr("v2g_linopy.case.staging.fcntl", None)
    (tmp_path / f"{STAGE}another").mkdir()
    with stage_in(tmp_path) as stage:
        assert stage.is_dir()
    assert [p.name for p in tmp_path.iterdir()] == [f"{STAGE}another"]


def test_an_interruption_waits_until_a_file_is_written():
    """Ctrl-C in the middle: the block comes to its end, then it is raised, and the next one at
    once. Found by ending commands at drawn moments: netCDF4 did not come back from it.
    """
    done = []
    with pytest.raises(KeyboardInterrupt), uninterrupted():
        signal.raise_signal(signal.SIGINT)
        done.append("written")
    assert done == ["written"]
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
