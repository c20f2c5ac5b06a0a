"""A case with a copy of each vehicle for every type of owner, in which a menu is designed with the
plan (docs/formulation.md §10).

Each copy is as large as the share of its type: what couples sessions sees the mean over the types.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

from ...case.io import calendar_of, recorded
from ...errors import Problem, SchemaError
from ...model.contracts import GROUP, WEAR_OF_OWNERS, cap_of, contract_of, term_problems
from ...model.inputs import RESULT_GROUPS
from ...model.part import Part
from ...model.sessions import CONTRACTED, SESSION_FIELDS
from ...operate.contract_entry import (
    cells_of,
    ends_of_terms,
    fleet_under_contracts,
    room_to_give,
    sessions_at_entry,
)
from ...parts.catalogue import PARTS
from ...solve.merge import is_extensive

NO_CLASS = -1
ONE_CLASS = "all"
"""The class of a menu that tells no classes apart."""
_NEAR = 1e-9


@dataclass(frozen=True)
class Copies:
    """A case with copies of vehicles, each still a whole vehicle, and what they stand for.

    Parameters
    ----------
    case : xarray.DataTree
        `/fleet` has a member for each vehicle and type of owner, `/sessions` likewise with `type`.
    weight : xarray.DataArray
        Share of the owners that each member stands for (fleet), 1 where there is one copy only.
    owner : xarray.DataArray
        Type of the owner of each member (fleet), empty where there is one copy only.
    origin : numpy.ndarray
        Position of each session in the table that copies were made of.
    """

    case: xr.DataTree
    weight: xr.DataArray
    owner: xr.DataArray
    origin: np.ndarray


@dataclass(frozen=True)
class Classified:
    """The sessions of a case, and the class of contracts that each may have.

    Parameters
    ----------
    contract : xarray.Dataset
        `/contract` in coherent units.
    sessions : xarray.Dataset
        `/sessions` in coherent units.
    number : numpy.ndarray
        Position of the class of each session, -1 where it may have no contract.
    able : numpy.ndarray
        Sessions that stay for some term and can give something.
    names : list of str
        The classes.
    """

    contract: xr.Dataset
    sessions: xr.Dataset
    number: np.ndarray
    able: np.ndarray
    names: list[str]


def case_with_types(
    case: xr.DataTree, *, room: float = 0.0, parts: Mapping[str, Part] = PARTS
) -> xr.DataTree:
    """Return a case whose plan designs the menu of its contracts.

    Each vehicle has a copy for every type of owner, with the share of the type in all powers and
    energies. A session is of the last class of `/contract` whose term it stays for and whose
    `class_room` it can give; its contract has the energy and payment of its type and class. Where
    `/contract` has neither, `solve` decides on them with the plan, so that no owner loses or gains
    by the contract of another. What couples sessions, such as the limit of a site or a position,
    sees the mean over the types: what the plan is worth is a bound, which the same menu reaches
    where nothing couples (docs/formulation.md §10).

    Parameters
    ----------
    case : xarray.DataTree
        Of charging sessions, with `/contract`: `theta`, `share`, `wear`, `term`, and `power` or
        `class_room`.
    room : float, default 0
        Without classes: sessions that can give less have no contract (kWh).
    parts : mapping of str to Part, default PARTS
        The catalogue.

    Returns
    -------
    xarray.DataTree
        `/fleet` and `/sessions` with a member and a session for each copy, feeding in within the
        terms only; `/contract` with `owner_type` and `in_force`. Wear by discharging is the owner's
        and is left out, and so is a retail price on net energy.

    Raises
    ------
    SchemaError
        Listing what is wrong with the contracts, the sessions, or both together.

    Examples
    --------
    A full car stays for three hours at 60, 20 and 20 EUR/MWh. A kWh of the first hour earns 4
    cents, of which 1 goes to the owner, whatever its type:

    >>> import pandas as pd
    >>> import xarray as xr
    >>> import v2g_linopy as v2g
    >>> time = pd.date_range("2026-03-02", periods=4, freq="h")
    >>> stay = {"arrival": time[0], "departure": time[3], "capacity": 40.0, "energy_arrival": 40.0}
    >>> stay |= {"energy_need": 40.0, "charge_max": 10.0, "discharge_max": 10.0}
    >>> stay |= {"eta_charge": 1.0, "eta_discharge": 1.0}
    >>> stay = {name: ("session", [value]) for name, value in stay.items()}
    >>> sessions = xr.Dataset(stay, coords={"session": ["monday"]})
    >>> prices = xr.Dataset({"day_ahead": ("time", [60.0, 20.0, 20.0, 20.0])}, {"time": time})
    >>> case = v2g.case_from_sessions(sessions, prices, timezone="UTC")
    >>> data = {"theta": ("type", [1.0]), "share": ("type", [1.0]), "wear": 0.01, "term": 1.0}
    >>> case["contract"] = xr.Dataset(data | {"power": 10.0}, coords={"type": ["any"]})
    >>> result = v2g.solve(v2g.case_with_types(case))
    >>> result["contract"].designed_energy.values.tolist()
    [[10.0]]
    >>> round(result.attrs["profit"], 6)
    0.3
    """
    found = classified(case, room)
    copies = copied(case, found, parts)
    return weighed(_under_contract(copies, found), copies.weight, parts)


def classified(case: xr.DataTree, room: float = 0.0) -> Classified:
    """Return which class each session of a case is of.

    Raises
    ------
    SchemaError
        The contracts or the sessions do not fit, or no session may have any contract.
    """
    calendar, problems = calendar_of(case)
    d, unfit = _contracts(case)
    sessions, found = sessions_at_entry(case, calendar)
    problems += unfit + found + _beside_the_fleet(case)
    if d is not None:
        problems += _unordered(d) + _room_problems(d, room)
        problems += [] if sessions is None else term_problems(d, sessions)
    if problems or sessions is None or d is None:
        raise SchemaError(problems, "the contracts")
    return _of_classes(case, d, sessions, room)


def _contracts(case: xr.DataTree) -> tuple[xr.Dataset | None, list[Problem]]:
    """Return `/contract` in coherent units, or what is wrong with it."""
    try:
        return contract_of(case, with_plan=True), []
    except SchemaError as error:
        return None, list(error.problems)


def _room_problems(d: xr.Dataset, room: float) -> list[Problem]:
    """Return what is wrong with the least room of a session that may have a contract."""
    if room < 0:
        return [Problem("room", "range", f"{room:g} kWh: may not be below 0")]
    if room > 0 and "class_room" in d:
        detail = f"{room:g} kWh, beside contract.class_room; give one of the two"
        return [Problem("room", "consistency", detail)]
    return []


def _of_classes(case: xr.DataTree, d: xr.Dataset, sessions: xr.Dataset, room: float) -> Classified:
    """Return the last class that each session fits into."""
    names = [str(n) for n in d.indexes["class"]] if "class" in d.dims else [ONE_CLASS]
    one = xr.DataArray(np.ones(len(names)), dims="class")
    term, least = (
        (x.drop_vars("class", errors="ignore") * one).to_numpy()
        for x in (d.term, d.get("class_room", xr.DataArray(room)))
    )
    stay = ((sessions.departure - sessions.arrival) / np.timedelta64(1, "h")).to_numpy()
    able, inside = room_to_give(sessions).to_numpy(), _wholly_inside(case, sessions)
    stays = (stay[:, None] >= term - _NEAR) & inside[:, None]
    fits = stays & (able[:, None] >= least - _NEAR) & (able[:, None] > _NEAR)
    if not fits.any():
        detail = f"no session stays for {term.min():g} h and can give {least.min():g} kWh"
        raise SchemaError([Problem("sessions", "consistency", detail)], "the contracts")
    number = np.where(fits.any(axis=1), fits.shape[1] - 1 - fits[:, ::-1].argmax(axis=1), NO_CLASS)
    return Classified(d, sessions, number, stays.any(axis=1) & (able > _NEAR), names)


def _wholly_inside(case: xr.DataTree, sessions: xr.Dataset) -> np.ndarray:
    """Return which sessions lie wholly within the steps of the case, and stand in its fleet."""
    number, begin, end = cells_of(case, sessions)
    there = np.isin(np.arange(sessions.sizes["session"]), number)
    arrival, departure = (sessions[n].to_numpy() for n in ("arrival", "departure"))
    return np.asarray(there & (arrival >= begin[0]) & (departure <= end[-1]))


def _unordered(d: xr.Dataset) -> list[Problem]:
    """Return terms that fall from class to class: the last class that fits has to be the best."""
    if "class" not in d.term.dims or not bool((d.term.diff("class") < 0).any()):
        return []
    detail = "falls from class to class; order the classes from short to long"
    return [Problem("contract.term", "consistency", detail)]


def _beside_the_fleet(case: xr.DataTree) -> list[Problem]:
    """Return arrays of other groups on the members of the fleet: copies have none."""
    left_out = {"fleet", "sessions", GROUP, *RESULT_GROUPS}
    return [
        Problem(
            f"{name}.{array}", "dims", "is given for each fleet member, of which copies are made"
        )
        for name, node in case.children.items()
        if name not in left_out
        for array, x in node.to_dataset(inherit=False).data_vars.items()
        if "fleet" in x.dims
    ]


def copied(case: xr.DataTree, found: Classified, parts: Mapping[str, Part] = PARTS) -> Copies:
    """Return the case with a member for each type of owner where a session may have a contract."""
    d, fleet = found.contract, without_wear(case, parts)
    cells, *_ = cells_of(case, found.sessions)
    kinds = np.flatnonzero(d.share.to_numpy() > 0)
    names = d.indexes["type"].astype(str).to_numpy()
    several = ((cells >= 0) & found.able[cells]).any(axis=1)
    member, kind = _pairs(several, kinds)
    label = _labelled(fleet.indexes["fleet"].astype(str).to_numpy()[member], kind, names)
    home = _members_of_sessions(cells, found.sessions.sizes["session"])
    session, session_kind = _pairs((home >= 0) & several[home], kinds)

    tree = case.copy()
    numbers = _numbers_in_cells(cells[member], kind, session, session_kind)
    members = fleet.isel(fleet=member).assign_coords(fleet=label)
    tree["fleet"] = xr.DataTree(members.assign(session=(("fleet", "time"), numbers)))
    place = dict(zip(zip(member, kind, strict=True), label, strict=True))
    row = [str(place.get((home[p], k), "")) for p, k in zip(session, session_kind, strict=True)]
    tree["sessions"] = xr.DataTree(_sessions(case, session, session_kind, row, names))
    share, owner = np.append(d.share.to_numpy(), 1.0)[kind], np.append(names, "")[kind]
    weight = xr.DataArray(share, {"fleet": label}, "fleet")
    return Copies(tree, weight, weight.copy(data=owner.astype(str)), session)


def _members_of_sessions(cells: np.ndarray, sessions: int) -> np.ndarray:
    """Return the position of the member that each session stands in, -1 for none."""
    home = np.full(sessions, NO_CLASS)
    member, step = np.nonzero(cells >= 0)
    home[cells[member, step]] = member
    return home


def _numbers_in_cells(
    cells: np.ndarray, kind: np.ndarray, session: np.ndarray, session_kind: np.ndarray
) -> np.ndarray:
    """Return the new number of the session in each cell of each copy, -1 for none."""
    new = np.full((session.max(initial=0) + 1, session_kind.max(initial=0) + 2), NO_CLASS)
    new[session, session_kind] = np.arange(len(session))
    return np.where(cells >= 0, new[cells, kind[:, None]], NO_CLASS)


def _pairs(several: np.ndarray, kinds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each item once for every kind where it has several, and once with -1 elsewhere."""
    times = np.where(several, len(kinds), 1)
    item = np.repeat(np.arange(len(several)), times)
    within = np.arange(len(item)) - np.repeat(np.cumsum(times) - times, times)
    return item, np.where(several[item], kinds[within], -1)


