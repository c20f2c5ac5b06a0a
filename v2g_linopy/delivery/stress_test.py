"""What activation signals do to a written plan: energy and power that are missing, delivery,
penalties.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import Problem, SchemaError
from ..model.inputs import Inputs, inputs_of
from ..model.part import Part
from ..model.terms import Flex, Replay
from ..parts.catalogue import PARTS
from ..solve.audit import assets
from .activation_signals import budget

CELLS = 2_000_000  # numbers followed at once
ROUNDING = 1e-9  # kW, kWh: less is nothing


def stress(
    result: xr.DataTree,
    signals: xr.Dataset,
    *,
    price: float = 0.0,
    paths: bool = False,
    parts: Mapping[str, Part] = PARTS,
) -> xr.Dataset:
    """Follow activation signals with every member of a plan, step by step, and see what breaks.

    The power of each member is that of its baseline and of the calls of its share. A call upward
    first stops charging and then feeds in, one downward first stops feeding in and then charges;
    the battery gains or loses what its efficiencies leave, keeps it as `keep` says, and starts anew
    on arrival. A call is delivered as far as power and energy go; what went before is not made up
    for, so that a need can be missed later, too.

    Parameters
    ----------
    result : xarray.DataTree
        A result of `solve`, as returned or as read from its file, with reserves.
    signals : xarray.Dataset
        `up` and `down` on (signal, product, time), shares in [0, 1] of the power held per kW sold,
        as of `extreme_signals` or `random_signals`. The time may be finer than that of the case.
    price : float
        Penalty on energy that is called and not delivered (EUR/MWh).
    paths : bool
        Keep what each signal has drawn by the end of every step of the case.

    Returns
    -------
    xarray.Dataset
        On (signal, product): `violation_energy` (kWh) and `violation_power` (kW), the worst by
        which a member that holds the product would leave its limits if it delivered in full;
        `called_up`, `called_down`, `delivered_up`, `delivered_down`, `undelivered` (kWh at the
        grid); `penalty` (EUR). On (signal): `missed` (kWh), the worst by which a limit is missed
        although the call was cut; `admissible`, 1 where no product is called more than it admits.
        On (signal, time), with `paths`: `drawn` (kWh), what all batteries together have given
        beyond the plan without calls. With the dimension `scenario` where the plan has it. The
        attribute `worst` says it in words.

    Raises
    ------
    SchemaError
        The signals do not fit the case, or the result holds no reserve.
    """
    inputs = inputs_of(result, parts)
    d = _held(result, inputs)
    times = _checked(signals, d, inputs)
    signals = signals.reindex(product=d.indexes["product"], fill_value=0.0).transpose(
        "signal", "product", "time"
    )
    done = assets(result, parts)
    scenario = inputs.calendar.scenario
    follow = partial(_followed, done, d, signals, times, inputs, paths)
    runs = [follow(s) for s in (scenario if scenario is not None else [None])]
    found = runs[0] if scenario is None else xr.concat(runs, scenario)
    found["undelivered"] = (
        found.called_up + found.called_down - found.delivered_up - found.delivered_down
    )
    found["penalty"] = price / 1000 * found.undelivered
    found["admissible"] = _admissible(signals, d, inputs, times)
    units = {"violation_power": "kW", "penalty": inputs.calendar.currency, "admissible": "1"}
    found = found.assign(
        {n: x.assign_attrs(units=units.get(str(n), "kWh")) for n, x in found.items()}
    )
    return found.assign_attrs(worst=_words(found))


def _held(result: xr.DataTree, inputs: Inputs) -> xr.Dataset:
    if "reserve" not in inputs.data or "volume" not in result["reserve"]:
        raise SchemaError(
            [
                Problem(
                    "reserve", "missing", "the result holds no reserve; solve a case with products"
                )
            ]
        )
    group = result["reserve"].to_dataset()
    return inputs.data["reserve"].assign(
        {n: x for n, x in group.items() if str(n).startswith("share_")}
    )


def _checked(signals: xr.Dataset, d: xr.Dataset, inputs: Inputs) -> int:
    """Return how many steps of the signals make one of the case."""
    problems = []
    for way in ("up", "down"):
        if way not in signals or set(signals[way].dims) != {"signal", "product", "time"}:
            detail = "needs the dimensions signal, product and time"
            problems.append(Problem(f"signals.{way}", "dims", detail))
        elif not bool(((signals[way] >= 0) & (signals[way] <= 1)).all()):
            problems.append(
                Problem(f"signals.{way}", "range", "allowed [0, 1], the share of what is held")
            )
    if strange := [
        str(p) for p in signals.indexes.get("product", []) if p not in d.indexes["product"]
    ]:
        problems.append(
            Problem("signals.product", "labels", f"{', '.join(strange)}: no product of /reserve")
        )
    time, own = signals.indexes.get("time", pd.Index([])), inputs.calendar.time
    times = len(time) // max(1, len(own))
    fine = pd.Timedelta(hours=inputs.dt) / max(1, times)
    same = times > 0 and len(time) == times * len(own)
    if (
        not same
        or not (time == own.repeat(times) + fine * np.tile(np.arange(times), len(own))).all()
    ):
        detail = "give each step of the case, or equal parts of each"
        problems.append(Problem("signals.time", "time", detail))
    if problems:
        raise SchemaError(problems, source="the signals")
    return times


def _followed(
    done: Mapping[str, Replay],
    d: xr.Dataset,
    signals: xr.Dataset,
    times: int,
    inputs: Inputs,
    paths: bool,
    scenario: object,
) -> xr.Dataset:
    """Run the signals through every asset, and add up."""

    def mine(x: xr.DataArray) -> xr.DataArray:
        return x.sel(scenario=scenario, drop=True) if "scenario" in x.dims else x

    d = d.map(mine)
    up, down = (signals[way].to_numpy() for way in ("up", "down"))
    shape = up.shape[:2]
    total = {n: np.zeros(shape) for n in ("violation_energy", "violation_power")}
    total |= {
        n: np.zeros(shape) for n in ("called_up", "called_down", "delivered_up", "delivered_down")
    }
    total["missed"] = np.zeros(shape[:1])
    if paths:
        total["drawn"] = np.zeros((shape[0], len(inputs.calendar.time)))
    for asset, replayed in done.items():
        if f"share_{asset}" not in d:
            continue
        member = str(inputs.data[asset].attrs["member"])
        x = d[f"share_{asset}"].transpose(member, "product", "time")
        held = {
            way: (d[way] * x).transpose(member, "product", "time").to_numpy()
            for way in ("up", "down")
        }
        expected = ((d.activation_up - d.activation_down) * x).sum("product")
        plan = _Plan.of(replayed, expected, member, mine)
        size = max(1, CELLS // max(1, x.sizes[member]))
        for start in range(0, shape[0], size):
            some = slice(start, start + size)
            followed = plan.follow(up[some], down[some], held, times, inputs.dt)
            for name, part in ((n, x) for n, x in followed.items() if n in total):
                worst = name.startswith(("violation", "missed"))
                total[name][some] = (
                    np.maximum(total[name][some], part) if worst else total[name][some] + part
                )
    coords = {"signal": signals.signal, "product": d["product"]}
    dims = {"drawn": ("signal", "time")}
    if paths:
        coords["time"] = inputs.calendar.time
    return xr.Dataset(
        {n: (dims.get(n, ("signal", "product")[: x.ndim]), x) for n, x in total.items()},
        coords=coords,
    )


@dataclass(frozen=True)
class _Plan:
    """The path of an asset and the room about it, as numbers on (member, time): the baseline, or
    the expected path.
    """

    rest: np.ndarray  # kW above the path where nothing is called: 0 on the baseline
    room_up: np.ndarray  # kW above the path
    room_down: np.ndarray
    charge: np.ndarray
    discharge: np.ndarray
    eta_charge: np.ndarray
    eta_discharge: np.ndarray
    keep: np.ndarray
    above: tuple[np.ndarray, np.ndarray]  # kWh over the floor, within the step and at its end
    below: tuple[np.ndarray, np.ndarray]

    @classmethod
    def of(
        cls,
        replayed: Replay,
        expected: xr.DataArray,
        member: str,
        mine: Callable[[xr.DataArray], xr.DataArray],
    ) -> "_Plan":
        """Read it from the replay of the asset; `expected` is the activation in the expected power
        (kW).
        """
        flex = replayed.flex or Flex(0.0, 0.0)
        full = xr.zeros_like(expected)

        def numbers(value: Any) -> np.ndarray:
            array = mine(value) if isinstance(value, xr.DataArray) else value
            return xr.DataArray(array + full).transpose(member, "time").to_numpy()

        moved = 0.0 if flex.baseline is None else flex.baseline  # baseline less expected injection
        rest = numbers(-expected if flex.baseline is None else 0.0)
        room = rest, numbers(flex.up - moved), numbers(flex.down + moved)
        if flex.store is None:
            nothing, endless = numbers(0.0), numbers(np.inf)
            return cls(
                *room,
                nothing,
                nothing,
                nothing + 1,
                nothing + 1,
                nothing,
                (endless,) * 2,
                (endless,) * 2,
            )
        s, (start, end) = flex.store, flex.store.edges()
        return cls(
            *room,
            charge=numbers(s.charge),
            discharge=numbers(s.discharge),
            eta_charge=numbers(s.eta_charge),
            eta_discharge=numbers(s.eta_discharge),
            keep=numbers(s.keep),
            above=(numbers(start.above), numbers(end.above)),
            below=(numbers(start.below), numbers(end.below)),
        )

    def follow(
        self,
        up: np.ndarray,
        down: np.ndarray,
        held: Mapping[str, np.ndarray],
        times: int,
        dt: float,
    ) -> dict[str, np.ndarray]:
        """Follow signals on (signal, product, time) with all members; returns numbers on (signal,
        product).
        """
        hours = dt / times
        gone = np.zeros((len(up), len(self.keep)))  # kWh drawn from the battery beyond the path
        energy, power, missed = np.zeros_like(gone), np.zeros_like(gone), np.zeros_like(gone)
        lost = {"up": np.zeros(up.shape[:2]), "down": np.zeros(up.shape[:2])}
        drawn = np.zeros((len(up), up.shape[2] // times))
        for i in range(up.shape[2]):
            t, part = divmod(i, times)
            edge = int(part == times - 1)
            above, below = self.above[edge][:, t], self.below[edge][:, t]
            more, less = held["up"][:, :, t], held["down"][:, :, t]
            rise, fall = up[:, :, i] @ more.T, down[:, :, i] @ less.T
            asked = rise - fall + self.rest[:, t]
            power = np.maximum(
                power, np.maximum(asked - self.room_up[:, t], -asked - self.room_down[:, t])
            )
            given = np.clip(asked, -self.room_down[:, t], self.room_up[:, t])
            before = gone * self._kept(t, part, times)
            gone = before + hours * self._drawn(given, t)
            short = np.maximum(gone - above, -gone - below)
            energy = np.maximum(energy, short)
            if short.max(initial=0.0) > ROUNDING:
                given = self._cut(given, (above - before) / hours, (below + before) / hours, t)
                gone = before + hours * self._drawn(given, t)
                short = np.maximum(gone - above, -gone - below)
            missed = np.maximum(missed, short)
            drawn[:, t] = gone.sum(axis=1)
            if abs(cut := asked - given).max(initial=0.0) > ROUNDING:
                lost["up"] += hours * up[:, :, i] * (_share(cut, rise) @ more)
                lost["down"] += hours * down[:, :, i] * (_share(-cut, fall) @ less)
        backs = ((held["up"] + held["down"]) > 0).any(axis=2)
        found = {
            "violation_energy": _worst(energy, backs),
            "violation_power": _worst(power, backs),
            "missed": missed.max(axis=1, initial=0.0),
            "drawn": drawn,
        }
        for way, signal in (("up", up), ("down", down)):
            asking = hours * (signal * np.repeat(held[way].sum(axis=0), times, axis=1)).sum(axis=2)
            found |= {f"called_{way}": asking, f"delivered_{way}": asking - lost[way]}
        return found

    def _cut(self, power: np.ndarray, above: np.ndarray, below: np.ndarray, t: int) -> np.ndarray:
        """Power brought back, to that without calls at most, where the battery gives or takes no
        more (kW).
        """
        rest, most, least = self.rest[:, t], self._power(above, t), self._power(-below, t)
        upward, downward = (
            np.minimum(power, np.maximum(most, rest)),
            np.maximum(power, np.minimum(least, rest)),
        )
        return np.where(power >= rest, upward, downward)

    def _kept(self, t: int, part: int, times: int) -> np.ndarray:
        """Share of a deviation that is kept over a part of a step; a restart is at its
        beginning.
        """
        keep = self.keep[:, t]
        return np.where(keep > 0, keep ** (1 / times), 0.0 if part == 0 else 1.0)

    def _drawn(self, power: np.ndarray, t: int) -> np.ndarray:
        """Return what power above the path takes from the battery, and below it brings to it
        (negative), in kW.
        """
        up, down = power.clip(min=0.0), (-power).clip(min=0.0)
        stopped, held_back = (
            np.minimum(up, self.charge[:, t]),
            np.minimum(down, self.discharge[:, t]),
        )
        into, out = self.eta_charge[:, t], self.eta_discharge[:, t]
        return into * (stopped - (down - held_back)) + ((up - stopped) - held_back) / out

    def _power(self, drawn: np.ndarray, t: int) -> np.ndarray:
        """Return the power above the path that takes so much from the battery (kW): the inverse of
        `_drawn`.
        """
        into, out = self.eta_charge[:, t], self.eta_discharge[:, t]
        charge, discharge = self.charge[:, t], self.discharge[:, t]
        stops, saves, stored = charge * into, discharge / out, -drawn
        up = np.where(drawn < stops, drawn / into, charge + (drawn - stops) * out)
        down = np.where(stored < saves, stored * out, discharge + (stored - saves) / into)
        return np.where(drawn >= 0, up, -down)


def _share(cut: np.ndarray, called: np.ndarray) -> np.ndarray:
    """Share of what is called that is cut, where that is in its direction."""
    return np.clip(cut, 0.0, called) / np.where(called > 0, called, 1.0)


def _worst(found: np.ndarray, backs: np.ndarray) -> np.ndarray:
    """Return for each product the worst of the members that hold it, on (signal, product)."""
    each = [found[:, mine].max(axis=1, initial=0.0) for mine in backs.T]
    return np.stack(each, axis=1)


def _admissible(signals: xr.Dataset, d: xr.Dataset, inputs: Inputs, times: int) -> xr.DataArray:
    """Return 1 for signals in which no product is called for longer than it admits, in any
    cycle.
    """
    allowed = xr.DataArray(
        np.ones(signals.sizes["signal"]), coords={"signal": signals.signal}, dims="signal"
    )
    called = (signals.up + signals.down).to_numpy().cumsum(axis=2) / times
    for place, name in enumerate(d.indexes["product"]):
        cycle, calls = budget(d.sel(product=name), inputs.dt, len(inputs.calendar.time))
        sums = called[:, place].copy()
        sums[:, cycle * times :] -= called[:, place, : -cycle * times]
        allowed = allowed.where((sums <= calls + 1e-9).all(axis=1), 0.0)
    return allowed


def _words(found: xr.Dataset) -> str:
    energy, power = float(found.violation_energy.max()), float(found.violation_power.max())
    missing, asked = (
        float(found.undelivered.sum()),
        float((found.called_up + found.called_down).sum()),
    )
    many = found.sizes["signal"]
    worst = (
        f"at worst a member is {round(energy, 6):g} kWh and {round(power, 6):g} kW short of what is"
        " called"
    )
    return (
        f"{many} signals: {worst}; of {asked:.0f} kWh called in all of them {missing:.0f} are not"
        " delivered"
    )
