"""What `explain` says is read from its words, done to the case, and solved again.

Each statement is checked on three templates: 20 of each kind with `make prove`, a few otherwise.
A number that was found by solving again has to come out; a bound has to hold.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import settings

import v2g_linopy as v2g
from v2g_linopy.errors import Infeasible
from v2g_linopy.model.inputs import inputs_of
from v2g_linopy.solve import solver
from v2g_linopy.study.explain import explain

MANY = settings().max_examples > 10
WANTED = 20 if MANY else 1
SHOWN = 6e-5  # amounts in EUR are written with four decimals
MADE: dict[str, Callable[[], xr.DataTree]] = {
    "commuters": lambda: v2g.commuters(vehicles=7 if MANY else 3, days=4 if MANY else 2),
    "depot": lambda: v2g.depot(vehicles=6 if MANY else 2, days=3 if MANY else 2),
    "site": lambda: v2g.site(vehicles=6 if MANY else 2, days=4 if MANY else 2),
}

VANS = {"vans": lambda: v2g.depot(vehicles=24, days=2)}  # few vehicles draw nothing in a stay


@dataclass(frozen=True)
class Said:
    """A statement, and where it stands."""

    vehicle: str
    start: int  # first step of its stay, or its step
    stop: int  # last step of its stay
    found: re.Match[str]

    @property
    def amount(self) -> float:
        return float(self.found["amount"])


@cache
def solved(template: str) -> xr.DataTree:
    return v2g.solve((MADE | VANS)[template]())


@cache
def told(template: str, vehicle: str) -> str:
    return explain(solved(template), vehicle, listed=99, solve_again=template in MADE)


def objective(case: xr.DataTree, **options: object) -> float:
    return float(v2g.solve(case, audit=False, **options).attrs["objective"])


def step_of(result: xr.DataTree, words: str) -> int:
    """Position of a moment such as 2026-10-25 06:30+01:00."""
    moment = pd.Timestamp(words).tz_convert("UTC").tz_localize(None)
    return int(result.indexes["time"].searchsorted(moment))


def stays(template: str) -> Iterator[tuple[str, int, int, list[str]]]:
    """Every stay that is told, with its lines."""
    result = solved(template)
    for vehicle in map(str, result["fleet"]["fleet"].values):
        story = told(template, vehicle).partition("What it did\n")[2].partition("\n\n")[0]
        block: list[str] = []
        for line in [*story.splitlines(), "  end"]:
            if not line.startswith("    ") and block:
                first = re.search(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d)([+-]\d\d:\d\d) to", block[0])
                start = step_of(result, f"{first[1]} {first[2]}{first[3]}")
                stop = last_of_stay(template, vehicle, start)
                yield vehicle, start, stop, block[1:]
                block = []
            block.append(line)


def last_of_stay(template: str, vehicle: str, start: int) -> int:
    fleet = whole(template)
    plugged = (fleet.charge_max + fleet.discharge_max).sel(fleet=vehicle).to_numpy() > 0
    fresh = fleet.keep.sel(fleet=vehicle).to_numpy() == 0
    stop = start
    while stop + 1 < len(plugged) and plugged[stop + 1] and not fresh[stop + 1]:
        stop += 1
    return stop


@cache
def whole(template: str) -> xr.Dataset:
    """The fleet with its defaults, every field on fleet and time."""
    fleet = inputs_of(solved(template), v2g.PARTS).data["fleet"]
    like = solved(template)["fleet"]["charge"]
    return xr.Dataset(
        {n: x for n, x in fleet.broadcast_like(like).items() if x.dtype.kind == "f"}
    ).transpose("fleet", "time")


def said_of_stays(template: str, pattern: str) -> list[Said]:
    found = [
        Said(vehicle, start, stop, match)
        for vehicle, start, stop, lines in stays(template)
        for line in lines
        if (match := re.search(pattern, line))
    ]
    return chosen(found)


def said_of_vehicles(template: str, pattern: str) -> list[Said]:
    result, found = solved(template), []
    for vehicle in map(str, result["fleet"]["fleet"].values):
        for line in told(template, vehicle).splitlines():
            if match := re.search(pattern, line):
                found.append(Said(vehicle, 0, 0, match))
    return chosen(found)


def said_of_moments(template: str, pattern: str) -> list[Said]:
    result, found = solved(template), []
    fleet, time = whole(template), result.indexes["time"]
    places = np.argwhere((fleet.charge_max + fleet.discharge_max).to_numpy() > 0)
    np.random.default_rng(5).shuffle(places)
    for car, step in places[: 10 * WANTED]:
        vehicle = str(fleet.fleet.values[car])
        words = explain(result, vehicle, hour=f"{time[step]}+00:00")
        found += [Said(vehicle, step, step, m) for m in re.finditer(pattern, words)][:1]
    return chosen(found)


def chosen(found: list[Said]) -> list[Said]:
    """Return as many as are wanted, drawn from all of them."""
    np.random.default_rng(3).shuffle(found)
    return found[:WANTED]


def changed(template: str, field: str, said: Said, change: object, whole_horizon=False):
    """The case with a field of one vehicle changed at a step, or at all steps; its driver pays for
    net energy.
    """
    result, fleet = solved(template), whole(template)
    here = (fleet.fleet == said.vehicle) & (
        xr.ones_like(fleet.time, dtype=bool)
        if whole_horizon
        else fleet.time == fleet.time[said.stop]
    )
    unit = next(f.unit for f in v2g.PARTS["fleet"].schema.inputs if f.name == field)
    case = result.copy()
    more = (fleet[field] + xr.where(here, change, 0.0)).transpose("fleet", "time")
    net = case["fleet"].to_dataset().drop_vars("need_billed", errors="ignore")
    case["fleet"] = xr.DataTree(net.assign({field: more.assign_attrs(units=unit)}))
    return case


def held(template: str, said: Said, way: str, power: float) -> dict[str, object]:
    """Hold the power of one vehicle at one step."""
    plan = solved(template)["fleet"][way]
    here = (plan.fleet == said.vehicle) & (plan.time == plan.time[said.stop])
    return {f"fleet.{way}": (xr.full_like(plan, power), here)}


@pytest.fixture(autouse=True, scope="module")
def figures() -> Iterator[dict[str, int]]:
    """How many statements of each kind were checked; printed with -s."""
    yield CHECKED
    print("\n".join(f"{n:>5} {kind}" for kind, n in sorted(CHECKED.items())))


CHECKED: dict[str, int] = {}


def count(kind: str, template: str, said: list[Said]) -> None:
    CHECKED[f"{kind}, {template}"] = len(said)


def near(amount: float, expected: float) -> bool:
    return abs(amount - expected) <= SHOWN + 1e-4 * abs(expected)


templates = pytest.mark.parametrize("template", MADE)


@pytest.mark.parametrize("template", [*MADE, *(VANS if MANY else ())])
@pytest.mark.parametrize(
    ("way", "word", "sign"), [("discharge", "higher", -1), ("charge", "lower", 1)]
)
def test_nothing_changes_before_the_price_has_moved_that_far(template, way, word, sign):
    """Paid as much more for what it feeds in as is said less a hair, it still is best to feed in
    nothing then: the plan that is held at 0 there earns as much as any.

    A vehicle's own price is `retail_price`: it is paid for what is drawn less what is fed in.
    """
    pattern = rf"have to be at least (?P<amount>[\d.]+) EUR/MWh {word}, nearest at (\d\d:\d\d)"
    statements = said_of_stays(template, pattern)
    count(f"the price would have to be {word}", template, statements)
    local = solved(template).indexes["time"].tz_localize("UTC").tz_convert(zone(template))
    for said in statements:
        inside = range(said.start, said.stop + 1)
        steps = [t for t in inside if f"{local[t]:%H:%M}" == said.found[2]]
        at = replace(said, stop=steps[0])
        before = changed(template, "retail_price", at, sign * 0.999 * said.amount / 1000)
        free, still = objective(before), objective(before, fix=held(template, at, way, 0.0))
        assert free == pytest.approx(still, abs=1e-6), said


def zone(template: str) -> str:
    return str(solved(template).attrs["timezone"])


@templates
def test_a_need_is_worth_what_a_smaller_one_earns(template):
    pattern = r"binds: one kWh less would earn (?P<amount>[\d.]+) EUR"
    statements = said_of_stays(template, pattern)
    count("a kWh less of need", template, statements)
    for said in statements:
        gain = objective(changed(template, "energy_min", said, -1.0)) - base(template)
        assert near(gain, said.amount), said


def base(template: str) -> float:
    return float(solved(template).attrs["objective"])


@templates
def test_energy_on_arrival_is_worth_no_more(template):
    pattern = (
        r"kWh more on arrival would (?P<way>earn at most|cost at least) (?P<amount>[\d.]+) EUR"
    )
    statements = said_of_stays(template, pattern)
    count("a kWh more on arrival", template, statements)
    for said in statements:
        most = said.amount if said.found["way"].startswith("earn") else -said.amount
        case = changed(template, "energy_in", replace(said, stop=said.start), 1.0)
        assert gain_of(case, template) <= most + SHOWN, said


def gain_of(case: xr.DataTree, template: str) -> float:
    """What a changed case earns more; a plan that is gone earns nothing."""
    try:
        return objective(case) - base(template)
    except Infeasible:
        return -np.inf


INCOMES = {
    "a price below zero": ("energy", "price", lambda price: price.clip(min=0)),
    "the driver": ("fleet", "retail_price", lambda price: 0 * price),
    "reserve pays for": ("reserve", "capacity_price", lambda price: 0 * price),
}
"""What pays, by the words that name it: a field, and what is left of it without the income."""


@templates
def test_a_reason_is_one(template):
    """Without the income that is named, a kWh more on arrival costs less."""
    pattern = r"would cost at least (?P<amount>[\d.]+) EUR \(it takes room (?P<why>.*)\)"
    statements = said_of_stays(template, pattern)
    count("a reason why more is worth less", template, statements)
    for said in statements:
        group, field, without = next(x for n, x in INCOMES.items() if n in said.found["why"])
        more = changed(template, "energy_in", replace(said, stop=said.start), 1.0)
        cost = -gain_of(more, template)
        for case in (more, plain := solved(template).copy()):
            case[group] = case[group].assign({field: without(case[group][field])})
        assert objective(plain) - objective(more) < cost - 1e-6, said


LIMITS = {
    "kW of charging power": ("charge_max", 1.0),
    "kW of discharging power": ("discharge_max", 1.0),
    "kWh of battery": ("energy_max", 1.0),
    "kWh less to be left with": ("energy_min", -1.0),
}


@templates
def test_a_limit_is_worth_what_one_unit_more_earns(template):
    pattern = rf"a (?P<what>{'|'.join(LIMITS)}) +(?P<amount>[\d.]+) EUR, reached"
    statements = said_of_vehicles(template, pattern)
    count("a unit more of a limit", template, statements)
    fleet = whole(template)
    for said in statements:
        field, unit = LIMITS[said.found["what"]]
        size = np.minimum(fleet[field], 1.0) if unit < 0 else np.sign(fleet[field])
        case = changed(template, field, said, unit * size, whole_horizon=True)
        assert near(objective(case) - base(template), said.amount), said


@templates
def test_room_is_worth_no_more(template):
    pattern = r"a kW of room to (?P<way>rise|fall) \(reserves\) +(?P<amount>[\d.]+) EUR at most"
    statements = said_of_vehicles(template, pattern)
    count("a kW of room", template, statements)
    for said in statements:
        name = f"reserve.{ {'rise': 'up', 'fall': 'down'}[said.found['way']] }_fleet"
        gain = relaxed(template, [name], {"fleet": said.vehicle}) - base_of_matrix(template)
        assert gain <= said.amount + SHOWN, said


@templates
def test_where_limits_bind_one_unit_more_earns_no_more(template):
    """Every row that is the same limit in words is relaxed by a unit at once."""
    result = solved(template)
    rows = explain(result).partition("earn at most\n")[2].partition("\n\n")[0].splitlines()
    priced = {*map(str, (*result["dual"].data_vars, *result["reduced_cost"].data_vars))}
    labels: dict[str, list[str]] = {}
    for name, part in v2g.PARTS.items():
        for row in kinds(template).get(name, ()):
            if not part.is_balance(row) and f"{name}.{row}" in priced:
                labels.setdefault(part.limit_label(row), []).append(f"{name}.{row}")
    found = [re.search(r"  (.*?) +(\d+) places +(?P<amount>[\d.]+) EUR", line) for line in rows]
    statements = chosen([Said("", 0, 0, match) for match in found if match[1].strip() in labels])
    count("a unit more everywhere", template, statements)
    for said in statements:
        gain = relaxed(template, labels[said.found[1].strip()], {}) - base_of_matrix(template)
        assert gain <= said.amount + 5.1e-3, said


@cache
def model_of(template: str):
    model = v2g.build(solved(template))
    return model, solver.matrix_of(model)


def kinds(template: str) -> dict[str, list[str]]:
    """Kinds of rows and of bounds, by part."""
    model, _ = model_of(template)
    found: dict[str, list[str]] = {}
    for name in (*model.constraints, *model.variables):
        part, _, row = name.partition(".")
        found.setdefault(part, []).append(row)
    return found


def relaxed(template: str, names: list[str], labels: dict[str, str]) -> float:
    """The optimum when rows, and upper bounds, of these names allow one unit more."""
    model, matrix = model_of(template)
    for name in names:
        if name in model.variables:
            own = model.variables[name].labels.sel(labels).to_numpy()
            here = np.isin(matrix.column_labels, own[own >= 0]) & ~matrix.integer
            matrix = replace(matrix, upper=matrix.upper + here)
        else:
            own = model.constraints[name].labels.sel(labels).to_numpy()
            here = np.isin(matrix.row_labels, own[own >= 0])
            low, high = matrix.row_lower - here, matrix.row_upper + here
            matrix = replace(matrix, row_lower=low, row_upper=high)
    return solve_matrix(matrix)


def solve_matrix(matrix: solver.Matrix) -> float:
    return solver.solve_matrix(matrix, solver.Settings()).objective


@cache
def base_of_matrix(template: str) -> float:
    return solve_matrix(model_of(template)[1])


@templates
def test_energy_costs_its_price(template):
    """A tenth of a kW more drawn at the pod in that step costs its price or more."""
    pattern = r"The price of energy was (?P<amount>-?[\d.]+) EUR/MWh"
    statements = said_of_moments(template, pattern)
    count("the price of energy", template, statements)
    for said in statements:
        cost = base(template) - objective(with_load(template, said))
        assert cost >= 0.1 * hours(template) * (said.amount - 0.006) / 1000 - 1e-7, said


def hours(template: str) -> float:
    time = solved(template).indexes["time"]
    return float((time[1] - time[0]) / pd.Timedelta(hours=1))


def with_load(template: str, said: Said) -> xr.DataTree:
    """The case with a tenth of a kW more drawn at the pod of a vehicle, in one step."""
    case, time = solved(template).copy(), solved(template).indexes["time"]
    more = xr.DataArray(0.1 * (np.arange(len(time)) == said.stop), coords={"time": time})
    if "load" in case.children:  # one pod, and one load
        baseline = case["load"]["baseline"]
        case["load"] = case["load"].assign(baseline=(baseline + more).assign_attrs(baseline.attrs))
        return case
    fleet = inputs_of(case, v2g.PARTS).data["fleet"]
    pod = str(fleet["pod"].broadcast_like(fleet["fleet"]).sel(fleet=said.vehicle).values)
    baseline = more.expand_dims(load=["one more"]).assign_attrs(units="kW")
    case["load"] = xr.DataTree(xr.Dataset({"baseline": baseline, "pod": ("load", [pod])}))
    return case


@templates
def test_stored_energy_is_worth_no_more(template):
    pattern = r"stored energy was worth at most (?P<amount>-?[\d.]+) EUR/MWh"
    statements = said_of_moments(template, pattern)
    count("stored energy at a moment", template, statements)
    for said in statements:
        gain = gain_of(changed(template, "energy_in", said, 0.1), template)
        assert gain <= 0.1 * (said.amount + 0.006) / 1000 + 1e-7, said


@templates
@pytest.mark.parametrize(("way", "verb"), [("charge", "Drawing"), ("discharge", "Feeding in")])
def test_a_decision_loses_at_least_what_is_said(template, way, verb):
    """Held a tenth of a kW away from its plan, the vehicle loses that much or more."""
    pattern = rf"{verb}: .* = (?P<amount>-?[\d.]+) EUR/MWh: (?P<verdict>[^.]*)\."
    statements = said_of_moments(template, pattern)
    count(f"{verb.lower()} otherwise", template, statements)
    fleet, plan = whole(template), solved(template)["fleet"][way]
    for said in statements:
        most = float(fleet[f"{way}_max"].sel(fleet=said.vehicle)[said.stop])
        power = float(plan.sel(fleet=said.vehicle)[said.stop])
        change = -0.1 if said.amount > 0 else 0.1
        if not 0 <= power + change <= most:
            assert abs(said.amount) < 0.01 or most == 0, said
            continue
        fix = held(template, said, way, power + change)
        try:
            lost = base(template) - objective(solved(template), fix=fix)
        except Infeasible:
            continue
        assert lost >= 0.1 * hours(template) * (abs(said.amount) - 0.006) / 1000 - 1e-7, said
