"""Reserve products: regulation, FCR, aFRR, mFRR and others as labels of data (FORMULATION §3)."""

from typing import Any

import xarray as xr

from ....case.schema import ABSENT, Calendar, Field, Schema, broken
from ....errors import Problem
from ....model import risk_measures
from ....model.bid_sizes import gate_problems, gated, off_least, off_step, sizes
from ....model.formulas import guarantees_energy, larger, previous, smaller
from ....model.part import Edge, Flex, Flow, Held, Part, Replay, Scope, Stage, Store, Terms, View
from . import energy_backing, worst_case_activation


def _consistent(d: xr.Dataset, calendar: Calendar) -> list[Problem]:
    """Every product needs power in some direction; what is activated cannot exceed what is held."""
    problems = []
    for product in d.indexes.get("product", []):
        p = d.sel(product=product)
        if float(p.up + p.down) <= 0:
            detail = f"product {product}: up and down are both 0; give the power held per kW sold"
            problems.append(Problem("reserve.up", "consistency", detail))
        for way in ("up", "down"):
            if bool((p[f"activation_{way}"] > p[way] + 1e-9).any()):
                detail = f"product {product}: more than the power held in that direction ({way} = {float(p[way]):g})"
                problems.append(Problem(f"reserve.activation_{way}", "consistency", detail))
    return problems + gate_problems("reserve", "volume", d, calendar) + energy_backing.problems(d, calendar)


def _promised_in_advance(d: xr.Dataset, calendar: Calendar) -> list[Problem]:
    """A volume that some scenarios may fall short of is one for all of them, and is not activated in the plan."""
    expected = d.activation_up + d.activation_down > 0
    called = expected.any([n for n in expected.dims if n != "product"])
    wrong = {
        "with activation expected, nobody would deliver what is not held; give 1, or no activation": called,
        "a volume decided once the scenario is known is held in it; give 1, or first_stage 1": d.first_stage == 0,
    }
    rules = [("availability", (d.availability < 1) & where, d.availability, detail) for detail, where in wrong.items()]
    return broken("reserve", rules, calendar)


SCHEMA = Schema(
    inputs=(
        Field("up", "product", "1", "power held upward per kW sold", ge=0),
        Field("down", "product", "1", "power held downward per kW sold", ge=0),
        Field("hours_up", "product", "h", "energy held upward per kW sold (endurance)", default=0.0, ge=0),
        Field("hours_down", "product", "h", "energy held downward per kW sold (endurance)", default=0.0, ge=0),
        Field(
            "hours_one_way",
            "product",
            "h",
            "energy held instead, where that is more, by members that can only charge or only discharge",
            default=0.0,
            ge=0,
        ),
        Field("capacity_price", "product time", "EUR/MW/h", "paid for capacity", default=0.0),
        Field("activation_up", "product time", "1", "expected share activated upward", default=0.0, ge=0, le=1),
        Field("activation_down", "product time", "1", "expected share activated downward", default=0.0, ge=0, le=1),
        Field("activation_price_up", "product time", "EUR/MWh", "received for energy activated upward", default=ABSENT),
        Field("activation_price_down", "product time", "EUR/MWh", "paid for energy activated downward", default=ABSENT),
        Field(
            "settlement",
            "product",
            "",
            "energy market that settles activation",
            default=ABSENT,
            kind="label",
            of="energy",
        ),
        *energy_backing.INPUTS,
        Field("volume_max", "product time", "kW", "most that is bought; 0: nothing", float("inf"), ge=0, infinite=True),
        Field(
            "block", "product", "h", "market time unit with one volume; 0 is the model step", default=0.0, ge=0, le=24
        ),
        Field("minimum_bid", "product", "kW", "least that can be sold, other than nothing", default=0.0, ge=0),
        Field("step", "product", "kW", "what a volume is a multiple of; 0: any volume", default=0.0, ge=0),
        Field("closed", "product time", "1", "1 once the gate has closed, for a whole block", 0.0, kind="flag"),
        Field("committed", "product time", "kW", "capacity already sold where the gate has closed", default=0.0, ge=0),
        Field(
            *("shortfall_price", "product time", "EUR/MW/h", "paid for committed capacity not held; NaN: must be held"),
            default=float("nan"),
            ge=0,
            missing=True,
        ),
        Field("first_stage", "product", "1", "1: decided before the scenario is known", default=1.0, kind="flag"),
        Field(
            *("availability", "product", "1", "level at which the volume is there over the scenarios; 1: in each"),
            default=1.0,
            ge=0,
            le=1,
        ),
    ),
    outputs=(
        Field("volume", "product time", "kW", "capacity sold", first_stage="first_stage"),
        Field("share", "product time", "kW", "capacity held by each member of an asset", shared=True),
        Field("shortfall", "product time", "kW", "committed capacity that nobody holds"),
        Field("offered", "product time", "1", "1 where the product may be sold", auxiliary=True),
        Field("steps", "product time", "1", "bid steps sold", auxiliary=True),
        *energy_backing.OUTPUTS,
        Field("surplus_at_risk", "product time", "kW", "held above the volume", auxiliary=True, certain=True),
        Field("missing", "product time", "kW", "held less than the surplus at risk", auxiliary=True),
    ),
    checks=(_consistent, _promised_in_advance),
    completions=(gated,),
)


