"""The door: `import v2g_linopy` loads nothing; what is used is loaded when it is used, and keeps
its name in any order of imports.
"""

import ast
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import v2g_linopy as v2g
from v2g_linopy import _HOME, _RENAMED

ROOT = Path(__file__).resolve().parents[1]
HEAVY = {"numpy", "pandas", "xarray", "linopy", "scipy", "highspy", "matplotlib", "pydantic"}
HEAVY |= {"pypsa", "ocpp"}


def fresh(lines: str, *, answer: str) -> object:
    """Run lines in a new interpreter, and return the value of `answer` there."""
    code = f"{lines}\nimport json, sys\nsys.stdout.write('\\n' + json.dumps({answer}))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_the_tables_of_the_door_agree():
    """What runs, what type checkers read and what is public are the same names from the same
    modules.
    """
    tree = ast.parse((ROOT / "v2g_linopy" / "__init__.py").read_text(encoding="utf-8"))
    blocks = [n for n in tree.body if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.dump(n.test)]
    (block,) = blocks
    typed = {
        alias.asname or alias.name: (
            f"{n.module}.{alias.name}" if alias.asname in _RENAMED else n.module
        )
        for n in block.body
        if isinstance(n, ast.ImportFrom)
        for alias in n.names
    }
    assert typed == _HOME | _RENAMED
    assert {*v2g.__all__, "__version__"} == {*typed}
    assert len(v2g.__all__) == len({*v2g.__all__})


@pytest.mark.parametrize("name", v2g.__all__)
def test_every_public_name_is_found_and_listed(name):
    found = getattr(v2g, name)
    module = getattr(found, "__module__", None) or getattr(found, "__name__", None)
    assert module is None or module.startswith(("v2g_linopy.", "builtins", "types"))
    assert name in dir(v2g)


def test_the_server_loads_no_numbers():
    """What `v2g serve` needs: no array, no NetCDF library, and not the command's other modules."""
    server = "import v2g_linopy.cli.serve, v2g_linopy.service.server"
    loaded = {name.partition(".")[0] for name in fresh(server, answer="sorted(sys.modules)")}
    assert sorted(loaded & (HEAVY | {"netCDF4"})) == ["pydantic"]


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError, match="has no attribute 'sovle'"):
        v2g.sovle  # noqa: B018


def test_the_door_loads_nothing():
    loaded = fresh("import v2g_linopy", answer="sorted(sys.modules)")
    assert not HEAVY & {*loaded}
    own = [name for name in loaded if name.startswith("v2g_linopy")]
    assert own == ["v2g_linopy"]


CLASHES = sorted(name for name in v2g.__all__ if (ROOT / "v2g_linopy" / name).is_dir())
ROOMS = {  # a module of the room, one of its functions, and another room that needs it
    "solve": ("blocks", "solve.solve import build", "study.ladder"),
    "flexibility": ("shares", "flexibility.exchange import aggregate", "cli.vpp"),
}


def orders(room: str) -> dict[str, str]:
    """Ways to import a room, and the function of the same name."""
    module, function, other = ROOMS[room]
    itself = f"import v2g_linopy as v2g\n{room} = v2g.{room}"
    return {
        "the function first": f"from v2g_linopy import {room}\nimport v2g_linopy.{room}.{module}",
        "the room first": f"import v2g_linopy.{room}.{module}\nfrom v2g_linopy import {room}",
        "the room alone": f"import v2g_linopy.{room}\n{room} = v2g_linopy.{room}",
        "a module of the room": (
            f"from v2g_linopy.{room} import {module}\nfrom v2g_linopy import {room}"
        ),
        "a function of the room": f"from v2g_linopy.{function}\n{itself}",
        "another room that needs it": f"import v2g_linopy.{other}\n{itself}",
        "everything": "from v2g_linopy import *",
    }


def test_the_names_that_a_room_and_a_function_share():
    assert sorted(ROOMS) == CLASHES, "add the orders of imports of the new one"


@pytest.mark.parametrize("room", ROOMS)
def test_a_function_keeps_its_name_beside_its_room(room):
    """`v2g.solve` is the function, and modules of the room `solve` can be imported, in any order:
    each order is tried with the package not yet loaded.
    """
    ways, module = orders(room), ROOMS[room][0]
    lines = f"""
        import sys
        found = {{}}
        for order, imports in {ways!r}.items():
            for name in [name for name in sys.modules if name.startswith("v2g_linopy")]:
                del sys.modules[name]
            names = {{}}
            exec(imports + "\\nimport v2g_linopy", names)
            exec("from v2g_linopy.{room} import {module}", names)
            there = names["{module}"], names["v2g_linopy"].{room}, names["{room}"]
            found[order] = [type(x).__name__ for x in there]
    """
    found = fresh(textwrap.dedent(lines), answer="found")
    assert found == dict.fromkeys(ways, ["module", "function", "function"])


PLOTS = {
    "xarray first": "import xarray\nimport v2g_linopy",
    "a public name": "import v2g_linopy as v2g\nv2g.read",
    "a module of a room": "from v2g_linopy.case.io import read",
}


@pytest.mark.parametrize("way", PLOTS)
def test_results_have_figures_however_the_package_is_entered(way):
    """And neither the report nor matplotlib is loaded for it."""
    lines = f"import warnings\nwarnings.simplefilter('error')\n{PLOTS[way]}\nimport xarray, sys"
    loaded = "[n in sys.modules for n in ('matplotlib', 'v2g_linopy.report.figures.accessor')]"
    answer = f"[xarray.DataTree.plot.__module__, {loaded}]"
    assert fresh(lines, answer=answer) == ["v2g_linopy", [False, False]]


def test_figures_are_those_of_the_report():
    import xarray as xr

    from v2g_linopy.report.figures.accessor import ResultPlots

    assert isinstance(xr.DataTree().plot, ResultPlots)
