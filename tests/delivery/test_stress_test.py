"""Activation signals through a plan: what breaks, what is delivered, and every signal that a budget
admits.
"""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from cases import case, market, product, row, storage, vehicle
from hypothesis import settings
from pytest import approx

import v2g_linopy as v2g

TIME = pd.date_range("2026-01-05", periods=2, freq="h")


def signal(up, down=None, step="1h", name="regulation"):
    """One signal of one product, a number per step."""
    up = np.asarray([[up]], float)
    down = np.zeros_like(up) if down is None else np.asarray([[down]], float)
    time = pd.date_range("2026-01-05", periods=up.shape[2], freq=step)
    axes = {"signal": ["s"], "product": [name], "time": time}
    return xr.Dataset({"up": (tuple(axes), up), "down": (tuple(axes), down)}, coords=axes)


def figure(found, name):
    """One number for one signal and one product."""
    return round(float(found[name].sum()), 9)


LOSSY = {"eta_charge": 0.8, "eta_discharge": 0.8}
IDLE = vehicle(charge_max=0, discharge_max=10, **LOSSY)


@pytest.fixture(scope="module")
def oversold():
    """8 kWh on board (6.4 at the grid), 10 kW upward sold in both hours: nothing guarantees the
    energy.
    """
    up = product(up=1, capacity_price=[10, 10])
    result = v2g.solve(case(IDLE | {"energy_initial": 8}, market([0, 0]), up))
    assert row(result, "reserve.volume") == [10, 10]
    return result


def test_what_is_short(oversold):
    """Called in both hours: 12.5 kWh are taken from 8: 4.5 short, 3.6 of 10 kWh not delivered, then
    10 of 10.

    13.6 kWh at 100 EUR/MWh are 1.36 EUR. The second hour would be 12.5 short of an empty battery.
    Proves the limit in the battery, the cut at the grid, and that the second call starts from what
    the first left."""
    found = v2g.stress(oversold, signal([1, 1]), price=100)
    assert figure(found, "violation_energy") == 12.5
    assert figure(found, "called_up") == 20
    assert figure(found, "delivered_up") == approx(6.4)
    assert figure(found, "undelivered") == approx(13.6)
    assert figure(found, "penalty") == approx(1.36)
    assert figure(found, "missed") == approx(0, abs=1e-9)
    assert figure(v2g.stress(oversold, signal([1, 0])), "violation_energy") == approx(4.5)
    assert figure(v2g.stress(oversold, signal([0.64, 0])), "violation_energy") == approx(
        0, abs=1e-9
    )


def test_a_signal_finer_than_the_plan(oversold):
    """Half-hours: called in the first and the last one, 5 kWh each: 6.25 of 8 kWh, then 6.25 of
    1.75: 4.5 short.

    6.4 of 10 kWh are delivered. Proves that energy is followed within the step; by the hour 10 kWh
    would be called."""
    found = v2g.stress(oversold, signal([1, 0, 0, 1], step="30min"))
    assert figure(found, "called_up") == 10
    assert figure(found, "violation_energy") == approx(4.5)
    assert figure(found, "delivered_up") == approx(6.4)


def test_what_a_call_drew_leaks_within_the_step():
    """A quarter is kept each hour, half each half-hour: 2 kWh drawn in the first half-hour are 1
    kWh at the end of the first hour and 0.25 at the end of the second.

    8 kWh fall to 2 and 0.5 by themselves, and a quarter-kWh more is due: 0.25 are missing. If what
    was drawn leaked by a quarter each half-hour it would be gone almost, if not at all 2 kWh.
    """
    ev = vehicle(charge_max=0, discharge_max=4, energy_initial=8, keep=0.25, energy_min=[0, 0.5])
    up = product(up=1, capacity_price=[10, 0], volume_max=[4, 0])
    result = v2g.solve(case(ev, market([0, 0]), up))
    found = v2g.stress(result, signal([1, 0, 0, 0], step="30min"))
    assert figure(found, "delivered_up") == 2
    assert figure(found, "missed") == approx(0.25)


