"""Wear counted after the fact: rainflow cycles of every storage, their cost, and the capacity a
cell would lose.

`wear` needs the extra ``[wear]`` (the package rainflow).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import Problem, SchemaError, V2GError
from ..model.battery_wear import capacity_of
from ..model.inputs import Inputs, inputs_of
from ..model.part import Part
from ..model.view import scenario_mean
from ..parts.catalogue import PARTS
from .cell_ageing import CELLS, KELVIN, Law, Use

BINS = 20
"""Classes of depth in the histogram of cycles."""
NOISE = 1e-7
"""Depth below which a turn of the path is what a solver leaves."""


def available() -> bool:
    """Return True where cycles can be counted: the extra ``[wear]`` is installed."""
    return find_spec("rainflow") is not None


def with_wear(result: xr.DataTree, parts: Mapping[str, Part] = PARTS) -> xr.DataTree:
    """Return the result with the group `/wear`.

    It stays as it is where there is no battery, or the extra ``[wear]`` is not installed.
    """
    stores = [
        n
        for n in _stores(parts)
        if n in result.children and result[n].sizes.get(str(parts[n].schema.member), 0)
    ]
    return (
        result.assign({"wear": xr.DataTree(wear(result, parts=parts))})
        if stores and available()
        else result
    )


@dataclass(frozen=True)
class Cycles:
    """Half cycles of one path.

    `depth` is a share of the capacity, `mean` the mean state of charge, `hours` how long each took,
    and `falling` which way it went.
    """

    depth: np.ndarray
    mean: np.ndarray
    hours: np.ndarray
    falling: np.ndarray  # True where energy left: these halves cost, the others do not


def wear(result: xr.DataTree, *, parts: Mapping[str, Part] = PARTS) -> xr.Dataset:
    """Count the cycles of every storage in a result, and price them.

    A path starts at the energy before the first step, or on board at an arrival; every fall counts,
    also by driving. What leaks (`keep` between 0 and 1) is no cycle: the path is that of the energy
    moved, as the plan is paid for, so that segments never count too little. A discharging half
    cycle of depth delta costs ``replacement_cost * Phi(delta)``, a charging one nothing, and a full
    cycle has one of each. A path with a cyclic end is a circle. To price another plan, or one that
    was made with `wear` alone, assign `replacement_cost` to the group first.

    Parameters
    ----------
    result : xarray.DataTree
        A result of `solve`, as returned or as read from its file.
    parts : mapping of str to Part, default PARTS
        The catalogue that it was solved with.

    Returns
    -------
    xarray.Dataset
        On `storage`, the names `part.member`: `capacity` (kWh), `throughput` (kWh leaving the
        battery by power), `efc` (falls of the path over the capacity), `cost_planned` (the wear in
        the ledger that follows energy), `cost_calendar`, `cost_counted` (NaN without a replacement
        cost), `cost_over` (planned less counted), `price_mean` (counted, per kWh by which the path
        falls) and `price_marginal` (of one more kWh at the deepest fall), EUR or EUR/kWh; and
        `cycles` on `storage` and `depth`, discharging half cycles by depth (the upper end of each
        class). All are means over scenarios.

    Raises
    ------
    V2GError
        The extra ``[wear]`` is not installed.
    SchemaError
        The result has no battery and no fleet, or its inputs do not fit the schema.

    References
    ----------
    ASTM E1049 (rainflow counting); Xu et al. 2018. The mathematics is in docs/formulation.md §9.

    Examples
    --------
    A battery of 10 kWh is filled and emptied once: one discharging half cycle of depth 1.

    >>> import pandas as pd
    >>> import xarray as xr
    >>> import v2g_linopy as v2g
    >>> time = pd.date_range("2026-03-02", periods=2, freq="h")
    >>> box = {"charge_max": 10.0, "discharge_max": 10.0, "energy_max": 10.0, "energy_initial": 0.0}
    >>> box |= {"eta_charge": 1.0, "eta_discharge": 1.0}
    >>> battery = xr.Dataset(box, coords={"battery": ["box"]})
    >>> market = {"price": ("time", [20.0, 60.0]), "limit": 100.0}
    >>> energy = xr.Dataset(market, coords={"market": ["day_ahead"]})
    >>> result = v2g.solve(v2g.assemble(time, {"battery": battery, "energy": energy}))
    >>> counted = v2g.wear(result).sel(storage="battery.box")
    >>> float(counted.efc.round(6)), float(counted.cycles.sel(depth=1.0).round(6))
    (1.0, 1.0)
    """
    if not available():
        raise V2GError(
            "counting cycles needs rainflow: install the extra, pip install 'v2g-linopy[wear]'"
        )
    inputs = inputs_of(result, parts)
    tables = [_part_table(result, inputs, name) for name in _stores(parts) if name in inputs.data]
    tables = [t for t in tables if t.sizes["storage"]]
    if not tables:
        raise SchemaError(
            [Problem("storage", "missing", "missing: the result has no battery and no fleet")]
        )
    units = {"capacity": "kWh", "throughput": "kWh", "efc": "1", "cycles": "1"} | dict.fromkeys(
        _PRICES, "EUR/kWh"
    )
    table = xr.concat(
        tables, "storage", data_vars="minimal", coords="minimal", compat="override", join="exact"
    )
    currency = inputs.calendar.currency
    return table.assign(
        {
            n: a.assign_attrs(units=units.get(str(n), "EUR").replace("EUR", currency))
            for n, a in table.data_vars.items()
        }
    )


_PRICES = ("price_mean", "price_marginal")


def _stores(parts: Mapping[str, Part]) -> Iterator[str]:
    """Yield the parts that hold energy behind a charger."""
    for name, part in parts.items():
        if part.stores_energy:
            yield name


def _part_table(result: xr.DataTree, inputs: Inputs, name: str) -> xr.Dataset:
    """The figures of all members of one part."""
    paths = Paths.of(result, inputs, name)
    d, weight = paths.data, paths.weight
    member = str(d.attrs["member"])
    rows = [_figures(paths, i) for i in range(len(paths.members))]
    names = pd.Index([f"{name}.{m}" for m in paths.members], name="storage")
    edges = pd.Index(np.round(np.arange(1, BINS + 1) / BINS, 6), name="depth")
    table = xr.Dataset(coords={"storage": names, "depth": edges})
    for key in ("capacity", "throughput", "efc", "cost_counted", *_PRICES):
        table[key] = ("storage", np.array([row[key] for row in rows], float))
    table["cycles"] = (
        ("storage", "depth"),
        np.array([row["cycles"] for row in rows], float).reshape(-1, BINS),
    )
    ledger = result["ledger"].to_dataset()
    wear = [n for n, entry in inputs.parts[name].entries.items() if entry.cause == "wear"]
    sums = {
        n: scenario_mean(ledger[f"{name}.{n}"], weight) for n in wear if f"{name}.{n}" in ledger
    }
    totals = {n: x.sum([d for d in x.dims if d != member]).to_numpy() for n, x in sums.items()}
    nothing = np.zeros(len(names))
    table["cost_planned"] = (
        "storage",
        0.0 - sum((x for n, x in totals.items() if n != "wear_calendar"), nothing),
    )
    table["cost_calendar"] = ("storage", 0.0 - totals.get("wear_calendar", nothing))
    return table.assign(cost_over=table.cost_planned - table.cost_counted)


def capacity_loss(
    result: xr.DataTree,
    cell: str = "NMC",
    *,
    temperature: float = 25.0,
    c_rate: float | None = None,
    years: float | None = None,
    laws: tuple[Law, Law] | None = None,
    parts: Mapping[str, Part] = PARTS,
) -> xr.Dataset:
    """Return what share of its capacity a new cell would lose on the plan of each storage.

    Stays of a member at its charger are taken as those of one battery; while it is away (keep 0)
    nothing counts. The two models describe one commercial cell each, not a battery in general.

    Parameters
    ----------
    result : xarray.DataTree
        A result of `solve`, as returned or as read from its file.
    cell : {"NMC", "LFP"}, default "NMC"
        The published model, `nmc` or `lfp` of `v2g_linopy.study.cell_ageing`.
    temperature : float, default 25.0
        Of the cell, degrees Celsius, all the time.
    c_rate : float, optional
        C-rate (1/h) of every cycle; by default that of each half cycle of the path (used by LFP).
    years : float, optional
        The plan is repeated for so many years of 8760 h; by default it happens once.
    laws : tuple of two Law, optional
        Loss by time and by cycles, in place of `cell`: ``cell_ageing.nmc(voltage=...)``.
    parts : mapping of str to Part, default PARTS
        The catalogue that the result was solved with.

    Returns
    -------
    xarray.Dataset
        `loss_time`, `loss_cycles`, `loss` on `storage` (shares of the first capacity; mean over
        scenarios).

    Raises
    ------
    V2GError
        The extra ``[wear]`` is not installed.
    SchemaError
        An unknown `cell`, or inputs that do not fit the schema.

    References
    ----------
    NMC: Schmalstieg, Kaebitz, Ecker, Sauer (2014), J. Power Sources 257, 325-334. LFP: Naumann et
    al. (2018), J. Energy Storage 17; (2020), J. Power Sources 451.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> result = v2g.solve(v2g.commuters(vehicles=1, days=1, regulation=None))
    >>> one, ten = (v2g.capacity_loss(result, years=years) for years in (1, 10))
    >>> bool((0 < one.loss).all() and (one.loss < ten.loss).all())
    True
    >>> bool((one.loss == one.loss_time + one.loss_cycles).all())
    True
    """
    if not available():
        raise V2GError(
            "counting cycles needs rainflow: install the extra, pip install 'v2g-linopy[wear]'"
        )
    if laws is None and cell not in CELLS:
        raise SchemaError([Problem("cell", "choice", f"{cell!r} is not one of {', '.join(CELLS)}")])
    laws = laws or CELLS[cell]()
    inputs = inputs_of(result, parts)
    repeats = 1.0 if years is None else years * 8760.0 / (inputs.dt * len(inputs.calendar.time))
    names: list[str] = []
    losses: list[list[float]] = []
    for name in (n for n in _stores(parts) if n in inputs.data):
        paths = Paths.of(result, inputs, name)
        names += [f"{name}.{m}" for m in paths.members]
        losses += [
            _lost(paths, i, laws, temperature + KELVIN, c_rate, repeats)
            for i in range(len(paths.members))
        ]
    table = np.array(losses, float).reshape(-1, 2)
    share = {"units": "1"}
    return xr.Dataset(
        {
            "loss_time": ("storage", table[:, 0], share),
            "loss_cycles": ("storage", table[:, 1], share),
            "loss": ("storage", table.sum(axis=1), share),
        },
        coords={"storage": names},
    )


def _lost(
    paths: Paths,
    i: int,
    laws: tuple[Law, Law],
    temperature: float,
    c_rate: float | None,
    repeats: float,
) -> list[float]:
    """Loss of one member by time and by cycles, mean over scenarios."""
    weights = np.ones(1) if paths.weight is None else paths.weight.to_numpy()
    transformed = np.zeros((len(weights), 2))  # of each law, which adds up over stays
    for stay in paths.of_member(i):
        if stay.capacity > 0:
            use = stay.use(c_rate)
            transformed[stay.scenario] += [law.transformed_loss(use, temperature) for law in laws]
    return [
        float(weights @ [law.loss(repeats * x) for x in transformed[:, k]])
        for k, law in enumerate(laws)
    ]


@dataclass(frozen=True)
class Paths:
    """The energy of every member of a part as paths between arrivals, and what prices them."""

    data: xr.Dataset
    members: pd.Index
    dt: float
    weight: xr.DataArray | None
    arrays: Mapping[str, np.ndarray]  # on (scenario, member, time)

    @classmethod
    def of(cls, result: xr.DataTree, inputs: Inputs, name: str) -> Paths:
        """Read a part of a result."""
        d, member = inputs.data[name], inputs.parts[name].schema.member
        group = result[name].to_dataset()
        known = {f.name for f in inputs.parts[name].schema.inputs}
        d = d.assign({n: a for n, a in group.data_vars.items() if n not in known})
        lacking = [n for n in ("charge", "discharge", "energy") if n not in d]
        if lacking:
            raise SchemaError(
                [
                    Problem(f"{name}.{n}", "missing", "missing: solve the case first")
                    for n in lacking
                ]
            )
        axes: dict[Hashable, Any] = {"time": inputs.calendar.time}
        axes = {str(member): d.indexes[member], **axes}
        if inputs.calendar.scenario is not None:
            axes = {"scenario": inputs.calendar.scenario, **axes}
        whole = xr.DataArray(
            np.zeros([len(i) for i in axes.values()]), coords=axes, dims=list(axes)
        )

        def on_paths(x: Any) -> np.ndarray:
            array = (whole + x).transpose(*axes).to_numpy()
            return array if "scenario" in axes else array[None]

        keep, initial = d.keep, d.energy_initial
        leaving = d.get("energy_out", 0.0) - d.get("unserved_trip", 0.0) + d.get("spill", 0.0)
        arrays = {
            "energy": on_paths(d.energy),
            "out": on_paths((d.discharge + d.get("slack_out", 0.0)) * inputs.dt / d.eta_discharge),
            "keep": on_paths(keep),
            "initial": on_paths(initial),
            "arriving": on_paths(d.get("energy_in", 0.0)),
            "leaving": on_paths(leaving),
            "capacity": on_paths(capacity_of(d)),
            "cost": on_paths(d.replacement_cost),
            "factor": on_paths(d.stress_factor),
            "exponent": on_paths(d.stress_exponent),
            "cyclic": on_paths(d.get("cyclic", 0.0)) > 0,
        }
        return cls(d, d.indexes[member], inputs.dt, inputs.probability, arrays)

    def of_member(self, i: int) -> Iterator[Stay]:
        """Yield the stays of one member in every scenario."""
        weights = np.ones(1) if self.weight is None else self.weight.to_numpy()
        for s, share in enumerate(weights):
            a = {n: x[s, i] for n, x in self.arrays.items()}
            begins = np.flatnonzero(a["keep"] == 0)
            begins = begins if len(begins) and begins[0] == 0 else np.append(0, begins)
            held = np.maximum.reduceat(
                a["energy"] + a["out"] + a["arriving"] + a["initial"] * (a["keep"] > 0), begins
            )
            ends = np.append(begins[1:], len(a["keep"]))
            for first, end in zip(begins[held > 0], ends[held > 0], strict=True):
                yield Stay({n: x[first:end] for n, x in a.items()}, s, float(share), self.dt)


@dataclass(frozen=True)
class Stay:
    """One battery from its arrival (or the start of the horizon) to the next."""

    arrays: Mapping[str, np.ndarray]
    scenario: int
    share: float  # probability of the scenario
    dt: float

    @property
    def capacity(self) -> float:
        """What depth refers to (kWh)."""
        return float(self.arrays["capacity"].max())

    def path(self, leaking: bool = True) -> tuple[np.ndarray, np.ndarray]:
        """Return energy and hours of the path of a stay (kWh, h).

        It has the start, and for each step what is there after arrival, after what drives away,
        and at its end.

        Not `leaking`: what leaked is put back, so that the path moves by what is moved.
        """
        a = self.arrays
        before = np.append(a["initial"][0], a["energy"][:-1])
        arrived = a["keep"] * before + a["arriving"]
        leaked = np.where(a["keep"] > 0, (1 - a["keep"]) * before, 0.0)
        put_back = np.zeros(len(before)) if leaking else leaked.cumsum()

        points = np.column_stack([arrived, arrived - a["leaving"], a["energy"]])
        points = (points + put_back[:, None]).ravel()
        hours = np.repeat(np.arange(len(before)), 3) + np.tile([0.0, 0.0, 1.0], len(before))
        start = a["initial"][0] if a["keep"][0] > 0 else arrived[0]
        return np.append(start, points), np.append(0.0, hours) * self.dt

    def cycles(self, leaking: bool = False) -> Cycles:
        """Half cycles by the rainflow method."""
        level, hours = self.path(leaking)
        if self.capacity <= 0:
            return Cycles(np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(0, bool))
        gained = self.arrays["energy"][-1] - self.arrays["initial"][0]
        closed = bool(self.arrays["cyclic"].any()) and abs(gained) < 1e-6 * self.capacity
        return half_cycles(level / self.capacity, hours, closed)

    def use(self, c_rate: float | None = None) -> Use:
        """What the battery went through, for a model of its cells."""
        cycles, (level, _) = self.cycles(leaking=True), self.path()
        mean_of_steps = (level[2::3] + level[3::3]) / 2
        soc = np.clip(mean_of_steps / self.capacity, 0.0, 1.0)
        rate = cycles.depth / np.maximum(cycles.hours, self.dt)
        return Use(
            soc=soc,
            hours=np.full(len(soc), self.dt),
            depth=np.minimum(cycles.depth, 1.0),
            mean=cycles.mean,
            c_rate=rate if c_rate is None else np.full_like(rate, c_rate),
        )


def half_cycles(soc: np.ndarray, hours: np.ndarray, closed: bool = False) -> Cycles:
    """Half cycles of a path, a circle (or a screw) where `closed`.

    A full cycle is a falling and a rising half.

    Parameters
    ----------
    soc, hours
        The path, and the time of each point.
    """
    import rainflow

    if closed:
        soc, hours = _from_its_top(soc, hours)
    turns = _turns(soc)
    # rainflow leaves out the last of two points: the end is said twice
    path = np.append(soc[turns], soc[turns[-1:]]).tolist()

    found = []
    for depth, mean, count, first, last in rainflow.extract_cycles(path):
        if depth <= NOISE:
            continue
        start, end = (turns[min(k, len(turns) - 1)] for k in (first, last))
        falls, length = soc[end] < soc[start], abs(hours[end] - hours[start])
        found.append((depth, mean, length, falls))
        if count == 1.0:
            found.append((depth, mean, length, not falls))
    table = np.array(found, float).reshape(-1, 4)
    return Cycles(table[:, 0], table[:, 1], table[:, 2], table[:, 3] > 0)


def _from_its_top(soc: np.ndarray, hours: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a closed path begun at its highest point; what came before it is appended, a turn
    later.
    """
    top, period = int(np.argmax(soc[:-1])), hours[-1] - hours[0]
    order = np.append(np.arange(top, len(soc) - 1), np.arange(top + 1))
    appended = np.arange(len(order)) >= len(soc) - 1 - top
    risen = (soc[-1] - soc[0]) * appended
    return soc[order] + risen, hours[order] + period * appended


