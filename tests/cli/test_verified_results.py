"""A result that is read from a file is replayed, and a command says what it found: no sentence of
a file is repeated that is no longer true.
"""

import numpy as np
import pytest

import v2g_linopy as v2g
from v2g_linopy.solve.verification import verify


def more(group, name, by):
    """Add to every value of an array."""

    def change(result):
        data = result[group].to_dataset()
        result[group] = data.assign({name: (data[name] + by).assign_attrs(data[name].attrs)})

    return change


def attribute(name, value, group=None):
    def change(result):
        (result if group is None else result[group]).attrs[name] = value

    return change


def all_of_it(result):
    """A hundred kW more in every charge, and a profit of a million."""
    more("fleet", "charge", 100.0)(result)
    result.attrs["profit"] = 1e6


TAMPERED = {
    "a plan and a profit": (all_of_it, "fleet.limit_charge", "profit"),
    "charging": (more("fleet", "charge", 0.01), "fleet.balance"),
    "energy": (more("fleet", "energy", 1.0), "fleet.balance"),
    "a position": (more("energy", "position", 0.5), "node.electricity"),
    "the bill": (more("ledger", "energy.energy", 0.1), "energy.energy"),
    "the profit": (attribute("profit", 1e6), "profit"),
    "a profit in words": (attribute("profit", "much"), "profit"),
    "the objective": (attribute("objective", 0.0), "ledger.objective"),
    "an objective in words": (attribute("objective", "much"), "ledger.objective"),
    "no objective": (lambda result: result.attrs.pop("objective"), "ledger.objective"),
    "a profit that is none": (attribute("profit", float("nan")), "profit"),
    "no profit at all": (lambda result: result.attrs.pop("profit"), "profit"),
    "the hash": (attribute("case_hash", "0" * 16), "case_hash"),
    "a limit of the case": (more("fleet", "charge_max", 1.0), "case_hash"),
    "a price of the case": (more("energy", "price", 5.0), "case_hash", "energy.energy"),
}


@pytest.mark.parametrize("kind", TAMPERED)
def test_what_was_changed_is_found(smart_result, kind):
    change, *places = TAMPERED[kind]
    result = smart_result.copy(deep=True)
    assert verify(result).problems == ()
    change(result)
    found = {problem.where for problem in verify(result).problems}
    assert set(places) <= found, found


@pytest.fixture
def tampered_file(smart_result, tmp_path):
    result = smart_result.copy(deep=True)
    all_of_it(result)
    path = tmp_path / "tampered" / "result.nc"
    v2g.write(result, path)
    return path


@pytest.mark.parametrize(
    "words",
    [
        ("report", "{}"),
        ("bids", "{}"),
        ("explain", "{}"),
        ("explain", "{}", "--vehicle", "ev-001"),
        ("compare", "{}", "{}"),
    ],
)
def test_no_command_repeats_it(run, tampered_file, words):
    """The stored verdict still says that the audit passed."""
    assert v2g.read(tampered_file)["audit"].attrs["passed"] == 1
    result = run(*(word.format(tampered_file) for word in words))
    assert result.exit_code == 3
    assert "when replayed" in result.stderr
    assert "profit" in result.stderr and "1000000 in the file" in result.stderr
    assert not (tampered_file.parent / "report.html").exists()


def test_an_honest_file_is_said_to_be_one(run, result_file):
    """With what nobody can recompute: that no plan is better, and what a unit more is worth."""
    done = run("explain", result_file)
    assert done.exit_code == 0
    assert "result.nc was replayed: the plan keeps every limit" in done.stderr
    assert "not checked: status, mip_gap, price, dual" in done.stderr
    assert run("explain", result_file, "--quiet").stderr == ""


def test_a_number_that_is_not_there(smart_result):
    """NaN in a plan is no plan."""
    result = smart_result.copy(deep=True)
    more("fleet", "charge", np.nan)(result)
    assert verify(result).problems
