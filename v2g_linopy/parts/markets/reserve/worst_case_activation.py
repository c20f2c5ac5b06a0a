"""What the worst admissible calls of a reserve do to a written plan, found by dynamic programming
over their patterns.

No row of a model stands behind it: the calls of the last steps are the state, their energy is the
value, and every sequence of full calls of a step that the guarantee admits is a path through them.
"""

from dataclasses import fields, replace
from itertools import combinations
from typing import Any

import numpy as np
import xarray as xr

from ....model.formulas import larger
from ....model.terms import Allowance, Edge, Recovery, Store
from . import recourse_replay

PATTERNS = (
    20_000  # most states; beyond, calls come in unbroken runs: admissible, but not always the worst
)
ROUNDING = 1e-9  # kW


def activation_shortfall(
    d: xr.Dataset, store: Store, end: Edge, asset: str, x: xr.DataArray, dt: float
) -> dict[str, xr.DataArray]:
    """Return by how much the worst calls pass the room, and shared charging.

    It is that at the end of each step (kWh, kW).
    """
    found = {}
    for way, room in (("up", end.above), ("down", end.below)):
        moved = most_moved(d, store, asset, x, dt, way).sum("product")
        found[f"calls_{way}_{asset}"] = (
            (moved - room).where(moved > 0, 0.0).clip(min=0).assign_attrs(units="kWh")
        )
    if (stopped := d.get(f"charge_share_{asset}")) is not None:
        over = larger(stopped.sum("product") - store.charge, -stopped.min("product"))
        found[f"charge_share_{asset}"] = over.clip(min=0).assign_attrs(units="kW")
    return found


def called_beyond_plan(
    d: xr.Dataset, allowance: Allowance, asset: str, x: xr.DataArray, dt: float
) -> xr.DataArray:
    """Return the most that calls upward discharge beyond the plan, of all products (kWh)."""
    fed = _fed_in(d, allowance, asset, x)
    lasting = (d.hours_up * fed).where(d.guarantee == "endurance", 0.0)
    return (most_discharged(d, allowance, asset, x, dt) + lasting).sum("product")


def allowance_shortfall(
    d: xr.Dataset, allowance: Allowance, asset: str, most: xr.DataArray
) -> dict[str, xr.DataArray]:
    """Return by how much what calls discharge is more than owners allow (kWh), and by how much more
    charging they stop than there is (kW).
    """
    over = (most - allowance.left).where(allowance.limited & (most > 0), 0.0)
    found = {f"calls_allowance_{asset}": over.clip(min=0).assign_attrs(units="kWh")}
    if (stopped := d.get(f"charge_stopped_{asset}")) is not None:
        more = larger(stopped.sum("product") - allowance.charge, -stopped.min("product"))
        found[f"charge_stopped_{asset}"] = more.clip(min=0).assign_attrs(units="kW")
    return found


def most_discharged(
    d: xr.Dataset,
    allowance: Allowance,
    asset: str,
    x: xr.DataArray,
    dt: float,
    history: bool = False,
) -> xr.DataArray:
    """Return the most that calls can have discharged beyond the plan since the last restart, kWh at
    the grid, by the end of each step.

    It is that of each product; with `history` as `most_moved`.
    """
    fed, known = _fed_in(d, allowance, asset, x), d.get(f"discharged_initial_{asset}")
    return _most(d, fed, allowance.goes_on, {"before": known}, dt, history)


def _fed_in(d: xr.Dataset, allowance: Allowance, asset: str, x: xr.DataArray) -> xr.DataArray:
    """KW that a full upward call discharges: what exceeds the charging that is its own to stop."""
    sole = int(((d.guarantee != "expected") & (d.up > 0)).sum()) == 1
    stopped = d.get(f"charge_stopped_{asset}", allowance.charge if sole else 0.0)
    limited = allowance.limited.any("time")
    return (d.up * x - stopped).clip(min=0).where(limited & allowance.discharges, 0.0)


