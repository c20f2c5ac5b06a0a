"""Energy management of limited reservoirs: the forward run by hand, and the programme that must
have its states.
"""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from pytest import approx
from scipy.optimize import Bounds, LinearConstraint, milp

import v2g_linopy as v2g
from v2g_linopy.delivery.nordic_energy_management import STATES, ReserveBattery, deliver, operate

PATHS = 200


def record(hertz, step="60s") -> xr.DataArray:
    """A frequency record."""
    time = pd.date_range("2026-01-05", periods=len(hertz), freq=step, name="time")
    return xr.DataArray(np.asarray(hertz, float), coords={"time": time}, dims="time")


def states(**on: float) -> xr.DataArray:
    """States of which some are on."""
    return xr.DataArray(
        [on.get(s, 0.0) for s in STATES], coords={"state": list(STATES)}, dims="state"
    )


def battery(energy=500.0, **fields) -> ReserveBattery:
    """1 MWh, lossless, ample power."""
    return ReserveBattery(
        **(
            {"charge_max": 2000.0, "discharge_max": 2000.0, "energy_max": 1000.0, "energy": energy}
            | fields
        )
    )


FCR_N = {
    "FCR-N": 500.0
}  # below 250 kWh NEM begins, above 479.17 it ends; AEM at 41.67 and 83.33; the same from the top


def test_management_charges_an_empty_battery_by_a_five_minute_mean():
    """500 kW of FCR-N at 50 Hz with 240 kWh, below the 250 of half an hour: NEM charges with 170
    kW.

    The mean takes it there in five steps of 34 kW, and the energy follows: 34, 68, 102, 136, 170 kW
    for a minute each."""
    run = deliver(record([50.0] * 7), FCR_N, battery(240))
    assert run.power.values.tolist() == approx([-34, -68, -102, -136, -170, -170, -170])
    assert run.energy.values[4] == approx(240 + (34 + 68 + 102 + 136 + 170) / 60)
    assert run.available.values.tolist() == [1] * 7
    full = deliver(record([50.0] * 7), FCR_N, battery(760))
    assert full.power.values.tolist() == approx([34, 68, 102, 136, 170, 170, 170])


def test_management_waits_for_the_normal_state():
    """At 49.85 Hz FCR-N is fully called, and nothing is charged, however empty the battery; at
    49.95 it is.
    """
    run = deliver(record([49.85, 49.85, 49.95]), FCR_N, battery(240))
    assert run.nem.values.tolist() == approx([0, 0, -34])
    assert run.power.values.tolist() == approx([500, 500, 250 - 34])


def test_between_the_thresholds_a_state_stays():
    """With 300 kWh, between 250 and 479, nothing begins and nothing ends: both histories are
    possible.
    """
    for before in (0.0, 1.0):
        run = deliver(record([50.0]), FCR_N, battery(300), before=states(nem_low=before))
        assert run.states.sel(state="nem_low").values.tolist() == [before]
        assert run.power.values.tolist() == approx([-170 * before])


def test_in_alert_only_changes_of_frequency_are_followed():
    """40 kWh are less than five minutes of 500 kW: the droop is about the mean of the frequency,
    and not available.

    Steady 49.95 Hz calls 250 kW in the normal mode, nothing against its own mean; 20 mHz less in
    the last minute are -16 mHz about a five-minute mean that has fallen by 4: 80 kW. NEM charges
    meanwhile."""
    run = deliver(record([49.95] * 4 + [49.93]), FCR_N, battery(40), before=states(nem_low=1.0))
    assert run.available.values.tolist() == [0] * 5
    assert (run.power - run.nem).values.tolist() == approx([0, 0, 0, 0, 80], abs=1e-6)
    assert run.nem.values.tolist() == approx([-170] * 5)


def test_reserves_for_disturbances_manage_one_way_each():
    """900 kW of FCR-D up and down: below 300 kWh the first charges 180 kW, above 700 the second
    feeds in as much.
    """
    sold = {"FCR-D up": 900.0, "FCR-D down": 900.0}
    steady = record([50.0] * 6)
    assert deliver(steady, sold, battery(290)).power.values[-1] == approx(-180)
    assert deliver(steady, sold, battery(710)).power.values[-1] == approx(180)
    only_up = deliver(steady, {"FCR-D up": 900.0}, battery(990))
    assert abs(only_up.power).max() == 0, "a full battery is in the way of nothing that was sold"


