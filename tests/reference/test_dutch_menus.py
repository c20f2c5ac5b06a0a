"""A menu designed with the plan of Dutch stays of 2019: the values of an independent program (numpy
and scipy) that tabulates what each stay earns with each allowance, at steps of 0.05 kWh.

The first 30 stays of March that last three hours, of which 28 can give something; all prices are
known, 11 kW, five types of owners as likely each; charging and discharging at once is let be, as
there. The table of a class lies on or below what its stays earn, so that its program is a bound
from below.
"""

import numpy as np
import pytest
import xarray as xr
from pytest import approx
from reference.test_dutch_contracts import END, FIRST, MANY, THETA, station, stays_within

import v2g_linopy as v2g

DATA = {"theta": THETA, "share": 0.2, "wear": 0.01, "term": 3.0}


@pytest.fixture(scope="module")
def thirty() -> xr.DataTree:
    """Imbalance is all that is traded, and known."""
    sessions = stays_within((FIRST, END))
    hours = (sessions.departure - sessions.arrival) / np.timedelta64(1, "h")
    kept = sessions.isel(session=np.flatnonzero(hours.to_numpy() >= 3)[:30])
    tree = station(kept, "2019-03-04", "2019-03-18")
    energy, known = tree["energy"].to_dataset(), tree["imbalance"].to_dataset().price_long
    price = (0 * energy.price + known.to_numpy()).assign_attrs(energy.price.attrs)
    tree["energy"] = xr.DataTree(energy.assign(price=price))
    return tree.drop_nodes(["imbalance", "gates"])


def test_one_menu_for_all_stays(thirty):
    """In closed form on the table 3.634238751 EUR with energies of 0, 7.7, 12.1, 13.75 and 13.75
    kWh, at bends of the table; where owners who cannot give their contract take a smaller one, the
    same menu is worth 4.150143714 EUR.
    """
    found = v2g.integrated_menu(thirty, **DATA, power=11.0, options={"complementarity": "off"})
    told = found["menu"]
    assert (float(told.stays), float(told.stays_with_contract)) == (30, 28)
    assert float(told.plan_value) == approx(3.634238751453, abs=1e-6)
    assert found["contract"].energy.to_numpy() == approx([0, 7.7, 12.1, 13.75, 13.75], abs=1e-6)
    assert float(told.choice_value) == approx(4.150143714107, abs=1e-6)
    assert float(told.compatibility) >= -1e-9 and float(told.rationality) >= -1e-9


@pytest.mark.skipif(not MANY, reason="three more plans of 14 days: make prove")
def test_classes_by_what_a_session_can_give(thirty):
    """From 10, 20 and 33 kWh on: 7, 8 and 9 stays. Each owner can give its contract, so that the
    menu is worth what was planned, 4.2903 EUR and more than a single menu; on the table 4.290263.
    """
    options = {"complementarity": "off"}
    found = v2g.integrated_menu(thirty, **DATA, class_room=[10.0, 20.0, 33.0], options=options)
    told = found["menu"]
    assert told.stays_with_contract.to_numpy().tolist() == [7, 8, 9]
    assert 4.290263290 - 1e-6 <= float(told.plan_value) <= 4.290263290 + 1e-3
    assert float(told.choice_value) == approx(float(told.plan_value), abs=1e-6)
    assert float(told.class_compatibility.min()) >= -1e-9