def test_within_a_step_its_end_is_not_due():
    """12 kWh are due at the end of the second hour, 2 are there at its start. A call of 2 kW in its
    first half takes 1 kWh, one downward in its second half brings it back: nothing is missed;
    without the latter 1 kWh is.

    Proves that between the edges of a step a battery may be where it may be at the start of it.
    """
    ev = vehicle(charge_max=20, discharge_max=[0, 10], energy_initial=2, energy_min=[0, 12])
    both = product(up=1, down=1, capacity_price=[0, 10], volume_max=[0, 2])
    result = v2g.solve(case(ev, market([100, 10]), both))
    assert row(result, "fleet.energy") == [2, 12]
    assert row(result, "reserve.volume") == [0, 2]
    for back, short in ((1, 0), (0, 1)):
        found = v2g.stress(result, signal([0, 0, 1, 0], [0, 0, 0, back], step="30min"))
        assert figure(found, "violation_energy") == approx(short, abs=1e-9)


def test_a_call_is_not_made_up_for():
    """10 kWh on board are due at the end of two hours; a call of 4 kW in the first is delivered,
    and 4 kWh are missed.

    A plan only knows the need at the end of the second hour: without a guarantee it sells in the
    first. Proves `missed`: the call of the first hour breaks no limit of its own."""
    ev = vehicle(discharge_max=4, charge_max=0, energy_initial=10, energy_min=[0, 10])
    up = product(up=1, capacity_price=[10, 0], volume_max=[4, 0])
    result = v2g.solve(case(ev, market([0, 0]), up))
    found = v2g.stress(result, signal([1, 0]))
    assert (figure(found, "delivered_up"), figure(found, "missed")) == (4, 4)
    held = v2g.solve(case(ev, market([0, 0]), up | {"guarantee": "box"}))
    assert row(held, "reserve.volume") == [0, 0]


def test_calls_stop_what_flows_first():
    """Charging 10 kW at 0.8: a call of 4 kW upward costs 3.2 kWh; feeding in 6.4 kW, one of 4
    downward saves 5.

    8 and 0 kWh are planned; 8 - 3.2 = 4.8 and 4.8 - (8 - 5) = 1.8 are there. Proves both slopes:
    with 1.7 kWh of room at the end 0.1 is too much, and all but the last 0.1 / 1.25 = 0.08 kWh of
    the call downward is delivered."""
    both = {"up": product(up=1, volume_max=[4, 0]), "down": product(down=1, volume_max=[0, 4])}
    calls = xr.concat([signal([1, 0], name="up"), signal([0, 0], [0, 1], name="down")], "product")
    for room, short in ((1.8, 0.0), (1.7, 0.1)):
        ev = vehicle(discharge_max=10, energy_max=[8, room], **LOSSY)
        sold = {way: p | {"capacity_price": [10, 10]} for way, p in both.items()}
        result = v2g.solve(case(ev, market([10, 90]), sold))
        assert row(result, "fleet.energy") == [8, 0]
        assert row(result, "reserve.volume", product="up") == [4, 0]
        assert row(result, "reserve.volume", product="down") == [0, 4]
        found = v2g.stress(result, calls)
        assert float(found.violation_energy.max()) == approx(short, abs=1e-9)
        assert figure(found, "undelivered") == approx(short / 1.25, abs=1e-9)


def test_power_that_is_not_there(oversold):
    """A kW more than was proven: 1 kW short, of 11 called 10 are delivered."""
    shares = oversold["reserve"].to_dataset()
    changed = oversold.copy()
    changed["reserve"] = shares.assign(share_fleet=shares.share_fleet + 1)
    found = v2g.stress(changed, signal([0.5, 0]))
    assert figure(found, "violation_power") == 0
    found = v2g.stress(changed, signal([1, 0]))
    assert figure(found, "violation_power") == approx(1)


