"""The registered benchmarks: what is compared, at which size, and the figure that must hold."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from statistics import median

import numpy as np
import xarray as xr

import v2g_linopy as v2g
from benchmarks import cases, dutch, handwritten, large_fleets, package, pyomo_model
from benchmarks.measure import (
    calls,
    cpu,
    cpu_in_turn,
    cpu_of_process,
    median_ratio,
    peak_memory,
    side_by_side,
)
from v2g_linopy.data.case_changes import with_changes
from v2g_linopy.model.inputs import inputs_of
from v2g_linopy.operate import simulate, windows
from v2g_linopy.operate.forecasts import Naive
from v2g_linopy.solve import oracle
from v2g_linopy.solve.decompose.message import Message
from v2g_linopy.solve.decompose.pool import LocalSites
from v2g_linopy.solve.decompose.site_cases import Division
from v2g_linopy.solve.decompose.vehicle_batches import Batches, in_batches
from v2g_linopy.solve.oracle_members import vehicle_stays
from v2g_linopy.solve.solver import Settings

Size = tuple[int, int]  # vehicles, days
AGREE = 1e-9  # largest relative difference between two objectives of one model


@dataclass(frozen=True)
class Outcome:
    """What a spec found: the figure the gate is about, and both sides in words."""

    figure: float
    package: str
    beside: str
    size: str


@dataclass(frozen=True)
class Spec:
    """One row of the table. The gate is `figure <= limit`, or `figure >= limit` where `faster`."""

    name: str
    title: str
    measure: Callable[[Size, int], Outcome]
    full: Size
    small: Size
    limit: float | None
    unit: str
    faster: bool = False
    rounds: int = 5
    any_size: bool = False  # the gate also holds at the small size
    needs_reference: bool = False
    needs_compiler: bool = False  # at its full size

    def holds(self, figure: float) -> bool:
        """Return True where the figure is inside the gate."""
        if self.limit is None:
            return True
        return figure >= self.limit if self.faster else figure <= self.limit

    @property
    def gate(self) -> str:
        """The gate in words."""
        return (
            ""
            if self.limit is None
            else f"{'≥' if self.faster else '≤'} {self.limit:g} {self.unit}"
        )


def against_handwritten(size: Size, rounds: int) -> Outcome:
    """Build and hand-over of the same case, by the package and by hand."""
    case = cases.commuters(*size)
    works = {
        "package": lambda: package.build_and_hand_over(case),
        "hand": lambda: handwritten.build(case),
    }
    seconds = side_by_side(works, rounds)
    ratio = median_ratio(seconds["package"], seconds["hand"])
    count = handwritten.build(case).getNumNz()
    return Outcome(
        ratio,
        _seconds(seconds["package"]),
        _seconds(seconds["hand"]),
        f"{_cars(size)}, {_million(count)}",
    )


def against_pyomo(size: Size, rounds: int) -> Outcome:
    """Build and hand-over of the same case, by the package and by Pyomo with its persistent HiGHS
    interface.
    """
    case = cases.commuters(*size)
    works = {
        "package": lambda: package.build_and_hand_over(case),
        "pyomo": lambda: pyomo_model.hand_over(pyomo_model.build(case)),
    }
    return _faster(works, rounds, size)


def against_pyomo_build(size: Size, rounds: int) -> Outcome:
    """The same without either hand-over."""
    case = cases.commuters(*size)
    return _faster(
        {"package": lambda: package.build(case), "pyomo": lambda: pyomo_model.build(case)},
        rounds,
        size,
    )


def _faster(works: dict[str, Callable[[], object]], rounds: int, size: Size) -> Outcome:
    seconds = side_by_side(works, rounds)
    ratio = median_ratio(seconds["pyomo"], seconds["package"])
    return Outcome(ratio, _seconds(seconds["package"]), _seconds(seconds["pyomo"]), _cars(size))


def tiny(size: Size, rounds: int) -> Outcome:
    """Build and hand-over of a case so small that only the fixed cost is left."""
    case = cases.commuters(*size)
    works = {
        "package": lambda: package.build_and_hand_over(case),
        "hand": lambda: handwritten.build(case),
    }
    seconds = side_by_side(works, rounds)
    return Outcome(
        median(seconds["package"]),
        _seconds(seconds["package"]),
        _seconds(seconds["hand"]),
        _cars(size),
    )


def call_count(size: Size, rounds: int) -> Outcome:
    """Python calls of a build at 100 vehicles x 1 day and at `size`: no loop may run over members
    or steps.
    """
    least, most = cases.commuters(100, 1), cases.commuters(*size)
    package.build(least)
    few, many = calls(lambda: package.build(least)), calls(lambda: package.build(most))
    difference = 100 * abs(many / few - 1)
    return Outcome(difference, f"{many:,} calls", f"{few:,} calls at 100 × 24 h", _cars(size))


def memory(size: Size, rounds: int) -> Outcome:
    """Peak memory of build and hand-over over that of a process that only imports and makes the
    case.
    """
    nothing = peak_memory("nothing", *size)
    own, hand = (peak_memory(what, *size) - nothing for what in ("package", "handwritten"))
    return Outcome(own / hand, f"{own:.0f} MB", f"{hand:.0f} MB", _cars(size))


def blocks(size: Size, rounds: int) -> Outcome:
    """Independent blocks against the same LP in one piece: CPU of the solve alone, and the same
    objective.
    """
    return _blocks(package.build(cases.commuters(*size)), rounds, _cars(size))


def dutch_year(size: Size, rounds: int) -> Outcome:
    """The same on 10 000 public charging sessions and the day-ahead prices of a year, at 15
    minutes.
    """
    case = dutch.year(days=size[1])
    return _blocks(
        package.build(case),
        rounds,
        f"{case['fleet'].sizes['fleet']} rows × {case.sizes['time']} steps",
    )


def site_year(size: Size, rounds: int) -> Outcome:
    """A workplace with chargers, battery, roof, building and peak tariff: everything that `solve`
    does, audit too.
    """
    case = v2g.site(*size)
    seconds = [cpu(lambda: v2g.solve(case)) for _ in range(rounds)]
    return Outcome(median(seconds), _seconds(seconds), "", f"{_cars(size)}, one site")


def site_memory(size: Size, rounds: int) -> Outcome:
    """Peak memory of a process that does so."""
    most = peak_memory("site", *size)
    return Outcome(most, f"{most:.0f} MB", "", f"{_cars(size)}, one site")


def pods(size: Size, rounds: int) -> Outcome:
    """Build of a portfolio in one model, and its Python calls beside those of a small one: no loop
    over pods.
    """
    many, days = size
    small, large = (
        v2g.portfolio(vehicles=3 * 10, days=7, pods=10),
        v2g.portfolio(vehicles=3 * many, days=days, pods=many),
    )
    seconds = [cpu(lambda: package.build_and_hand_over(large)) for _ in range(rounds)]
    few, all_of = calls(lambda: package.build(small)), calls(lambda: package.build(large))
    beside = f"{few:,} calls at 10 pods × 168 h"
    return Outcome(
        100 * abs(all_of / few - 1),
        f"{_seconds(seconds)}, {all_of:,} calls",
        beside,
        f"{many} pods × {24 * days} h",
    )


def in_two_levels(size: Size, rounds: int) -> Outcome:
    """A portfolio of sites that nothing couples, in two levels and in one model, audit too."""
    many, days = size
    case = v2g.portfolio(vehicles=3 * many, days=days, pods=many)
    works = {
        "sites": partial(v2g.solve, case, method="sites"),
        "whole": partial(v2g.solve, case, method="whole"),
    }
    seconds = side_by_side(works, rounds)
    return Outcome(
        median_ratio(seconds["sites"], seconds["whole"]),
        _seconds(seconds["sites"]),
        f"{_seconds(seconds['whole'])} in one model",
        f"{many} pods × {24 * days} h",
    )


def priced_again(size: Size, rounds: int) -> Outcome:
    """Plans of all sites at other prices, by models that are held open and by a fresh solve."""
    many, days = size
    case = v2g.portfolio(vehicles=3 * many, days=days, pods=many)
    division = Division.of(case)
    told = Message.first(inputs_of(division.portfolio(), v2g.PARTS))
    sites = LocalSites(division, division.pods, Settings(), v2g.PARTS)
    turn = iter(range(10**6))

    def other_prices() -> object:
        power = told.power * (1 + 0.1 * np.sin(next(turn) + np.arange(len(told.power))))
        return sites.plans(replace(told, power=power))

    other_prices()
    whole = division.site(division.pods)
    works = {"open": other_prices, "fresh": partial(v2g.solve, whole, audit=False)}
    seconds = side_by_side(works, rounds)
    return Outcome(
        median_ratio(seconds["open"], seconds["fresh"]),
        _seconds(seconds["open"]),
        f"{_seconds(seconds['fresh'])} by a fresh solve",
        f"{many} pods × {24 * days} h",
    )


def swept(size: Size, rounds: int) -> Outcome:
    """A point of a sweep over fifty levels of prices, and the same case solved by itself."""
    case, points = v2g.commuters(*size), min(50, 2 * size[1])
    factors = np.linspace(0.5, 2.0, points).tolist()
    some = factors[:: max(1, points // 5)]
    works = {
        "sweep": lambda: v2g.sweep(case, {"energy.price.scale": factors}),
        "alone": lambda: [
            v2g.solve(with_changes(case, {"energy.price.scale": factor})) for factor in some
        ],
    }
    seconds = side_by_side(works, rounds)
    each = {"sweep": points, "alone": len(some)}
    per_point = {name: [t / each[name] for t in seconds[name]] for name in works}
    return Outcome(
        median_ratio(per_point["alone"], per_point["sweep"]),
        f"{_seconds(per_point['sweep'])} a point",
        f"{_seconds(per_point['alone'])} alone",
        f"{_cars(size)}, {points} prices",
    )


def guaranteed(size: Size, rounds: int) -> Outcome:
    """Reserves that survive every call of a step in any six (the epigraph), in one LP: solve and
    audit.
    """
    case = cases.budgeted(*size)
    seconds = [cpu(lambda: v2g.solve(case)) for _ in range(rounds)]
    return Outcome(
        median(seconds), _seconds(seconds), "", f"{size[0]} vehicles × {24 * size[1]} half-hours"
    )


def recourse(size: Size, rounds: int) -> Outcome:
    """Calls that are bought back from a step later on, one in any four, beside the guarantee of one
    call: solve and audit.
    """
    case = cases.called(*size)
    works = {
        name: partial(v2g.solve, cases.backed(case, name)) for name in ("recourse", "physical")
    }
    seconds = side_by_side(works, rounds)
    return Outcome(
        median_ratio(seconds["recourse"], seconds["physical"]),
        _seconds(seconds["recourse"]),
        f"{_seconds(seconds['physical'])} for one call",
        f"{size[0]} vehicles × {24 * size[1]} h",
    )


def priced_calls(size: Size, rounds: int) -> Outcome:
    """The demonstration with seven states of calls, beside the same with their mean: solve and
    audit.
    """
    case = v2g.homes_and_depot(vehicles=size[0], days=size[1])
    works = {"states": case, "mean": v2g.with_netted_calls(case)}
    seconds = side_by_side({name: partial(v2g.solve, x) for name, x in works.items()}, rounds)
    return Outcome(
        median_ratio(seconds["states"], seconds["mean"]),
        _seconds(seconds["states"]),
        f"{_seconds(seconds['mean'])} by their mean",
        f"{size[0]} vehicles × {96 * size[1]} quarter-hours",
    )


def by_rule(size: Size, rounds: int) -> Outcome:
    """Sessions operated one by one under contracts, in steps of 15 minutes, settled and checked."""
    case = dutch.contracted(days=size[1])
    options = {"policy": "rule", "forecast": "published", "hindsight": False}
    seconds = [cpu(partial(v2g.simulate, case, **options)) for _ in range(rounds)]
    agreed = int((case["sessions"].contract >= 0).sum())
    size_in_words = f"{agreed} contracts, {case.sizes['time']} steps"
    return Outcome(median(seconds), _seconds(seconds), "", size_in_words)


def sequence(size: Size, rounds: int) -> Outcome:
    """Day-ahead at noon and intraday every hour, on earlier prices: a model a day that moves, or
    one a decision. A single day is operated for its first six hours.
    """
    case = cases.sequential(*size)
    truth = inputs_of(case, v2g.PARTS)
    prices = Naive(
        replace(truth, data={n: d for n, d in truth.data.items() if n != "fleet"})
    )  # vehicles are known
    time = case.indexes["time"]
    start, stop = time[192], None if size[1] > 1 else time[192 + 24]
    moving = simulate.sequence(case, truth, prices, start, stop, 1.0, 24.0, 24.0, "off", True, {})
    runs = {"moved": moving, "built": replace(moving, in_place=False)}

    def run(name: str) -> None:
        for _ in windows.run_windows(runs[name], simulate.fresh(case, runs[name])):
            pass

    decisions = sum(len(moving.moments(w)) for w in moving.windows)
    run("moved")
    seconds = side_by_side({name: partial(run, name) for name in runs}, rounds)
    ratio = median_ratio(seconds["built"], seconds["moved"])
    where = f"{_cars(size)}, {decisions} decisions"
    return Outcome(
        ratio, _seconds(seconds["moved"]), f"{_seconds(seconds['built'])} built anew", where
    )


def _blocks(model: object, rounds: int, size: str) -> Outcome:
    found: dict[str, float] = {}

    def run(name: str, apart: bool) -> None:
        found[name] = package.optimise(model, blocks=apart)

    seconds: dict[str, list[float]] = {"apart": [], "whole": []}
    for _ in range(rounds):
        seconds["apart"].append(cpu(lambda: run("apart", True)))
        seconds["whole"].append(cpu(lambda: run("whole", False)))
    if abs(found["apart"] - found["whole"]) > AGREE * abs(found["whole"]):
        raise AssertionError(
            f"the objectives differ: blocks {found['apart']!r}, one LP {found['whole']!r}"
        )
    ratio = median_ratio(seconds["apart"], seconds["whole"])
    return Outcome(
        ratio, _seconds(seconds["apart"]), f"{_seconds(seconds['whole'])} in one piece", size
    )


def _seconds(values: list[float]) -> str:
    return f"{median(values):.3g} s"


def _cars(size: Size) -> str:
    return f"{size[0]} vehicles × {24 * size[1]} h"


def _million(count: int) -> str:
    return f"{count / 1e6:.2g} M non-zeros"


def first_use(_: Size, rounds: int) -> Outcome:
    """Importing the package and looking up `v2g.solve`, in a fresh process that has linopy."""
    load = ("import linopy", "import v2g_linopy as v2g; v2g.solve")
    cpu_in_turn(*load)  # does not count
    seen = [cpu_in_turn(*load) for _ in range(rounds)]
    linopy, over = (list(one) for one in zip(*seen, strict=True))
    both = [sum(one) for one in seen]
    beside = f"{_seconds(linopy)} import linopy"
    return Outcome(median(over), _seconds(both), beside, "a fresh process")


def help_text(_: Size, rounds: int) -> Outcome:
    """`v2g --help`, beside importing linopy, which it does not do."""
    package, linopy = _in_turn(rounds, ("-m", "v2g_linopy", "--help"), ("-c", "import linopy"))
    beside = f"{_seconds(linopy)} import linopy"
    return Outcome(median_ratio(package, linopy), _seconds(package), beside, "a fresh process")


def _in_turn(rounds: int, *commands: tuple[str, ...]) -> tuple[list[float], ...]:
    """CPU seconds of fresh processes, A B A B ..., after one round that does not count."""
    for words in commands:
        cpu_of_process(*words)
    seen = [[cpu_of_process(*words) for words in commands] for _ in range(rounds)]
    return tuple(list(one) for one in zip(*seen, strict=True))


def one_by_one(size: Size, rounds: int) -> Outcome:
    """The best plan of every vehicle at given prices, by compiled loops and by numpy; the first
    call compiles.
    """
    stays, worth = large_fleets.stays_and_prices(size[0])
    run = oracle.compiled()
    works: dict[str, Callable[[], object]] = {"numpy": lambda: oracle.by_numpy(stays, worth)}
    if run is not None:
        works["compiled"] = partial(oracle.by_kernel, stays, worth, run)
    seconds = side_by_side(works, rounds)
    each = {name: 1e6 * median(values) / size[0] for name, values in seconds.items()}
    best = "compiled" if "compiled" in each else "numpy"
    beside = f"{each['numpy']:.3g} µs by numpy"
    return Outcome(each[best], f"{each[best]:.3g} µs, {best}", beside, _cars(size))


def with_two_products(size: Size, rounds: int) -> Outcome:
    """The best plan of every vehicle at given prices, with two reserve products and without."""
    inputs = inputs_of(large_fleets.with_reserves(large_fleets.fleet_case(size[0])), v2g.PARTS)
    both = vehicle_stays(inputs, np.arange(size[0]), inputs.pods)
    price = large_fleets.prices_of(inputs)[0] / inputs.dt
    alone, worth = large_fleets.stays_and_prices(size[0])
    works = {
        "both": lambda: oracle.best_plans(both, price[0], price[1:]),
        "none": lambda: oracle.best_plans(alone, worth),
    }
    assert float(works["both"]().held.sum()) > 0
    seconds = side_by_side(works, rounds)
    each = {name: 1e6 * median(values) / size[0] for name, values in seconds.items()}
    return Outcome(
        median_ratio(seconds["both"], seconds["none"]),
        f"{each['both']:.3g} µs",
        f"{each['none']:.3g} µs without",
        _cars(size),
    )


def in_open_batches(size: Size, rounds: int) -> Outcome:
    """Plans of vehicles with an hour of energy behind their reserves, at other prices: by batches
    that are held open, and by new ones.
    """
    case = large_fleets.with_reserves(large_fleets.fleet_case(size[0]), hours=1.0)
    inputs = inputs_of(case, v2g.PARTS)
    price, turn = large_fleets.prices_of(inputs), iter(range(10**6))

    def new() -> Batches:
        return in_batches(inputs, np.arange(size[0]), inputs.pods, 100, Settings())

    def other_prices() -> np.ndarray:
        found: np.ndarray = price * (1 + 0.1 * np.sin(next(turn) + np.arange(price.shape[-1])))
        return found

    held_open = new()
    works = {
        "open": lambda: held_open.answer(other_prices(), 0),
        "new": lambda: new().answer(other_prices(), 0),
    }
    seconds = side_by_side(works, rounds)
    each = {name: 1e6 * median(values) / size[0] for name, values in seconds.items()}
    return Outcome(
        median_ratio(seconds["open"], seconds["new"]),
        f"{each['open']:.3g} µs",
        f"{each['new']:.3g} µs by new ones",
        _cars(size),
    )


def against_one_lp(size: Size, rounds: int) -> Outcome:
    """From clean inputs to a proven value, under a peak tariff: rounds of prices and plans, and one
    linear programme of all vehicles.
    """
    inputs = inputs_of(large_fleets.fleet_case(size[0], peak_price=0.5), v2g.PARTS)
    values: dict[str, float] = {}
    works = {
        "rounds": lambda: values.update(rounds=large_fleets.by_rounds(inputs)[0]),
        "one": lambda: values.update(one=large_fleets.by_one_programme(inputs)),
    }
    seconds = side_by_side(works, rounds, warm=0)
    gap = abs(values["rounds"] - values["one"]) / abs(values["one"])
    assert gap <= 1e-6, gap
    ratio = median_ratio(seconds["rounds"], seconds["one"])
    return Outcome(ratio, _seconds(seconds["rounds"]), _seconds(seconds["one"]), _cars(size))


def behind_a_limit(size: Size, rounds: int) -> Outcome:
    """From a case to its plan, without the audit, behind 2.5 kW per vehicle."""
    case = large_fleets.fleet_case(size[0], import_max=2.5 * size[0])
    found: dict[str, xr.DataTree] = {}
    seconds = [
        cpu(lambda: found.update(last=v2g.solve(case, method="decompose", audit=False)))
        for _ in range(rounds)
    ]
    told = found["last"].attrs
    assert told["certified_gap"] <= 1e-6, told["certified_gap"]
    beside = f"{told['rounds']} rounds, gap {told['certified_gap']:.1g}"
    return Outcome(median(seconds), _seconds(seconds), beside, _cars(size))


def over_many_steps(size: Size, rounds: int, gap: float = 1e-6) -> Outcome:
    """From clean inputs over quarter-hours to a proven value, under a peak tariff: by an interior
    point over all vehicles, and rounds.
    """
    inputs = inputs_of(large_fleets.fleet_case(size[0], 4, peak_price=0.5), v2g.PARTS)
    found: list[tuple[float, float]] = []
    large_fleets.by_rounds(inputs_of(large_fleets.fleet_case(50, 4, peak_price=0.5), v2g.PARTS))
    seconds = [
        cpu(lambda: found.append(large_fleets.by_rounds(inputs, gap))) for _ in range(rounds)
    ]
    value, left = found[-1]
    beside = f"cost {-value:.10g} EUR, gap {left:.1g}"
    return Outcome(median(seconds), _seconds(seconds), beside, f"{size[0]} cars, 96 steps")


SPECS = (
    Spec(
        "import",
        "import, and look up v2g.solve",
        first_use,
        (0, 0),
        (0, 0),
        0.3,
        "s over linopy",
    ),
    Spec("help", "v2g --help", help_text, (0, 0), (0, 0), 0.5, "× import linopy"),
    Spec(
        "memory",
        "peak memory, build + hand-over",
        memory,
        (1000, 31),
        (100, 7),
        2,
        "× by hand",
        rounds=1,
    ),
    Spec("build", "build + hand-over", against_handwritten, (1000, 31), (50, 2), 2, "× by hand"),
    Spec(
        "pyomo",
        "build + hand-over",
        against_pyomo,
        (200, 7),
        (5, 1),
        40,
        "× faster than Pyomo",
        faster=True,
    ),
    Spec(
        "pyomo-build",
        "build alone",
        against_pyomo_build,
        (200, 7),
        (5, 1),
        None,
        "× faster than Pyomo",
        faster=True,
    ),
    Spec("tiny", "build + hand-over, tiny case", tiny, (2, 1), (2, 1), 1, "s"),
    Spec(
        "calls",
        "calls in a build",
        call_count,
        (1000, 31),
        (200, 7),
        1,
        "% more",
        rounds=1,
        any_size=True,
    ),
    Spec("blocks", "solve in blocks", blocks, (100, 92), (10, 3), 0.5, "× one LP", rounds=3),
    Spec(
        "dutch-year",
        "solve in blocks",
        dutch_year,
        (0, 364),
        (0, 14),
        0.5,
        "× one LP",
        rounds=3,
        needs_reference=True,
    ),
    Spec("site-year", "build, solve and audit", site_year, (10, 365), (3, 7), 10, "s", rounds=3),
    Spec("site-memory", "peak memory of it", site_memory, (10, 365), (3, 7), 600, "MB", rounds=1),
    Spec(
        "guarantees",
        "solve and audit with guaranteed reserves",
        guaranteed,
        (100, 2),
        (5, 1),
        20,
        "s",
        rounds=1,
    ),
    Spec(
        "recourse",
        "reserves that are bought back",
        recourse,
        (100, 14),
        (5, 1),
        10,
        "× one call",
        rounds=1,
    ),
    Spec(
        "priced-calls",
        "calls told by states",
        priced_calls,
        (6, 7),
        (2, 1),
        3,
        "× by their mean",
        rounds=3,
    ),
    Spec(
        "sequence",
        "gates and forecasts in place",
        sequence,
        (100, 7),
        (2, 1),
        3,
        "× faster",
        faster=True,
        rounds=1,
    ),
    Spec(
        "session-rules",
        "sessions under contracts, one by one",
        by_rule,
        (0, 365),
        (0, 3),
        600,
        "s",
        rounds=1,
        needs_reference=True,
    ),
    Spec(
        "pods",
        "build + hand-over of a portfolio",
        pods,
        (50, 365),
        (20, 7),
        1,
        "% more calls",
        rounds=1,
    ),
    Spec(
        "two-levels",
        "solve in two levels, nothing couples",
        in_two_levels,
        (50, 1),
        (5, 1),
        2,
        "× one model",
        rounds=3,
    ),
    Spec(
        "priced-again",
        "plans of sites at other prices",
        priced_again,
        (50, 1),
        (5, 1),
        0.1,
        "× a fresh solve",
        rounds=3,
    ),
    Spec(
        "sweep",
        "a point of a sweep over prices",
        swept,
        (20, 28),
        (2, 1),
        4,
        "× cheaper than a solve",
        faster=True,
        rounds=3,
    ),
    Spec(
        "one-by-one",
        "best plan of a vehicle at given prices",
        one_by_one,
        (100_000, 1),
        (200, 1),
        5,
        "µs per vehicle",
        rounds=3,
        needs_compiler=True,
    ),
    Spec(
        "oracle-reserves",
        "best plan of a vehicle with two reserves",
        with_two_products,
        (20_000, 1),
        (100, 1),
        4,
        "× without",
        rounds=3,
        needs_compiler=True,
    ),
    Spec(
        "batches",
        "plan of a vehicle with energy behind reserves, again",
        in_open_batches,
        (1000, 1),
        (40, 1),
        0.3,
        "× anew",
        rounds=3,
    ),
    Spec(
        "large-fleet-lp",
        "value of a fleet under a peak tariff",
        against_one_lp,
        (10_000, 1),
        (50, 1),
        0.05,
        "× one LP",
        rounds=3,
        needs_compiler=True,
    ),
    Spec(
        "large-fleet",
        "solve a fleet behind a limit",
        behind_a_limit,
        (100_000, 1),
        (50, 1),
        10,
        "s",
        rounds=1,
        needs_compiler=True,
    ),
    Spec(
        "quarter-hours",
        "value of a fleet over quarter-hours, gap 1e-6",
        over_many_steps,
        (10_000, 1),
        (50, 1),
        5,
        "s",
        rounds=3,
        needs_compiler=True,
    ),
    Spec(
        "quarter-hours-large",
        "value of a fleet over quarter-hours, gap 1e-5",
        partial(over_many_steps, gap=1e-5),
        (100_000, 1),
        (50, 1),
        60,
        "s",
        rounds=1,
        needs_compiler=True,
    ),
)