def _turns(soc: np.ndarray) -> np.ndarray:
    """Positions at which a path turns, with its ends."""
    moves = np.flatnonzero(np.diff(soc) != 0)
    if not len(moves):
        return np.zeros(1, int)
    up = np.diff(soc)[moves] > 0
    return np.concatenate([[0], moves[1:][up[1:] != up[:-1]], [len(soc) - 1]])


def _figures(paths: Paths, i: int) -> dict[str, Any]:
    """Cycles and cost of one member."""
    names = ("capacity", "throughput", "efc", "cost_counted", "price_marginal")
    row: dict[str, Any] = dict.fromkeys(names, 0.0)
    row["cycles"], fallen = np.zeros(BINS), 0.0
    for stay in paths.of_member(i):
        cycles = stay.cycles()
        depth = cycles.depth[cycles.falling]
        row["capacity"] = max(row["capacity"], stay.capacity)
        row["throughput"] += stay.share * float(stay.arrays["out"].sum())
        row["efc"] += stay.share * float(depth.sum())
        places = np.clip(np.ceil(depth * BINS - 1e-6), 1, BINS).astype(int) - 1
        row["cycles"] += stay.share * np.bincount(places, minlength=BINS)
        if not len(depth):
            continue

        cost, factor, exponent = (
            float(np.nan_to_num(stay.arrays[n][0])) for n in ("cost", "factor", "exponent")
        )
        row["cost_counted"] += stay.share * cost * factor * float((depth**exponent).sum())
        fallen += stay.share * float(depth.sum()) * stay.capacity
        # the derivative of the cost by the deepest fall
        price = cost * factor * exponent * float(depth.max()) ** (exponent - 1) / stay.capacity
        row["price_marginal"] = max(row["price_marginal"], price)

    if not bool((paths.arrays["cost"][:, i] > 0).any()):
        row["cost_counted"] = row["price_marginal"] = np.nan
    row["price_mean"] = row["cost_counted"] / fallen if fallen else np.nan
    return row
