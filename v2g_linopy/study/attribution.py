"""Entries of the ledger by cause, and results side by side."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import Problem, SchemaError
from ..model.part import Part
from ..parts.catalogue import PARTS
from ..solve.audit import mean_total
from ..solve.result import in_profit

CAUSES = ("energy", "reserve", "wear", "drivers", "owners", "grid", "penalties", "other")


def bills(results: Sequence[xr.DataTree], *, parts: Mapping[str, Part] = PARTS) -> pd.DataFrame:
    """Return results entry by entry, by cause.

    These are the sums of their ledgers over the horizon, and the changes against the first.

    Parameters
    ----------
    results : sequence of xarray.DataTree
        Results, each with its ledger; they are called A, B, C and so on.
    parts : mapping of str to Part, default PARTS
        The catalogue, which says what each entry counts as.

    Returns
    -------
    pandas.DataFrame
        ``cause``, ``entry``, ``A``, ``B``, ..., and ``change`` (of B; of more ``change_B``,
        ``change_C``, ...); money of the results, in the order of `CAUSES`. An entry that a result
        has not is 0.

    Raises
    ------
    SchemaError
        The results are in different currencies.
    """
    money = [str(tree.attrs.get("currency", "EUR")) for tree in results]
    if len({*money}) > 1:
        told = ", ".join(
            f"{m} in {name}" for name, m in zip(letters(len(money)), money, strict=True)
        )
        raise SchemaError([Problem("currency", "consistency", told)])
    names = letters(len(results))
    sums = {name: _sums(tree) for name, tree in zip(names, results, strict=True)}
    table = pd.DataFrame(sums).fillna(0.0)
    for name in names[1:]:
        change = "change" if len(names) == 2 else f"change_{name}"
        table[change] = table[name] - table[names[0]]
    table.insert(0, "entry", table.index)
    table.insert(0, "cause", [cause_of(entry, parts) for entry in table["entry"]])
    order = [CAUSES.index(cause) for cause in table["cause"]]
    return table.iloc[np.argsort(order, kind="stable")].reset_index(drop=True)


def letters(count: int) -> list[str]:
    """Return short names for results: A to Z, then A2 to Z2.

    >>> letters(3), letters(28)[-1]
    (['A', 'B', 'C'], 'B2')
    """
    return [f"{chr(65 + k % 26)}{k // 26 + 1 if k >= 26 else ''}" for k in range(count)]


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
