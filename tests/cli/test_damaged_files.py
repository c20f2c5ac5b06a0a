"""What something has damaged is refused by name or read, never a fault of the program: a field of a
case that somebody has edited, a bit that a disk has turned.
"""

import random
import signal

import pytest
import xarray as xr
from damage import damaged_field, flip_a_bit
from forked import run
from hypothesis import Phase, given, reject, settings
from hypothesis import strategies as st

import v2g_linopy as v2g
from v2g_linopy.cli.new import Template, generated

CODES = {0: "optimal", 3: "invalid", 4: "infeasible", 5: "failed", 6: "stopped at a limit"}
VEHICLES = {Template.PORTFOLIO: 5}
SEEDS = st.integers(0, 2**64 - 1)
COMMANDS = ("bids", "explain", "replay", "report -o page.html --force", "compare whole.nc", "check")


def some() -> settings:
    """Two examples in CI, as many as the profile says where many are drawn."""
    count = settings().max_examples
    phases = settings().phases
    return settings(
        max_examples=count if count >= 100 else max(1, count // 5),
        phases=[
            phase for phase in phases if phase in (Phase.reuse, Phase.generate)
        ],  # no shrinking
    )


@pytest.fixture(scope="module", params=Template)
def template(request, tmp_path_factory) -> tuple[xr.DataTree, object]:
    """A day of every template, and a folder."""
    kind = request.param
    vehicles = {} if kind is Template.VPP else {"vehicles": VEHICLES.get(kind, 2)}
    case = generated(kind, 0, {"days": 1} | vehicles)
    return case, tmp_path_factory.mktemp("damaged")


@some()
@given(seed=SEEDS)
def test_a_damaged_field_is_refused_by_name_or_solved(template, seed):
    """Another number, type, shape, unit, name, label or attribute: `check` lists what is wrong, and
    what it lets pass is solved, or has no plan, or is too much for the solver, in words.
    """
    case, folder = template
    try:
        bad, what = damaged_field(random.Random(seed), case)
    except ValueError:
        reject()  # its groups no longer fit together, and no tree can hold it
    v2g.write(bad, folder / "bad.nc", overwrite=True)
    for words in ("check bad.nc", "solve bad.nc -o out --force --no-report --time-limit 20 -q"):
        done = run(words, folder)
        assert done.code in CODES, (what, done)
        assert done.code in (0, 6) or done.said.count("v2g: ") == 1, (what, done)
        if done.code:
            break


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A case and its result in a folder."""
    folder = tmp_path_factory.mktemp("bits")
    case = generated(Template.COMMUTERS, 0, {"vehicles": 2, "days": 1})
    v2g.write(case, folder / "case.nc")
    v2g.write(v2g.solve(case), folder / "whole.nc")
    return folder


@pytest.mark.parametrize("name", ["case.nc", "whole.nc"])
@some()
@given(seed=SEEDS)
def test_a_bit_that_is_another_is_refused_or_read(files, name, seed):
    """One bit anywhere in a file: it is refused as unreadable or as not what was written, or read.
    A result that is read has the very plan that was written, as its checksum says.

    HDF5 itself may never come back from opening such a file; the process is then where it opens it.
    """
    rng = random.Random(seed)
    what = flip_a_bit(rng, files / name, files / "bad.nc")
    command = "check" if name == "case.nc" else rng.choice(COMMANDS)
    first, *options = command.split()
    done = run(" ".join([first, *options, "bad.nc"]), files, limit=20)
    hangs = done.code == -signal.SIGXCPU
    assert not hangs or "in _loaded_groups" in done.said, (what, done.said)
    assert hangs or done.code in (0, 3), (what, done)
    assert done.code != 3 or "bad.nc" in done.said, (what, done)
