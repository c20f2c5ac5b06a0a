"""Bad input: one message that lists everything, with the place and the remedy; never a wrong
number, never a change.
"""

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr
from faulty import HOURS, QUARTERS, good, on_stamps, on_time, problems, put

import v2g_linopy as v2g
from v2g_linopy.case.schema import Calendar


def test_the_good_case_is_good():
    """Nothing is wrong with what the other tests break."""
    v2g.check(good())


ONE_VALUE = {
    "nan": (
        "fleet.charge_max",
        np.nan,
        {"fleet": "ev-2", "time": HOURS[1]},
        ["missing (NaN)", "give every value"],
    ),
    "infinite": (
        "energy.price",
        -np.inf,
        {"market": "day_ahead", "time": HOURS[1]},
        ["-inf", "give a number"],
    ),
    "negative": (
        "fleet.charge_max",
        -3,
        {"fleet": "ev-2", "time": HOURS[1]},
        ["-3", "allowed [0, inf] kW"],
    ),
    "marker of missing data": (
        "energy.price",
        9.969209968386869e36,
        {"market": "day_ahead", "time": HOURS[1]},
        ["9.96921e+33", "beyond 1e+15", "give what it is"],
    ),
    "above": ("fleet.keep", 1.8, {"fleet": "ev-1", "time": HOURS[1]}, ["1.8", "allowed [0, 1]"]),
    "flag": (
        "energy.closed",
        0.5,
        {"market": "day_ahead", "time": HOURS[1]},
        ["0.5", "allowed 0 or 1"],
    ),
    "need above capacity": (
        "fleet.energy_min",
        50,
        {"fleet": "ev-1", "time": HOURS[1]},
        ["50", "energy_max"],
    ),
    "arrival above capacity": (
        "fleet.energy_in",
        45,
        {"fleet": "ev-1", "time": HOURS[1]},
        ["45", "energy_max"],
    ),
}


@pytest.mark.parametrize(("name", "value", "place", "words"), ONE_VALUE.values(), ids=ONE_VALUE)
def test_a_wrong_value_is_placed(name, value, place, words):
    """One problem: the field, the label, the local time with its offset, the value and what is
    allowed.
    """
    tree = good()
    put(tree, name, value, **place)
    (problem,) = problems(tree)
    assert problem.where == name
    label = next(str(at) for dim, at in place.items() if dim != "time")
    for word in (label, "2026-01-05 02:00 +0100", *words):
        assert word in problem.detail


def test_a_number_that_stands_for_no_limit():
    """Where there may be no limit, inf says so; 1e20, as other programs write it, is told."""
    tree = good()
    sites = {"pod": ["site"]}
    tree["connection"] = xr.DataTree(xr.Dataset({"import_max": ("pod", [np.inf])}, sites))
    v2g.check(tree)
    put(tree, "connection.import_max", 1e20, pod="site")
    (problem,) = problems(tree)
    assert problem.detail == (
        "pod site: 1e+20, beyond 1e+15, which no quantity is; write inf where there is no limit"
    )


def test_many_wrong_values_are_one_problem():
    """The worst is shown, the others are counted."""
    tree = good()
    put(tree, "fleet.keep", on_time([1, 3, -2, 7]))
    (problem,) = problems(tree)
    assert "7 (and 2 more), allowed [0, 1]" in problem.detail


def test_need_while_nothing_is_connected():
    """`ev-2` leaves before the last hour (keep 0, no power); a need there could not even be
    missed.
    """
    tree = good()
    put(tree, "fleet.energy_min", 4, fleet="ev-2", time=HOURS[3])
    (problem,) = problems(tree)
    assert problem.where == "fleet.energy_min"
    assert "ev-2 at 2026-01-05 04:00 +0100: 4, needed while nothing is connected" in problem.detail


def edited(name: str, value: object, units: str | None = None) -> Callable[[], xr.DataTree]:
    def build() -> xr.DataTree:
        tree = good()
        put(tree, name, value, units)
        return tree

    return build


def members(name: str, values: list, dim: str = "fleet") -> xr.DataArray:
    labels = {"fleet": ["ev-1", "ev-2"], "product": ["up"], "market": ["day_ahead"]}[dim]
    return xr.DataArray(values, coords={dim: labels}, dims=dim, name=name)


def without(*groups: str) -> Callable[[], xr.DataTree]:
    def build() -> xr.DataTree:
        tree = good()
        for group in groups:
            del tree[group]
        return tree

    return build


