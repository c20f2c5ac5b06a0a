"""What the worst admissible calls do to a plan that buys them back, followed by its policy.

The operator brings back what it can: in a step the least of what the plan holds power for and of
what is owed for calls that are old enough. No row of a model stands behind it: more calls never
make the queue shorter, so that calls all the time are the worst where they may come in every step;
else every choice of the steps in which they come is a path through the steps since the last one.
"""

from typing import Any

import numpy as np
import xarray as xr

from ....model.formulas import larger, smaller
from ....model.terms import Recovery, Store


def brought_back(d: xr.Dataset, asset: str, way: str) -> xr.DataArray | None:
    """Return what is brought back at most of calls of one direction, kWh of each product; None
    where the plan has no such column.
    """
    return d.get(f"bought_back_{asset}" if way == "up" else f"sold_back_{asset}")


def recovery(
    d: xr.Dataset, store: Store | None, asset: str, dt: float, sure: bool = False
) -> Recovery | None:
    """Return the power at the grid that brings back the most of a step (kW).

    What is bought first stops the discharging of the path that is guaranteed, what is sold first
    its charging; `sure`: as the rows of a plan count it, as if only charged.
    """
    moved = [brought_back(d, asset, way) for way in ("up", "down")]
    if store is None or all(x is None for x in moved):
        return None
    bought, sold = (0.0 if x is None else x.sum("product") / dt for x in moved)
    into, out = store.eta_charge, store.eta_discharge
    if sure:
        return Recovery(bought / into, sold / into)
    not_fed_in = smaller(bought * out, store.discharge)
    not_drawn = smaller(sold / into, store.charge)
    return Recovery(
        not_fed_in + (bought - not_fed_in / out) / into,
        not_drawn + (sold - not_drawn * into) * out,
    )


def with_power_of(
    back: Recovery | None, up: xr.DataArray, down: xr.DataArray
) -> tuple[xr.DataArray, xr.DataArray]:
    """Return the reserve held up and down, with the power that brings back (kW)."""
    return (up, down) if back is None else (up + back.sold, down + back.bought)


def wrong_recovery(
    d: xr.Dataset,
    back: Recovery | None,
    rooms: tuple[xr.DataArray, xr.DataArray] | None,
    asset: str,
) -> dict[str, xr.DataArray]:
    """Return by how much what is brought back is below 0 (kWh), and by how much reserve, with the
    power to bring back, passes the room about the path without calls (kW), where that is another.
    """
    found = {}
    for way, name in (("up", "bought"), ("down", "sold")):
        if (x := brought_back(d, asset, way)) is not None:
            found[f"sign_{name}_{asset}"] = (-x).clip(min=0).assign_attrs(units="kWh")
    if back is None or rooms is None:
        return found
    x = d[f"share_{asset}"]
    up = (d.up * x).sum("product") + back.sold - rooms[0]
    down = (d.down * x).sum("product") + back.bought - rooms[1]
    found[f"recovery_up_{asset}"] = up.clip(min=0).assign_attrs(units="kW")
    found[f"recovery_down_{asset}"] = down.clip(min=0).assign_attrs(units="kW")
    return found


def delay_in_steps(p: xr.Dataset, dt: float) -> int:
    """Return from how many steps after a call on it can be bought back."""
    wait = float(p.recovery_delay)
    return 1 if np.isnan(wait) else max(1, int(np.ceil(round(wait / dt, 6))))


def budget_in_steps(p: xr.Dataset, dt: float) -> tuple[int, float]:
    """Return in how many steps there is one call at most (1: it may come in every step), and how
    much of a step it lasts.
    """
    cycle = float(p.activation_cycle)
    if np.isnan(cycle):
        return 1, 1.0
    period = dt if np.isnan(p.activation_period) else float(p.activation_period)
    return (1, 1.0) if period >= cycle else (max(1, round(cycle / dt)), period / dt)


def worst_queue(
    p: xr.Dataset, rate: xr.DataArray, keep: Any, carried: dict[str, Any], dt: float, history: bool
) -> xr.DataArray:
    """Return the most that calls of a product have moved and nobody has brought back, by the end of
    each step (kWh).

    `rate` is what a full call moves (kW in the battery); `carried` has what is brought back at most
    (`back`) and what calls before the first step have left (`before`, `recent`). With `history`,
    what is left after the last step, on `lag`: by the steps since the last call, and as the rows of
    the plan count it, so that the next window begins where a plan of the whole would be.
    """
    cycle, share = budget_in_steps(p, dt)
    delay, back = delay_in_steps(p, dt), carried["back"]
    energy, keep, back = xr.broadcast(
        share * dt * rate, keep, xr.zeros_like(rate) if back is None else back
    )
    moved, kept, most = (
        np.moveaxis(x.transpose(..., "time").to_numpy(), -1, 0) for x in (energy, keep, back)
    )
    energy = energy.transpose(..., "time")
    shape = energy.isel(time=0, drop=True)
    before = _by_lag(carried["before"], cycle, shape)
    if cycle > 1:
        follow = _bound_in_cycles if history else _in_cycles
        levels = follow(moved, kept, most, before, delay)
    else:
        young = _by_lag(carried["recent"], delay - 1, shape)
        levels = _all_the_time(moved, kept, most, before[0], young)
        levels = levels[-1:] if history else levels
    if not history:
        return energy.copy(data=np.moveaxis(levels, 0, -1))
    coords = {**shape.coords, "lag": range(1, len(levels) + 1)}
    return xr.DataArray(np.moveaxis(levels, 0, -1), dims=(*shape.dims, "lag"), coords=coords)


