"""Chargers whose plugs share one converter, such as a DC bus behind a rectifier
(docs/formulation.md §1)."""

from typing import Any

import numpy as np
import xarray as xr

from ...algebra.expression import Quantity
from ...case.schema import Field, Schema
from ...model.formulas import larger
from ...model.part import Part, Stage
from ...model.scope import Scope
from ...model.terms import Replay, Terms
from ...model.view import View

SCHEMA = Schema(
    inputs=(
        Field(
            "charge_max",
            "charger time",
            "kW",
            "power its converter can draw for all plugs",
            ge=0,
            infinite=True,
        ),
        Field(
            "discharge_max",
            "charger time",
            "kW",
            "power it can feed in from all plugs",
            ge=0,
            infinite=True,
        ),
    ),
)


def build(s: Scope, d: xr.Dataset) -> Terms:
    """Limits of each converter, as planned and with every reserve held behind it activated.

    See docs/formulation.md §1.

    With charge c and discharge g of the members whose `charger` it is, and `held` the reserve they
    hold, measured from the expected power [kW at the grid side of the converter]::

        -discharge_max <= sum (c - g) <= charge_max
        sum (g - c + held_up) <= discharge_max,   sum (c - g + held_down) <= charge_max

    What one plug gives another counts as net; its losses are those of the way through the grid.
    """
    fleet = s.inputs.get("fleet")
    if (
        fleet is None
        or "charger" not in fleet
        or not bool((fleet.charge_max + fleet.discharge_max > 0).any())
    ):
        return Terms()
    chargers = d.indexes["charger"]
    fed = s.per_label(s.flows["fleet"].net, "fleet", "charger", chargers)
    limit_in, limit_out = np.isfinite(d.charge_max), np.isfinite(d.discharge_max)
    most_in, most_out = d.charge_max.where(limit_in, 0.0), d.discharge_max.where(limit_out, 0.0)
    s.add("charge", -1 * fed <= most_in, mask=limit_in)
    s.add("discharge", fed <= most_out, mask=limit_out)
    for path, every in s.held_by_path.items():
        held = [h for asset, h in every if asset == "fleet"]
        if held:
            up: Quantity = sum(s.per_label(h.up, "fleet", "charger", chargers) for h in held)
            down: Quantity = sum(s.per_label(h.down, "fleet", "charger", chargers) for h in held)
            s.add(f"activated_down{path}", down - fed <= most_in, mask=limit_in)
            s.add(f"activated_up{path}", fed + up <= most_out, mask=limit_out)
    return Terms()


def replay(v: View, d: xr.Dataset) -> Replay:
    """Load of each converter, as written and under full activation."""
    fleet = v.get("fleet")
    if fleet is None or "charger" not in fleet:
        return Replay()
    behind = (fleet.charger.astype(str) == d.charger.astype(str)).astype(float)
    drawn: Any = ((fleet.charge - fleet.discharge) * behind).sum("fleet")
    residuals = {"charge": drawn - d.charge_max, "discharge": -drawn - d.discharge_max}
    up: Any = xr.DataArray(-np.inf)
    down: Any = up
    for held in v.held_by_path:
        more, less = (
            (x * behind).sum("fleet") for x in held.get("fleet", (xr.DataArray(0.0),) * 2)
        )
        up, down = larger(up, more), larger(down, less)
    residuals |= {
        "activated_down": drawn + down - d.charge_max,
        "activated_up": up - drawn - d.discharge_max,
    }
    return Replay({name: x.clip(min=0).assign_attrs(units="kW") for name, x in residuals.items()})


PART = Part(
    "charger",
    Stage.RULE,
    SCHEMA,
    build,
    replay,
    limits_sums=lambda d: True,
    limit_labels={
        "charge": "converter limit of a charger",
        "discharge": "converter limit of a charger, feeding in",
        "activated_up": "converter limit, feeding in, reserves activated",
        "activated_down": "converter limit, reserves activated",
    },
)
