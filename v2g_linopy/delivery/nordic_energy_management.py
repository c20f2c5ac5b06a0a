"""Energy management of limited reservoirs while Nordic reserves are delivered.

It runs second by second, or minute by minute, as *Technical Requirements for Frequency
Containment Reserve Provision in the Nordic Synchronous Area* (26 May 2023), §3.5, has it.
`deliver` runs a battery forward through a frequency record; `operate` chooses a trade besides, as
a mixed-integer programme whose states are those of `deliver`. Both take the capacity sold as
given: planning it is `/reserve`'s.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import linopy
import numpy as np
import pandas as pd
import xarray as xr

from ..algebra import linopy_adapter
from ..algebra.expression import Expression
from ..errors import Infeasible, Problem, SchemaError, SolveError
from ..model.formulas import first, larger, last, previous, smaller
from ..model.formulas_time import hours_before
from ..parts.markets.reserve.nordic_products import NOMINAL, droop, listed, management
from ..solve import blocks, solver

STATES = ("nem_low", "nem_high", "aem_low", "aem_high")
LOW = xr.DataArray(
    [1.0, 0.0, 1.0, 0.0], coords={"state": list(STATES)}, dims="state"
)  # 1: empty, 0: full
NORMAL = 0.1  # Hz about the nominal frequency: the normal state, in which NEM is allowed
MEAN = 300.0  # seconds: both modes go by a mean of five minutes
LONGEST = 60.0  # seconds of a step
OFF = xr.zeros_like(LOW)


@dataclass(frozen=True)
class ReserveBattery:
    """A battery behind the reserves.

    Parameters
    ----------
    charge_max, discharge_max : float
        Power at the grid, each way (kW).
    energy_max : float
        Largest energy on board (kWh).
    energy : float or xarray.DataArray
        Energy on board before the first step (kWh), a number or one per path.
    energy_min : float, default 0.0
        Least energy on board (kWh).
    eta_charge, eta_discharge : float, default 1.0
        Efficiency each way.

    Examples
    --------
    >>> from v2g_linopy import energy_management as management
    >>> battery = management.ReserveBattery(1000.0, 1000.0, energy_max=1000.0, energy=500.0)
    >>> battery.energy_min, battery.eta_charge
    (0.0, 1.0)
    """

    charge_max: float
    discharge_max: float
    energy_max: float
    energy: float | xr.DataArray
    energy_min: float = 0.0
    eta_charge: float = 1.0
    eta_discharge: float = 1.0


@dataclass(frozen=True)
class _Rules:
    """What does not depend on what the battery does; frequencies on (time) and any other dimension,
    states on (state).

    `plain` and `shifted`: kW of activation about the nominal frequency, and about its five-minute
    mean (AEM)."""

    enable: xr.DataArray  # kWh left of the way below which a state begins
    disable: xr.DataArray  # and above which it ends
    power: xr.DataArray  # kW of NEM in each state, injection +
    normal: xr.DataArray
    plain: xr.DataArray
    shifted: xr.DataArray
    window: int  # steps in five minutes
    dt: float  # h


def deliver(
    frequency: xr.DataArray,
    sold: Mapping[str, float],
    battery: ReserveBattery,
    *,
    before: xr.DataArray = OFF,
    trade: xr.DataArray | float = 0.0,
) -> xr.Dataset:
    """Run a battery that has sold reserves forward through a frequency record.

    With way left X (`low`: e - e_min, `high`: e_max - e, at the start of the step), thresholds C
    tau / 60, and s the droop of what is sold::

        a state begins where X < enable and ends where X > disable, else it stays as it was
        P = trade + C s(f) + power of NEM * five-minute mean of the NEM states,
            in the normal state, |f - 50| < 0.1 Hz
        AEM: the droop is about the five-minute mean of the frequency instead of 50 Hz,
             and counts as not available
        e = e_before - dt (P / eta_d where P > 0, eta_c P else)

    Parameters
    ----------
    frequency : xarray.DataArray
        Hz on (time) and any other dimensions, such as `path`; uniform steps of at most a minute.
    sold : mapping of str to float
        Capacity by product of the catalogue, kW.
    battery : ReserveBattery
        The battery.
    before : xarray.DataArray, default all 0
        States (0 or 1) before the record, on (state) and other dimensions of `frequency`; they also
        fill the mean.
    trade : xarray.DataArray or float, default 0.0
        Power besides (kW, injection +), on dimensions of `frequency`.

    Returns
    -------
    xarray.Dataset
        `energy` (kWh, end of step), `power`, `asked` (kW; they differ where the battery is at its
        limits), `missing` (kW, absolute), `states` on (state), `nem` (kW), `available` (0 or 1).

    Raises
    ------
    SchemaError
        Steps, products or numbers that do not fit.

    References
    ----------
    *Technical Requirements for Frequency Containment Reserve Provision in the Nordic Synchronous
    Area* (26 May 2023), §3.5.

    Examples
    --------
    500 kW of FCR-N at 50 Hz with 240 kWh, below the 250 kWh of half an hour: energy management
    charges with 0.34 kW per kW sold, 170 kW, and a mean of five minutes takes it there:

    >>> import pandas as pd
    >>> import xarray as xr
    >>> from v2g_linopy import energy_management as management
    >>> stamps = pd.date_range("2026-01-05", periods=6, freq="1min")
    >>> hertz = xr.DataArray([50.0] * 6, coords={"time": stamps})
    >>> battery = management.ReserveBattery(2000.0, 2000.0, energy_max=1000.0, energy=240.0)
    >>> run = management.deliver(hertz, {"FCR-N": 500.0}, battery)
    >>> run.power.round(6).values.tolist()
    [-34.0, -68.0, -102.0, -136.0, -170.0, -170.0]
    """
    rules = _rules(frequency, sold, battery)
    wanted = (xr.zeros_like(frequency) + trade).transpose(..., "time")

    def cells(array: xr.DataArray) -> np.ndarray:
        return np.broadcast_to(array.broadcast_like(wanted).transpose(*wanted.dims), wanted.shape)

    plain, shifted, normal, given = (
        cells(x) for x in (rules.plain, rules.shifted, rules.normal, wanted)
    )
    row = [str(d) for d in wanted.dims[:-1]]
    other = {d: wanted[d] for d in row}
    zeros = xr.zeros_like(wanted.isel(time=0, drop=True))

    # what stands before the first step, by numbers without labels: the record is long
    state = (before + zeros).transpose("state", *row).to_numpy() > 0.5
    energy = (zeros + battery.energy).transpose(*row).to_numpy()
    enable, disable, share = (
        x.to_numpy().reshape(-1, *[1] * len(row))
        for x in (rules.enable, rules.disable, rules.power)
    )
    low = (LOW.to_numpy() > 0).reshape(enable.shape)
    recent = [share * state] * rules.window
    found: dict[str, list[np.ndarray]] = {
        n: [] for n in ("energy", "power", "asked", "states", "nem")
    }
    for t in range(wanted.sizes["time"]):
        left = np.where(low, energy - battery.energy_min, battery.energy_max - energy)
        state = (left < enable) | (state & (left <= disable))

        recent = [*recent[1:], share * state * normal[..., t]]
        nem = np.mean(recent, axis=0).sum(axis=0)
        alert = state[2] | state[3]
        asked = given[..., t] + np.where(alert, shifted[..., t], plain[..., t]) + nem

        power = np.clip(asked, *_reach(energy, battery, rules.dt))
        flow = np.where(power > 0, power / battery.eta_discharge, power * battery.eta_charge)
        energy = energy - rules.dt * flow
        for name, x in zip(found, (energy, power, asked, state, nem), strict=True):
            found[name].append(x)
    axes = {**other, "time": wanted.time}
    out = {
        n: xr.DataArray(np.stack(found[n], -1), axes, [*row, "time"])
        for n in ("energy", "power", "asked", "nem")
    }
    states = np.stack(found["states"], -1).astype(float)
    out["states"] = xr.DataArray(states, {"state": list(STATES), **axes}, ["state", *row, "time"])
    return _described(out)


def _reach(energy: np.ndarray, battery: ReserveBattery, dt: float) -> tuple[np.ndarray, np.ndarray]:
    """Least and most power (kW, injection +) of the next step."""
    above, below = energy - battery.energy_min, battery.energy_max - energy
    out = np.maximum(above, 0.0) * battery.eta_discharge / dt
    into = np.maximum(below, 0.0) / battery.eta_charge / dt
    return -np.minimum(battery.charge_max, into), np.minimum(battery.discharge_max, out)


def _described(out: dict[str, xr.DataArray]) -> xr.Dataset:
    out["missing"] = abs(out["asked"] - out["power"])
    out["available"] = 1.0 - out["states"].sel(state=["aem_low", "aem_high"]).max("state")
    units = {"energy": "kWh", "states": "1", "available": "1"}
    return xr.Dataset({n: x.assign_attrs(units=units.get(n, "kW")) for n, x in out.items()})


def operate(
    frequency: xr.DataArray,
    sold: Mapping[str, float],
    battery: ReserveBattery,
    *,
    before: xr.DataArray = OFF,
    price: xr.DataArray | float = 0.0,
    trade: float = 0.0,
    energy_value: float = 0.0,
    availability: float = 0.0,
    options: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Choose the trade of a battery that has sold reserves, knowing a frequency record.

    It is a mixed-integer programme. Every state is an exact hysteresis, with X the way left at the
    start of the step, R its range, and all thresholds data, since what is sold is::

        b - b_before = on - off,   on + off <= 1,   b binary,   0 <= on, off <= 1
        X >= enable (1 - b),   X <= disable + (R - disable) (1 - b),   X <= enable + R (1 - on),
        X >= disable off

    (Between the thresholds b stays as it was. The two rows SOC - enable <= M (1 - b), disable - SOC
    <= M b leave no b there at all.) Activation, NEM, AEM and energy are those of `deliver`; the
    battery must be able to deliver all that is asked.

        max  sum dt price trade + energy_value e_T - availability dt C (AEM)

    Parameters
    ----------
    frequency : xarray.DataArray
        Hz on (time) and any other dimensions, such as `path`; uniform steps of at most a minute.
    sold : mapping of str to float
        Capacity by product of the catalogue, kW.
    battery : ReserveBattery
        The battery.
    before : xarray.DataArray, default all 0
        States (0 or 1) before the record, on (state) and other dimensions of `frequency`.
    price : xarray.DataArray or float, default 0.0
        Of what is traded, EUR/MWh.
    trade : float, default 0.0
        Most power traded besides, either way, kW. With 0 nothing is left to choose.
    energy_value : float, default 0.0
        Of the energy on board at the end, EUR/MWh.
    availability : float, default 0.0
        What an hour of AEM costs per MW sold, EUR/MW/h.
    options : mapping, optional
        Of HiGHS, by its own names.

    Returns
    -------
    xarray.Dataset
        As `deliver`, with `trade` (kW) and the attribute `objective` (EUR).

    Raises
    ------
    SchemaError
        As `deliver`.
    Infeasible
        The battery cannot deliver what was sold on this record.
    SolveError, SolverError, Interrupted
        The solver found no plan, does not know an option, or was stopped.

    References
    ----------
    *Technical Requirements for Frequency Containment Reserve Provision in the Nordic Synchronous
    Area* (26 May 2023), §3.5.

    Examples
    --------
    A battery in the middle of its range sells as much as it may, 60 kW for six minutes at 100 EUR
    per MWh, as the energy left is worth less:

    >>> import pandas as pd
    >>> import xarray as xr
    >>> from v2g_linopy import energy_management as management
    >>> stamps = pd.date_range("2026-01-05", periods=6, freq="1min")
    >>> hertz = xr.DataArray([50.0] * 6, coords={"time": stamps})
    >>> battery = management.ReserveBattery(2000.0, 2000.0, energy_max=1000.0, energy=500.0)
    >>> terms = {"price": 100.0, "trade": 60.0, "energy_value": 50.0}
    >>> best = management.operate(hertz, {"FCR-N": 500.0}, battery, **terms)
    >>> best.trade.round().astype(int).values.tolist()
    [60, 60, 60, 60, 60, 60]
    >>> round(float(best.energy[-1]), 6)
    494.0
    """
    rules = _rules(frequency, sold, battery)
    with linopy_adapter.exact_labels():
        model = linopy_adapter.new_model()
        parts = _Model(model, frequency, rules, battery, before, trade)
        paid = parts.trade * (rules.dt * price / 1000)
        paid = paid + parts.energy * (energy_value / 1000 * last(frequency.get_index("time")))
        paid = paid - parts.alert * (availability / 1000 * rules.dt * sum(sold.values()))
        labels, prices = (np.concatenate(x) for x in zip(*paid.coefficients(), strict=True))
        linopy_adapter.maximise(model, labels, prices)
        matrix = solver.matrix_of(model)
    exact = {"mip_feasibility_tolerance": 1e-9, "mip_rel_gap": 0.0} | dict(options or {})
    settings = solver.Settings(options=exact).start()
    try:
        best = blocks.solve_with_highs(matrix, settings)
    except SolveError as error:
        if "infeasible" not in error.status:
            raise
        raise Infeasible(
            "the battery cannot deliver what was sold on this frequency record: sell less"
        ) from None
    primal = solver.primal_by_label(model, matrix, best)
    out = {
        n: x.value(primal)
        for n, x in (("energy", parts.energy), ("power", parts.power), ("nem", parts.nem))
    }
    out |= {"asked": out["power"], "states": parts.states.value(primal).round()}
    order = ("state", *(d for d in frequency.dims if d != "time"), "time")
    found = _described(out | {"trade": parts.trade.value(primal)}).transpose(
        *order, missing_dims="ignore"
    )
    return found.assign_attrs(objective=best.objective)


