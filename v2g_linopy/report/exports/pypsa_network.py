"""PyPSA: a case as a network that PyPSA solves to the same objective.

Written for PyPSA 1.x (Brown, Hörsch, Schlachtberger: PyPSA, Journal of Open Research Software 6,
2018): buses, generators, loads, stores and links, in MW, MWh and money per MWh.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from ...case.calendar import YEAR
from ...case.version import lacking
from ...errors import OutputError
from ...model.formulas import larger, previous_data, smaller
from ...model.formulas_storage import need_of_trip
from ...model.formulas_time import closing, same_window
from ...model.inputs import Inputs, inputs_of, pods_at_markets
from ...parts.catalogue import PARTS
from .exported import Exported, refuse
from .network_limits import unsaid

if TYPE_CHECKING:
    import pypsa

MEGA = 1e-3
"""MW in a kW."""
MARKET = "market"
SOURCE = "the case as a network of PyPSA"


def to_pypsa(case: xr.DataTree, *, relaxed: bool = False) -> pypsa.Network:
    """Return a case as a network that PyPSA solves to the same objective.

    A point of delivery is a bus, a market is a generator that buys and sells at the bus ``market``,
    a connection is a pair of links between both, or a pair of generators where the pod has a supply
    contract. A battery or vehicle is a store behind a link each way; a vehicle's store is filled on
    arrival and emptied by driving through a load. Energy that is not served is a store on loan: it
    holds up the energy on board at the step of the need, at the penalty, and is given back.

    Parameters
    ----------
    case : DataTree
        A case, or a result, of fleet, batteries, electric loads, sun and wind, energy markets and
        connections.
    relaxed : bool, default False
        Accept that PyPSA, which has no rule against it, charges and discharges at once where power
        is worth less than nothing. Its objective is then at least as good as that of `solve`.

    Returns
    -------
    pypsa.Network
        In MW, MWh and money per MWh; snapshots are UTC, without offset, and weigh as many hours as
        they last. ``n.meta["constant"]`` is what the plan cannot change (EUR): after
        ``n.optimize()``, ``n.meta["constant"] - n.objective`` is the objective of `solve`.

    Raises
    ------
    SchemaError
        Everything in the case that PyPSA has no words for, with its place.
    OutputError
        PyPSA is not installed (extra ``pypsa``).

    References
    ----------
    the equations of docs/formulation.md §1, §2, §5 and §7, and the components of PyPSA
    1.2. Every store keeps ``(1 - standing_loss)`` to the power of the hours, which is `keep`.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> n = v2g.to_pypsa(v2g.site(vehicles=1, days=1))  # doctest: +SKIP
    """
    return export_network(case, relaxed=relaxed).document


def export_network(case: xr.DataTree, *, relaxed: bool = False) -> Exported:
    """Return the same with notes."""
    inputs = inputs_of(case, PARTS)
    refuse(unsaid(inputs, relaxed), SOURCE)
    if lacks := lacking("pypsa", "pypsa"):
        raise OutputError(f"{SOURCE} cannot be made: {lacks}")
    import pypsa

    network = pypsa.Network(name=str(case.attrs.get("title") or ""))
    snapshots: Any = inputs.calendar.time.rename("snapshot")
    network.set_snapshots(snapshots)
    for weight in network.snapshot_weightings:
        network.snapshot_weightings[weight] = inputs.dt
    written = _Written(network, inputs)
    written.add("Bus", _pod_buses(written))
    for part, write in (
        ("energy", _markets),
        ("battery", _batteries),
        ("load", _loads),
        ("renewable", _renewables),
        ("fleet", _fleet),
    ):
        if part in inputs.data and inputs.data[part].sizes.get(inputs.data[part].attrs["member"]):
            write(written, inputs.data[part])
    _pods(written, inputs.data.get("connection"))
    currency = inputs.calendar.currency
    network.meta = {"constant": written.constant, "currency": currency, "from": "v2g-linopy"}
    note = f"objective of the case = {written.constant:.10g} {currency} - objective of the network"
    notes = [note] + [
        "PyPSA may charge and discharge at once; its objective is at least as good as that of the"
        " case"
    ] * relaxed
    return Exported(network, tuple(notes))


def save_network(network: pypsa.Network, path: Any) -> None:
    """Write a network as NetCDF, which PyPSA reads."""
    with warnings.catch_warnings():  # PyPSA sets an option of pandas that pandas will give up
        warnings.simplefilter("ignore", DeprecationWarning)
        network.export_to_netcdf(str(path))


@dataclass
class _Written:
    """A network that grows, and what it is made of."""

    network: pypsa.Network
    inputs: Inputs
    constant: float = 0.0  # money that no plan changes
    powers: list[float] = field(default_factory=list)  # kW that each asset moves at most

    @property
    def time(self) -> pd.DatetimeIndex:
        return self.inputs.calendar.time

    @property
    def dt(self) -> float:
        return self.inputs.dt

    def add(self, component: str, names: xr.DataArray, **fields: Any) -> None:
        """Add members by their names on one dimension; fields are arrays on it and time, or one
        number or text for all.
        """
        labels: Any = pd.Index([str(x) for x in names.to_numpy()])
        if not len(labels):
            return
        (dim,) = names.dims
        told = {name: self._told(x, str(dim), labels) for name, x in fields.items()}
        self.network.add(component, labels, **told)

    def _told(self, x: Any, dim: str, labels: pd.Index) -> Any:
        """Return a field as PyPSA takes it: a table of snapshots, or one for each member."""
        if not isinstance(x, xr.DataArray) or not x.dims:
            return x.item() if isinstance(x, xr.DataArray) else x
        if "time" not in x.dims:
            return x.to_numpy()
        every = x if dim in x.dims else x.expand_dims({dim: len(labels)})
        return pd.DataFrame(every.transpose("time", dim).to_numpy(), self.time, labels)

    def bounded(self, low: Any, high: Any) -> dict[str, Any]:
        """Return the size of a member, and its least and most power as shares of it (kW given)."""
        low, high = xr.broadcast(_array(low), _array(high))
        size = _most_in_time(larger(abs(low), abs(high)))
        share = xr.where(size > 0, 1 / size.where(size > 0, 1.0), 0.0)
        return {"p_nom": MEGA * size, "p_min_pu": low * share, "p_max_pu": high * share}

    def moves(self, power: xr.DataArray) -> None:
        """Remember what an asset moves at most: no flow through a connection is larger in sum."""
        self.powers.append(float(_most_in_time(power).sum()))


def _array(x: Any) -> xr.DataArray:
    return x if isinstance(x, xr.DataArray) else xr.DataArray(x)


def _most_in_time(x: xr.DataArray) -> xr.DataArray:
    return x.max("time") if "time" in x.dims else x


def _price(x: Any) -> Any:
    """Money per MWh of money per kWh."""
    return x / MEGA


def _named(d: xr.Dataset, *words: str) -> xr.DataArray:
    """Return a name of each member: its part, its label, and what it does."""
    part = str(d.attrs["member"])
    labels = [" ".join([part, str(x), *words]) for x in d.indexes[part]]
    return xr.DataArray(labels, coords={part: d.indexes[part]}, dims=part)


def _bus(d: xr.Dataset) -> xr.DataArray:
    """Return the bus of the pod of each member."""
    pod = d.pod.broadcast_like(_named(d))
    return xr.DataArray([f"pod {x}" for x in pod.to_numpy()], coords=pod.coords, dims=pod.dims)


# --- markets and connections ------------------------------------------------------------------


def _markets(w: _Written, d: xr.Dataset) -> None:
    """Buy and sell at the bus of the markets; what was committed before flows as it is.

    ::

        position = committed + sold - bought,
        cash = dt (pi position - sigma / 2 (sold + bought + turnover))
    """
    w.network.add("Bus", MARKET)
    is_open = d.closed == 0
    lowest, highest = (
        xr.where(is_open, x, d.committed)
        for x in (smaller(-d.limit, d.committed), larger(d.limit, d.committed))
    )
    w.moves(larger(abs(lowest), abs(highest)))
    half = d.spread / 2
    w.add(
        "Generator",
        _named(d, "bought"),
        bus=MARKET,
        marginal_cost=_price(d.price + half),
        **w.bounded(0.0, d.committed - lowest),
    )
    w.add(
        "Generator",
        _named(d, "sold"),
        bus=MARKET,
        marginal_cost=_price(d.price - half),
        **w.bounded(d.committed - highest, 0.0),
    )
    if bool((d.committed != 0).any()):
        w.add(
            "Generator",
            _named(d, "committed"),
            bus=MARKET,
            marginal_cost=_price(d.price),
            **w.bounded(-d.committed, -d.committed),
        )
    turnover = half * d.get("turnover", abs(d.committed))
    w.constant -= w.dt * float((turnover + 0.0 * d.price).sum())


def _pod_buses(w: _Written) -> xr.DataArray:
    """Return the name of the bus of each pod."""
    pods = w.inputs.pods
    return xr.DataArray([f"pod {pod}" for pod in pods], coords={"pod": pods}, dims="pod")


def _pods(w: _Written, d: xr.Dataset | None) -> None:
    """Join every pod to the markets, or to its supplier; its connection has a size and fees.

    ::

        cash = dt (feed_in_price - fee_export - usage_cost) export
             - dt ((1 + vat) (supply_price + fee_import + tax) + usage_cost) import
    """
    names = _pod_buses(w)
    markets = pods_at_markets(w.inputs.data)
    trading = names.sel(pod=[p for p in w.inputs.pods if str(p) in markets])
    endless = sum(w.powers)
    connected = [] if d is None else list(d.indexes["pod"])
    free = trading.sel(pod=[p for p in trading.indexes["pod"] if p not in connected])
    w.add("Link", free + " exchange", bus0=MARKET, bus1=free, **w.bounded(-endless, endless))
    if d is None:
        return

    into, out = (d[n].where(np.isfinite(d[n]), endless) for n in ("import_max", "export_max"))
    supply, feed_in = d.supply_price.fillna(0.0), d.feed_in_price.fillna(0.0)
    cost_in = (1 + d.vat) * (supply + d.fee_import + d.tax) + d.usage_cost
    cost_out = d.fee_export + d.usage_cost - feed_in
    here = trading.sel(pod=[p for p in trading.indexes["pod"] if p in connected])
    mine = {"pod": list(here.indexes["pod"])}
    told = [
        {"marginal_cost": _price(cost), **w.bounded(0.0, most)}
        for cost, most in ((cost_in, into), (cost_out, out))
    ]
    drawn, fed = ({n: _of(x, mine) for n, x in one.items()} for one in told)
    w.add("Link", here + " import", bus0=MARKET, bus1=here, **drawn)
    w.add("Link", here + " export", bus0=here, bus1=MARKET, **fed)

    contract = [p for p in connected if p not in mine["pod"]]
    own, theirs = names.sel(pod=contract), {"pod": contract}
    drawn, fed = ({n: _of(x, theirs) for n, x in one.items()} for one in told)
    w.add("Generator", own + " supply", bus=own, **drawn)
    fed |= {"p_max_pu": 0.0, "p_min_pu": -fed["p_max_pu"], "marginal_cost": -fed["marginal_cost"]}
    w.add("Generator", own + " feed-in", bus=own, **fed)

    years = w.dt * len(w.time) / YEAR
    taxed = (1 + d.vat) * d.subscribed.fillna(0.0) * d.subscribed_price
    fixed = taxed + YEAR * d.fixed_cost + d.capacity * d.capacity_cost
    w.constant -= years * float(
        (fixed + xr.zeros_like(d.vat)).broadcast_like(names.sel(pod=connected)).sum()
    )


def _of(x: Any, pods: Mapping[str, list[str]]) -> Any:
    """Return a field of some pods."""
    return x.sel(pods) if isinstance(x, xr.DataArray) and "pod" in x.dims else x


# --- assets -----------------------------------------------------------------------------------


def _renewables(w: _Written, d: xr.Dataset) -> None:
    """Feed in between nothing, where curtailable, and what is available, at a cost."""
    least = d.available.where(d.curtailable == 0, 0.0)
    w.moves(d.available)
    w.add(
        "Generator",
        _named(d),
        bus=_bus(d),
        marginal_cost=_price(d.cost),
        **w.bounded(least, d.available),
    )


def _loads(w: _Written, d: xr.Dataset) -> None:
    """Draw the baseline; what is curtailed is a generator at its cost, what is shifted a store
    that is empty at the end of each window.
    """
    w.moves(d.baseline + d.shift_up_max)
    every = _named(d)
    w.add("Load", every, bus=_bus(d), p_set=MEGA * d.baseline + 0.0 * _zeros(w))
    most = smaller(smaller(d.curtail_max, d.baseline), d.baseline - d.power_min).clip(min=0)
    w.moves(most)
    w.add(
        "Generator",
        _named(d, "curtailed"),
        bus=_bus(d),
        marginal_cost=_price(d.curtail_cost),
        **w.bounded(0.0, most),
    )
    shifts = (d.shift_up_max + d.shift_down_max > 0) + xr.zeros_like(every, dtype=bool)
    moving = d.sel(load=[x for x in d.indexes["load"] if bool(shifts.sel(load=x).any())])
    moving.attrs |= d.attrs
    if not moving.sizes["load"]:
        return
    shifted, down = (
        _named(moving, "shifted"),
        smaller(moving.shift_down_max, moving.baseline - moving.power_min),
    )
    w.add("Bus", shifted)
    w.add(
        "Link",
        shifted,
        bus0=_bus(moving),
        bus1=shifted,
        **w.bounded(-down, moving.shift_up_max),
    )
    same = same_window(moving.window, w.time, w.inputs.calendar.timezone, w.dt)
    free = (~closing(same)).astype(float)
    owed = abs(moving.advanced_initial - moving.owed_initial)
    reach = w.dt * (moving.shift_up_max + moving.shift_down_max + _zeros(w)).sum("time") + owed
    w.add(
        "Store",
        shifted,
        bus=shifted,
        e_nom=MEGA * reach,
        e_initial=MEGA * (moving.advanced_initial - moving.owed_initial),
        e_min_pu=-free,
        e_max_pu=free,
    )


def _zeros(w: _Written) -> xr.DataArray:
    return xr.DataArray(np.zeros(len(w.time)), coords={"time": w.time}, dims="time")


def _batteries(w: _Written, d: xr.Dataset) -> None:
    """A store between its bounds behind a link each way; a cyclic end is a bound of the last
    step, the value of what is left a price of holding it then.
    """
    end = xr.where(_zeros(w).time == w.time[-1], 1.0, 0.0)
    final = d.get("energy_final", d.energy_initial)
    closes = (d.cyclic > 0) & (end > 0)
    low = xr.where(closes, final, d.energy_min + 0.0 * end)
    high = xr.where(closes, final, d.energy_max + 0.0 * end)
    value = d.energy_value + 0.0 * d.energy_initial
    held = {"marginal_cost_storage": -_price(value) * end / w.dt}
    w.constant -= float((value * d.energy_initial).broadcast_like(_named(d)).sum())
    _store(w, d, low, high, **held)
    _links(
        w,
        d,
        d.charge_max.where(d.energy_max > 0, 0.0),
        d.discharge_max.where(d.energy_max > 0, 0.0),
        0.0,
    )


def _store(w: _Written, d: xr.Dataset, low: xr.DataArray, high: xr.DataArray, **more: Any) -> None:
    """A bus of its own for each member, and the store there (kWh)."""
    size = _most_in_time(high)
    share = xr.where(size > 0, 1 / size.where(size > 0, 1.0), 0.0)
    w.add("Bus", _named(d))
    w.add(
        "Store",
        _named(d),
        bus=_named(d),
        e_nom=MEGA * size,
        e_initial=MEGA * _first(d.keep) * d.energy_initial,  # PyPSA keeps all of it for a step
        e_min_pu=low * share,
        e_max_pu=high * share,
        standing_loss=1 - d.keep ** (1 / w.dt),
        **more,
    )


def _first(x: xr.DataArray) -> xr.DataArray:
    return x.isel(time=0, drop=True) if "time" in x.dims else x


def _links(
    w: _Written, d: xr.Dataset, most_in: xr.DataArray, most_out: xr.DataArray, net_price: Any
) -> None:
    """The way in and the way out of a store: losses and wear, and what drivers pay for net energy.

    The power of a link is that where it begins: on the way out that of the battery.
    """
    w.moves(most_in + most_out)
    w.add(
        "Link",
        _named(d, "charge"),
        bus0=_bus(d),
        bus1=_named(d),
        efficiency=d.eta_charge,
        marginal_cost=_price(d.wear_charge * d.eta_charge - net_price),
        **w.bounded(0.0, most_in),
    )
    w.add(
        "Link",
        _named(d, "discharge"),
        bus0=_named(d),
        bus1=_bus(d),
        efficiency=d.eta_discharge,
        marginal_cost=_price(d.wear + d.eta_discharge * net_price),
        **w.bounded(0.0, most_out / d.eta_discharge),
    )


def _fleet(w: _Written, d: xr.Dataset) -> None:
    """The virtual battery of every member (docs/formulation.md §1), its trips and its needs.

    ::

        e = keep e_{t-1} + e_in - (e_out - u_out) - spill + dt (eta_c c - g / eta_d)
        e + u >= energy_min:   the store holds e + u, of which u is on loan until the next step
    """
    time, none = w.time, _zeros(w)
    soft = d.unserved_cost.notnull()
    of_trip = need_of_trip(d, time)
    need = d.energy_min.where(~of_trip, 0.0)
    _store(w, d, need + none, d.energy_max + none)
    on_board = d.keep * previous_data(d.energy_max, d.energy_initial, time) + d.energy_max
    on_board = on_board + d.energy_in + d.energy_out + d.spill_max > 0
    billed = "need_billed" in d
    net_price = 0.0 if billed else d.retail_price
    _links(w, d, d.charge_max.where(on_board, 0.0), d.discharge_max.where(on_board, 0.0), net_price)
    driven = (d.energy_out - d.energy_in) / w.dt
    w.add("Load", _named(d, "driven"), bus=_named(d), p_set=MEGA * driven + none)
    w.add("Generator", _named(d, "spill"), bus=_named(d), **w.bounded(-d.spill_max / w.dt, 0.0))

    cost = d.unserved_cost.fillna(0.0) + none
    unpaid = none
    if billed:
        w.constant += float((d.retail_price * d.need_billed + none + 0.0 * cost).sum())
        unpaid = (d.retail_price / d.eta_charge).where(d.need_billed > 0, 0.0) + none
    w.add(
        "Generator",
        _named(d, "unserved trip"),
        bus=_named(d),
        marginal_cost=_price(cost + (unpaid.where(of_trip, 0.0)).shift(time=1).fillna(0.0)),
        **w.bounded(0.0, (d.energy_out / w.dt).where(soft, 0.0)),
    )
    lent = need.where(soft, 0.0) + none
    size = _most_in_time(lent)
    w.add(
        "Store",
        _named(d, "unserved"),
        bus=_named(d),
        e_nom=MEGA * size,
        e_min_pu=-lent * xr.where(size > 0, 1 / size.where(size > 0, 1.0), 0.0),
        e_max_pu=0.0,
        standing_loss=1 - d.keep ** (1 / w.dt),
        marginal_cost_storage=-_price(cost + unpaid) / w.dt,
    )