def build(s: Scope, d: xr.Dataset) -> Terms:
    """Volumes backed by named members, about the baseline b = p - sum_r (a_up - a_dn) x (FORMULATION §3).

    With shares x [kW per member], expected activation a_up, a_dn, and p the expected injection of the member::

        volume = sum_i x + shortfall,   shortfall <= committed once the gate has closed, 0 before
        sum_r up x <= (p + room up) - b,     sum_r down x <= b - (p - room down)
        endurance, both edges:   sum_r hours_up x / eta_d <= e0 - floor,   sum_r hours_down eta_c x <= ceiling - e0
        excursion, both edges:   sum_r excursion_up x <= e0 - floor,       sum_r excursion_down x <= ceiling - e0
        calls, at the end edge:  sum_r V_up <= e0 - floor,                 sum_r V_down <= ceiling - e0
        cash = dt (capacity_price volume + a_up p_up volume - a_dn p_dn volume - shortfall_price shortfall)

    V is the most energy in the battery that admissible calls can have moved, with K the product of keep over the G
    steps of an activation cycle, and c_r the baseline charging (sum_r c_r <= c) that calls of product r stop first::

        w_up = max(eta_c X, X / eta_d - (1 / eta_d - eta_c) c_r),   X = up x       w_down = X / eta_d, or eta_c X (*)
        physical  V_t >= dt w_t        box  V_t >= keep_t V_{t-1} + dt w_t
        budget    V_t >= keep_t V_{t-1},   V_t >= K_t V_{t-G} + period w_t     (*) where the baseline never discharges

    A budget with a period of several steps (Lauinger, Vuille, Kuhn) is the dual of the worst calls up to each step,
    with the worth p of a call more in each cycle, q of one in each step, and K_ts what is left at t of a call at s::

        V_t >= period / dt sum_s p_ts + sum_s q_ts,   p_ts + p_t,s+1 + ... + p_t,s+G-1 + q_ts >= dt K_ts w_s

    and for the volume while its gate is open, with X its largest value by the data, z binary and n whole::

        minimum_bid z <= volume <= X z,     volume = step n;     closed => volume = committed

    There is a z only for products with a least bid or named in `/exclusion`, an n only for those with a bid step.

    A product with an availability a below 1 (0.9: P90) is held in the mean of the worst 1 - a of the scenarios instead
    of in each. That is its CVaR, and stricter than a probability of a::

        zeta - 1/(1 - a) sum_s p_s xi_s >= 0,   xi_s >= zeta - (sum_i x_is - volume),   xi_s >= 0

    The energy markets carry the baseline; the activated energy is settled here. A plant without a reservoir (an
    engine on gas, sun, a load that is curtailed) needs no energy: it does not run out while it is called. One with a
    reservoir and no baseline path of its own (hydrogen) guarantees no energy while activation is expected, since its
    energy is known on the expected path alone.
    """
    volume = s.var("volume", lower=d.committed.where(d.closed > 0, 0.0), upper=d.volume_max)
    held, sold, largest = _shares(s, d)
    always = _in_every_scenario(d, s.calendar)
    short, penalty = _shortfall(s, d)
    s.add("allocation", volume - sold - short == 0, mask=None if bool(always.all()) else always)
    _available(s, d, sold - volume, ~always)
    s.add("block", volume - previous(volume) == 0, mask=s.blocks(d.block) & (d.closed == 0))
    sizes(s, d, volume, smaller(d.volume_max, largest))
    up, down = _activation_prices(d, s.inputs.get("energy"))
    return Terms(
        power={
            "electricity": Flow(
                injection=(d.activation_down * volume).sum("product"),
                withdrawal=(d.activation_up * volume).sum("product"),
            )
        },
        cash={
            "capacity": d.capacity_price * s.dt * volume,
            "activation": s.dt * (d.activation_up * up - d.activation_down * down) * volume,
            **penalty,
        },
        held=held,
    )


