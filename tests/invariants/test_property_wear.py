"""Wear by depth against an independent count of the same path (docs/formulation.md §9, §15: 30).

Batteries hold 8 kWh, lossless; a path moves by whole or half kWh, of which eight segments see the
whole ones."""

import numpy as np
import pandas as pd
import pytest
import rainflow
import xarray as xr
from hypothesis import assume, given
from hypothesis import strategies as st
from invariants.wanted import few

import v2g_linopy as v2g

CAPACITY, COST, FACTOR = 8.0, 64.0, 0.5
DEPTHS = st.sampled_from((1.0, 1.5, 2.0, 2.03, 3.0))


def counted(path, exponent, closed=False):
    """Cost of the discharging half cycles that the package rainflow finds, a circle turned to begin
    at its top.
    """
    path = np.asarray(path, float)
    if closed:
        top = int(np.argmax(path[:-1]))
        path = np.concatenate([path[top:-1], path[: top + 1]])
    kept = path[np.append(True, np.diff(path) != 0)]
    cost = 0.0
    for depth, _, count, start, end in rainflow.extract_cycles([*kept, kept[-1]]):
        falls = kept[min(end, len(kept) - 1)] < kept[start]
        if count == 1.0 or falls:
            cost += COST * FACTOR * (depth / CAPACITY) ** exponent
    return cost


def by_hand(path, exponent):
    """The same by memory of the rises: each fall deepens the falls that it goes on with (no
    package).
    """
    cost, falls = 0.0, []  # stretches emptied since the path was last there, the nearest first
    for move in np.diff(path):
        if move < 0:
            taken, left = 0.0, -move
            depth = 0.0
            for gap in [*falls, (np.inf, False)]:
                size, empty = gap
                if not empty and left > 1e-12:
                    step = min(size, left)
                    cost += stretch(depth, depth + step, exponent)
                    left -= step
                    taken = depth + step
                depth += size
            falls = merged(falls, -move)
            assert taken >= 0
        elif move > 0:
            falls = filled(falls, move)
    return cost


def stretch(low, high, exponent):
    """Cost of the part of a fall between two depths (kWh)."""
    return COST * FACTOR * ((high / CAPACITY) ** exponent - (low / CAPACITY) ** exponent)


def merged(falls, fall):
    """Empty the shallowest full stretches, `fall` kWh of them."""
    new = []
    for size, empty in [*falls, (np.inf, False)]:
        if empty or fall <= 0:
            new.append((size, empty))
            continue
        step = min(size, fall)
        fall -= step
        new.append((step, True))
        if size > step:
            new.append((size - step, False))
    return new[:-1] if new[-1] == (np.inf, False) else new


def filled(falls, rise):
    """Fill the shallowest empty stretches, `rise` kWh of them."""
    new = []
    for size, empty in falls:
        if not empty or rise <= 0:
            new.append((size, empty))
            continue
        step = min(size, rise)
        rise -= step
        new.append((step, False))
        if size > step:
            new.append((size - step, True))
    return new


def solved(path, exponent, segments, cyclic=False, moved=None, **more):
    """A battery held to a path, or one for each number of segments: what it pays in them, and the
    package's count.
    """
    every = {f"box of {n}": n for n in (segments if isinstance(segments, tuple) else (segments,))}
    time = pd.date_range("2026-01-05", periods=len(path) - 1, freq="h", name="time")
    power = xr.DataArray(
        np.diff(path) if moved is None else moved, coords={"time": time}, dims="time"
    )
    fields = {
        "charge_max": CAPACITY,
        "discharge_max": CAPACITY,
        "energy_max": CAPACITY,
        "energy_initial": path[0],
    }
    fields |= {
        "eta_charge": 1.0,
        "eta_discharge": 1.0,
        "replacement_cost": COST,
        "stress_factor": FACTOR,
    }
    fields |= {"stress_exponent": exponent, "cyclic": float(cyclic)} | more
    each = {n: [float(x)] * len(every) for n, x in fields.items()} | {
        "segments": [float(n) for n in every.values()]
    }
    battery = xr.Dataset(
        {n: ("battery", x) for n, x in each.items()}, coords={"battery": list(every)}
    )
    energy = xr.Dataset(
        {"price": ("market", [0.0]), "limit": ("market", [100.0])}, coords={"market": ["spot"]}
    )
    case = v2g.assemble(time, {"battery": battery, "energy": energy}, step_hours=1.0)
    plan = {"battery.charge": power.clip(min=0), "battery.discharge": (-power).clip(min=0)}
    return v2g.solve(case, fix=plan)


def paid(result):
    """What the plan pays for depth."""
    return sum(paid_each(result))


def paid_each(result):
    """The same for each battery."""
    ledger, boxes = result["ledger"].to_dataset(), result["battery"]["battery"]
    cost = ledger.get("battery.wear_cycles", xr.zeros_like(boxes, dtype=float))
    return [float(-cost.sel(battery=box).sum()) for box in boxes]


def paths(step):
    return st.lists(st.integers(0, int(CAPACITY / step)), min_size=2, max_size=9).map(
        lambda p: [step * x for x in p]
    )


@few(15)
@given(path=paths(1.0), exponent=DEPTHS)
def test_segments_are_the_rainflow_count_on_the_grid(path, exponent):
    """On paths that turn where segments end the two agree to 1e-9, and with a count that knows no
    rainflow.
    """
    result = solved(path, exponent, 8)
    assert paid(result) == pytest.approx(counted(path, exponent), abs=1e-9)
    assert paid(result) == pytest.approx(by_hand(path, exponent), abs=1e-9)
    assert float(v2g.wear(result).cost_counted[0]) == pytest.approx(paid(result), abs=1e-9)


