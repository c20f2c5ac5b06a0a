"""What became of a menu in operation, by hand."""

import numpy as np
import pandas as pd
import pytest
from contracts_made import full_cars, menu, parked
from sessions_made import START

import v2g_linopy as v2g
from v2g_linopy.study.contract_outcome import (
    contracts_taken,
    entry_counts,
    has_contracts,
    preferred_contracts,
)

PRICE = [5.0, 5.0, 90.0, 30.0, *[5.0] * 20]
OPTIONS = {"policy": "rule", "forecast": "perfect", "bids": "none", "hindsight": False}


@pytest.fixture(scope="module")
def operated():
    """Cars that sell in one hour, at 4 kW: 2, 4 of 5 and 4 of 9 kWh. The last charger is off from
    the middle of that hour on, and one car leaves before the term.
    """
    kinds = ["low", "middle", "high", "high", "high"]
    cars = full_cars(*[(0, 8)] * 4, (0, 2), discharge_max=4.0)
    off = pd.DatetimeIndex([pd.NaT] * 3 + [START + pd.Timedelta(hours=2.5), pd.NaT])
    cars = cars.assign(
        type=("session", kinds), switched_off=("session", off.to_numpy("datetime64[ns]"))
    )
    return v2g.simulate(parked(cars, PRICE), contracts=menu(), **OPTIONS)


def test_who_took_what_and_why_not(operated):
    counts = entry_counts(operated)
    assert list(counts.index) == ["low", "middle", "high"]
    assert counts["taken"].tolist() == [1, 1, 2]
    assert counts["stay"].tolist() == [0, 0, 1]


def test_what_each_contract_came_to(operated):
    """Two of 9 kWh for 0.06 EUR: 4 kWh called of each, of which one misses 2: 0.06 (1 - 2/9)."""
    table = contracts_taken(operated).set_index("made_for")
    assert table["sessions"].to_dict() == {"low": 1, "middle": 1, "high": 2}
    assert table["called"].to_dict() == pytest.approx({"low": 2, "middle": 4, "high": 4})
    assert table["missed"].to_dict() == pytest.approx({"low": 0, "middle": 0, "high": 2})
    high = table.loc["high"]
    assert high["paid"] == pytest.approx(0.06 + 0.06 * 7 / 9)
    assert high["paid_per_kWh"] == pytest.approx((0.06 + 0.06 * 7 / 9) / 6)
    owed = float(operated["ledger"]["contract.owners"].sum())
    assert table["paid"].sum() == pytest.approx(-owed)


def test_at_the_calls_that_happened_the_largest_contract_is_best_for_all(operated):
    """4 kWh for 0.06 EUR: the low type, which asks 0.01, gains 0.02 and nothing by its own; the
    middle one, at 0.02 / 3, 0.06 - 0.0267 instead of 0.04 - 0.0267. If the 9 kWh were called, each
    would keep its own.
    """
    table = preferred_contracts(operated).set_index("type")
    assert table["prefers"].to_dict() == {"low": "high", "middle": "high", "high": "high"}
    assert table["own"].to_list() == pytest.approx([0.0, 0.04 - 0.08 / 3, 0.04], abs=1e-6)
    assert table["more"].to_list() == pytest.approx([0.02, 0.02, 0.0], abs=1e-6)
    in_full = preferred_contracts(operated, pd.Series([2.0, 5.0, 9.0])).set_index("type")
    assert in_full["prefers"].to_dict() == {"low": "low", "middle": "middle", "high": "high"}
    dear = preferred_contracts(operated, pd.Series([2.5, 5.5, 9.5])).set_index("type")
    assert dear.loc["low", "prefers"] == "none" and dear.loc["low", "more"] == pytest.approx(0.005)


def test_nothing_is_said_where_no_menu_was_offered():
    plain = v2g.simulate(parked(full_cars((0, 8)), PRICE), **OPTIONS)
    assert not has_contracts(plain)
    with pytest.raises(v2g.SchemaError, match="operate it with contracts"):
        contracts_taken(plain)
    cars = full_cars((0, 4), energy_floor=30.0)  # nothing above the floor: no room for a contract
    nobody = parked(cars.assign(type=("session", np.array(["low"]))), PRICE)
    none = v2g.simulate(nobody, contracts=menu(), **OPTIONS)
    assert contracts_taken(none).empty
    assert preferred_contracts(none)["prefers"].tolist() == ["none"] * 3
