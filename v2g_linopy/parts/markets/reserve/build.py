"""Reserve products: regulation, FCR, aFRR, mFRR and others as labels of data (docs/formulation.md
§3).
"""

import xarray as xr

from ....algebra.expression import Expression, Quantity
from ....model import risk_measures
from ....model.accepted_offers import as_expected
from ....model.bid_sizes import bid_size_rows
from ....model.formulas import given, larger, previous, smaller
from ....model.reserve_rules import (
    acceptance,
    guarantees_energy,
    may_be_refused,
    told_by_states,
)
from ....model.scope import Scope
from ....model.terms import Cash, Flow, ReservedPower, Store, Terms
from . import discharge_allowance, energy_backing, guarantees, offers, priced_calls, recourse
from .schema import in_every_scenario


def build(s: Scope, d: xr.Dataset) -> Terms:
    """Volumes backed by named members, about the baseline b = p - sum_r (a_up - a_dn) x
    (docs/formulation.md §3).

    With shares x [kW per member], expected activation a_up, a_dn, and p the expected injection of
    the member::

        volume = sum_i x + shortfall,   shortfall <= committed once the gate has closed, 0 before
        sum_r up x <= (p + room up) - b,     sum_r down x <= b - (p - room down)
        endurance, both edges:   sum_r hours_up x / eta_d <= e0 - floor,
                                 sum_r hours_down eta_c x <= ceiling - e0
        excursion, both edges:   sum_r excursion_up x <= e0 - floor,
                                 sum_r excursion_down x <= ceiling - e0
        calls, at the end edge:  sum_r V_up <= e0 - floor,   sum_r V_down <= ceiling - e0
        cash = dt (capacity_price volume + a_up p_up volume - a_dn p_dn volume
                   - shortfall_price shortfall)

    V is the most energy in the battery that admissible calls can have moved, with K the product of
    keep over the G steps of an activation cycle, and c_r the baseline charging (sum_r c_r <= c)
    that calls of product r stop first::

        w_up = max(eta_c X, X / eta_d - (1 / eta_d - eta_c) c_r),
        X = up x       w_down = X / eta_d, or eta_c X (*)
        physical  V_t >= dt w_t        box  V_t >= keep_t V_{t-1} + dt w_t
        budget    V_t >= keep_t V_{t-1},
                  V_t >= K_t V_{t-G} + period w_t     (*) where the baseline never discharges

    With `recourse` what calls have moved is brought back from k steps later on, at most rho of each
    step, and V is the most that is still owed (`recourse` has its rows); in w_up the charging c_r
    counts less what a sale has stopped, and the power for it stands beside what is sold::

        sum_r up x + sold <= (p + room up) - b,     sum_r down x + bought <= b - (p - room down)

    A budget with a period of several steps (Lauinger, Vuille, Kuhn) is the dual of the worst calls
    up to each step, with the worth p of a call more in each cycle, q of one in each step, and K_ts
    what is left at t of a call at s::

        V_t >= period / dt sum_s p_ts + sum_s q_ts,
        p_ts + p_t,s+1 + ... + p_t,s+G-1 + q_ts >= dt K_ts w_s

    Where an owner limits what is discharged (`allowance`), calls upward add to what the plan
    without a call has used since the last restart, beyond the charging that they stop::

        sum_r V_r <= allowance - used,   sum_r c_r <= c,   v_r = max(0, up x_r - c_r)
        budget, box, physical: V as above, with dt v in place of dt w and 1 - restart in place of
        keep;   endurance: V_r >= hours_up v_r

    and for the volume while its gate is open, with X its largest value by the data, z binary and n
    whole::

        minimum_bid z <= volume <= X z,     volume = step n;     closed => volume = committed

    There is a z only for products with a least bid or named in `/exclusion`, an n only for those
    with a bid step. Where others offer up to `pool` kW in the same bid, only their sum has to be a
    bid::

        max(0, minimum_bid - pool) z <= volume,     step n - pool <= volume <= step n

    An offer that is accepted with the probability P is held whole, and called and paid only if it
    is: a_up and a_dn above are P times those of the data, and the states of the calls those of
    every set of accepted products (`as_expected`)::

        cash of acceptance = -dt (1 - P) capacity_price volume

    A product with an availability a below 1 (0.9: P90) is held in the mean of the worst 1 - a of
    the scenarios instead of in each. That is its CVaR, and stricter than a probability of a::

        zeta - 1/(1 - a) sum_s p_s xi_s >= 0,   xi_s >= zeta - (sum_i x_is - volume),   xi_s >= 0

    An asset that names its reserve by product (`offered`: sites that are known by plans) holds each
    product apart from the others, and shows no room and no energy::

        0 <= x <= offered

    The energy markets carry the baseline; the activated energy is settled here. A plant without a
    reservoir (an engine on gas, sun, a load that is curtailed) needs no energy: it does not run out
    while it is called. One with a reservoir and no baseline path of its own (hydrogen) guarantees
    no energy while activation is expected, since its energy is known on the expected path alone.
    """
    d = as_expected(d)
    volume = s.var("volume", lower=d.committed.where(d.closed > 0, 0.0), upper=d.volume_max)
    held, called, sold, largest = _shares(s, d)
    always = in_every_scenario(d, s.calendar)
    short, penalty = _shortfall(s, d)
    s.add("allocation", volume - sold - short == 0, mask=None if bool(always.all()) else always)
    _available(s, d, sold - volume, ~always)
    s.add("block", volume - previous(volume) == 0, mask=s.blocks(d.block) & (d.closed == 0))
    bid_size_rows(s, d, volume, smaller(d.volume_max, largest))
    offers.offer_rows(s, d, volume)
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
            **_refused_on_average(s, d, volume),
        },
        reserve_held=held,
        discharge_called=called,
    )


