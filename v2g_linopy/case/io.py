"""A case or result as one `xarray.DataTree` and one NetCDF file: read, write, assemble, hash."""

import errno
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import InputFileError, OutputError, Problem, SchemaError
from .calendar import period_labels
from .checksum import ATTRIBUTE, EDITED, KEPT, NONE, checksum, is_result
from .declared_sizes import refuse_what_cannot_be_held
from .schema import Calendar
from .staging import stage_in, uninterrupted
from .version import package_version

SCHEMA_VERSION = 1
CONVENTIONS = "v2g-linopy-1"
_UNREADABLE = (
    *(OSError, RuntimeError, ValueError, KeyError, TypeError),
    AttributeError,  # an attribute is broken
    ArithmeticError,  # a time stamp is too large to be a date
)
"""What netCDF4 and xarray raise at a damaged file."""
_PROBE = 1 << 20  # bytes
_FULL = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file would be larger than this system allows (ulimit -f)",
}
_TIME = {"units": "seconds since 1970-01-01", "dtype": "int64", "calendar": "proleptic_gregorian"}


def assemble(
    time: pd.DatetimeIndex,
    groups: Mapping[str, xr.Dataset],
    *,
    timezone: str = "UTC",
    title: str = "",
    source: str = "",
    currency: str = "EUR",
    **attrs: str | int | float,
) -> xr.DataTree:
    """Put groups together into a case.

    Parameters
    ----------
    time : pandas.DatetimeIndex
        Start of each step, naive UTC, uniform. One step alone needs the attribute `step_hours` (h).
    groups : mapping of str to xarray.Dataset
        One dataset per part, named as in `PARTS` (`fleet`, `energy`, ...), or `sessions`, `gates`,
        `vintage`. Their fields, dimensions and units stand in docs/parts.
    timezone : str, default "UTC"
        IANA zone for display and for local days and months.
    title : str, default ""
        What the case is, for messages and the report.
    source : str, default ""
        Where its data come from.
    currency : str, default "EUR"
        The money in all unit strings.
    **attrs : str, int or float
        More attributes of the root, such as `step_hours` (h).

    Returns
    -------
    xarray.DataTree
        The case: `time` and the attributes at its root, each group as a node below.

    Raises
    ------
    SchemaError
        `time` holds no time stamps, or a group has others.

    Examples
    --------
    A car at a 10 kW charger needs 20 kWh by the end of four hours. What is not given is assumed,
    and `check` says so; a missing `units` attribute is read as the unit that is declared:

    >>> import pandas as pd
    >>> import xarray as xr
    >>> import v2g_linopy as v2g
    >>> time = pd.date_range("2026-03-02", periods=4, freq="h")
    >>> need = ("time", [0.0, 0.0, 0.0, 20.0])
    >>> car = {"charge_max": 10.0, "energy_max": 40.0, "energy_min": need}
    >>> market = {"price": ("time", [50.0, 20.0, 30.0, 60.0]), "limit": 100.0}
    >>> case = v2g.assemble(
    ...     time,
    ...     {
    ...         "fleet": xr.Dataset(car, coords={"fleet": ["ev"]}),
    ...         "energy": xr.Dataset(market, coords={"market": ["day_ahead"]}),
    ...     },
    ...     timezone="Europe/Rome",
    ... )
    >>> list(case.children), case.attrs["timezone"]
    (['fleet', 'energy'], 'Europe/Rome')
    >>> "fleet.energy_max: no units attribute, read as kWh" in v2g.check(case)
    True
    """
    time = _stamps(time, groups)
    root = xr.Dataset(
        coords={"time": time},
        attrs={
            "Conventions": CONVENTIONS,
            "schema_version": SCHEMA_VERSION,
            "title": title,
            "source": source,
            "currency": currency,
            "timezone": timezone,
            "history": stamped(f"assembled by v2g-linopy {package_version()}"),
            **attrs,
        },
    )
    root["time"].attrs["long_name"] = "start of the step, UTC"
    return xr.DataTree.from_dict({"/": root, **{f"/{name}": ds for name, ds in groups.items()}})


def stamped(what: str) -> str:
    """Return a line of a history: what happens now."""
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {what}"


def recorded(case: xr.DataTree, what: str) -> str:
    """Return the history of a case with one more line."""
    return f"{case.attrs.get('history', '')}\n{stamped(what)}".strip()


