"""Published types of sites: profiles of one day, and templates that compose them into sites (JSON).

A plant may shift a tenth of its profile if it makes up for it within the day: that is a buffer
without losses beside it. A load that can be compressed has a budget of energy, one that shifts may
end the day a little short: both are loads of this package. A storage gives back 0.95 of what it
takes in, each way; published is one whose energy falls by 0.95 of what it gives, as if it had no
losses.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from ...case.schema import suggest
from ...case.units import accepted, factor
from ...errors import Problem, SchemaError
from ..sessions.markets import ample_limit
from ..sessions.new_case import new_case
from ..tables.records import Record, read_records
from ..tables.wording import with_count

SHIFTED = 0.1
"""Share of the series of a plant that it may shift."""
STORED, STORED_AT_START, STORAGE_POWER, ONE_WAY = 70.0, 17.5, 42.0, 0.95
"""The storage: capacity and start (unit times steps), power, efficiency each way."""


@dataclass(frozen=True)
class _Plant:
    """A plant that feeds in `scale` times its series, and shifts from step `shifts_from` on."""

    series: str
    scale: float
    shifts_from: int = 0


@dataclass(frozen=True)
class _Load:
    """A load that draws `scale` times the positive part of its series.

    Parameters
    ----------
    series
        Its series in the file.
    scale
        Of the series.
    shifts
        Share of its power that it shifts, up and down.
    curtails
        Share of its power that it may do without.
    budget
        Share of the sum of its series that it may do without in a day.
    fixed
        First and last step in which it draws its profile.
    """

    series: str
    scale: float
    shifts: float = 0.0
    curtails: float = 0.0
    budget: float = 0.0
    fixed: tuple[int, int] | None = None


PLANTS = {
    "PV": _Plant("1044", 1.0),
    "W1": _Plant("1046", 10.0),
    "W2": _Plant("1047", 10.0),
    "CHP": _Plant("1054", 10.0, shifts_from=20),
}
LOADS = {
    "L1": _Load("1048", 10.0),
    "L2": _Load("1049", 1000.0, curtails=1.0, budget=0.25),
    "L3": _Load("1050", 1.0, shifts=0.2, curtails=0.2, budget=0.01, fixed=(15, 24)),
    "L4": _Load("1043", 1.0, shifts=0.15, curtails=0.15, budget=0.01, fixed=(30, 44)),
}
STORAGE = "ST"
TEMPLATES = (*PLANTS, STORAGE, *LOADS)
_COUNTED = re.compile(r"(?:(?P<count>\d+)\s+)?(?P<template>\w+)")


class _Prices(Record):
    buy_c_in: list[float]
    sell_c_out: list[float]


class _Inputs(Record):
    time_steps: int
    baselines: dict[str, list[float] | dict[str, float]]
    prices_hourly_eur_per_kwh: _Prices


class _Published(Record):
    inputs: _Inputs
    pods: dict[str, str]


def read_site_types(
    path: str | Path,
    *,
    pods: int | None = None,
    start: str = "2020-01-01",
    unit: str = "W",
    storage: Literal["with losses", "as published"] = "with losses",
) -> xr.DataTree:
    """Read a case of sites that are composed from published profiles of one day.

    The types take turns. What the file says only in words is known here: which series a template
    takes, its scale, and how it shifts, curtails and stores.

    Parameters
    ----------
    path : str or pathlib.Path
        JSON with `inputs` (`time_steps`, `baselines`, hourly prices `buy_c_in` and `sell_c_out` in
        EUR/kWh) and `pods`, by type what it is composed of: ``"PV+ST+2 L2"``.
    pods : int, optional
        How many sites; by default one of each type.
    start : str, default "2020-01-01"
        The day.
    unit : str, default "W"
        Unit of the profiles and of the power of the storage; its energy is in that unit times
        steps.
    storage : {"with losses", "as published"}, default "with losses"
        What leaves a storage takes ``1/0.95`` of it out of it, or 0.95, as was published: that is
        a storage without losses that holds ``1/0.95`` as much.

    Returns
    -------
    xarray.DataTree
        A case with a pod for each site, named by its type: `/renewable` (plants, also of heat and
        power, that feed in a given profile), `/battery` (storages, and what a plant may shift),
        `/load` and `/energy`. The attribute `assumptions` states every rule.

    Raises
    ------
    InputFileError
        The file cannot be read. It is a `SchemaError`.
    SchemaError
        Everything wrong with the series, the prices, the composition of the sites or the options.

    Examples
    --------
    >>> import json, pathlib
    >>> import v2g_linopy as v2g
    >>> prices = {"buy_c_in": [0.03], "sell_c_out": [0.02]}
    >>> profiles = {"1044": [0.0, -9000.0], "1050": [5000.0, 5000.0]}
    >>> inputs = {"time_steps": 2, "baselines": profiles, "prices_hourly_eur_per_kwh": prices}
    >>> size = pathlib.Path("types.json").write_text(
    ...     json.dumps({"inputs": inputs, "pods": {"house": "PV+L3"}})
    ... )
    >>> case = v2g.read_site_types("types.json")
    >>> case["renewable"]["available"].values.tolist(), case["load"]["pod"].values.tolist()
    ([[0.0, 9.0]], ['house'])
    """
    published, to_kw = read_records(path, _Published), factor(unit, "kW")
    problems = [*_wrong_options(pods, start, unit, storage), *_wrong_series(published.inputs)]
    composed = {pod: _composition(words) for pod, words in published.pods.items()}
    problems += list(_wrong_compositions(composed, published.inputs.baselines))
    if problems or to_kw is None:
        raise SchemaError(problems, str(path))

    inputs = published.inputs
    prices, steps = inputs.prices_hourly_eur_per_kwh, inputs.time_steps
    dt = len(prices.buy_c_in) / steps
    time = pd.date_range(start, periods=steps, freq=pd.Timedelta(hours=dt), name="time")
    count = len(composed) if pods is None else pods
    sites = _taking_turns([*composed], count)
    members = [
        (pod, template, number)
        for pod, kind in sites.items()
        for template, many in composed[kind].items()
        for number in range(1, many + 1)
    ]
    series = {n: to_kw * np.asarray(x) for n, x in inputs.baselines.items() if isinstance(x, list)}
    groups = _groups(members, series, time, dt, to_kw, storage)
    groups["energy"] = _market(prices, groups, time)
    return new_case(
        time,
        groups,
        timezone="UTC",
        title=f"{with_count(count, 'site')} of {with_count(len(composed), 'published type')}",
        source=Path(path).name,
        assumptions=_sentences(prices, count, unit, storage),
    )


def _taking_turns(kinds: Sequence[str], count: int) -> dict[str, str]:
    """Return the type of each site by its name.

    >>> _taking_turns(["p1", "p2"], 3)
    {'p1': 'p1', 'p2': 'p2', 'p1-2': 'p1'}
    """
    turns = (divmod(k, len(kinds)) for k in range(count))
    return {kinds[k] if turn == 0 else f"{kinds[k]}-{turn + 1}": kinds[k] for turn, k in turns}


def _composition(words: str) -> dict[str, int]:
    """Return how many of each template a site has.

    >>> _composition("2 PV+W1+ST")
    {'PV': 2, 'W1': 1, 'ST': 1}
    """
    found: Counter[str] = Counter()
    for word in words.split("+"):
        fits = _COUNTED.fullmatch(word.strip())
        found[fits["template"] if fits else word.strip()] += int((fits and fits["count"]) or 1)
    return dict(found)


def _wrong_options(pods: int | None, start: str, unit: str, storage: str) -> list[Problem]:
    problems = []
    try:
        date.fromisoformat(start)
    except ValueError:
        detail = f"{start!r} is not a date; write it as 2026-03-28"
        problems.append(Problem("start", "time", detail))
    if pods is not None and pods < 1:
        problems.append(Problem("pods", "range", f"{pods}, give at least 1"))
    if factor(unit, "kW") is None:
        detail = f"{unit!r} is no power; use one of {', '.join(accepted('kW'))}"
        problems.append(Problem("unit", "unit", detail))
    if storage not in (choices := ("with losses", "as published")):
        detail = f"{storage!r} is unknown{suggest(storage, choices)}"
        problems.append(Problem("storage", "choice", detail))
    return problems


def _wrong_series(inputs: _Inputs) -> Iterator[Problem]:
    """Return series and prices that do not have one number for each step."""
    prices = inputs.prices_hourly_eur_per_kwh
    hours, steps = len(prices.buy_c_in), inputs.time_steps
    if len(prices.sell_c_out) != hours:
        detail = f"{len(prices.sell_c_out)} hours, buy_c_in has {hours}"
        yield Problem("prices_hourly_eur_per_kwh.sell_c_out", "consistency", detail)
    if hours == 0 or steps < 1 or steps % hours:
        detail = f"{steps} steps are no whole number for each of {hours} hours"
        yield Problem("time_steps", "consistency", detail)
    for name, series in inputs.baselines.items():
        if isinstance(series, list) and len(series) != steps:
            detail = f"{len(series)} numbers, time_steps is {steps}"
            yield Problem(f"baselines.{name}", "consistency", detail)


def _wrong_compositions(
    composed: Mapping[str, Mapping[str, int]], baselines: Mapping[str, object]
) -> Iterator[Problem]:
    """Return templates that are unknown, and series that they need and the file does not have."""
    if not composed:
        yield Problem("pods", "missing", "there is no site: give at least one")
    for pod, templates in composed.items():
        for template in templates:
            if template not in TEMPLATES:
                detail = f"{template!r} is no template{suggest(template, TEMPLATES)}"
                yield Problem(f"pods.{pod}", "labels", detail)
    used = {t for templates in composed.values() for t in templates}
    for template, kind in (PLANTS | LOADS).items():
        if template in used and not isinstance(baselines.get(kind.series), list):
            detail = f"missing: {template} takes this series"
            yield Problem(f"baselines.{kind.series}", "missing", detail)


Member = tuple[str, str, int]
"""Pod, template, and number of it at the pod."""


def _groups(
    members: Sequence[Member],
    series: Mapping[str, np.ndarray],
    time: pd.DatetimeIndex,
    dt: float,
    to_kw: float,
    storage: str,
) -> dict[str, xr.Dataset]:
    """Return `/renewable`, `/battery` and `/load`."""
    plants, batteries, loads = {}, {}, {}
    for pod, template, number in members:
        name = f"{pod} {template} {number}"
        if template in PLANTS:
            plant, x = PLANTS[template], series[PLANTS[template].series]
            plants[name] = {"available": plant.scale * (-x).clip(min=0.0), "pod": pod}
            batteries[f"{name} shifted"] = _buffer(x, plant.shifts_from, dt) | {"pod": pod}
        elif template in LOADS:
            loads[name] = _load(LOADS[template], series[LOADS[template].series], dt) | {"pod": pod}
        else:
            batteries[name] = _storage(to_kw, dt, len(time), storage) | {"pod": pod}
    made = {"renewable": plants, "battery": batteries, "load": loads}
    groups = {n: _group(n, each, time) for n, each in made.items() if each}
    if "renewable" in groups:
        groups["renewable"]["curtailable"] = 0.0
    return groups


def _buffer(x: np.ndarray, shifts_from: int, dt: float) -> dict[str, Any]:
    """Return what shifts a tenth of a series and makes up for it: never full, never empty."""
    most = SHIFTED * abs(x) * (np.arange(len(x)) >= shifts_from)
    every = float(dt * most.sum())
    power = {"charge_max": most, "discharge_max": most}
    energy = {"energy_max": every, "energy_initial": every / 2, "cyclic": 1.0}
    return power | energy | {"eta_charge": 1.0, "eta_discharge": 1.0}


def _storage(to_kw: float, dt: float, steps: int, storage: str) -> dict[str, Any]:
    lossless = storage == "as published"
    power = np.full(steps, to_kw * STORAGE_POWER)
    energy, eta = to_kw * dt / (ONE_WAY if lossless else 1.0), 1.0 if lossless else ONE_WAY
    return {
        "charge_max": power,
        "discharge_max": power,
        "energy_max": energy * STORED,
        "energy_initial": energy * STORED_AT_START,
        "cyclic": 0.0,
        "eta_charge": eta,
        "eta_discharge": eta,
    }


def _load(load: _Load, x: np.ndarray, dt: float) -> dict[str, Any]:
    power, step = load.scale * x.clip(min=0.0), np.arange(len(x))
    first, last = load.fixed or (1, 0)
    moves = (step < first) | (step > last)
    shifted, curtailed = (share * power * moves for share in (load.shifts, load.curtails))
    return {
        "baseline": power,
        "shift_up_max": shifted,
        "shift_down_max": shifted,
        "curtail_max": curtailed,
        "power_min": power - np.maximum(shifted, curtailed),
        "curtail_energy_max": float(load.budget * dt * x.sum()),
    }


def _group(
    part: str, members: Mapping[str, Mapping[str, Any]], time: pd.DatetimeIndex
) -> xr.Dataset:
    """Return the fields of all members, those that change in the day on time, too."""
    fields = {}
    for field, first in next(iter(members.values())).items():
        dims = (part, "time") if isinstance(first, np.ndarray) else (part,)
        fields[field] = (dims, [fields_of[field] for fields_of in members.values()])
    group = xr.Dataset(fields, coords={part: list(members), "time": time})
    return group.assign(curtail_cost=0.0, window=0.0) if part == "load" else group


def _market(
    prices: _Prices, groups: Mapping[str, xr.Dataset], time: pd.DatetimeIndex
) -> xr.Dataset:
    """Return the market: sales and purchases at their prices, where purchases are dearer."""
    buy, sell = (
        np.repeat(1000.0 * np.asarray(x), len(time) // len(x))
        for x in (prices.buy_c_in, prices.sell_c_out)
    )
    power = sum(
        float(abs(groups[part][field]).sum(part).max())
        for part, field in (
            *(("renewable", "available"), ("load", "baseline"), ("load", "shift_up_max")),
            *(("battery", "charge_max"), ("battery", "discharge_max")),
        )
        if part in groups
    )
    each = {"units": "EUR/MWh"}
    return xr.Dataset(
        {
            "price": (("market", "time"), [(buy + sell) / 2], each),
            "spread": (("market", "time"), [(buy - sell).clip(min=0.0)], each),
            "limit": ("market", [ample_limit(power)]),
        },
        coords={"market": ["grid"], "time": time},
    )


def _sentences(prices: _Prices, count: int, unit: str, storage: str) -> list[str]:
    """State what the case assumes."""
    cheap = sum(b < s for b, s in zip(prices.buy_c_in, prices.sell_c_out, strict=True))
    taken = ", ".join(f"{t} from {k.series}" for t, k in (PLANTS | LOADS).items())
    stored = (
        "as if it had no losses, as was published"
        if storage == "as published"
        else f"with an efficiency of {ONE_WAY:g} each way"
    )
    return [
        f"{with_count(count, 'site')}; the types take turns. Numbers are in {unit}.",
        f"Series: {taken}; the file does not name those of PV, L1 and L2.",
        (
            "Plants feed in what their profile says, also one of heat and power. They may shift a"
            f" share of {SHIFTED:g} of their series, and make up for it within the day: a storage"
            " without losses beside each."
        ),
        (
            "L2 may do without any power, up to a quarter of the sum of its series before it is"
            " scaled; L3 and L4 shift 0.2 and 0.15 of their power but in steps 15-24 and 30-44, and"
            " may end the day 1 % short. Nothing is paid for it."
        ),
        (
            f"A storage of {STORED:g} {unit} x steps, {STORED_AT_START:g} at the start, with"
            f" {STORAGE_POWER:g} {unit}, {stored}, and no rule for its end."
        ),
        (
            "One market: it sells and buys at their prices, and at the mean of both in the"
            f" {with_count(cheap, 'hour')} in which selling would earn more than buying costs."
        ),
    ]