def renamed(old: str, new: str) -> Callable[[], xr.DataTree]:
    def build() -> xr.DataTree:
        tree = good()
        if "." in old:
            part, _, field = old.partition(".")
            tree[part] = tree[part].to_dataset().rename({field: new})
        else:
            tree[new] = tree[old].to_dataset()
            del tree[old]
        return tree

    return build


def scenarios(
    probability: list[float] | None, labels: list[str] | None
) -> Callable[[], xr.DataTree]:
    def build() -> xr.DataTree:
        tree = good()
        coords = {"scenario": labels} if labels else {}
        if probability is None:
            tree.dataset = tree.to_dataset().assign_coords(coords)
            return tree
        tree["probability"] = xr.DataArray(probability, coords=coords, dims="scenario")
        return tree

    return build


def label_twice() -> xr.DataTree:
    tree = good()
    tree["fleet"] = tree["fleet"].to_dataset().assign_coords(fleet=["ev-1", "ev-1"])
    return tree


def no_labels() -> xr.DataTree:
    tree = good()
    tree["fleet"] = tree["fleet"].to_dataset().drop_vars("fleet")
    return tree


def powerless() -> xr.DataTree:
    tree = good()
    put(tree, "reserve.activation_up", 0.0)
    put(tree, "reserve.up", members("up", [0.0], "product"))
    return tree


def at_the_root() -> xr.DataTree:
    tree = good()
    tree["price"] = on_time([1, 2, 3, 4])
    return tree


def no_such_zone() -> xr.DataTree:
    return good(timezone="Europe/Roma")


def a_zone_without_a_name() -> xr.DataTree:
    return good(timezone="")


def euros_in_a_dollar_case() -> xr.DataTree:
    tree = good(currency="USD")
    put(tree, "energy.price", None, "EUR/MWh")
    return tree


TWO = {"scenario": ["a", "b"]}
ONE_PROBLEM = {
    "unknown unit": (
        edited("fleet.charge_max", 5.0, "kWatt"),
        "fleet.charge_max",
        "'kWatt' does not fit; use one of kW, MW",
    ),
    "unit of another kind": (
        edited("fleet.energy_max", 40.0, "kW"),
        "fleet.energy_max",
        "use one of kWh, MWh, Wh, GWh",
    ),
    "euro in a dollar case": (
        euros_in_a_dollar_case,
        "energy.price",
        "'EUR/MWh' does not fit; use one of USD/kWh, USD/MWh, ct/kWh",
    ),
    "misspelt field": (
        renamed("fleet.energy_in", "enery_in"),
        "fleet.enery_in",
        "did you mean fleet.energy_in?",
    ),
    "misspelt group": (renamed("reserve", "reserves"), "/reserves", "did you mean reserve?"),
    "array at the root": (at_the_root, "/price", "stands at the root; arrays belong to a group"),
    "dimension too many": (
        edited(
            "fleet.wear",
            xr.DataArray(
                np.zeros((2, 4)),
                coords={"fleet": ["ev-1", "ev-2"], "time": HOURS},
                dims=("fleet", "time"),
            ),
        ),
        "fleet.wear",
        "has dimension time, may have only fleet",
    ),
    "wrong dimension": (
        edited("fleet.charge_max", members("x", [5.0], "market")),
        "fleet.charge_max",
        "has dimension market",
    ),
    "text": (
        edited("fleet.charge_max", members("x", ["a", "b"])),
        "fleet.charge_max",
        "needs numbers (kW)",
    ),
    "label twice": (label_twice, "fleet.fleet", "ev-1 appears more than once"),
    "no labels": (no_labels, "fleet.fleet", "has no labels; name its members"),
    "label missing": (
        edited("fleet.pod", members("pod", np.array(["site", None], object))),
        "fleet.pod",
        "ev-2: missing",
    ),
    "choice": (
        edited("reserve.guarantee", members("x", ["endurence"], "product")),
        "reserve.guarantee",
        "did you mean endurance?",
    ),
    "settlement": (
        edited("reserve.settlement", members("x", ["day_ahed"], "product")),
        "reserve.settlement",
        "did you mean day_ahead?",
    ),
    "powerless product": (
        powerless,
        "reserve.up",
        "product up: up and down are both 0",
    ),
    "more activated than held": (
        edited("reserve.activation_down", members("x", [0.5], "product")),
        "reserve.activation_down",
        "more than the power held in that direction",
    ),
    "no market group": (without("energy", "reserve"), "energy", "give at least one energy market"),
    "time zone": (
        no_such_zone,
        "timezone",
        "'Europe/Roma' is not an IANA time zone, such as Europe/Rome",
    ),
    "nameless zone": (a_zone_without_a_name, "timezone", "'' is not an IANA time zone"),
    "probabilities": (scenarios([0.5, 0.4], ["a", "b"]), "probability", "the sum is 0.9"),
    "negative probability": (
        scenarios([1.5, -0.5], ["a", "b"]),
        "probability",
        "one number ≥ 0 per scenario",
    ),
    "no probability": (
        scenarios(None, ["a", "b"]),
        "probability",
        "give the probability of each scenario",
    ),
    "unnamed scenarios": (scenarios([0.5, 0.5], None), "scenario", "have no labels; name them"),
    "scenario twice": (scenarios([0.5, 0.5], ["a", "a"]), "scenario", "a appears more than once"),
    "scenario without root": (
        edited(
            "energy.price",
            xr.DataArray(np.ones((2, 4)), coords={**TWO, "time": HOURS}, dims=("scenario", "time")),
        ),
        "energy.price",
        "has dimension scenario, may have only market, time",
    ),
}