def _stamps(time: pd.DatetimeIndex, groups: Mapping[str, xr.Dataset]) -> pd.DatetimeIndex:
    """Return the time stamps of a case, which every group must share."""
    if pd.api.types.is_numeric_dtype(time):
        raise SchemaError(
            [Problem("time", "type", f"holds {pd.Index(time).dtype}, needs time stamps in UTC")]
        )
    time = pd.DatetimeIndex(time, name="time")
    problems = []
    for name, ds in groups.items():
        if "time" in ds.sizes and ds.sizes["time"] != len(time):
            detail = f"has {ds.sizes['time']} steps, the case has {len(time)}"
            problems.append(Problem(f"{name}.time", "time", detail))
        elif "time" in ds.indexes and not ds.indexes["time"].equals(time):
            detail = "has other time stamps than the case (naive UTC, start of each step)"
            problems.append(Problem(f"{name}.time", "time", detail))
    if problems:
        raise SchemaError(problems)
    return time


def existing(path: str | Path, directory: str = "is a directory, not a file") -> Path:
    """Return the path of a file that is there and not empty, or raise `InputFileError`."""
    path = Path(path)
    if path.is_dir():
        raise InputFileError(path, directory)
    if not path.exists():
        raise InputFileError(path, "does not exist")
    if path.stat().st_size == 0:
        raise InputFileError(path, "is empty")
    return path


def read(path: str | Path) -> xr.DataTree:
    """Read a case or a result into memory.

    A result is read only if it holds what was written, by its checksum. A case is made to be
    edited, by any program, and has none; results of earlier versions are read without.

    Parameters
    ----------
    path : str or pathlib.Path
        A NetCDF file (.nc), as `write` makes it.

    Returns
    -------
    xarray.DataTree
        Groups with their arrays in the units of the file; nothing is left on disk.

    Raises
    ------
    InputFileError
        The file is missing, empty, truncated, a directory, no NetCDF file, of a later schema
        version, or a result that is not as it was written. It is a `SchemaError`.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> v2g.write(v2g.commuters(vehicles=1, days=1), "case.nc")
    >>> case = v2g.read("case.nc")
    >>> case.attrs["title"], case["fleet"].sizes["fleet"]
    ('1 commuters, 1 days', 1)
    """
    path = existing(path, "is a directory; name a case file (.nc)")
    try:
        case = xr.DataTree.from_dict(_loaded_groups(path))
    except InputFileError:
        raise
    except _UNREADABLE as error:
        if "not aligned" in str(error):
            detail = (
                "its groups do not share the time stamps or scenarios of the root:"
                f" {str(error).splitlines()[0]}"
            )
            raise InputFileError(path, detail.rstrip(":")) from None
        raise InputFileError(
            path, f"cannot be read as NetCDF: it may be truncated or of another kind ({error})"
        ) from None
    _compare_checksum(case, path)
    found = case.attrs.get("schema_version", SCHEMA_VERSION)
    if not isinstance(found, int | np.integer):
        raise InputFileError(path, f"has schema version {found!r}, which is no whole number")
    if found > SCHEMA_VERSION:
        raise InputFileError(
            path,
            f"has schema version {found}; this package reads up to {SCHEMA_VERSION}: upgrade it",
        )
    case.attrs["schema_version"] = SCHEMA_VERSION
    return case


def _compare_checksum(case: xr.DataTree, path: Path) -> None:
    """Refuse a result that is not as it was written; leave a note in the encoding of any other."""
    told = case.attrs.pop(ATTRIBUTE, None)
    if told is None:
        found = NONE
    elif told == checksum(case):
        found = KEPT
    elif is_result(case):
        raise InputFileError(
            path,
            "is not as it was written: it is damaged, or another program has changed it. Take a"
            " copy, or solve the case again; to read a change of your own, take its attribute"
            f" {ATTRIBUTE!r} away",
        )
    else:
        found = EDITED
    case.encoding = {ATTRIBUTE: found}


def _loaded_groups(path: Path) -> dict[str, xr.Dataset]:
    """Return every group of a file by its path, in memory; a tree of them is made once."""
    refuse_what_cannot_be_held(path)
    groups = xr.open_groups(path, engine="netcdf4", decode_timedelta=False)
    with ExitStack() as files:
        for group in groups.values():
            files.callback(group.close)
        return {name: group.load() for name, group in groups.items()}


def write(tree: xr.DataTree, path: str | Path, overwrite: bool = False) -> None:
    """Write a case or a result as NetCDF, whole or not at all.

    Parameters
    ----------
    tree : xarray.DataTree
        A case or a result; it is not changed.
    path : str or pathlib.Path
        The file to write; missing folders are made.
    overwrite : bool, default False
        Replace a file that is there.

    Raises
    ------
    OutputError
        The file exists and `overwrite` is false, or it cannot be written; nothing has changed then.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> case = v2g.commuters(vehicles=1, days=1)
    >>> v2g.write(case, "results/case.nc")
    >>> v2g.write(case, "results/case.nc", overwrite=True)
    >>> v2g.read("results/case.nc").identical(case)
    True
    """
    with atomic(path, overwrite) as temporary:
        encoded = tree.map_over_datasets(_ready)
        encoded.attrs = {k: v for k, v in tree.attrs.items() if k != ATTRIBUTE}
        if is_result(tree) and (found := checksum(tree)):
            encoded.attrs[ATTRIBUTE] = found
        encoding: dict[str, dict] = {}
        for node in encoded.subtree:
            table: dict[str, dict] = {}
            for name, variable in node.to_dataset().variables.items():
                if variable.dtype.kind == "M":
                    table[str(name)] = dict(_TIME)
                elif variable.dtype.kind in "fiub" and variable.ndim:
                    table[str(name)] = {"zlib": True, "complevel": 1, "shuffle": True}
            encoding[node.path] = table
        with uninterrupted():
            encoded.to_netcdf(
                temporary, engine="netcdf4", encoding=encoding, write_inherited_coords=True
            )  # so that a group that is read alone has its time stamps


