"""When the markets of a case close, so that it can be operated through them."""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from ...case.schema import suggest
from ...errors import Problem, SchemaError
from ...model.gates import traded_parts
from ...parts.catalogue import PARTS
from .new_case import currency_of, with_meaning
from .origins import replace_origin

GATES = "gates"


def with_gates(
    case: xr.DataTree, hour: Mapping[str, float], lead: Mapping[str, float] | None = None
) -> xr.DataTree:
    """Return a case whose markets close before delivery (docs/sequence.md).

    Parameters
    ----------
    case : xarray.DataTree
        It is not changed, and has no `/gates` yet.
    hour : mapping of str to float
        Hour of the local clock at which a market closes the day before delivery, by market.
    lead : mapping of str to float, optional
        Hours before delivery at which a market closes, by market.

    Returns
    -------
    xarray.DataTree
        The case with `/gates` (hours, on gate), said among its assumptions.

    Raises
    ------
    SchemaError
        Markets and products that the case does not have, and those with both an hour and a lead.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> case = v2g.commuters(vehicles=1, days=1)
    >>> with_gates(case, {"day_ahead": 12.0})["gates"].hour.to_series().to_dict()
    {'day_ahead': 12.0}
    """
    lead = lead or {}
    if problems := [*_unknown(case, [*hour, *lead]), *_twice(hour, lead)]:
        raise SchemaError(problems, "the gates")
    names = [*hour, *lead]
    closes = {"hour": hour, "lead": lead}
    columns = {
        name: ("gate", [given.get(market, np.nan) for market in names])
        for name, given in closes.items()
        if given
    }
    before, case = case, case.copy()
    table = xr.Dataset(columns, coords={"gate": names})
    case[GATES] = xr.DataTree(with_meaning(GATES, table, currency_of(case)))
    said = [f"Gate of {m}: closes at {_clock(hour[m])} of the day before." for m in hour]
    said += [f"Gate of {m}: closes {lead[m]:g} h before delivery." for m in lead]
    replace_origin(case, before, GATES, {"": said})
    return case


def _unknown(case: xr.DataTree, names: list[str]) -> list[Problem]:
    members = {part: PARTS[part].schema.member for part in traded_parts(PARTS)}
    known = [
        str(label)
        for part, dim in members.items()
        if dim is not None and part in case.children and dim in case[part].indexes
        for label in case[part].indexes[dim]
    ]
    told = f"is no market and no product; the case has {', '.join(known) or 'none'}"
    return [
        Problem("gates.gate", "labels", f"{name!r} {told}{suggest(name, known)}")
        for name in names
        if name not in known
    ]


def _twice(hour: Mapping[str, float], lead: Mapping[str, float]) -> list[Problem]:
    detail = "closes at an hour of the clock, or a time before delivery; give one"
    return [Problem("gates.gate", "consistency", f"{m}: {detail}") for m in hour if m in lead]


def _clock(hour: float) -> str:
    minutes = round(60 * hour)
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
