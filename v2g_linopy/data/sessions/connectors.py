"""What a session can draw at the plug it uses: AC through the car's own charger, DC through that of
the site.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from ...case.schema import ABSENT, REQUIRED, Calendar, Field, Schema, suggest
from ...errors import Problem, SchemaError
from ...model.sessions import ONBOARD
from ..tables.cells import as_text, read_cells
from ..tables.numbers import number_columns
from ..tables.unit_names import named_unit
from ..tables.wording import with_count

INF = float("inf")

CONNECTORS = Schema(
    inputs=(
        Field(
            "current",
            "connector",
            "",
            "AC: the car's on-board charger converts; DC: the charger does",
            kind="choice",
            choices=("AC", "DC"),
        ),
        Field("charge_max", "connector", "kW", "power it gives, at the grid side", ge=0),
        Field("discharge_max", "connector", "kW", "power it takes back", default=0.0, ge=0),
        Field("charge_min", "connector", "kW", "least power it gives", default=0.0, ge=0),
        Field(
            "eta_charge",
            "connector",
            "1",
            "efficiency from the grid to the plug",
            default=1.0,
            ge=0.5,
            le=1,
        ),
        Field(
            "eta_discharge",
            "connector",
            "1",
            "efficiency from the plug to the grid",
            default=1.0,
            ge=0.5,
            le=1,
        ),
        Field(
            "charger",
            "connector",
            "",
            "charger whose converter it shares",
            default=ABSENT,
            kind="label",
        ),
        Field(
            "charger_max",
            "connector",
            "kW",
            "power of that converter, both ways",
            INF,
            ge=0,
            infinite=True,
        ),
    )
)
CAR = (
    Field("charge_max", "session", "kW", "power the car takes", default=INF, ge=0, infinite=True),
    Field(
        "discharge_max",
        "session",
        "kW",
        "power the car gives back",
        default=0.0,
        ge=0,
        infinite=True,
    ),
    Field(
        "eta_charge",
        "session",
        "1",
        "efficiency of the battery, charging",
        default=1.0,
        ge=0.5,
        le=1,
    ),
    Field(
        "eta_discharge",
        "session",
        "1",
        "efficiency of the battery, discharging",
        default=1.0,
        ge=0.5,
        le=1,
    ),
    *ONBOARD.values(),
)


def read_connectors(
    path: str | Path,
    *,
    separator: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
) -> xr.Dataset:
    r"""Read a table of connectors, one per row.

    Parameters
    ----------
    path : str or pathlib.Path
        CSV file with the headers ``connector``, ``current`` (AC or DC), ``charge_max``, and any
        other field of `with_connector_limits`; a unit may follow in brackets, ``charge_max (kW)``.
        An empty cell is the default.
    separator : str, optional
        Between the columns; unless given, the one that the header has most of.
    decimal : {".", ","}, optional
        In numbers; unless given, the mark that a column proves, else a point.
    encoding : str, optional
        Of the text, such as ``cp1252``; UTF-8 unless given, or what the first bytes tell.

    Returns
    -------
    xarray.Dataset
        The fields on ``connector``; powers in kW.

    Raises
    ------
    InputFileError
        The file cannot be read. It is a `SchemaError`.
    SchemaError
        Everything wrong with the columns or the cells of the file.

    Examples
    --------
    >>> import pathlib
    >>> import v2g_linopy as v2g
    >>> rows = ["connector,current,charge_max (kW)", "left,AC,11", "right,DC,50"]
    >>> size = pathlib.Path("connectors.csv").write_text("\n".join(rows))
    >>> table = v2g.read_connectors("connectors.csv")
    >>> table.charge_max.to_series().to_dict()
    {'left': 11.0, 'right': 50.0}
    """
    source, frame = str(path), read_cells(path, separator=separator, encoding=encoding)
    headers = {re.sub(r"\s*[(\[].*", "", header): header for header in frame.columns}
    fields = {field.name: field for field in CONNECTORS.inputs}
    _check_headers(headers, fields, source)
    frame = frame.rename(columns={header: name for name, header in headers.items()})

    quantities = [name for name in headers if name in fields and fields[name].kind == "quantity"]
    data: dict[str, object] = {}
    for name, x in number_columns(frame, quantities, decimal, source).items():
        default = fields[name].default
        empty = np.nan if default is REQUIRED else default
        unit = named_unit(headers[name]) or fields[name].unit
        data[name] = ("connector", np.where(np.isnan(x), empty, x), {"units": unit})
    for name in headers:
        if name not in quantities:
            data[name] = ("connector", as_text(frame[name]).to_numpy(str))

    count = f"{with_count(len(frame), 'connector')}, {Path(path).name}"
    note = f"Power and efficiency of a session are those of car and connector together ({count})."
    return xr.Dataset(data, attrs={"notes": note}).set_coords("connector")


def _check_headers(headers: Mapping[str, str], fields: Mapping[str, Field], source: str) -> None:
    """Refuse headers that name no field, and a table without a field that is needed."""
    known = ["connector", *fields]
    needed = ["connector", *(name for name, field in fields.items() if field.default is REQUIRED)]
    problems = [
        Problem(f"connectors.{name}", "unknown", f"unknown{suggest(name, known)}")
        for name in headers
        if name not in known
    ]
    there = f"name a column so; the file has {', '.join(headers.values())}"
    problems += [
        Problem(f"connectors.{name}", "missing", there) for name in needed if name not in headers
    ]
    if problems:
        raise SchemaError(problems, source)


def converters(connectors: xr.Dataset) -> xr.Dataset | None:
    """Return the group ``/charger`` of the converters that connectors name.

    Each has the power that the rows of its connectors agree on.

    Raises
    ------
    SchemaError
        A converter whose power is missing, or not the same in every row.
    """
    plug, problems = CONNECTORS.validate(connectors, "connectors", Calendar(pd.DatetimeIndex([])))
    if problems or "charger" not in plug:
        return None
    rows = pd.DataFrame(
        {
            "charger": plug.charger.to_numpy().astype(str),
            "power": plug.charger_max.to_numpy() * 1.0,
        }
    )
    power = rows[rows.charger != ""].groupby("charger").power.agg(["min", "max"])
    problems = [
        Problem(
            "connectors.charger_max",
            "consistency",
            f"charger {name}: give the power of its converter, kW, once",
        )
        for name, low, high in power.itertuples()
        if low != high or np.isinf(high)
    ]
    if problems:
        raise SchemaError(problems, "the sessions and connectors")
    if not len(power):
        return None
    both_ways = ("charger", power["max"].to_numpy())
    limits = {"charge_max": both_ways, "discharge_max": both_ways}
    return xr.Dataset(limits, coords={"charger": power.index.to_numpy(str)})


def with_connector_limits(sessions: xr.Dataset, connectors: xr.Dataset) -> xr.Dataset:
    """Give each session the limits and efficiencies of car and connector together.

    A session uses one plug, so this is data and takes no rows in the model::

        charge_max    = min(car, connector, on-board charger at AC),      discharge_max likewise
        eta_charge    = battery x connector x (on-board charger at AC),   eta_discharge likewise
        charge_min    = least power of the connector

    Parameters
    ----------
    sessions
        Dataset on ``session`` with the label ``connector``; optional ``onboard_max`` (kW),
        ``eta_onboard_charge``, ``eta_onboard_discharge``. ``charge_max`` and ``discharge_max`` are
        what the car allows (any power, and none back, where they are not given), ``eta_charge`` and
        ``eta_discharge`` those of the battery (1).
    connectors
        Dataset on ``connector``: ``current`` (``AC`` or ``DC``), ``charge_max`` (kW at the grid
        side); optional ``discharge_max`` (0), ``charge_min`` (0), ``eta_charge``, ``eta_discharge``
        (1), and the label ``charger`` of those that share a converter, whose limits stand in the
        group ``/charger`` of the case.

    Returns
    -------
    xarray.Dataset
        The sessions with these columns replaced, ``charge_min`` and ``charger`` among them, ready
        for `sessions_to_fleet`.

    Raises
    ------
    SchemaError
        Every unknown connector, and every plug whose least power is more than the car takes.
    """
    car, plug = _cars_and_plugs(sessions, connectors)
    at = plug.sel(connector=sessions.connector.astype(str)).drop_vars("connector")
    ac = at.current == "AC"

    def limit(name: str) -> xr.DataArray:
        onboard = xr.where(ac, car["onboard_max"], INF)
        return np.minimum(np.minimum(at[name], car[name]), onboard)

    def efficiency(way: str) -> xr.DataArray:
        return at[f"eta_{way}"] * car[f"eta_{way}"] * xr.where(ac, car[f"eta_onboard_{way}"], 1.0)

    columns = {f"{way}_max": limit(f"{way}_max") for way in ("charge", "discharge")}
    columns |= {f"eta_{way}": efficiency(way) for way in ("charge", "discharge")}
    columns["charge_min"] = xr.where(columns["charge_max"] > 0, at.charge_min, 0.0)
    if "charger" in at:
        columns["charger"] = at.charger.astype(str)
    values = {name: _of_each_session(x, sessions) for name, x in columns.items()}
    _check_charge_min(sessions, values["charge_max"], values["charge_min"])
    return sessions.assign({name: ("session", x) for name, x in values.items()})


def _cars_and_plugs(
    sessions: xr.Dataset, connectors: xr.Dataset
) -> tuple[dict[str, xr.DataArray], xr.Dataset]:
    """Return what the cars allow, and the connectors, in coherent units."""
    calendar = Calendar(pd.DatetimeIndex([]))
    plug, problems = CONNECTORS.validate(connectors, "connectors", calendar)
    car: dict[str, xr.DataArray] = {}
    for field in CAR:
        array, found = field.read(sessions, "sessions", calendar)
        problems += found
        if array is not None:
            car[field.name] = array
    if "connector" not in sessions:
        detail = "give the connector of each session, column `connector`"
        problems.append(Problem("sessions.connector", "missing", detail))
    elif not problems:
        problems = _unknown_connectors(sessions, plug)
    if problems:
        raise SchemaError(problems, "the sessions and connectors")
    return car, plug


def _of_each_session(values: xr.DataArray, sessions: xr.Dataset) -> np.ndarray:
    """Return a number for each session, also where one holds for all."""
    return np.broadcast_to(values.to_numpy(), sessions.sizes["session"]).copy()


def _unknown_connectors(sessions: xr.Dataset, plug: xr.Dataset) -> list[Problem]:
    """Return a problem for every connector that sessions name and the table does not."""
    known = [str(name) for name in plug.indexes["connector"]]
    named = dict.fromkeys(str(name) for name in sessions.connector.to_numpy().ravel())
    return [
        Problem(
            "sessions.connector",
            "labels",
            f"{name!r} has no line in the connectors{suggest(name, known)}",
        )
        for name in named
        if name not in known
    ]


def _check_charge_min(sessions: xr.Dataset, charge_max: np.ndarray, charge_min: np.ndarray) -> None:
    """Refuse plugs that start above what the car takes."""
    count = sessions.sizes["session"]
    names = sessions.indexes["session"] if "session" in sessions.indexes else range(count)
    plugs = _of_each_session(sessions.connector, sessions)
    problems = []
    for k in np.flatnonzero(charge_min > charge_max + 1e-9).tolist():
        detail = (
            f"session {names[k]}: takes {charge_max[k]:g} kW, and connector {plugs[k]} gives no"
            f" less than {charge_min[k]:g} kW"
        )
        problems.append(Problem("sessions.charge_max", "consistency", detail))
    if problems:
        raise SchemaError(problems, "the sessions and connectors")
