"""Activation signals that a reserve admits: all extreme ones of a short horizon, or random ones."""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import xarray as xr

from ..errors import Problem, SchemaError
from ..model.inputs import Inputs, inputs_of
from ..model.part import Part
from ..parts.catalogue import PARTS

LARGEST_COUNT = 1_000_000


def extreme_signals(
    case: xr.DataTree, products: Iterable[str] | None = None, parts: Mapping[str, Part] = PARTS
) -> xr.Dataset:
    """Return every extreme activation signal that the products of a case admit.

    Activation is full, up or down, step by step. A product with an `activation_cycle` is fully
    activated at most `activation_period` hours (a step unless given) in any cycle, one with the
    guarantee `box` without limit, and so one with `recourse` and no cycle, any other once. All
    combinations of all products are listed: this is for horizons of about twelve steps.

    Parameters
    ----------
    case : xarray.DataTree
        A case or a result with reserves.
    products : iterable of str, optional
        Those that are activated, all unless given; the others rest.
    parts : mapping of str to Part, default PARTS
        The catalogue.

    Returns
    -------
    xarray.Dataset
        `up` and `down` on (signal, product, time), shares (1) of what is held per kW sold, as
        `stress` takes them.

    Raises
    ------
    SchemaError
        More than a million signals, a case without reserves, unknown products, or inputs that do
        not fit the schema.

    Examples
    --------
    A product that is called once in three steps, upward, at full power or not at all: four signals.

    >>> import v2g_linopy as v2g
    >>> case = v2g.select_window(v2g.commuters(vehicles=1, days=1), 0, 3)
    >>> signals = v2g.extreme_signals(case, products=["up"])
    >>> signals.up.sel(product="up").astype(int).values.tolist()
    [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
    """
    inputs, d = _reserve(case, parts)
    steps = len(inputs.calendar.time)
    activated = _named(d, products)
    sequences = [_sequences(d.sel(product=name), inputs.dt, steps) for name in activated]
    sizes = [len(some) for some in sequences]
    count = int(np.prod(sizes, dtype=np.int64))
    if count > LARGEST_COUNT:
        raise _too_many(count)

    # every combination of a sequence of each product
    places = np.unravel_index(np.arange(count), sizes) if sizes else ()
    level = np.zeros((count, d.sizes["product"], steps))
    for name, some, place in zip(activated, sequences, places, strict=True):
        level[:, d.indexes["product"].get_loc(name)] = some[place]
    return _signals(level, d, inputs)


def random_signals(
    case: xr.DataTree,
    count: int,
    *,
    seed: int = 0,
    products: Iterable[str] | None = None,
    parts: Mapping[str, Part] = PARTS,
) -> xr.Dataset:
    """Return random activation signals that the products of a case admit, extreme ones among them.

    Each signal has an eagerness (from seldom to whenever the budget allows, after a first time at
    random), a direction (up, down, or mixed) and full or partial activation.

    Parameters
    ----------
    case : xarray.DataTree
        A case or a result with reserves.
    count : int
        Number of signals.
    seed : int, default 0
        The same signals for the same seed.
    products : iterable of str, optional
        Those that are activated, all unless given; the others rest.
    parts : mapping of str to Part, default PARTS
        The catalogue.

    Returns
    -------
    xarray.Dataset
        `up` and `down` on (signal, product, time), shares (1) of what is held per kW sold, as
        `stress` takes them.

    Raises
    ------
    SchemaError
        A case without reserves, unknown products, or inputs that do not fit the schema.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> signals = v2g.random_signals(v2g.depot(vehicles=1, days=1), 5, seed=3)
    >>> dict(signals.up.sizes)
    {'signal': 5, 'product': 1, 'time': 96}
    >>> float(signals.up.min()) >= 0.0, float(signals.up.max()) <= 1.0
    (True, True)
    """
    inputs, d = _reserve(case, parts)
    steps, random = len(inputs.calendar.time), np.random.default_rng(seed)
    level = np.zeros((count, d.sizes["product"], steps))
    for name in _named(d, products):
        p = d.sel(product=name)
        cycle, full_steps = budget(p, inputs.dt, steps)

        eager = random.choice((0.1, 0.5, 1.0, 1.0), count)[:, None]
        upward = random.choice((0.0, 0.5, 1.0), count)[:, None]
        shape = (count, steps)
        sign = np.where(random.random(shape) < upward, 1.0, -1.0)
        sign = np.where(float(p.up) == 0, -1.0, np.where(float(p.down) == 0, 1.0, sign))

        full = random.random(count)[:, None] < 2 / 3
        wish = np.where(full, 1.0, random.random(shape)) * (random.random(shape) < eager)
        wish *= np.arange(steps) >= random.integers(0, min(cycle, steps), count)[:, None]

        taken = np.zeros(shape)
        for t in range(steps):
            used = taken[:, max(0, t - cycle + 1) : t].sum(axis=1)
            taken[:, t] = np.clip(np.minimum(wish[:, t], full_steps - used), 0.0, 1.0)
        level[:, d.indexes["product"].get_loc(name)] = sign * taken
    return _signals(level, d, inputs)


