"""What activation signals do to a plan: energy and power that are missing, delivery, penalties."""

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
from ..model.reserve_rules import acceptance
from ..model.terms import Replay
from ..parts.catalogue import PARTS
from ..solve.audit import assets_with
from .activation_signals import budget
from .recovery_policy import Queues, RecoveryPolicy

CELLS = 2_000_000  # numbers followed at once
ROUNDING = 1e-9  # kW, kWh: less is nothing
ROUNDING_OF_SOLVERS = 1e-6  # kWh by which a plan may be beyond a limit


def stress(
    result: xr.DataTree,
    signals: xr.Dataset,
    *,
    price: float = 0.0,
    paths: bool = False,
    parts: Mapping[str, Part] = PARTS,
) -> xr.Dataset:
    """Follow activation signals with every member of a plan, step by step, and see what breaks.

    The power of each member is that of its baseline and of the activation of its share. Activation
    upward first stops charging and then feeds in, downward it first stops feeding in and then
    charges; the battery gains or loses what its efficiencies leave, keeps it as `keep` says, and
    starts anew on arrival. It is delivered as far as power and energy go; what went before is not
    made up for, so that a need can be missed later, too. Of products with the guarantee `recourse`
    alone, what calls moved is brought back: in each step the least of what the plan holds power for
    (`bought_back`, `sold_back`) and of what is owed for calls of `recovery_delay` ago and before,
    traded at the market while calls go on.

    Parameters
    ----------
    result : xarray.DataTree
        A result of `solve`, as returned or as read from its file, with reserves.
    signals : xarray.Dataset
        `up` and `down` on (signal, product, time), shares in [0, 1] of the power held per kW sold,
        as of `extreme_signals` or `random_signals`. The time may be finer than that of the case.
    price : float, default 0.0
        Penalty on energy that is activated and not delivered (EUR/MWh).
    paths : bool, default False
        Keep what each signal has drawn by the end of every step of the case.
    parts : mapping of str to Part, default PARTS
        The catalogue that the result was solved with.

    Returns
    -------
    xarray.Dataset
        On (signal, product): `violation_energy` (kWh) and `violation_power` (kW), the worst by
        which a member that holds the product would leave its limits if it delivered in full;
        `called_up`, `called_down`, `delivered_up`, `delivered_down`, `undelivered` (kWh at the
        grid); `penalty` (EUR). On (signal): `missed` (kWh), the worst by which a limit is missed
        although the activation was cut; `admissible`, 1 where no product is activated more than it
        admits. On (signal, time), with `paths`: `drawn` (kWh), what all batteries together have
        given beyond the plan without activation. With the dimension `scenario` where the plan has
        it. Where owners limit what is discharged, on (signal) `over_allowance` (kWh), the worst of
        what is delivered beyond an allowance by the end of a step, and on the members of the fleet
        the same over all signals, `owner_over` (kWh), and the step in which it is, `owner_step`.
        The attribute `worst` says it in words, and `allowance` which owners' allowance breaks.

    Raises
    ------
    SchemaError
        The signals do not fit the case, the result holds no reserve, or its inputs do not fit the
        schema.

    Examples
    --------
    A plan whose batteries keep energy for it delivers every call in full:

    >>> import v2g_linopy as v2g
    >>> result = v2g.solve(v2g.select_window(v2g.depot(vehicles=1, days=1), 0, 4))
    >>> found = v2g.stress(result, v2g.extreme_signals(result))
    >>> round(float(found.violation_power.max()), 3), round(float(found.undelivered.max()), 3)
    (0.0, 0.0)
    """
    inputs = inputs_of(result, parts)
    d = _held(result, inputs)
    times = _checked(signals, d, inputs)
    signals = signals.reindex(product=d.indexes["product"], fill_value=0.0).transpose(
        "signal", "product", "time"
    )
    done = assets_with(inputs, result)
    follow = partial(_followed, done, d, signals, times, inputs, paths)
    scenario = inputs.calendar.scenario
    if scenario is None:
        found = follow(None)
    else:
        found = xr.concat([follow(label) for label in scenario], scenario)

    called = found.called_up + found.called_down
    found["undelivered"] = called - found.delivered_up - found.delivered_down
    found["penalty"] = price / 1000 * found.undelivered
    found["admissible"] = _admissible(signals, d, inputs, times)
    units = {"violation_power": "kW", "penalty": inputs.calendar.currency, "admissible": "1"}
    found = found.assign(
        {
            n: x if x.dtype.kind == "M" else x.assign_attrs(units=units.get(str(n), "kWh"))
            for n, x in found.items()
        }
    )
    return found.assign_attrs(worst=_words(found), allowance=_broken_allowances(found, inputs))


