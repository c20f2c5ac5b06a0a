"""What each market of a sequence adds."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import v2g_linopy as v2g
from v2g_linopy.operate.stage_values import stages_of


def plant(intraday: float) -> xr.DataTree:
    """10 kW of sun for 4 h; 50 EUR/MWh a day ahead, another price within the day; the later market
    is named first.
    """
    time = pd.date_range("2026-03-02", periods=4, freq="h", name="time")
    price = np.outer([intraday, 50.0], np.ones(4))
    groups = {
        "renewable": xr.Dataset(
            {"available": (("renewable", "time"), np.full((1, 4), 10.0))}, {"renewable": ["sun"]}
        ),
        "energy": xr.Dataset(
            {"price": (("market", "time"), price), "limit": 100.0},
            {"market": ["intraday", "day_ahead"], "time": time},
        ),
        "gates": xr.Dataset(
            {"lead": ("gate", [1.0, np.nan]), "hour": ("gate", [np.nan, 12.0])},
            {"gate": ["intraday", "day_ahead"]},
        ),
    }
    return v2g.assemble(time, groups)


@pytest.mark.parametrize(("intraday", "both"), [(60.0, 2.4), (40.0, 2.0)])
def test_each_market_in_the_order_of_its_gate(intraday, both):
    """Alone, day-ahead pays 10 kW x 4 h x 50 EUR/MWh = 2 EUR; at 60 within the day all is sold
    there: 0.40 more.

    At 40 the second market adds nothing. In the order of the data intraday would stand first, with
    2.40."""
    case = plant(intraday)
    assert stages_of(case) == [("energy", "day_ahead"), ("energy", "intraday")]
    stages = v2g.stage_values(case)
    assert list(stages.stage.values) == ["day_ahead", "intraday"]
    assert stages.profit.values == pytest.approx([2.0, both])
    assert np.isnan(stages["value"].values[0])
    assert float(stages["value"][1]) == pytest.approx(both - 2.0)
    assert stages["value"].attrs["units"] == "EUR"


def test_energy_comes_first_of_two_that_close_together():
    """Without gates all close at delivery: then energy stands before reserves, though the catalogue
    lists reserves first, as they are built first.
    """
    case = plant(60.0)
    del case["gates"]
    hourly = xr.Dataset({"up": 1.0, "down": 0.0, "volume_max": 5.0}, {"product": ["up"]})
    case["reserve"] = xr.DataTree(hourly)
    assert stages_of(case) == [("energy", "intraday"), ("energy", "day_ahead"), ("reserve", "up")]


def test_a_run_that_is_known_is_not_repeated():
    """The last stage is the run itself: its profit is taken as it is, here a wrong one to show
    that.
    """
    result = v2g.simulate(plant(60.0), hindsight=False)
    result.attrs["profit"] = 7.0
    assert v2g.stage_values(plant(60.0), result).profit.values == pytest.approx([2.0, 7.0])