def _labelled(members: np.ndarray, kind: np.ndarray, names: np.ndarray) -> np.ndarray:
    """Return the label of each copy: that of the member, and the type of the owner."""
    return np.array(
        [f"{m}, type {names[k]}" if k >= 0 else str(m) for m, k in zip(members, kind, strict=True)]
    )


def without_wear(case: xr.DataTree, parts: Mapping[str, Part]) -> xr.Dataset:
    """Return the inputs of the fleet without wear, which is the owner's, and without a retail price
    on what is drawn less what is fed in.
    """
    fleet = case.children["fleet"].to_dataset(inherit=False)
    known = {f.name for f in parts["fleet"].schema.inputs}
    dropped = {*WEAR_OF_OWNERS, "allowance", "allowance_used", "restart"}
    dropped |= set() if "need_billed" in fleet else {"retail_price"}
    return fleet[[n for n in map(str, fleet.data_vars) if n in known - dropped]]


def _sessions(
    case: xr.DataTree, session: np.ndarray, kind: np.ndarray, row: list[str], names: np.ndarray
) -> xr.Dataset:
    """Return the table of sessions with one for each copy."""
    table = case.children["sessions"].to_dataset(inherit=False)
    table = table.drop_vars([n for n in CONTRACTED if n in table])
    label = table.get("name", table.session).astype(str).isel(session=session)
    copies = table.isel(session=session).assign_coords(session=np.arange(len(session)))
    return copies.assign(
        row=("session", np.array(row, dtype=str)),
        type=("session", np.append(names, "")[kind].astype(str)),
        name=("session", label.to_numpy()),
    )


