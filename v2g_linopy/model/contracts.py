"""Contracts with owners of vehicles: every array of `/contract`, and what must hold of them.

A menu offers each type of owner an energy that may be discharged within a term, and a payment for
it (docs/formulation.md §10). One who designs a menu, the rule that settles it and online operation
all read the group by this declaration.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import xarray as xr

from ..case.schema import ABSENT, REQUIRED, Calendar, Field, Rule, Schema, violations
from ..errors import Problem, SchemaError, SolverError

GROUP = "contract"
"""The group of a case, and of a file that holds a menu alone."""
UTILITIES = ("log", "sqrt", "cara", "table", "schedule")
"""Forms of the value that an energy has for the aggregator."""
TABULATED = ("table", "schedule")
FULL, CALLED = "full", "called"
WEAR_OF_OWNERS = {"wear": 0.0, "replacement_cost": np.nan}
"""Fields of the fleet that price what is discharged, and what says that there is no such price:
under contracts owners are paid for it."""
_ROUNDING = 1e-15
_NEAR = 1e-9
"""What sums of shares and slopes of a table may be apart by rounding."""


def _number(name: str, dims: str, unit: str, doc: str, default: object = ABSENT) -> Field:
    """Declare a number that may not be negative."""
    return Field(name, dims, unit, doc, default, ge=0.0)


def _share(name: str, doc: str, default: object = ABSENT) -> Field:
    """Declare a share of the owners."""
    return Field(name, "type", "1", doc, default, ge=0.0, le=1.0)


def _share_of_classes() -> Field:
    """Declare how the sessions that may have a contract are spread over the classes."""
    doc = "share of the sessions with a contract that are of the class; by default all alike"
    return Field("class_share", "class", "1", doc, ABSENT, ge=0.0, le=1.0)


FIELDS = (
    _number(
        "theta",
        "type",
        "1",
        "openness of the owner: asks wear / theta per kWh; ordered from low to high",
        REQUIRED,
    ),
    _share("share", "share of the owners that are of the type", REQUIRED),
    _share("share_min", "least share of the type, where shares are known as intervals"),
    _share("share_max", "largest share of the type, where shares are known as intervals"),
    _number("wear", "", "EUR/kWh", "wear of the battery per kWh discharged", REQUIRED),
    _number(
        "term",
        "class",
        "h",
        "hours after arrival in which the energy may be discharged, and the owner stays",
        REQUIRED,
    ),
    _number("power", "type class", "kW", "discharging power; with the term it caps the energy"),
    Field(
        "utility",
        "",
        "",
        "form of the value that an energy has for the aggregator",
        "log",
        kind="choice",
        choices=UTILITIES,
    ),
    _number("utility_scale", "class", "EUR", "factor of the utility (log, sqrt, cara)"),
    _number("utility_rate", "", "1/kWh", "how fast the utility saturates (cara)"),
    _number("table_energy", "point", "kWh", "energies of a tabulated utility, the first one 0"),
    Field(
        "table_value",
        "point class",
        "EUR",
        "value of each of these energies, the first one 0",
        ABSENT,
    ),
    _number("table_called", "point class", "kWh", "mean energy called where each of them is sold"),
    Field(
        "reckons",
        "",
        "",
        "what owners expect to be discharged: all of the energy, or what is called on average",
        FULL,
        kind="choice",
        choices=(FULL, CALLED),
    ),
    _number("called", "type class", "kWh", "mean energy called under each contract"),
    _number("energy", "type class", "kWh", "energy that may be discharged, at the charger"),
    _number("payment", "type class", "EUR", "paid at the end of the term, called or not"),
    _share_of_classes(),
    _number("class_room", "class", "kWh", "least energy that a session of the class can give"),
    _number("need_price", "", "EUR/kWh", "drivers pay this per kWh of need that is served", 0.0),
    _number("dispatch_cost", "", "EUR/kWh", "charged to a plan per kWh discharged", 0.0),
)
"""Every array of `/contract`; `energy` and `payment` are given where a menu is offered, and absent
where it is to be designed.
"""


def contract_problems(d: xr.Dataset, calendar: Calendar) -> list[Problem]:
    """Return what is wrong between the arrays of a `/contract` whose fields are fine one by one.

    Parameters
    ----------
    d : xarray.Dataset
        The group in coherent units, defaults filled in.
    calendar : Calendar
        Zone and money of the case; a menu alone needs no time stamps.

    Returns
    -------
    list of Problem
        Numbers that must be above 0, types out of order, shares that do not sum to 1, intervals of
        shares that no shares keep to, a utility without its numbers or not concave, classes out of
        order, and contracts beyond what their class can give.

    Examples
    --------
    >>> import pandas as pd
    >>> import xarray as xr
    >>> from v2g_linopy.case.schema import Calendar
    >>> from v2g_linopy.model.contracts import contract_problems
    >>> d = xr.Dataset({"theta": ("type", [0.5, 1.0]), "share": ("type", [0.5, 0.6])})
    >>> d = d.assign(wear=0.01, term=3.0, energy=("type", [1.0, 2.0]), reckons="full")
    >>> calendar = Calendar(pd.DatetimeIndex([]))
    >>> for problem in contract_problems(d.assign_coords(type=["a", "b"]), calendar):
    ...     print(problem)
    contract.share: shares of the types sum to 1.1, needs 1
    """
    if not d.sizes.get("type", 0) or "type" not in d.theta.dims:
        detail = "has no types; give the openness of each type of owner along the dimension type"
        return [Problem("contract.theta", "dims", detail)]
    return [
        *violations(GROUP, _rules(d), calendar),
        *_share_problems(d),
        *_utility_problems(d),
        *_offer_problems(d),
    ]


SCHEMA = Schema(FIELDS, checks=(contract_problems,))
"""The group alone. A part that settles contracts adds its outputs."""


def is_menu(tree: xr.DataTree) -> bool:
    """Return True for a file that holds a menu alone: contracts, and no time stamps."""
    return GROUP in tree.children and "time" not in tree.dims


def contract_of(tree: xr.DataTree, *, with_plan: bool = False) -> xr.Dataset:
    """Return `/contract` of a case, or of a file that holds a menu alone, in coherent units.

    Parameters
    ----------
    tree : xarray.DataTree
        As `v2g.read` returns it. A menu alone has no time stamps.
    with_plan : bool, default False
        A menu that is to be designed with a plan has no utility of its own.

    Returns
    -------
    xarray.Dataset
        The arrays on `type`, and `class` or `point` where they differ by them; defaults filled in.

    Raises
    ------
    SchemaError
        There is no such group, or it does not fit; every problem is listed.

    Examples
    --------
    >>> import xarray as xr
    >>> from v2g_linopy.model.contracts import contract_of
    >>> group = xr.Dataset({"theta": ("type", [0.5, 1.0]), "share": 0.5, "wear": 0.01, "term": 3.0})
    >>> group = group.assign(energy=("type", [1.0, 2.0]), payment=("type", [0.02, 0.03]))
    >>> tree = xr.DataTree.from_dict({"/contract": group.assign_coords(type=["a", "b"])})
    >>> d = contract_of(tree)
    >>> str(d.reckons.item()), float(d.need_price)
    ('full', 0.0)
    """
    source = str(tree.attrs.get("title") or "the menu")
    if GROUP not in tree.children:
        detail = "missing: give the types of owners, their shares, wear and term (group /contract)"
        raise SchemaError([Problem(f"/{GROUP}", "missing", detail)], source)
    calendar = Calendar(pd.DatetimeIndex([]), currency=str(tree.attrs.get("currency", "EUR")))
    group = (
        tree.children[GROUP].to_dataset(inherit=False).drop_dims(["time", "fleet"], errors="ignore")
    )
    clean, problems = SCHEMA.validate(group, GROUP, calendar)
    planned = {"in_force": 0.0} if with_plan else {}
    problems = problems or contract_problems(clean.assign(planned), calendar)
    if problems:
        raise SchemaError(problems, source)
    return clean.drop_vars("time")


def cap_of(d: xr.Dataset) -> xr.DataArray:
    """Return the most energy of a contract: power times term, and what its class can give (kWh)."""
    limits = [d.power * d.term] if "power" in d else []
    limits += [d.class_room] if "class_room" in d else []
    cap = limits[0] if limits else xr.DataArray(np.inf)
    return xr.DataArray(np.minimum(cap, limits[-1])) if limits else cap


def claimable(d: xr.Dataset) -> xr.DataArray:
    """Return which class (claimed) a session of a class can pretend to be: no longer stay, and no
    more room.
    """
    limits = [d[name] for name in ("term", "class_room") if name in d and "class" in d[name].dims]
    one = xr.ones_like(d.coords["class"], dtype=bool)
    possible = one & one.rename({"class": "claimed"})
    for limit in limits:
        possible = possible & (limit.rename({"class": "claimed"}) <= limit)
    return possible


def rising_energies(
    energy: xr.DataArray, has_owners: xr.DataArray, has_contracts: xr.DataArray
) -> xr.DataArray:
    """Return energies that do not fall from type to type, without what stands for nobody.

    Parameters
    ----------
    energy : xarray.DataArray
        On type and class, kWh.
    has_owners : xarray.DataArray
        True for a type that some owner is of; another one has the energy of the type below.
    has_contracts : xarray.DataArray
        True for a class that some session is of; another one has the energies of the class below,
        which its sessions could take, or none.
    """
    rising = _largest_so_far(energy.where(has_owners, 0.0), "type")
    number = xr.DataArray(np.arange(energy.sizes["class"]), energy["class"].coords, "class")
    last = _largest_so_far(number.where(has_contracts, -1), "class")
    below = rising.isel({"class": last.clip(min=0).drop_vars("class")})
    return below.assign_coords({"class": energy["class"]}).where(last >= 0, 0.0)


def _largest_so_far(x: xr.DataArray, dim: str) -> xr.DataArray:
    """Return the largest number up to each label."""
    largest = xr.apply_ufunc(
        np.maximum.accumulate,
        x,
        input_core_dims=[[dim]],
        output_core_dims=[[dim]],
        kwargs={"axis": -1},
    )
    return xr.DataArray(largest.transpose(*x.dims))


def least_payments(
    energy: xr.DataArray, ask: xr.DataArray, claimable: xr.DataArray
) -> xr.DataArray:
    """Return the least payments at which nobody loses or pretends to be of another type or class::

        g_mc = max(ask_m w_mc, g_jk + ask_m (w_mc - w_jk)),   c can pretend to be k, or is k

    Energies rise with the type, and pretending goes down only, so that it ends.

    Parameters
    ----------
    energy : xarray.DataArray
        On type and class, kWh.
    ask : xarray.DataArray
        wear / theta (type), EUR/kWh.
    claimable : xarray.DataArray
        Whether a class can pretend to be another one (class, claimed).
    """
    others = {"type": "other", "class": "claimed"}
    payment = ask * energy
    for _ in range(energy.size + 1):
        claim = payment.rename(others) + ask * (energy - energy.rename(others))
        best = claim.where(claimable).max(["other", "claimed"]).transpose(*payment.dims)
        higher = payment.where(payment > best, best)
        if bool((higher - payment <= _ROUNDING * abs(higher)).all()):
            return higher
        payment = higher
    raise SolverError("payments of classes that can pretend to be each other do not settle")


def _rules(d: xr.Dataset) -> Iterator[Rule]:
    """Yield what must hold of each member, one after the other."""
    for name in ("theta", "wear", "term", "power", "utility_scale", "utility_rate"):
        if name in d:
            yield name, d[name] <= 0, d[name], "must be above 0"
    for name, dim in (("theta", "type"), ("class_room", "class")):
        if name in d and dim in d[name].dims:
            falls = d[name] < d[name].shift({dim: 1})
            yield name, falls, d[name], f"is below that of the {dim} before; order them from low"
    if "share_min" in d and "share_max" in d:
        yield "share_min", d.share_min > d.share_max, d.share_min, "is above share_max"
    if "called" in d and "energy" in d:
        yield "called", d.called > d.energy + _NEAR, d.called, "kWh is above the energy sold"
    if "class_room" in d and "energy" in d:
        over = d.energy > d.class_room + _NEAR
        yield "energy", over, d.energy, "kWh is more than a session of the class can give"


def _share_problems(d: xr.Dataset) -> list[Problem]:
    """Return shares that do not sum to 1, and intervals that no such shares keep to."""
    problems = []
    total = float(d.share.sum())
    if abs(total - 1) > _NEAR:
        detail = f"shares of the types sum to {total:g}, needs 1"
        problems.append(Problem("contract.share", "consistency", detail))
    if "class_share" in d and abs(float(d.class_share.sum()) - 1) > _NEAR:
        detail = f"shares of the classes sum to {float(d.class_share.sum()):g}, needs 1"
        problems.append(Problem("contract.class_share", "consistency", detail))
    given = [name for name in ("share_min", "share_max") if name in d]
    if len(given) == 1:
        other = "share_max" if given == ["share_min"] else "share_min"
        problems.append(
            Problem(f"contract.{other}", "missing", f"missing: give it beside {given[0]}")
        )
    if len(given) == 2:
        low, high = float(d.share_min.sum()), float(d.share_max.sum())
        if low > 1 + _NEAR or high < 1 - _NEAR:
            detail = f"shares from {low:g} to {high:g} in sum are allowed, which leaves out 1"
            problems.append(Problem("contract.share_min", "consistency", detail))
    return problems


def _utility_problems(d: xr.Dataset) -> list[Problem]:
    """Return what a menu that is to be designed lacks, and tables that are no concave utility."""
    if "energy" in d:
        return []
    if "in_force" in d:
        detail = "missing: a menu that is designed with a plan needs it, or class_room"
        capped = "power" in d or "class_room" in d
        return [] if capped else [Problem("contract.power", "missing", detail)]
    utility = str(d.utility.item())
    needs = [*(["power"] if "class_room" not in d else [])]
    needs += {
        "log": ["utility_scale"],
        "sqrt": ["utility_scale"],
        "cara": ["utility_scale", "utility_rate"],
    }.get(utility, ["table_energy", "table_value"])
    called = str(d.reckons.item()) == CALLED
    needs += ["table_energy", "table_value", "table_called"] if called else []
    return [
        Problem(f"contract.{name}", "missing", f"missing: a menu of utility {utility} needs it")
        for name in dict.fromkeys(needs)
        if name not in d
    ] or (_table_problems(d, called) if called or utility in TABULATED else [])


def of_each_class(d: xr.Dataset) -> Iterator[tuple[str, xr.Dataset]]:
    """Yield the data of each class of sessions by its name; of all where there are no classes."""
    if "class" not in d.dims:
        yield "", d
        return
    for name in d.indexes["class"]:
        yield str(name), d.sel({"class": name}, drop=True)


def _table_problems(d: xr.Dataset, called: bool) -> list[Problem]:
    """Return what is wrong with the table of each class, once where they have one together."""
    tables = {"table_energy", "table_value", *(["table_called"] if called else [])}
    together = d[list(tables)]
    return [
        Problem(
            problem.where,
            problem.rule,
            f"class {name}: {problem.detail}" if name else problem.detail,
        )
        for name, one in of_each_class(together)
        for problem in _faults_of_table(one, called)
    ]


def _faults_of_table(d: xr.Dataset, called: bool) -> Iterator[Problem]:
    """Yield where a table does not begin at 0, or is not increasing and concave.

    Where owners reckon with what is called, a table that is not concave is designed point by point.
    """

    def fault(name: str, detail: str) -> Problem:
        return Problem(f"contract.{name}", "consistency", detail)

    energy, value = (np.atleast_1d(d[name].to_numpy()) for name in ("table_energy", "table_value"))
    if energy.size < 2 or energy.size != value.size:
        yield fault("table_energy", "needs at least two points, with an energy and a value each")
        return
    if energy[0] != 0 or value[0] != 0:
        detail = f"begins at {energy[0]:g} kWh with {value[0]:g} EUR; no energy has no value"
        yield fault("table_value", detail)
        return
    if (unordered := np.diff(energy) <= 0).any():
        detail = f"{energy[1:][unordered][0]:g} kWh follows no smaller energy; order the points"
        yield fault("table_energy", detail)
        return
    slope = np.diff(value) / np.diff(energy)
    if (slope < 0).any():
        detail = f"falls after {energy[:-1][slope < 0][0]:g} kWh; a larger energy is worth no less"
        yield fault("table_value", detail)
    bends = np.diff(slope) > _NEAR * max(1.0, float(abs(slope).max()))
    if not called and bends.any():
        detail = f"is not concave at {energy[1:-1][bends][0]:g} kWh: its slope rises there"
        yield fault("table_value", detail)
    if called and (np.diff(d.table_called.to_numpy()) < 0).any():
        yield fault("table_called", "falls: a larger energy is called no less")


def _offer_problems(d: xr.Dataset) -> list[Problem]:
    """Return what an offered menu lacks."""
    if "energy" not in d:
        detail = "given without energy; a contract is an energy and its payment"
        return [Problem("contract.energy", "missing", detail)] if "payment" in d else []
    if str(d.reckons.item()) == CALLED and "called" not in d:
        detail = "missing: owners who reckon with what is called need the mean energy called"
        return [Problem("contract.called", "missing", detail)]
    return []


def term_problems(contract: xr.Dataset, sessions: xr.Dataset) -> list[Problem]:
    """Return terms that no charging session is long enough for.

    Parameters
    ----------
    contract : xarray.Dataset
        The group `/contract` in coherent units: `term` (class), h.
    sessions : xarray.Dataset
        The group `/sessions`, with `arrival` and `departure` (session), UTC.

    Returns
    -------
    list of Problem
        One for each term above the longest stay.

    Examples
    --------
    >>> import pandas as pd
    >>> import xarray as xr
    >>> from v2g_linopy.model.contracts import term_problems
    >>> moments = pd.to_datetime(["2026-03-02 08:00", "2026-03-02 10:00"])
    >>> stay = {"arrival": ("session", moments[:1]), "departure": ("session", moments[1:])}
    >>> print(term_problems(xr.Dataset({"term": 3.0}), xr.Dataset(stay))[0])
    contract.term: 3 h is longer than every stay, the longest is 2 h
    """
    if not sessions.sizes.get("session", 0) or not {"arrival", "departure"} <= set(sessions):
        return []
    longest = float(((sessions.departure - sessions.arrival) / np.timedelta64(1, "h")).max())
    terms = np.unique(np.atleast_1d(contract.term.to_numpy()))
    return [
        Problem(
            "contract.term",
            "consistency",
            f"{term:g} h is longer than every stay, the longest is {longest:g} h",
        )
        for term in terms[terms > longest + _NEAR]
    ]