@pytest.mark.parametrize(("build", "where", "words"), ONE_PROBLEM.values(), ids=ONE_PROBLEM)
def test_one_problem(build, where, words):
    """Each fault is one problem that says where it is and what would be right."""
    (problem,) = problems(build())
    assert problem.where == where
    assert words in problem.detail


def test_missing_fields_say_what_to_give():
    """Required arrays are asked for with their meaning and unit."""
    tree = good()
    tree["fleet"] = tree["fleet"].to_dataset().drop_vars(["charge_max", "energy_max"])
    tree["energy"] = tree["energy"].to_dataset().drop_vars("limit")
    found = {p.where: p.detail for p in problems(tree)}
    assert set(found) == {"fleet.charge_max", "fleet.energy_max", "energy.limit"}
    assert found["energy.limit"] == "missing: give largest position, either way (kW)"
    assert found["fleet.charge_max"].endswith("(kW)")


def test_everything_at_once():
    """Fifteen faults in all groups, the root and the time stamps included: fifteen lines, one
    message.
    """
    tree = on_stamps(QUARTERS)
    tree.attrs["timezone"] = "Rome"
    tree["stray"] = xr.DataArray(1.0)
    fleet = tree["fleet"].to_dataset()
    fleet["charge_max"] = fleet["charge_max"].where(fleet["fleet"] == "ev-1")  # NaN
    fleet["keep"] = fleet["keep"] + 1  # above 1
    fleet["energy_max"].attrs["units"] = "litres"
    fleet["wear"] = xr.DataArray(-1.0)
    tree["fleet"] = fleet.rename(energy_in="energy_inn")
    energy = tree["energy"].to_dataset().drop_vars("limit")  # missing
    energy["price"] = energy["price"] * np.inf
    energy["closed"] = energy["closed"] + 0.5
    tree["energy"] = energy
    reserve = tree["reserve"].to_dataset()
    reserve["guarantee"] = xr.full_like(reserve["guarantee"], "budgets")
    reserve["activation_up"] = reserve["activation_up"] + 1
    reserve["colour"] = xr.DataArray(1.0)
    tree["reserve"] = reserve
    connection = tree["connection"].to_dataset()
    tree["connection"] = connection.assign(import_max=connection["import_max"] * -1)
    tree["flet"] = xr.Dataset()
    expected = [
        "timezone",
        "time",
        "/flet",
        "/stray",
        *("fleet.charge_max", "fleet.energy_max", "fleet.keep", "fleet.wear", "fleet.energy_inn"),
        *("energy.price", "energy.limit", "energy.closed"),
        *("reserve.activation_up", "reserve.guarantee", "reserve.colour"),
        "connection.import_max",
    ]
    assert sorted(p.where for p in problems(tree)) == sorted(expected)
    with pytest.raises(v2g.SchemaError, match=f"{len(expected)} problems"):
        v2g.solve(tree)


CONVERTED = {
    "power": ("fleet.charge_max", 0.01, "MW", 10.0),
    "power in W": ("fleet.charge_max", 10_000.0, "W", 10.0),
    "energy": ("fleet.energy_max", 0.04, "MWh", 40.0),
    "price": ("energy.price", 0.03, "EUR/kWh", 0.03),
    "price in cents": ("energy.price", 3.0, "ct/kWh", 0.03),
    "declared price": ("energy.price", 30.0, "EUR/MWh", 0.03),
    "capacity": ("reserve.capacity_price", 0.005, "EUR/kW/h", 0.005),
    "share": ("fleet.eta_charge", 90.0, "%", 0.9),
    "time": ("reserve.hours_up", 30.0, "min", 0.5),
}


