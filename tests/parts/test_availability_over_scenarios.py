"""A reserve volume that is there in the mean of the worst scenarios (P90 as CVaR), not in each."""

import pytest
import xarray as xr
from cases import case, market, product, row, vehicle
from pytest import approx
from tampering import audit_of_tampered

import v2g_linopy as v2g

PLUGGED = {"few": 2.0, "some": 6.0, "many": 10.0, "most": 10.0}
QUARTERS = dict.fromkeys(PLUGGED, 0.25)


def pool(**fields: object) -> xr.DataTree:
    """Power to hold downward: 2, 6, 10 or 10 kW, each as likely; 10 EUR/MW/h."""
    offer = product(down=1, capacity_price=10) | fields
    return case(vehicle(charge_max=PLUGGED), market([30.0]), offer, scenarios=QUARTERS)


@pytest.mark.parametrize(
    ("availability", "volume"),
    [(1.0, 2.0), (0.9, 2.0), (0.75, 2.0), (0.5, 4.0), (0.25, 6.0), (0.0, 7.0)],
)
def test_the_mean_of_the_worst_covers_the_volume(pipeline, availability, volume):
    """Sold is the mean of the worst 1 - a: of the worst quarter 2, half (2 + 6) / 2, three quarters
    18 / 3, all 7 kW.

    Without the rule 2 kW are sold, what the worst scenario has. A chance constraint would sell 6 at
    0.75: CVaR is the stricter one."""
    result = pipeline(pool(availability=availability))
    assert row(result, "reserve.volume") == approx([volume] * 4)
    assert result.attrs["profit"] == approx(volume * 0.01)


def test_each_product_has_its_own_level(pipeline):
    """Two products that share the power: what one promises surely, 2 kW, the other cannot hold in
    the worst quarter.

    In the others it has 0, 4, 8 and 8 kW left: its worst half is 2 kW in the mean; it pays less,
    and is sold at 2."""
    offers = {
        "sure": product(down=1, capacity_price=20),
        "likely": product(down=1, capacity_price=10, availability=0.5),
    }
    result = pipeline(case(vehicle(charge_max=PLUGGED), market([30.0]), offers, scenarios=QUARTERS))
    assert row(result, "reserve.volume", product="sure") == approx([2] * 4)
    assert row(result, "reserve.volume", product="likely") == approx([2] * 4)


def test_without_scenarios_all_of_it_is_held(pipeline):
    """One future: what is sold is held, 6 kW."""
    tree = case(
        vehicle(charge_max=6.0),
        market([30.0]),
        product(down=1, capacity_price=10, availability=0.9),
    )
    result = pipeline(tree)
    assert row(result, "reserve.volume") == [6]
    assert float(result["audit"]["reserve.allocation"]) == approx(0, abs=1e-9)


@pytest.mark.parametrize("name", ["reserve.volume", "reserve.share_fleet"])
def test_a_promise_that_nobody_holds_is_found(name):
    """More volume, or less held, and the audit tells how much the worst half lacks in the mean."""
    honest = v2g.solve(pool(availability=0.5))
    assert v2g.replay(honest).attrs["passed"] == 1
    wrong = honest
    if name == "reserve.volume":
        group = honest["reserve"].to_dataset()
        wrong = honest.copy(deep=True)
        wrong["reserve"] = group.assign(volume=group.volume + 0.5)
        assert float(v2g.replay(wrong)["reserve.availability"]) == approx(0.5)
    else:
        group = honest["reserve"].to_dataset()
        wrong = honest.copy(deep=True)
        wrong["reserve"] = group.assign(
            share_fleet=group.share_fleet - 1.0 * (group["scenario"] == "few")
        )
        assert float(v2g.replay(wrong)["reserve.availability"]) == approx(0.5)
    assert audit_of_tampered(honest, "ledger.reserve.capacity", 0.01).attrs["passed"] == 0


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"availability": 0.9, "activation_down": 0.1}, "with activation expected"),
        ({"availability": 0.9, "first_stage": 0}, "decided once the scenario is known"),
        ({"availability": 1.1}, "allowed [0, 1]"),
        ({"availability": -0.1}, "allowed [0, 1]"),
    ],
)
def test_bad_input(fields, words):
    """What a promise over scenarios cannot be: activated in the plan, decided late, outside 0 to
    1.
    """
    with pytest.raises(v2g.SchemaError, match="reserve.availability") as caught:
        v2g.solve(pool(**fields))
    assert words in str(caught.value)
