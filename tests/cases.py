"""Cases small enough to solve by hand. A number holds for every step, a list is one number per
step, a mapping one entry per scenario; vehicles are lossless 10 kW chargers with 40 kWh batteries
unless the story says otherwise."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

import v2g_linopy as v2g

MEMBER = {"fleet": "fleet", "energy": "market", "reserve": "product", "connection": "pod"}
MEMBER |= {name: name for name in ("battery", "load", "renewable", "chp", "hydrogen")}
ALONE = {"fleet": "ev", "energy": "day_ahead", "reserve": "regulation", "connection": "site"}
MEMBER |= {
    "ppa": "contract",
    "contract": "type",
    "charger": "charger",
    "imbalance": "settlement",
}  # the last has no members
ALONE |= {"ppa": "contract", "contract": "owner", "charger": "hub", "imbalance": "imbalance"}
MEMBER |= {"flexibility": "plan"}
ALONE |= {"flexibility": "plan"}
ALONE |= {"battery": "box", "load": "house", "renewable": "roof"}
ALONE |= {"chp": "engine", "hydrogen": "plant"}


Plain = int | float | str | list | np.ndarray  # what needs no labels to be put together


def vehicle(**fields: Any) -> dict[str, Any]:
    """A member of the fleet."""
    return {
        "charge_max": 10.0,
        "energy_max": 40.0,
        "eta_charge": 1.0,
        "eta_discharge": 1.0,
    } | fields


def market(price: Any, **fields: Any) -> dict[str, Any]:
    """An energy market (EUR/MWh), ample unless `limit` is given."""
    return {"price": price, "limit": 1000.0} | fields


def product(**fields: Any) -> dict[str, Any]:
    """A reserve product, in neither direction unless told so."""
    return {"up": 0.0, "down": 0.0} | fields


def storage(**fields: Any) -> dict[str, Any]:
    """A stationary battery, lossless, 10 kW each way and 10 kWh."""
    lossless = {"eta_charge": 1.0, "eta_discharge": 1.0}
    return {"charge_max": 10.0, "discharge_max": 10.0, "energy_max": 10.0} | lossless | fields


def engine(**fields: Any) -> dict[str, Any]:
    """A plant of 10 kW that makes as much heat as electricity, 0.05 EUR of fuel per kWh; heat may
    be thrown away.
    """
    return {
        "power_max": 10.0,
        "power_to_heat": 1.0,
        "eta_power": 0.4,
        "fuel_price": 20.0,
        "dump_max": 100.0,
    } | fields


def electrolyser(**fields: Any) -> dict[str, Any]:
    """A site with an electrolyser of 10 kW at 0.5, whose hydrogen is sold at 0.2 EUR/kWh: 0.1 EUR
    per kWh drawn.
    """
    return {
        "electrolyser_max": 10.0,
        "eta_electrolyser": 0.5,
        "sale_price": 0.2,
        "sale_max": 100.0,
    } | fields


def holding(tree: xr.DataTree, held: Mapping[str, Mapping[str, Any]]) -> xr.DataTree:
    """The case, with what each plan of `/flexibility` holds of each product: a number for every
    step, or one per step.
    """
    time, steps = tree["time"].to_index(), tree.sizes["time"]
    products = tree["reserve"].indexes["product"]
    rows = [
        [np.broadcast_to(held.get(str(plan), {}).get(str(p), 0.0), steps) for p in products]
        for plan in tree["flexibility"].indexes["plan"]
    ]
    plans = tree["flexibility"].to_dataset(inherit=False)
    plans["held"] = xr.DataArray(
        np.array(rows, float),
        coords={"plan": plans.indexes["plan"], "product": products, "time": time},
    )
    tree["flexibility"] = plans
    return tree


def case(
    fleet: Mapping[str, Any] | None,
    energy: Mapping[str, Any] | None,
    reserve: Mapping[str, Any] | None = None,
    connection: Mapping[str, Any] | None = None,
    *,
    start: str = "2026-01-05",
    step: str = "1h",
    scenarios: Mapping[str, float] | None = None,
    battery: Mapping[str, Any] | None = None,
    load: Mapping[str, Any] | None = None,
    renewable: Mapping[str, Any] | None = None,
    chp: Mapping[str, Any] | None = None,
    hydrogen: Mapping[str, Any] | None = None,
    ppa: Mapping[str, Any] | None = None,
    charger: Mapping[str, Any] | None = None,
    contract: Mapping[str, Any] | None = None,
    exclusion: Mapping[str, Mapping[str, Any]] | None = None,
    risk: Mapping[str, float] | None = None,
    imbalance: Mapping[str, Any] | None = None,
    flexibility: Mapping[str, Any] | None = None,
    **attrs: Any,
) -> xr.DataTree:
    """Put a case together, from Monday 2026-01-05 00:00 UTC on; a part with one member needs no
    label.

    `exclusion` has one mapping per rule, from the products that it names to 1, or to a flag for
    each step."""
    given = {"fleet": fleet, "energy": energy, "reserve": reserve, "connection": connection}
    given |= {
        "battery": battery,
        "load": load,
        "renewable": renewable,
        "chp": chp,
        "hydrogen": hydrogen,
    }
    given |= {"ppa": ppa, "charger": charger, "imbalance": imbalance, "contract": contract}
    given |= {"flexibility": flexibility}
    parts = {
        name: _labelled(members, name) for name, members in given.items() if members is not None
    }
    steps = max(
        _steps(value)
        for members in parts.values()
        for fields in members.values()
        for value in fields.values()
    )
    time = pd.date_range(start, periods=steps, freq=step, name="time")
    if steps == 1:
        attrs["step_hours"] = pd.Timedelta(step) / pd.Timedelta(hours=1)
    groups = {name: _group(name, members, time, scenarios) for name, members in parts.items()}
    if exclusion is not None:
        groups["exclusion"] = _rules(exclusion, time)
    if risk is not None:  # no members
        groups["risk"] = xr.Dataset({name: ((), float(value)) for name, value in risk.items()})
    tree = v2g.assemble(time, groups, title="by hand", **attrs)
    if scenarios is not None:
        tree["probability"] = xr.DataArray(
            list(scenarios.values()), coords={"scenario": list(scenarios)}
        )
    return tree


def row(result: xr.DataTree, name: str, **labels: Any) -> list[float]:
    """Return the numbers of one output, `row(result, "fleet.charge", fleet="ev")`, in the order of
    its labels.
    """
    group, _, quantity = name.partition(".")
    return [
        round(float(x), 6) + 0.0 for x in result[group][quantity].sel(labels).to_numpy().ravel()
    ]


def _rules(exclusion: Mapping[str, Mapping[str, Any]], time: pd.DatetimeIndex) -> xr.Dataset:
    products = pd.Index(
        dict.fromkeys(p for rule in exclusion.values() for p in rule), name="product"
    )
    rows = [[_row(rule.get(p, 0.0), time, None) for p in products] for rule in exclusion.values()]
    each = [xr.concat(xr.broadcast(*row), products) for row in rows]
    group = xr.concat(xr.broadcast(*each), pd.Index(list(exclusion), name="rule"))
    return xr.Dataset({"group": group.astype(float)})


def _labelled(members: Mapping[str, Any], part: str) -> Mapping[str, Mapping[str, Any]]:
    return (
        members if all(isinstance(m, Mapping) for m in members.values()) else {ALONE[part]: members}
    )


def _steps(value: Any) -> int:
    if isinstance(value, Mapping):
        return max(_steps(v) for v in value.values())
    return len(value) if isinstance(value, list | np.ndarray) else 1


def _group(
    part: str,
    members: Mapping[str, Mapping[str, Any]],
    time: pd.DatetimeIndex,
    scenarios: Mapping[str, float] | None,
) -> xr.Dataset:
    schema, dim = v2g.PARTS[part].schema, MEMBER[part]
    names = dict.fromkeys(name for fields in members.values() for name in fields)
    defaults = {field.name: field.default for field in schema.inputs}
    arrays: dict[str, Any] = {}
    for name in names:
        values = [fields.get(name, defaults.get(name)) for fields in members.values()]
        single = dim not in next((f.dims for f in schema.inputs if f.name == name), dim)
        if all(isinstance(value, Plain) for value in values):
            arrays[name] = _stacked(values[:1] if single else values, None if single else dim)
            continue
        rows = [_row(value, time, scenarios) for value in values]
        stacked = xr.concat(xr.broadcast(*rows), pd.Index(list(members), name=dim))
        arrays[name] = stacked.isel({dim: 0}, drop=True) if single else stacked
    empty = {} if members else {"charge_max": (dim, []), "energy_max": (dim, [])}
    labels: dict[str, Any] = {}
    if schema.member:
        labels[dim] = np.array(list(members), dtype=object)
    if any("time" in x.dims for x in arrays.values()):
        labels["time"] = time
    return xr.Dataset(arrays or empty, coords=labels)


def _stacked(values: list[Any], dim: str | None) -> xr.Variable:
    """Numbers, or one number per step, as a row per member, or as one row."""
    dims = ["time"] if any(isinstance(value, list | np.ndarray) for value in values) else []
    rows = np.stack(np.broadcast_arrays(*values))
    return xr.Variable(dims, rows[0]) if dim is None else xr.Variable([dim, *dims], rows)


def _row(value: Any, time: pd.DatetimeIndex, scenarios: Mapping[str, float] | None) -> xr.DataArray:
    if isinstance(value, Mapping):
        rows = [_row(value[name], time, scenarios) for name in scenarios or value]
        return xr.concat(xr.broadcast(*rows), pd.Index(list(scenarios or value), name="scenario"))
    if isinstance(value, list | np.ndarray):
        return xr.DataArray(np.asarray(value), coords={"time": time}, dims="time")
    return xr.DataArray(value)
