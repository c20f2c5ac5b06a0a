"""A menu from its data: designed, offered in part, judged, and put into a file."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import xarray as xr

from ...case.io import CONVENTIONS, SCHEMA_VERSION, recorded, stamped
from ...case.schema import Field, suggest, with_attributes
from ...case.version import package_version
from ...errors import Problem, Remedy, SchemaError
from ...model.contracts import (
    CALLED,
    FIELDS,
    GROUP,
    cap_of,
    claimable,
    contract_of,
    of_each_class,
    term_problems,
)
from .certificate import cap_called, class_shares, judged
from .exact import best_on_points, exact_menu, revealing_payments
from .linear import Classes, LinearMenu, linear_menu, robust_menu
from .utilities import (
    Utility,
    UtilityByClass,
    as_called,
    calls_are_tabulated,
    differs_by_class,
    is_bent,
    utility_of,
)

Given = float | str | Sequence[float] | Sequence[Sequence[float]] | np.ndarray | xr.DataArray
Method = Literal["exact", "linear"]
METHODS = ("exact", "linear")
FOUND = "menu"
"""The group beside `/contract` that holds what was found of a menu."""
_SAME = 1e-9


def menu(
    source: xr.DataTree | None = None,
    *,
    method: Method = "exact",
    robust: float | None = None,
    offer: int | None = None,
    **fields: Given,
) -> xr.DataTree:
    """Design the best menu of contracts for owners of vehicles, or judge one that is offered.

    Each type of owner gets an energy that may be discharged within a term, and a payment for which
    it takes that contract and no other (docs/formulation.md §10).

    Parameters
    ----------
    source : xarray.DataTree, optional
        A case or a menu with the group `/contract`; its other groups are left out of the menu.
    method : {"exact", "linear"}, default "exact"
        The closed form, or a linear program with tangents, which also takes caps that differ by
        type. Shares that are known as intervals need the linear program in any case.
    robust : float, optional
        Every share may be off by this much (1): the menu is best at the worst shares.
    offer : int, optional
        Offer the contracts of the lowest types only, so many; higher types then take the last one.
    **fields
        Arrays of `/contract`, which replace those of `source`: numbers, lists along `type` (or
        `class`, `point`), nested lists along both, or labelled arrays. In coherent units: kW, kWh,
        h, EUR. Where `energy` and `payment` are given, the menu is judged and not designed; where
        only `energy` is, the payments are found.

    Returns
    -------
    xarray.DataTree
        `/contract` with `energy` (type[, class], kWh) and `payment` (EUR), and `/menu` with rents,
        pooled, excluded and capped types, the value, and the proof that each type takes its own
        contract. It is written with `v2g.write`.

    Raises
    ------
    SchemaError
        The data do not fit; every problem is listed.
    SolveError, SolverError, Interrupted
        The linear program ended without a menu.

    References
    ----------
    Mussa, Rosen (1978), "Monopoly and product quality"; Myerson (1981), "Optimal auction design".

    Examples
    --------
    Two types, each as likely; the open one asks half as much per kWh. It gets more than it asks,
    since it could pretend to be the other:

    >>> import v2g_linopy as v2g
    >>> found = v2g.menu(
    ...     theta=[1, 2], share=0.5, wear=0.02, term=3, power=11, utility="log", utility_scale=0.3
    ... )
    >>> found["contract"].energy.round(3).values.tolist()
    [9.0, 29.0]
    >>> found["contract"].payment.round(3).values.tolist()
    [0.18, 0.38]
    >>> found["menu"].rent.round(3).values.tolist()
    [0.0, 0.09]
    """
    data = assigned(source, _checked(method, robust, offer, fields))
    if robust is not None:
        data = data.assign(_intervals(data, robust))
    tree = _as_tree(data, source)
    d = _long_enough(contract_of(tree), source)
    offered, bound = _offered(d, method) if "payment" not in d else (d, None)
    offered = offered if offer is None else _only_lowest(offered, offer)
    found = judged(offered, bound, str(tree.attrs.get("currency", "EUR")))
    return menu_file(source, data, offered, found)


def _checked(
    method: str, robust: float | None, offer: int | None, fields: dict[str, Given]
) -> dict[str, Given]:
    """Return the fields, where all arguments are what they may be."""
    known = [f.name for f in FIELDS]
    problems = [
        Problem(f"{GROUP}.{name}", "unknown", f"unknown{suggest(name, known, f'{GROUP}.')}")
        for name in fields
        if name not in known
    ]
    if method not in METHODS:
        problems.append(Problem("method", "choice", f"{method!r} is not one of exact, linear"))
    if robust is not None and not 0 <= robust <= 1:
        problems.append(Problem("robust", "range", f"{robust:g}, allowed [0, 1]"))
    if offer is not None and offer < 1:
        problems.append(Problem("offer", "range", f"{offer}: at least one contract is offered"))
    if problems:
        raise SchemaError(problems, "the menu")
    return fields


def assigned(source: xr.DataTree | None, fields: dict[str, Given]) -> xr.Dataset:
    """Return the group `/contract` with the fields that are given, in coherent units."""
    data = xr.Dataset()
    if source is not None and GROUP in source.children:
        group = source.children[GROUP].to_dataset(inherit=False)
        data = group.drop_dims(["time", "fleet"], errors="ignore")
    data = data.drop_vars([name for name in fields if name in data])
    used = {d for x in data.data_vars.values() for d in x.dims}
    data = data.drop_vars([name for name in data.coords if name not in used])
    declared = {f.name: f for f in FIELDS}
    arrays = {name: _array(declared[name], value) for name, value in fields.items()}
    sizes = {dim: n for a in arrays.values() for dim, n in a.sizes.items() if dim not in a.coords}
    labels = {dim: [str(i + 1) for i in range(n)] for dim, n in sizes.items()}
    missing = {dim: names for dim, names in labels.items() if dim not in data.coords}
    try:
        return (
            data.drop_vars([n for n in arrays if n in data]).assign(arrays).assign_coords(missing)
        )
    except ValueError as error:
        detail = f"arrays do not fit together: {error}"
        raise SchemaError([Problem(GROUP, "dims", detail)], "the menu") from None


def _array(field: Field, value: Given) -> xr.DataArray:
    """Return a value with the dimensions of its field, as many as it has, and the coherent unit."""
    if isinstance(value, xr.DataArray):
        return value
    plain = np.atleast_1d(value) if field.name == "theta" else np.asarray(value)
    dims = field.dims.split()[: plain.ndim]
    if len(dims) < plain.ndim:
        detail = f"has {plain.ndim} dimensions, may have only {field.dims or 'none'}"
        raise SchemaError([Problem(f"{GROUP}.{field.name}", "dims", detail)], "the menu")
    return xr.DataArray(plain, dims=dims)


def _intervals(data: xr.Dataset, robust: float) -> dict[str, xr.DataArray]:
    """Return the intervals in which shares are, each off by as much."""
    if "share" not in data:
        return {}
    share = data["share"]
    return {
        "share_min": (share - robust).clip(min=0.0),
        "share_max": (share + robust).clip(max=1.0),
    }


def _as_tree(data: xr.Dataset, source: xr.DataTree | None) -> xr.DataTree:
    """Return a tree of the group alone, with the money and the title of its source."""
    attrs = {} if source is None else source.attrs
    kept = {name: attrs[name] for name in ("currency", "title", "source") if name in attrs}
    return xr.DataTree.from_dict({"/": xr.Dataset(attrs=kept), f"/{GROUP}": data})


def _long_enough(d: xr.Dataset, source: xr.DataTree | None) -> xr.Dataset:
    """Return the data, unless the sessions of the case are all shorter than a term."""
    if source is not None and "sessions" in source.children:
        sessions = source.children["sessions"].to_dataset(inherit=False)
        if problems := term_problems(d, sessions):
            raise SchemaError(problems, str(source.attrs.get("title") or "the menu"))
    return d


def _offered(d: xr.Dataset, method: Method) -> tuple[xr.Dataset, xr.DataArray | None]:
    """Return the data with a menu, and a value that no menu exceeds."""
    if "energy" in d:
        x = d.called if str(d.reckons.item()) == CALLED else d.energy
        return d.assign(payment=revealing_payments(x, d.wear / d.theta)), None
    if differs_by_class(d):
        return _offered_by_class(d, method)
    utility, robust = utility_of(d), "share_min" in d
    if is_bent(d):
        return _on_points(d, robust)
    if robust or method == "linear":
        found = _by_program(d, utility, robust)
        bound = _bound_at(d, utility, found) if _same_caps(d) else found.bound
        return _with_menu(d, found.energy, found.payment), bound
    if not _same_caps(d):
        detail = (
            "differs by type, and so does the cap of the energy, for which no closed form holds"
        )
        remedy = Remedy("method", ("linear",))
        raise SchemaError([Problem(f"{GROUP}.power", "consistency", detail, (remedy,))], "the menu")
    best = exact_menu(d.wear / d.theta, d.share, utility, _one_cap(d))
    return _with_menu(d, best.energy, best.payment), dual_bound(d, utility, d.share)


def _offered_by_class(d: xr.Dataset, method: Method) -> tuple[xr.Dataset, xr.DataArray | None]:
    """Return the menus of classes with utilities of their own, and a bound.

    In closed form each class has its menu, as long as no type gains by pretending to be of another
    class. The linear program keeps them from it.
    """
    if method == "linear":
        return _together(d)
    designed = [_offered(one, method) for _, one in of_each_class(d)]
    menus = _along_classes(d, [found[_contracts(found)] for found, _ in designed])
    bounds = [bound for _, bound in designed if bound is not None]
    bound = _along_classes(d, bounds) if len(bounds) == len(designed) else None
    offered = d.assign(menus)
    gain = -float(judged(offered).class_compatibility.min())
    if gain > _SAME:
        detail = f"menus of the classes by themselves let a type gain {gain:.4g} by a shorter stay"
        remedy = Remedy("method", ("linear",))
        raise SchemaError([Problem(f"{GROUP}.class", "consistency", detail, (remedy,))], "the menu")
    return offered, bound


def _together(d: xr.Dataset) -> tuple[xr.Dataset, xr.DataArray]:
    """Solve one linear program for all classes, in which no type gains by another class."""
    if "share_min" in d or any(is_bent(one) for _, one in of_each_class(d)):
        detail = (
            "differs by class; then shares have to be known, and values concave in what is called"
        )
        raise SchemaError([Problem(f"{GROUP}.table_value", "consistency", detail)], "the menu")
    each = dict(of_each_class(d))
    cap = _along_classes(d, [cap_called(one) for one in each.values()])
    utility = UtilityByClass({name: utility_of(one) for name, one in each.items()})
    classes = Classes(class_shares(d), claimable(d))
    found = linear_menu(d.wear / d.theta, d.share, utility, cap, classes=classes)
    menus = [
        _with_menu(one, *(x.sel({"class": name}, drop=True) for x in (found.energy, found.payment)))
        for name, one in zip(d.indexes["class"], each.values(), strict=True)
    ]
    return d.assign(_along_classes(d, [m[_contracts(m)] for m in menus])), found.bound


def _contracts(d: xr.Dataset) -> list[str]:
    return [name for name in ("energy", "payment", "called") if name in d]


def _along_classes(d: xr.Dataset, each: list[Any]) -> Any:
    """Put what was found of each class beside each other."""
    found = xr.concat(each, d.coords["class"].variable)
    return found.assign_coords({"class": d.coords["class"]})


def _by_program(d: xr.Dataset, utility: Utility, robust: bool) -> LinearMenu:
    """Solve the linear program, for the shares or for their intervals."""
    ask, cap = d.wear / d.theta, cap_called(d)
    if robust:
        return robust_menu(ask, d.share_min, d.share_max, utility, cap)
    return linear_menu(ask, d.share, utility, cap)


def dual_bound(d: xr.Dataset, utility: Utility, share: xr.DataArray) -> xr.DataArray:
    """Return a value that no menu exceeds at these shares (EUR per owner).

    Virtual costs are prices at which rising energies need no row of their own::

        sum_m share_m max_w (u(w) - virtual_cost_m w)
    """
    best = exact_menu(d.wear / d.theta, share, utility, _one_cap(d))
    cost = best.virtual_cost.where(share > 0, 0.0)
    return (share * (utility.of(best.energy) - cost * best.energy)).sum("type")


def _bound_at(d: xr.Dataset, utility: Utility, found: LinearMenu) -> xr.DataArray:
    """Return the value in closed form at the shares of the program: a bound, like its own."""
    exact = dual_bound(d, utility, found.share)
    return exact.copy(data=np.minimum(exact.to_numpy(), found.bound.to_numpy()))


def _same_caps(d: xr.Dataset) -> bool:
    """Whether all types of a class have one cap."""
    cap = cap_of(d)
    return "type" not in cap.dims or bool((cap.max("type") - cap.min("type") <= _SAME).all())


def _one_cap(d: xr.Dataset) -> xr.DataArray:
    """Return the cap of each class, in the energy that owners reckon with."""
    cap = cap_called(d)
    return cap.isel(type=0) if "type" in cap.dims else cap


def _on_points(d: xr.Dataset, robust: bool) -> tuple[xr.Dataset, xr.DataArray | None]:
    """Return the best menu of energies that stand in the table."""
    if robust or not _same_caps(d) or "class" in _one_cap(d).dims:
        detail = "is not concave in what is called; give one class, and shares that are known"
        raise SchemaError([Problem(f"{GROUP}.table_value", "consistency", detail)], "the menu")
    ask = d.wear / d.theta
    allowed = d.table_energy.to_numpy() <= float(cap_of(d).max()) + _SAME
    energy, value, called = (
        d[name].to_numpy()[allowed] for name in ("table_energy", "table_value", "table_called")
    )
    place = best_on_points(ask, d.share, called, value)
    x = place.copy(data=called[place.to_numpy()])
    found = d.assign(energy=place.copy(data=energy[place.to_numpy()]), called=x)
    return found.assign(payment=revealing_payments(x, ask)), None


def _with_menu(d: xr.Dataset, x: xr.DataArray, payment: xr.DataArray) -> xr.Dataset:
    """Add the energies, and what is called of them where owners reckon with that."""
    if not calls_are_tabulated(d):
        return d.assign(energy=x, payment=payment)
    kept = as_called(d)
    called, energy = d.table_called.to_numpy()[kept], d.table_energy.to_numpy()[kept]
    sold = x.copy(data=np.interp(x.to_numpy(), called, energy))
    return d.assign(energy=sold, called=x, payment=payment)


def _only_lowest(d: xr.Dataset, number: int) -> xr.Dataset:
    """Offer the contracts of the lowest types; each higher one takes the last of them."""
    last = np.minimum(np.arange(d.sizes["type"]), number - 1)
    names = [name for name in ("energy", "payment", "called") if name in d]
    return d.assign({n: d[n].isel(type=last).assign_coords(type=d["type"]) for n in names})


def menu_file(
    source: xr.DataTree | None, data: xr.Dataset, offered: xr.Dataset, found: xr.Dataset
) -> xr.DataTree:
    """Return the menu as it is written: the data with its contracts, and what was found."""
    declared = {f.name: f for f in FIELDS}
    new = [n for n in ("energy", "payment", "called") if n in offered]
    order = [d for d in ("type", "class") if d in offered.dims]
    contracts = {n: offered[n].transpose(*order, missing_dims="ignore") for n in new}
    verb = "judged" if "payment" in data else "designed"
    attrs = _root_attributes(source, f"menu {verb} by v2g-linopy {package_version()}")
    if source is None:
        attrs["title"] = f"menu of {offered.sizes['type']} types of owners"
    group = {
        str(n): with_attributes(x, declared[str(n)], str(attrs["currency"]))
        for n, x in data.assign(contracts).data_vars.items()
    }
    groups = {"/": xr.Dataset(attrs=attrs), f"/{GROUP}": xr.Dataset(group), f"/{FOUND}": found}
    return xr.DataTree.from_dict(groups)


def _root_attributes(source: xr.DataTree | None, what: str) -> dict[str, str | int]:
    """Return the attributes of a menu: those of its source, and one more line of history."""
    attrs: dict[str, str | int] = {
        "Conventions": CONVENTIONS,
        "schema_version": SCHEMA_VERSION,
        "title": "",
        "source": "",
        "currency": "EUR",
        "history": stamped(what),
    }
    if source is None:
        return attrs
    kept = {n: source.attrs[n] for n in ("title", "source", "currency") if n in source.attrs}
    return attrs | kept | {"history": recorded(source, what)}