def test_the_expected_path_is_not_the_baseline():
    """4 kW, half of them expected: the plan empties 2 kWh by itself. Not called, they stay; called
    in full, 2 short.

    Proves that a signal is followed from the baseline: from the expected power a full call would be
    4 kWh of 0."""
    up = product(up=1, activation_up=0.5, activation_price_up=[80], volume_max=4)
    ev = vehicle(discharge_max=10, charge_max=0, energy_initial=2)
    result = v2g.solve(case(ev, market([50]), up, start="2026-01-05"))
    assert row(result, "reserve.volume") == [4]
    for called, short in ((0, 0), (0.5, 0), (1, 2)):
        assert figure(v2g.stress(result, signal([called])), "violation_energy") == approx(
            short, abs=1e-9
        )


def test_scenarios_and_assets():
    """A battery and a car, two futures: what is short is that of each future, of the members that
    hold the product.
    """
    ev = IDLE | {"energy_initial": 8}
    box = storage(
        charge_max=0, discharge_max={"low": [5.0, 5.0], "high": [10.0, 10.0]}, energy_initial=8
    )
    up = product(up=1, capacity_price=[10, 10], first_stage=0)
    futures = {"low": 0.5, "high": 0.5}
    result = v2g.solve(case(ev, market([0, 0]), up, battery=box, scenarios=futures))
    found = v2g.stress(result, signal([1, 1]))
    assert list(found.scenario.values) == ["low", "high"]
    assert found.called_up.to_numpy().ravel() == approx([30, 40])
    assert found.delivered_up.to_numpy().ravel() == approx([6.4 + 8, 6.4 + 8])


def lively(level):
    """Losses, a restart and a leak; two products with budgets of their own and expected
    activation.
    """
    stay = vehicle(
        discharge_max=10,
        energy_initial=20,
        energy_min=[0, 0, 12, 0, 0, 0, 0, 14],
        wear=0.01,
        **LOSSY,
    )
    stay |= {"keep": [1, 1, 1, 0, 1, 1, 1, 1], "energy_in": [0, 0, 0, 16, 0, 0, 0, 0]}
    leak = vehicle(
        discharge_max=6, charge_max=8, energy_initial=9, energy_max=15, eta_charge=0.9, keep=0.95
    )
    price = [30, 45, 20, 60, 35, 25, 70, 40]
    both = product(
        up=1,
        down=1,
        capacity_price=[20, 9, 14, 22, 6, 17, 12, 25],
        activation_up=0.1,
        activation_down=0.05,
    )
    up = product(up=1, capacity_price=[8, 18, 23, 5, 24, 21, 16, 7], activation_up=0.1)
    offers = {
        "both": both | {"activation_cycle": 3},
        "up": up | {"activation_cycle": 4, "activation_period": 2},
    }
    return case(
        {"stay": stay, "leak": leak},
        market(price),
        {n: p | {"guarantee": level} for n, p in offers.items()},
    )


def margins(result, signals):
    """Least room over the floor of every signal, by the absolute energy of each member, one step
    after the other.
    """
    d, r = result["fleet"].to_dataset(), result["reserve"].to_dataset()
    idle = (d.discharge_baseline - d.charge_baseline).transpose("fleet", "time").to_numpy()
    shape = dict(zip(("fleet", "time"), idle.shape, strict=True))

    def numbers(name):
        array = d[name] if name in d else xr.DataArray({"keep": 1.0}.get(name, 0.0))
        return array.broadcast_like(d.energy).transpose("fleet", "time").to_numpy()

    keep, arriving, low, high = (
        numbers(n) for n in ("keep", "energy_in", "energy_min", "energy_max")
    )
    low = low - numbers("unserved")
    into, out = numbers("eta_charge"), numbers("eta_discharge")
    share = r.share_fleet.transpose("fleet", "product", "time").to_numpy()
    energy = np.repeat(d.energy_initial.to_numpy()[None], signals.sizes["signal"], axis=0)
    above, below = np.full(len(energy), np.inf), np.full(len(energy), np.inf)
    for t in range(shape["time"]):
        calls = (
            signals.up[:, :, t].to_numpy() * r.up.to_numpy()
            - signals.down[:, :, t].to_numpy() * r.down.to_numpy()
        )
        power = idle[:, t] + calls @ share[:, :, t].T
        stored = np.where(power > 0, -power / out[:, t], -power * into[:, t])
        energy = keep[:, t] * energy + arriving[:, t] + stored
        above = np.minimum(above, (energy - low[:, t]).min(axis=1))
        below = np.minimum(below, (high[:, t] - energy).min(axis=1))
    return above, below


