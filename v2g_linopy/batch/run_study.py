"""A study from its file to its tables: what is there is done, what is missing is run, and all of it
is put together."""

import csv
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..case.io import atomic, existing
from ..errors import InputFileError, OutputError
from .run_case import Outcome, kept
from .study_file import Point, Study
from .workers import DaskWorkers, LocalWorkers, Run, in_this_process

TABLE, DATASET, CASES = "study.csv", "study.nc", "cases.csv"
EXECUTORS = ("local", "dask")
ABOUT = ("name", "status", "message", "seconds")


@dataclass(frozen=True)
class StudyRun:
    """What came of a study.

    Parameters
    ----------
    found : xarray.Dataset
        Key figures on the dimensions of the study.
    before : int
        Cases that were done before.
    ended : mapping
        How many cases ended how, those of before among them.
    """

    found: xr.Dataset
    before: int
    ended: Counter[str]

    @property
    def failed(self) -> int:
        """Cases without a result."""
        return int((self.found["message"] != "").sum())


def table_of(study: Study) -> pd.DataFrame:
    """The cases of a study, a row each: name, file, place and changes.

    Parameters
    ----------
    study : Study
        The study.

    Returns
    -------
    pandas.DataFrame
        ``name``, ``file``, a column for each dimension, and one for each target that is changed.
    """
    rows: list[dict[str, Any]] = [
        {"name": point.name, "file": str(point.case), **point.place, **point.changes}
        for point in study.points()
    ]
    return pd.DataFrame(rows)


def run_study(
    study: Study,
    folder: str | Path,
    *,
    jobs: int = 1,
    executor: str = "local",
    address: str | None = None,
    progress: Callable[[Outcome, int, int], None] = lambda outcome, done, of: None,
) -> StudyRun:
    """Run every case of a study that is not done, and put all of them together.

    A case that ran keeps NAME.nc and NAME.json in the folder, so that a study that was stopped goes
    on where it was. At the end stand ``study.nc``, ``study.csv`` and ``cases.csv``.

    Parameters
    ----------
    study : Study
        What is asked for, as of `read_study`.
    folder : str or Path
        Where the files stand; it is made.
    jobs : int, default 1
        Cases that are run at once.
    executor : {"local", "dask"}
        Processes of this machine, or workers of dask.
    address : str, optional
        Of the scheduler of dask; without one a cluster is made on this machine.
    progress : callable
        Is told how a case ended, how many are done, and of how many.

    Returns
    -------
    StudyRun
        Key figures, and how the cases ended.

    Raises
    ------
    OutputError
        The folder holds other files, or cannot be written.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> from pathlib import Path
    >>> v2g.write(v2g.commuters(vehicles=1, days=1), "three.nc")
    >>> _ = Path("three.toml").write_text('case = "three.nc"\\n')
    >>> study = v2g.read_study("three.toml")
    >>> v2g.run_study(study, "three").failed
    0
    >>> v2g.run_study(study, "three").before
    1
    """
    folder = Path(folder)
    points = list(study.points())
    _make_folder(folder, study)
    missing = [p for p in {p.name: p for p in points}.values() if kept(p, study, folder) is None]
    before = len({p.name for p in points}) - len(missing)
    run: Run = in_this_process
    if missing and executor == "dask":
        run = DaskWorkers(jobs, address)
    elif jobs > 1:
        run = LocalWorkers(jobs)
    given_up: dict[str, Outcome] = {}
    for number, outcome in enumerate(run(missing, study, folder), start=before + 1):
        if outcome.status == "failed":  # its worker died, or it is to be tried again
            given_up[outcome.name] = outcome
        progress(outcome, number, before + len(missing))
    found = collected(study, folder, given_up)
    write_study(found, folder)
    ended = Counter(map(str, found["status"].values.ravel()))
    return StudyRun(found, before, ended)


def run_one(study: Study, folder: str | Path, index: int) -> Outcome | None:
    """Run the case at a place in a study, for array jobs; None where it is done already.

    Parameters
    ----------
    study : Study
        The study.
    folder : str or Path
        Where its files stand.
    index : int
        Number of the case, from 0.

    Raises
    ------
    OutputError
        The folder holds other files, or cannot be written.
    IndexError
        There is no such case.
    """
    folder, points = Path(folder), list(study.points())
    if not 0 <= index < len(points):
        raise IndexError(f"there is no case {index}; the study has {len(points)}, from 0")
    _make_folder(folder, study)
    point = points[index]
    if kept(point, study, folder) is not None:
        return None
    return next(in_this_process([point], study, folder))


