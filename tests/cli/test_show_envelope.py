"""The box of two plans of every site, by command."""

import pytest
from cases import case, market, storage

import v2g_linopy as v2g


@pytest.mark.parametrize("name", ["e.csv", "e.png", "e.svg"])
def test_the_command_writes_a_table_or_a_picture(run, tmp_path, name):
    """`v2g vpp envelope` says how many kWh cannot be delivered, and writes what is asked for."""
    box = storage(energy_initial=5.0, eta_charge=1.0, eta_discharge=1.0, pod="hall")
    tree = case(None, market([10.0, 20.0]), battery=box, renewable={"available": [4.0, 2.0]})
    v2g.write(tree, tmp_path / "case.nc")
    done = run("vpp", "envelope", tmp_path / "case.nc", "-o", tmp_path / name)
    assert done.exit_code == 0, done.output
    assert "cannot be delivered" in " ".join(done.stdout.split())
    assert (tmp_path / name).stat().st_size > 100
