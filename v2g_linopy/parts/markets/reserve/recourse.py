"""The guarantee `recourse`: what calls have moved is bought back, or sold, before the next ones
(docs/formulation.md §3).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from ....algebra.expression import Constraint, Expression
from ....model.formulas import first, previous
from ....model.reserve_rules import told_by_states
from ....model.scope import Scope
from ....model.terms import Recovery, ReservedPower
from .energy_backing import Backing, WorstCalls, share_left
from .priced_calls import recovery_steps
from .recourse_fields import bought_back

_LEAST_LOSS = 1e-9


@dataclass(frozen=True)
class Recourse:
    """What the members of an asset may bring back in a step, of each product and in all.

    Parameters
    ----------
    bought, sold : Expression
        Most energy bought back of calls upward, and sold of calls downward (kWh in the battery), on
        (member, product, time).
    power : Recovery
        Most power at the grid that this takes (kW), on (member, time).
    possible : xarray.DataArray
        True where anything can be brought back, on (member, time).
    """

    bought: Expression
    sold: Expression
    power: Recovery[Expression]
    possible: xr.DataArray


def recourse_of(s: Scope, d: xr.Dataset, asset: str, possible: xr.DataArray) -> Recourse | None:
    """Columns of what is brought back; None where no product has recourse, or the asset is no
    storage that trades (hydrogen: its calls are held as without recourse).

    In the battery rho_in and rho_out [kWh a step] are brought back at most. At the grid the first
    is drawn where the baseline charges, and first stops the discharging, with the baseline g0::

        bought = max(rho_in / (eta_c dt) - (1 / (eta_c eta_d) - 1) g0,  eta_d rho_in / dt)
        sold = rho_out / (eta_c dt)
    """
    f, products = s.flex[asset], bought_back(d)
    if f.store is None or f.powers is None or f.range_max is None or not bool(products.any()):
        return None
    some = possible.any("time") if "time" in possible.dims else possible
    sells = products & (some | _carried(d, asset))
    plugged = (f.range_max > 0) & sells
    over, suffix = [s.inputs[asset].indexes[s.inputs[asset].attrs["member"]]], f"_{asset}"
    bought = s.var_where("bought_back", plugged & (d.up > 0), over=over, suffix=suffix)
    sold = s.var_where("sold_back", plugged & (d.down > 0), over=over, suffix=suffix)

    store, rho_in = f.store, bought.sum("product")
    charging = rho_in / (store.eta_charge * s.dt)
    kept = store.eta_charge * store.eta_discharge
    turns = (
        (f.range_max > 0)
        & (plugged & (d.up > 0)).any("product")
        & (store.charges & store.discharges & (kept < 1 - _LEAST_LOSS))
    )
    power = s.var_where("buying_power", turns, over=over, suffix=suffix)
    if power.has_terms:
        saved = (1 / kept - 1) * store.discharge
        s.add(f"buying_{asset}", charging - saved - power <= 0, mask=turns)
        stopping = store.eta_discharge / s.dt * rho_in
        s.add(f"buying_least_{asset}", stopping - power <= 0, mask=turns)
        charging = charging * (~turns).astype(float) + power
    selling = sold.sum("product") / (store.eta_charge * s.dt)
    return Recourse(bought, sold, Recovery(charging, selling), plugged.any("product"))


def at_work(recourse: Recourse | None) -> xr.DataArray | bool:
    """True where anything can be brought back, on (member, time)."""
    return False if recourse is None else recourse.possible


def with_recovery(room: ReservedPower, recourse: Recourse | None) -> ReservedPower:
    """The reserve held, and the power that brings back what calls have moved."""
    if recourse is None:
        return room
    power = recourse.power
    return ReservedPower(room.up + power.sold, room.down + power.bought, power)


def baseline_rows(s: Scope, d: xr.Dataset, asset: str, x: Expression, recourse: Recourse) -> None:
    """Rows: where calls are told by states, the path without them has the power to bring back, too.

    Elsewhere the room about the expected power is that about the baseline.
    """
    f = s.flex[asset]
    if not told_by_states(d) or f.baseline is None:
        return
    up = (d.up * x).sum("product") + recourse.power.sold
    down = (d.down * x).sum("product") + recourse.power.bought
    s.add(f"up_recovery_{asset}", up <= f.up - f.baseline, mask=recourse.possible)
    s.add(f"down_recovery_{asset}", down <= f.down + f.baseline, mask=recourse.possible)


def queue_rows(s: Scope, d: xr.Dataset, backing: Backing, recourse: Recourse | None) -> None:
    """Rows of what calls have moved and nobody has brought back yet, the worst of them.

    With D [kWh in the battery] of a full call of the step, rho what is brought back at most, and k
    steps until that may begin, the queue V at the end of a step is, where calls may come in every
    step,

    ::

        V_t >= keep_t V_{t-1} + D_t - rho_t,    V_t >= sum_{j<k} K_{t,t-j} D_{t-j}

    and where they come in one of any G steps, G >= k, with Q_j if the last came j steps ago::

        Q_{t,0} >= D_t + q_t,    q_t >= keep_t Q_{t-1,G-1} - rho_t,
        Q_{t,j} >= keep_t Q_{t-1,j-1} - [j >= k] rho_t,    Q_{t,G-1} >= q_t,    V_t >= Q_{t,j}
    """
    calls, most = backing.calls, backing.most
    held = calls.held & bought_back(d)
    if not bool(held.any()):
        return
    call = s.var("called_energy", mask=held, over=[calls.members], suffix=calls.suffix)
    for name, rate, where in backing.rates:
        full = calls.share * s.dt * rate
        _add(calls, f"call_{name}", call - full >= 0, calls.calls & held & where)
    back = None if recourse is None else recourse.bought if calls.way == "up" else recourse.sold
    rho = s.expression(xr.DataArray(0.0)) if back is None else back

    limited = calls.steps > 1
    in_every_step = held & ~limited
    left = most - calls.keep * previous(most) - call + rho
    _add(calls, "queue", left >= calls.before(1), in_every_step)
    delay = int(recovery_steps(d, s.dt).where(bought_back(d), 1.0).max())
    young = call
    earlier: xr.DataArray | float = 0.0
    for steps in range(1, delay):  # as many as calls of may be waiting, never members or time
        young = young + share_left(calls.keep, steps) * call.shift(time=steps)
        earlier = earlier + calls.before(steps, recent=True)
    _add(calls, "young", most - young >= earlier, in_every_step)
    if bool((held & limited).any()):
        _rows_since(calls, most, call, rho, held & limited, delay)


def _rows_since(
    calls: WorstCalls,
    most: Expression,
    call: Expression,
    rho: Expression,
    where: xr.DataArray,
    delay: int,
) -> None:
    """Rows of the queue by the steps since the last call, where a cycle limits the calls."""
    s, keep, begin = calls.s, calls.keep, first(calls.s.axis("time"))
    cycle = calls.steps.where(bought_back(calls.d), 1.0)
    since = pd.RangeIndex(int(cycle.max()), name="since")
    age = xr.DataArray(np.arange(len(since)), coords={"since": since}, dims="since")
    there, oldest = where & (age < cycle), (age == cycle - 1).astype(float)
    queue = s.var("queued_since", mask=there, over=[calls.members, since], suffix=calls.suffix)
    rest = s.var("queued_rest", mask=where, over=[calls.members], suffix=calls.suffix)

    carried = _by_age(calls, since)
    _add(calls, "since_call", queue.sel(since=0) - call - rest >= 0, where)
    last = previous((queue * oldest).sum("since"))
    old = (carried * oldest).sum("since") * begin * keep
    _add(calls, "since_rest", rest - keep * last + rho >= old, where)
    ageing = previous(queue).shift(since=1)
    known = carried.shift(since=1, fill_value=0.0) * begin * keep
    drained = (age >= delay).astype(float) * rho
    _add(calls, "since_aged", queue - keep * ageing + drained >= known, there & (age > 0))
    _add(calls, "since_free", (queue * oldest).sum("since") - rest >= 0, where)
    _add(calls, "since_most", most - queue >= 0, there)


def _by_age(calls: WorstCalls, since: pd.RangeIndex) -> xr.DataArray:
    """What calls before the start have left, by the steps since the last of them (kWh)."""
    if calls.carried is None:
        return xr.DataArray(np.zeros(len(since)), coords={"since": since}, dims="since")
    known = calls.carried.reindex(lag=range(1, len(since) + 1), fill_value=0.0)
    return known.rename(lag="since").assign_coords(since=since)


def _add(calls: WorstCalls, name: str, row: Constraint, mask: xr.DataArray) -> None:
    calls.add(f"recourse_{name}", row, mask)


def _carried(d: xr.Dataset, asset: str) -> bool:
    """Whether calls before the start have left anything."""
    return any(f"{way}_initial_{asset}" in d for way in ("drawn", "stored"))