@few(10)
@given(path=paths(1.0), exponent=DEPTHS)
def test_a_circle_is_counted_as_one(path, exponent):
    """A cyclic end: the path from its top back to its top; wherever the circle is cut."""
    circle = [*path, path[0]]
    result = solved(circle, exponent, 8, cyclic=True)
    assert paid(result) == pytest.approx(counted(circle, exponent, closed=True), abs=1e-9)
    assert float(v2g.wear(result).cost_counted[0]) == pytest.approx(paid(result), abs=1e-9)


@few(10)
@given(path=paths(0.25), exponent=DEPTHS, cyclic=st.booleans())
def test_segments_never_count_too_little(path, exponent, cyclic):
    """Anywhere else they count more, the less so the more segments there are: 1, 2, 4, 8, 16 and
    32, which is exact.
    """
    path = [*path, path[0]] if cyclic else path
    true = counted(path, exponent, closed=cyclic)
    costs = paid_each(solved(path, exponent, tuple(2**k for k in range(6)), cyclic))
    assert len(costs) == 6
    assert all(cost >= true - 1e-9 for cost in costs)
    assert all(more >= fewer - 1e-9 for more, fewer in zip(costs, costs[1:], strict=False))
    assert costs[-1] == pytest.approx(true, abs=1e-9)


@few(10)
@given(path=paths(0.5), exponent=DEPTHS, keep=st.sampled_from((0.5, 0.75)), cyclic=st.booleans())
def test_a_leak_is_not_counted_and_never_makes_segments_too_cheap(path, exponent, keep, cyclic):
    """The path of what is moved, leaks put back: by the package, and segments pay at least that,
    also on a circle.
    """
    path = np.array([*path, path[0]] if cyclic else path, float)
    moved = path[1:] - keep * path[:-1]
    result = solved(path, exponent, 8, cyclic, keep=keep, moved=moved)
    screw = np.append(path[0], path[0] + moved.cumsum())
    top = int(np.argmax(screw[:-1])) if cyclic else 0
    screw = np.append(screw[top:], screw[1 : top + 1] + screw[-1] - screw[0])
    assert float(v2g.wear(result).cost_counted[0]) == pytest.approx(
        counted(screw, exponent), abs=1e-9
    )
    assert paid(result) >= counted(screw, exponent) - 1e-9


@few(6)
@given(path=paths(0.5), exponent=DEPTHS)
def test_doubling_the_price_doubles_wear(path, exponent):
    """At a fixed plan."""
    one, two = (paid(solved(path, exponent, 8, replacement_cost=c)) for c in (COST, 2 * COST))
    assert two == pytest.approx(2 * one, abs=1e-9)


@few(10)
@given(
    moves=st.lists(
        st.tuples(st.integers(-3, 3), st.integers(0, 3), st.sampled_from((0, 1, 1))),
        min_size=1,
        max_size=7,
    ),
    data=st.data(),
)
def test_trips_and_arrivals_are_on_the_path(moves, data):
    """A car that drives, or comes back as another one: each stay is counted as a path of its own,
    trips included.
    """
    capacity, start = CAPACITY, float(data.draw(st.integers(0, 8)))
    stays, level = [[start]], start
    power, trips, came, keep = [], [], [], []
    for move, trip, stayed in moves:
        arrival = 0.0 if stayed else float(data.draw(st.integers(0, 8)))
        if not stayed:
            level = arrival
            stays.append([level])
        driven = min(float(trip), level)
        after = min(max(level - driven + move, 0.0), capacity)
        power.append(after - (level - driven))
        stays[-1] += [level - driven, after]
        trips.append(driven)
        came.append(arrival)
        keep.append(float(stayed))
        level = after
    assume(any(p < 0 for p in power) or any(trips))
    time = pd.date_range("2026-01-05", periods=len(power), freq="h", name="time")
    on_time = {"energy_out": trips, "energy_in": came, "keep": keep}
    fixed = {
        "charge_max": 8,
        "discharge_max": 8,
        "energy_max": 8,
        "energy_initial": start,
        "eta_charge": 1.0,
    }
    fixed |= {
        "eta_discharge": 1.0,
        "replacement_cost": COST,
        "stress_factor": FACTOR,
        "stress_exponent": 2.0,
        "segments": 8,
    }
    fleet = xr.Dataset(
        {n: (("fleet", "time"), [v]) for n, v in on_time.items()}
        | {n: ("fleet", [float(v)]) for n, v in fixed.items()},
        coords={"fleet": ["car"], "time": time},
    )
    energy = xr.Dataset(
        {"price": ("market", [0.0]), "limit": ("market", [100.0])}, coords={"market": ["spot"]}
    )
    case = v2g.assemble(time, {"fleet": fleet, "energy": energy}, step_hours=1.0)
    moved = xr.DataArray(power, coords={"time": time}, dims="time")
    result = v2g.solve(
        case, fix={"fleet.charge": moved.clip(min=0), "fleet.discharge": (-moved).clip(min=0)}
    )
    ledger = result["ledger"].to_dataset()
    cost = -float(ledger["fleet.wear_cycles"].sum())
    assert cost == pytest.approx(sum(counted(stay, 2.0) for stay in stays), abs=1e-9)
    assert float(v2g.wear(result).cost_counted[0]) == pytest.approx(cost, abs=1e-9)