def weighed(case: xr.DataTree, weight: xr.DataArray, parts: Mapping[str, Part]) -> xr.DataTree:
    """Return a case whose fleet members are as large as their weight, and their sessions too."""
    tree, fleet = case.copy(), case.children["fleet"].to_dataset(inherit=False)
    fields = [f for f in parts["fleet"].schema.inputs if is_extensive(f) and f.name in fleet]
    smaller = {f.name: _times(fleet[f.name], weight) for f in fields}
    vehicles = _times(fleet.get("vehicles", xr.DataArray(1.0)), weight)
    tree["fleet"] = xr.DataTree(fleet.assign(smaller | {"vehicles": vehicles}))

    sessions = case.children["sessions"].to_dataset(inherit=False)
    of_row = weight.to_series().reindex(sessions.row.to_numpy()).fillna(1.0).to_numpy()
    of_session = xr.DataArray(of_row, {"session": sessions.session}, "session")
    kinds = {n: f for n, f in SESSION_FIELDS.items() if n in sessions and is_extensive(f)}
    tree["sessions"] = xr.DataTree(
        sessions.assign({n: _times(sessions[n], of_session) for n in kinds})
    )
    return tree


def _times(x: xr.DataArray, weight: xr.DataArray) -> xr.DataArray:
    """Return a quantity times a weight, in its unit and with its dimension first."""
    return (x * weight).transpose(*weight.dims, ...).assign_attrs(x.attrs)


