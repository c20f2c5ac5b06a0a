"""The plan as tables to take away: who does what when, and what to bid. Times are local, with
offset.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping

import numpy as np
import pandas as pd
import xarray as xr

from ..model.formulas_storage import not_on_board
from ..model.formulas_time import same_block
from ..model.gates import gates_of
from ..model.inputs import inputs_of
from ..model.part import Part
from ..model.sessions import sessions_plugged_in
from ..parts.catalogue import PARTS
from .labels import shown_number
from .power_at_meter import ELECTRICITY, Asset, net
from .result_view import Result, ResultView

TOTAL = "total"
SMALLEST_BID = 1e-6
"""kW below which a position is no bid."""
_OF_OFFERS = ("accept_probability", "accepted_kW", "pool_kW")
"""Columns of bids in a case with offers that may not be accepted, or with a pool of others."""


def schedule(result: Result, *, parts: Mapping[str, Part] = PARTS) -> pd.DataFrame:
    """The plan in long form: a row per step and connected member, and a row ``total`` per step.

    Returns
    -------
    pandas.DataFrame
        ``time`` (local, ISO 8601 with offset, start of the step), ``member``, ``session`` (where
        known), ``charge_kW``, ``discharge_kW``, ``energy_kWh`` (end of the step), ``unserved_kWh``
        (missing on board at the end of the step, also for a trip that takes the whole need),
        where reserves are sold what each holds, and ``price_<market>_<unit>`` of every
        energy market; with scenarios a column ``scenario`` in front. With assets beside the fleet:
        see `site_schedule`. `parts` is the catalogue that the result was made with.
    """

    def table(view: ResultView) -> pd.DataFrame:
        return site_schedule(view) if view.others and view.assets else _schedule(view)

    return per_scenario(result, table, parts)


def bids(result: Result, *, parts: Mapping[str, Part] = PARTS) -> pd.DataFrame:
    """Return what to offer.

    A row per market or reserve product and market time unit in which something is traded.

    Positions in closed gates are no longer bids and are left out; of a case that was operated all
    are listed, with the moment when their gate closed. Decisions taken before the scenario is known
    are listed once; the others, those of a bid curve among them, once per scenario.

    Returns
    -------
    pandas.DataFrame
        ``start``, ``end`` (local, ISO 8601 with offset), ``market``, ``side`` (``sell``, ``buy``;
        of reserves ``up``, ``down``, ``up and down``), ``quantity_kW``, ``price`` (what the plan
        reckons with; of reserves that are offered at a price, that), ``price_unit``; with scenarios
        a column ``scenario``, empty where the bid is the same in all. Of a case that was operated
        also ``gate`` (local). Where offers of reserves may not be accepted also
        ``accept_probability``, and ``accepted_kW`` of what was operated; where others offer in the
        same bid ``pool_kW``, the most that they add to the quantity.
    """
    mean = ResultView.of(result, parts=parts)
    names: list[Hashable | None] = list(mean.scenario_names) or [None]
    by_price, tables = _curved_of(mean), []
    for i, name in enumerate(names):
        view = mean.of_scenario(name)
        for group, dim in (("energy", "market"), ("reserve", "product")):
            for label in view.index(group, dim):
                early = bool(view.full(group, "first_stage", dim, default=1.0).sel({dim: label}))
                early = early and not (group == "energy" and label in by_price)
                if i == 0 or not early:
                    table = (
                        _energy_bids(view, label)
                        if group == "energy"
                        else _reserve_bids(view, label)
                    )
                    tables.append(table.assign(scenario="" if early else str(name)))
    columns = ["start", "end", "market", "side", "quantity_kW", "price", "price_unit"]
    columns += ["scenario"] if names != [None] else []
    columns += ["gate"] if is_operated(mean) else []
    columns += [name for name in _OF_OFFERS if any(name in table for table in tables)]
    if not tables:
        return pd.DataFrame(columns=columns)
    return pd.concat(tables, ignore_index=True)[columns]


def bid_curves(result: Result) -> pd.DataFrame:
    """Return the points of every bid curve, a row per market, market time unit and price.

    It is empty where no market takes curves.

    Returns
    -------
    pandas.DataFrame
        ``start``, ``end`` (local, ISO 8601 with offset), ``market``, ``price``, ``quantity_kW``
        (sale +, purchase -; it does not fall as the price rises), ``price_unit``. Prices are those
        of the scenarios; what to bid between two of them the plan leaves open.
    """
    columns = ["start", "end", "market", "price", "quantity_kW", "price_unit"]
    mean = ResultView.of(result)
    markets = _curved_of(mean)
    tables = [
        _curve_points(mean.of_scenario(scenario), market)
        for scenario in (mean.scenario_names if markets else ())
        for market in markets
    ]
    if not tables:
        return pd.DataFrame(columns=columns)
    every = pd.concat(tables, ignore_index=True).sort_values(
        ["_market", "_step", "price"], kind="stable"
    )
    return every.drop_duplicates(["_market", "_step", "price"])[columns].reset_index(drop=True)


def curved(case: xr.DataTree) -> list[Hashable]:
    """Markets that take a quantity for each price, of a case or a result with scenarios."""
    if "energy" not in case.children or "scenario" not in case.to_dataset().dims:
        return []
    energy = case["energy"].to_dataset()
    bid, early = (
        energy.get(n, xr.DataArray(x)) for n, x in (("bid", "quantity"), ("first_stage", 1.0))
    )
    taken = ((bid == "curve") & (early > 0)).broadcast_like(energy["market"])
    return list(energy.indexes["market"][taken.to_numpy()])


def _curved_of(view: ResultView) -> list[Hashable]:
    return [] if view.source is None else curved(view.source)


def _curve_points(view: ResultView, market: Hashable) -> pd.DataFrame:
    """Price and position of one scenario in every market time unit whose gate is open."""
    position, price, closed = (
        np.asarray(
            view.full("energy", name, "market", "time").sel(market=market).values, dtype=float
        )
        for name in ("position", "price", "closed")
    )
    first = starts(view, float(view.full("energy", "block", "market").sel(market=market)))
    count, times = np.diff(np.append(first, len(position))), iso(view, edges=True)
    is_open = closed[first] == 0
    table = pd.DataFrame(
        {
            "start": times[first],
            "end": times[first + count],
            "price": (np.add.reduceat(price, first) / count).round(6) + 0.0,
            "quantity_kW": (np.add.reduceat(position, first) / count).round(6) + 0.0,
            "_step": first,
            "_market": view.index("energy", "market").get_loc(market),
        }
    )
    return table[is_open].assign(market=str(market), price_unit=f"{view.currency}/MWh")


def per_scenario(
    result: Result,
    table: Callable[[ResultView], pd.DataFrame],
    parts: Mapping[str, Part] = PARTS,
) -> pd.DataFrame:
    """Apply a table to each scenario and put them under each other.

    Without scenarios there is one.
    """
    mean = ResultView.of(result, parts=parts)
    names = mean.scenario_names
    if not names:
        return table(mean)
    tables = [table(mean.of_scenario(name)) for name in names]
    for name, rows in zip(names, tables, strict=True):
        rows.insert(0, "scenario", str(name))
    return pd.concat(tables, ignore_index=True)


def beside_total(labels: Iterable[object]) -> np.ndarray:
    """Return labels of members that stand in a column with the row `total`.

    >>> beside_total(["van", "total", "total (member)"]).tolist()
    ['van', 'total (member) (member)', 'total (member)']
    """
    words = [str(label) for label in labels]
    own = f"{TOTAL} (member)"
    while own in words:
        own += " (member)"
    return np.array([own if word == TOTAL else word for word in words], dtype=object)


def iso(view: ResultView, edges: bool = False) -> np.ndarray:
    """Local start of every step (and the end of the last) as text with offset."""
    time: pd.Index = view.time
    if edges and len(time):
        time = time.append(pd.DatetimeIndex([time[-1] + pd.Timedelta(hours=view.hours)]))
    local = pd.DatetimeIndex(time).tz_localize("UTC").tz_convert(view.timezone)
    return np.array([moment.isoformat(timespec="minutes") for moment in local], dtype=object)


def _schedule(view: ResultView) -> pd.DataFrame:
    times = iso(view)
    missing = _missing_on_board(view)
    there = np.asarray(view.connected.values) | (missing > 0)
    step, member = np.nonzero(there.T)  # by time, then by member
    steps = len(times)
    table = {
        "time": np.concatenate([times[step], times]),
        "member": np.concatenate([beside_total(view.members)[member], np.full(steps, TOTAL)]),
    }
    if view.has("fleet", "session"):
        labels = session_labels(view)[member, step]
        table["session"] = np.concatenate(
            [np.where(labels == "-1", "", labels), np.full(steps, "")]
        )
    amounts = {
        f"{name}_{unit}": np.asarray(view.fleet(name).values, dtype=float)
        for name, unit in (("charge", "kW"), ("discharge", "kW"), ("energy", "kWh"))
    }
    for column, values in (amounts | {"unserved_kWh": missing}).items():
        table[column] = np.concatenate([values[member, step], values.sum(axis=0)]).round(9) + 0.0
    for column, x in held_and_baseline(
        view, "fleet", "fleet", view.fleet("discharge") - view.fleet("charge")
    ).items():
        table[column] = np.concatenate([x[member, step], x.sum(axis=0)]).round(9) + 0.0
    order = np.concatenate([step, np.arange(steps)])
    for market, prices in _prices(view).items():
        table[market] = prices[order].round(9) + 0.0
    rows = np.argsort(np.concatenate([step * 2, np.arange(steps) * 2 + 1]), kind="stable")
    return pd.DataFrame(table).iloc[rows].reset_index(drop=True)


def _missing_on_board(view: ResultView) -> np.ndarray:
    """Return the kWh missing at the end of each step, on (fleet, time): of the need, and of the
    trip of the next step where that takes the whole need.
    """
    names = ("energy", "energy_min", "energy_out", "unserved", "unserved_trip")
    plan = {name: view.fleet(name) for name in names} | {"keep": view.fleet("keep", 1.0)}
    return np.asarray(not_on_board(xr.Dataset(plan)), dtype=float)


def held_and_baseline(
    view: ResultView, part: str, member: str, injection: xr.DataArray
) -> dict[str, np.ndarray]:
    """Return the baseline of each member and what it holds ready, kW on (member, time).

    The baseline is what it does if no reserve is activated.

    `baseline_drawn_kW` less `baseline_fed_in_kW` is the expected power without the expected calls;
    of it a call asks for up to `reserve_up_kW` more injection, or `reserve_down_kW` less. Nothing
    where the result sells no reserves.
    """
    if not view.has("reserve"):
        return {}
    up, down = (view.get("reserve", way) for way in ("up", "down"))
    called_up, called_down = (view.activation(way) for way in ("up", "down"))
    share = view.get("reserve", f"share_{part}")  # 0 where the asset holds none
    baseline = injection - _all_products((called_up - called_down) * share)
    ready = {
        "reserve_up_kW": _all_products(up * share),
        "reserve_down_kW": _all_products(down * share),
    }
    columns = {
        "baseline_drawn_kW": (-baseline).clip(min=0),
        "baseline_fed_in_kW": baseline.clip(min=0),
    } | ready
    shape = xr.zeros_like(injection)
    return {
        name: np.asarray((shape + x).transpose(member, "time").values, float)
        for name, x in columns.items()
    }


def _all_products(x: xr.DataArray) -> xr.DataArray:
    return x.sum("product") if "product" in x.dims else x


def site_schedule(view: ResultView) -> pd.DataFrame:
    """The plan of every asset in one long form, per step by asset, then the meter of each pod.

    Returns
    -------
    pandas.DataFrame
        ``time``, ``asset`` (``fleet``, ``battery``, ..., ``meter``), ``member`` (of the meter the
        pod; ``total`` for all of an asset), ``pod``, ``session`` (where known), ``drawn_kW`` and
        ``fed_in_kW`` (electricity; of the meter import and export), ``<carrier>_drawn_kW`` and
        ``<carrier>_fed_in_kW`` of other carriers, ``energy_kWh`` (end of the step),
        ``curtailed_kW``, ``unserved_kWh``, where reserves are sold what each holds,
        prices as above. Empty where an asset has no such number.
    """
    columns = [_asset_rows(view, name, asset) for name, asset in view.assets.items()]
    table = pd.concat([*columns, _meter_rows(view)], ignore_index=True).sort_values(
        "_step", kind="stable"
    )
    order = table.pop("_step").to_numpy()
    table.insert(0, "time", iso(view)[order])
    for market, prices in _prices(view).items():
        table[market] = prices[order]
    return table.reset_index(drop=True)


def _asset_rows(view: ResultView, name: str, asset: Asset) -> pd.DataFrame:
    """Rows of the members of one asset (of the fleet only while connected), and of their total."""
    dims = (asset.member, "time")
    numbers: dict[str, xr.DataArray] = {}
    for carrier, flow in asset.flows.items():
        word = "" if carrier == ELECTRICITY else f"{carrier}_"
        numbers |= {f"{word}drawn_kW": flow.withdrawal, f"{word}fed_in_kW": flow.injection}
    stored = {"energy_kWh": "energy", "curtailed_kW": "curtail", "unserved_kWh": "unserved"}
    numbers |= {
        column: view.full(name, x, *dims) for column, x in stored.items() if view.has(name, x)
    }
    if ELECTRICITY in asset.flows:
        numbers |= {
            column: xr.DataArray(x, dims=dims)
            for column, x in held_and_baseline(
                view, name, asset.member, asset.flows[ELECTRICITY].net
            ).items()
        }
    there = np.ones((asset.pod.size, len(view.time)), dtype=bool)
    if name == "fleet":
        missing = _missing_on_board(view)
        there = np.asarray(view.connected.values) | (missing > 0)
        if view.has(name, "unserved") or view.has(name, "unserved_trip"):
            numbers["unserved_kWh"] = xr.DataArray(missing, dims=dims)
    step, member = np.nonzero(there.T)
    every = np.arange(len(view.time))
    labels = beside_total(view.index(name, asset.member))
    table = {
        "_step": np.concatenate([step, every]),
        "asset": name,
        "member": np.concatenate([labels[member], np.full(len(every), TOTAL)]),
        "pod": np.concatenate([asset.pod.to_numpy().astype(str)[member], np.full(len(every), "")]),
    }
    if name == "fleet" and view.has(name, "session"):
        session = session_labels(view)[member, step]
        table["session"] = np.concatenate(
            [np.where(session == "-1", "", session), np.full(len(every), "")]
        )
    for column, x in numbers.items():
        values = np.asarray(x.values, dtype=float)
        table[column] = np.concatenate([values[member, step], values.sum(axis=0)]).round(9) + 0.0
    return pd.DataFrame(table)


def _meter_rows(view: ResultView) -> pd.DataFrame:
    """Import and export of each pod, and of all."""
    power = np.asarray(net(view.meter).values, dtype=float)
    drawn, fed = power.clip(min=0), (-power).clip(min=0)
    pods, steps = [str(p) for p in view.pods], len(view.time)
    return pd.DataFrame(
        {
            "_step": np.tile(np.arange(steps), len(pods) + 1),
            "asset": "meter",
            "member": np.repeat([*beside_total(pods), TOTAL], steps),
            "pod": np.repeat([*pods, ""], steps),
            "drawn_kW": np.append(drawn, drawn.sum(axis=0)).round(9) + 0.0,
            "fed_in_kW": np.append(fed, fed.sum(axis=0)).round(9) + 0.0,
        }
    )


def session_labels(view: ResultView) -> np.ndarray:
    """Return what the data call the session connected, on (fleet, time) as text.

    It is its own label where that is no number.
    """
    number = sessions_plugged_in(view.groups["fleet"]).values
    sessions = view.groups.get("sessions")
    if sessions is None or "name" not in sessions or number.dtype.kind not in "iuf":
        return number.astype(str)
    names = dict(
        zip(sessions["session"].values.tolist(), sessions["name"].values.astype(str), strict=True)
    )
    known, at = np.unique(number.astype(np.int64), return_inverse=True)
    return np.array([names.get(k, str(k)) for k in known.tolist()])[at].reshape(number.shape)


def _prices(view: ResultView) -> dict[str, np.ndarray]:
    names = view.index("energy", "market")
    price = view.full("energy", "price", "market", "time", default=np.nan)
    unit = f"{view.currency}_per_MWh"
    return {
        f"price_{name}_{unit}": np.asarray(price.sel(market=name).values, dtype=float)
        for name in names
    }


def _energy_bids(view: ResultView, market: Hashable) -> pd.DataFrame:
    dims = ("market", "time")
    position, price, closed = (
        np.asarray(view.full("energy", name, *dims).sel(market=market).values, dtype=float)
        for name in ("position", "price", "closed")
    )
    length = float(view.full("energy", "block", "market").sel(market=market))
    over = (closed > 0) & (not is_operated(view))
    table = _blocks(
        view, length, np.where(over, 0.0, position), price, _gate(view, "energy", market)
    )
    side = np.where(table["quantity_kW"] >= 0, "sell", "buy")
    table["quantity_kW"] = table["quantity_kW"].abs()
    return table.assign(market=str(market), side=side, price_unit=f"{view.currency}/MWh")


def _reserve_bids(view: ResultView, product: Hashable) -> pd.DataFrame:
    dims = ("product", "time")

    def on_steps(name: str, default: float = 0.0) -> np.ndarray:
        x = view.full("reserve", name, *dims, default=default).sel(product=product)
        return np.asarray(x.values, dtype=float)

    volume, price = on_steps("volume"), on_steps("capacity_price")
    beside = {}
    if view.has("reserve", "accept_probability"):
        beside["accept_probability"] = on_steps("accept_probability", 1.0)
    if view.has("reserve", "bid_price"):  # what the plan reckons to be paid may be more
        asked = on_steps("bid_price", np.nan)
        price = np.where(np.isnan(asked), price, asked)
    if view.has("reserve", "volume_offered"):
        beside["accepted_kW"], volume = volume, on_steps("volume_offered")
    if (pool := on_steps("pool")).any():
        beside["pool_kW"] = pool
    up, down, length = (
        float(view.full("reserve", name, "product").sel(product=product))
        for name in ("up", "down", "block")
    )
    table = _blocks(view, length, volume, price, _gate(view, "reserve", product), beside)
    side = " and ".join(way for way, power in (("up", up), ("down", down)) if power > 0)
    offered_as = str(product)
    if view.has("reserve", "offer_of"):
        of = view.groups["reserve"]["offer_of"].broadcast_like(view.groups["reserve"]["product"])
        offered_as = str(of.sel(product=product).item()) or offered_as
    return table.assign(market=offered_as, side=side, price_unit=f"{view.currency}/MW/h")


def is_operated(view: ResultView) -> bool:
    """Whether the case was operated through its gates, not planned at once."""
    return "decisions" in view.attrs


def rests_on_mean_calls(view: ResultView) -> bool:
    """Whether reserve is sold that holds energy for the mean of the calls alone."""
    if not view.has("reserve", "volume"):
        return False
    reserve = view.groups["reserve"]
    backed = reserve.get("guarantee", xr.DataArray("expected")).astype(str)
    return bool(((backed == "expected") & (reserve["volume"] > SMALLEST_BID)).any())


def rests_on_buying_back(view: ResultView) -> str:
    """Say how much has to be traded after calls where reserves count on that; empty where none
    does.
    """
    if not view.has("reserve", "volume"):
        return ""
    reserve = view.groups["reserve"]
    backed = reserve.get("guarantee", xr.DataArray("expected")).astype(str)
    if not bool(((backed == "recourse") & (reserve["volume"] > SMALLEST_BID)).any()):
        return ""
    most = {way: _most_in_a_step(reserve, f"{way}_back_") for way in ("bought", "sold")}
    return (
        "Reserves count on trading what calls moved from reserve.recovery_delay on (guarantee"
        f" recourse): at most {shown_number(most['bought'])} kWh are bought back and"
        f" {shown_number(most['sold'])} kWh sold in a step, in the batteries; intraday markets have"
        " to take that, at the price of the step."
    )


def _most_in_a_step(reserve: xr.Dataset, beginning: str) -> float:
    """Most energy of all members and products in one step (kWh)."""
    columns = [x for name, x in reserve.data_vars.items() if str(name).startswith(beginning)]
    if not columns:
        return 0.0
    by_step = sum(x.sum([d for d in x.dims if d not in ("time", "scenario")]) for x in columns)
    return float(xr.DataArray(by_step).max())


def on_forecasts(view: ResultView) -> bool:
    """Whether a case was operated on forecasts, not with perfect foresight."""
    return is_operated(view) and str(view.attrs.get("forecast")) != "perfect"


def _gate(view: ResultView, part: str, label: Hashable) -> np.ndarray:
    """When the gate of each step closed, local, as text; empty in a plan."""
    if not is_operated(view) or view.source is None:
        return np.full(len(view.time), "", dtype=object)
    close = gates_of(view.source, inputs_of(view.source, view.parts)).close[part]
    moments = pd.DatetimeIndex(
        close.isel({close.dims[0]: list(close.indexes[close.dims[0]]).index(label)}).to_numpy()
    )
    local = moments.tz_localize("UTC").tz_convert(view.timezone)
    return np.array([moment.isoformat(timespec="minutes") for moment in local], dtype=object)


def _blocks(
    view: ResultView,
    length: float,
    power: np.ndarray,
    price: np.ndarray,
    gate: np.ndarray,
    beside: Mapping[str, np.ndarray] | None = None,
) -> pd.DataFrame:
    """One row per market time unit of `length` hours (0: the model step) in which `power` is not
    zero, with the mean of what stands `beside` it.
    """
    first = starts(view, length)
    ends = np.append(first[1:], len(power))
    times = iso(view, edges=True)
    count = ends - first
    mean = np.add.reduceat(price, first) / count if len(first) else price
    traded = np.add.reduceat(power, first) / count if len(first) else power
    some = np.abs(traded) > SMALLEST_BID
    return pd.DataFrame(
        {
            "start": times[first[some]],
            "end": times[ends[some]],
            "quantity_kW": traded[some].round(6),
            "price": mean[some].round(6),
            "gate": gate[first[some]],
        }
        | {
            name: (np.add.reduceat(x, first) / count)[some].round(6) if len(first) else x
            for name, x in (beside or {}).items()
        }
    )


def starts(view: ResultView, length: float) -> np.ndarray:
    """Return the first step of every market time unit.

    They are counted from local midnight, and the two hours of a repeated hour apart.
    """
    if length <= view.hours or len(view.time) == 0:
        return np.arange(len(view.time))
    same = same_block(xr.DataArray(length), view.time, view.timezone, view.hours)
    return np.flatnonzero(~same.to_numpy())
