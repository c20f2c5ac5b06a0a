"""One case of a study: read, changed, run, and kept as two files.

NAME.nc is the result, NAME.json its key figures; each is written beside and renamed, the second
last. A case whose NAME.json says the same as what is asked is done."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import xarray as xr

from ..case.io import atomic, read, write
from ..case.version import package_version
from ..data.case_changes import with_changes
from ..delivery.activation_signals import random_signals
from ..delivery.call_states import CALLS
from ..delivery.stress_test import stress
from ..errors import (
    Interrupted,
    OutputError,
    SolveError,
    SolverError,
    V2GError,
)
from ..operate.simulate import simulate
from ..report.result_view import ResultView
from ..report.tables import kpi
from ..solve.solve import solve
from ..solve.verification import verify
from ..study.ladder import compare
from ..study.wear import with_wear
from .resolvable_case import ResolvableCase
from .study_file import Point, Study

ONE_THREAD = {"threads": 1}
"""Cases share the cores of a machine, and no result may depend on how many it has."""
WORK: dict[str, Callable[..., xr.DataTree]] = {
    "solve": solve,
    "compare": compare,
    "simulate": simulate,
}
NO_FIGURES = ("run", "horizon")
"""Of the key figures: what says how a result was found, and not what was found."""


@dataclass(frozen=True)
class Outcome:
    """How a case ended.

    Parameters
    ----------
    name : str
        The name of its files.
    status : str
        ``optimal``, a status of a solver that stopped early, ``infeasible``, ``invalid input``, or
        ``failed``.
    message : str
        What was wrong; empty where there is a result.
    seconds : float
        CPU time it took.
    """

    name: str
    status: str
    message: str = ""
    seconds: float = 0.0

    @property
    def has_result(self) -> bool:
        """Whether there is a plan to read."""
        return not self.message


def run_point(point: Point, study: Study, folder: Path) -> Outcome:
    """Run one case of a study and keep it in a folder.

    Parameters
    ----------
    point : Point
        The case.
    study : Study
        What is done with it.
    folder : Path
        Where its files will stand.

    Returns
    -------
    Outcome
        How it ended. What is wrong with this case alone is told in it, and raises nothing.

    Raises
    ------
    OutputError
        Its files cannot be written.
    """
    start = time.process_time()
    figures, currency = dict[str, float](), ""
    try:
        result = _result(point, study)
        figures, currency = key_figures(result), str(result.attrs.get("currency", "EUR"))
        status, message = str(result.attrs["status"]), ""
        write(result, folder / f"{point.name}.nc", overwrite=True)
    except (OutputError, Interrupted):  # the disk or the user, not the case
        raise
    except SolverError as error:
        status, message = "failed", str(error)
    except SolveError as error:
        status, message = error.status, str(error)
    except V2GError as error:
        status, message = "invalid input", str(error)
    outcome = Outcome(point.name, status, message, time.process_time() - start)
    document = asdict(outcome) | {
        "case": str(point.case),
        "changes": dict(point.changes),
        "asked": asked(point, study),
        "version": package_version(),
        "currency": currency,
        "figures": figures,
    }
    with atomic(folder / f"{point.name}.json", overwrite=True) as path:
        text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False, default=str)
        path.write_text(text + "\n", encoding="utf-8")
    return outcome


def _result(point: Point, study: Study) -> xr.DataTree:
    """The result of a case, with the wear of its batteries counted."""
    stamp = point.case.stat() if point.case.exists() else None
    case = _base_case(str(point.case), None if stamp is None else stamp.st_mtime_ns)
    if study.command == "replay":
        return recomputed(case, **study.options)
    options, solver = dict(study.options), dict(study.solver)
    tell_calls = CALLS[str(options.pop("calls", "given"))]
    arguments = {"solver" if name == "name" else name: value for name, value in solver.items()}
    if arguments.get("solver", "highs") == "highs":
        arguments["options"] = ONE_THREAD | dict(arguments.get("options", {}))
    changed = with_changes(case, point.changes)
    told = changed if tell_calls is None else tell_calls(changed)
    if study.in_place:
        standing = _standing(str(point.case), None if stamp is None else stamp.st_mtime_ns, study)
        plan = standing.plan(told)
        if plan is not None:
            return with_wear(plan.result(told))
    return with_wear(WORK[study.command](told, **options, **arguments))


def recomputed(
    result: xr.DataTree, *, random: int = 0, seed: int = 0, price: float = 0.0
) -> xr.DataTree:
    """Recompute a written result, and follow signals that call its reserves.

    Parameters
    ----------
    result : xarray.DataTree
        A result, as read from its file.
    random : int, default 0
        Admissible signals that are drawn and followed.
    seed : int, default 0
        Of the signals.
    price : float, default 0.0
        Penalty on energy called and not delivered (money per MWh).

    Returns
    -------
    xarray.DataTree
        The result with its `/audit` made anew. Attributes of it say, of the worst signal each, the
        energy not delivered and missed (kWh) and the penalty (money).

    Raises
    ------
    SchemaError
        It has no plan, or is not what it says of itself; every difference is listed.
    """
    found = verify(result)
    found.raise_for(str(result.attrs.get("title") or "the result"))
    checks = found.checks
    if random:
        followed = stress(result, random_signals(result, random, seed=seed), price=price)
        checks = checks.assign_attrs(
            signals=random,
            undelivered_kWh=float(followed.undelivered.sum("product").max()),
            missed_kWh=float(followed.missed.max()),
            penalty=float(followed.penalty.sum("product").max()),
        )
    return result.assign({"audit": xr.DataTree(checks)})


def _standing(path: str, stamp: int | None, study: Study) -> ResolvableCase:
    """The model of a case file, written once by each process."""
    solver = {
        name: study.solver[name] for name in ("gap", "complementarity") if name in study.solver
    }
    told = json.dumps([solver, dict(study.solver.get("options", {}))], sort_keys=True)
    return _standing_case(path, stamp, tuple(sorted(study.touched)), told)


@lru_cache(maxsize=2)
def _standing_case(
    path: str, stamp: int | None, touched: tuple[str, ...], told: str
) -> ResolvableCase:
    solver, options = json.loads(told)
    return ResolvableCase(_base_case(path, stamp), touched, options=ONE_THREAD | options, **solver)


@lru_cache(maxsize=4)
def _base_case(path: str, stamp: int | None) -> xr.DataTree:
    """A case file as it was at a time, read once by each process."""
    return read(path)


def key_figures(result: xr.DataTree) -> dict[str, float]:
    """The numbers of `kpi` under one name each, as ``energy.charged_kWh``.

    The profit of every rung of a ladder is ``ladder.RUNG``. Numbers only; what is missing is left
    out.
    """
    view = ResultView.of(result)
    figures = kpi(view)
    found = dict(_numbers({n: x for n, x in figures.items() if n not in NO_FIGURES}))
    found |= {f"ladder.{row['rung']}": float(row["profit"]) for row in figures["ladder"]}
    return found


def _numbers(told: Mapping[str, Any], prefix: str = "") -> list[tuple[str, float]]:
    found: list[tuple[str, float]] = []
    for name, value in told.items():
        if isinstance(value, Mapping):
            found += _numbers(value, f"{prefix}{name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found.append((f"{prefix}{name}", float(value)))
    return found


def asked(point: Point, study: Study) -> str:
    """A hash of all that the result depends on: case, changes, command, options and version."""
    told = [
        _digest(str(point.case), point.case.stat().st_mtime_ns if point.case.exists() else None),
        dict(point.changes),
        study.command,
        dict(study.options),
        dict(study.solver),
        package_version(),
        *(["in place"] if study.in_place else []),
    ]
    text = json.dumps(told, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


@lru_cache(maxsize=1024)
def _digest(path: str, stamp: int | None) -> str:
    """A hash of a case file as it was at a time."""
    return "" if stamp is None else hashlib.sha256(Path(path).read_bytes()).hexdigest()


def kept(point: Point, study: Study, folder: Path) -> dict[str, Any] | None:
    """What NAME.json says of a case, where it says it of what is asked; None where it is to be run.

    A file that cannot be read, a result that is not there, and what failed for a reason that may
    have passed are run again.
    """
    try:
        document = json.loads((folder / f"{point.name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(document, dict) or document.get("asked") != asked(point, study):
        return None
    if document.get("status") == "failed":
        return None
    if not document.get("message") and not (folder / f"{point.name}.nc").exists():
        return None
    return document
