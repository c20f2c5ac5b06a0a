"""What plans know of prices under the forecast `published`: auctions once they are published, and
imbalance as dear as the auction."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from cases import case, market

import v2g_linopy as v2g
from v2g_linopy.model.gates import gates_of
from v2g_linopy.model.inputs import inputs_of
from v2g_linopy.operate.forecasts import Published
from v2g_linopy.parts.catalogue import PARTS

STEPS = 72
AUCTION = [100.0 * (k // 24) + k % 24 for k in range(STEPS)]
"""EUR/MWh: 0 to 23 on the first day, 100 to 123 on the second, 200 to 223 on the third."""
DAY_THREE = slice(48, 72)


def three_days(**imbalance: object) -> xr.DataTree:
    """A day-ahead auction at noon, trade within the day at 999 EUR/MWh, imbalance at 500, and sun
    of 7 kW on the first day, none later.
    """
    prices = {"day_ahead": market(AUCTION), "intraday": market([999.0] * STEPS)}
    sun = {"available": [7.0] * 24 + [0.0] * 48}
    settled = {"price_long": [500.0] * STEPS, "limit": 100.0} | imbalance
    tree = case(None, prices, renewable=sun, imbalance=settled)
    nan = float("nan")
    gates = {"hour": ("gate", [12.0, nan]), "lead": ("gate", [nan, 1.0])}
    tree["gates"] = xr.DataTree(xr.Dataset(gates, {"gate": ["day_ahead", "intraday"]}))
    return tree


def known(tree: xr.DataTree, now: str) -> dict[str, np.ndarray]:
    """What is known of the third day at a moment: prices in EUR/MWh, power in kW."""
    truth = inputs_of(tree, PARTS)
    forecast = Published(truth, gates_of(tree, truth))
    stamp = pd.Timestamp(now)
    found = forecast.at(stamp, stamp + pd.Timedelta(hours=1), DAY_THREE.start, DAY_THREE.stop)
    scale = {"renewable": 1.0}
    return {
        f"{part}.{name}": x.to_numpy() * scale.get(part, 1e3) for (part, name), x in found.items()
    }


@pytest.mark.parametrize(
    ("now", "first"),
    [("2026-01-06 12:59", 0.0), ("2026-01-06 13:00", 200.0)],
    ids=["just before", "published"],
)
def test_prices_are_known_an_hour_after_the_gate(now, first):
    """The gate of the third day closes at noon of the second: until one o'clock its prices are
    expected to be those of two days before, 0 to 23, from then on its own are known, 200 to 223.

    Intraday and imbalance are expected at them, not at the 999 and 500 that come, and the sun as
    two days before: 7 kW."""
    found = known(three_days(), now)
    day = first + np.arange(24)
    assert found["energy.price"] == pytest.approx(np.array([day, day]))
    assert found["imbalance.price_long"] == pytest.approx(day)
    assert (found["renewable.available"] == 7).all()


def test_two_imbalance_prices_keep_their_mean_distance():
    """A surplus has earned 30 less than the auction on the first day and 10 less on the second, a
    shortage cost 50 more on both: at two o'clock of the second day the mean of 38 hours counts.

    (24 x 30 + 14 x 10) / 38 = 22.63 less, and 50 more, than 200 to 223. Proves that only what has
    happened counts: with the third day, on which a surplus is worth 999 less, it would be 347."""
    auction = np.array(AUCTION)
    less = np.repeat([30.0, 10.0, 999.0], 24)
    dual = {
        "price_long": (auction - less).tolist(),
        "price_short": (auction + 50.0).tolist(),
    }
    found = known(three_days(**dual), "2026-01-06 14:00")
    day = 200.0 + np.arange(24)
    assert found["imbalance.price_long"] == pytest.approx(day - (24 * 30 + 14 * 10) / 38)
    assert found["imbalance.price_short"] == pytest.approx(day + 50.0)


def test_a_case_without_an_auction_is_refused():
    """Where every market trades until delivery nothing is published; it says what to do."""
    tree = three_days()
    del tree["gates"]
    with pytest.raises(v2g.SchemaError, match="choose naive"):
        v2g.simulate(tree, forecast="published", start="2026-01-06")


def test_a_run_plans_on_what_is_published():
    """A battery of 10 kWh on the third day, whose prices rise from 200 to 223 EUR/MWh, while those
    of the days before fell: it is filled at midnight and emptied in the last hour.

    Proves that the forecast reaches the plans: on those of before nothing is bought."""
    box = {"charge_max": 10.0, "discharge_max": 10.0, "energy_max": 10.0, "energy_initial": 0.0}
    box |= {"eta_charge": 1.0, "eta_discharge": 1.0, "wear": 0.001}
    tree, battery = three_days(), xr.Dataset(box, {"battery": ["box"]})
    tree["battery"] = xr.DataTree(battery)
    price = tree["energy"].price.to_numpy().copy()
    price[0, :48] = price[0, :48][::-1]
    price[1] = price[0]
    tree["energy"] = tree["energy"].to_dataset().assign(price=(("market", "time"), price))

    def steps_at_work(forecast: str) -> list[list[int]]:
        result = v2g.simulate(tree, forecast=forecast, start="2026-01-07", hindsight=False)
        powers = (result["battery"][name].to_numpy().ravel() for name in ("charge", "discharge"))
        return [np.flatnonzero(power > 1e-6).tolist() for power in powers]

    assert steps_at_work("published") == [[0], [23]]
    assert steps_at_work("naive") == [[], []]
