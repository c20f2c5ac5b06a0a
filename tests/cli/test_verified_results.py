"""A result that is read from a file is verified: what is no longer true is found, and what nobody
can recompute is named. No sentence of a file is repeated that is no longer true.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import xarray as xr
from cases import case, market, product, vehicle

import v2g_linopy as v2g
from v2g_linopy.cli import inspect
from v2g_linopy.report.page.write import write_page

Change = Callable[[xr.DataTree], None]


@cache
def honest(name: str) -> xr.DataTree:
    """A result as it was solved; each is solved once."""
    return v2g.solve(BASES[name]())


CARS = {
    "ev-1": vehicle(
        discharge_max=10.0, energy_initial=20.0, energy_min=[0.0, 0.0, 0.0, 20.0], eta_charge=0.9
    ),
    "ev-2": vehicle(
        charge_max=[10.0, 10.0, 10.0, 0.0], energy_min=[0.0, 0.0, 15.0, 0.0], calendar_cost=0.5
    ),
}


def two_cars() -> xr.DataTree:
    """One car can sell what it holds and has to leave as full as it came, the other needs 15 kWh,
    and ages whatever is planned; and the session that one of them was made of.
    """
    tree = case(CARS, market([30.0, 20.0, 60.0, 40.0]))
    sessions = {"arrival": ("session", tree["time"].to_numpy()[:1])}
    tree["sessions"] = xr.Dataset(sessions, coords={"session": ["a"]})
    return tree


def another_need() -> xr.DataTree:
    """The two cars, which may leave with half of it."""
    tree = two_cars()
    array("fleet/energy_min", lambda x: 0.5 * x)(tree)
    return tree


def two_futures() -> xr.DataTree:
    """The two cars behind one meter with a peak price, in two scenarios, with a reserve that has to
    survive a call of one hour.
    """
    reserve = {"up": 1.0, "capacity_price": 20.0, "guarantee": "budget", "first_stage": 1.0}
    reserve |= {"activation_period": 1.0, "activation_cycle": 4.0}
    prices = {"low": [30.0, 20.0, 60.0, 40.0], "high": [30.0, 20.0, 200.0, 90.0]}
    meter = {"import_max": 15.0, "export_max": 10.0, "peak_price": 0.5}
    weights = {"low": 0.6, "high": 0.4}
    return case(CARS, market(prices), product(**reserve), meter, scenarios=weights)


def paid_to_draw() -> xr.DataTree:
    """A car would waste what it is paid to draw, so that it takes binaries to keep it from that."""
    lossy = vehicle(discharge_max=10.0, eta_charge=0.8, eta_discharge=0.8, energy_max=10.0)
    return case({"ev-1": lossy}, market([-50.0, -50.0, 20.0]))


BASES = {
    "two cars": two_cars,
    "two cars, another need": another_need,
    "two futures": two_futures,
    "paid to draw": paid_to_draw,
}


def array(name: str, change: Callable[[xr.DataArray], Any]) -> Change:
    """Change an array of a group; its attributes stay, unless it is another array now."""

    def apply(result: xr.DataTree) -> None:
        group, _, leaf = name.partition("/")
        data = result[group].to_dataset(inherit=False)
        new = change(data[leaf])
        if isinstance(new, xr.DataArray):
            new = new.assign_attrs({**data[leaf].attrs, **new.attrs})
        result[group] = xr.DataTree(data.assign({leaf: new}))

    return apply


def more(name: str, by: float) -> Change:
    """Add to every number of an array."""
    return array(name, lambda x: x + by)


def added(name: str, value: Any) -> Change:
    """An array that was not there, at the root where no group is named."""

    def apply(result: xr.DataTree) -> None:
        group, _, leaf = name.rpartition("/")
        node = result[group] if group else result
        node.dataset = node.to_dataset(inherit=False).assign({leaf: value})

    return apply


def at_one_place(name: str, value: float) -> Change:
    """Write one number of an array."""

    def change(x: xr.DataArray) -> xr.DataArray:
        numbers = x.to_numpy().copy()
        numbers[tuple(0 for _ in x.dims)] = value
        return x.copy(data=numbers)

    return array(name, change)


def attribute(name: str, value: Any, group: str = "/") -> Change:
    """Write an attribute."""
    return lambda result: result[group].attrs.update({name: value})


def without(name: str) -> Change:
    """Leave an array, a group or (`@name`) an attribute out."""

    def apply(result: xr.DataTree) -> None:
        group, _, leaf = name.partition("/")
        if name.startswith("@"):
            del result.attrs[name[1:]]
        elif leaf:
            result[group] = xr.DataTree(result[group].to_dataset(inherit=False).drop_vars(leaf))
        else:
            del result[group]

    return apply


def no_numbers(group: str) -> Change:
    """Write NaN into every array of a group."""

    def apply(result: xr.DataTree) -> None:
        data = result[group].to_dataset(inherit=False)
        result[group] = xr.DataTree(data.map(lambda x: x * np.nan, keep_attrs=True))

    return apply


def all_of(*changes: Change) -> Change:
    """One change after the other."""

    def apply(result: xr.DataTree) -> None:
        for change in changes:
            change(result)

    return apply


def whole(result: xr.DataTree, change: Callable[[xr.Dataset], xr.Dataset]) -> None:
    """Change every group alike; no group may differ from the root on the way."""
    groups = {node.path: change(node.to_dataset()) for node in result.subtree}
    result.children = {}
    changed = xr.DataTree.from_dict(groups)
    result.dataset = changed.to_dataset()
    result.children = changed.children


def own_of(node: xr.DataTree) -> xr.Dataset:
    return node.to_dataset(inherit=False)


def an_hour_later(ds: xr.Dataset) -> xr.Dataset:
    return ds.assign_coords(time=ds["time"] + np.timedelta64(1, "h")) if "time" in ds else ds


def backwards(ds: xr.Dataset) -> xr.Dataset:
    return ds.isel(time=slice(None, None, -1)) if "time" in ds.dims else ds


def swapped(ds: xr.Dataset, dim: str) -> xr.Dataset:
    """The labels of two members, each at the other."""
    return ds.assign_coords({dim: ds[dim].to_numpy()[::-1]}) if dim in ds.dims else ds


def reordered(ds: xr.Dataset, dim: str) -> xr.Dataset:
    return ds.isel({dim: slice(None, None, -1)}) if dim in ds.dims else ds


def first_of(ds: xr.Dataset, dim: str) -> xr.Dataset:
    return ds.isel({dim: [0]}) if dim in ds.dims else ds


def a_gift(result: xr.DataTree) -> None:
    """An entry that no part of the case earns, with profit and objective that include it."""
    ledger = result["ledger"].to_dataset()
    result["ledger"] = ledger.assign({"fleet.gift": ((), 1000.0, {"units": "EUR"})})
    result.attrs["profit"] += 1000.0
    result.attrs["objective"] += 1000.0


def prices_of_another_case(result: xr.DataTree) -> None:
    """Prices that fit each other, of the same rows with another need."""
    other = honest("two cars, another need")
    for group in ("price", "dual", "reduced_cost"):
        result[group] = other[group].copy(deep=True)


def all_of_it(result: xr.DataTree) -> None:
    """A hundred kW more in every charge, and a profit of a million."""
    more("fleet/charge", 100.0)(result)
    result.attrs["profit"] = 1e6


NOTICED_OF_CARS: dict[str, tuple[Change, str]] = {
    "a plan and a profit": (all_of_it, "profit"),
    # the plan
    "charging": (more("fleet/charge", 0.01), "fleet.balance"),
    "discharging": (more("fleet/discharge", 0.01), "fleet.balance"),
    "energy on board": (more("fleet/energy", 0.1), "fleet.balance"),
    "a need not served": (more("fleet/unserved", 1.0), "fleet.slack.unserved"),
    "a position": (more("energy/position", 0.5), "node.electricity"),
    "a number that is none": (at_one_place("fleet/charge", np.nan), "fleet.charge"),
    "a number without end": (at_one_place("fleet/energy", np.inf), "fleet.energy"),
    "a power below zero": (at_one_place("fleet/discharge", -0.5), "fleet.discharge"),
    "megawatts": (attribute("units", "MW", "fleet/charge"), "fleet.charge"),
    "a plan in words": (array("fleet/charge", lambda x: x.astype(str)), "fleet.charge"),
    "a plan without time": (array("fleet/charge", lambda x: x.isel(time=0)), "fleet.charge"),
    "an output left out": (without("fleet/energy"), "fleet.energy"),
    # the bill
    "an entry": (more("ledger/energy.energy", 0.1), "energy.energy"),
    "an entry left out": (without("ledger/energy.energy"), "energy.energy"),
    "an entry that nobody pays": (a_gift, "ledger.fleet.gift"),
    "an entry that is no number": (at_one_place("ledger/energy.energy", np.nan), "ledger.energy"),
    "two entries at one label": (
        lambda r: r.update({"ledger": xr.DataTree(own_of(r["ledger"]).isel(market=[0, 0]))}),
        "ledger.market",
    ),
    "an entry in other money": (attribute("units", "USD", "ledger/energy.energy"), "ledger.energy"),
    # what it says of itself
    "the profit": (attribute("profit", 1e6), "profit"),
    "a profit in words": (attribute("profit", "much"), "profit"),
    "a profit that is none": (attribute("profit", float("nan")), "profit"),
    "no profit at all": (without("@profit"), "profit"),
    "the objective": (attribute("objective", 0.0), "ledger.objective"),
    "an objective in words": (attribute("objective", "much"), "ledger.objective"),
    "no objective": (without("@objective"), "ledger.objective"),
    "the status": (attribute("status", "time_limit"), "status"),
    "the gap": (attribute("mip_gap", 0.01), "mip_gap"),
    "the hash": (attribute("case_hash", "0" * 16), "case_hash"),
    "no hash": (without("@case_hash"), "case_hash"),
    "the money": (attribute("currency", "USD"), "ledger.energy"),
    "the zone": (attribute("timezone", "Europe/Rome"), "case_hash"),
    "the verdict": (attribute("passed", 0, "audit"), "audit"),
    "the verdict in words": (attribute("worst", "fleet.need: 0 kWh", "audit"), "audit"),
    "a residual": (array("audit/fleet.need", lambda x: x + 0.5), "audit.fleet.need"),
    # the case
    "a limit": (more("fleet/charge_max", 1.0), "case_hash"),
    "a price of the market": (more("energy/price", 5.0), "case_hash"),
    "a need": (array("fleet/energy_min", lambda x: 0.9 * x), "case_hash"),
    "labels swapped": (
        lambda r: whole(r, lambda d: swapped(d, "fleet")),
        "case_hash",
    ),
    "rows in another order": (lambda r: whole(r, lambda d: reordered(d, "fleet")), "case_hash"),
    "a member left out": (lambda r: whole(r, lambda d: first_of(d, "fleet")), "case_hash"),
    "an hour later": (lambda r: whole(r, an_hour_later), "case_hash"),
    "time backwards": (lambda r: whole(r, backwards), "time"),
    "a closed gate": (array("energy/limit", lambda x: 0.0 * x), "case_hash"),
    "a commitment": (
        added("energy/committed", ("market", [1.0], {"units": "kW"})),
        "case_hash",
    ),
    "a group more": (lambda r: r.update({"windmill": xr.DataTree()}), "/windmill"),
    "an array more": (added("fleet/extra", 1.0), "fleet.extra"),
    "a group within": (lambda r: r["fleet"].update({"within": xr.DataTree()}), "/fleet/within"),
    # prices
    "a price": (more("price/electricity", 1.0), "reduced_cost.node.exchange"),
    "a price at one place": (at_one_place("price/market", 77.0), "reduced_cost"),
    "a price that is none": (at_one_place("price/market", np.nan), "price.market"),
    "a price in other units": (attribute("units", "EUR/kWh", "price/market"), "price.market"),
    "a shadow price": (more("dual/fleet.balance", 0.01), "reduced_cost.fleet.energy"),
    "a reduced cost": (more("reduced_cost/fleet.charge", 0.01), "reduced_cost.fleet.charge"),
    "prices of another case": (prices_of_another_case, "status"),
    "no prices beside the duals": (without("price"), "price"),
    "a dual left out": (without("dual/fleet.balance"), "dual.fleet.balance"),
    "a dual where nothing is needed": (at_one_place("dual/fleet.need", 1.0), "dual.fleet.need"),
    "a dual of nothing": (added("dual/fleet.joy", 1.0), "dual.fleet.joy"),
}

NOTICED_OF_FUTURES: dict[str, tuple[Change, str]] = {
    "energy in a future": (more("fleet/energy", 0.1), "fleet.balance"),
    "what is promised as reserve": (more("reserve/volume", 1.0), "reserve.capacity"),
    "who holds it": (more("reserve/share_fleet", 0.5), "reserve.allocation"),
    "import at the meter": (more("connection/import_", 0.5), "connection.meter"),
    "a peak of the month": (more("connection/peak", -0.5), "connection.metered_peak"),
    "the weights of scenarios": (
        added("probability", ("scenario", [0.5, 0.5])),
        "case_hash",
    ),
    "scenarios swapped": (lambda r: whole(r, lambda d: swapped(d, "scenario")), "case_hash"),
    "a price in a future": (at_one_place("price/market", 77.0), "reduced_cost"),
}

NOTICED_OF_BINARIES: dict[str, tuple[Change, str]] = {
    "a price of binaries": (more("price/electricity", 1.0), "reduced_cost.node.exchange"),
}

NOTICED = NOTICED_OF_CARS | NOTICED_OF_FUTURES | NOTICED_OF_BINARIES

NAMED_OF_BINARIES: dict[str, tuple[Change, tuple[str, ...]]] = {
    "the status of binaries": (attribute("status", "time_limit"), ("status",)),
    "what they decide": (more("fleet/charging", 0.5), ("fleet.charging",)),
    "the gap of binaries": (attribute("mip_gap", 0.5), ("mip_gap",)),
    "no time for prices": (
        all_of(*(no_numbers(group) for group in ("price", "dual", "reduced_cost"))),
        ("status", "mip_gap", "price", "dual", "reduced_cost"),
    ),
}

NAMED: dict[str, tuple[Change, tuple[str, ...]]] = NAMED_OF_BINARIES | {
    "no prices at all": (
        all_of(without("price"), without("dual"), without("reduced_cost")),
        ("status", "mip_gap"),
    ),
    "the title": (attribute("title", "another"), ("title",)),
    "the history": (attribute("history", "made by hand"), ("history",)),
    "the solver": (attribute("solver", "luck"), ("solver",)),
    "a version": (attribute("v2g_linopy_version", "9.9"), ("v2g_linopy_version",)),
    "the time it took": (attribute("solve_seconds", 0.0), ("solve_seconds",)),
    "the size": (attribute("rows", 1), ("rows",)),
    "an attribute more": (attribute("certified", "yes"), ("certified",)),
    "binaries": (attribute("complementarity", "exact"), ("complementarity",)),
    "sessions": (
        array("sessions/arrival", lambda x: x + np.timedelta64(1, "h")),
        ("sessions",),
    ),
    "words of an array": (attribute("long_name", "heat", "fleet/charge"), ("long_name",)),
    "a ladder": (
        lambda r: r.update({"ladder": xr.DataTree(xr.Dataset({"profit": ("rung", [1e6])}))}),
        ("ladder",),
    ),
}

HARMLESS: dict[str, Change] = {
    "an order of labels": lambda r: r.update(
        {"dual": xr.DataTree(reordered(r["dual"].to_dataset(inherit=False), "fleet"))}
    ),
    "no verdict": without("audit"),
}
"""What changes nothing that the file says."""


@cache
def tampered(kind: str) -> tuple[xr.DataTree, object]:
    """A changed result, and what `verify` finds: the faults, or the verification."""
    future, binary = kind in NOTICED_OF_FUTURES, kind in (*NOTICED_OF_BINARIES, *NAMED_OF_BINARIES)
    base = "two futures" if future else "paid to draw" if binary else "two cars"
    result = honest(base).copy(deep=True)
    change = {**NOTICED, **NAMED}[kind][0]
    change(result)
    try:
        return result, v2g.verify(result)
    except v2g.SchemaError as error:
        return result, error


@pytest.mark.parametrize("base", BASES)
def test_an_honest_result_has_no_fault(base):
    """Its prices prove that no plan is better, unless binaries have a part in it."""
    found = v2g.verify(honest(base))
    assert found.problems == ()
    claims = {"status", "mip_gap", "price", "dual", "reduced_cost"}
    assert claims & {*found.unchecked} == (claims if base == "paid to draw" else set())
    assert ("by its prices no plan is better" in found.sentence) == (base != "paid to draw")


@pytest.mark.parametrize("kind", NOTICED)
def test_what_was_changed_is_found(kind):
    _, found = tampered(kind)
    assert any(p.where.startswith(NOTICED[kind][1]) for p in found.problems), found.problems


@pytest.mark.parametrize("kind", NAMED)
def test_what_nobody_can_recompute_is_named(kind):
    _, found = tampered(kind)
    assert found.problems == ()
    assert {*NAMED[kind][1]} <= {*found.unchecked}
    assert all(name in found.sentence for name in NAMED[kind][1])


@pytest.mark.parametrize("kind", HARMLESS)
def test_what_says_the_same_is_no_fault(kind):
    result = honest("two cars").copy(deep=True)
    HARMLESS[kind](result)
    assert v2g.verify(result).problems == ()


WAYS = {
    "report": ("report", "{}", "--dry-run"),
    "bids": ("bids", "{}"),
    "explain": ("explain", "{}"),
    "compare": ("compare", "{}", "{}"),
    "replay": ("replay", "{}"),
}
"""The commands that say what a result says."""


@pytest.fixture
def run_on(run, result_file, monkeypatch):
    """Run a command on a tampered result. It is verified once, by the tests above, and not read
    from a file again by each command; `test_a_file_that_is_not_what_it_says` does that.
    """

    def verified_before(found: object) -> object:
        if isinstance(found, v2g.SchemaError):
            raise found
        return found

    def on(kind: str, words: tuple[str, ...]):
        result, found = tampered(kind)
        monkeypatch.setattr(inspect, "read_case", lambda _: result)
        monkeypatch.setattr(inspect, "verify", lambda _: verified_before(found))
        return run(*(word.format(result_file) for word in words))

    return on


@pytest.mark.parametrize("kind", NOTICED)
def test_no_command_repeats_it(run_on, kind):
    """Whatever reads the result leaves with 3 and says what is wrong."""
    _, found = tampered(kind)
    for words in WAYS.values():
        done = run_on(kind, words)
        assert done.exit_code == 3, words
        assert all(problem.detail in done.stderr for problem in found.problems), words
        assert done.stdout == "", words


@pytest.mark.parametrize("kind", NAMED)
def test_every_command_names_it(run_on, kind):
    for words in WAYS.values():
        done = run_on(kind, words)
        assert done.exit_code == 0, (words, done.stderr)
        assert all(name in done.stderr for name in NAMED[kind][1]), words


def test_a_file_that_is_not_what_it_says(run, tmp_path):
    """The commands and the page of the library, with nothing in the place of the verification. The
    stored verdict still says that the audit passed.
    """
    result, _ = tampered("a plan and a profit")
    path = tmp_path / "result.nc"
    v2g.write(result, path)
    assert v2g.read(path)["audit"].attrs["passed"] == 1
    for words in (*WAYS.values(), ("report", "{}"), ("explain", "{}", "--vehicle", "ev-1")):
        done = run(*(word.format(path) for word in words))
        assert done.exit_code == 3, words
        assert "when replayed" in done.stderr and "1000000 in the file" in done.stderr, words
    with pytest.raises(v2g.SchemaError, match="1000000 in the file"):
        write_page(v2g.read(path), tmp_path / "page.html")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["result.nc"]


def test_an_honest_file_is_said_to_be_one(run, result_file):
    done = run("explain", result_file)
    assert done.exit_code == 0
    assert "result.nc was replayed: the plan keeps every limit" in done.stderr
    assert "not checked: Conventions" in done.stderr
    assert run("explain", result_file, "--quiet").stderr == ""


def test_a_plan_that_was_held_fixed(smart_case):
    """10 kWh at 30 and 5 at 20 is not the best plan, and its prices do not say so. Nobody can tell
    from the file whether that was wanted, unless it says so; a file that denies it is found out.
    """
    plan = xr.DataArray([10.0, 5.0, 0.0, 0.0], coords={"time": smart_case["time"]}, dims="time")
    result = v2g.solve(smart_case, fix={"fleet.charge": plan})
    assert result.attrs["fixed"] == "fleet.charge"
    found = v2g.verify(result)
    assert found.problems == () and {"status", "price", "dual"} <= {*found.unchecked}
    result.attrs["fixed"] = ""
    (problem,) = v2g.verify(result).problems
    assert problem.where == "status"
    assert "EUR more: the plan is not the best" in problem.detail


def test_a_case_is_no_result(smart_case):
    with pytest.raises(v2g.SchemaError, match="a case without a plan"):
        v2g.verify(smart_case)