def _under_contract(copies: Copies, found: Classified) -> xr.DataTree:
    """Return the case with the classes of contracts that are in force, up to the most that each may
    allow.
    """
    case, d, names = copies.case, found.contract, found.names
    calendar, _ = calendar_of(case)
    sessions, _ = sessions_at_entry(case, calendar)
    assert sessions is not None
    copy = sessions["type"].to_numpy() != ""
    number = np.where(copy, found.number[copies.origin], NO_CLASS)
    term = _of_class(d.term, len(names))[number]
    most = _of_class(cap_of(d), len(names))[number]
    held = number >= 0

    tree = case.copy()
    tree["fleet"] = xr.DataTree(fleet_under_contracts(case, sessions, held, most, term))
    cells, begin, _ = cells_of(case, sessions)
    in_term = (cells >= 0) & (begin < ends_of_terms(sessions, term)[cells])
    of_class = (
        np.where(in_term, number[cells], NO_CLASS)[:, None, :] == np.arange(len(names))[:, None]
    )
    axes = {"fleet": copies.weight["fleet"], "class": names, "time": calendar.time}
    in_force = xr.DataArray(of_class, axes, ("fleet", "class", "time")) * copies.weight
    in_force.attrs["units"] = "1"
    group = case.children[GROUP].to_dataset(inherit=False)
    tree[GROUP] = xr.DataTree(
        group.drop_dims(["time", "fleet"], errors="ignore").assign(
            owner_type=copies.owner, in_force=in_force
        )
    )
    tree.attrs["history"] = recorded(case, "a copy of each vehicle for every type of owner")
    return tree


def _of_class(x: xr.DataArray, classes: int) -> np.ndarray:
    """Return a number of each class, the largest over the types where it differs by them."""
    one = xr.DataArray(np.ones(classes), dims="class")
    x = x.max("type") if "type" in x.dims else x
    return np.asarray((x.drop_vars("class", errors="ignore") * one).to_numpy())