class _Model:
    """Variables and rows of `operate`."""

    def __init__(
        self,
        model: linopy.Model,
        frequency: xr.DataArray,
        rules: _Rules,
        battery: ReserveBattery,
        before: xr.DataArray,
        trade: float,
    ):
        time = frequency.get_index("time").rename("time")
        axes = [frequency.get_index(d).rename(d) for d in frequency.dims if d != "time"]
        states = pd.Index(STATES, name="state")

        def var(name: str, *extra: pd.Index, **bounds: Any) -> Expression:
            coords = [*extra, *axes, time]
            return Expression.from_linopy(model.add_variables(coords=coords, name=name, **bounds))

        self.states = b = var("state", states, binary=True)
        on, off = (var(name, states, lower=0, upper=1) for name in ("on", "off"))
        self.energy = var("energy", lower=battery.energy_min, upper=battery.energy_max)
        self.trade = var("trade", lower=-trade, upper=trade)
        start = first(time)
        initial = before * start
        (b - previous(b) - on + off == initial).write(model, "switch")
        (on + off <= 1).write(model, "one_way")
        sign = 2 * LOW - 1
        span = battery.energy_max - battery.energy_min
        ends = xr.where(LOW > 0, -battery.energy_min, battery.energy_max)
        left = sign * (previous(self.energy) + battery.energy * start) + ends
        (left + rules.enable * b >= rules.enable).write(model, "begun")
        (left + (span - rules.disable) * b <= span).write(model, "ended")
        (left + span * on <= rules.enable + span).write(model, "begins")
        (left - rules.disable * off >= 0).write(model, "ends")

        self.alert = b.sel(state=["aem_low", "aem_high"]).sum("state")
        lag = xr.DataArray(np.full(min(rules.window, len(time)), 1 / rules.window), dims="lag")
        past = (1 - (hours_before(time, rules.dt) / rules.dt + 1) / rules.window).clip(min=0)
        self.nem = (rules.power * rules.normal * b).convolve(lag).sum("state")
        self.nem = self.nem + (rules.power * before * past).sum("state")
        self.power = (
            rules.plain + (rules.shifted - rules.plain) * self.alert + self.nem + self.trade
        )
        self._flow(model, rules, battery, var, start, trade)

    def _flow(
        self,
        model: linopy.Model,
        rules: _Rules,
        battery: ReserveBattery,
        var: Any,
        start: Any,
        trade: float,
    ) -> None:
        """P = d - c,   e = e_before - dt (d / eta_d - eta_c c);   a binary where P may go either
        way.
        """
        eta_charge, eta_discharge = battery.eta_charge, battery.eta_discharge

        # the largest power each way that any state can ask for
        swing = abs(rules.power).max() + trade
        highest = larger(rules.plain, rules.shifted) + swing
        lowest = smaller(rules.plain, rules.shifted) - swing
        out = smaller(highest, battery.discharge_max).clip(min=0.0)
        into = smaller(-lowest, battery.charge_max).clip(min=0.0)
        discharge, charge = (
            var(name, lower=0, upper=x) for name, x in (("discharge", out), ("charge", into))
        )
        (self.power - discharge + charge == 0).write(model, "power")

        drawn = rules.dt / eta_discharge * discharge - rules.dt * eta_charge * charge
        change = self.energy - previous(self.energy)
        (change + drawn == battery.energy * start).write(model, "balance")

        either = (out > 0) & (into > 0)
        if eta_charge * eta_discharge < 1 and bool(either.any()):
            feeding = var("feeding", binary=True, mask=either)
            (discharge - out * feeding <= 0).write(model, "feeds", either)
            (charge + into * feeding <= into).write(model, "draws", either)


