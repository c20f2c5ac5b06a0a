"""Small cases with a plan: up to eight steps, four members, powers in whole kW, prices in
sixteenths of a EUR/kWh.

Every case has a plan because standing still is one: needs can be missed at a price unless the
energy on board covers them, departing cars may take what they hold, and a market that is bound to a
position has an open one beside it."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from hypothesis import strategies as st
from invariants.members import fleets
from invariants.wanted import CENTS, Draw, Wanted, rows

import v2g_linopy as v2g

MIDNIGHT, EVENING, MARCH, OCTOBER = (
    "2026-01-05 00:00",
    "2026-01-05 21:00",
    "2026-03-28 22:00",
    "2026-10-24 22:00",
)
DIRECTIONS = ((1.0, 0.0), (0.0, 1.0), (1.0, 1.0), (1.25, 0.25), (0.25, 1.0))
ALL = Wanted()
MIXES = (
    (0, 0, 0),
    (1, 0, 0),
    (0, 1, 0),
    (0, 0, 1),
    (1, 1, 0),
    (1, 0, 1),
    (0, 1, 1),
    (1, 1, 1),
    (1, 1, 0),
    (1, 0, 0),
)


@st.composite
def cases(draw: Draw, wanted: Wanted = ALL) -> xr.DataTree:
    """A case that has a plan."""
    steps = draw(st.integers(*wanted.steps))
    hours = draw(st.sampled_from((1.0, 0.5, 0.25)))
    start = draw(st.sampled_from((MIDNIGHT, EVENING, MARCH, OCTOBER)))
    time = pd.date_range(start, periods=steps, freq=pd.Timedelta(hours=hours), name="time")
    zone = draw(st.sampled_from(("UTC", "Europe/Rome")))
    groups = {"fleet": draw(fleets(wanted, steps)), "energy": draw(markets(wanted, steps))}
    asked, mix = (wanted.reserve, wanted.connection, wanted.scenarios), draw(st.sampled_from(MIXES))
    reserved, connected, uncertain = (
        m if a is None else a for a, m in zip(asked, mix, strict=True)
    )
    if reserved:
        groups["reserve"] = draw(reserves(wanted, steps, list(groups["energy"].market.values)))
    if connected:
        groups["fleet"], groups["connection"] = draw(connections(groups["fleet"], steps))
    groups = {name: described(name, ds.assign_coords(time=time)) for name, ds in groups.items()}
    case = v2g.assemble(time, groups, timezone=zone, title="drawn", step_hours=hours)
    return draw(scenarios(case)) if uncertain else case


def described(part: str, ds: xr.Dataset) -> xr.Dataset:
    """Give every array of a part its unit."""
    units = {f.name: f.unit for f in v2g.PARTS[part].schema.inputs if f.kind == "quantity"}
    named = ds.copy()
    for name in ds.data_vars:
        if str(name) in units:
            named.variables[name].attrs["units"] = units[str(name)]
    return named


@st.composite
def markets(draw: Draw, wanted: Wanted, steps: int) -> xr.Dataset:
    """One market or several, the first of several open and ample; gates close, limits bind, a unit
    takes two steps.
    """
    count = 1 if wanted.simple_market else draw(st.sampled_from((1, 1, 2, 3)))
    prices = range(wanted.lowest_price, 13)
    price = CENTS * np.array([draw(rows(prices, steps)) for _ in range(count)])
    names = [f"market-{i}" for i in range(count)]
    ds = xr.Dataset({"price": (("market", "time"), price)}, coords={"market": names})
    ds["limit"] = (("market", "time"), np.full(price.shape, 64.0))
    if wanted.simple_market:
        return ds
    for i in range(0 if count == 1 else 1, count):
        ds["limit"][i] = draw(st.sampled_from((64.0, 4.0, 2.0, 1.0)))
    if draw(st.booleans()):
        ds["spread"] = (
            ("market", "time"),
            CENTS * np.array([draw(rows((0, 1, 2), steps)) for _ in names]),
        )
    unit = [0.0] * count
    if wanted.blocks and draw(st.booleans()):
        unit = [
            0.0 if count > 1 and i == 0 else draw(st.sampled_from((0.0, 0.5, 1.0, 2.0)))
            for i in range(count)
        ]
        ds["block"] = ("market", unit)
    if draw(st.booleans()):
        closed, taken = np.zeros(price.shape), np.zeros(price.shape)
        for i in range(0 if count == 1 else 1, count):
            length = 1 if unit[i] else steps  # a gate does not close inside a block
            closed[i] = draw(rows((0, 1), length))
            taken[i] = draw(rows((-2, 0, 1), length)) * closed[i] * (count > 1)
        ds = ds.assign(closed=(("market", "time"), closed), committed=(("market", "time"), taken))
    ds["virtual_bidding"] = float(draw(st.sampled_from((0, 0, 1))))
    ds["first_stage"] = ("market", [float(draw(st.sampled_from((1, 0)))) for _ in names])
    return ds


@st.composite
def reserves(draw: Draw, wanted: Wanted, steps: int, market: list[str]) -> xr.Dataset:
    """One product to three: power either way, endurance, expected activation with or without a
    price of its own.
    """
    names = [f"product-{i}" for i in range(draw(st.integers(1, 3)))]
    way = [draw(st.sampled_from(DIRECTIONS)) for _ in names]
    shares = (0.0, 0.25) if wanted.activation else (0.0,)
    volumes = (np.inf, 4.0, 1.0, 0.0) if wanted.binding_volume else (np.inf,)
    up, down = np.array(way).T

    def each(values: Sequence[float]) -> tuple[str, list[float]]:
        return "product", [draw(st.sampled_from(values)) for _ in names]

    def table(values: Sequence[float]) -> tuple[tuple[str, str], np.ndarray]:
        return ("product", "time"), np.array([draw(rows(values, steps)) for _ in names])

    ds = xr.Dataset(
        {
            "up": ("product", up),
            "down": ("product", down),
            "hours_up": each((0.0, 0.5, 1.0)),
            "hours_down": each((0.0, 0.5, 1.0)),
            "capacity_price": (("product", "time"), CENTS * table(range(6))[1]),
            "activation_up": (("product", "time"), table(shares)[1] * np.minimum(up, 1)[:, None]),
            "activation_down": (
                ("product", "time"),
                table(shares)[1] * np.minimum(down, 1)[:, None],
            ),
            "volume_max": table(volumes),
            "guarantee": each(wanted.guarantees),
            "first_stage": each((1.0, 0.0)),
        },
        coords={"product": names},
    )
    if wanted.blocks and draw(st.booleans()):
        ds["block"] = each((0.0, 1.0, 2.0))
    if wanted.activation_prices and draw(st.booleans()):
        for side in ("activation_price_up", "activation_price_down"):
            ds[side] = (("product", "time"), CENTS * table(range(-2, 10))[1])
    if draw(st.booleans()):
        ds["settlement"] = each(market)
    return ds


@st.composite
def connections(draw: Draw, fleet: xr.Dataset, steps: int) -> tuple[xr.Dataset, xr.Dataset]:
    """Two sites and what their connections let through, some of it without a limit."""
    pods = [draw(st.sampled_from(("north", "south"))) for _ in fleet.fleet]
    limits = {
        side: (
            ("pod", "time"),
            np.array([draw(rows((np.inf, 4.0, 2.0, 0.0), steps)) for _ in range(2)]),
        )
        for side in ("import_max", "export_max")
    }
    return fleet.assign(pod=("fleet", pods)), xr.Dataset(limits, coords={"pod": ["north", "south"]})


@st.composite
def scenarios(draw: Draw, case: xr.DataTree) -> xr.DataTree:
    """Two futures that differ in prices, and sometimes in what is plugged in."""
    axis = {"scenario": ["calm", "windy"]}
    weight = draw(st.sampled_from((0.25, 0.5, 0.75)))
    energy, fleet = (
        case["energy"].to_dataset(inherit=False),
        case["fleet"].to_dataset(inherit=False),
    )
    shift = xr.DataArray([0.0, CENTS * draw(st.integers(-3, 3))], coords=axis)
    energy["price"] = (
        (energy.price + shift).transpose("scenario", ...).assign_attrs(energy.price.attrs)
    )
    if draw(st.booleans()):
        share = xr.DataArray([1.0, draw(st.sampled_from((0.25, 0.5)))], coords=axis)
        for name in ("charge_max", "discharge_max"):
            fleet[name] = (
                (fleet[name] * share).transpose("scenario", ...).assign_attrs(fleet[name].attrs)
            )
    probability = xr.DataArray([weight, 1 - weight], coords=axis, dims="scenario")
    root = case.to_dataset().assign_coords(axis).assign(probability=probability)
    parts = {f"/{n}": node.to_dataset(inherit=False) for n, node in case.children.items()}
    return xr.DataTree.from_dict({"/": root, **parts, "/energy": energy, "/fleet": fleet})