def _make_folder(folder: Path, study: Study) -> None:
    """Make the folder, and write what its cases are; one with other files is left alone."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        others = any(folder.iterdir()) and not (folder / CASES).exists()
    except OSError as error:
        raise OutputError(f"{folder} cannot be written: {error.strerror}") from error
    if others:
        raise OutputError(f"{folder} holds other files than those of a study; give another folder")
    with atomic(folder / CASES, overwrite=True) as path:
        table_of(study).to_csv(path, index=False)


def collected(study: Study, folder: Path, given_up: dict[str, Outcome] | None = None) -> xr.Dataset:
    """Key figures of every case of a study, on its dimensions.

    A case that is not done has the status ``missing``.
    """
    dims = study.dims
    shape = tuple(map(len, dims.values()))
    points = list(study.points())
    about = {name: np.full(len(points), "", dtype=object) for name in ("name", "status", "message")}
    seconds, figures = np.full(len(points), np.nan), dict[str, np.ndarray]()
    currencies = set[str]()
    for k, point in enumerate(points):
        document = _ended(point, study, folder, given_up or {})
        about["name"][k] = point.name
        about["status"][k], about["message"][k] = document["status"], document["message"]
        seconds[k] = document["seconds"]
        currencies |= {document["currency"]} - {""}
        for name, value in document["figures"].items():
            figures.setdefault(name, np.full(len(points), np.nan))[k] = value
    along = tuple(dims)
    arrays = {**about, "seconds": seconds, **dict(sorted(figures.items()))}
    data = {name: (along, values.reshape(shape)) for name, values in arrays.items()}
    found = xr.Dataset(data, coords={name: _labels(x) for name, x in dims.items()})
    for target in study.rows[0] if study.along else ():
        found = found.assign_coords({target: (study.along, [row[target] for row in study.rows])})
    found["seconds"].attrs = {"units": "s", "long_name": "CPU time of the case"}
    money = {"currency": currencies.pop()} if len(currencies) == 1 else {}
    return found.assign_attrs(title=study.title, command=study.command, **money)


def _labels(values: Sequence[Any]) -> list[Any]:
    """Labels of one kind: words where not all are numbers."""
    numbers = all(isinstance(x, int | float) for x in values)
    return list(values) if numbers else [str(x) for x in values]


def _ended(
    point: Point, study: Study, folder: Path, given_up: dict[str, Outcome]
) -> dict[str, Any]:
    """How a case ended, with its key figures."""
    document = kept(point, study, folder)
    if document is not None:
        return document
    outcome = given_up.get(point.name, Outcome(point.name, "missing", "it was not run", np.nan))
    told = {"status": outcome.status, "message": outcome.message, "seconds": outcome.seconds}
    return {**told, "figures": {}, "currency": ""}


def write_study(found: xr.Dataset, folder: Path) -> None:
    """Write the key figures of a study as ``study.nc``, and in long form as ``study.csv``."""
    with atomic(folder / DATASET, overwrite=True) as path:
        found.to_netcdf(path, engine="netcdf4")
    dims, figures = list(map(str, found.dims)), figures_of(found)
    own = [str(c) for c in found.coords if c not in found.dims]
    with (
        atomic(folder / TABLE, overwrite=True) as path,
        path.open("w", encoding="utf-8", newline="") as file,
    ):
        table = csv.writer(file)
        table.writerow([*dims, *own, *ABOUT, "figure", "value"])
        columns = [*dims, *own, *ABOUT, *figures]
        for row in _rows(found.reset_coords(own), columns):  # one by one: a study may be long
            head, values = row[: -len(figures) or None], row[len(columns) - len(figures) :]
            for name, value in zip(figures, values, strict=True):
                if not np.isnan(value):
                    table.writerow([*head, name, value])
            if row[columns.index("message")]:
                table.writerow([*head, "", ""])


def _rows(found: xr.Dataset, columns: list[str]) -> Iterable[tuple[Any, ...]]:
    """Values of some columns, a row for each case."""
    if not found.dims:
        return [tuple(found[name].item() for name in columns)]
    flat = found.to_dataframe().reset_index()[columns]
    return flat.itertuples(index=False, name=None)


def figures_of(found: xr.Dataset) -> Sequence[str]:
    """Names of the key figures of a study."""
    return [str(name) for name in found.data_vars if name not in ABOUT]


def open_study(folder: str | Path) -> xr.Dataset:
    """Open what came of a study.

    Parameters
    ----------
    folder : str or Path
        The folder of `v2g batch`, or its ``study.nc``.

    Returns
    -------
    xarray.Dataset
        Key figures on the dimensions of the study: the cases where there are several, the targets
        of the grid, and `row` or `draw`. ``status`` says how each case ended, ``message`` what was
        wrong, ``name`` which files it has, ``seconds`` the CPU time.

    Raises
    ------
    InputFileError
        There is no study.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> from pathlib import Path
    >>> v2g.write(v2g.commuters(vehicles=1, days=1), "one.nc")
    >>> text = 'case = "one.nc"\\n[grid]\\n"fleet.wear" = [0.0, 0.1]\\n'
    >>> _ = Path("wear.toml").write_text(text)
    >>> run = v2g.run_study(v2g.read_study("wear.toml"), "out")
    >>> v2g.open_study("out").profit.sizes
    Frozen({'fleet.wear': 2})
    """
    path = Path(folder)
    path = existing(path / DATASET if path.is_dir() else path)
    try:
        return xr.load_dataset(path, engine="netcdf4")
    except (OSError, ValueError) as error:
        raise InputFileError(path, f"cannot be read as a study: {error}") from None


__all__ = ["StudyRun", "collected", "open_study", "run_one", "run_study", "table_of", "write_study"]