def _shares(
    s: Scope, d: xr.Dataset
) -> tuple[dict[str, ReservedPower], dict[str, Expression], Quantity, xr.DataArray]:
    """Shares of every member within its room; what each asset holds and may be called to discharge,
    what all hold of each product, and the most.
    """
    discharge_called: dict[str, Expression] = {}
    shares: dict[str, tuple[Expression, ReservedPower, xr.DataArray]] = {}
    for asset in s.flex:  # kinds of asset, never members
        possible, most = _possible(s, d, asset)
        x, room = _share(s, d, asset, possible, most)
        back = recourse.recourse_of(s, d, asset, possible)
        room = priced_calls.with_baseline(s, d, asset, x, recourse.with_recovery(room, back))
        shares[asset] = x, room, most.where(possible, 0.0)
        _room_rows(s, d, asset, x, room, possible.any("product") | recourse.at_work(back))
        if back is not None:
            recourse.baseline_rows(s, d, asset, x, back)
        priced_calls.call_rows(s, d, asset, x, possible)
        sold_back = 0.0 if back is None else back.power.sold
        for backing in energy_backing.backing_rows(s, d, asset, x, possible, sold_back):
            recourse.queue_rows(s, d, backing, back)
        called = discharge_allowance.allowance_rows(s, d, asset, x, possible)
        if called is not None:
            discharge_called[asset] = called

    for asset, offer in s.offered.items():
        assert offer.range_max is not None, f"the build of {asset} gives no range_max"
        possible = (offer.range_max > 0) & (d.volume_max > 0)
        x, room = _share(s, d, asset, possible, offer.range_max)
        shares[asset] = x, room, offer.range_max.where(possible, 0.0)
        s.add(f"offered_{asset}", x <= offer.amount, mask=possible)

    held = dict[str, ReservedPower]()
    sold: Quantity = 0.0
    largest = xr.DataArray(0.0)
    for asset, (x, room, most) in shares.items():
        if x.has_terms or room.recovery is not None:
            held[asset], member = room, s.inputs[asset].attrs["member"]
            sold, largest = sold + x.sum(member), largest + most.sum(member)
    return held, discharge_called, sold, largest


def _possible(s: Scope, d: xr.Dataset, asset: str) -> tuple[xr.DataArray, xr.DataArray]:
    """Return where an asset may sell a product, and how much at most (kW)."""
    f = s.flex[asset]
    assert f.range_max is not None, f"the build of {asset} gives no range_max"
    possible = (f.range_max > 0) & (d.volume_max > 0)
    if f.store is not None and f.baseline is None and guarantees_energy(d):
        possible = possible & ~guarantees.energy_backed(d)
    return possible, f.range_max / larger(*_room_per_kw(d))


