"""From a case to clean inputs: every group validated against the schema of its part, every problem
listed at once.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import pandas as pd
import xarray as xr

from ..case.io import calendar_of, step_hours
from ..case.schema import Calendar, suggest
from ..errors import Problem, SchemaError
from .part import Part
from .reserve_rules import supplied
from .sessions import validated_sessions
from .terms import SITE

DATA_GROUPS = ("sessions", "vintage", "gates")  # belong to a case without being parts
RESULT_GROUPS = (
    "ledger",
    "price",
    "dual",
    "reduced_cost",
    "audit",
    "ladder",
    "wear",
    "sequence",
    "stages",
    "decomposition",
    "flexibility_bands",
)


@dataclass(frozen=True)
class Inputs:
    """A validated case in coherent units: datasets by part, in build order."""

    parts: Mapping[str, Part]
    data: Mapping[str, xr.Dataset]
    calendar: Calendar
    dt: float
    probability: xr.DataArray | None = None
    notes: tuple[str, ...] = field(default=())

    def __iter__(self) -> Iterator[tuple[Part, xr.Dataset]]:
        return ((self.parts[name], d) for name, d in self.data.items())

    def weight(self, dual: Mapping[str, xr.DataArray]) -> xr.DataArray | float:
        """Return what a EUR in each scenario adds to the objective.

        It is its probability, and what /risk makes of it.

        1 without scenarios; missing (NaN) for a scenario that does not count, such as a good one at
        a weight of 1.
        """
        if self.probability is None:
            return 1.0
        weight = self.probability + dual.get("risk.accounts", 0.0)
        return weight.where(weight > 1e-9)

    @property
    def pods(self) -> pd.Index:
        """Every point of delivery that an asset or a connection names."""
        return pd.Index(_named(self.data), name="pod")


def same_numbers(one: xr.Dataset, other: xr.Dataset) -> bool:
    """Return True where two datasets hold the same; arrays that were not touched are the same
    objects.
    """
    if one.data_vars.keys() != other.data_vars.keys():
        return False
    pairs = ((one.variables[n], other.variables[n]) for n in one.data_vars)
    return all(x is y or x.equals(y) for x, y in pairs)


@dataclass(frozen=True)
class Checked:
    """Groups of a case that were validated by themselves: in coherent units, with what had to be
    assumed, and its charging sessions.
    """

    groups: Mapping[str, tuple[xr.Dataset, tuple[str, ...]]]
    sessions: xr.Dataset | None


def checked_groups(
    case: xr.DataTree, parts: Mapping[str, Part], names: Iterable[str]
) -> Checked | None:
    """Validate some groups of a case, and its sessions; None where something is wrong."""
    calendar, problems = calendar_of(case)
    sessions, unfit = validated_sessions(case, calendar) if not problems else (None, problems)
    groups = {}
    for name in () if unfit else names:
        clean, notes, found = _validated(case, parts[name], calendar)
        unfit += found
        groups[name] = clean, notes
    return None if unfit else Checked(groups, sessions)


def _validated(
    case: xr.DataTree, part: Part, calendar: Calendar
) -> tuple[xr.Dataset, tuple[str, ...], list[Problem]]:
    """A group in coherent units, what had to be assumed, and what is wrong with it."""
    group = case[part.name].to_dataset()
    if not len(calendar.time):  # nothing can be placed
        group = group.drop_dims("time", errors="ignore")
    clean, found = part.schema.validate(group, part.name, calendar)
    if found:
        return clean, (), found
    clean.attrs["member"] = part.schema.member
    return clean, tuple(part.schema.assumptions(group, part.name, calendar.currency)), []


def inputs_of(
    case: xr.DataTree,
    parts: Mapping[str, Part],
    known: Checked | None = None,
) -> Inputs:
    """Validate a case against the parts of the catalogue.

    Parameters
    ----------
    case : xarray.DataTree
        A case, or a result.
    parts : mapping of str to Part
        The catalogue.
    known : Checked, optional
        Groups that were validated before and stand as they were then, and so the sessions.

    Raises
    ------
    SchemaError
        Listing every problem of every group.
    """
    if not isinstance(case, xr.DataTree):
        detail = (
            f"is a {type(case).__name__}, not a DataTree; read it with v2g.read or put it together"
            " with v2g.assemble"
        )
        raise SchemaError([Problem("case", "type", detail)])
    calendar, problems = calendar_of(case)
    problems += _strangers(case, parts)
    broken = not len(calendar.time)  # nothing on it can be placed
    unclear = {"missing"} if broken else set()  # what a wrong clock makes seem wrong besides
    unclear |= {"consistency"} if any(p.where == "time" for p in problems) else set()
    data: dict[str, xr.Dataset] = {}
    notes: list[str] = []
    for part in sorted((p for n, p in parts.items() if n in case.children), key=lambda p: p.stage):
        if known and part.name in known.groups:
            data[part.name], assumed = known.groups[part.name]
            notes += assumed
            continue
        clean, assumed, found = _validated(case, part, calendar)
        problems += [p for p in found if p.rule not in unclear]
        if not found:
            data[part.name] = clean
            notes += assumed
    sessions, unfit = _sessions(case, calendar, known)
    problems += unfit
    if not problems:
        checks = [check for name in data for check in parts[name].case_checks]
        between = [p for check in checks for p in check(data, calendar, step_hours(case))]
        problems += (between or _without_a_market(data)) + _members(parts, data)
        problems += _assets(parts, data)
    if not problems:
        problems += _from_sessions(parts, data, sessions, calendar, step_hours(case))
    if problems:
        raise SchemaError(problems, source=str(case.attrs.get("title") or "the case"))
    return Inputs(parts, data, calendar, step_hours(case), calendar.probability, tuple(notes))


def _sessions(
    case: xr.DataTree, calendar: Calendar, known: Checked | None
) -> tuple[xr.Dataset | None, list[Problem]]:
    """The charging sessions, and what is wrong with them; none on a clock that cannot be read."""
    if known:
        return known.sessions, []
    return validated_sessions(case, calendar) if len(calendar.time) else (None, [])


def _from_sessions(
    parts: Mapping[str, Part],
    data: dict[str, xr.Dataset],
    sessions: xr.Dataset | None,
    calendar: Calendar,
    dt: float,
) -> list[Problem]:
    """Complete the inputs of parts by what charging sessions say; return what is wrong with it."""
    problems = []
    for name in data:
        if (complete := parts[name].from_sessions) is not None:
            data[name], found = complete(data, sessions, calendar, dt)
            problems += found
    return problems


def _strangers(case: xr.DataTree, parts: Mapping[str, Part]) -> list[Problem]:
    known = [*parts, *DATA_GROUPS, *RESULT_GROUPS]
    problems = [
        Problem(f"/{g}", "unknown", f"no such part{suggest(g, known)}")
        for g in case.children
        if g not in known
    ]
    for name, group in case.children.items():
        problems += [
            Problem(f"/{name}/{inner}", "unknown", "groups hold arrays, not groups")
            for inner in group.children
        ]
    stray = [str(n) for n in case.to_dataset().data_vars if n != "probability"]
    return problems + [
        Problem(
            f"/{n}",
            "unknown",
            f"stands at the root; arrays belong to a group{suggest(n, ['probability'])}",
        )
        for n in stray
    ]


def has_market(data: Mapping[str, xr.Dataset]) -> bool:
    """Return True where there is an energy market to trade at."""
    return "energy" in data and bool(data["energy"].sizes.get("market", 0))


def pods_of(d: xr.Dataset) -> list[str]:
    """Return the points of delivery that the members of a part name, each once."""
    return list(dict.fromkeys(map(str, d["pod"].to_numpy().ravel()))) if "pod" in d else []


def pods_at_markets(data: Mapping[str, xr.Dataset]) -> list[str]:
    """Return the points of delivery that trade at markets, having no supplier of their own."""
    connection = data.get("connection")
    if connection is None:
        return _named(data)
    contract = supplied(connection)
    supplied_pods = {str(pod) for pod in connection.indexes["pod"][contract.to_numpy()]}
    return [pod for pod in _named(data) if pod not in supplied_pods]


def _without_a_market(data: Mapping[str, xr.Dataset]) -> list[Problem]:
    """Every pod needs somewhere to trade."""
    pods = pods_at_markets(data)
    if has_market(data) or not pods:
        return []
    which = f"; {', '.join(pods[:5])} would trade there, without a supply_price"
    detail = (
        "missing: give at least one energy market with its price and limit (group /energy,"
        f" dimension market){which if 'connection' in data else ''}"
    )
    return [Problem("energy", "missing", detail)]


def _named(data: Mapping[str, xr.Dataset]) -> list[str]:
    """Every point of delivery that an asset or a connection names; the site where none does."""
    names: dict[str, None] = {}
    for d in data.values():
        if "pod" in d.indexes:
            names |= dict.fromkeys(map(str, d.indexes["pod"]))
        elif d.sizes.get(d.attrs["member"] or "", 0):
            names |= dict.fromkeys(pods_of(d))
    return list(names) or [SITE]


def _members(parts: Mapping[str, Part], data: Mapping[str, xr.Dataset]) -> list[Problem]:
    """Return every label that should name a member of another part and does not."""
    problems = []
    for name, d in data.items():
        for f in parts[name].schema.inputs:
            if not f.of or f.name not in d:
                continue
            dim = parts[f.of].schema.member
            there = (
                [str(m) for m in data[f.of].indexes[dim]]
                if f.of in data and dim in data[f.of].indexes
                else []
            )
            problems += [
                Problem(
                    f"{name}.{f.name}",
                    "labels",
                    f"{m!r} is not a {dim} of /{f.of}{suggest(m, there)}",
                )
                for m in dict.fromkeys(map(str, d[f.name].to_numpy().ravel()))
                if m and m not in there
            ]
    return problems + _axes(parts, data)


def _axes(parts: Mapping[str, Part], data: Mapping[str, xr.Dataset]) -> list[Problem]:
    """Return every label along the members of another part that it does not have: `product` in
    `/exclusion`.
    """
    owners = {p.schema.member: p.name for p in parts.values() if p.schema.member}
    problems = []
    for name, d in data.items():
        own, inputs = (
            parts[name].schema.member,
            [f for f in parts[name].schema.inputs if not f.shared and f.name in d],
        )
        used = dict.fromkeys(str(dim) for f in inputs for dim in d.variables[f.name].dims)
        for dim in (x for x in used if x in owners and x != own):
            other = data.get(owners[dim])
            there = [] if other is None else [str(m) for m in other.indexes.get(dim, [])]
            problems += [
                Problem(
                    f"{name}.{dim}",
                    "labels",
                    f"{m!r} is not a {dim} of /{owners[dim]}{suggest(m, there)}",
                )
                for m in map(str, d.indexes[dim])
                if m not in there
            ]
    return problems


def _assets(parts: Mapping[str, Part], data: dict[str, xr.Dataset]) -> list[Problem]:
    """Bring arrays that a part has per asset into the order of its members; return those that name
    others.
    """
    problems = []
    for name, d in data.items():
        for f in (f for f in parts[name].schema.inputs if f.shared):
            for array in [str(n) for n in d.data_vars if f.names(str(n))]:
                asset = array.removeprefix(f"{f.name}_")
                dim = parts[asset].schema.member if asset in data else None
                there = data[asset].indexes.get(dim, []) if dim else []
                given = d.indexes.get(dim, [])
                if (
                    dim is None
                    or dim not in d[array].dims
                    or sorted(map(str, given)) != sorted(map(str, there))
                ):
                    detail = (
                        f"needs one row for each member of /{asset}"
                        if dim
                        else f"there is no asset /{asset}"
                    )
                    problems.append(Problem(f"{name}.{array}", "labels", detail))
                else:
                    data[name] = data[name].reindex({dim: there})
    return problems
