"""The lines of the README in a notebook: a real kernel, run twice, as people do."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import xarray as xr
from jupyter_client.manager import start_new_kernel

import v2g_linopy as v2g

ROOT = Path(__file__).parents[1]
LINES = re.search(
    r"## The same in Python\n+```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.S
)[1].replace("vehicles=6, days=7", "vehicles=2, days=1")


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    """A kernel of this Python in a folder of its own; what is printed by C comes in as well."""
    folder = tmp_path_factory.mktemp("notebook")
    manager, client = start_new_kernel(cwd=str(folder), startup_timeout=60)
    yield client, folder
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def output_of(client: Any, code: str) -> list[tuple[str, str]]:
    """Run a cell; what it shows, as pairs of its kind and its text."""
    shown = []

    def keep(message: dict[str, Any]) -> None:
        content = message["content"]
        if message["msg_type"] == "stream":
            shown.append((content["name"], content["text"]))
        elif message["msg_type"] in ("execute_result", "error"):
            shown.append((message["msg_type"], str(content.get("data", content))))

    client.execute_interactive(code, output_hook=keep, timeout=120)
    return shown


def test_the_lines_of_the_readme_run_twice(kernel):
    """Each time the ladder is printed and nothing else: no banner of the solver, no warning, and no
    refusal of the file that the first run has left.
    """
    client, folder = kernel
    assert "days=1" in LINES and len(LINES.splitlines()) == 6
    first, second = ("".join(t for _, t in output_of(client, LINES)) for _ in range(2))
    assert first == second
    rungs = [line.split()[0] for line in first.splitlines()[1:-1]]
    told = ["unmanaged", "smart", "V2G", "smart", "V2G", "calls", "all", "operated", "known"]
    assert rungs == told, first
    assert v2g.read(folder / "result.nc").attrs["status"] == "optimal"
    # a notebook shows the last line: the result as a page, with its groups
    ((kind, page),) = output_of(client, "result")
    assert kind == "execute_result" and "xr-section-summary" in page and "ladder" in page


def test_every_group_of_a_file_has_its_time_stamps(kernel):
    """A group that is opened alone says when its steps are; the tree that is read is as before."""
    _, folder = kernel
    tree = v2g.read(folder / "result.nc")
    time = tree.to_dataset().indexes["time"]
    assert {"fleet", "energy", "ledger", "price", "dual", "audit"} <= set(tree.children)
    for name, group in tree.children.items():
        assert group.to_dataset().indexes["time"].equals(time)
        with xr.open_dataset(folder / "result.nc", group=name, engine="netcdf4") as alone:
            assert alone.indexes["time"].equals(time), name


def test_a_library_call_prints_nothing():
    """In a process of its own, as HiGHS prints its banner once in each: linear, with binaries, and
    with no plan, which asks HiGHS for the rows that contradict each other.
    """
    code = """if True:
        import v2g_linopy as v2g
        case = v2g.commuters(vehicles=1, days=1)
        v2g.solve(case)
        v2g.solve(case, complementarity="milp")
        fleet = case["fleet"].to_dataset()
        case["fleet"] = fleet.assign(charge_max=0.01 * fleet.charge_max, unserved_cost=float("nan"))
        try:
            v2g.solve(case)
        except v2g.Infeasible:
            raise SystemExit(7)
    """
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (7, "", "")