def _shares(s: Scope, d: xr.Dataset) -> tuple[dict[str, Held], Any, Any]:
    """Shares of every member within its room; what each asset holds, what all hold of each product, and the most."""
    net, held = d.activation_up - d.activation_down, dict[str, Held]()
    sold: Any = 0.0
    largest: Any = 0.0
    for asset, f in s.flex.items():  # kinds of asset, never members
        member = s.inputs[asset].attrs["member"]
        possible = (f.span > 0) & (d.volume_max > 0)
        if f.store is not None and f.baseline is None and guarantees_energy(d):
            possible = possible & ~energy_backing.stored(d)
        most = f.span / larger(d.up - net, d.down + net)
        x = s.maybe("share", possible, most, over=[s.inputs[asset].indexes[member]], suffix=f"_{asset}")
        energy_backing.rows(s, d, asset, x, possible)
        if isinstance(x, float):
            if f.baseline is not None and not isinstance(f.baseline, float):
                s.add(f"baseline_{asset}", f.baseline == 0)
            continue
        some, largest = possible.any("product"), largest + most.where(possible, 0.0).sum(member)
        held[asset] = Held(((d.up - net) * x).sum("product"), ((d.down + net) * x).sum("product"))
        s.add(f"up_{asset}", held[asset].up <= f.up, mask=some)
        s.add(f"down_{asset}", held[asset].down <= f.down, mask=some)
        if f.baseline is not None:
            s.add(f"baseline_{asset}", f.baseline + (net * x).sum("product") == 0)
        _on_board(s, d, asset, x, some)
        sold = sold + x.sum(member)
    return held, sold, largest


def _shortfall(s: Scope, d: xr.Dataset) -> tuple[Any, dict[str, Any]]:
    """Committed capacity that nobody holds, and what that costs."""
    failing = (d.committed > 0) & d.shortfall_price.notnull()
    short = s.maybe("shortfall", failing, d.committed.where(d.closed > 0, 0.0))
    return short, {} if isinstance(short, float) else {"shortfall": -s.dt * d.shortfall_price.fillna(0.0) * short}


def _in_every_scenario(d: xr.Dataset, calendar: Calendar) -> xr.DataArray:
    """Return True for products whose volume is held whatever happens."""
    return (d.availability == 1) | (calendar.scenario is None)


def _available(s: Scope, d: xr.Dataset, surplus: Any, mask: xr.DataArray) -> None:
    """The mean surplus in the worst 1 - availability of the scenarios is at least 0 (kW)."""
    if not bool(mask.any()):
        return
    threshold = s.var("surplus_at_risk", lower=float("-inf"), mask=mask)
    missing, tail = s.var("missing", mask=mask), (1 - d.availability).where(mask, 1.0)
    s.add("missing", missing - threshold + surplus >= 0, mask=mask)
    s.add("availability", risk_measures.worst_mean(threshold, missing, s.calendar.probability, tail) >= 0, mask=mask)


def _on_board(s: Scope, d: xr.Dataset, asset: str, x: Any, mask: xr.DataArray) -> None:
    """Sum_r due_r x <= room at both edges of the step [kWh]: of endurance, and of excursions within the step."""
    store, endured = s.flex[asset].store, d.guarantee == "endurance"
    if store is None or not bool(energy_backing.stored(d).any()):
        return
    dues = {
        "endurance_up": _hours(d, store, "up").where(endured, 0.0) / store.eta_discharge,
        "endurance_down": _hours(d, store, "down").where(endured, 0.0) * store.eta_charge,
        "excursion_up": d.excursion_up,
        "excursion_down": d.excursion_down,
    }
    for edge, room in zip(("start", "end"), store.edges(), strict=True):
        for name, due in dues.items():
            if bool((due > 0).any()):
                left = room.above if name.endswith("up") else room.below
                s.add(f"{name}_{asset}_{edge}", (due * x).sum("product") <= left, mask=mask)


def _hours(d: xr.Dataset, store: Store, way: str) -> xr.DataArray:
    """Energy to be held per kW sold (h): more by members that flow one way, who cannot be brought back by the other."""
    hours = d[f"hours_{way}"]
    one_way = ~(xr.DataArray(store.charges) & store.discharges) & (hours > 0)
    return xr.where(one_way, larger(hours, d.hours_one_way), hours)


def _activation_prices(d: xr.Dataset, energy: xr.Dataset | None) -> tuple[xr.DataArray, xr.DataArray]:
    """Price of activated energy upward and downward: as given, else of the market in `settlement`, else the first."""
    if energy is None:  # every pod has a supplier; what is activated then has prices of its own
        market = xr.DataArray(0.0)
    elif "settlement" in d:
        market = energy.price.sel(market=d.settlement.astype(str)).drop_vars("market")
    else:
        market = energy.price.isel(market=0, drop=True) if "market" in energy.price.dims else energy.price
    up, down = d.get("activation_price_up"), d.get("activation_price_down")
    return (market if up is None else up), (market if down is None else down)


