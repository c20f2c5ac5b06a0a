"""Reserves replayed from the written plan.

What a product promises is read from its fields here once more, without the predicates of `build`: a
mistake in one of them must not hide from the audit."""

from typing import Any

import numpy as np
import xarray as xr

from ....model import risk_measures
from ....model.bid_sizes import distance_to_least, distance_to_step
from ....model.called_outcomes import called_outcomes, offers_in_order
from ....model.formulas import given, larger
from ....model.terms import Edge, Flex, Flow, Powers, Recovery, Replay, Store
from ....model.view import View
from . import recourse_replay, worst_case_activation

_ROUNDING = 1e-6  # kW
AGAINST_EVERY_CALL = ("physical", "budget", "box", "recourse")


def replay(v: View, d: xr.Dataset) -> Replay:
    """Every kW sold is held by named members, with the room and the energy it needs.

    The settlement of every product is recomputed, too.

    The room is what the replay of each asset found in the plan; an asset that shows none backs
    nothing. The worst admissible calls are found by dynamic programming over their patterns.
    """
    shares = {
        name.removeprefix("share_"): d[name]
        for name in map(str, d.data_vars)
        if name.startswith("share_")
    }
    taken = d.accept_probability.where(d.closed == 0, 1.0)  # a closed gate has decided
    d = d.assign({n: taken * d[n] for n in ("activation_up", "activation_down")})
    sold: Any = 0.0
    residuals: dict[str, xr.DataArray] = {}
    held, called = {}, {}
    apart: dict[str, tuple[xr.DataArray, xr.DataArray]] = {}
    for asset, x in shares.items():
        sold = sold + x.sum(v.groups[asset].attrs["member"])
        moved = -((d.activation_up - d.activation_down) * x).sum("product")
        up, down = held[asset] = (
            (d.up * x).sum("product") + moved,
            (d.down * x).sum("product") - moved,
        )
        residuals[f"sign_{asset}"] = (-x).clip(min=0).assign_attrs(units="kW")
        if (offered := v.done[asset].offered) is not None:
            beyond = (x - offered).clip(min=0).assign_attrs(units="kW")
            residuals[f"offered_{asset}"] = beyond
            continue
        room = v.done[asset].room
        back = recourse_replay.recovery(d, room.store, asset, v.dt)
        up, down = held[asset] = recourse_replay.with_power_of(back, up, down)
        apart |= _held_without_calls(d, room, x, back, asset)
        residuals |= recourse_replay.wrong_recovery(d, back, _about_baseline(d, room), asset)
        residuals[f"room_up_{asset}"] = (up - room.up).clip(min=0).assign_attrs(units="kW")
        residuals[f"room_down_{asset}"] = (down - room.down).clip(min=0).assign_attrs(units="kW")
        residuals |= _misses_paths(d, room, x, moved, taken, asset, v.dt)
        if room.store is not None and _promises_energy(d):
            edges = _known_energy(d, room.store.edges(), room.baseline, x)
            residuals |= _replay_on_board(d, room.store, edges, asset, x)
            if _promises_every_call(d):
                residuals |= worst_case_activation.activation_shortfall(
                    d, room.store, edges[1], asset, x, v.dt
                )
        if room.allowance is not None:
            called[asset] = worst_case_activation.called_beyond_plan(
                d, room.allowance, asset, x, v.dt
            )
            residuals |= worst_case_activation.allowance_shortfall(
                d, room.allowance, asset, called[asset]
            )
    one_future = v.calendar.scenario is None
    always = xr.ones_like(d.availability, dtype=bool) if one_future else d.availability >= 1
    short = d["shortfall"] if "shortfall" in d else xr.zeros_like(d.volume)
    failing = (d.closed == 1) & d.shortfall_price.notnull()
    residuals["failing"] = (
        (short - d.committed.where(failing, 0.0)).clip(min=0).assign_attrs(units="kW")
    )
    residuals["allocation"] = (
        abs(d.volume - short - sold).where(always, 0.0).assign_attrs(units="kW")
    )
    if not bool(always.all()):
        worst = risk_measures.mean_of_lowest(
            sold - d.volume, v.calendar.probability, (1 - d.availability).where(~always, 1.0)
        )
        residuals["availability"] = (
            (-worst).clip(min=0).where(~always, 0.0).assign_attrs(units="kW")
        )
    residuals["volume"] = (d.volume - d.volume_max).clip(min=0).assign_attrs(units="kW")
    up, down = _settled_at(v, d)
    gain = d.activation_up * up - d.activation_down * down
    cash = {"capacity": d.volume * d.capacity_price * v.dt, "activation": d.volume * gain * v.dt}
    if bool((d.accept_probability < 1).any()):
        cash["acceptance"] = (taken - 1) * cash["capacity"]
    cash["shortfall"] = -(short * d.shortfall_price * v.dt).fillna(0.0)
    residuals |= {name: x.assign_attrs(units="kW") for name, x in _replay_bids(v, d).items()}
    lowered, raised = (
        (d.activation_down * d.volume).sum("product"),
        (d.activation_up * d.volume).sum("product"),
    )
    power = {"electricity": Flow(lowered, raised)}
    return Replay(residuals, cash, power, held, called, held_without_calls=apart)


