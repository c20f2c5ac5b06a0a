"""What a market accepts as a bid: closed gates, least bids, bid steps, and products that exclude
each other.
"""

import numpy as np
import pandas as pd
import xarray as xr

from ..algebra.expression import Expression
from ..case.schema import Calendar, worst_violation
from ..errors import Problem
from .formulas_time import same_block
from .scope import Scope

_SAME = 1e-6  # kW


def gate_problems(part: str, traded: str, d: xr.Dataset, calendar: Calendar) -> list[Problem]:
    """Return a problem where a gate, or what is committed, changes inside a market block.

    A block is one contract.

    `traded` is what a block has one of, `position` or `volume`.
    """
    if len(calendar.time) < 2:
        return []
    dt = (calendar.time[1] - calendar.time[0]) / pd.Timedelta(hours=1)
    same, problems = same_block(d.block, calendar.time, calendar.timezone, dt), []
    closing = f"close all of its steps, with the {traded} that is committed, or none"
    told = (
        ("closed", d.closed, f"the gate changes inside a market block of {{:g}} h; {closing}"),
        (
            "committed",
            d.committed.where(d.closed > 0, 0.0),
            "changes inside a market block of {:g} h; give it one",
        ),
    )
    for name, array, words in told:
        if "time" not in array.dims:
            continue
        parted = same & (abs(array - array.shift(time=1)) > _SAME)
        if name == "committed":
            parted = (
                parted
                & (d.closed > 0)
                & (d.closed.shift(time=1) > 0 if "time" in d.closed.dims else True)
            )
        if count := int(parted.sum()):
            place, hours = worst_violation(d.block.broadcast_like(parted), parted, calendar)
            more = f" (and {count - 1} more)" if count > 1 else ""
            detail = f"{place.removesuffix(': ')}{more} {words.format(hours)}"
            problems.append(Problem(f"{part}.{name}", "consistency", detail))
    return problems


def with_closed_gates(d: xr.Dataset) -> xr.Dataset:
    """Return the data with what may be sold.

    It is `volume_max` while the gate is open, then what is committed.
    """
    if not bool((d.closed > 0).any()):
        return d
    most = xr.where(d.closed > 0, d.committed, d.volume_max)
    return d.assign(volume_max=most.transpose("scenario", "product", ..., missing_dims="ignore"))


def products_in_rules(exclusion: xr.Dataset | None, products: pd.Index) -> xr.DataArray:
    """Return 1 where a rule of `/exclusion` names a product, on (rule, product).

    It is on time, too, where a rule changes over time.
    """
    if exclusion is None:
        return xr.DataArray([0.0], dims="rule")
    return exclusion.group.reindex(product=products, fill_value=0.0)


def bid_size_rows(s: Scope, d: xr.Dataset, volume: Expression, most: xr.DataArray) -> None:
    """Rows of what a bid may be while its gate is open.

    With x the volume, and `most` data that it cannot exceed::

    minimum_bid z <= x <= most z,   z binary;     x = step n,   n whole

    There is a z only where a bid has a least size, an exclusion names the product or it may have
    one price only, an n only where there are steps. Others may offer up to `pool` in the same bid,
    so that only the sum has to be one::

    (minimum_bid - pool) z <= x;     step n - pool <= x <= step n
    """
    is_open = d.closed == 0
    excluded = (products_in_rules(s.inputs.get("exclusion"), d.indexes["product"]) > 0).any("rule")
    least = (d.minimum_bid - d["pool"]).clip(min=0)
    chosen = is_open & ((least > 0) | excluded | (d.one_price > 0))
    if bool(chosen.any()):
        z = s.var_where("offered", chosen & (most > 0) & (most >= least), binary=True)
        s.add("most", volume - most * z <= 0, mask=chosen)
        s.add("least", volume - least * z >= 0, mask=chosen)
    stepped = is_open & (d.step > d["pool"])
    if bool(stepped.any()):
        size = d.step.where(d.step > 0, 1.0)
        n = s.var_where(
            "steps",
            stepped & (most + d["pool"] >= size),
            np.floor((most + d["pool"]) / size + 1e-9),
            integer=True,
        )
        alone = stepped & (d["pool"] == 0)
        s.add("whole", volume - size * n == 0, mask=alone)
        s.add("whole_most", volume - size * n <= 0, mask=stepped & ~alone)
        s.add("whole_least", volume - size * n >= -d["pool"], mask=stepped & ~alone)


def distance_to_least(
    volume: xr.DataArray, least: xr.DataArray, others: xr.DataArray | float = 0.0
) -> xr.DataArray:
    """Distance (kW) of a volume to what may be sold: nothing, or `least` together with `others`."""
    least = (least - others).clip(min=0.0)
    return xr.where(volume < least / 2, volume, least - volume).clip(min=0.0)


def distance_to_step(
    volume: xr.DataArray, step: xr.DataArray, others: xr.DataArray | float = 0.0
) -> xr.DataArray:
    """Distance (kW) of a volume to the nearest that others fill up to a multiple of `step`.

    It is 0 where there is no step.
    """
    over = volume % step.where(step > 0, 1.0)
    too_little = (step - over - others).clip(min=0.0)
    return xr.where(over < too_little, over, too_little).where(step > 0, 0.0)