def replay(v: View, d: xr.Dataset) -> Replay:
    """Every kW sold is held by named members with the room and the energy it needs; settlement of every product.

    The room is what the replay of each asset found in the plan; an asset that shows none backs nothing. The worst
    admissible calls are found by dynamic programming over their patterns.
    """
    shares = {name.removeprefix("share_"): d[name] for name in map(str, d.data_vars) if name.startswith("share_")}
    sold: Any = 0.0
    residuals: dict[str, xr.DataArray] = {}
    held = {}
    for asset, x in shares.items():
        room = v.done[asset].flex or Flex(0.0, 0.0)
        sold = sold + x.sum(v.groups[asset].attrs["member"])
        moved = -((d.activation_up - d.activation_down) * x).sum("product")
        up, down = held[asset] = (d.up * x).sum("product") + moved, (d.down * x).sum("product") - moved
        residuals[f"sign_{asset}"] = (-x).clip(min=0).assign_attrs(units="kW")
        residuals[f"room_up_{asset}"] = (up - room.up).clip(min=0).assign_attrs(units="kW")
        residuals[f"room_down_{asset}"] = (down - room.down).clip(min=0).assign_attrs(units="kW")
        if room.baseline is not None:
            residuals[f"baseline_{asset}"] = abs(room.baseline - moved).assign_attrs(units="kW")
        if room.store is not None and bool(energy_backing.stored(d).any()):
            edges = room.store.edges()
            residuals |= _replay_on_board(d, room.store, edges, asset, x)
            if bool(energy_backing.sure(d).any()):
                residuals |= worst_case_activation.short(d, room.store, edges[1], asset, x, v.dt)
    always = _in_every_scenario(d, v.calendar)
    short = d["shortfall"] if "shortfall" in d else xr.zeros_like(d.volume)
    failing = (d.closed == 1) & d.shortfall_price.notnull()
    residuals["failing"] = (short - d.committed.where(failing, 0.0)).clip(min=0).assign_attrs(units="kW")
    residuals["allocation"] = abs(d.volume - short - sold).where(always, 0.0).assign_attrs(units="kW")
    if not bool(always.all()):
        worst = risk_measures.mean_of_lowest(
            sold - d.volume, v.calendar.probability, (1 - d.availability).where(~always, 1.0)
        )
        residuals["availability"] = (-worst).clip(min=0).where(~always, 0.0).assign_attrs(units="kW")
    residuals["volume"] = (d.volume - d.volume_max).clip(min=0).assign_attrs(units="kW")
    up, down = _settled_at(v, d)
    gain = d.activation_up * up - d.activation_down * down
    cash = {"capacity": d.volume * d.capacity_price * v.dt, "activation": d.volume * gain * v.dt}
    cash["shortfall"] = -(short * d.shortfall_price * v.dt).fillna(0.0)
    residuals |= {name: x.assign_attrs(units="kW") for name, x in _replay_bids(v, d).items()}
    lowered, raised = (d.activation_down * d.volume).sum("product"), (d.activation_up * d.volume).sum("product")
    return Replay(residuals, cash, {"electricity": Flow(lowered, raised)}, held)


def _replay_bids(v: View, d: xr.Dataset) -> dict[str, xr.DataArray]:
    """How far volumes are from bids that a market accepts, and from what was committed where the gate has closed."""
    is_open = d.closed == 0
    return {
        "sign": (-d.volume).clip(min=0),
        "block": v.moved(d.volume, d.block).where(is_open, 0.0),
        "committed": abs(d.volume - d.committed).where(~is_open, 0.0),
        "minimum_bid": off_least(d.volume, d.minimum_bid).where(is_open, 0.0),
        "step": off_step(d.volume, d.step).where(is_open, 0.0),
    }


def _replay_on_board(
    d: xr.Dataset, store: Store, edges: tuple[Edge, Edge], asset: str, x: xr.DataArray
) -> dict[str, xr.DataArray]:
    """Energy held at both edges of the step, against what the capacity sold has to hold and calls within it move."""
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
    return d.get("activation_price_up", price), d.get("activation_price_down", price)


def roll(v: View, d: xr.Dataset, steps: int) -> dict[str, xr.DataArray]:
    """What the worst calls of these steps leave behind, for the guarantees of the next window."""
    stores = {asset: found.flex.store for asset, found in v.done.items() if found.flex is not None}
    return {
        f"{moved}_initial_{asset}": worst_case_activation.left_after(steps, d, store, asset, v.dt, way)
        for asset, store in stores.items()
        for moved, way in (("drawn", "up"), ("stored", "down"))
        if store is not None and f"share_{asset}" in d and bool(energy_backing.sure(d).any())
    }


PART = Part("reserve", Stage.MARKET, SCHEMA, build, replay, roll=roll)
