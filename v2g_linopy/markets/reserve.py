"""Reserve products: regulation, FCR, aFRR, mFRR and others as labels of data (FORMULATION §3)."""

from typing import Any

import xarray as xr

from ..core import Flow, Held, Part, Replay, Scope, Stage, Terms, View
from ..errors import Problem
from ..maths import larger, previous, smaller
from ..schema import ABSENT, Calendar, Field, Schema

GUARANTEES = ("expected", "endurance")


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
    return problems


SCHEMA = Schema(
    inputs=(
        Field("up", "product", "1", "power held upward per kW sold", ge=0),
        Field("down", "product", "1", "power held downward per kW sold", ge=0),
        Field("hours_up", "product", "h", "energy held upward per kW sold (endurance)", default=0.0, ge=0),
        Field("hours_down", "product", "h", "energy held downward per kW sold (endurance)", default=0.0, ge=0),
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
        Field("guarantee", "product", "", "what backs the bid", "expected", kind="choice", choices=GUARANTEES),
        Field("volume_max", "product time", "kW", "most that is bought; 0: nothing", float("inf"), ge=0, infinite=True),
        Field(
            "block", "product", "h", "market time unit with one volume; 0 is the model step", default=0.0, ge=0, le=24
        ),
        Field("first_stage", "product", "1", "1: decided before the scenario is known", default=1.0, kind="flag"),
    ),
    outputs=(
        Field("volume", "product time", "kW", "capacity sold", first_stage="first_stage"),
        Field("share", "product time", "kW", "capacity held by each member of an asset", shared=True),
    ),
    checks=(_consistent,),
)


def build(s: Scope, d: xr.Dataset) -> Terms:
    """Volumes backed by named members, about the baseline b = p - sum_r (a_up - a_dn) x (FORMULATION §3).

    With shares x [kW per member], expected activation a_up, a_dn, and p the expected injection of the member::

        volume = sum_i x,     sum_r up x <= discharge_max - b,     sum_r down x <= charge_max + b
        endurance, both edges:   sum_r hours_up x / eta_d <= e0 - floor,   sum_r hours_down eta_c x <= ceiling - e0
        cash = dt (capacity_price x + a_up p_up x - a_dn p_dn x)

    The energy markets carry the baseline; the activated energy is settled here.
    """
    net, held = d.activation_up - d.activation_down, {}
    volume = s.var("volume", upper=d.volume_max)
    sold: Any = 0.0
    for asset, f in s.flex.items():  # kinds of asset, never members
        member = s.inputs[asset].attrs["member"]
        possible = (f.span > 0) & (d.volume_max > 0)
        most = f.span / larger(d.up - net, d.down + net)
        x = s.maybe("share", possible, most, over=[s.inputs[asset].indexes[member]], suffix=f"_{asset}")
        if isinstance(x, float):
            continue
        some = possible.any("product")
        held[asset] = Held(((d.up - net) * x).sum("product"), ((d.down + net) * x).sum("product"))
        s.add(f"up_{asset}", held[asset].up <= f.up, mask=some)
        s.add(f"down_{asset}", held[asset].down <= f.down, mask=some)
        if f.baseline is not None:
            s.add(f"baseline_{asset}", f.baseline + (net * x).sum("product") == 0)
        _endurance(s, d, asset, x, some)
        sold = sold + x.sum(member)
    s.add("allocation", volume - sold == 0)
    s.add("block", volume - previous(volume) == 0, mask=s.blocks(d.block))
    up, down = _activation_prices(d, s.inputs["energy"])
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
        },
        held=held,
    )


def _endurance(s: Scope, d: xr.Dataset, asset: str, x: Any, mask: xr.DataArray) -> None:
    """Sum_r hours_up x / eta_d <= above,   sum_r hours_down eta_c x <= below, at both edges of the step [kWh]."""
    store, guaranteed = s.flex[asset].store, d.guarantee == "endurance"
    up, down = d.hours_up.where(guaranteed, 0.0), d.hours_down.where(guaranteed, 0.0)
    if store is None or not bool((up + down > 0).any()):
        return
    for name, edge in zip(("start", "end"), store.edges(), strict=True):
        if bool((up > 0).any()):
            s.add(
                f"endurance_up_{asset}_{name}", (up / store.eta_discharge * x).sum("product") <= edge.above, mask=mask
            )
        if bool((down > 0).any()):
            s.add(
                f"endurance_down_{asset}_{name}", (down * store.eta_charge * x).sum("product") <= edge.below, mask=mask
            )


def _activation_prices(d: xr.Dataset, energy: xr.Dataset) -> tuple[xr.DataArray, xr.DataArray]:
    """Price of activated energy upward and downward: as given, else of the market in `settlement`, else the first."""
    if "settlement" in d:
        market = energy.price.sel(market=d.settlement.astype(str)).drop_vars("market")
    else:
        market = energy.price.isel(market=0, drop=True) if "market" in energy.price.dims else energy.price
    up, down = d.get("activation_price_up"), d.get("activation_price_down")
    return (market if up is None else up), (market if down is None else down)


