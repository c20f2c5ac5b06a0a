"""Entries of the ledger by cause, and two results side by side."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import Problem, SchemaError
from ..model.part import Part
from ..parts.catalogue import PARTS
from ..solve.audit import mean_total
from ..solve.result import in_profit

CAUSES = ("energy", "reserve", "wear", "drivers", "grid", "penalties", "other")


def side_by_side(
    one: xr.DataTree, other: xr.DataTree, *, parts: Mapping[str, Part] = PARTS
) -> pd.DataFrame:
    """Return two results entry by entry, by cause.

    These are the sums of both ledgers over the horizon, and the change.

    Parameters
    ----------
    one, other : xarray.DataTree
        Results, each with its ledger.
    parts : mapping of str to Part, default PARTS
        The catalogue, which says what each entry counts as.

    Returns
    -------
    pandas.DataFrame
        ``cause``, ``entry``, ``one``, ``other``, ``change``; money of the results, in the order of
        `CAUSES`.

    Raises
    ------
    SchemaError
        The results are in different currencies.
    """
    money = [str(tree.attrs.get("currency", "EUR")) for tree in (one, other)]
    if money[0] != money[1]:
        raise SchemaError(
            [
                Problem(
                    "currency", "consistency", f"{money[0]} in one result, {money[1]} in the other"
                )
            ]
        )
    table = pd.DataFrame(
        {name: _sums(tree) for name, tree in (("one", one), ("other", other))}
    ).fillna(0.0)
    table["change"] = table["other"] - table["one"]
    table.insert(0, "entry", table.index)
    table.insert(0, "cause", [cause_of(entry, parts) for entry in table["entry"]])
    order = [CAUSES.index(cause) for cause in table["cause"]]
    return table.iloc[np.argsort(order, kind="stable")].reset_index(drop=True)


def _sums(result: xr.DataTree) -> dict[str, float]:
    """The ledger of a result summed over the horizon, the mean over scenarios."""
    probability = result.to_dataset().get("probability")
    entries = result["ledger"].to_dataset().data_vars.items()
    return {str(n): mean_total(x, probability) for n, x in entries}


def cause_of(entry: str, parts: Mapping[str, Part] = PARTS) -> str:
    """Return what an entry of the ledger counts as.

    It is what its part declares, and a penalty where it is no part of profit.
    """
    if not in_profit(entry):
        return "penalties"
    name, _, leaf = entry.partition(".")
    declared = parts[name].entries.get(leaf) if name in parts else None
    return "other" if declared is None else declared.cause
