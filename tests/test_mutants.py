"""`make mutants` changes what is computed, and nothing else; each equivalent mutant is argued."""

import subprocess
import sys
from pathlib import Path

import pytest
from mutants.places import ROOT, changed, files, mutants, places
from mutants.run import equivalents

CHANGES = {
    "x = a * b": {"x = a / b", "x = a", "x = b"},
    "x = a - b + 1": {
        *("x = a + b + 1", "x = a - b - 1", "x = - b + 1", "x = a + 1", "x = a - b"),
        *("x = a - b + 2", "x = a - b + 0"),
    },
    "x = -a / b": {"x = a / b", "x = -a * b"},
    "x = (a > 0) & c": {
        *("x = (a >= 0) & c", "x = (a <= 0) & c", "x = (a > 1) & c", "x = (a > -1) & c"),
        *("x = (a > 0) | c", "x = (a > 0)", "x = c"),
    },
    "x = a and not b": {"x = a or not b", "x = a and b", "x = a", "x = not b"},
    "cash['fuel'] = paid": {"pass"},
    "total += paid": {"pass"},
    "s.add('row', paid)": {"pass"},
    "x: A | B = f(y)": set(),
    "Data = A | B | None": set(),
    "'words, 1 + 1'": set(),
    "row = 'balance' + suffix": set(),
    "raise ValueError(f'{n + 1} members')": set(),
    "add = Problem('where', 'rule', f'{n - 1} more')": set(),
    "@cached(1)\ndef f(x: A | None = y) -> B | None:\n    return x": set(),
}


@pytest.mark.parametrize(("text", "expected"), CHANGES.items(), ids=[*CHANGES])
def test_what_a_mutant_changes(text, expected):
    """One sign, number, factor, condition or statement; no words, types or decorators."""
    text = f"{text}\n"
    found = {changed(text, operator, n) for _, operator, n in places(text)}
    assert {" ".join(x.split()) for x in found} == expected


def test_every_room_has_mutants():
    """The files of the six rooms, and hundreds of places in the larger ones."""
    rooms = {file.split("/")[1] for file in files()}
    assert rooms == {"model", "parts", "solve", "operate", "delivery", "study"}
    fleet = mutants("v2g_linopy/parts/assets/fleet/build.py")
    lines = (ROOT / fleet[0].file).read_text(encoding="utf-8").splitlines()
    row = next(n for n, line in enumerate(lines, 1) if "retail_price * s.dt" in line)
    afters = {m.change()[1] for m in fleet if m.line == row}
    assert "net = d.retail_price * (plan.charge - plan.discharge)" in afters


def test_the_changed_file_is_what_runs():
    """The package is imported with the change, and the disk keeps the file as it was."""
    run = (
        "import sys\n"
        "sys.path.insert(0, 'tests')\n"
        "from mutants.loading import Finder\n"
        "file = 'v2g_linopy/solve/audit.py'\n"
        "text = open(file).read().replace('TOLERANCE = 1e-6', 'TOLERANCE = 7.0')\n"
        "code = compile(text, file, 'exec')\n"
        "Finder(lambda f: code if f == file else None).install()\n"
        "from v2g_linopy.solve import audit\n"
        "print(audit.TOLERANCE)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", run], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert ran.stdout == "7.0\n"


def test_every_equivalent_mutant_is_one_and_is_argued():
    """Each names a change that can be drawn from the code of today, and says why it is none."""
    for (file, before, after), why in equivalents().items():
        assert len(why) > 30, (file, before)
        assert Path(ROOT / file).exists(), file
        assert any(m.change() == (before, after) for m in mutants(file) if at(m, before)), before


def at(mutant, before):
    """Whether a mutant stands on a line of that text."""
    lines = (ROOT / mutant.file).read_text(encoding="utf-8").splitlines()
    return lines[mutant.line - 1].strip() in before
