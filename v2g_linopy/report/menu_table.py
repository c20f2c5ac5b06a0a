"""A menu of contracts as a table: what each type of owner is offered, takes and earns."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import xarray as xr

from ..model.contracts import CALLED, contract_of

STAYS = 20.0
"""Stays of an owner in a month, where nobody says how many there are."""


def menu_table(menu: xr.DataTree, stays: float = STAYS) -> pd.DataFrame:
    """Return a row for each type of owner, and class of sessions where there are several.

    Parameters
    ----------
    menu : xarray.DataTree
        As `v2g.menu` returns it, or as read from its file.
    stays : float, default 20
        Stays in a month, for the columns of a month.

    Returns
    -------
    pandas.DataFrame
        ``class`` (where there are several), ``type``, ``theta``, ``share``, ``term_h``,
        ``energy_kWh``, ``payment_EUR`` (the money of the menu), ``EUR_per_kWh``, ``rent_EUR`` (what
        is left as the type reckons itself), ``surplus_EUR`` (payment less wear of what is
        discharged), ``kWh_per_month``, ``EUR_per_month``, ``takes`` (the contract it likes best,
        or none) and ``note`` (`excluded`, `pooled`, `capped`).

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> from v2g_linopy.report.menu_table import menu_table
    >>> found = v2g.menu(theta=[1, 2], share=0.5, wear=0.02, term=3, power=11, utility_scale=0.3)
    >>> menu_table(found)[["type", "energy_kWh", "payment_EUR", "EUR_per_month"]].round(2)
      type  energy_kWh  payment_EUR  EUR_per_month
    0    1         9.0         0.18            3.6
    1    2        29.0         0.38            7.6
    """
    d, found = contract_of(menu), menu["menu"].to_dataset()
    money = str(menu.attrs.get("currency", "EUR"))
    table = pd.DataFrame(_rows(d, found))
    table[f"{money}_per_kWh"] = (table["payment"] / table["energy_kWh"]).where(
        table["energy_kWh"] > 0
    )
    table["kWh_per_month"] = stays * table["energy_kWh"]
    table[f"{money}_per_month"] = stays * table["payment"]
    table = table.rename(columns={n: f"{n}_{money}" for n in ("payment", "rent", "surplus")})
    last = ["takes", "note"]
    return table[[n for n in table.columns if n not in last] + last]


def _rows(d: xr.Dataset, found: xr.Dataset) -> Iterator[dict[str, object]]:
    """Yield what stands in the menu, class by class and type by type."""
    several = "class" in d["energy"].dims
    classes = [{"class": c} for c in d.indexes["class"]] if several else [{}]
    for chosen in classes:
        of_class = [x.sel({n: c for n, c in chosen.items() if n in x.dims}) for x in (d, found)]
        for name in d.indexes["type"]:
            one, told = (x.sel(type=name) for x in of_class)
            yield {
                **{n: str(c) for n, c in chosen.items()},
                "type": str(name),
                "theta": float(one["theta"]),
                "share": float(one["share"]),
                "term_h": float(one["term"]),
                "energy_kWh": float(one["energy"]),
                "payment": float(one["payment"]),
                "rent": float(told["rent"]),
                "surplus": float(told["surplus"]),
                "takes": str(told["preferred"].item()),
                "note": ", ".join(n for n in ("excluded", "pooled", "capped") if _is(told, n)),
            }


def _is(told: xr.Dataset, name: str) -> bool:
    return name in told and bool(told[name] > 0)


def proof_of(menu: xr.DataTree) -> dict[str, float]:
    """Return the value of a menu and its proof, the worst class where there are several.

    Values and rents are in the money of the menu, the rise in kWh.
    """
    found = menu["menu"].to_dataset()
    names = (
        "value",
        "value_chosen",
        "bound",
        "first_best",
        "rationality",
        "compatibility",
        "class_compatibility",
        "plan_value",
        "choice_value",
        "stays",
    )
    return {n: float(found[n].min()) for n in (*names, "least_rise") if n in found}


def proof_in_words(menu: xr.DataTree) -> list[str]:
    """Return what a menu is worth and what was proved of it, a sentence each."""
    money, found = str(menu.attrs.get("currency", "EUR")), menu["menu"].to_dataset()
    lines = [_worth(c, money) for c in _classes(found)] if "value" in found else []
    if "bound" in found and "mean_value" in found and "class" not in found["bound"].dims:
        lines.append(
            f"all classes: worth {float(found.mean_value):.4f} {money} per owner; no menus"
            f" are worth more than {float(found.bound):.4f}"
        )
    lines += _worth_in_a_plan(found, money)
    told = proof_of(menu)
    lines.append(
        "no owner loses by its contract"
        if told["rationality"] >= -_LITTLE
        else f"an owner loses {-told['rationality']:.4f} {money} by its contract"
    )
    worst = min(told["compatibility"], told.get("class_compatibility", np.inf))
    lines.append(
        "no owner gains by the contract of another"
        + (", nor by a shorter stay" if "class_compatibility" in told else "")
        if worst >= -_LITTLE
        else f"an owner gains {-worst:.4f} {money} by the contract of another"
    )
    return lines


_LITTLE = 1e-9
"""Money by which rounding may seem to make an owner lose."""


def _classes(found: xr.Dataset) -> list[tuple[str, xr.Dataset]]:
    """Return what was found of each class, and words for it."""
    if "class" not in found["value"].dims:
        return [("", found)]
    return [(f"class {c}: ", found.sel({"class": c})) for c in found.indexes["class"]]


def _worth_in_a_plan(found: xr.Dataset, money: str) -> list[str]:
    """Return what a menu is worth in the plan of a case, and by the rule by which owners choose."""
    if "choice_value" not in found:
        return []
    counts = found.stays_with_contract
    of_class = counts.to_series().items() if counts.dims else ()
    told = ", ".join(f"{x:g} of class {c}" for c, x in of_class)
    told = f" ({told})" if told else ""
    lines = [f"{float(counts.sum()):g} of {float(found.stays):g} stays may have a contract{told}"]
    if "plan_value" in found:
        lines.append(
            f"worth {float(found.plan_value):.4f} {money} in the plan that designed it, types as"
            " shares; no menu for these sessions is worth more there"
        )
    lines.append(
        f"worth {float(found.choice_value):.4f} {money} where each owner takes the best contract"
        " that its session can give"
    )
    if "drawn_value" in found:
        x = found.drawn_value
        lines.append(
            f"types drawn {x.sizes['seed']} times: worth {float(x.min()):.4f} to"
            f" {float(x.max()):.4f} {money}, {float(x.mean()):.4f} in the mean"
        )
    return lines


def _worth(of_class: tuple[str, xr.Dataset], money: str) -> str:
    """Return what the menu of a class is worth, what no menu exceeds, and with known types."""
    words, found = of_class
    worst = " at the worst shares" if "worst_share" in found else ""
    line = f"{words}worth {float(found.value):.4f} {money} per owner{worst}"
    if abs(float(found.value_chosen - found.value)) > _LITTLE:
        line += f" who takes the contract meant for it, {float(found.value_chosen):.4f} if each"
        line += " takes what it likes best"
    if "bound" in found and ("class" in found.bound.coords or "mean_value" not in found):
        line += f"; no menu is worth more than {float(found.bound):.4f}"
    if "first_best" in found:
        line += f"; {float(found.first_best):.4f} if the types were known"
    return line


def reckoning(menu: xr.DataTree) -> str:
    """Return what owners expect to be discharged, in words."""
    called = str(contract_of(menu)["reckons"].item()) == CALLED
    return "what is called on average" if called else "all of the energy"