def _held_without_calls(
    d: xr.Dataset, room: Flex, x: xr.DataArray, back: Recovery | None, asset: str
) -> dict[str, tuple[xr.DataArray, xr.DataArray]]:
    """Reserve held about the path without calls, where that trades by itself: kW up and down,
    measured from the expected power.
    """
    if "call" not in d or room.baseline is None:
        return {}
    up, down = ((rate * x).sum("product") for rate in (d.up, d.down))
    up, down = up + room.baseline, down - room.baseline
    return {asset: recourse_replay.with_power_of(back, up, down)}


def _about_baseline(d: xr.Dataset, room: Flex) -> tuple[xr.DataArray, xr.DataArray] | None:
    """Room up and down about the path without calls, where its power is not that of the plan less
    the mean call (kW).
    """
    if "call" not in d or room.baseline is None:
        return None
    return room.up - room.baseline, room.down + room.baseline


def _misses_paths(
    d: xr.Dataset,
    room: Flex,
    x: xr.DataArray,
    moved: xr.DataArray,
    taken: xr.DataArray,
    asset: str,
    dt: float,
) -> dict[str, xr.DataArray]:
    """By how much the path with calls is not what its calls, and the path without them, make it."""
    if "call" in d:
        found = _misses_backlog(d, room, taken * x, x, asset, dt)
        if room.powers is not None:
            found[f"fed_in_{asset}"] = _misses_states(d, room, room.powers, x, taken)
        return found
    if room.baseline is None:
        return {}
    return {f"baseline_{asset}": abs(room.baseline - moved).assign_attrs(units="kW")}


def _misses_states(
    d: xr.Dataset, room: Flex, powers: Powers, x: xr.DataArray, taken: xr.DataArray
) -> xr.DataArray:
    """By how much what is fed in is not the mean of what each state of the calls feeds in, and what
    is given back of the calls that were beyond their mean (kW), with each offer accepted or not.
    """
    mean = taken * (d.call_share * d.call).sum("call_state")
    traded = powers.discharge - powers.charge - (mean * x).sum("product")
    fed_in: Any = 0.0
    if room.store is not None:
        kept = room.store.eta_charge * room.store.eta_discharge
        fed_in = (kept * d.recovery_flow * taken * x).sum("product")
    for called, likely in called_outcomes(d, d.call * x, taken):
        in_state = (traded + called).clip(min=0)
        fed_in = fed_in + likely * (d.call_share * in_state).sum("call_state")
    burnt = (powers.discharge - fed_in).where(powers.single, 0.0)
    missed = larger(fed_in - powers.discharge, burnt)
    return missed.where(powers.both_ways, 0.0).assign_attrs(units="kW")


def _misses_backlog(
    d: xr.Dataset, room: Flex, accepted: xr.DataArray, x: xr.DataArray, asset: str, dt: float
) -> dict[str, xr.DataArray]:
    """By how much the two paths are further apart than the calls of the last steps explain (kWh),
    and by how much the baseline alone leaves too little room (kW).
    """
    if room.baseline is None or room.backlog is None or room.store is None:
        return {}
    upward, downward = d.call.clip(min=0), (-d.call).clip(min=0)
    taken = upward / room.store.eta_discharge - room.store.eta_charge * downward
    steps = (d.recovery_delay.fillna(dt) / dt).round(6).clip(min=1)
    most = (np.ceil(steps) * dt * (d.call_share * taken).sum("call_state") * accepted).sum(
        "product"
    )
    apart = larger((room.backlog - most).clip(min=0), (-room.backlog).clip(min=0))
    up = ((d.up * x).sum("product") - room.up + room.baseline).clip(min=0)
    down = ((d.down * x).sum("product") - room.down - room.baseline).clip(min=0)
    sold = x.sum("product") > _ROUNDING
    return {
        f"backlog_{asset}": apart.assign_attrs(units="kWh"),
        f"room_up_baseline_{asset}": up.where(sold, 0.0).assign_attrs(units="kW"),
        f"room_down_baseline_{asset}": down.where(sold, 0.0).assign_attrs(units="kW"),
    }


def _known_energy(
    d: xr.Dataset, edges: tuple[Edge, Edge], baseline: xr.DataArray | None, x: xr.DataArray
) -> tuple[Edge, Edge]:
    """Energy at both edges of the step that a guarantee may count on, that without activation.

    An asset that is activated and shows no such path has energy behind nothing.
    """
    activated = (d.activation_up + d.activation_down) * x > _ROUNDING
    if baseline is not None or not bool(activated.any()):
        return edges
    start, end = (Edge(0.0 * edge.above, 0.0 * edge.below) for edge in edges)
    return start, end


def _promises_energy(d: xr.Dataset) -> bool:
    """Whether any product is sold with energy behind it, or moves some within a step."""
    moved = float(d.excursion_up.sum() + d.excursion_down.sum())
    return bool(d.guarantee.isin(("endurance", *AGAINST_EVERY_CALL)).any()) or moved > 0