def _ready(ds: xr.Dataset) -> xr.Dataset:
    """Return arrays as they are encoded: those of time have no unit but that of the file, and words
    stay words where there are none.
    """
    ds = ds.drop_encoding()
    for name, v in ds.variables.items():
        if v.dtype.kind == "O" and v.size == 0:  # a file would hold them as numbers
            ds[name] = xr.Variable(v.dims, np.empty(v.shape, "U1"), v.attrs)
    moments = {n: v.copy(deep=False) for n, v in ds.variables.items() if v.dtype.kind == "M"}
    for moment in moments.values():
        moment.attrs = {k: x for k, x in moment.attrs.items() if k not in _TIME}
    return ds.assign(moments)


@contextmanager
def atomic(path: str | Path, overwrite: bool = False) -> Iterator[Path]:
    """Yield a temporary path, renamed to `path` when the block ends well.

    On any fault nothing has changed.
    """
    path = Path(path)
    if path.is_dir():
        raise OutputError(f"{path} is a directory; name a file")
    if path.exists() and not path.is_file():
        raise OutputError(f"{path} is no file but a device or a pipe; name a file")
    if path.exists() and not overwrite:
        raise OutputError(f"{path} exists already; use --force (overwrite=True) to replace it")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with stage_in(path.parent) as stage:
            yield from _renamed(stage / path.name, path)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(f"cannot write {path}: {_reason(error, None)}") from error


def _renamed(temporary: Path, path: Path) -> Iterator[Path]:
    """Yield a path, whose file then gets its name; say what kept it from that while it is there."""
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OutputError:
        raise
    except (OSError, RuntimeError) as error:  # netCDF4 reports a full disk as RuntimeError
        raise OutputError(f"cannot write {path}: {_reason(error, temporary)}") from error


def _reason(error: OSError | RuntimeError, temporary: Path | None) -> str:
    """Say why a file cannot be written; where a library hides it, the system tells when the file is
    to grow further.
    """
    cause = error
    if (
        temporary is not None and (getattr(error, "errno", None) or -1) < 0
    ):  # netCDF4 counts its own errors below 0
        try:
            with open(temporary, "ab") as file:
                file.write(bytes(_PROBE))
                file.flush()
                os.fsync(file.fileno())
        except OSError as found:
            cause = found
    number, words = getattr(cause, "errno", None), getattr(cause, "strerror", None)
    return _FULL.get(number or 0) or str(words or cause)


def calendar_of(case: xr.DataTree) -> tuple[Calendar, list[Problem]]:
    """Read the root of a case (time, zone, money, scenarios), and every problem it has."""
    root, problems = case.to_dataset(), []
    zone = str(case.attrs.get("timezone", "UTC"))
    try:
        pd.Timestamp(0, tz=zone)
    except (LookupError, ValueError, OSError):
        problems.append(
            Problem("timezone", "time", f"{zone!r} is not an IANA time zone, such as Europe/Rome")
        )
        zone = "UTC"
    currency, scenario = str(case.attrs.get("currency", "EUR")), root.indexes.get("scenario")
    unreadable = Calendar(pd.DatetimeIndex([]), zone, currency, scenario)
    problems += _scenario_problems(root)
    time = root.indexes.get("time")
    if time is None or len(time) == 0:
        problems.append(
            Problem(
                "time",
                "missing",
                "missing: give the start of each step in UTC at the root of the file",
            )
        )
        return unreadable, problems
    if fault := _unreadable(time):
        return unreadable, [*problems, fault]
    probability = (
        root["probability"].astype(float)
        if scenario is not None and "probability" in root
        else None
    )
    calendar = Calendar(pd.DatetimeIndex(time), zone, currency, scenario, probability)
    problems += _time_problems(calendar.time, calendar, case)
    return calendar, problems


