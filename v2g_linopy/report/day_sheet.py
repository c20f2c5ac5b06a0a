"""The sheet of a local day: what each vehicle does, when, and what it then holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..model.part import Part
from ..parts.catalogue import PARTS
from ..study.explain.plan_facts import NotInResult, position_of
from .result_view import ResultView
from .schedule_and_bids import held_and_baseline

COLUMNS = (
    "vehicle", "from", "to", "doing", "charge_kW", "discharge_kW", "drawn_kWh", "fed_in_kWh",
    "energy_kWh", "soc_percent", "needed_kWh",
)  # fmt: skip
HELD = ("baseline_drawn_kW", "baseline_fed_in_kW", "reserve_up_kW", "reserve_down_kW")
"""Columns beside them where the result sells reserves."""
SAME = 5e-3
"""kW by which steps may differ and still be one row."""


def day_sheet(
    result: xr.DataTree,
    day: str,
    vehicles: Sequence[str] | None = None,
    *,
    parts: Mapping[str, Part] = PARTS,
) -> pd.DataFrame:
    """Return what each vehicle does on a local day, a row for each time in which it does the same.

    Parameters
    ----------
    result : xarray.DataTree
        A result; with scenarios the mean is shown.
    day : str
        A day on the local clock of the case, `2019-08-02`.
    vehicles : sequence of str, optional
        Labels of fleet members; all by default.
    parts : mapping of str to Part, default PARTS
        The catalogue that the result was made with.

    Returns
    -------
    pandas.DataFrame
        ``vehicle``, ``from``, ``to`` (local, ISO 8601 with offset), ``doing`` (`away`, `waits`,
        `charges`, `feeds in`), ``charge_kW``, ``discharge_kW``, ``drawn_kWh``, ``fed_in_kWh`` (at
        the grid), ``energy_kWh`` on board at the end, ``soc_percent`` of the most that fits, and
        ``needed_kWh`` on board at the end, where some is; empty while it is away. Where reserve is
        sold, also ``baseline_drawn_kW`` and ``baseline_fed_in_kW``, what it is told to do unless
        called, and how much a call may ask beyond that: ``reserve_up_kW`` more fed in or less
        drawn, ``reserve_down_kW`` the other way. Then ``doing`` is that of the baseline, and power
        and energy are those expected with the mean of the calls.

    Raises
    ------
    NotInResult
        The day or a vehicle is not in the result.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> from v2g_linopy.report.day_sheet import day_sheet
    >>> result = v2g.solve(v2g.commuters(vehicles=1, days=1, regulation=None))
    >>> day_sheet(result, "2019-08-01")[["from", "doing"]].head(2).values.tolist()
    [['2019-08-01T00:00+02:00', 'away'], ['2019-08-01T08:00+02:00', 'waits']]
    """
    view = ResultView.of(result, parts=parts)
    names = [str(m) for m in view.members]
    wanted = (
        names if vehicles is None else [names[position_of(v, names, "vehicle")] for v in vehicles]
    )
    steps = steps_of_day(view, day)
    edges = view.local.append(view.local[-1:] + pd.Timedelta(hours=view.hours))
    moments = [edge.isoformat(timespec="minutes") for edge in edges[[*steps, steps[-1] + 1]]]
    arrays = {
        name: view.fleet(name).isel(time=steps)
        for name in ("charge", "discharge", "energy", "energy_max", "energy_min")
    }
    arrays["keep"] = view.fleet("keep", 1.0).isel(time=steps)
    held = held_and_baseline(view, "fleet", "fleet", view.fleet("discharge") - view.fleet("charge"))
    connected = view.connected.isel(time=steps)
    rows = []
    for name in wanted:
        place = names.index(name)
        own = {k: np.asarray(x.isel(fleet=place), dtype=float) for k, x in arrays.items()}
        own |= {k: x[place, steps] for k, x in held.items()}
        rows += _rows(name, own, np.asarray(connected.isel(fleet=place)), moments, view.hours)
    return pd.DataFrame(rows, columns=[*COLUMNS, *held])


def steps_of_day(view: ResultView, day: str) -> np.ndarray:
    """Return the steps that begin on a local day.

    Raises
    ------
    NotInResult
        The result has none, or the day cannot be read.
    """
    try:
        wanted = date.fromisoformat(day)
    except ValueError:
        raise NotInResult(f"cannot read the day {day!r}; write it as 2019-08-02") from None
    steps = np.flatnonzero([stamp.date() == wanted for stamp in view.local])
    if not len(steps):
        span = (
            f"{view.local[0]:%Y-%m-%d} to {view.local[-1]:%Y-%m-%d}" if len(view.local) else "none"
        )
        raise NotInResult(f"{day} is not in the result; its local days are {span}")
    return steps


def _rows(
    name: str, own: Mapping[str, np.ndarray], there: np.ndarray, moments: list[str], hours: float
) -> list[dict[str, Any]]:
    """Return the rows of a vehicle: steps in which it does the same are one."""
    charge, discharge = own["charge"], own["discharge"]
    told = [own[name] for name in ("charge", "discharge", *HELD) if name in own]
    changes = [
        t
        for t in range(1, len(charge))
        if there[t] != there[t - 1]
        or (there[t] and own["keep"][t] == 0)
        or any(abs(x[t] - x[t - 1]) > SAME for x in told)
    ]
    rows: list[dict[str, Any]] = []
    for start, stop in zip([0, *changes], [*changes, len(charge)], strict=True):
        last, present = stop - 1, bool(there[start])
        drawn, fed = (float(x[start:stop].mean()) for x in (charge, discharge))
        held = {name: float(own[name][start:stop].mean()) for name in HELD if name in own}
        to_draw = held.get("baseline_drawn_kW", drawn)
        to_feed_in = held.get("baseline_fed_in_kW", fed)
        doing = "charges" if to_draw > SAME else "feeds in" if to_feed_in > SAME else "waits"
        most, need = own["energy_max"][last], own["energy_min"][last]
        row: dict[str, Any] = {"vehicle": name, "from": moments[start], "to": moments[stop]}
        if not present:
            rows.append(row | {"doing": "away"})
            continue
        rows.append(
            row
            | {
                "doing": doing,
                "charge_kW": round(drawn, 3),
                "discharge_kW": round(fed, 3),
                "drawn_kWh": round(drawn * hours * (stop - start), 3),
                "fed_in_kWh": round(fed * hours * (stop - start), 3),
                "energy_kWh": round(float(own["energy"][last]), 3),
                "soc_percent": round(100 * float(own["energy"][last] / most), 1)
                if most > 0
                else None,
                "needed_kWh": round(float(need), 3) if need > 0 else None,
                **{column: round(x, 3) for column, x in held.items()},
            }
        )
    return rows