def discharged_after(
    steps: int, d: xr.Dataset, allowance: Allowance, asset: str, dt: float
) -> xr.DataArray:
    """Return the same by the calls up to each `lag` before the end of so many steps (kWh)."""
    first = slice(steps)
    cut = {
        f.name: getattr(allowance, f.name).isel(time=first, missing_dims="ignore")
        for f in fields(allowance)
    }
    d = d.isel(time=first)
    return most_discharged(d, Allowance(**cut), asset, d[f"share_{asset}"], dt, history=True)


_SIDES = ("eta_charge", "eta_discharge", "keep", "charge", "discharge", "charges", "discharges")


def left_after(
    steps: int, d: xr.Dataset, store: Store, asset: str, dt: float, way: str
) -> xr.DataArray:
    """Return what is left after so many steps of the most that calls can have moved (kWh).

    It is for calls up to each `lag` before.

    It is the bound of a plan, whose later windows then keep what a plan of the whole has to keep.
    """
    d, store = _first_steps(d, steps), _sides_of(store, steps)
    return most_moved(d, store, asset, d[f"share_{asset}"], dt, way, history=True)


def _first_steps(x: Any, steps: int) -> Any:
    """Return the first steps of what has steps."""
    some = isinstance(x, xr.DataArray | xr.Dataset) and "time" in x.dims
    return x.isel(time=slice(steps)) if some else x


def _sides_of(store: Store, steps: int) -> Store:
    """Return the battery in its first steps; its energy is that of all."""
    return replace(store, **{name: _first_steps(getattr(store, name), steps) for name in _SIDES})


def recent_after(
    steps: int, d: xr.Dataset, store: Store, asset: str, dt: float, way: str
) -> xr.DataArray:
    """Return what a call of each of the last of so many steps has moved that cannot be brought back
    yet, as left at their end (kWh on `lag`).
    """
    d, store = _first_steps(d, steps), _sides_of(store, steps)
    x = d[f"share_{asset}"]
    rate, known = _moved(d, store, asset, x, dt, way, sure=True)
    keep = store.keep + xr.zeros_like(rate.isel(product=0, drop=True))
    mine = [p for p in d.indexes["product"] if d.guarantee.sel(product=p) == "recourse"]
    found = [
        recourse_replay.recent_calls(
            d.sel(product=p),
            rate.sel(product=p),
            keep,
            None if known["recent"] is None else known["recent"].sel(product=p),
            dt,
        )
        for p in mine
    ]
    every = xr.concat(found, xr.DataArray(mine, dims="product", name="product"))
    every = every.reindex(product=d.indexes["product"], fill_value=0.0)
    return every.transpose(..., "product", "lag")


def waits_to_recover(d: xr.Dataset, dt: float) -> bool:
    """Whether a call of the last step may still be young at the next."""
    late = d.recovery_delay.where(d.guarantee == "recourse") > dt * (1 + 1e-6)
    return bool(late.any())


def most_moved(
    d: xr.Dataset,
    store: Store,
    asset: str,
    x: xr.DataArray,
    dt: float,
    way: str,
    history: bool = False,
) -> xr.DataArray:
    """Return the most energy that calls can have drawn (`up`) or stored by the end of each step.

    It is that of each product.

    With `history`, by the calls up to each `lag` (1, 2, ... steps back from the end), as far as it
    is left at the end.
    """
    rate, known = _moved(d, store, asset, x, dt, way, sure=history)
    return _most(d, rate, store.keep, known, dt, history)


def _moved(
    d: xr.Dataset, store: Store, asset: str, x: xr.DataArray, dt: float, way: str, sure: bool
) -> tuple[xr.DataArray, dict[str, xr.DataArray | None]]:
    """Return what a full call moves (kW in the battery), what is brought back of it at most and
    what calls before the first step have left (kWh).
    """
    back = recourse_replay.recovery(d, store, asset, dt, sure)
    if way == "up":
        rate = _drawn(d, store, asset, x, back, sure)
    else:
        rate = _stored(d, store, x, back, sure)
    moved = "drawn" if way == "up" else "stored"
    return rate, {
        "before": d.get(f"{moved}_initial_{asset}"),
        "recent": d.get(f"{moved}_recent_{asset}"),
        "back": recourse_replay.brought_back(d, asset, way),
    }


