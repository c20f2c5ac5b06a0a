"""A study is run: every case is two files, what is there is done, and a killed worker loses
nothing.
"""

import json
import multiprocessing
import os
import random
import signal
import threading
import time

import numpy as np
import pytest
import xarray as xr
from cases import case, market, product, vehicle
from hypothesis import settings

import v2g_linopy as v2g
from v2g_linopy.batch import run_case, run_study, workers
from v2g_linopy.batch.run_case import Outcome
from v2g_linopy.batch.study_file import solved_in_place
from v2g_linopy.batch.workers import DaskWorkers, LocalWorkers

STUDY = """
case = "car.nc"
[grid]
"energy.price.scale" = [1.0, 2.0]
"fleet.energy_min" = [{needs}]
"""


def car(path):
    """A car that has to leave with some energy; the first of two hours is the cheaper one."""
    tree = case({"ev": vehicle(energy_min=[0.0, 0.0], unserved_cost=np.nan)}, market([20.0, 30.0]))
    v2g.write(tree, path)


@pytest.fixture
def study(tmp_path):
    """Four cases: prices as they are and doubled, a need of 0 and of 10 kWh."""
    car(tmp_path / "car.nc")

    def read(needs="0.0, 10.0", more=""):
        (tmp_path / "study.toml").write_text(STUDY.replace("{needs}", needs) + more)
        return v2g.read_study(tmp_path / "study.toml")

    return read


def without_seconds(found: xr.Dataset) -> xr.Dataset:
    return found.drop_vars("seconds")


def test_key_figures_stand_on_the_grid(study, tmp_path):
    """10 kWh in the hour of 20 EUR/MWh cost 0.2 EUR, and 0.4 EUR at twice the price."""
    run = v2g.run_study(study(), tmp_path / "out")
    assert run.failed == 0 and run.before == 0 and run.ended == {"optimal": 4}
    found = v2g.open_study(tmp_path / "out")
    assert found.profit.dims == ("energy.price.scale", "fleet.energy_min")
    np.testing.assert_allclose(found.profit, [[0.0, -0.2], [0.0, -0.4]], atol=1e-9)
    np.testing.assert_allclose(found["energy.charged_kWh"], [[0.0, 10.0]] * 2, atol=1e-9)
    assert found.attrs["currency"] == "EUR"
    name = str(found["name"].sel({"energy.price.scale": 2.0, "fleet.energy_min": 10.0}).item())
    result = v2g.read(tmp_path / "out" / f"{name}.nc")
    assert result.attrs["profit"] == pytest.approx(-0.4)
    document = json.loads((tmp_path / "out" / f"{name}.json").read_text())
    assert document["status"] == "optimal" and document["version"] == v2g.__version__
    assert document["changes"] == {"energy.price.scale": 2.0, "fleet.energy_min": 10.0}
    assert document["figures"]["profit"] == pytest.approx(-0.4)
    rows = (tmp_path / "out" / "study.csv").read_text().splitlines()
    wanted = [row for row in rows if row.startswith("2.0,10.0,") and ",profit," in row]
    assert len(wanted) == 1 and float(wanted[0].split(",")[-1]) == pytest.approx(-0.4)


def test_what_is_done_is_not_run_again(study, tmp_path):
    folder, said = tmp_path / "out", list[str]()

    def run(needs="10.0"):
        said.clear()
        return v2g.run_study(study(needs), folder, progress=lambda o, *_: said.append(o.name))

    first = run()
    again = run()
    assert not said and again.before == 2
    xr.testing.assert_identical(again.found, first.found)

    one, other = first.found["name"].values.ravel()
    (folder / f"{one}.json").write_text("{")  # a file that was cut
    assert run().before == 1 and said == [one]
    (folder / f"{other}.nc").unlink()
    assert run().before == 1 and said == [other]
    grown = run("5.0, 10.0")
    assert len(said) == 2 and grown.found.profit.shape == (2, 2)

    tree = v2g.read(tmp_path / "car.nc")
    dearer = tree["energy"].to_dataset().assign(price=("time", [10.0, 30.0]))
    tree["energy"] = xr.DataTree(dearer)
    v2g.write(tree, tmp_path / "car.nc", overwrite=True)
    changed = run()
    assert sorted(said) == sorted([one, other]), "another case file is another result"
    np.testing.assert_allclose(changed.found.profit, [[-0.1], [-0.2]], atol=1e-9)