def test_losses_count_on_board():
    """An hour of thresholds is of energy on board: 0.8 each way, 250 / 0.8 = 312.5 kWh from below,
    200 from the top.

    170 kW drawn for a minute store 2.27 kWh, 170 kW fed in take 3.54.
    """
    lossy = {"eta_charge": 0.8, "eta_discharge": 0.8}
    low = deliver(record([50.0]), FCR_N, battery(312, **lossy), before=states(nem_low=1.0))
    assert low.states.sel(state="nem_low").values.tolist() == [1]
    assert float(low.energy[0]) == approx(312 + 170 * 0.8 / 60)
    high = deliver(record([50.0]), FCR_N, battery(801, **lossy), before=states(nem_high=1.0))
    assert float(high.energy[0]) == approx(801 - 170 / 0.8 / 60)
    assert deliver(record([50.0]), FCR_N, battery(313, **lossy)).power.values.tolist() == [0]
    assert deliver(record([50.0]), FCR_N, battery(799, **lossy)).power.values.tolist() == [0]


def test_what_cannot_be_delivered_is_missing():
    """1 kWh on board in alert, a minute of management at 34 kW, then a fall of 100 mHz: 50 mHz
    about the mean of both.

    It calls 250 - 34 = 216 kW, and 1 + 34 / 60 kWh last for 94 kW of them.
    """
    run = deliver(record([50.0, 49.9]), FCR_N, battery(1), before=states(aem_low=1.0))
    assert run.asked.values.tolist() == approx([-34, 216])
    assert run.power.values.tolist() == approx([-34, 94])
    assert run.missing.values.tolist() == approx([0, 122])
    assert float(run.energy[-1]) == approx(0)


def test_a_charger_that_cannot_charge_misses_its_management():
    """170 kW of FCR-N and 20 of FCR-D, a fifth of them in the first of five minutes; and full power
    is not enough.
    """
    run = deliver(record([50.0]), FCR_N | {"FCR-D up": 100.0}, battery(2, charge_max=0.0))
    assert run.missing.values.tolist() == approx([38])
    weak = deliver(record([49.9]), FCR_N, battery(discharge_max=450.0))
    assert weak.missing.values.tolist() == approx([50])


def drawn(sold, energy_max, eta, seed, count):
    """Random paths: levels that hold for ten minutes, with noise; those that the battery can
    deliver.
    """
    rng = np.random.default_rng(seed)
    levels = rng.choice([-0.3, -0.09, -0.05, 0.02, 0.06, 0.09, 0.3], (2 * count, 6)).repeat(
        10, axis=1
    )
    time = pd.date_range("2026-01-05", periods=60, freq="60s", name="time")
    axes = {"path": np.arange(2 * count), "time": time}
    f = xr.DataArray(
        50 + levels + rng.normal(0, 0.01, levels.shape), coords=axes, dims=("path", "time")
    )
    on_board = xr.DataArray(
        rng.uniform(0.03, 0.97, 2 * count) * energy_max, coords={"path": axes["path"]}, dims="path"
    )
    past = xr.DataArray(
        rng.integers(0, 2, (4, 2 * count)).astype(float),
        coords={"state": list(STATES), "path": axes["path"]},
        dims=("state", "path"),
    )
    store = ReserveBattery(2000.0, 2000.0, energy_max, on_board, eta_charge=eta, eta_discharge=eta)
    run = deliver(f, sold, store, before=past)
    delivered = run.path[(run.missing.max("time") == 0).values][:count].values
    store = ReserveBattery(
        2000.0, 2000.0, energy_max, on_board.sel(path=delivered), eta_charge=eta, eta_discharge=eta
    )
    return f.sel(path=delivered), store, past.sel(path=delivered), run.sel(path=delivered)


@pytest.mark.parametrize(
    ("sold", "energy_max", "eta", "count"),
    [
        (FCR_N, 1000.0, 0.95, PATHS),
        ({"FCR-D up": 1000.0, "FCR-D down": 700.0, "FCR-N": 100.0}, 900.0, 1.0, 60),
    ],
)
def test_the_programme_has_the_states_of_the_run(sold, energy_max, eta, count):
    """Random frequency paths in one programme: each of its binaries is the state of the forward
    run, minute by minute.

    Every state begins and ends somewhere, from either history: proves the four rows of the
    hysteresis."""
    frequency, store, past, run = drawn(sold, energy_max, eta, 7, count)
    assert frequency.sizes["path"] == count
    change = run.states - run.states.shift(time=1).fillna(past)
    for state in STATES:
        assert int((change.sel(state=state) > 0).sum()) >= 3, f"{state} never begins"
        assert int((change.sel(state=state) < 0).sum()) >= 3, f"{state} never ends"
    best = operate(frequency, sold, store, before=past)
    assert int(abs(best.states - run.states).sum()) == 0
    for name in ("energy", "power", "nem"):
        np.testing.assert_allclose(best[name].transpose(*run[name].dims), run[name], atol=1e-5)