def test_every_extreme_signal_of_a_budget():
    """All sequences of calls that two budgets admit over eight hours, followed by `stress` and,
    apart from it, by the absolute energy of each battery: none breaks a limit, and the worst of
    them touches a floor.

    The same signals break the plan that only expects activation, by kWh, as both ways of counting
    find."""
    kept = v2g.solve(lively("budget"))
    signals = v2g.extreme_signals(kept)
    assert signals.sizes["signal"] > 10_000
    found = v2g.stress(kept, signals)
    assert float(found.admissible.min()) == 1
    assert float(found.violation_energy.max()) <= 1e-6
    assert float(found.violation_power.max()) <= 1e-6
    assert float(abs(found.undelivered).max()) <= 1e-6
    above, below = margins(kept, signals)
    assert -1e-6 <= above.min() <= 1e-6
    assert below.min() >= -1e-6

    hoped = v2g.solve(lively("expected"))
    assert float(v2g.stress(hoped, signals).violation_energy.max()) > 1
    assert sum(row(hoped, "reserve.volume")) > sum(row(kept, "reserve.volume")) > 20


def depot(level, vehicles=50):
    """A night, a day and an evening: cars leave in the morning with what they need, and come back
    with less.
    """
    random, hours = np.random.default_rng(0), np.arange(24)
    time = pd.date_range("2026-03-02", periods=24, freq="h")
    out, back = random.integers(7, 10, (vehicles, 1)), random.integers(15, 19, (vehicles, 1))
    away, arriving = (hours >= out) & (hours < back), hours == back
    both = ("fleet", "time")
    fleet = xr.Dataset(
        {
            "charge_max": (both, 7.2 * ~away),
            "discharge_max": (both, 7.2 * ~away),
            "energy_max": (both, 40.0 * ~away),
            "energy_min": (both, 30.0 * (hours == out - 1)),
            "energy_initial": ("fleet", random.uniform(5, 35, vehicles)),
            "keep": (both, 1.0 * ~(away | arriving)),
            "energy_in": (both, arriving * random.uniform(5, 25, (vehicles, 1))),
            "eta_charge": 0.92,
            "eta_discharge": 0.9,
            "wear": 0.02,
        },
        coords={"fleet": [f"ev-{i}" for i in range(vehicles)]},
    )
    price = 60 + 30 * np.sin(hours * np.pi / 12) + random.normal(0, 8, 24)
    energy = xr.Dataset(
        {"price": (("market", "time"), price[None]), "limit": 1e5}, coords={"market": ["day_ahead"]}
    )
    reserve = xr.Dataset(
        {
            "up": ("product", [1.0, 1.0]),
            "down": ("product", [1.0, 0.0]),
            "guarantee": ("product", [level] * 2),
            "activation_cycle": ("product", [3.0, 4.0]),
            "capacity_price": (("product", "time"), random.uniform(2, 20, (2, 24))),
            "activation_up": ("product", [0.1, 0.05]),
            "activation_down": ("product", [0.05, 0.0]),
        },
        coords={"product": ["containment", "restoration"]},
    )
    groups = {"fleet": fleet, "energy": energy, "reserve": reserve}
    return v2g.assemble(time, {name: ds.assign_coords(time=time) for name, ds in groups.items()})


MANY = settings().max_examples > 10


