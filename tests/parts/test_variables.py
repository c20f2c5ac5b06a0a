"""What cannot happen has no variable, and what can has one in each step in which it can: half a kW
and half a kWh are enough.
"""

import pytest
from cases import case, engine, market, product, storage, vehicle

import v2g_linopy as v2g

HALF = [0.0, 0.5]  # possible in the second of two steps
NOWHERE = float("inf")
ALONE = {
    "fleet": vehicle(charge_max=0.5, energy_max=0.5),
    "battery": storage(charge_max=HALF, discharge_max=HALF, energy_max=0.5),
    "load": {"baseline": [0.5, 0.5], "carrier": "electricity"},
    "renewable": {"available": HALF},
    "chp": engine(power_max=0.5, dump_max=0.0, power_to_heat=NOWHERE),
    "hydrogen": {"electrolyser_max": HALF, "sale_max": 0.5, "energy_max": 0.5},
}
PLAIN = {  # two steps of what is always there, and the steps in which the rest is possible
    "fleet": {"charge": 2, "energy": 2},
    "battery": {"charge": 1, "discharge": 1, "energy": 2},
    "load": {"power": 2},
    "renewable": {"curtail": 2},
    "chp": {"power": 2},
    "hydrogen": {"electrolysis": 1, "energy": 2, "sold": 2},
}
MORE = [
    ("fleet", {"discharge_max": HALF}, {"discharge": 1}),
    ("fleet", {"energy_min": HALF}, {"unserved": 1}),
    ("fleet", {"energy_out": HALF}, {"unserved_trip": 1}),
    ("fleet", {"spill_max": HALF}, {"spill": 1}),
    ("fleet", {"slack_cost": 0.5}, {"slack_in": 2, "slack_out": 2}),
    ("fleet", {"charge_min": HALF}, {"charge_on": 1}),
    ("fleet", {"discharge_max": 0.5, "discharge_min": HALF}, {"discharge": 2, "discharge_on": 1}),
    ("fleet", {"keep": 0.0, "charge_max": HALF}, {"charge": -1, "energy": -1}),
    ("battery", {"cycles_max": 0.5}, {"throughput": 2}),
    (
        "battery",
        {"replacement_cost": 0.5, "segments": 2.0},
        {"segment_energy": 4, "segment_discharge": 2},
    ),
    ("load", {"curtail_max": HALF}, {"curtail": 1}),
    ("load", {"shift_up_max": HALF}, {"advanced": 2, "owed": 2}),
    ("load", {"shift_down_max": HALF}, {"advanced": 2, "owed": 2}),
    ("chp", {"dump_max": HALF}, {"dump": 1}),
    ("chp", {"power_min": 0.5}, {"on": 2, "start": 2, "stop": 2}),
    ("chp", {"start_cost": 0.5}, {"on": 2, "start": 2, "stop": 2}),
    ("chp", {"up_time_min": 0.5}, {"on": 2, "start": 2, "stop": 2, "hours": 2}),
    ("chp", {"down_time_min": 0.5}, {"on": 2, "start": 2, "stop": 2, "hours": 2}),
    ("chp", {"power_max": HALF, "power_min": 0.5}, {"on": 2, "start": 2, "stop": 2}),
    ("chp", {"power_max": 0.0, "power_min": 0.5}, {}),
    ("hydrogen", {"fuel_cell_max": HALF}, {"generation": 1}),
    ("hydrogen", {"sale_max": HALF}, {"sold": -1}),
    ("hydrogen", {"wear": 0.5}, {"on": 2, "start": 2}),
    ("hydrogen", {"standby_power": 0.0}, {"on": 2, "start": 2, "standby": 2}),
    ("hydrogen", {"wear": 0.5, "electrolyser_max": 0.0}, {"electrolysis": -1}),
]


def variables(part, fields):
    """How many variables of each name a part with these fields has."""
    model = (
        v2g.build(case(None, market([50.0, 50.0]), **{part: fields}))
        if part != "fleet"
        else (v2g.build(case(fields, market([50.0, 50.0]))))
    )
    mine = {str(n): x for n, x in model.variables.items() if str(n).startswith(f"{part}.")}
    counts = {n.partition(".")[2]: int((x.labels >= 0).sum()) for n, x in mine.items()}
    return {n: count for n, count in counts.items() if count}


@pytest.mark.parametrize("part", ALONE)
def test_a_plain_member_has_few_variables(part):
    assert variables(part, ALONE[part]) == PLAIN[part]


@pytest.mark.parametrize(("part", "fields", "more"), MORE, ids=[f"{p}-{[*f]}" for p, f, _ in MORE])
def test_each_field_brings_its_own(part, fields, more):
    found = variables(part, ALONE[part] | fields)
    names = {*PLAIN[part], *more}
    expected = {name: PLAIN[part].get(name, 0) + more.get(name, 0) for name in names}
    assert found == {name: count for name, count in expected.items() if count}


def test_who_holds_how_much_of_what():
    """Shares only of members with room, of products that are bought, in steps where both are."""
    cars = {"a": vehicle(charge_max=HALF), "b": vehicle(charge_max=0.0)}
    products = {
        "bought": product(up=1.0, volume_max=0.5),
        "late": product(up=1.0, volume_max=HALF),
        "never": product(up=1.0, volume_max=0.0),
    }
    model = v2g.build(case(cars, market([50.0, 50.0]), products))
    shares = model.variables["reserve.share_fleet"].labels
    there = (shares >= 0).transpose("product", "fleet", "time")
    assert there.to_numpy().astype(int).tolist() == [
        [[0, 1], [0, 0]],
        [[0, 1], [0, 0]],
        [[0, 0], [0, 0]],
    ]


@pytest.mark.parametrize("way", ["up", "down"])
def test_an_excursion_needs_a_path_without_activation(way):
    """Energy that calls move within a step is kept on the path that no expected call is part of."""
    calls = {way: 1.0, f"excursion_{way}": 0.5, f"activation_{way}": 0.1}
    box = storage(charge_max=0.5, discharge_max=0.5, energy_max=0.5)
    for fields, steps in ((calls, 2), (calls | {f"excursion_{way}": 0.0}, 0)):
        given = case(None, market([50.0, 50.0]), product(**fields), battery=box)
        model = v2g.build(given)
        paths = [x for n, x in model.variables.items() if n == "battery.energy_baseline"]
        assert sum(int((x.labels >= 0).sum()) for x in paths) == steps
