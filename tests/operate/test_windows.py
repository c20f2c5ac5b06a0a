"""Every part rolls: a plan cut into windows, each begun in the state the last one left, costs what
it costs whole.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

import pandas as pd
import pytest
import xarray as xr
from cases import case, electrolyser, engine, market, product, storage, vehicle
from pytest import approx

import v2g_linopy as v2g
from v2g_linopy.errors import Infeasible, SchemaError

DECISIONS = {
    "fleet": ("charge", "discharge", "spill", "unserved", "unserved_trip"),
    "battery": ("charge", "discharge"),
    "load": ("power", "curtail"),
    "renewable": ("curtail",),
    "chp": ("power", "dump", "on"),
    "hydrogen": ("electrolysis", "generation", "sold", "on", "standby"),
}
WORN = {"replacement_cost": 16.0, "segments": 4, "stress_factor": 1.0, "stress_exponent": 2.0}
NOTHING = float("nan")


@dataclass(frozen=True)
class Story:
    """A case, where it is cut, and the inputs without which the windows would have another bill or
    another optimum.

    `plan` holds what is not left to the optimum. `ends` are fields that windows before the last
    have otherwise: what holds at an end holds at the end of the case. `ahead` lets each window see
    the rest of the case."""

    tree: xr.DataTree
    cuts: tuple[int, ...]
    matters: tuple[str, ...] = ()
    plan: Mapping[str, list[float]] = field(default_factory=dict)
    ends: Mapping[str, float] = field(default_factory=dict)
    ahead: bool = False


def falls(part: str) -> dict[str, list[float]]:
    """From 7.5 kWh to 0, to 5, to 0, to 10, to 0."""
    return {f"{part}.charge": [0, 0, 5, 0, 10, 0], f"{part}.discharge": [5, 2.5, 0, 5, 0, 10]}


def worn_fleet() -> Story:
    car = vehicle(**WORN, energy_max=10, energy_initial=7.5, discharge_max=10)
    return Story(
        case(car, market([0] * 6)),
        (1, 4),
        ("fleet.energy_initial", "fleet.segment_initial"),
        falls("fleet"),
    )


def worn_battery() -> Story:
    """Worn by time, too, and with a value of what is left, which the windows hand on."""
    box = storage(
        **WORN, energy_initial=7.5, energy_value=0.1, calendar_cost=8.76, calendar_cost_soc=8.76
    )
    names = ("battery.energy_initial", "battery.segment_initial")
    return Story(case(None, market([0] * 6), battery=box), (1, 4), names, falls("battery"))


def battery_in_a_circle() -> Story:
    """Half full at the start and at the end, not at the cuts."""
    box = storage(cyclic=1, energy_initial=5)
    names = ("battery.energy_initial", "battery.energy_final")
    return Story(
        case(None, market([0, 90, 10, 80, 5, 70]), battery=box),
        (1, 4),
        names,
        ends={"battery.cyclic": 0.0},
    )


def capped_battery() -> Story:
    """One and a half cycles for three swings."""
    box = storage(cycles_max=1.5, wear=0.001)
    return Story(
        case(None, market([0, 90, 10, 80, 5, 70]), battery=box),
        (2, 4),
        ("battery.throughput_initial",),
    )


def shifted_load() -> Story:
    loads = {
        "early": {"baseline": [4.0] * 6, "shift_up_max": 3, "shift_down_max": 2, "window": 0},
        "late": {
            "baseline": [4.0] * 6,
            "shift_up_max": 3,
            "shift_down_max": [3.0, 3, 0, 0, 0, 0],
            "window": 0,
        },
    }
    loads["early"]["shift_up_max"] = [3.0, 3, 0, 0, 0, 0]
    loads["early"]["curtail_max"] = 1.0
    loads["shed"] = {"baseline": [4.0] * 6, "curtail_max": 2.0, "curtail_cost": 0.0, "window": 0}
    loads["shed"] |= {"curtail_energy_max": 5.0}
    prices = {"day_ahead": market([20, 20, 30, 60, 70, 10])}
    return Story(
        case(None, prices, load=loads),
        (1, 4),
        ("load.advanced_initial", "load.owed_initial", "load.curtailed_initial"),
        ahead=True,
    )


def committed_engine() -> Story:
    """It runs for three hours once on and rests for three once off, and climbs: no state is free at
    a cut.
    """
    plant = engine(
        power_min=4, start_cost=0.1, up_time_min=3, down_time_min=3, ramp_up=2, power_initial=0
    )
    names = ("on_initial", "hours_initial", "power_initial")
    prices = [200, 10, 10, 10, 10, 10, 90, 90]
    return Story(case(None, market(prices), chp=plant), (1, 7), tuple(f"chp.{n}" for n in names))


def plants_out_of_service() -> Story:
    """Both ran before, and are not there in the first window: they have to start again, the engine
    after its rest.
    """
    plant = engine(
        power_min=4, start_cost=0.1, down_time_min=3, on_initial=1, power_max=[0, 0, 10, 10, 10]
    )
    site = electrolyser(
        electrolyser_min=5, wear_start=0.2, on_initial=1, electrolyser_max=[0, 0, 10, 10, 10]
    )
    at = market([60, 60, 60, 60, 90])
    return Story(
        case(None, at, chp=plant, hydrogen=site), (1, 2), ("chp.on_initial", "hydrogen.on_initial")
    )


def hydrogen_site() -> Story:
    """An electrolyser that waits in standby while electricity is dear, and a tank that closes its
    circle.
    """
    site = electrolyser(
        electrolyser_min=5,
        standby_power=0.5,
        wear_start=1,
        energy_max=20,
        energy_initial=4,
        cyclic=1,
    )
    site |= {
        "sale_max": [0.0, 0, 0, 2, 2, 2],
        "on_initial": 1,
        "fuel_cell_max": 1,
        "wear": 0.01,
        "wear_standby": 0.01,
    }
    names = ("energy_initial", "on_initial", "standby_initial", "energy_final")
    return Story(
        case(None, market([20, 300, 300, 10, 10, 200]), hydrogen=site),
        (1, 2, 4),
        tuple(f"hydrogen.{n}" for n in names),
        ends={"hydrogen.cyclic": 0.0},
    )


def contracts() -> Story:
    """Contracts over the end of January in Rome, 23:00 UTC: means, runs of negative prices, energy
    due.
    """
    roof = {"strike": 60, "renewable": "roof"}
    deals = {
        "mean": roof | {"averaging": "month"},
        "floor": (
            roof
            | {
                "averaging": "month",
                "settlement": "one_way",
                "strike": 20,
                "volume_type": "deemed",
            }
        ),
        "rests": roof | {"negative_hours": 3, "volume_type": "deemed"},
        "short": roof | {"contracted": 6 * 744, "shortfall_price": 100, "period": "month"},
        "long": roof | {"contracted": 3.5 * 744, "shortfall_price": 100, "period": "month"},
        "horizon": roof | {"contracted": 40, "shortfall_price": 100, "period": "horizon"},
    }
    prices = [50, -20, -30, -10, -5, 60, 40, 30]
    names = ("ahead", "behind", "negative", "mean", "mean_hours", "settled")
    return Story(
        case(
            None,
            market(prices),
            renewable={"available": [3, 5, 4, 3, 1, 6, 2, 9]},
            ppa=deals,
            start="2026-01-31 18:00",
            timezone="Europe/Rome",
        ),
        (1, 4),
        tuple(f"ppa.{n}_initial" for n in names),
    )


def billed_pods() -> Story:
    """Peaks by hour and by day, cut within an hour, a day and a month, and past the end of one."""
    bill = {
        "peak_price": 10,
        "peak_count": 2,
        "overrun_price": 2,
        "subscribed": 3,
        "subscribed_price": 100,
        "vat": 0.2,
    }
    bill |= {
        "fixed_cost": 10,
        "capacity": 5,
        "capacity_cost": 1,
        "usage_cost": 0.01,
        "fee_import": 5,
        "tax": 1,
    }
    pods = {
        "hour": bill | {"peak_period": "hour"},
        "day": bill | {"peak_period": "day", "supply_price": 100.0},
    }
    pods["day"]["feed_in_price"] = 50.0
    loads = {"home": [4.0, 6, 2, 8, 1, 3, 5, 7], "depot": [20.0, 9, 8, 2, 4, 4, 0, 2]}
    names = ("peak", "hour", "day", "overrun")
    return Story(
        case(
            None,
            market([50] * 8),
            connection=pods,
            load={
                n: {"baseline": x, "pod": pod}
                for (n, x), pod in zip(loads.items(), pods, strict=True)
            },
            start="2026-01-31 21:30",
            step="30min",
        ),
        (2, 6),
        tuple(f"connection.{n}_initial" for n in names),
    )


def no_states() -> Story:
    """Markets, reserves, sun, a converter: nothing of theirs outlasts a step, but what they use
    does.

    The need of the last step is no floor at its start; a window that begins there takes what is on
    board for one."""
    up = product(up=1, hours_up=0.5, guarantee="endurance", capacity_price=[10, 20, 5, 30])
    return Story(
        case(
            vehicle(discharge_max=5, energy_initial=5, energy_min=[0, 0, 0, 10], charger="hub"),
            {
                "day_ahead": market([50, 20, 80, 30], spread=2, limit=8),
                "intraday": market([40, 30, 90, 20], limit=4),
            },
            up,
            {"import_max": 20, "export_max": 20},
            renewable={"available": [3.0, 5, 4, 3], "cost": 0.01},
            battery=storage(energy_initial=5),
            charger={"charge_max": 6, "discharge_max": 4},
        ),
        (2,),
        ("battery.energy_initial", "fleet.energy_initial"),
    )


def called_on_average() -> Story:
    """Reserves called for a quarter of the time are backed by the energy there is when none has
    been.
    """
    up = product(
        up=1,
        activation_up=0.25,
        hours_up=1,
        guarantee="endurance",
        capacity_price=[40, 60, 50, 70, 45],
    )
    return Story(
        case(
            vehicle(discharge_max=5, energy_initial=9),
            market([50, 30, 60, 40, 55], spread=1),
            up,
            battery=storage(energy_initial=8),
        ),
        (2, 3),
        ("battery.baseline_initial", "fleet.baseline_initial"),
        ahead=True,
    )


def owners_paid() -> Story:
    """12 kWh may be fed in under each of two contracts, paid in the third and the last hour;
    drivers pay for what they asked for.
    """
    car = vehicle(
        discharge_max=10,
        energy_initial=30,
        energy_min=[0, 0, 0, 0, 0, 20],
        need_billed=[0, 0, 0, 0, 0, 4],
        allowance=12,
        restart=[0, 0, 0, 1, 0, 0],
    )
    menu = {"theta": 1, "share": 1, "energy": 12, "payment": 0.1, "wear": 0.01, "term": 3}
    menu |= {"owed": [0, 0, 0.1, 0, 0, 0.2], "need_price": 0.2, "dispatch_cost": 0.001}
    prices = market([60, 80, 70, 50, 40, 90])
    return Story(case(car, prices, contract=menu), (1, 2, 5), ("fleet.allowance_used",))


STORIES = {
    make.__name__: make
    for make in (
        *(
            worn_fleet,
            worn_battery,
            battery_in_a_circle,
            capped_battery,
            shifted_load,
            committed_engine,
        ),
        *(
            plants_out_of_service,
            hydrogen_site,
            contracts,
            billed_pods,
            called_on_average,
            owners_paid,
            no_states,
        ),
    )
}


@cache
def told(name: str) -> tuple[Story, xr.DataTree]:
    """A story, and its plan in one piece."""
    story = STORIES[name]()
    dims = {part: v2g.PARTS[part].schema.member for part in story.tree.children}
    time = story.tree.to_dataset().indexes["time"]
    fix = {}
    for quantity, numbers in story.plan.items():
        dim = dims[quantity.partition(".")[0]]
        index = story.tree[quantity.partition(".")[0]].to_dataset().indexes[dim]
        fix[quantity] = xr.DataArray(
            [numbers], coords={dim: index, "time": time}, dims=(dim, "time")
        )
    return story, v2g.solve(story.tree, fix=fix, gap=0.0)


def held(whole: xr.DataTree, window: xr.DataTree) -> dict[str, xr.DataArray]:
    """All that assets do in the steps of a window; what they sell on markets follows, step by
    step.
    """
    time = window.to_dataset().indexes["time"]
    groups = {part: whole[part].to_dataset() for part in window.children if part in DECISIONS}
    return {
        f"{p}.{n}": ds[n].sel(time=time)
        for p, ds in groups.items()
        for n in DECISIONS[p]
        if n in ds
    }


@dataclass(frozen=True)
class Window:
    """What is left of a case at a cut, what of it is planned until the next one, and the result."""

    rest: xr.DataTree
    case: xr.DataTree
    result: xr.DataTree
    stop: pd.Timestamp | None


@cache
def windows(name: str) -> list[Window]:
    """A story window by window, with all decisions held."""
    story, whole = told(name)
    time, rest = story.tree.to_dataset().indexes["time"], story.tree
    edges, found = [*(time[c] for c in (0, *story.cuts)), None], []
    for start, stop in zip(edges, edges[1:], strict=False):
        rest = v2g.with_initial_state(rest, found[-1].result, start) if found else rest
        window = v2g.select_window(rest, None, None if story.ahead else stop)
        for into, value in story.ends.items() if stop is not None else ():
            window[into.replace(".", "/")] = xr.DataArray(value)
        result = v2g.solve(window, fix=held(whole, window), gap=0.0)
        found.append(Window(rest, window, result, stop if story.ahead else None))
    return found


@cache
def best_of_the_rest(name: str, window: int) -> float:
    """The objective of what is left of a story at a cut, with nothing held (EUR)."""
    rest = windows(name)[window].rest
    return float(v2g.solve(rest, gap=0.0, audit=False).attrs["objective"])


def bill(result: xr.DataTree, stop: pd.Timestamp | None = None) -> dict[str, float]:
    """Every line of the ledger until a moment; what corrects a settlement counts as part of it."""
    total: dict[str, float] = {}
    for entry, x in result["ledger"].to_dataset().data_vars.items():
        line = str(entry).replace("correction", "difference")
        total[line] = total.get(line, 0.0) + float(
            (x if stop is None else x.sel(time=x.time < stop)).sum()
        )
    return total


@pytest.mark.parametrize("name", STORIES)
def test_windows_add_up(name):
    """The bill of the windows is that of the whole, line by line to 1e-9, and every plan is proven.

    What each window would owe if it knew less is `test_what_is_carried_matters`.
    """
    expected, found = bill(told(name)[1]), [bill(w.result, w.stop) for w in windows(name)]
    for line in {line for lines in (expected, *found) for line in lines}:
        assert sum(lines.get(line, 0.0) for lines in found) == approx(
            expected.get(line, 0.0), abs=1e-9
        ), line
    for window in windows(name):
        checks = window.result["audit"].to_dataset()
        assert checks.attrs["passed"] == 1
        assert max(float(x) for x in checks.data_vars.values()) < 1e-9, checks.attrs["worst"]


@pytest.mark.parametrize(
    ("name", "forgets"), [(n, m) for n, make in STORIES.items() for m in make().matters]
)
def test_what_is_carried_matters(name, forgets):
    """Without it a window has no plan, another bill, or another optimum for what is left."""
    part, _, quantity = forgets.partition(".")

    def forgotten(tree: xr.DataTree) -> xr.DataTree:
        """As the first window had it."""
        given, first = (
            tree[part].to_dataset(inherit=False).drop_vars(quantity),
            told(name)[0].tree[part],
        )
        changed = tree.copy()
        changed[part] = xr.DataTree(
            given.assign({quantity: first[quantity]} if quantity in first else {})
        )
        return changed

    def matters(k: int) -> bool:
        window = windows(name)[k]
        try:
            plan = held(told(name)[1], window.case)
            poorer = v2g.solve(forgotten(window.case), fix=plan, gap=0.0, audit=False)
            if bill(poorer) != approx(bill(window.result), abs=1e-6):
                return True
            without = v2g.solve(forgotten(window.rest), gap=0.0, audit=False)
            return best_of_the_rest(name, k) != approx(without.attrs["objective"], abs=1e-6)
        except (Infeasible, SchemaError):
            return True

    assert any(matters(k) for k in range(1, len(windows(name))))


def test_every_part_rolls():
    """The stories have every part, and every input that a part carries matters in one of them.

    Imbalance and exclusion are those of a step, a risk and the plans of sites are those of a whole
    horizon: they hand nothing on."""
    made = [make() for make in STORIES.values()]
    nothing = {"imbalance", "exclusion", "risk", "flexibility"}
    assert not any(v2g.PARTS[name].state_inputs for name in nothing)
    assert {part for story in made for part in story.tree.children} == set(v2g.PARTS) - nothing
    assert {f"{p.name}.{i}" for p in v2g.PARTS.values() for i in p.state_inputs} == {
        m for s in made for m in s.matters
    }
