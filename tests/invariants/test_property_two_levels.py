"""What holds of every portfolio in two levels: its bound is never below the best plan, which is
never below what the mix is worth, and at the end all three are one.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest import approx

import v2g_linopy as v2g

DRAWN = settings.default.max_examples if settings.default else 10
FEW = settings(max_examples=4 if DRAWN <= 10 else DRAWN)  # each is solved twice, in many rounds
CLOSE = 1e-6
MARKETS = ("energy", "reserve", "imbalance")


@dataclass(frozen=True)
class Portfolio:
    """Two or three pods with vehicles, a battery, a house and a roof, behind one market: limits,
    blocks, spread, peaks, losses, suppliers, up to three products with activation or endurance.
    """

    seed: int
    steps: int
    pods: int
    vehicles: int
    limit: float
    block: float
    spread: float
    peak: float
    supplied: bool
    products: int
    activated: bool
    priced: bool
    endless: bool
    imbalance: bool
    engine: bool = False  # one that runs between 3 and 8 kW, or stands still

    def case(self, names: tuple[str, ...] = ("a", "b", "c"), turned: bool = False) -> xr.DataTree:
        """As a case, of which the pods may have other names, and stand in another order."""
        draw = np.random.default_rng(self.seed)
        time = pd.date_range("2026-01-05", periods=self.steps, freq="h", name="time")
        pods = list(names[: self.pods])
        groups = self._assets(draw, time, pods)
        price = draw.uniform(5.0, 120.0, self.steps)
        energy = {"price": (("market", "time"), [price]), "limit": self.limit}
        energy |= {"block": self.block, "spread": self.spread}
        groups["energy"] = xr.Dataset(energy, coords={"market": ["da"], "time": time})
        if self.products:
            groups["reserve"] = self._reserve(draw, time)
        if self.imbalance:
            prices = {"price_long": ("time", price - 20), "price_short": ("time", price + 20)}
            groups["imbalance"] = xr.Dataset(prices | {"limit": 2.0}, coords={"time": time})
        if turned:
            groups = {name: turned_around(d) for name, d in groups.items()}
        return v2g.assemble(time, groups)

    def _assets(self, draw: Any, time: pd.DatetimeIndex, pods: list[str]) -> dict[str, xr.Dataset]:
        many, last = self.vehicles, pods[-1]
        charge, size = draw.uniform(2, 10, many), draw.uniform(5, 30, many)
        need = np.zeros((many, self.steps))
        need[:, -1] = np.minimum(0.6 * size, 0.5 * charge * self.steps)
        fleet = {
            "charge_max": ("fleet", charge),
            "discharge_max": ("fleet", charge * draw.integers(0, 2, many)),
            "energy_max": ("fleet", size),
            "energy_min": (("fleet", "time"), need),
            "pod": ("fleet", [pods[k % len(pods)] for k in range(many)]),
        }
        fleet |= {"eta_charge": 0.9, "eta_discharge": 0.92, "wear": 0.03}
        battery = {"charge_max": 5.0, "discharge_max": 5.0, "energy_max": 12.0}
        battery |= {"energy_initial": 6.0, "cyclic": 1.0, "wear": 0.02}
        house, sun = (draw.uniform(0, top, (1, self.steps)) for top in (5, 12))
        some = [f"v{k}" for k in range(many)]
        contract = np.full(len(pods), np.nan)
        if self.supplied:
            contract[0] = 1.0
        connection = {"import_max": 60.0, "export_max": 60.0, "peak_price": self.peak}
        connection |= {"fee_import": 5.0, "partial": "pro_rata"}
        engine = {"power_max": 8.0, "power_min": 3.0, "eta_power": 0.4, "fuel_price": 22.0}
        engine |= {"power_to_heat": 1.0, "dump_max": 20.0, "start_cost": 0.1, "up_time_min": 2.0}
        plants = {"chp": member("chp", pods[1], **engine)} if self.engine else {}
        return plants | {
            "fleet": xr.Dataset(fleet, coords={"fleet": some, "time": time}),
            "battery": member("battery", pods[0], **battery),
            "load": member("load", last, baseline=(("load", "time"), house)),
            "renewable": member("renewable", last, available=(("renewable", "time"), sun)),
            "connection": xr.Dataset(
                {n: ("pod", [x] * len(pods)) for n, x in connection.items()}
                | {"supply_price": ("pod", 90 * contract), "feed_in_price": ("pod", 40 * contract)},
                coords={"pod": pods},
            ),
        }

    def _reserve(self, draw: Any, time: pd.DatetimeIndex) -> xr.Dataset:
        names, many = ["both", "up", "down"][: self.products], self.products
        up, down = np.array([1.0, 1.0, 0.0])[:many], np.array([1.0, 0.0, 1.0])[:many]
        reserve = {
            "up": ("product", up),
            "down": ("product", down),
            "capacity_price": (("product", "time"), draw.uniform(2, 40, (many, self.steps))),
            "volume_max": ("product", [np.inf if self.endless else 5.0] * many),
            "block": self.block,
        }
        if self.activated:
            reserve |= {"activation_up": ("product", 0.2 * up)}
            reserve |= {"activation_down": ("product", 0.15 * down)}
            if self.priced:
                reserve |= {"activation_price_up": 80.0, "activation_price_down": 20.0}
        else:
            reserve |= {"guarantee": ("product", ["endurance"] * many)}
            reserve |= {"hours_up": 0.5, "hours_down": 0.5}
        return xr.Dataset(reserve, coords={"product": names, "time": time})


def member(dim: str, pod: str, **fields: Any) -> xr.Dataset:
    """A group of one member."""
    return xr.Dataset(fields | {"pod": (dim, [pod])}, coords={dim: ["one"]})


def turned_around(d: xr.Dataset) -> xr.Dataset:
    """The same members in the opposite order."""
    dims = [dim for dim in d.indexes if dim != "time"]
    return d.isel({dim: slice(None, None, -1) for dim in dims})


PORTFOLIOS = st.builds(
    Portfolio,
    seed=st.integers(0, 10**6),
    steps=st.integers(2, 6),
    pods=st.integers(2, 3),
    vehicles=st.integers(2, 4),
    limit=st.sampled_from([6.0, 9.0, 14.0, 200.0]),
    block=st.sampled_from([0.0, 2.0]),
    spread=st.sampled_from([0.0, 6.0]),
    peak=st.sampled_from([0.0, 2.0]),
    supplied=st.booleans(),
    products=st.integers(0, 3),
    activated=st.booleans(),
    priced=st.booleans(),
    endless=st.booleans(),
    imbalance=st.booleans(),
)


@FEW
@given(PORTFOLIOS, st.booleans())
def test_two_levels_end_where_one_model_does(portfolio, turned):
    """Bound, optimum and value are one at the end, also where the pods have other names and all
    members stand the other way round. Before it no mix that gives all the power is worth more than
    the optimum, and no bound is below it. The whole plan passes its audit, and each site gives what
    is asked of it, at no more than its plans said.
    """
    best = v2g.solve(portfolio.case()).attrs["objective"]
    names = ("z", "y", "x") if turned else ("a", "b", "c")
    result = v2g.solve(portfolio.case(names, turned), method="sites")
    allowed = CLOSE * max(1.0, abs(best))
    assert result.attrs["objective"] == approx(best, abs=allowed)
    assert result.attrs["bound"] == approx(best, abs=2 * allowed)
    assert result["audit"].attrs["passed"] == 1
    rounds = result["decomposition"].to_dataset()
    assert float(rounds.bound.min()) >= best - allowed
    complete = rounds.value.where(rounds.missing_power <= 1e-6)
    assert not bool((complete > best + allowed).any())
    assert_promises_kept(result, [names[0]] if portfolio.supplied else [])


def assert_promises_kept(result, supplied):
    """What the devices of each site give is what is asked of it, to 1e-6 kW, and its own bill is no
    worse than that of its plans. At a pod with a supplier (`supplied`) only calls are asked for.
    """
    asked = result["decomposition"].to_dataset()
    fleet, battery, load, sun = (
        result[name].to_dataset() for name in ("fleet", "battery", "load", "renewable")
    )
    engines = [result["chp"].to_dataset()] if "chp" in result.children else []
    given = (
        sum(at_pods(asked, d.pod, d.power) for d in engines)
        + at_pods(asked, fleet.pod, fleet.discharge - fleet.charge)
        + at_pods(asked, battery.pod, battery.discharge - battery.charge)
        + at_pods(asked, sun.pod, sun.available - sun.curtail)
        - at_pods(asked, load.pod, load.baseline)
    )
    short = abs(given - asked.promise).max("time")
    assert float(short.drop_sel(pod=supplied).max()) <= 1e-6
    cash = own_cash(result)
    said = (asked.weight * asked.own_cash).groupby(asked.plan_pod.astype(str)).sum()
    for pod, promised in said.to_series().items():
        assert cash[str(pod)] >= promised - 1e-6 * max(1.0, abs(promised))


def at_pods(asked, pod, power):
    """Sums of what members give over each pod of those that are asked."""
    found = power.groupby(pod.astype(str)).sum()
    return found.reindex(pod=asked.indexes["pod"], fill_value=0.0)


def own_cash(result):
    """By pod, the sum of all entries that are not of a market."""
    found = dict.fromkeys(result["connection"]["pod"].astype(str).to_numpy(), 0.0)
    for name, x in result["ledger"].to_dataset().data_vars.items():
        part = name.partition(".")[0]
        if part in MARKETS:
            continue
        member = "pod" if part == "connection" else part
        of_member = x.sum([dim for dim in x.dims if dim != member])
        pods = x.indexes["pod"] if member == "pod" else result[part]["pod"].astype(str).to_numpy()
        for pod, amount in zip(pods, of_member.to_numpy(), strict=True):
            found[str(pod)] += float(amount)
    return found


@settings(FEW, max_examples=1 if DRAWN <= 10 else DRAWN)
@given(PORTFOLIOS)
def test_engines_leave_a_gap_that_is_told(portfolio):
    """With an engine that runs or stands still at one site: the bound is above the best plan and
    the plan below, the gap says how far, and what is asked of each site it gives.
    """
    case = replace(portfolio, engine=True).case()
    best = v2g.solve(case, gap=0.0).attrs["objective"]
    try:
        result = v2g.solve(case, method="sites")
    except v2g.SolveError as error:  # no mix of whole plans that gives all the power was found
        assert error.status == "gap_limit"
        return
    value, bound, allowed = *(result.attrs[n] for n in ("objective", "bound")), CLOSE
    allowed *= max(1.0, abs(best))
    assert value <= best + allowed and best <= bound + allowed
    told = result.attrs["certified_gap"] * max(1.0, abs(value))
    assert told == approx(bound - value, abs=allowed)
    assert (result.attrs["status"] == "optimal") == (told <= allowed)
    assert result["audit"].attrs["passed"] == 1
    assert_promises_kept(result, ["a"] if portfolio.supplied else [])


@settings(FEW, max_examples=2 if DRAWN <= 10 else DRAWN)
@given(PORTFOLIOS)
def test_equal_plans_and_their_order_change_nothing(portfolio):
    """Every plan given twice, and in the opposite order, makes the same mix; the bound of the
    message is above it, and above the optimum.
    """
    case = portfolio.case()
    told = v2g.message(case)
    plans = [v2g.plan(site, told) for site in v2g.split(case).values()]
    once, twice = (
        v2g.solve(v2g.aggregate(some, case)).attrs["objective"]
        for some in (plans, [*reversed(plans), *plans])
    )
    allowed = CLOSE * max(1.0, abs(once))
    assert twice == approx(once, abs=allowed)
    bound = v2g.bound([*plans, *plans], told, case)
    assert bound >= once - allowed
    assert bound >= v2g.solve(case, audit=False).attrs["objective"] - allowed


@settings(FEW, max_examples=1 if DRAWN <= 10 else DRAWN)
@given(PORTFOLIOS)
def test_processes_change_nothing(portfolio):
    """Sites that are shared out to two processes end where they do in one: value, bound, rounds."""
    case = portfolio.case()
    alone, shared = (v2g.solve(case, method="sites", processes=n).attrs for n in (1, 2))
    allowed = CLOSE * max(1.0, abs(alone["objective"]))
    assert shared["objective"] == approx(alone["objective"], abs=allowed)
    assert shared["bound"] == approx(alone["bound"], abs=2 * allowed)
