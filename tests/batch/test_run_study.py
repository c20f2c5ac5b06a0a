"""A study is run: every case is two files, what is there is done, and a killed worker loses
nothing.
"""

import json
import multiprocessing
import os
import signal
import threading
import time

import numpy as np
import pytest
import xarray as xr
from cases import case, market, vehicle

import v2g_linopy as v2g
from v2g_linopy.batch import run_study, workers
from v2g_linopy.batch.run_case import Outcome
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
    """Also where one of two is killed at once, and where they are workers of dask."""
    alone = v2g.run_study(study(), tmp_path / "alone")

    def kill_one():
        while not (children := multiprocessing.active_children()):
            time.sleep(0.005)
        os.kill(children[0].pid, signal.SIGKILL)

    killer = threading.Thread(target=kill_one, daemon=True)
    killer.start()
    beside = v2g.run_study(study(), tmp_path / "beside", jobs=2)
    killer.join()
    xr.testing.assert_identical(without_seconds(beside.found), without_seconds(alone.found))
    cluster = v2g.run_study(study(), tmp_path / "cluster", jobs=2, executor="dask")
    xr.testing.assert_identical(without_seconds(cluster.found), without_seconds(alone.found))
    one, other = (
        v2g.read(tmp_path / folder / f"{alone.found['name'].values[0, 1]}.nc")
        for folder in ("alone", "cluster")
    )
    xr.testing.assert_identical(one["fleet"].to_dataset(), other["fleet"].to_dataset())


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
