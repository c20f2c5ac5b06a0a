"""Drawn cases as networks: PyPSA, with equations of its own, finds the objective of `solve`."""

import warnings
from collections import Counter

import pytest
from cases import case, market, product, storage, vehicle
from hypothesis import given, settings
from hypothesis import strategies as st
from invariants.wanted import Draw

import v2g_linopy as v2g
from v2g_linopy.errors import SchemaError

DRAWN = settings.default.max_examples if settings.default else 10
FEW = max(3, DRAWN // 5)
ENOUGH = 300
"""Examples that `make prove` draws."""
STEPS = 4


def number(draw: Draw, *choices):
    return draw(st.sampled_from(choices))


def row(draw: Draw, *choices):
    return [draw(st.sampled_from(choices)) for _ in range(STEPS)]


@st.composite
def cars(draw: Draw):
    """A vehicle that stays, one that leaves and another that comes, or one that drives and returns;
    needs that are met, missed at a penalty, or must be met.
    """
    kind = number(draw, "stays", "changes", "drives")
    out = number(draw, 0.0, 5.0, 8.0)
    car = vehicle(
        discharge_max=out,
        energy_initial=number(draw, 4.0, 10.0),
        energy_max=20.0,
        eta_charge=number(draw, 0.9, 1.0),
        eta_discharge=number(draw, 0.8, 1.0),
        wear=number(draw, 0.0, 0.01),
        wear_charge=number(draw, 0.0, 0.002),
        unserved_cost=number(draw, 0.02, 10.0),
        retail_price=number(draw, 0.0, 0.005),
    )
    if draw(st.booleans()):
        car["need_billed"] = [0, 3.0, 0, 5.0]
        car["retail_price"] = number(draw, 0.0, 0.3)
    keep = number(draw, 1.0, 0.98)
    if kind == "stays":
        return car | {"energy_min": row(draw, 0.0, 0.0, 12.0, 18.0), "keep": keep}
    gone = [1.0, 1.0, 0.0, 1.0]
    there = {"charge_max": [10 * x for x in gone], "discharge_max": [out * x for x in gone]}
    if kind == "drives":
        return car | there | {"energy_min": [0, 15.0, 0, 9.0], "energy_out": [0, 0, 15.0, 0]}
    return (
        car
        | there
        | {
            "keep": [keep, keep, 0.0, 0.0],
            "energy_in": [0, 0, 0, 6.0],
            "energy_min": [0, number(draw, 15.0, 20.0), 0, 9.0],
            "energy_max": [20.0, 20.0, 0.0, 20.0],
        }
    )


@st.composite
def cases(draw: Draw):
    """Some assets behind one or two connections, with a market, a supplier, or both."""
    parts: dict = {"battery": None, "load": None, "renewable": None}
    if draw(st.booleans()):
        parts["battery"] = {
            "box": storage(
                energy_initial=4.0,
                energy_min=number(draw, 0.0, 2.0),
                keep=number(draw, 1.0, 0.95),
                eta_charge=number(draw, 0.9, 1.0),
                cyclic=number(draw, 0.0, 1.0),
                energy_value=number(draw, 0.0, 0.04),
                wear=0.003,
            )
        }
    if draw(st.booleans()):
        house = {"baseline": row(draw, 0.0, 3.0, 6.0)}
        kinds = {
            "fixed": {},
            "curtailed": {"curtail_max": 4.0, "curtail_cost": 0.03, "power_min": 0.0},
            "shifted": {"shift_up_max": 3.0, "shift_down_max": 2.0, "window": 2.0},
        }
        parts["load"] = {"house": house | draw(st.sampled_from([*kinds.values()]))}
    if draw(st.booleans()):
        sun = {"available": row(draw, 0.0, 4.0, 9.0), "curtailable": number(draw, 1.0, 1.0, 0.0)}
        parts["renewable"] = {"roof": sun | {"cost": number(draw, 0.0, 0.002)}}
    site = {"import_max": number(draw, 40.0, float("inf")), "fixed_cost": 50.0}
    site |= {"export_max": number(draw, 3.0, float("inf")), "vat": number(draw, 0.0, 0.2)}
    site |= {"fee_import": number(draw, 0.0, 8.0), "tax": 1.0, "usage_cost": 0.0005}
    if draw(st.booleans()):
        site |= {"supply_price": row(draw, 30.0, 60.0, 90.0), "feed_in_price": 20.0}
    connection = number(draw, None, {"site": site})
    prices = row(draw, 10.0, 30.0, 50.0, 80.0, number(draw, 20.0, -10.0))
    energy = market(prices, spread=number(draw, 0.0, 4.0), limit=number(draw, 40.0, 1000.0))
    step = number(draw, "1h", "30min")
    return case({"ev": draw(cars())}, energy, connection=connection, step=step, **parts)


def solved_there(tree, **options) -> float:
    """The objective of a case, as PyPSA finds it."""
    network = v2g.to_pypsa(tree, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyPSA does not yet write in the new arithmetic of linopy
        status = network.optimize(
            solver_name="highs", include_objective_constant=False, output_flag=False
        )
    assert status == ("ok", "optimal"), status
    return network.meta["constant"] - network.objective


def compared(tree) -> str:
    """Compare the two; say what was drawn."""
    ours = v2g.solve(tree).attrs["objective"]
    try:
        theirs = solved_there(tree)
    except SchemaError as refused:
        words = [p.sentence() for p in refused.problems]
        assert all("less than nothing" in w for w in words), words
        assert solved_there(tree, relaxed=True) >= ours - 1e-6 * max(1, abs(ours))
        return "relaxed"
    assert theirs == pytest.approx(ours, rel=1e-6, abs=1e-6)
    return "same"


def test_what_a_network_cannot_say_is_refused_by_name():
    """A reserve, a peak tariff, a feed-in that earns more than supply costs, a least power, a
    taper, wear by depth, a cap on cycles, a budget of curtailment and blocks of a market, all at
    once, each with its place.
    """
    limits = {"import_max": 20.0, "export_max": 20.0}
    car = vehicle(charge_min=1.0, taper_from=0.8, taper_to=0.1, replacement_cost=5000.0)
    tree = case(
        {"ev": car},
        market([30.0, 40.0], block=2.0),
        product(up=1.0),
        {"site": {"peak_price": 2.0, "supply_price": 20.0, "feed_in_price": 30.0} | limits},
        battery={"box": storage(cycles_max=1.0)},
        load={"house": {"baseline": 3.0, "curtail_max": 1.0, "curtail_energy_max": 1.0}},
    )
    with pytest.raises(SchemaError) as caught:
        v2g.to_pypsa(tree)
    assert sorted(p.where for p in caught.value.problems) == [
        "/reserve",
        "battery.cycles_max",
        "connection.feed_in_price",
        "connection.peak_price",
        "energy.block",
        "fleet.charge_min",
        "fleet.replacement_cost",
        "fleet.taper_from",
        "load.curtail_energy_max",
    ]
    assert all("ev" in str(p) for p in caught.value.problems if p.where.startswith("fleet"))


def test_a_need_that_is_missed_costs_the_same_there():
    """15 kWh are missing after a step of half an hour, each at 0.05 EUR and at what the driver
    would have paid for it at the grid, where losses make it more.
    """
    car = vehicle(
        energy_initial=0.0,
        energy_min=[15.0, 0.0],
        need_billed=[15.0 / 0.8, 0.0],
        eta_charge=0.8,
        eta_discharge=0.9,
        charge_max=5.0,
        unserved_cost=0.05,
        retail_price=0.3,
    )
    tree = case({"ev": car}, market([20.0, 20.0]), step="30min")
    result = v2g.solve(tree)
    assert float(result["fleet"].unserved.sum()) == pytest.approx(13.0)
    assert result.attrs["objective"] == pytest.approx(0.3 * 2.5 - 0.02 * 2.5 - 0.05 * 13.0)
    assert solved_there(tree) == pytest.approx(result.attrs["objective"], abs=1e-9)


def test_pypsa_finds_the_same_objective():
    """To 1e-6 on every drawn case that a network can say; where power may be worth less than
    nothing, PyPSA has no rule against charging and discharging at once, and its objective is at
    least as good. Both kinds are drawn.
    """
    seen: Counter[str] = Counter()

    @settings(max_examples=ENOUGH if DRAWN >= ENOUGH else FEW)
    @given(cases())
    def draw(tree):
        seen[compared(tree)] += 1

    draw()
    assert seen["same"] > seen.total() / 3, seen