def _most(
    d: xr.Dataset,
    rate: xr.DataArray,
    keep: Any,
    known: dict[str, xr.DataArray | None],
    dt: float,
    history: bool,
) -> xr.DataArray:
    """Return the most that calls at these rates (kW) can have moved, product by product."""
    keep = keep + xr.zeros_like(rate.isel(product=0, drop=True))
    found = []
    for product in d.indexes["product"]:  # kinds, each with a budget of its own
        p, one = d.sel(product=product), rate.sel(product=product)
        mine = {n: None if k is None else k.sel(product=product) for n, k in known.items()}
        if str(p.guarantee.item()) == "recourse" and "back" in mine:
            found.append(recourse_replay.worst_queue(p, one, keep, mine, dt, history))
            continue
        moved = _followed(dt * one, keep, *_budget(p, dt), mine["before"], history)
        found.append(
            moved if str(p.guarantee.item()) in ("physical", "budget", "box") else 0.0 * moved
        )
    every = xr.concat(xr.align(*found, join="outer", fill_value=0.0), d.indexes["product"])
    return every.transpose(..., "product", "lag" if history else "time")


def _drawn(
    d: xr.Dataset,
    store: Store,
    asset: str,
    x: xr.DataArray,
    back: Recovery | None,
    sure: bool,
) -> xr.DataArray:
    """KW that a full upward call takes from the battery: it first stops charging, as far as that is
    its own to stop and a sale has not stopped it, and does nothing else where a member cannot
    discharge.
    """
    power, levels = d.up * x, ("physical", "budget", "box", "recourse")
    sole = int((d.guarantee.isin(levels) & (d.up > 0)).sum()) == 1
    stopped = d.get(f"charge_share_{asset}", store.charge if sole else 0.0)
    stopped = recourse_replay.charging_left(stopped, back, sure)
    fed = power / store.eta_discharge - xr.where(store.charges, stopped, 0.0) * _loss(store)
    return larger(power * store.eta_charge, xr.where(store.discharges, fed, 0.0))


def _stored(
    d: xr.Dataset, store: Store, x: xr.DataArray, back: Recovery | None, sure: bool
) -> xr.DataArray:
    """KW that a full downward call brings to the battery, or leaves in it where it feeds in, by the
    plan or by a sale; `sure`: where it may.
    """
    fed = store.discharge if back is None else store.discharge + back.sold - store.charge
    feeding = (store.discharges if sure else fed > ROUNDING) & xr.ones_like(x, dtype=bool)
    return d.down * x * xr.where(feeding, 1 / store.eta_discharge, store.eta_charge)


def _loss(store: Store) -> xr.DataArray:
    return 1 / store.eta_discharge - store.eta_charge


def _budget(p: xr.Dataset, dt: float) -> tuple[int, float]:
    """Steps in which calls are counted (0: no call outlives its step), and how many of them may be
    full calls.
    """
    level = str(p.guarantee.item())
    if level != "budget":
        return (0 if level == "physical" else 1), 1.0
    period = dt if np.isnan(p.activation_period) else float(p.activation_period)
    cycle = float(p.activation_cycle)
    return (1, 1.0) if period >= cycle else (max(1, round(cycle / dt)), period / dt)