@pytest.mark.parametrize("level", ["budget", "recourse"])
def test_ten_thousand_signals_on_a_day_of_fifty_vehicles(level):
    """Drawn at random, with seeds, extreme ones among them: a budget holds to 1e-6 kWh; what is
    expected does not.

    A plan with a thousandth more of every share is found out: some signal is tight. What is bought
    back, with no activation expected, is followed with a tenth of the signals unless all cases are
    drawn (`make prove`).
    """
    day = depot(level)
    if level == "recourse":
        never = {f"activation_{way}": 0.0 * day["reserve"][way] for way in ("up", "down")}
        day["reserve"] = day["reserve"].to_dataset().assign(never)
    kept = v2g.solve(day)
    signals = v2g.random_signals(kept, 10_000 if MANY or level == "budget" else 1000, seed=1)
    found = v2g.stress(kept, signals, price=500)
    assert float(found.admissible.min()) == 1
    assert float(found.violation_energy.max()) <= 1e-6
    assert float(found.missed.max()) <= 1e-6
    assert float(found.penalty.sum()) == approx(0, abs=1e-6)
    assert float(found.called_up.sum()) > 100 * signals.sizes["signal"]

    few = signals.isel(signal=slice(1000))
    more = kept.copy()
    group = kept["reserve"].to_dataset()
    more["reserve"] = group.assign(share_fleet=1.001 * group.share_fleet)
    assert float(v2g.stress(more, few).violation_energy.max()) > 1e-4
    hoped = v2g.stress(v2g.solve(depot("expected")), few)
    assert float(hoped.violation_energy.max()) > 10
    assert float(hoped.undelivered.sum()) > 1000


def test_signals_are_admissible_seeded_and_as_named(oversold):
    """The same seed draws the same signals; a product that is not named rests; a call too many is
    told.
    """
    group = oversold["reserve"].to_dataset().assign(activation_cycle=2.0)
    result = oversold.copy()
    result["reserve"] = group
    one, again, other = (v2g.random_signals(result, 50, seed=s) for s in (1, 1, 2))
    assert one.equals(again)
    assert not one.equals(other)
    assert float(one.up.sum("time").max()) == approx(1)
    assert float(one.down.max()) == 0  # a product that holds nothing downward is not called there
    assert float(v2g.random_signals(result, 9, products=[]).up.max()) == 0
    assert v2g.extreme_signals(result).sizes["signal"] == 3
    assert figure(v2g.stress(result, signal([1, 0])), "admissible") == 1
    assert figure(v2g.stress(result, signal([1, 1])), "admissible") == 0
    assert figure(v2g.stress(result, signal([0, 1, 1, 0], step="30min")), "admissible") == 1
    assert figure(v2g.stress(result, signal([0, 1, 1, 0.2], step="30min")), "admissible") == 0


WRONG = {
    "a strange product": (
        lambda: signal([1, 1], name="regulatory"),
        "signals.product",
        "no product of /reserve",
    ),
    "a share above 1": (lambda: signal([1, 1.5]), "signals.up", "allowed [0, 1]"),
    "a number missing": (lambda: signal([1, np.nan]), "signals.up", "allowed [0, 1]"),
    "no direction": (
        lambda: signal([1, 1]).drop_vars("down"),
        "signals.down",
        "needs the dimensions",
    ),
    "no product": (lambda: signal([1, 1]).isel(product=0), "signals.up", "needs the dimensions"),
    "an hour only": (lambda: signal([1]), "signals.time", "each step of the case"),
    "other hours": (
        lambda: signal([1, 1]).assign_coords(time=TIME + pd.Timedelta("1h")),
        "signals.time",
        "each step",
    ),
    "uneven parts": (lambda: signal([1, 1, 1]), "signals.time", "equal parts"),
}


@pytest.mark.parametrize(("make", "where", "words"), WRONG.values(), ids=WRONG)
def test_signals_that_do_not_fit(oversold, make, where, words):
    """Each fault is told with its place and the remedy."""
    with pytest.raises(v2g.SchemaError) as raised:
        v2g.stress(oversold, make())
    assert where in [p.where for p in raised.value.problems]
    assert words in str(raised.value)