def test_a_case_without_a_plan_is_a_row(study, tmp_path):
    """30 kWh cannot be had in two hours of 10 kW; 50 kWh are more than a battery of 40 holds."""
    run = v2g.run_study(study("10.0, 30.0, 50.0"), tmp_path / "out")
    assert run.failed == 4
    assert run.ended == {"optimal": 2, "infeasible": 2, "invalid input": 2}
    worst = run.found.isel({"energy.price.scale": 0})
    assert "30 kWh" in str(worst["message"][1].item()) or "needs" in str(worst["message"][1].item())
    assert "more than energy_max" in str(worst["message"][2].item())
    assert np.isnan(worst.profit.values[1:]).all() and worst.profit[0] == pytest.approx(-0.2)
    said: list[Outcome] = []
    v2g.run_study(
        study("10.0, 30.0, 50.0"), tmp_path / "out", progress=lambda o, *_: said.append(o)
    )
    assert not said, "it would have no plan the next time either"


def test_workers_find_what_one_process_finds(study, tmp_path):
    """In processes of this machine, and in workers of dask; every array is the same, too."""
    alone = v2g.run_study(study(), tmp_path / "alone")
    for executor, jobs in (("local", 3), ("dask", 2)):
        folder = tmp_path / executor
        run = v2g.run_study(study(), folder, jobs=jobs, executor=executor)
        xr.testing.assert_identical(without_seconds(run.found), without_seconds(alone.found))
        for name in alone.found["name"].values.ravel():
            one, other = (v2g.read(place / f"{name}.nc") for place in (tmp_path / "alone", folder))
            assert set(one.children) == set(other.children)
            for group in one.children:
                xr.testing.assert_identical(one[group].to_dataset(), other[group].to_dataset())


def test_a_killed_worker_loses_nothing(study, tmp_path):
    """One of two is killed, at once or later: another runs its case, each case is told once, and
    the study is that of the undisturbed run.
    """
    kills, rng = 10 if settings().max_examples >= 100 else 1, random.Random(7)
    begin = time.perf_counter()
    whole = v2g.run_study(study(), tmp_path / "whole", jobs=2)
    seconds = time.perf_counter() - begin
    for k in range(kills):
        moment, killed = rng.random() * seconds * 0.8 if k else 0.0, []

        def kill_one(moment=moment, killed=killed):
            time.sleep(moment)
            while not (children := multiprocessing.active_children()):
                time.sleep(0.005)
            killed.append(children[rng.randrange(len(children))].pid)
            os.kill(killed[0], signal.SIGKILL)

        killer = threading.Thread(target=kill_one, daemon=True)
        killer.start()
        told = []
        run = v2g.run_study(
            study(), tmp_path / f"cut-{k}", jobs=2, progress=lambda o, *_, told=told: told.append(o)
        )
        killer.join(timeout=seconds)
        assert len(told) == len({o.name for o in told}) == 4 and run.failed == 0
        assert killed or killer.is_alive()
        xr.testing.assert_identical(without_seconds(run.found), without_seconds(whole.found))


def test_cases_are_solved_in_place(study, tmp_path):
    """The same profits, each plan replayed; one case of them cannot be kept. What was solved alone
    is another result, and so are other options of the solver.
    """
    asked = study("0.0, 10.0, 30.0")
    alone = v2g.run_study(asked, tmp_path / "out")
    said = []
    run = v2g.run_study(
        solved_in_place(asked), tmp_path / "out", progress=lambda o, *_: said.append(o.name)
    )
    assert len(said) == 6 and run.ended == alone.ended == {"optimal": 4, "infeasible": 2}
    np.testing.assert_allclose(run.found.profit, alone.found.profit, rtol=1e-9, atol=1e-9)
    result = v2g.read(tmp_path / "out" / f"{said[0]}.nc")
    assert result["audit"].attrs["passed"] == 1 and "wear" in result.children
    assert v2g.run_study(solved_in_place(asked), tmp_path / "out").before == 6


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("[solver]\ntime_limit = 3", "is of separate solves"),
        ("[solver]\ncomplementarity = 'milp'", "lazy finds the same"),
        ("[options]\nmethod = 'sites'", "in place a case is one model"),
    ],
)
def test_what_is_not_solved_in_place_is_said(study, more, told):
    with pytest.raises(v2g.SchemaError, match=told):
        solved_in_place(study(more=more))