def _promises_every_call(d: xr.Dataset) -> bool:
    """Whether any product is guaranteed against all calls that its rules admit."""
    return bool(d.guarantee.isin(AGAINST_EVERY_CALL).any())


def _replay_bids(v: View, d: xr.Dataset) -> dict[str, xr.DataArray]:
    """How far volumes are from bids that a market accepts, and from what was committed where the
    gate has closed.
    """
    is_open = d.closed == 0
    return {
        "sign": (-d.volume).clip(min=0),
        "block": v.change_within_blocks(d.volume, d.block).where(is_open, 0.0),
        "committed": abs(d.volume - d.committed).where(~is_open, 0.0),
        "minimum_bid": distance_to_least(d.volume, d.minimum_bid, d["pool"]).where(is_open, 0.0),
        **_replay_offers(d, is_open),
        "step": distance_to_step(d.volume, d.step, d["pool"]).where(is_open, 0.0),
    }


def _replay_offers(d: xr.Dataset, is_open: xr.DataArray) -> dict[str, xr.DataArray]:
    """How far offers of one product are beyond what is bought at their price and above, and what
    stands beside the largest where one price is allowed (kW).
    """
    if "offer_of" not in d:
        return {}
    most, one = (x + xr.zeros_like(d.up) for x in (d.volume_max, d.one_price))
    beyond, beside = [], []
    for mine in offers_in_order(d).values():
        volume = d.volume.isel(product=mine)
        dearer = volume.isel(product=slice(None, None, -1)).cumsum("product")
        dearer = dearer.isel(product=slice(None, None, -1)).assign_coords(product=volume["product"])
        beyond.append((dearer - most.isel(product=mine)).clip(min=0))
        others = volume.sum("product") - volume.max("product")
        beside.append(others.where(one.isel(product=mine) > 0, 0.0))
    return {
        name: xr.concat(x, "product").sel(product=d["product"]).where(is_open, 0.0)
        for name, x in (("offers", beyond), ("one_price", beside))
    }


def _replay_on_board(
    d: xr.Dataset, store: Store, edges: tuple[Edge, Edge], asset: str, x: xr.DataArray
) -> dict[str, xr.DataArray]:
    """Energy held at both edges of the step, against what the capacity sold has to hold and calls
    within it move.
    """
    bound = d.guarantee == "endurance"
    alone = (xr.zeros_like(x) + store.charges + store.discharges) < 2
    rising, falling = (
        h.where(~(alone & (h > 0) & (h < d.hours_one_way)), d.hours_one_way).where(bound, 0.0)
        for h in (d.hours_up, d.hours_down)
    )
    due = {
        ("endurance", "up"): (x * rising).sum("product") / store.eta_discharge,
        ("endurance", "down"): (x * falling).sum("product") * store.eta_charge,
        ("excursion", "up"): (x * d.excursion_up).sum("product"),
        ("excursion", "down"): (x * d.excursion_down).sum("product"),
    }
    short = {}
    for name, edge in zip(("start", "end"), edges, strict=True):
        for (rule, way), energy in due.items():
            left = edge.above if way == "up" else edge.below
            short[f"{rule}_{way}_{name}_{asset}"] = (energy - left).where(energy > 0, 0.0)
    return {name: x.clip(min=0).assign_attrs(units="kWh") for name, x in short.items()}


def _settled_at(v: View, d: xr.Dataset) -> tuple[xr.DataArray, xr.DataArray]:
    energy = v.get("energy")
    price = xr.DataArray(0.0) if energy is None else energy.price
    if "market" in price.dims:
        names = d.settlement.astype(str) if "settlement" in d else price.market.isel(market=0)
        price = price.sel(market=names).drop_vars("market", errors="ignore")
    return given(d, "activation_price_up", price), given(d, "activation_price_down", price)


def next_state(v: View, d: xr.Dataset, steps: int) -> dict[str, xr.DataArray]:
    """What the worst calls of these steps leave behind, for the guarantees of the next window."""
    rooms = {asset: v.done[asset].room for asset in v.done if f"share_{asset}" in d}
    stores = {asset: room.store for asset, room in rooms.items()}
    left = {
        f"discharged_initial_{asset}": worst_case_activation.discharged_after(
            steps, d, room.allowance, asset, v.dt
        )
        for asset, room in rooms.items()
        if room.allowance is not None and _promises_every_call(d)
    }
    waits = worst_case_activation.waits_to_recover(d, v.dt)
    for asset, store in stores.items():
        if store is None or not _promises_every_call(d):
            continue
        of_asset = d, store, asset, v.dt
        for moved, way in (("drawn", "up"), ("stored", "down")):
            initial = worst_case_activation.left_after(steps, *of_asset, way)
            left[f"{moved}_initial_{asset}"] = initial
            if waits:
                recent = worst_case_activation.recent_after(steps, *of_asset, way)
                left[f"{moved}_recent_{asset}"] = recent
    lags = range(1, max((x.sizes["lag"] for x in left.values()), default=0) + 1)
    return {name: x.reindex(lag=lags, fill_value=0.0) for name, x in left.items()}
