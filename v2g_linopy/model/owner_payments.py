"""What owners of vehicles are owed for the contracts of their sessions (docs/formulation.md §10).

A payment is owed in full to an owner who stays for the term, whether energy is called or not; who
leaves before forfeits it, and what was called and not delivered by the owner is deducted in
proportion.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from ..case.schema import Calendar
from ..errors import Problem

_AGREED = ("contract_energy", "contract_payment")


def with_payments(
    data: Mapping[str, xr.Dataset], sessions: xr.Dataset | None, calendar: Calendar, dt: float
) -> tuple[xr.Dataset, list[Problem]]:
    """Return `/contract` with what owners are owed in each step, and what is wrong with sessions.

    Parameters
    ----------
    data : mapping of str to xarray.Dataset
        Inputs by part, in coherent units: `/contract`, and `/fleet`.
    sessions : xarray.Dataset or None
        `/sessions` in coherent units.
    calendar : Calendar
        Time stamps of the case.
    dt : float
        Length of a step (h).

    Returns
    -------
    xarray.Dataset
        With `owed` (money on fleet and time) where a session carries a contract and nobody has said
        what is owed; a payment stands in the step in which its term ends, if the case has it.
    list of Problem
        Contracts without their numbers, members that the fleet does not have, terms that end after
        the departure.

    Examples
    --------
    A car comes at eight, and 0.18 EUR are owed for three hours:

    >>> import pandas as pd
    >>> import xarray as xr
    >>> from v2g_linopy.case.schema import Calendar
    >>> from v2g_linopy.model.owner_payments import with_payments
    >>> time = pd.date_range("2026-03-02 08:00", periods=5, freq="h", name="time")
    >>> stay = {"arrival": time[:1], "departure": time[4:], "row": ["ev"], "contract": [1.0]}
    >>> stay |= {"contract_energy": [13.3], "contract_payment": [0.18]}
    >>> sessions = xr.Dataset({n: ("session", x) for n, x in stay.items()}, {"session": [0]})
    >>> contract = xr.Dataset({"term": 3.0, "theta": ("type", [0.5, 1.0])})
    >>> data = {"fleet": xr.Dataset(coords={"fleet": ["ev"]}), "contract": contract}
    >>> found, problems = with_payments(data, sessions, Calendar(time), 1.0)
    >>> found.owed.sel(fleet="ev").values.tolist()
    [0.0, 0.0, 0.18, 0.0, 0.0]
    """
    contract, fleet = data["contract"], data.get("fleet")
    if "owed" in contract or sessions is None or "contract" not in sessions or fleet is None:
        return contract, []
    held = sessions.isel(session=np.flatnonzero(sessions.contract.to_numpy() >= 0))
    if problems := _lacking(held, contract):
        return contract, problems
    ends = _ends_of_terms(held, contract)
    if problems := _misplaced(held, ends, contract, fleet):
        return contract, problems

    step = np.timedelta64(pd.Timedelta(hours=dt))
    since = (ends.to_numpy() - calendar.time.to_numpy()[0]) / step
    place = np.ceil(since - 1e-9).astype(int) - 1
    inside = (place >= 0) & (place < len(calendar.time))
    owed = np.zeros((fleet.sizes["fleet"], len(calendar.time)))
    row = fleet.indexes["fleet"].astype(str).get_indexer(held.row.to_numpy().astype(str))
    np.add.at(owed, (row[inside], place[inside]), _owed(held, ends).to_numpy()[inside])
    axes = {"fleet": fleet.indexes["fleet"], "time": calendar.time}
    return contract.assign(owed=xr.DataArray(owed, coords=axes, dims=("fleet", "time"))), []


def owed_by_session(held: xr.Dataset, contract: xr.Dataset) -> xr.DataArray:
    """Return what is owed for each session with a contract (money on session).

    Parameters
    ----------
    held : xarray.Dataset
        Sessions that have a contract, in coherent units.
    contract : xarray.Dataset
        The group `/contract` in coherent units.

    Examples
    --------
    Of 10 kWh that were called, the owner missed 4:

    >>> import pandas as pd
    >>> import xarray as xr
    >>> from v2g_linopy.model.owner_payments import owed_by_session
    >>> stay = {"arrival": pd.to_datetime(["2026-03-02 08:00"]), "contract": [0.0]}
    >>> stay |= {"contract_energy": [10.0], "contract_payment": [0.5]}
    >>> stay |= {"energy_called": [10.0], "energy_discharged": [6.0]}
    >>> held = xr.Dataset({n: ("session", x) for n, x in stay.items()}, {"session": [7]})
    >>> owed_by_session(held, xr.Dataset({"term": 3.0})).round(9).values.tolist()
    [0.3]
    """
    return _owed(held, _ends_of_terms(held, contract))


def _ends_of_terms(held: xr.Dataset, contract: xr.Dataset) -> xr.DataArray:
    """Moment at which the term of each session ends (UTC)."""
    hours = held.get("contract_term", contract.term) + xr.zeros_like(held.contract)
    if not contract.term.dims:
        hours = hours.fillna(contract.term)
    return held.arrival + (3.6e12 * hours).round().astype("timedelta64[ns]")


def _owed(held: xr.Dataset, ends: xr.DataArray) -> xr.DataArray:
    """Payment of each session, less what was called and not delivered; 0 for who left before."""
    stayed = True
    if "left" in held:
        stayed = held.left.isnull() | (held.left >= ends)
    missed = xr.zeros_like(held.contract_energy)
    if "energy_called" in held and "energy_discharged" in held:
        missed = (held.energy_called - held.energy_discharged).fillna(0.0).clip(min=0.0)
    some = held.contract_energy.where(held.contract_energy > 0, 1.0)
    return (held.contract_payment * (1 - missed / some).clip(min=0.0)).where(stayed, 0.0)


def _lacking(held: xr.Dataset, contract: xr.Dataset) -> list[Problem]:
    """Return the numbers that a session with a contract needs and does not have."""
    problems = []
    if not held.sizes["session"]:
        return []
    for name in (*_AGREED, "arrival", "departure", "row"):
        lacks = held.session if name not in held else held.session[held[name].isnull().to_numpy()]
        if lacks.size:
            detail = f"missing: {_first(lacks)} has a contract"
            problems.append(Problem(f"sessions.{name}", "missing", detail))
    if contract.term.dims and _has_gaps(held, "contract_term"):
        detail = "missing: the menu has several terms; give the one of each session"
        problems.append(Problem("sessions.contract_term", "missing", detail))
    return problems


def _has_gaps(held: xr.Dataset, name: str) -> bool:
    return name not in held or bool(held[name].isnull().any())


def _misplaced(
    held: xr.Dataset, ends: xr.DataArray, contract: xr.Dataset, fleet: xr.Dataset
) -> list[Problem]:
    """Return contracts that the menu does not have, rows without a member, terms beyond stays."""
    members = list(map(str, fleet.indexes["fleet"]))
    count = contract.sizes["type"]
    rules = {
        ("contract", f"has a contract that the menu of {count} does not"): held.contract >= count,
        ("row", "stands in a row that the fleet does not have"): ~held.row.astype(str).isin(
            members
        ),
        ("contract", "leaves before the term of its contract ends"): ends > held.departure,
    }
    return [
        Problem(
            f"sessions.{name}", "consistency", f"{_first(held.session[wrong.to_numpy()])} {why}"
        )
        for (name, why), wrong in rules.items()
        if bool(wrong.any())
    ]


def _first(sessions: xr.DataArray) -> str:
    """Return the first of some sessions, and how many more there are."""
    more = f" (and {sessions.size - 1} more)" if sessions.size > 1 else ""
    return f"session {sessions[0].item()}{more}"
