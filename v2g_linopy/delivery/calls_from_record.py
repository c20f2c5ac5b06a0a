"""States of calls of reserves, from a record of the grid frequency (docs/formulation.md §3)."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import Problem, SchemaError
from ..model.inputs import Inputs, inputs_of
from ..model.part import Part
from ..parts.catalogue import PARTS
from ..parts.markets.reserve import guarantees
from ..parts.markets.reserve.nordic_products import NOMINAL, driven, droop
from ..parts.markets.reserve.priced_calls import recovery_steps
from .call_states import State, as_declared, on_off_signals, with_signals
from .frequency import begin_at, cut_to_steps

FULL_AT: Mapping[str, float] = MappingProxyType({"FCR": 0.2})
"""Hz from 50 at which products of no Nordic catalogue are called in full: frequency containment in
continental Europe (Regulation (EU) 2017/1485, Article 154 and Annex V).
"""
_SMALLEST = 1e-9
_POSITIONS = np.linspace(-1, 1, 81)
"""Traded power per kW sold at which throughput is compared: no call turns it beyond."""


def with_calls_from_record(
    case: xr.DataTree,
    frequency: xr.DataArray,
    *,
    states: int = 7,
    full_at: Mapping[str, float] = FULL_AT,
    by_step: bool = False,
    moved: bool = False,
    parts: Mapping[str, Part] = PARTS,
) -> xr.DataTree:
    """Tell the calls of products that follow the frequency by states of a record.

    They are called in proportion to the deviation of the frequency from 50 Hz, as `droop` of the
    Nordic catalogue says of its products and `full_at` of others. All of them follow one signal,
    the sum of their calls. Where it is 0 is a state; upward and downward it is cut into bins of
    equal energy, each with the mean of its calls. What is fed in and drawn is then exact at rest,
    and where the traded power is beyond the calls; between, it is a lower bound: with 7 states 6 %
    of what calls add are missing (docs/formulation.md §3). Other products of the case that are
    activated are called in full or not, independently. Where energy is guaranteed, calls have to
    cancel in the mean: the record then counts together with its mirror image about 50 Hz.

    The record also says what buying back moves (`recovery_flow`): the mean call of a step beyond
    the mean of all is bought back after `recovery_delay`, and what that feeds in, beside the calls
    of its own step, is taken at the traded power where it is most.

    Parameters
    ----------
    case : xarray.DataTree
        With `/reserve`. It is not changed.
    frequency : xarray.DataArray
        Hz on (time), uniform: seconds or minutes, in whole steps of the case.
    states : int, default 7
        Of the signal: 3 or more, an odd number.
    full_at : mapping of str to float, default FCR at 0.2
        Hz from 50 at which products that are in no catalogue are called in full.
    by_step : bool, default False
        The shares are those of each step of the case, which the record covers then, and are known
        in the plan: nothing is bought back. Else those of the whole record, in every step.
    moved : bool, default False
        With `by_step`: take the beginning of the record for that of the case.
    parts : mapping of str to Part, default PARTS
        The catalogue.

    Returns
    -------
    xarray.DataTree
        The case with `call`, `call_share` and `recovery_flow` in `/reserve`.

    Raises
    ------
    SchemaError
        No product follows the frequency; a record that is shorter than a step, has gaps, or does
        not make whole steps of the case; fewer than 3 states, an even number, or more than 64 of
        all signals together.

    Examples
    --------
    A record that is half the time at 50 Hz, else at 49.9 or 50.1 Hz, calls FCR by half:

    >>> import numpy as np
    >>> import pandas as pd
    >>> import xarray as xr
    >>> import v2g_linopy as v2g
    >>> case = v2g.nordic_fcr(vehicles=1, days=1)
    >>> stamps = pd.date_range("2026-01-01", periods=1440, freq="1min")
    >>> hertz = xr.DataArray(np.tile([50.0, 49.95, 50.0, 50.05], 360), {"time": stamps})
    >>> reserve = v2g.with_calls_from_record(case, hertz, states=3)["reserve"]
    >>> reserve.call.sel(product="FCR-N").round(6).values.tolist()
    [0.5, 0.0, -0.5]
    >>> reserve.call_share.values.tolist()
    [0.25, 0.5, 0.25]
    """
    if "reserve" not in case.children:
        raise SchemaError([Problem("reserve", "missing", "missing: there is nothing to call")])
    inputs = inputs_of(case, parts)
    d, time = inputs.data["reserve"], inputs.calendar.time
    names = [str(n) for n in d.indexes["product"]]
    followers = [n for n in names if n in driven() or n in full_at]
    _refuse(followers, states, frequency, full_at)

    if by_step:
        frequency = begin_at(frequency, time) if moved else frequency
        record = cut_to_steps(frequency, time, inputs.dt)
    else:
        record = _whole_steps(frequency, inputs.dt)
    calls = activation(record, followers, full_at).transpose("product", "time")
    if mirrored := bool(guarantees.energy_backed(d).any()) and not by_step:
        image = activation(2 * NOMINAL - record, followers, full_at)
        calls = xr.concat([calls, image.transpose("product", "time")], "time")
    parts_of_step = _parts_of_step(record, inputs.dt)
    bins = _bins(calls.sum("product").to_numpy(), (states - 1) // 2)
    signal = list(_states_of_record(calls, bins, time if by_step else None, parts_of_step))
    others = on_off_signals(d, [n for n in names if n not in followers])
    own = pd.DatetimeIndex(record.get_index("time"))
    source = (
        f"a record of frequency from {own[0]} to {own[-1]}, {len(signal)} states"
        f"{' in each step' if by_step else ''}{', with its mirror image' if mirrored else ''}"
    )
    told = with_signals(case, d, [signal, *others], source)
    if by_step:
        return told
    back = _bought_back(calls.to_numpy(), parts_of_step, _delays(inputs, followers))
    every = xr.DataArray(back, {"product": followers}).reindex(product=names, fill_value=0.0)
    told["reserve"] = told["reserve"].assign(recovery_flow=as_declared("recovery_flow", every))
    return told


def activation(
    frequency: xr.DataArray, names: list[str], full_at: Mapping[str, float] = FULL_AT
) -> xr.DataArray:
    """Return the calls of products at a frequency, per kW sold, upward above 0, on (product, time).

    Products of `full_at` follow it, others the droop of the Nordic catalogue.

    Examples
    --------
    >>> import xarray as xr
    >>> hertz = xr.DataArray([49.9, 50.05], {"time": [0, 1]})
    >>> activation(hertz, ["FCR"]).round(6).values.tolist()
    [[0.5, -0.25]]
    """
    signals = [
        ((NOMINAL - frequency) / full_at[n]).clip(-1.0, 1.0)
        if n in full_at
        else droop(frequency, [n]).isel(product=0, drop=True)
        for n in names
    ]
    return xr.concat(signals, xr.Variable("product", np.array(names, dtype=object)))


def _refuse(
    followers: list[str], states: int, frequency: xr.DataArray, full_at: Mapping[str, float]
) -> None:
    """List what no states can be made of."""
    problems = []
    if not followers:
        detail = (
            "no product of the case follows the frequency; those that do are named"
            f" {', '.join([*driven(), *full_at])}, or give full_at"
        )
        problems.append(Problem("reserve.product", "labels", detail))
    if states < 3 or states % 2 == 0:
        problems.append(Problem("states", "range", f"{states}; give 3, 5, 7 or another odd number"))
    problems += [
        Problem("full_at", "range", f"{name}: {hertz} Hz; give a number above 0")
        for name, hertz in full_at.items()
        if not 0 < hertz < np.inf
    ]
    if bool(frequency.isnull().any()):
        count = int(frequency.isnull().sum())
        detail = f"{count} steps without a number; fill them, or leave them out at the ends"
        problems.append(Problem("frequency", "gaps", detail))
    if problems:
        raise SchemaError(problems, "the calls")


def _whole_steps(frequency: xr.DataArray, hours: float) -> xr.DataArray:
    """Return a record in as many whole steps of a model as it has, from its own beginning."""
    own = pd.DatetimeIndex(frequency.get_index("time"))
    if len(own) < 2 or (own[-1] - own[0]) + (own[1] - own[0]) < pd.Timedelta(hours=hours):
        detail = f"it is shorter than a step of the case ({60 * hours:g} min)"
        raise SchemaError([Problem("frequency.time", "time", detail)], "the frequency")
    count = int(((own[-1] - own[0]) + (own[1] - own[0])) / pd.Timedelta(hours=hours) + 1e-9)
    steps = pd.date_range(own[0], periods=count, freq=pd.Timedelta(hours=hours))
    return cut_to_steps(frequency, steps, hours)


def _parts_of_step(record: xr.DataArray, hours: float) -> int:
    """Return how many numbers of a record make a step of a model."""
    own = pd.DatetimeIndex(record.get_index("time"))
    fine = own[1] - own[0] if len(own) > 1 else pd.Timedelta(hours=hours)
    return round(pd.Timedelta(hours=hours) / fine)


def _bins(signal: np.ndarray, each_way: int) -> np.ndarray:
    """Return the bin of every number: 0 where nothing is called, 1, 2, ... upward and -1, -2, ...
    downward, those of one way with the same energy.
    """
    bins = np.zeros(len(signal), int)
    for sign in (1, -1):
        size = sign * signal
        there = np.flatnonzero(size > _SMALLEST)
        if not len(there):
            continue
        sizes, place, count = np.unique(size[there], return_inverse=True, return_counts=True)
        energy = (sizes * count).cumsum()
        middle = (energy - sizes * count / 2) / energy[-1]
        bins[there] = sign * (1 + np.minimum(middle * each_way, each_way - 1).astype(int))[place]
    return bins


def _states_of_record(
    calls: xr.DataArray, bins: np.ndarray, time: pd.DatetimeIndex | None, parts_of_step: int
) -> Iterator[State]:
    """Yield the states of a record, from the most upward to the most downward."""
    for number in np.unique(bins)[::-1]:
        inside = bins == number
        call = calls.isel(time=inside).mean("time")
        share = xr.DataArray(inside.mean())
        if time is not None:
            share = xr.DataArray(inside.reshape(-1, parts_of_step).mean(axis=1), {"time": time})
        way = "up" if number > 0 else "down"
        yield State(f"{way} {abs(number)}" if number else "", call, share)


def _delays(inputs: Inputs, followers: list[str]) -> list[int]:
    """Return in how many steps each product is bought back."""
    steps = recovery_steps(inputs.data["reserve"], inputs.dt)
    return [int(k) for k in steps.sel(product=followers).to_numpy()]


def _bought_back(calls: np.ndarray, parts_of_step: int, delays: list[int]) -> list[float]:
    """Return what buying back feeds in beside the calls, at most over the traded powers, per kW.

    `calls` is on (product, part of a step). With a the call and q what gives back the mean call of
    a step k steps before, beyond the mean of all: max_b E[(b + a + q)+] - E[(b + a)+].
    """
    found = []
    for a, k in zip(calls, delays, strict=True):
        steps = a.reshape(-1, parts_of_step)
        q = -(steps.mean(axis=1) - a.mean())
        now, before = steps[k:], q[: len(steps) - k, None]
        if not now.size:
            found.append(0.0)
            continue
        before = before - before.mean()
        more = [
            (np.maximum(b + now + before, 0) - np.maximum(b + now, 0)).mean() for b in _POSITIONS
        ]
        found.append(max(0.0, float(max(more))))
    return found