@pytest.mark.parametrize(("name", "value", "units", "coherent"), CONVERTED.values(), ids=CONVERTED)
def test_units_are_converted(name, value, units, coherent):
    """Files speak the market's units; inside there are kW, kWh, h and EUR."""
    part, _, field = name.partition(".")
    tree = edited(name, value, units)()
    schema = v2g.PARTS[part].schema
    declared = next(f for f in schema.inputs if f.name == field)
    array, found = declared.read(tree[part].to_dataset(), part, Calendar(HOURS))
    assert found == []
    assert float(array) == pytest.approx(coherent, rel=1e-12)


def test_another_currency():
    """A case in dollars earns what the same case in euros earns, in dollars."""
    euros, dollars = good(), good(currency="USD")
    put(euros, "energy.price", None, "EUR/MWh")
    put(dollars, "energy.price", None, "USD/MWh")
    in_euros, in_dollars = v2g.solve(euros), v2g.solve(dollars)
    assert in_dollars.attrs["profit"] == pytest.approx(in_euros.attrs["profit"])
    assert in_dollars["price"].electricity.attrs["units"] == "USD/MWh"
    assert in_dollars["ledger"]["energy.energy"].attrs["units"] == "USD"


def test_check_says_what_it_assumed():
    """Defaults and missing units are listed, what is given with its unit is not."""
    tree = good()
    put(tree, "fleet.charge_max", 5.0, "kW")
    notes = v2g.check(tree)
    assert any(note.startswith("fleet.wear: not given, taken as 0 EUR/kWh") for note in notes)
    assert "energy.price: no units attribute, read as EUR/MWh" in notes
    assert not any(note.startswith("fleet.charge_max") for note in notes)


@pytest.mark.parametrize(
    "call",
    [v2g.check, v2g.solve, v2g.compare, v2g.unmanaged, v2g.build],
    ids=["check", "solve", "compare", "unmanaged", "build"],
)
def test_the_case_is_never_changed(call):
    """Whatever is done with a case, its arrays, labels, units and attributes stay as they were,
    order included.
    """
    tree = good()
    put(tree, "fleet.charge_max", 0.01, "MW")
    before = tree.copy(deep=True)
    call(tree)
    xr.testing.assert_identical(tree, before)
    assert list(tree.children) == list(before.children)
    for name in tree.children:
        assert list(tree[name].data_vars) == list(before[name].data_vars)


def test_a_failed_call_changes_nothing():
    """Nor does a refused or an infeasible one."""
    tree = good()
    put(tree, "fleet.unserved_cost", np.nan)
    put(tree, "fleet.energy_min", 40, fleet="ev-1", time=HOURS[2])
    before = tree.copy(deep=True)
    with pytest.raises(v2g.Infeasible):
        v2g.solve(tree)
    with pytest.raises(v2g.SchemaError):
        v2g.solve(tree, fix={"fleet.chage": xr.DataArray(0.0)})
    xr.testing.assert_identical(tree, before)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([None, "a"], "member 1 has no name"),
        (["a", float("nan")], "member 2 has no name"),
        (["a", ""], "member 2 has no name"),
        ([7, "7"], "mix text and numbers"),
        (["a", "\ud800"], "member 2, '\\ud800', has a character that no file keeps"),
        (["a", "a\x00"], "member 2, 'a\\x00', has a character that no file keeps"),
    ],
)
def test_a_label_that_a_file_would_change_is_a_problem(labels, words):
    """Written and read, None would be an empty name, and 'a' with a null character another 'a'."""
    case = v2g.commuters(vehicles=2, days=1)
    fleet = case["fleet"].to_dataset(inherit=False).drop_vars("fleet")
    case["fleet"] = xr.DataTree(fleet.assign_coords(fleet=np.array(labels, dtype=object)))
    with pytest.raises(v2g.SchemaError) as refused:
        v2g.check(case)
    assert [words in p.detail for p in refused.value.problems if p.where == "fleet.fleet"] == [True]


@pytest.mark.parametrize("labels", [["007", "07"], ["NA", "nan"], ["None", "null"], [7, 8]])
def test_labels_that_look_like_none_are_labels(labels, tmp_path):
    case = v2g.commuters(vehicles=2, days=1)
    fleet = case["fleet"].to_dataset(inherit=False).drop_vars("fleet")
    case["fleet"] = xr.DataTree(fleet.assign_coords(fleet=labels))
    v2g.check(case)
    v2g.write(case, tmp_path / "case.nc")
    assert v2g.read(tmp_path / "case.nc")["fleet"]["fleet"].values.tolist() == labels