def budget(p: xr.Dataset, dt: float, steps: int) -> tuple[int, float]:
    """Return the activation cycle of a product, and the full activation in it, both in steps."""
    guarantee = str(p.guarantee.item())
    if guarantee == "box" or (guarantee == "recourse" and np.isnan(p.activation_cycle)):
        return 1, 1.0
    cycle, period = float(p.activation_cycle), float(p.activation_period.fillna(dt))
    return (steps if np.isnan(cycle) else max(1, round(cycle / dt))), period / dt


def _reserve(case: xr.DataTree, parts: Mapping[str, Part]) -> tuple[Inputs, xr.Dataset]:
    inputs = inputs_of(case, parts)
    if "reserve" not in inputs.data or not inputs.data["reserve"].sizes.get("product", 0):
        raise SchemaError(
            [Problem("reserve", "missing", "there is no product that could be activated")]
        )
    return inputs, inputs.data["reserve"]


def _named(d: xr.Dataset, products: Iterable[str] | None) -> list[str]:
    there = [str(p) for p in d.indexes["product"]]
    wanted = there if products is None else [str(p) for p in products]
    if strange := [p for p in wanted if p not in there]:
        raise SchemaError(
            [Problem("products", "labels", f"{p!r} is not a product of /reserve") for p in strange]
        )
    return wanted


def _sequences(p: xr.Dataset, dt: float, steps: int) -> np.ndarray:
    """Every sequence of full activation (1 up, -1 down, 0 none) within the budget of each cycle."""
    cycle, full_steps = budget(p, dt, steps)
    size, many = min(1.0, full_steps), max(1, round(full_steps))
    signs = [sign for sign, way in ((1.0, p.up), (-1.0, p.down)) if float(way) > 0]
    found = np.zeros((1, 0))
    for t in range(steps):
        free = (found[:, max(0, t - cycle + 1) :] != 0).sum(axis=1) < many
        activated = [_longer(found[free], sign * size) for sign in signs]
        found = np.concatenate([_longer(found, 0.0), *activated])
        if len(found) > LARGEST_COUNT:
            raise _too_many(len(found))
    return found


def _longer(sequences: np.ndarray, value: float) -> np.ndarray:
    return np.concatenate([sequences, np.full((len(sequences), 1), value)], axis=1)


def _too_many(count: int) -> SchemaError:
    detail = (
        f"{count:,} or more extreme signals; name fewer products, take fewer steps, or use"
        " random_signals"
    )
    return SchemaError([Problem("signals", "size", detail)])


def _signals(level: np.ndarray, d: xr.Dataset, inputs: Inputs) -> xr.Dataset:
    axes = {
        "signal": np.arange(len(level)),
        "product": d.indexes["product"],
        "time": inputs.calendar.time,
    }
    return xr.Dataset(
        {way: (tuple(axes), part, {"units": "1"}) for way, part in _ways(level)}, coords=axes
    )


def _ways(level: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    yield "up", level.clip(min=0.0)
    yield "down", (-level).clip(min=0.0)