def recent_calls(
    p: xr.Dataset, rate: xr.DataArray, keep: Any, known: xr.DataArray | None, dt: float
) -> xr.DataArray:
    """Return what a call of each of the last steps has moved that cannot be brought back at once,
    as left after the last step (kWh on `lag`).
    """
    share, many = budget_in_steps(p, dt)[1], max(1, delay_in_steps(p, dt) - 1)
    energy, keep = xr.broadcast(share * dt * rate, keep)
    energy, keep = (x.transpose(..., "time") for x in (energy, keep))
    shape = energy.isel(time=0, drop=True)
    young = _by_lag(known, many, shape)
    for t in range(energy.sizes["time"]):
        now, kept = energy.isel(time=t).to_numpy(), keep.isel(time=t).to_numpy()
        young = np.concatenate([now[None], young[:-1] * kept])
    coords = {**shape.coords, "lag": range(1, many + 1)}
    return xr.DataArray(np.moveaxis(young, 0, -1), dims=(*shape.dims, "lag"), coords=coords)


def _by_lag(known: xr.DataArray | None, many: int, shape: xr.DataArray) -> np.ndarray:
    """What calls before the start have left, lag by lag."""
    left = np.zeros((many, *shape.shape))
    if known is None or not many:
        return left
    every = known.reindex(lag=range(1, many + 1), fill_value=0.0)
    return left + xr.broadcast(every, shape)[0].transpose("lag", *shape.dims).to_numpy()


def _all_the_time(
    energy: np.ndarray, keep: np.ndarray, back: np.ndarray, queue: np.ndarray, young: np.ndarray
) -> np.ndarray:
    """Follow a call in every step: `young` are those that cannot be brought back yet."""
    levels = np.empty_like(energy)
    for t, (now, kept, most) in enumerate(zip(energy, keep, back, strict=True)):
        queue, young = queue * kept, young * kept
        owed = np.maximum(queue - young.sum(axis=0), 0.0)
        queue = levels[t] = queue - np.minimum(most, owed) + now
        young = np.concatenate([now[None], young])[: len(young)]
    return levels


def _in_cycles(
    energy: np.ndarray, keep: np.ndarray, back: np.ndarray, before: np.ndarray, delay: int
) -> np.ndarray:
    """Follow every admissible choice of steps: the state is how many steps ago the last call came
    (G: as many or more), the value what older calls have left beside what it has.
    """
    cycle = len(before)
    young = np.concatenate([before[:-1], 0 * before, 0 * before])[: cycle + 1]
    old = np.zeros_like(young)
    old[cycle] = before[-1]
    levels = np.empty_like(energy)
    for t, (now, kept, most) in enumerate(zip(energy, keep, back, strict=True)):
        old, young = old * kept, young * kept
        late = min(delay - 1, cycle + 1)  # calls that came so long ago are old now
        old[late:] += young[late:]
        young[late:] = 0.0
        old = old - np.minimum(most, old)
        again = old[cycle - 1 :].max(axis=0)
        aged = np.maximum(old[cycle], old[cycle - 1])
        old = np.concatenate([again[None], old[: cycle - 1], aged[None]])
        young = np.concatenate([now[None], young[: cycle - 1], 0 * now[None]])
        levels[t] = (old + young).max(axis=0)
    return levels


def _bound_in_cycles(
    energy: np.ndarray, keep: np.ndarray, back: np.ndarray, before: np.ndarray, delay: int
) -> np.ndarray:
    """Return the queue after the last step, by the steps since the last call, as a plan counts it:
    while the last call is young, nothing is brought back of older ones.
    """
    queue = before.copy()
    late = np.arange(len(before)).reshape(-1, *(1,) * (before.ndim - 1)) >= delay
    for now, kept, most in zip(energy, keep, back, strict=True):
        free = np.maximum(queue[-1] * kept - most, 0.0)
        aged = np.concatenate([0 * queue[:1], queue[:-1] * kept])
        queue = np.maximum(aged - late * most, 0.0)
        queue[0] = now + free
        queue[-1] = np.maximum(queue[-1], free)
    return queue


def charging_left(stopped: Any, back: Recovery | None, sure: bool) -> Any:
    """Return the charging that a call can still stop while a surplus is sold (kW); `sure`: as the
    rows of a plan count it, below 0 where more is sold than is charged.
    """
    if back is None:
        return stopped
    left = stopped - back.sold
    return left if sure else larger(left, 0.0)