def _room_rows(
    s: Scope,
    d: xr.Dataset,
    asset: str,
    x: Expression,
    room: ReservedPower,
    some: xr.DataArray,
) -> None:
    """Rows: what is called fits into the room about the expected power, and about the baseline."""
    f, net = s.flex[asset], d.activation_up - d.activation_down
    s.add(f"up_{asset}", room.up <= f.up, mask=some)
    s.add(f"down_{asset}", room.down <= f.down, mask=some)
    if told_by_states(d):
        priced_calls.backlog_rows(s, d, asset, x, some)
    elif f.baseline is not None:
        s.add(f"baseline_{asset}", f.baseline + (net * x).sum("product") == 0)
    _on_board(s, d, asset, x, some)


def _room_per_kw(d: xr.Dataset) -> tuple[xr.DataArray, xr.DataArray]:
    """Return the room up and down that a kW sold takes, on the path with its mean activation."""
    net = d.activation_up - d.activation_down
    return d.up - net, d.down + net


def _share(
    s: Scope, d: xr.Dataset, asset: str, possible: xr.DataArray, most: xr.DataArray
) -> tuple[Expression, ReservedPower]:
    """Return the share of every member of an asset in each product (kW), and the room it takes."""
    members = s.inputs[asset].indexes[s.inputs[asset].attrs["member"]]
    x = s.var_where("share", possible, most, over=[members], suffix=f"_{asset}")
    up, down = ((rate * x).sum("product") for rate in _room_per_kw(d))
    return x, ReservedPower(up, down)


def _shortfall(s: Scope, d: xr.Dataset) -> tuple[Expression, dict[str, Cash]]:
    """Committed capacity that nobody holds, and what that costs."""
    failing = (d.committed > 0) & d.shortfall_price.notnull()
    short = s.var_where("shortfall", failing, d.committed.where(d.closed > 0, 0.0))
    penalty = -s.dt * d.shortfall_price.fillna(0.0) * short
    return short, {"shortfall": penalty} if short.has_terms else {}


def _refused_on_average(s: Scope, d: xr.Dataset, volume: Expression) -> dict[str, Cash]:
    """What is not paid for capacity since an offer may not be accepted, in the mean."""
    if not may_be_refused(d):
        return {}
    return {"acceptance": -s.dt * (1 - acceptance(d)) * d.capacity_price * volume}


def _available(s: Scope, d: xr.Dataset, surplus: Expression, mask: xr.DataArray) -> None:
    """The mean surplus in the worst 1 - availability of the scenarios is at least 0 (kW)."""
    if not bool(mask.any()):
        return
    threshold = s.var("surplus_at_risk", lower=float("-inf"), mask=mask)
    missing, tail = s.var("missing", mask=mask), (1 - d.availability).where(mask, 1.0)
    s.add("missing", missing - threshold + surplus >= 0, mask=mask)
    s.add(
        "availability",
        risk_measures.cvar(threshold, missing, s.calendar.probability, tail) >= 0,
        mask=mask,
    )


def _on_board(s: Scope, d: xr.Dataset, asset: str, x: Expression, mask: xr.DataArray) -> None:
    """Sum_r due_r x <= room at both edges of the step [kWh]: of endurance, and of excursions within
    the step.
    """
    store, endured = s.flex[asset].store, d.guarantee == "endurance"
    if store is None or not x.has_terms or not bool(guarantees.energy_backed(d).any()):
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


def _hours(d: xr.Dataset, store: Store[Expression], way: str) -> xr.DataArray:
    """Energy to be held per kW sold (h): more by members that flow one way, who cannot be brought
    back by the other.
    """
    hours = d[f"hours_{way}"]
    one_way = ~(xr.DataArray(store.charges) & store.discharges) & (hours > 0)
    return xr.where(one_way, larger(hours, d.hours_one_way), hours)


def _activation_prices(
    d: xr.Dataset, energy: xr.Dataset | None
) -> tuple[xr.DataArray, xr.DataArray]:
    """Price of activated energy upward and downward: as given, else of the market in `settlement`,
    else the first.
    """
    if energy is None:  # every pod has a supplier; what is activated then has prices of its own
        market = xr.DataArray(0.0)
    elif "settlement" in d:
        market = energy.price.sel(market=d.settlement.astype(str)).drop_vars("market")
    else:
        market = (
            energy.price.isel(market=0, drop=True)
            if "market" in energy.price.dims
            else energy.price
        )
    return given(d, "activation_price_up", market), given(d, "activation_price_down", market)
