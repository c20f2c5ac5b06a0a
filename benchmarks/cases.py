"""Seeded cases for the benchmarks, in the layout of a case file, made with numpy alone."""

import numpy as np
import pandas as pd
import xarray as xr

import v2g_linopy as v2g

POWER, CAPACITY, NEED = 7.2, 24.0, 0.99  # kW, kWh, share of the battery at departure
ACTIVATION = {"up": 0.25, "down": 0.75}  # expected share activated


def commuters(vehicles: int, days: int, *, reserves: bool = True, seed: int = 0) -> xr.DataTree:
    """Cars plugged in at work (arrive 6-9, leave 16-19) with energy and two regulation products.

    Every limit of a market is ample: a share is at most 14.4 kW / 0.25 per vehicle, so neither 100
    kW of volume nor 200 kW of position per vehicle can bind."""
    time = pd.date_range("2024-01-01", periods=24 * days, freq="h", name="time")
    names = pd.Index([f"ev-{i:04d}" for i in range(vehicles)], name="fleet")
    random = np.random.default_rng(seed)
    tree = {
        "/": xr.Dataset(
            coords={"time": time}, attrs={"timezone": "UTC", "currency": "EUR", "schema_version": 1}
        ),
        "/fleet": _fleet(names, time, random),
        "/energy": _energy(vehicles, time, random),
    }
    if reserves:
        tree["/reserve"] = _reserve(vehicles, time, random)
    return xr.DataTree.from_dict(tree)


def budgeted(vehicles: int, days: int) -> xr.DataTree:
    """The same cars with reserves at a quarter of the price that survive every call of a step in
    any six.

    A tenth of the calls is expected. Each hour is taken as half of one: a size of two days has 48
    half-hours."""
    hourly = commuters(vehicles, days)
    time = pd.date_range(
        hourly["time"].to_numpy()[0], periods=hourly.sizes["time"], freq="30min", name="time"
    )
    tree = {
        f"/{name}": part.to_dataset().assign_coords(time=time)
        for name, part in hourly.children.items()
    }
    tree["/reserve"]["guarantee"] = ("product", ["budget", "budget"])
    tree["/reserve"]["activation_cycle"] = ("product", [3.0, 3.0], {"units": "h"})
    tree["/reserve"]["capacity_price"] = 0.25 * tree["/reserve"]["capacity_price"]
    for way in ACTIVATION:
        tree["/reserve"][f"activation_{way}"] = 0.1 * tree["/reserve"][way]
    root = xr.Dataset(coords={"time": time}, attrs=hourly.attrs)
    return xr.DataTree.from_dict({"/": root, **tree})


def called(vehicles: int, days: int) -> xr.DataTree:
    """The same cars with reserves of which no activation is expected."""
    case = commuters(vehicles, days)
    for way in ACTIVATION:
        case["/reserve"][f"activation_{way}"] = 0.0 * case["/reserve"][way]
    return case


def backed(case: xr.DataTree, guarantee: str) -> xr.DataTree:
    """The case with a guarantee for both products, and one call in any four hours."""
    case = case.copy()
    case["/reserve"] = (
        case["/reserve"]
        .to_dataset()
        .assign(
            guarantee=("product", [guarantee] * 2),
            activation_cycle=("product", [4.0] * 2, {"units": "h"}),
        )
    )
    return case


def _fleet(names: pd.Index, time: pd.DatetimeIndex, random: np.random.Generator) -> xr.Dataset:
    shape = (len(names), len(time) // 24, 1)
    arrive, leave = random.integers(6, 10, shape), random.integers(16, 20, shape)
    hour = np.arange(24)
    plugged = ((hour >= arrive) & (hour < leave)).reshape(len(names), -1)
    arriving, last = (
        (hour == arrive).reshape(plugged.shape),
        (hour == leave - 1).reshape(plugged.shape),
    )
    on_arrival = np.broadcast_to(
        random.uniform(0.1, 0.8, shape) * CAPACITY, (*shape[:2], 24)
    ).reshape(plugged.shape)
    arrays = {
        "charge_max": (plugged * POWER, "kW"),
        "discharge_max": (plugged * POWER, "kW"),
        "energy_min": (last * NEED * CAPACITY, "kWh"),
        "keep": (plugged & ~arriving, "1"),
        "energy_in": (arriving * on_arrival, "kWh"),
    }
    numbers = {
        "energy_max": (CAPACITY, "kWh"),
        "eta_charge": (0.9, "1"),
        "eta_discharge": (0.9, "1"),
        "wear": (200 / 2400, "EUR/kWh"),
        "retail_price": (0.01, "EUR/kWh"),
        "unserved_cost": (10.0, "EUR/kWh"),
    }
    data = {n: (("fleet", "time"), a.astype(float), {"units": u}) for n, (a, u) in arrays.items()}
    data |= {n: ((), a, {"units": u}) for n, (a, u) in numbers.items()}
    return xr.Dataset(data, coords={"fleet": names, "time": time})


def _energy(vehicles: int, time: pd.DatetimeIndex, random: np.random.Generator) -> xr.Dataset:
    hour = np.asarray(time.hour)
    price = 55 + 12 * np.sin((hour - 6) * np.pi / 6) + random.normal(0, 6, len(time))
    data = {
        "price": (("market", "time"), price[None], {"units": "EUR/MWh"}),
        "limit": ("market", [200.0 * vehicles], {"units": "kW"}),
    }
    return xr.Dataset(data, coords={"market": ["day_ahead"], "time": time})


def _reserve(vehicles: int, time: pd.DatetimeIndex, random: np.random.Generator) -> xr.Dataset:
    paid = random.uniform(20, 120, (2, len(time))) * np.array([[1.0], [0.3]])
    accepted = random.random(paid.shape) < 0.7
    data = {
        "up": ("product", [1.0, 0.0], {"units": "1"}),
        "down": ("product", [0.0, 1.0], {"units": "1"}),
        "activation_up": ("product", [ACTIVATION["up"], 0.0], {"units": "1"}),
        "activation_down": ("product", [0.0, ACTIVATION["down"]], {"units": "1"}),
        "capacity_price": (("product", "time"), paid * accepted, {"units": "EUR/MW/h"}),
        "volume_max": (("product", "time"), accepted * 100.0 * vehicles, {"units": "kW"}),
    }
    return xr.Dataset(data, coords={"product": ["up", "down"], "time": time})


def sequential(vehicles: int, days: int) -> xr.DataTree:
    """Vans on quarter-hours, with two days before them to forecast from: day-ahead by the hour,
    intraday, imbalance.
    """
    case = v2g.depot(vehicles, days + 2, start="2026-05-04", reserve=False)
    energy = case["energy"].to_dataset()
    price, limit = energy.price.isel(market=0, drop=True), float(energy.limit.max())
    both = xr.concat([price, price], pd.Index(["day_ahead", "intraday"], name="market"))
    numbers = {
        "limit": ("market", [limit, limit], {"units": "kW"}),
        "spread": ("market", [0.0, 4.0]),
    }
    numbers["block"] = ("market", [1.0, 0.0])
    prices = {"price_long": price - 20, "price_short": price + 20, "limit": xr.DataArray(limit)}
    gates = {"hour": ("gate", [12.0, float("nan")]), "lead": ("gate", [float("nan"), 1.0])}
    groups = {"energy": {"price": both, **numbers}, "imbalance": prices}
    for name, arrays in groups.items():
        case[name] = xr.DataTree(xr.Dataset(arrays))
    case["gates"] = xr.DataTree(xr.Dataset(gates, {"gate": ["day_ahead", "intraday"]}))
    return case
