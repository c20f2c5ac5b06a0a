"""A frequency record folded into what a case knows of its reserves in each step
(docs/formulation.md §3)."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from ..case.io import step_hours
from ..errors import Problem, Remedy, SchemaError
from ..model.inputs import inputs_of
from ..model.part import Part
from ..parts.catalogue import PARTS
from ..parts.markets.reserve.nordic_products import driven, droop

FOLDED = ("activation_up", "activation_down", "excursion_up", "excursion_down")


def fold(
    frequency: xr.DataArray,
    names: Sequence[str],
    time: pd.DatetimeIndex,
    hours: float,
    *,
    eta_charge: float = 1.0,
    eta_discharge: float = 1.0,
    at_rest: bool = False,
) -> xr.Dataset:
    """Return what a frequency record means for named products in each step, per kW sold.

    With s+ and s- the shares activated upward and downward by droop, and tau any moment of the
    step::

        activation_up = mean s+,    activation_down = mean s-
        excursion_up   = max_tau integral_0^tau (s+ / eta_d - eta_c s-)   [h]
        excursion_down = max_tau integral_0^tau (s- / eta_d - eta_c s+)   [h]
                         (at rest: eta_c s- - s+ / eta_d)

    A battery that follows the record beside any baseline never leaves the undisturbed path by more
    than the excursions (times what is sold) within the step; at rest by no less. Efficiencies below
    those of the battery keep it safe.

    Parameters
    ----------
    frequency : xarray.DataArray
        Hz on (time), uniform, finer than the model or as fine.
    names : sequence of str
        Products of the catalogue that follow the frequency.
    time : pandas.DatetimeIndex
        Start of each step of the model, naive UTC.
    hours : float
        Length of a step of the model (h).
    eta_charge, eta_discharge : float, default 1.0
        Of the least efficient battery.
    at_rest : bool, default False
        The baseline neither charges nor discharges: the downward excursion is the exact one.

    Returns
    -------
    xarray.Dataset
        `activation_up`, `activation_down` (1), `excursion_up`, `excursion_down` (h) on (product,
        time).

    Raises
    ------
    SchemaError
        Steps that do not nest, or that the record does not cover; products that follow no
        frequency.

    Examples
    --------
    Half an hour at 49.9 Hz calls FCR-N fully upward; the other half, at 50 Hz, not at all:

    >>> import pandas as pd
    >>> import xarray as xr
    >>> stamps = pd.date_range("2026-03-02", periods=2, freq="30min")
    >>> hertz = xr.DataArray([49.9, 50.0], coords={"time": stamps})
    >>> step = fold(hertz, ["FCR-N"], stamps[:1], 1.0).isel(product=0, time=0).round(6)
    >>> float(step.activation_up), float(step.excursion_up), float(step.excursion_down)
    (0.5, 0.5, 0.0)
    """
    signal = droop(cut_to_steps(frequency, time, hours), names)
    parts = signal.sizes["time"] // len(time)
    fine = signal.to_numpy().reshape(len(signal), len(time), parts)
    dt, up, down = hours / parts, fine.clip(min=0), (-fine).clip(min=0)

    def worst(drawn: np.ndarray) -> np.ndarray:
        return np.asarray((dt * drawn.cumsum(axis=-1)).max(axis=-1).clip(min=0))

    drawn = up / eta_discharge - eta_charge * down
    if at_rest:
        stored = eta_charge * down - up / eta_discharge
    else:
        stored = down / eta_discharge - eta_charge * up
    folded = (up.mean(axis=-1), down.mean(axis=-1), worst(drawn), worst(stored))
    declared = {field.name: field for field in PARTS["reserve"].schema.inputs}
    data = {}
    for name, values in zip(FOLDED, folded, strict=True):
        meaning = {"units": declared[name].unit, "long_name": declared[name].doc}
        data[name] = (("product", "time"), values, meaning)
    return xr.Dataset(data, coords={"product": signal.indexes["product"], "time": time})


def with_frequency(
    case: xr.DataTree,
    frequency: xr.DataArray,
    *,
    moved: bool = False,
    parts: Mapping[str, Part] = PARTS,
) -> xr.DataTree:
    """Return a case whose products that follow the frequency are called as in a record.

    They get the expected activation and the worst excursions of the record (docs/formulation.md
    §3). Products are known by their names in the catalogue; others stay as they are. The
    efficiencies are the lowest of the fleet and the batteries.

    Parameters
    ----------
    case : xarray.DataTree
        With `/reserve`. It is not changed.
    frequency : xarray.DataArray
        Hz on (time), naive UTC, uniform, covering the case; as fine as its steps or finer.
    moved : bool, default False
        The record begins elsewhere: take its beginning for that of the case.
    parts : mapping of str to Part, default PARTS
        The catalogue.

    Returns
    -------
    xarray.DataTree
        The case with `activation_up`, `activation_down` (1), `excursion_up` and `excursion_down`
        (h) in `/reserve`, on (product, time).

    Raises
    ------
    SchemaError
        Steps that do not nest, or that the record does not cover; a case without a product that
        follows the frequency, or one that does not fit the schema.

    Examples
    --------
    At 49.95 Hz FCR-N is called upward at half, all the time:

    >>> import pandas as pd
    >>> import xarray as xr
    >>> import v2g_linopy as v2g
    >>> case = v2g.nordic_fcr(vehicles=1, days=1)
    >>> stamps = pd.date_range(case["time"].values[0], periods=24 * 60, freq="1min")
    >>> hertz = xr.DataArray([49.95] * 1440, coords={"time": stamps})
    >>> called = v2g.with_frequency(case, hertz)
    >>> called["reserve"].activation_up.sel(product="FCR-N").round(6).values[:3].tolist()
    [0.5, 0.5, 0.5]
    """
    inputs = inputs_of(case, parts)
    names = _followed(case)
    time, reserve = inputs.calendar.time, inputs.data["reserve"]
    stores = [d for part, d in inputs if part.stores_energy]
    least = [
        min([1.0, *(float(d[n].min()) for d in stores if n in d and d[n].size)])
        for n in ("eta_charge", "eta_discharge")
    ]
    if moved:
        frequency = begin_at(frequency, time)
    folded = fold(frequency, names, time, inputs.dt, eta_charge=least[0], eta_discharge=least[1])
    fresh = {}
    for name, x in folded.data_vars.items():
        whole = x.reindex(product=reserve.indexes["product"])
        fresh[name] = whole.fillna(reserve[name]).transpose(
            "scenario", ..., "product", "time", missing_dims="ignore"
        )
        fresh[name].attrs = x.attrs
    case = case.copy()
    case["reserve"] = xr.DataTree(case.children["reserve"].to_dataset(inherit=False).assign(fresh))
    return case


def frequency_signals(
    case: xr.DataTree,
    frequency: xr.DataArray,
    *,
    moved: bool = False,
    parts: Mapping[str, Part] = PARTS,
) -> xr.Dataset:
    """Return a record as the activation of each product in fine steps, for a stress test of a plan.

    Parameters
    ----------
    case : xarray.DataTree
        A case or a result with `/reserve`.
    frequency : xarray.DataArray
        Hz on (time), naive UTC, uniform, covering the case; as fine as its steps or finer.
    moved : bool, default False
        The record begins elsewhere: take its beginning for that of the case.
    parts : mapping of str to Part, default PARTS
        The catalogue.

    Returns
    -------
    xarray.Dataset
        `up` and `down` on (signal, product, time), as shares (1) of the power held per kW sold
        (FCR-N of a limited reservoir holds 1.34 kW and is activated by 1 at most); one signal,
        `record`, in the steps of the record.

    Raises
    ------
    SchemaError
        As `with_frequency`.

    Examples
    --------
    At 49.9 Hz FCR-N is called fully: 1 kW of the 1.34 kW that are held per kW sold.

    >>> import pandas as pd
    >>> import xarray as xr
    >>> import v2g_linopy as v2g
    >>> case = v2g.nordic_fcr(vehicles=1, days=1)
    >>> stamps = pd.date_range(case["time"].values[0], periods=24 * 60, freq="1min")
    >>> hertz = xr.DataArray([49.9] * 1440, coords={"time": stamps})
    >>> signals = v2g.frequency_signals(case, hertz)
    >>> dict(signals.up.sizes)
    {'signal': 1, 'product': 3, 'time': 1440}
    >>> float((1.34 * signals.up).sel(product="FCR-N").max().round(6))
    1.0
    """
    names, time = _followed(case), pd.DatetimeIndex(case.to_dataset().indexes["time"])
    inside = cut_to_steps(begin_at(frequency, time) if moved else frequency, time, step_hours(case))
    activated = droop(inside, names).expand_dims(signal=["record"])
    reserve = inputs_of(case, parts).data["reserve"].sel(product=names)
    held_up, held_down = (reserve[way].where(reserve[way] > 0, 1.0) for way in ("up", "down"))
    signals = xr.Dataset(
        {"up": activated.clip(min=0) / held_up, "down": (-activated).clip(min=0) / held_down}
    )
    return signals.transpose("signal", "product", "time")


def _followed(case: xr.DataTree) -> list[str]:
    """Products of a case that follow the frequency."""
    there = (
        case["reserve"].to_dataset().indexes.get("product", [])
        if "reserve" in case.children
        else []
    )
    names = [str(n) for n in there if str(n) in driven()]
    if not names:
        detail = (
            "no product of the case follows the frequency; those that do are named"
            f" {', '.join(driven())}"
        )
        raise SchemaError([Problem("reserve.product", "labels", detail)], "the frequency")
    return names


def begin_at(frequency: xr.DataArray, time: pd.DatetimeIndex) -> xr.DataArray:
    """Return a record that begins elsewhere as if it began with the steps of a model."""
    own = pd.DatetimeIndex(frequency.get_index("time"))
    return frequency.assign_coords(time=own + (time[0] - own[0]))


def cut_to_steps(frequency: xr.DataArray, time: pd.DatetimeIndex, hours: float) -> xr.DataArray:
    """Cut a record to the steps of a model, each of them whole."""
    own = pd.DatetimeIndex(frequency.get_index("time"))
    stamps = (np.asarray(t, "datetime64[ns]").astype(np.int64) for t in (own, time))
    fine, steps = stamps
    apart, length = np.diff(fine), round(hours * 3.6e12)
    step = int(apart[0]) if len(apart) else length
    if (apart != step).any() or step <= 0 or length % step or (steps[0] - fine[0]) % step:
        detail = (
            f"the record has steps of {step / 1e9:g} s from {own[0]}; they must be the same"
            " everywhere, and make "
        )
        detail += f"whole steps of {60 * hours:g} min from {time[0]}"
        raise SchemaError([Problem("frequency.time", "time", detail)], "the frequency")
    first, count = (steps[0] - fine[0]) // step, len(steps) * (length // step)
    if first < 0 or first + count > len(fine):
        covered = f"{own[0]} to {own[-1] + pd.Timedelta(step)} UTC"
        needed = f"{time[0]} to {time[-1] + pd.Timedelta(hours=hours)}"
        detail = f"it covers {covered}, the case {needed}"
        move = Remedy("moved", advice="give {} to let it stand for those hours all the same")
        raise SchemaError([Problem("frequency.time", "time", detail, (move,))], "the frequency")
    return frequency.isel(time=slice(int(first), int(first + count)))
