"""What each way of operating adds to the profit, and from which source, as a page."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from ...case.label_text import printable
from ...study.profit_sources import MEANINGS
from .. import labels
from ..figures.style import svg
from ..figures.waterfall import SUM, TOTAL, profit_waterfall
from .write import style_sheet, template


def render_steps(
    steps: pd.DataFrame,
    *,
    money: str = "EUR",
    foresight: Mapping[str, float] | None = None,
    places: Mapping[str, str] | None = None,
) -> str:
    """Return steps of profit as HTML, offline, with their figure.

    Parameters
    ----------
    steps : pandas.DataFrame
        As `v2g.profit_steps` returns it.
    money : str, default "EUR"
        The currency.
    foresight : mapping of str to float, optional
        By name of a way of operating, what it would earn more if it knew all prices.
    places : mapping of str to str, optional
        By name of a way of operating, the file that it was read from.
    """
    from markupsafe import Markup

    told = [name for name in steps.index if steps.loc[name].abs().max() > 0 or name == SUM]
    page = template("steps.html.j2").render(
        css=style_sheet(),
        title="Where the profit comes from",
        headline=_headline(steps, money),
        money=money,
        columns=list(steps.columns),
        rows=[
            {
                "name": name,
                "cells": [labels.money(x) for x in steps.loc[name]],
                "is_sum": name == SUM,
            }
            for name in told
        ],
        meanings=[(name, MEANINGS[name]) for name in told if name in MEANINGS],
        foresight=[(name, labels.signed(x, 2)) for name, x in (foresight or {}).items()],
        places=list((places or {}).items()),
        figure=Markup(svg(profit_waterfall(steps, money), "steps", "what each step adds")),
    )
    return printable(page)


def _headline(steps: pd.DataFrame, money: str) -> str:
    """Say what the last way of operating earns, and how much of it the steps add."""
    columns = [str(n) for n in steps.columns if n != TOTAL]
    first, last = columns[0], columns[-1].removeprefix("+ ")
    totals = steps.loc[SUM].to_dict()
    total, begun = totals[TOTAL], totals[columns[0]]
    return (
        f"{last} earns {labels.amount(total)} {money}, {labels.signed_amount(total - begun)}"
        f" {money} against {first}"
    )
