"""The help lists every command without loading it."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from v2g_linopy.cli.app import COMMANDS, IMPORTS, PORTFOLIOS
from v2g_linopy.cli.listed import Listed

ROOT = Path(__file__).resolve().parents[2]
ENTRIES = {
    "v2g": "from v2g_linopy.cli import main\nmain()",
    "python -m v2g_linopy": "runpy.run_module('v2g_linopy', run_name='__main__')",
    "python cli.py": "runpy.run_path('cli.py', run_name='__main__')",
}
LISTED = [*(c for c in COMMANDS if isinstance(c, Listed)), *IMPORTS, *PORTFOLIOS]


@pytest.mark.parametrize(
    ("entry", "words", "said"),
    [
        ("v2g", ["--help"], "Find the best plan of a case"),
        ("python -m v2g_linopy", ["--help"], "compare"),
        ("python cli.py", ["--version"], "v2g-linopy "),
        ("python cli.py", ["import", "--help"], "Import prices"),
        ("python cli.py", ["sovle"], "Did you mean 'solve'"),
    ],
)
def test_what_a_list_of_commands_loads(entry, words, said):
    """Neither numpy nor a module of a command, however the command line is entered."""
    lines = f"""
        import atexit, json, runpy, sys
        sys.argv = ["v2g", *{words!r}]
        atexit.register(lambda: sys.stdout.write("\\n" + json.dumps(sorted(sys.modules))))
    """
    done = subprocess.run(
        [sys.executable, "-c", f"{textwrap.dedent(lines)}\n{ENTRIES[entry]}"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == (2 if words == ["sovle"] else 0)
    assert said in done.stdout + done.stderr
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert "typer" in loaded
    heavy = {"numpy", "pandas", "xarray", "linopy", "scipy", "highspy", "matplotlib"}
    commands = {f"v2g_linopy.cli.{c.module}" for c in LISTED}
    assert sorted(loaded & (heavy | commands)) == []


@pytest.mark.parametrize("listed", LISTED, ids=lambda c: f"{c.module}-{c.name}")
def test_the_sentence_of_a_command_is_that_of_its_function(listed):
    loaded = listed.loaded()
    assert loaded.name == listed.name
    assert " ".join(loaded.help.split("\n\n")[0].split()) == listed.help