def replay(v: View, d: xr.Dataset) -> Replay:
    """Every kW sold is held by named members with the room and the energy it needs; settlement of every product."""
    shares = {name.removeprefix("share_"): d[name] for name in map(str, d.data_vars) if name.startswith("share_")}
    sold: Any = 0.0
    residuals: dict[str, xr.DataArray] = {}
    held = {}
    for asset, x in shares.items():
        a = v.groups[asset]
        sold = sold + x.sum(a.attrs["member"])
        b = a.discharge - a.charge - ((d.activation_up - d.activation_down) * x).sum("product")
        moved = b - (a.discharge - a.charge)
        room_up, room_down = a.discharge_max - b, a.charge_max + b
        if (room := v.done[asset].room) is not None:
            room_up, room_down = room[0] - moved, room[1] + moved
        residuals[f"sign_{asset}"] = (-x).clip(min=0).assign_attrs(units="kW")
        held[asset] = (d.up * x).sum("product") + moved, (d.down * x).sum("product") - moved
        residuals[f"room_up_{asset}"] = ((d.up * x).sum("product") - room_up).clip(min=0).assign_attrs(units="kW")
        residuals[f"room_down_{asset}"] = ((d.down * x).sum("product") - room_down).clip(min=0).assign_attrs(units="kW")
        if "charge_baseline" in a:
            idle = a.discharge_baseline - a.charge_baseline
            residuals[f"baseline_{asset}"] = abs(idle - b).assign_attrs(units="kW")
        if bool((d.guarantee == "endurance").any()):
            residuals |= _replay_endurance(d, a, asset, x)
    residuals["allocation"] = abs(d.volume - sold).assign_attrs(units="kW")
    residuals["volume"] = (d.volume - d.volume_max).clip(min=0).assign_attrs(units="kW")
    up, down = _settled_at(v, d)
    gain = d.activation_up * up - d.activation_down * down
    cash = {"capacity": d.volume * d.capacity_price * v.dt, "activation": d.volume * gain * v.dt}
    residuals["block"] = v.moved(d.volume, d.block).assign_attrs(units="kW")
    residuals["sign"] = (-d.volume).clip(min=0).assign_attrs(units="kW")
    lowered, raised = (d.activation_down * d.volume).sum("product"), (d.activation_up * d.volume).sum("product")
    return Replay(residuals, cash, {"electricity": Flow(lowered, raised)}, held)


def _replay_endurance(d: xr.Dataset, a: xr.Dataset, asset: str, x: xr.DataArray) -> dict[str, xr.DataArray]:
    """Energy held at both edges of the step, against what the capacity sold has to hold."""
    path = "_baseline" if "energy_baseline" in a else ""
    energy, bound = a["energy" + path], d.guarantee == "endurance"
    due_up = (x * d.hours_up.where(bound, 0.0)).sum("product") / a.eta_discharge
    due_down = (x * d.hours_down.where(bound, 0.0)).sum("product") * a.eta_charge
    arriving = a.get("energy_in", 0.0) - a.get("energy_out", 0.0)
    start = _before(energy, a.energy_initial) * a.get("keep", 1.0) + arriving
    start = start + a.get("unserved_trip", 0.0) - a.get("spill" + path, 0.0)
    soft = a.unserved_cost.notnull() if "unserved_cost" in a else False
    full = xr.zeros_like(energy)
    floor = (a.energy_min + full).where(~((a.energy_min > 0) & soft), 0.0)
    lowest = _before(floor, a.energy_initial) * a.get("keep", 1.0) + arriving - a.get("spill_max", 0.0)
    highest = _before(a.energy_max + full, a.energy_initial) * a.get("keep", 1.0) + arriving
    highest = highest + (a.get("energy_out", 0.0) + full).where(soft, 0.0)
    room = {
        "up_end": due_up - (energy + a.get("unserved", 0.0) - a.energy_min),
        "down_end": due_down - (a.energy_max - energy),
        "up_start": due_up - (start - smaller(a.energy_min + full, lowest)),
        "down_start": due_down - (larger(a.energy_max + full, highest) - start),
    }
    due = {"up": due_up > 0, "down": due_down > 0}
    return {
        f"endurance_{name}_{asset}": short.where(due[name.split("_")[0]], 0.0).clip(min=0).assign_attrs(units="kWh")
        for name, short in room.items()
    }


def _before(x: xr.DataArray, initial: xr.DataArray) -> xr.DataArray:
    """x one step earlier, and `initial` before the first."""
    return xr.where(x.time == x.time[0], initial, x.shift(time=1))


def _settled_at(v: View, d: xr.Dataset) -> tuple[xr.DataArray, xr.DataArray]:
    price = v.groups["energy"].price
    if "market" in price.dims:
        names = d.settlement.astype(str) if "settlement" in d else price.market.isel(market=0)
        price = price.sel(market=names).drop_vars("market", errors="ignore")
    return d.get("activation_price_up", price), d.get("activation_price_down", price)


PART = Part("reserve", Stage.MARKET, SCHEMA, build, replay)