def _unreadable(time: pd.Index) -> Problem | None:
    """Return what makes time stamps unusable."""
    if not isinstance(time, pd.DatetimeIndex):
        return Problem("time", "type", f"holds {time.dtype}, needs time stamps in UTC")
    if time.tz is not None:
        detail = (
            f"has the time zone {time.tz}; give naive UTC, time.tz_convert('UTC').tz_localize(None)"
        )
        return Problem("time", "time", detail)
    if missing := int(np.isnat(time.to_numpy()).sum()):
        return Problem("time", "nan", f"{missing} time stamps are missing")
    return None


def _time_problems(time: pd.DatetimeIndex, calendar: Calendar, case: xr.DataTree) -> list[Problem]:
    steps = np.diff(time.to_numpy())
    zero = np.timedelta64(0, "s")
    if (steps == zero).any():
        again = calendar.local(time[1:][steps == zero][0])
        return [
            Problem(
                "time",
                "time",
                f"duplicated: {int((steps == zero).sum())} stamps repeat, the first at {again}",
            )
        ]
    if (steps < zero).any():
        return [
            Problem(
                "time",
                "time",
                f"unsorted: it runs backwards at {calendar.local(time[1:][steps < zero][0])}",
            )
        ]
    if len(steps) and (steps != steps[0]).any():
        odd = int(np.flatnonzero(steps != steps[0])[0])
        minutes = steps.astype("timedelta64[s]").astype(float) / 60
        where = calendar.local(time[odd + 1])
        detail = (
            f"steps differ: {minutes[0]:g} min, then {minutes[odd]:g} min before {where}; give one"
            " uniform step"
        )
        return [Problem("time", "time", detail + _gap(time[odd], time[odd + 1], calendar))]
    if not len(steps) and not _positive(case.attrs.get("step_hours", 0)):
        return [
            Problem(
                "step_hours",
                "missing",
                "missing: one time stamp has no step length; give it in hours (root attribute)",
            )
        ]
    return []


def _gap(before: pd.Timestamp, after: pd.Timestamp, calendar: Calendar) -> str:
    """Say which local months are missing between two time stamps."""
    hours = pd.date_range(before, after, freq="h", inclusive="neither")
    ends = period_labels("month", pd.DatetimeIndex([before, after]), calendar.timezone)
    months = [m for m in period_labels("month", hours, calendar.timezone).unique() if m not in ends]
    return f"; nothing in all of {', '.join(months)}" if months else ""


def _positive(value: object) -> bool:
    try:
        return 0 < float(str(value)) < np.inf
    except ValueError:
        return False


def _scenario_problems(root: xr.Dataset) -> list[Problem]:
    scenario = root.indexes.get("scenario")
    if scenario is None:
        detail = "the scenarios have no labels; name them in the coordinate scenario"
        return [Problem("scenario", "labels", detail)] if "probability" in root else []
    if scenario.has_duplicates:
        return [
            Problem(
                "scenario", "labels", f"{scenario[scenario.duplicated()][0]} appears more than once"
            )
        ]
    if "probability" not in root:
        return [Problem("probability", "missing", "missing: give the probability of each scenario")]
    p = root["probability"]
    if (
        p.dims != ("scenario",)
        or bool(p.isnull().any())
        or bool((p < 0).any())
        or abs(float(p.sum()) - 1) > 1e-9
    ):
        return [
            Problem(
                "probability",
                "range",
                f"must be one number ≥ 0 per scenario, in sum 1; the sum is {float(p.sum()):g}",
            )
        ]
    return []


def step_hours(case: xr.DataTree) -> float:
    """Return the length of one step (h)."""
    time = case.to_dataset().indexes["time"]
    return (
        float(case.attrs["step_hours"])
        if len(time) == 1
        else float((time[1] - time[0]) / pd.Timedelta(hours=1))
    )


def fingerprint(inputs: Mapping[str, xr.Dataset]) -> str:
    """Return a hash of validated inputs, the same whatever their units, order or file."""
    digest = hashlib.sha256()
    for part in sorted(inputs):
        digest.update(part.encode())
        ds = inputs[part]
        for name in sorted(map(str, ds.variables)):
            array = ds.variables[name]  # labels are variables, too
            digest.update(json.dumps([name, [*map(str, array.dims)], list(array.shape)]).encode())
            if array.dtype.kind == "M":
                digest.update(array.to_numpy().astype("datetime64[s]").astype("int64").tobytes())
            elif array.dtype.kind in "fiub":
                digest.update(_rounded(array.to_numpy().astype("float64")).tobytes())
            else:
                digest.update("\0".join(str(v) for v in array.to_numpy().ravel()).encode())
    return digest.hexdigest()[:16]


def _rounded(numbers: np.ndarray) -> np.ndarray:
    """Round to 40 binary digits (twelve decimal ones): what is left of a unit conversion is not
    part of a case.
    """
    fraction, exponent = np.frexp(numbers)
    return np.ldexp(np.round(np.ldexp(fraction, 40)), exponent - 40) + 0.0
