"""What fuzzing says of a property that does not hold, and that it finds the same example again."""

import re
import shutil
import subprocess
from pathlib import Path

import fuzz
import pytest

HERE = Path(__file__).parent
PROPERTIES = """
import hypothesis
from hypothesis import strategies as st

@hypothesis.given(st.lists(st.integers(0, 9)))
def test_no_list_is_as_long_as_three(numbers):
    assert len(numbers) < 3

@hypothesis.given(st.integers())
def test_a_number_is_itself(n):
    assert n == n
"""


@pytest.mark.parametrize("ci", [None, "true"], ids=["at-home", "in-ci"])  # hypothesis reads it
def test_what_fails_is_kept_and_tried_first_by_the_next_run(ci, tmp_path, capsys, monkeypatch):
    """Of two properties one is wrong: its name, a file and a command are printed. That command
    tries the kept example before it draws: hypothesis counts it in its phase of reuse.
    """
    monkeypatch.delenv("CI", raising=False)
    if ci:
        monkeypatch.setenv("CI", ci)
    file = tmp_path / "tests" / "test_drawn.py"
    file.parent.mkdir()
    file.write_text(PROPERTIES)
    shutil.copy(HERE / "conftest.py", file.parent)  # which keeps beside its folder
    found = fuzz.draw(7, file, tmp_path / ".fuzz")
    (name,) = found.failed
    assert name.endswith("test_drawn.py::test_no_list_is_as_long_as_three")
    assert found.examples > 20, "twenty of the property that holds, and those of the other"

    said = capsys.readouterr().out
    assert re.match(r"seed +7 +\d+ examples", said)
    assert f"pytest --hypothesis-profile=fuzz '{name}'" in said
    told = (tmp_path / ".fuzz" / "7-test_drawn.txt").read_text()
    assert re.search(r"numbers=\[(\s*\d,?){3,}", told), told  # how far it is shrunk is not ours

    again = [*fuzz.PYTEST, "--hypothesis-show-statistics", "--hypothesis-seed=8", name]
    run = subprocess.run(again, cwd=fuzz.ROOT, capture_output=True, text=True, check=False)
    assert re.search(r"during reuse phase.*\n.*\n *- 0 passing, 1 failing", run.stdout), run.stdout


def test_every_round_has_a_seed_and_runs_every_file():
    """Three files, ten steps of the clock: rounds of three, each in an order of its own seed."""
    files = [Path(name) for name in "abc"]
    drawn = fuzz.rounds(files, float("inf"))
    some = [next(drawn) for _ in range(300)]
    turns = [some[k : k + 3] for k in range(0, 300, 3)]
    assert all(len({seed for seed, _ in turn}) == 1 for turn in turns)
    assert all({file for _, file in turn} == set(files) for turn in turns)
    assert len({turn[0][0] for turn in turns}) == 100
    assert len({tuple(file for _, file in turn) for turn in turns}) == 6
    assert list(fuzz.rounds(files, 0.0)) == []


def test_files_with_properties_are_found():
    names = {file.name for file in fuzz.files_with_properties()}
    assert {"test_property_money.py", "test_expression.py", "test_trips.py"} <= names
    assert not {"test_layers.py", "test_fuzz.py"} & names


def test_ci_draws_the_same_cases_in_each_run(request):
    """The seed of a run without a profile is fixed; the hook of conftest gives it to hypothesis."""
    conftest = request.config.pluginmanager.get_plugin(str(HERE / "conftest.py"))
    config = pytest.Config.fromdictargs({}, [])
    for profile, fixed in ((None, True), ("ci", True), ("fuzz", False), ("many", False)):
        seeds = set()
        for _ in range(3):
            config.option.hypothesis_profile, config.option.hypothesis_seed = profile, None
            conftest.pytest_configure(config)
            seeds.add(config.option.hypothesis_seed)
        assert seeds == {str(conftest.SEED_OF_CI)} if fixed else len(seeds) == 3