def _followed(
    energy: xr.DataArray,
    keep: xr.DataArray,
    cycle: int,
    calls: float,
    before: xr.DataArray | None,
    history: bool,
) -> xr.DataArray:
    """Run the recursion over the steps, all members and scenarios at once."""
    energy, keep = xr.broadcast(energy, keep)
    energy, keep = energy.transpose(..., "time"), keep.transpose(..., "time")
    many = max(1, cycle)
    shape = energy.isel(time=0, drop=True)
    earlier = np.zeros((many, *shape.shape))
    if before is not None and cycle:
        known = before.reindex(lag=range(1, many + 1), fill_value=0.0)
        earlier += xr.broadcast(known, shape)[0].transpose("lag", *shape.dims).to_numpy()
    steps = np.moveaxis(energy.to_numpy(), -1, 0), np.moveaxis(keep.to_numpy(), -1, 0)
    if cycle == 0:
        levels, left = steps[0], np.zeros_like(earlier)
    elif calls <= 1 + 1e-9:
        levels, left = _spaced(calls * steps[0], steps[1], earlier)
    else:
        levels, left = _patterns(*steps, earlier, round(calls))
    if history:
        lags = range(1, len(left) + 1)
        return xr.DataArray(
            np.moveaxis(left, 0, -1),
            dims=(*shape.dims, "lag"),
            coords={**shape.coords, "lag": lags},
        )
    return energy.copy(data=np.moveaxis(levels, 0, -1))


def _spaced(
    energy: np.ndarray, keep: np.ndarray, before: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """V_t = max(V_{t-1}, V_{t-G} + energy_t), each as far as it is left: the last call was a cycle
    ago at least.
    """
    levels, left = np.empty_like(energy), before.copy()
    for t, (now, kept) in enumerate(zip(energy, keep, strict=True)):
        left *= kept
        levels[t] = np.maximum(left[0], left[-1] + now)
        left = np.concatenate([levels[t][None], left[:-1]])
    return levels, left


def _patterns(
    energy: np.ndarray, keep: np.ndarray, before: np.ndarray, calls: int
) -> tuple[np.ndarray, np.ndarray]:
    """The most over every pattern of calls in the last G - 1 steps; those from before the start do
    not count in it.
    """
    span = len(before) - 1
    patterns = _within(span, calls)
    if patterns is None:
        return _runs(energy, keep, before, calls)
    place = {p: i for i, p in enumerate(patterns)}
    newest = np.array([p & 1 for p in patterns])
    one = np.array([place[p >> 1] for p in patterns])
    other = np.array(
        [
            place[q] if _fits(q := p >> 1 | 1 << (span - 1), p & 1, calls) else place[p >> 1]
            for p in patterns
        ]
    )
    value = np.broadcast_to(before[0], (len(patterns), *before.shape[1:])).copy()
    levels = np.empty_like(energy)
    for t, (now, kept) in enumerate(zip(energy, keep, strict=True)):
        value = np.maximum(value[one], value[other]) * kept
        value[newest == 1] += now
        levels[t] = value.max(axis=0)
    return levels, np.broadcast_to(levels[-1], before.shape)


def _fits(pattern: int, call: int, calls: int) -> bool:
    return pattern.bit_count() + call <= calls


def _within(span: int, calls: int) -> list[int] | None:
    """Every pattern of at most so many calls in `span` steps, as bits; None if there are too many
    to follow.
    """
    found: list[int] = []
    for many in range(min(span, calls) + 1):
        for places in combinations(range(span), many):
            found.append(sum(1 << place for place in places))
            if len(found) > PATTERNS:
                return None
    return found


def _runs(
    energy: np.ndarray, keep: np.ndarray, before: np.ndarray, calls: int
) -> tuple[np.ndarray, np.ndarray]:
    """The same of calls in unbroken runs of at most the activation period, a cycle from end to
    end.
    """
    total, run = np.zeros_like(energy), np.zeros((calls, *energy.shape[1:]))
    for t, (now, kept) in enumerate(zip(energy, keep, strict=True)):
        run = np.concatenate([now[None], run[:-1] * kept])
        total[t] = run.sum(axis=0)
    levels, left = _spaced(total, keep, np.broadcast_to(before[:1], before.shape))
    return levels, np.broadcast_to(left[:1], before.shape)