def _rules(frequency: xr.DataArray, sold: Mapping[str, float], battery: ReserveBattery) -> _Rules:
    """Check the arguments and work out what is data."""
    names = listed(sold)
    seconds = _step(frequency)
    problems = [
        Problem("sold", "range", f"{n}: {x:g} kW, allowed 0 or more")
        for n, x in sold.items()
        if not x >= 0
    ]
    low, high = battery.energy_min, battery.energy_max
    if bool(np.any((battery.energy < low) | (battery.energy > high))):
        detail = f"not between {low:g} and {high:g} kWh, what it may hold"
        problems.append(Problem("battery.energy", "range", detail))
    if problems:
        raise SchemaError(problems, "the battery")
    kw = xr.DataArray([float(sold[n]) for n in names], coords={"product": names}, dims="product")
    rule = management(names)
    held = {
        "low": kw * rule.low / battery.eta_discharge,
        "high": kw * rule.high * battery.eta_charge,
    }
    edges = {
        edge: _by_state(
            lambda mode, way, edge=edge: (held[way] * rule[f"{mode}_{edge}"].fillna(0.0)).sum() / 60
        )
        for edge in ("enable", "disable")
    }
    alert = float(edges["disable"].sel(state=["aem_low", "aem_high"]).sum())
    if alert > high - low:
        detail = (
            f"{high - low:g} kWh is less than the {alert:g} kWh in which AEM holds at its two ends:"
            " sell less"
        )
        raise SchemaError([Problem("battery.energy_max", "consistency", detail)], "the battery")
    signs = {"low": -1.0, "high": 1.0}
    power = _by_state(
        lambda mode, way: signs[way] * (kw * rule[way] * rule.nem).sum() * (mode == "nem")
    )
    window = round(MEAN / seconds)
    mean = frequency.rolling(time=window, min_periods=1).mean()
    plain, shifted = (
        (kw * droop(f, names)).sum("product") for f in (frequency, frequency - mean + NOMINAL)
    )
    normal = (abs(frequency - NOMINAL) < NORMAL).astype(float)
    return _Rules(
        edges["enable"], edges["disable"], power, normal, plain, shifted, window, seconds / 3600
    )


def _by_state(value: Any) -> xr.DataArray:
    """`value(mode, way)` of every state, nem_low and so on."""
    return xr.DataArray(
        [float(value(*s.split("_"))) for s in STATES], coords={"state": list(STATES)}, dims="state"
    )


def _step(frequency: xr.DataArray) -> float:
    """Seconds of the uniform step."""
    time = pd.DatetimeIndex(frequency.get_index("time"))
    apart = np.diff(np.asarray(time, "datetime64[ns]").astype(np.int64)) / 1e9
    seconds = float(apart[0]) if len(apart) else LONGEST
    problems = []
    if (apart != seconds).any() or not 0 < seconds <= LONGEST or MEAN % seconds:
        detail = (
            f"steps of {seconds:g} s: energy management needs uniform ones of a minute at most,"
            " five minutes whole"
        )
        problems.append(Problem("frequency.time", "time", detail))
    if not bool(((frequency > 45) & (frequency < 55)).all()):
        problems.append(Problem("frequency", "range", "not all within 45 to 55 Hz"))
    if problems:
        raise SchemaError(problems, "the frequency")
    return seconds
