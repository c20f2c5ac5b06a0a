"""Rounds of two levels are kept, and a run goes on from them."""

import shutil

import numpy as np
import pytest
from cases import case, engine, market, storage
from pytest import approx

import v2g_linopy as v2g
from v2g_linopy.errors import InputFileError
from v2g_linopy.solve.decompose.kept_rounds import KeptRounds, rounds_in
from v2g_linopy.solve.decompose.message import Message
from v2g_linopy.solve.decompose.plans import Plan
from v2g_linopy.solve.decompose.pool import LocalSites


def group(limit=7.0):
    """Two batteries and a roof behind one small market: a few rounds."""
    boxes = {
        "hall": storage(energy_initial=5.0, wear=0.01, pod="hall"),
        "yard": storage(energy_initial=2.0, wear=0.02, charge_max=6.0, pod="yard"),
    }
    roof = {"available": [4.0, 8.0, 2.0], "pod": "roof"}
    return case(None, market([30.0, 10.0, 60.0], limit=limit), battery=boxes, renewable=roof)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """The folder of a run that came to its end, and what it found."""
    folder = tmp_path_factory.mktemp("run") / "rounds"
    return folder, v2g.solve(group(), method="sites", checkpoint=folder)


@pytest.fixture
def asked(monkeypatch):
    """How often the sites are asked."""
    counted = []
    answer = LocalSites.plans
    monkeypatch.setattr(
        LocalSites, "plans", lambda sites, told: counted.append(told.round) or answer(sites, told)
    )
    return counted


def test_every_round_is_kept(done):
    """A file for each, and the same plan as without them."""
    folder, result = done
    assert len(rounds_in(folder)) == result.attrs["rounds"] >= 3
    alone = v2g.solve(group(), method="sites")
    assert alone.attrs["objective"] == result.attrs["objective"]
    assert alone.attrs["objective"] == approx(v2g.solve(group()).attrs["objective"], rel=1e-6)


def test_a_run_goes_on_from_what_is_kept(done, asked, tmp_path):
    """After two rounds the sites are asked for the others alone, and the value is the same; after
    all of them nobody is asked. A file that was being written counts for nothing.
    """
    folder, result = done
    rounds = result.attrs["rounds"]
    shutil.copytree(folder, tmp_path / "cut")
    for path in rounds_in(tmp_path / "cut")[2:]:
        path.rename(path.with_suffix(".half"))
    again = v2g.solve(group(), method="sites", checkpoint=tmp_path / "cut")
    assert len(asked) == again.attrs["rounds"] - 2
    assert again.attrs["objective"] == approx(result.attrs["objective"], rel=1e-6)
    asked.clear()
    last = v2g.solve(group(), method="sites", checkpoint=folder)
    assert asked == [] and last.attrs["rounds"] == rounds
    assert last.attrs["objective"] == result.attrs["objective"]


def test_a_round_is_read_as_it_was(tmp_path):
    """Prices and plans to the bit, decisions in whole numbers of the sites that have them."""
    steps = np.array([0.1, -1 / 3, 2e-9])
    told = Message(steps, np.array([steps]), np.array([2 * steps]), 7)
    plans = [
        Plan("hall", steps, np.array([3 * steps]), -1 / 7, 0.3, 7, True, np.array([1.0, 0.0])),
        Plan("007", 2 * steps, np.zeros((1, 3)), 0.0, np.inf, 7),
    ]
    kept = KeptRounds(tmp_path, "case")
    kept.save(0, told, plans)
    ((message, read),) = kept.restore()
    assert message.round == 7 and all(
        np.array_equal(getattr(message, n), getattr(told, n))
        for n in ("power", "held", "held_supplied")
    )
    for one, other in zip(read, plans, strict=True):
        assert (one.pod, one.own, one.value, one.whole) == (
            *(other.pod, other.own, other.value, other.whole),
        )
        assert np.array_equal(one.traded, other.traded) and np.array_equal(one.held, other.held)
    assert read[0].levels.tolist() == [1.0, 0.0] and read[1].levels is None


def test_decisions_in_whole_numbers_go_on(tmp_path):
    """An engine that runs at 6 to 10 kW or not at all, beside a roof: after an interruption the
    same plan and the same bound as without.
    """
    hall = engine(power_min=6.0, eta_power=0.5, fuel_price=30.0, pod="hall", dump_max=10.0)
    roof = {"available": [10.0], "cost": 0.05, "pod": "roof"}
    tree = case(None, market([100.0], limit=12.0), renewable=roof, chp=hall)
    whole = v2g.solve(tree, method="sites", checkpoint=tmp_path)
    for path in rounds_in(tmp_path)[1:]:
        path.unlink()
    again = v2g.solve(tree, method="sites", checkpoint=tmp_path)
    for name in ("objective", "bound", "certified_gap"):
        assert again.attrs[name] == approx(whole.attrs[name])


def test_rounds_of_another_case_are_refused(done):
    """A market of 8 kW in place of 7: nothing goes on from there."""
    with pytest.raises(v2g.SchemaError, match="the case has changed"):
        v2g.solve(group(8.0), method="sites", checkpoint=done[0])


def test_a_round_that_is_none_is_refused(done, tmp_path):
    """A file in the place of another is named, with what to do."""
    shutil.copytree(done[0], tmp_path / "cut")
    paths = rounds_in(tmp_path / "cut")
    shutil.copy(paths[1], paths[0])
    with pytest.raises(InputFileError, match="is not round 0 of the run"):
        v2g.solve(group(), method="sites", checkpoint=tmp_path / "cut")


def test_rounds_are_of_two_levels():
    """One model has no rounds to keep."""
    with pytest.raises(v2g.SchemaError, match="of use only with the method sites"):
        v2g.solve(group(), checkpoint="rounds")
