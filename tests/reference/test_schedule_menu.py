"""The menu of contracts that Dutch stays of 2019 pay for, at day-ahead prices."""

import numpy as np
import pandas as pd
import xarray as xr
from pytest import approx
from reference_data import reference

import v2g_linopy as v2g

ETA, POWER, TERM = 0.95, 11.0, 3.0


def winter_stays() -> pd.DataFrame:
    """Stays of 14 January to 3 March with what is assumed of their batteries, which can give 10 kWh
    within a term of three hours.
    """
    stays = xr.open_dataset(reference("nl_sessions_2019.nc")).to_dataframe()
    stays = stays.sort_values(["arrival", "departure"])
    inside = (stays["arrival"] >= "2019-01-13 23:00") & (stays["departure"] <= "2019-03-03 23:00")
    stays = stays[inside]
    drawn = ETA * stays["energy"]
    stays["capacity"] = np.maximum(60, drawn / 0.97)
    stays["energy_need"] = 0.97 * stays["capacity"]
    stays["energy_arrival"] = stays["energy_need"] - drawn
    stays["energy_floor"] = np.minimum(0.03 * stays["capacity"], stays["energy_arrival"])
    hours = (stays["departure"] - stays["arrival"]) / pd.Timedelta(hours=1)
    reached = stays["energy_arrival"] + ETA * POWER * hours
    stays["energy_need"] = np.minimum(stays["energy_need"], reached)
    slack = POWER * (hours - stays["energy"] / POWER) / (1 + 1 / ETA**2)
    room = np.minimum(ETA * (stays["energy_arrival"] - 0.03 * stays["capacity"]), slack)
    return stays[(hours >= TERM) & (room >= 10)].drop(
        columns=["energy", "charge_time", "power_max", "connector"]
    )


def test_only_the_most_open_type_is_worth_its_payment():
    """150 stays: a kWh is worth 0.9 to 0.6 cents, so of five types only the last, who asks 0.67,
    has a contract: 6 kWh for 4 cents. The values are those of a linear program for each stay by
    itself (scipy, without this package).
    """
    able = winter_stays()
    assert len(able) == 593
    chosen = able.iloc[np.random.default_rng(0).choice(len(able), 150, replace=False)]
    sessions = xr.Dataset.from_dataframe(chosen.sort_values("arrival").rename_axis("session"))
    sessions = sessions.assign(charge_max=POWER, eta_charge=ETA, eta_discharge=ETA)

    local = xr.open_dataset(reference("nl_prices_2019.nc")).day_ahead.to_series()
    time = pd.date_range("2019-01-13 23:00", "2019-03-03 22:00", freq="h")
    prices = local.set_axis(local.index - pd.Timedelta(hours=1)).reindex(time)  # UTC in winter
    market = xr.Dataset({"day_ahead": ("time", prices.to_numpy())}, {"time": time})
    case = v2g.case_from_sessions(sessions, market, timezone="Europe/Amsterdam")

    table = v2g.schedule_table(case, [5, 6, 7, 10], term=TERM, power=POWER)
    assert table.attrs["stays_with_contract"] == 150
    assert table.table_value.to_numpy() == approx([0, 0.03914, 0.04594, 0.05246, 0.07084], abs=6e-6)
    found = v2g.menu(
        **table, utility="schedule", theta=[0.5, 0.75, 1, 1.25, 1.5], share=0.2, wear=0.01,
        term=TERM, power=POWER,
    )["contract"]  # fmt: skip
    assert found.energy.to_numpy() == approx([0, 0, 0, 0, 6])
    assert found.payment.to_numpy() == approx([0, 0, 0, 0, 0.04])