def test_results_are_replayed(study, tmp_path):
    """A plan that is as it was written passes; one whose profit somebody has changed is a row that
    says so. A study of replays follows signals as well.
    """
    sold = case(
        {"ev": vehicle(discharge_max=10.0, energy_initial=20.0, energy_min=[0.0, 0.0])},
        market([20.0, 30.0]),
        {"up": product(up=1, capacity_price=5.0, volume_max=4.0, hours_up=1.0)},
    )
    good = v2g.solve(sold)
    v2g.write(good, tmp_path / "good.nc")
    good.attrs["profit"] = 99.0
    v2g.write(good, tmp_path / "bad.nc")
    text = "case = ['good.nc', 'bad.nc']\ncommand = 'replay'\n[options]\nrandom = 3\nprice = 500"
    (tmp_path / "replay.toml").write_text(text)
    run = v2g.run_study(v2g.read_study(tmp_path / "replay.toml"), tmp_path / "out")
    assert run.found["status"].values.tolist() == ["optimal", "invalid input"]
    assert "profit" in str(run.found["message"][1].item())
    assert run.found["audit.signals"][0] == 3 and run.found["audit.passed"][0] == 1
    assert float(run.found["audit.missed_kWh"][0]) == 0.0


def test_an_interrupt_and_a_full_disk_end_the_study(study, tmp_path, monkeypatch):
    """They are no fault of a case: nothing is written of it, and the next run solves it."""

    def interrupted(*args, **options):
        raise v2g.Interrupted("stopped")

    def full(*args, **options):
        raise v2g.OutputError("No space left on device")

    for target, error in (("solve", v2g.Interrupted), ("write", v2g.OutputError)):
        with monkeypatch.context() as broken:
            fault = interrupted if target == "solve" else full
            if target == "solve":
                broken.setitem(run_case.WORK, "solve", fault)
            else:
                broken.setattr(run_case, "write", fault)
            with pytest.raises(error):
                v2g.run_study(study(), tmp_path / "out")
        assert {p.name for p in (tmp_path / "out").iterdir()} == {"cases.csv"}
    assert v2g.run_study(study(), tmp_path / "out").ended == {"optimal": 4}


def test_a_case_that_kills_every_worker_is_told(study, tmp_path, monkeypatch):
    """The worker of one case ends itself: the case is given up, and the others are not."""
    asked = study()
    monkeypatch.setattr(workers, "MOST_DEATHS", 1)
    monkeypatch.setattr(run_study, "LocalWorkers", lambda jobs: LocalWorkers(1, serve=_deadly))
    run = v2g.run_study(asked, tmp_path / "out", jobs=2)
    assert run.ended == {"failed": 1, "optimal": 3}
    message = str(run.found["message"].values[0, 0])
    assert message == "its worker died 1 time"
    monkeypatch.undo()
    assert v2g.run_study(asked, tmp_path / "out").ended == {"optimal": 4}, "it is tried again"


def _deadly(end, study, folder):
    """A worker that dies at the first case of the grid."""
    from v2g_linopy.batch.run_case import run_point

    while True:
        point = end.recv()
        if dict(point.changes) == {"energy.price.scale": 1.0, "fleet.energy_min": 0.0}:
            os._exit(9)
        end.send(run_point(point, study, folder))


def test_other_folders_are_left_alone(study, tmp_path, monkeypatch):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "thesis.txt").write_text("years of work")
    with pytest.raises(v2g.OutputError, match="holds other files"):
        v2g.run_study(study(), folder)
    assert [p.name for p in folder.iterdir()] == ["thesis.txt"]
    monkeypatch.setattr(workers, "PATIENCE", 0.5)
    with pytest.raises(v2g.V2GError, match="no scheduler of dask at"):
        DaskWorkers(1, "tcp://127.0.0.1:1")
    with pytest.raises(v2g.SchemaError, match="does not exist"):
        v2g.open_study(tmp_path / "nowhere")