def test_what_cannot_be_stressed(oversold):
    """A case without a plan, one without reserves, a product that is not there, and more signals
    than can be listed.
    """
    bare = case(IDLE | {"energy_initial": 8}, market([0, 0]))
    unsolved = case(
        IDLE | {"energy_initial": 8}, market([0, 0]), product(up=1, capacity_price=[10, 10])
    )
    long = case(IDLE, market([0] * 30), product(up=1, guarantee="box", capacity_price=10))
    calls = {
        "holds no reserve": lambda: v2g.stress(unsolved, signal([1, 1])),
        "no product that could be": lambda: v2g.extreme_signals(bare),
        "'down' is not a product": lambda: v2g.random_signals(oversold, 3, products=["down"]),
        "use random_signals": lambda: v2g.extreme_signals(long),
    }
    for words, call in calls.items():
        with pytest.raises(v2g.SchemaError, match=words):
            call()


OWNED = {"charge_max": 0.0, "discharge_max": 10.0, "energy_initial": 40.0, "allowance": 5.0}


def calls(*rows, step="1h"):
    """Signals upward of one product, a row of numbers per step each."""
    return xr.concat(
        [signal(row, step=step).assign_coords(signal=[f"s{k}"]) for k, row in enumerate(rows)],
        "signal",
    )


@pytest.mark.parametrize(
    ("fields", "over", "worst", "step"),
    [
        ({}, [5, 15, 0], 15, 1),  # 10 kWh an hour, of which 5 are allowed in all
        ({"session": np.array([1, 2])}, [5, 5, 0], 5, 0),  # counted anew in the second hour
        ({"allowance": 20.0}, [0, 0, 0], 0, 0),
        ({"energy_initial": 8.0}, [3, 3, 0], 3, 0),  # no more than is on board
        ({"allowance": [np.nan, 12.0]}, [0, 8, 0], 8, 1),  # any in the first hour, but it counts
    ],
)
def test_calls_beyond_what_owners_allow(fields, over, worst, step):
    """10 kW are sold in both hours by a product that guarantees nothing; it is called in the first
    hour, in both, and in none.
    """
    paid = product(up=1, capacity_price=[10, 10])
    result = v2g.solve(case(vehicle(**OWNED | fields), market([0, 0]), paid))
    assert row(result, "reserve.volume") == [10, 10]
    found = v2g.stress(result, calls([1, 0], [1, 1], [0, 0]))
    assert found["over_allowance"].values == approx(over)
    assert found["owner_over"].values == approx([worst])
    said = found.attrs["allowance"]
    if not worst:
        assert said == ""
        return
    assert found["owner_step"].values == [TIME[step].to_datetime64()]
    assert f"by {worst:.3f} kWh at the end of the step of 2026-01-05 0{step}:00" in said
    assert said.startswith("1 vehicle discharges more under a signal than the owners allow")


def test_what_a_call_stops_is_not_discharged():
    """15 kW are sold while it charges at 10: a call of all of the hour discharges 5 of the 4 kWh
    that are allowed, a call of half the hour 2.5.
    """
    owner = vehicle(discharge_max=10.0, energy_initial=20.0, allowance=4.0)
    paid = product(up=1.0, capacity_price=10.0, volume_max=15.0)
    result = v2g.solve(case(owner, market([-100.0]), paid))
    assert row(result, "reserve.volume") == [15] and row(result, "fleet.charge") == [10]
    found = v2g.stress(result, calls([1, 1], [1, 0], step="30min"))
    assert found["over_allowance"].values == approx([1, 0])


def test_a_call_downward_gives_back_what_was_sold():
    """5 kWh sold at 100 EUR/MWh use up what is allowed; a call downward of 5 kW in the first hour
    holds them back, so that as much may be called upward in the second.
    """
    owner = vehicle(**OWNED | {"discharge_max": 5.0})
    ways = {
        "lower": product(down=1, capacity_price=[200, 0]),
        "raise": product(up=1, capacity_price=[0, 200]),
    }
    result = v2g.solve(case(owner, market([100, -100]), ways))
    assert row(result, "fleet.discharge") == [5, 0]
    lower = signal([0, 0], down=[1, 0], name="lower")
    upper = signal([0, 1], name="raise")
    both = v2g.stress(result, xr.concat([lower, upper], "product"))
    assert float(both["over_allowance"].max()) == approx(0)
    assert float(v2g.stress(result, upper)["over_allowance"].max()) == approx(5)
