"""The bill by local month and point of delivery: every entry of the ledger, adding up to profit."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from ..model.part import Part
from ..parts.catalogue import PARTS
from ..solve.result import in_profit
from . import labels
from .result_view import Result, ResultView

HORIZON = "over the horizon"
"""Where a lump sum stands that belongs to no step and no month."""
COLUMNS = ("month", "pod", "entry", "description", "amount", "currency", "penalty")


def monthly(result: Result, *, parts: Mapping[str, Part] = PARTS) -> pd.DataFrame:
    """Every entry of the ledger by local month and pod, the mean over scenarios.

    Parameters
    ----------
    result
        A result of ``solve`` or ``compare``.
    parts
        The catalogue that it was made with; a part that is not in it has no words and no pods.

    Returns
    -------
    pandas.DataFrame
        ``month`` (2026-03, or ``over the horizon`` for a lump sum), ``pod`` (empty for what the
        portfolio pays or earns as a whole, as on its markets), ``entry``, ``description``,
        ``amount`` (+ is income), ``currency``, ``penalty`` (1: part of the objective, not of
        profit). The amounts without penalties add up to profit.
    """
    return ResultView.of(result, parts=parts).once(_monthly)


def _monthly(view: ResultView) -> pd.DataFrame:
    ledger = view.groups.get("ledger", xr.Dataset())
    tables = [_entry(view, str(name), x) for name, x in ledger.data_vars.items()]
    if not tables:
        return pd.DataFrame(columns=list(COLUMNS))
    table = pd.concat(tables, ignore_index=True)
    penalty = (~table["entry"].map(in_profit).astype(bool)).astype(int)
    described = [labels.entry(name, view.parts) for name in table["entry"]]
    return table.assign(description=described, currency=view.currency, penalty=penalty)[
        list(COLUMNS)
    ]


def _entry(view: ResultView, name: str, x: xr.DataArray) -> pd.DataFrame:
    """One entry: a row per month and pod."""
    x = x.reset_coords(drop=True).fillna(0.0)
    when = next((d for d in ("time", "month") if d in x.dims), None)
    pod = _pods(view, name.partition(".")[0], x)
    where = str(pod.dims[0]) if pod.ndim else None
    kept = [d for d in (where, when) if d is not None]
    amounts = (
        x.sum([d for d in x.dims if d not in kept])
        .transpose(*kept)
        .to_numpy()
        .reshape(pod.size, -1)
    )
    months = _months(view, x, when)
    index = pd.MultiIndex.from_product(
        [pod.to_numpy().ravel().astype(str), months], names=["pod", "month"]
    )
    sums = (
        pd.Series(amounts.ravel(), index=index)
        .groupby(level=["month", "pod"], sort=False)
        .sum()
        .round(9)
        + 0.0
    )
    return sums.rename("amount").reset_index().assign(entry=name)


def _months(view: ResultView, x: xr.DataArray, when: str | None) -> list[str]:
    """The local month of each column."""
    if when is None:
        return [HORIZON]
    return (
        list(view.local.strftime("%Y-%m"))
        if when == "time"
        else [str(m)[:7] for m in x.indexes["month"]]
    )


def _pods(view: ResultView, part: str, x: xr.DataArray) -> xr.DataArray:
    """The pod of each row: along the pods themselves, along the members of an asset, or none."""
    if "pod" in x.dims:
        return x["pod"]
    asset = view.assets.get(part)
    if asset is not None and asset.member in x.dims:
        return asset.pod.astype(object).reindex(
            {asset.member: x.indexes[asset.member]}, fill_value=""
        )
    return xr.DataArray("")


def by_month(table: pd.DataFrame) -> pd.DataFrame:
    """Entries as rows, months as columns with lump sums and the sum last.

    In the order of the ledger.
    """
    wide = table.pivot_table(
        index="entry", columns="month", values="amount", aggfunc="sum", sort=False, fill_value=0.0
    )
    months = sorted(m for m in wide.columns if m != HORIZON)
    wide = wide[months + [HORIZON] * (HORIZON in wide.columns)]
    return wide.assign(sum=wide.sum(axis=1)) if len(wide) else wide


def by_pod(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The bill of each pod, where there are several, in their order.

    What belongs to none comes last.
    """
    pods = [str(p) for p in dict.fromkeys(table["pod"]) if p]
    if len(pods) < 2:
        return {}
    return {
        pod: table[table["pod"] == pod]
        for pod in [*pods, *([""] if (table["pod"] == "").any() else [])]
    }


def total(table: pd.DataFrame) -> float:
    """What the rows come to without penalties."""
    return float(np.asarray(table["amount"])[np.asarray(table["penalty"]) == 0].sum())