def naive(energy: float) -> bool:
    """Whether some b satisfies the two rows SOC - enable <= M (1 - b), disable - SOC <= M b."""
    enable, disable, big = 250.0, 479.0, 1000.0
    rows = LinearConstraint([[big], [-big]], ub=[big + enable - energy, energy - disable])
    return milp([0.0], constraints=rows, integrality=[1], bounds=Bounds(0, 1)).success


def test_two_rows_are_no_hysteresis():
    """Between the thresholds the two-row form has no solution at all; four rows have one for either
    history.
    """
    assert naive(200) and naive(600)
    assert not naive(300)
    for before in (0.0, 1.0):
        best = operate(record([50.0]), FCR_N, battery(300), before=states(nem_low=before))
        assert best.states.sel(state="nem_low").values.tolist() == [before]


def test_trade_without_a_price_earns_nothing():
    """Neither energy nor an alert has a price unless one is given."""
    free = operate(record([49.93] * 2), FCR_N, battery(500), trade=400.0)
    assert free.attrs["objective"] == approx(0, abs=1e-9)


def test_trade_keeps_the_reserve_available():
    """100 kWh and half an hour at 49.93 Hz, which takes 350 kW less 170 of management, 3 kWh a
    minute; alert at 41.67.

    With trade at 50 EUR/MWh, 40 for what is on board at the end and dear alerts, it buys what is
    missing at the start of the last minute, 41.67 - (100 - 29 * 3) = 28.67 kWh, and no more; in
    that minute it sells with all 400 kW. Proves that the programme decides, and that what it
    decides on is what the forward run does."""
    now = {"battery": battery(100), "before": states(nem_low=1.0)}
    hour = record([49.93] * 30)
    assert deliver(hour, FCR_N, **now).available.values.sum() == 20
    prices = {"price": 50.0, "energy_value": 40.0, "availability": 1e5}
    best = operate(hour, FCR_N, **now, trade=400.0, **prices)
    assert best.available.values.tolist() == [1] * 30
    sold = 400 / 60
    assert float(best.trade.sum()) / 60 == approx(sold - (250 / 6 - 13))
    assert float(best.energy[-1]) == approx(250 / 6 - 3 - sold)
    assert best.attrs["objective"] == approx(
        0.05 * (sold - 250 / 6 + 13) + 0.04 * (250 / 6 - 3 - sold)
    )
    run = deliver(hour, FCR_N, **now, trade=best.trade)
    np.testing.assert_allclose(run.energy, best.energy, atol=1e-6)


def test_a_battery_that_cannot_deliver_is_told():
    with pytest.raises(v2g.Infeasible, match="cannot deliver what was sold"):
        operate(record([49.5] * 10), {"FCR-D up": 900.0}, battery(discharge_max=500.0))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: deliver(record([50.0] * 3, "2min"), FCR_N, battery()), "steps of 120 s"),
        (lambda: deliver(record([50.0] * 3, "7s"), FCR_N, battery()), "steps of 7 s"),
        (lambda: deliver(record([50.0] * 3).isel(time=[0, 2]), FCR_N, battery()), "steps of 120 s"),
        (lambda: deliver(record([55.0]), FCR_N, battery()), "45 to 55 Hz"),
        (lambda: deliver(record([55.5]), FCR_N, battery()), "45 to 55 Hz"),
        (lambda: deliver(record([45.0]), FCR_N, battery()), "45 to 55 Hz"),
        (lambda: deliver(record([np.nan]), FCR_N, battery()), "45 to 55 Hz"),
        (lambda: deliver(record([50.0]), {"FCR": 5.0}, battery()), "'FCR' is no product"),
        (lambda: deliver(record([50.0]), {"mFRR up": 5.0}, battery()), "follows no frequency"),
        (lambda: deliver(record([50.0]), {"FCR-N": -5.0}, battery()), "FCR-N: -5 kW"),
        (lambda: deliver(record([50.0]), FCR_N, battery(1001)), "not between 0 and 1000"),
        (
            lambda: deliver(record([50.0]), FCR_N, battery(50, energy_max=100.0)),
            "less than the 166.667 kWh",
        ),
    ],
)
def test_what_is_refused(call, words):
    with pytest.raises(v2g.SchemaError, match=words):
        call()
