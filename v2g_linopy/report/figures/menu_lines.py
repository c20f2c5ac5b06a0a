"""A menu in a picture: each contract, and the line on which its owner is as well off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from ...model.contracts import CALLED, FULL, contract_of
from .style import BLACK, CYCLE, GREY, PALE, sheet, title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST = 4
"""Classes that are drawn, side by side."""
X_LABELS = {FULL: "energy that may be discharged, kWh", CALLED: "energy called on average, kWh"}


def indifference_lines(menu: xr.DataTree) -> Figure:
    """Draw the contracts of a menu, and a line through each on which its owner is as well off.

    A line rises by what the type asks per kWh. No contract lies above the line of an owner: each
    takes its own. The dotted line is what the last type asks, below which it would lose.

    Parameters
    ----------
    menu
        As `v2g.menu` returns it; of several classes the first four are drawn.
    """
    d, money = contract_of(menu), str(menu.attrs.get("currency", "EUR"))
    classes = list(d.indexes["class"])[:MOST] if "class" in d.energy.dims else [None]
    with sheet(1, len(classes), height=4.2, sharey=True) as (figure, grid):
        for axes, chosen in zip(grid[0], classes, strict=True):
            one = d if chosen is None else d.sel({"class": chosen})
            _draw_contracts(axes, one)
            axes.set_xlabel(X_LABELS[str(d.reckons.item())])
            note = f"{float(one.term):g} h" + ("" if chosen is None else f", class {chosen}")
            title(axes, "What owners are offered", note)
        grid[0, 0].set_ylabel(f"payment, {money}")
        handles, labels = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4, handlelength=1.6)
    return figure


def _draw_contracts(axes: Axes, d: xr.Dataset) -> None:
    """Draw lines and contracts of one class, the types in the colours of the house."""
    energy, payment = (d[n].to_numpy() for n in ("energy", "payment"))
    x = d["called"].to_numpy() if str(d.reckons.item()) == CALLED else energy
    ask = (d.wear / d.theta).to_numpy()
    widest = 1.08 * max(float(x.max()), 1e-6)
    reach = np.array([0.0, widest])
    axes.plot(x, payment, color=PALE, linewidth=5, solid_capstyle="round", zorder=1)
    for m, name in enumerate(d.indexes["type"]):
        colour = CYCLE[m % len(CYCLE)]
        line = payment[m] + ask[m] * (reach - x[m])
        axes.plot(reach, line, color=colour, linewidth=1.2, label=f"as good for type {name}")
        axes.plot(x[m], payment[m], "o", color=colour, markersize=7, zorder=3)
    axes.plot(reach, ask[-1] * reach, color=GREY, linestyle=":", label="asked by the last type")
    _name_contracts(axes, d, x, payment)
    axes.set_xlim(0, widest)
    axes.set_ylim(0, 1.25 * max(float(payment.max()), 1e-6))


def _name_contracts(axes: Axes, d: xr.Dataset, x: np.ndarray, payment: np.ndarray) -> None:
    """Write the types that take a contract beside it; those that share one stand in one text.

    Texts stand above and below in turn, as contracts may be next to each other.
    """
    names: dict[tuple[float, float], list[str]] = {}
    for m, name in enumerate(d.indexes["type"]):
        names.setdefault((round(float(x[m]), 6), round(float(payment[m]), 6)), []).append(str(name))
    for number, (place, types) in enumerate(names.items()):
        axes.annotate(
            ", ".join(types),
            place,
            xytext=(0, -14 if number % 2 else 8),
            textcoords="offset points",
            ha="center",
            fontsize=8,
            color=BLACK,
        )