def _held(result: xr.DataTree, inputs: Inputs) -> xr.Dataset:
    if "reserve" not in inputs.data or "volume" not in result["reserve"]:
        detail = "the result holds no reserve; solve a case with products"
        raise SchemaError([Problem("reserve", "missing", detail)])
    group = result["reserve"].to_dataset()
    decided = ("share_", "bought_back_", "sold_back_")
    shares = {n: x for n, x in group.items() if str(n).startswith(decided)}
    return inputs.data["reserve"].assign(shares)


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
    products = d.indexes["product"]
    if strange := [str(p) for p in signals.indexes.get("product", []) if p not in products]:
        detail = f"{', '.join(strange)}: no product of /reserve"
        problems.append(Problem("signals.product", "labels", detail))

    times = _parts_of_a_step(signals.indexes.get("time", pd.Index([])), inputs)
    if not times:
        detail = "give each step of the case, or equal parts of each"
        problems.append(Problem("signals.time", "time", detail))
    if problems:
        raise SchemaError(problems, source="the signals")
    return times


def _parts_of_a_step(time: pd.Index, inputs: Inputs) -> int:
    """Return in how many equal parts some time stamps cut each step of the case; 0 where they do
    not.
    """
    steps = inputs.calendar.time
    times = len(time) // max(1, len(steps))
    if times == 0 or len(time) != times * len(steps):
        return 0
    part = pd.Timedelta(hours=inputs.dt) / times
    wanted = steps.repeat(times) + part * np.tile(np.arange(times), len(steps))
    return times if (time == wanted).all() else 0


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

    def in_scenario(x: xr.DataArray) -> xr.DataArray:
        return x.sel(scenario=scenario, drop=True) if "scenario" in x.dims else x

    d = d.map(in_scenario)
    up, down = (signals[way].to_numpy() for way in ("up", "down"))
    total = _nothing(up.shape[0], up.shape[1], len(inputs.calendar.time) if paths else 0)
    owners: dict[str, xr.DataArray] = {}
    for asset, replayed in done.items():
        if f"share_{asset}" not in d:
            continue
        member = str(inputs.data[asset].attrs["member"])
        order = (member, "product", "time")
        share = d[f"share_{asset}"].transpose(*order)
        held = {way: (d[way] * share).transpose(*order).to_numpy() for way in ("up", "down")}
        net = acceptance(d) * (d.activation_up - d.activation_down)
        mean_activation = (net * share).sum("product")
        path = _AssetPath.of(replayed, mean_activation, member, in_scenario)
        back = RecoveryPolicy.of(d, asset, member, inputs.dt)

        at_once = max(1, CELLS // max(1, share.sizes[member]))
        for start in range(0, len(up), at_once):
            some = slice(start, start + at_once)
            queues = None if back is None else back.begun(up[some].shape[0])
            followed = path.follow(up[some], down[some], held, times, inputs.dt, queues)
            _add_up(total, some, followed)
            if path.left is not None:
                worst = followed["beyond_allowance"]  # of the signals, on (member, time)
                owners[member] = _larger(owners.get(member), worst, share[member], inputs)
    found = _labelled(total, signals, d, inputs)
    if not owners:
        return found.drop_vars("over_allowance")
    (beyond,) = owners.values()
    latest = inputs.calendar.time.to_numpy()[beyond.argmax("time").to_numpy()]
    step = xr.DataArray(latest, dims=beyond.dims[:1])
    return found.assign(owner_over=beyond.max("time"), owner_step=step)


def _larger(
    so_far: xr.DataArray | None, beyond: np.ndarray, members: xr.DataArray, inputs: Inputs
) -> xr.DataArray:
    """Return the larger of what goes beyond allowances, on (member, time)."""
    axes = {str(members.name): members.to_numpy(), "time": inputs.calendar.time}
    found = xr.DataArray(beyond, coords=axes, dims=tuple(axes))
    return found if so_far is None else xr.DataArray(np.maximum(so_far, found))


_WORST = (
    "violation_energy",
    "violation_power",
    "missed",
    "over_allowance",
)  # of the members; the others add up
_SUMS = ("called_up", "called_down", "delivered_up", "delivered_down")


def _nothing(n_signals: int, n_products: int, n_steps: int) -> dict[str, np.ndarray]:
    """Return the figures of no asset at all."""
    on_products = (*_WORST[:2], *_SUMS)
    total: dict[str, np.ndarray] = {n: np.zeros((n_signals, n_products)) for n in on_products}
    total["missed"], total["over_allowance"] = np.zeros((2, n_signals))
    if n_steps:
        total["drawn"] = np.zeros((n_signals, n_steps))
    return total


def _add_up(total: dict[str, np.ndarray], some: slice, found: Mapping[str, np.ndarray]) -> None:
    """Add the figures of an asset for some signals."""
    for name, so_far in total.items():
        if name in _WORST:
            so_far[some] = np.maximum(so_far[some], found[name])
        else:
            so_far[some] = so_far[some] + found[name]


def _labelled(
    total: Mapping[str, np.ndarray], signals: xr.Dataset, d: xr.Dataset, inputs: Inputs
) -> xr.Dataset:
    dims: dict[str, tuple[str, ...]] = dict.fromkeys(total, ("signal", "product"))
    dims |= dict.fromkeys(("missed", "over_allowance"), ("signal",))
    coords = {"signal": signals.signal, "product": d["product"]}
    if "drawn" in total:
        dims["drawn"], coords["time"] = ("signal", "time"), inputs.calendar.time
    return xr.Dataset({name: (dims[name], x) for name, x in total.items()}, coords=coords)


@dataclass(frozen=True)
class _AssetPath:
    """The path of an asset and the room about it, as numbers on (member, time): the baseline, or
    the expected path.
    """

    rest: np.ndarray  # kW above the path where nothing is activated: 0 on the baseline
    room_up: np.ndarray  # kW above the path
    room_down: np.ndarray
    charge: np.ndarray
    discharge: np.ndarray
    eta_charge: np.ndarray
    eta_discharge: np.ndarray
    keep: np.ndarray
    above: tuple[np.ndarray, np.ndarray]  # kWh over the floor, within the step and at its end
    below: tuple[np.ndarray, np.ndarray]
    left: np.ndarray | None = None  # kWh that owners still let be discharged; inf: any
    goes_on: np.ndarray | None = None  # 0 where what is discharged counts anew

    @classmethod
    def of(
        cls,
        replayed: Replay,
        mean_activation: xr.DataArray,
        member: str,
        in_scenario: Callable[[xr.DataArray], xr.DataArray],
    ) -> "_AssetPath":
        """Read it from the replay of the asset; `mean_activation` is what its expected power holds
        of it (kW).
        """
        flex = replayed.room
        zeros = xr.zeros_like(mean_activation)

        def values(x: Any) -> np.ndarray:
            array = in_scenario(x) if isinstance(x, xr.DataArray) else x
            return xr.DataArray(array + zeros).transpose(member, "time").to_numpy()

        if flex.baseline is None:
            rest, moved = values(-mean_activation), xr.DataArray(0.0)
        else:
            rest, moved = values(0.0), flex.baseline  # baseline less expected injection
        room = rest, values(flex.up - moved), values(flex.down + moved)

        if flex.store is None:
            none, endless = values(0.0), (values(np.inf),) * 2
            return cls(*room, none, none, none + 1, none + 1, none, endless, endless)
        store, (start, end) = flex.store, flex.store.edges()
        owned = flex.allowance
        return cls(
            *room,
            left=None if owned is None else values(owned.left.where(owned.limited, np.inf)),
            goes_on=None if owned is None else values(owned.goes_on),
            charge=values(store.charge),
            discharge=values(store.discharge),
            eta_charge=values(store.eta_charge),
            eta_discharge=values(store.eta_discharge),
            keep=values(store.keep),
            above=(values(start.above), values(end.above)),
            below=(values(start.below), values(end.below)),
        )

    def follow(
        self,
        up: np.ndarray,
        down: np.ndarray,
        held: Mapping[str, np.ndarray],
        times: int,
        dt: float,
        queues: Queues | None = None,
    ) -> dict[str, np.ndarray]:
        """Follow signals on (signal, product, time) with all members; returns numbers on (signal,
        product).

        With `queues`, what calls have moved is traded back step by step.
        """
        hours = dt / times
        gone = np.zeros((len(up), len(self.keep)))  # kWh drawn from the battery beyond the path
        energy, power, missed = np.zeros_like(gone), np.zeros_like(gone), np.zeros_like(gone)
        lost = {"up": np.zeros(up.shape[:2]), "down": np.zeros(up.shape[:2])}
        drawn = np.zeros((len(up), up.shape[2] // times))
        fed, over = np.zeros_like(gone), np.zeros(len(up))
        too_much = np.zeros((gone.shape[1], drawn.shape[1]))  # the worst of the signals
        for i in range(up.shape[2]):
            t, part = divmod(i, times)
            held_up, held_down = held["up"][:, :, t], held["down"][:, :, t]
            rise, fall = up[:, :, i] @ held_up.T, down[:, :, i] @ held_down.T

            # without a call there is the power that brings back what earlier ones have moved
            if queues is not None and part == 0:
                queues.bring_back(t, self.keep[:, t])
            drawn_back = np.zeros_like(gone) if queues is None else queues.rate(dt)
            rest = self.rest[:, t] + self._power(drawn_back, t)

            # by how much a delivery in full would leave the range of powers
            asked = rise - fall + rest
            beyond = np.maximum(asked - self.room_up[:, t], -asked - self.room_down[:, t])
            power = np.maximum(power, beyond)

            # what power allows is delivered, if the battery has it; else what it has
            given = np.clip(asked, -self.room_down[:, t], self.room_up[:, t])
            before = gone * self._kept(t, part, times)
            gone, short = self._after(before, given, t, part, times, hours)
            energy = np.maximum(energy, short)
            if short.max(initial=0.0) > ROUNDING:
                given = self._within_energy(before, given, rest, t, part, times, hours)
                gone, short = self._after(before, given, t, part, times, hours)
            if queues is not None:
                mine = queues.mine(up[:, :, i], down[:, :, i], (held_up, held_down))
                moved = hours * (self._drawn(given, t) - drawn_back)
                queues.moved(moved, mine, part == times - 1)
            missed = np.maximum(missed, short)
            drawn[:, t] = gone.sum(axis=1)
            if self.left is not None:
                fed = self._counted(fed, t, part) + hours * self._fed_in(given, t)
                excess = np.maximum(fed - self.left[:, t], 0.0)
                over = np.maximum(over, excess.max(axis=1, initial=0.0))
                too_much[:, t] = np.maximum(too_much[:, t], excess.max(axis=0, initial=0.0))

            cut = asked - given
            if abs(cut).max(initial=0.0) > ROUNDING:
                lost["up"] += hours * up[:, :, i] * (_share(cut, rise) @ held_up)
                lost["down"] += hours * down[:, :, i] * (_share(-cut, fall) @ held_down)

        backs = ((held["up"] + held["down"]) > 0).any(axis=2)
        found = {
            "violation_energy": _worst(energy, backs),
            "violation_power": _worst(power, backs),
            "missed": missed.max(axis=1, initial=0.0),
            "drawn": drawn,
            "beyond_allowance": too_much,
            "over_allowance": over,
        }
        for way, signal in (("up", up), ("down", down)):
            of_all = np.repeat(held[way].sum(axis=0), times, axis=1)
            called = hours * (signal * of_all).sum(axis=2)
            found |= {f"called_{way}": called, f"delivered_{way}": called - lost[way]}
        return found

    def _room_for_energy(self, t: int, part: int, times: int) -> tuple[np.ndarray, np.ndarray]:
        """Energy that may be drawn and brought beyond the path by the end of a part of a step
        (kWh).
        """
        edge = 1 if part == times - 1 else 0
        return self.above[edge][:, t], self.below[edge][:, t]

    def _after(
        self, before: np.ndarray, power: np.ndarray, t: int, part: int, times: int, hours: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Energy drawn beyond the path after a part of a step, and by how much it is too much."""
        above, below = self._room_for_energy(t, part, times)
        gone = before + hours * self._drawn(power, t)
        return gone, np.maximum(gone - above, -gone - below)

    def _within_energy(
        self,
        before: np.ndarray,
        power: np.ndarray,
        rest: np.ndarray,
        t: int,
        part: int,
        times: int,
        hours: float,
    ) -> np.ndarray:
        """Power brought back to what the battery can give or take."""
        above, below = self._room_for_energy(t, part, times)
        return self._cut(power, (above - before) / hours, (below + before) / hours, rest, t)

    def _cut(
        self, power: np.ndarray, above: np.ndarray, below: np.ndarray, rest: np.ndarray, t: int
    ) -> np.ndarray:
        """Power brought back, to that without activation (`rest`) at most, where the battery gives
        or takes no more (kW).
        """
        highest, lowest = self._power(above, t), self._power(-below, t)
        upward = np.minimum(power, np.maximum(highest, rest))
        downward = np.maximum(power, np.minimum(lowest, rest))
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
        stopped = np.minimum(up, self.charge[:, t])  # charging that ends, before anything is fed in
        held_back = np.minimum(down, self.discharge[:, t])
        into, out = self.eta_charge[:, t], self.eta_discharge[:, t]
        return into * (stopped - (down - held_back)) + ((up - stopped) - held_back) / out

    def _counted(self, fed: np.ndarray, t: int, part: int) -> np.ndarray:
        """What was fed in beyond the path before a part of a step, where it still counts (kWh)."""
        return fed if part or self.goes_on is None else fed * self.goes_on[:, t]

    def _fed_in(self, power: np.ndarray, t: int) -> np.ndarray:
        """Return what is fed in beyond the path at the grid (kW): calls stop charging first."""
        up, down = power.clip(min=0.0), (-power).clip(min=0.0)
        return (up - self.charge[:, t]).clip(min=0.0) - np.minimum(down, self.discharge[:, t])

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


def _share(cut: np.ndarray, activated: np.ndarray) -> np.ndarray:
    """Share of what is activated that is cut, where that is in its direction."""
    return np.clip(cut, 0.0, activated) / np.where(activated > 0, activated, 1.0)


def _worst(found: np.ndarray, backs: np.ndarray) -> np.ndarray:
    """Return for each product the worst of the members that hold it, on (signal, product)."""
    each = [found[:, mine].max(axis=1, initial=0.0) for mine in backs.T]
    return np.stack(each, axis=1)


def _admissible(signals: xr.Dataset, d: xr.Dataset, inputs: Inputs, times: int) -> xr.DataArray:
    """Return 1 for signals in which no product is activated for longer than it admits, in any
    cycle.
    """
    allowed = xr.DataArray(
        np.ones(signals.sizes["signal"]), coords={"signal": signals.signal}, dims="signal"
    )
    so_far = (signals.up + signals.down).to_numpy().cumsum(axis=2) / times
    for place, name in enumerate(d.indexes["product"]):
        cycle, full_steps = budget(d.sel(product=name), inputs.dt, len(inputs.calendar.time))
        in_cycle = so_far[:, place].copy()
        in_cycle[:, cycle * times :] -= so_far[:, place, : -cycle * times]
        allowed = allowed.where((in_cycle <= full_steps + 1e-9).all(axis=1), 0.0)
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


def _broken_allowances(found: xr.Dataset, inputs: Inputs) -> str:
    """Say which vehicles discharge more than their owners allow, by how much and when; empty where
    none does.
    """
    if "owner_over" not in found:
        return ""
    over, step = (
        x.transpose("fleet", ...).to_numpy() for x in (found["owner_over"], found["owner_step"])
    )
    broken = over.reshape(len(over), -1).max(axis=1) > ROUNDING_OF_SOLVERS
    if not broken.any():
        return ""
    place = np.unravel_index(over.argmax(), over.shape)
    label, most = str(found["fleet"][place[0]].item()), float(over[place])
    begin = inputs.calendar.local(pd.Timestamp(step[place]))
    count = int(broken.sum())
    vehicles = "1 vehicle discharges" if count == 1 else f"{count} vehicles discharge"
    return (
        f"{vehicles} more under a signal than the owners allow, at worst {label} by {most:.3f} kWh"
        f" at the end of the step of {begin}"
    )
