"""At negative prices a linear battery would burn energy by charging and discharging at once; a
single vehicle does not."""

import pytest
from cases import case, market, product, row, storage, vehicle
from pytest import approx
from stories import assert_proven

import v2g_linopy as v2g

FULL = vehicle(
    discharge_max=10, energy_max=10, energy_initial=10, eta_charge=1.0, eta_discharge=0.8
)


@pytest.mark.parametrize("mode", ["lazy", "milp"])
def test_a_full_vehicle_burns_nothing(pipeline, mode):
    """A full battery at -100 EUR/MWh can only wait: 0 EUR.

    Proves the binaries: 10 kW in and 8 kW out at once would draw 2 kWh and be paid 0.20.
    """
    result = pipeline(case(FULL, market([-100])), complementarity=mode)
    assert result.attrs["profit"] == approx(0, abs=1e-9)
    assert (
        max(map(min, zip(row(result, "fleet.charge"), row(result, "fleet.discharge"), strict=True)))
        == 0
    )
    assert result.attrs["binaries"] == 1
    assert "no vehicle charges and discharges at once" in result.attrs["complementarity"]


def test_lazy_says_what_the_relaxation_overstated():
    """As above: 0.20 EUR, in the words of the result."""
    result = v2g.solve(case(FULL, market([-100])))
    assert "overstated the objective by 0.2 EUR" in result.attrs["complementarity"]


def test_audit_reports():
    """Mode `audit` keeps the linear plan and says that it is unphysical: 8 kW at once, 8 kWh."""
    result = v2g.solve(case(FULL, market([-100])), complementarity="audit")
    assert result.attrs["profit"] == approx(0.20)
    assert result.attrs["overlap_kw"] == approx(8)
    for words in ("unphysical", "8 kW", "8 kWh", "lazy or milp"):
        assert words in result.attrs["complementarity"]


BURNING = {"discharge_max": 10, "energy_max": 10, "energy_initial": 10, "eta_discharge": 0.8}
SORTS = {
    "vehicle": (vehicle(**BURNING), None),
    "battery": (None, storage(**BURNING)),
    "vehicle or battery": (vehicle(**BURNING), storage(**BURNING)),
}


@pytest.mark.parametrize(("kinds", "members"), SORTS.items(), ids=SORTS)
def test_the_words_name_what_they_are_about(kinds, members):
    """Vehicles, batteries or both: where it took binaries, where none were needed, and where the
    plan is unphysical.
    """
    car, box = members
    for price, words in ((-100, "it took"), (100, "no binaries were needed")):
        told = v2g.solve(case(car, market([price]), battery=box)).attrs["complementarity"]
        assert told.startswith(f"no {kinds} charges and discharges at once; ")
        assert words in told
    told = v2g.solve(case(car, market([-100]), battery=box), complementarity="audit").attrs[
        "complementarity"
    ]
    assert told.startswith(
        f"unphysical: a single {kinds} charges and discharges in one step, by up to 8 kW"
    )


def test_the_words_blame_only_the_one_that_does():
    """A battery that burns energy beside a car that cannot discharge: the car is not blamed."""
    mixed = case(vehicle(), market([-100]), battery=storage(**BURNING))
    told = v2g.solve(mixed, complementarity="audit").attrs["complementarity"]
    assert told.startswith("unphysical: a single battery charges")
    roof = case(None, market([50]), renewable={"available": 1.0})
    assert (
        v2g.solve(roof)
        .attrs["complementarity"]
        .startswith("no storage charges and discharges at once; ")
    )


def test_off_does_not_look():
    """Mode `off` returns the same linear plan and says that nobody looked."""
    result = v2g.solve(case(FULL, market([-100])), complementarity="off")
    assert result.attrs["profit"] == approx(0.20)
    assert result.attrs["complementarity"] == "not examined (complementarity off)"
    assert_proven(result)


def test_an_aggregate_may(pipeline):
    """A member that stands for many vehicles lets some charge while others discharge: 0.20 EUR,
    without binaries.
    """
    result = pipeline(case(FULL | {"aggregate": 1}, market([-100])))
    assert result.attrs["profit"] == approx(0.20)
    assert result.attrs["binaries"] == 0


def test_activation_both_ways_may(pipeline):
    """Where activation is expected up and down, charge and discharge are means of different
    moments: no rule, no binaries."""
    both = product(up=1, down=1, activation_up=0.2, activation_down=0.2, volume_max=[1])
    result = pipeline(case(FULL, market([-100]), both))
    assert result.attrs["binaries"] == 0


@pytest.mark.parametrize(("price", "binaries", "linear"), [(-39, 0, 0.0), (-41, 1, 0.002)])
def test_threshold_price(price, binaries, linear):
    """Lossy cycling of 10 kWh draws 2 and wears 10 x 0.008 EUR: worth it below -0.08 / 2 kWh = -40
    EUR/MWh.

    Just above it the linear programme is exact and no binary is spent; just below it would gain
    0.002 EUR."""
    worn = case(FULL | {"wear": 0.008}, market([price]))
    result = v2g.solve(worn)
    assert result.attrs["binaries"] == binaries
    assert result.attrs["profit"] == approx(0, abs=1e-9)
    assert v2g.solve(worn, complementarity="off").attrs["profit"] == approx(linear, abs=1e-9)


@pytest.mark.parametrize(("second", "binaries"), [(-39, 1), (-41, 2)])
def test_wear_spares_binaries(second, binaries):
    """At -200 EUR/MWh the worn car needs a binary; the next hour needs one below -40 EUR/MWh only,
    as above.

    Proves wear in the threshold: without it every hour with a negative price would get a binary.
    """
    result = v2g.solve(case(FULL | {"wear": 0.008}, market([-200, second])))
    assert result.attrs["binaries"] == binaries
    assert result.attrs["profit"] == approx(0, abs=1e-9)


def test_binaries_only_where_they_matter():
    """Hours at 30, -100, -100 and 60 EUR/MWh: 8 kWh sold, 10 drawn once in the two hours below
    zero, 8 sold: 0.24 + 1.00 + 0.48 EUR.

    Two binaries for the two hours below zero; the linear plan would burn 2 kWh there for another
    0.20."""
    swing = case(FULL, market([30, -100, -100, 60]))
    result = v2g.solve(swing)
    assert result.attrs["binaries"] == 2
    assert result.attrs["profit"] == approx(1.72)
    assert v2g.solve(swing, complementarity="audit").attrs["profit"] == approx(1.92)
    assert_proven(result)


def test_drivers_who_pay_for_losses_do_not_hide_it():
    """A retail credit of 0.20 EUR/kWh on net energy makes cycling pay at +50 EUR/MWh: net energy
    drawn earns 0.15 EUR per kWh.

    A full car waits (0 EUR) where the linear plan would draw 2 kWh for 0.30. Proves that the
    threshold is the total price, not the market's."""
    paid = case(FULL | {"retail_price": 0.2}, market([50]))
    assert v2g.solve(paid, complementarity="off").attrs["profit"] == approx(0.30)
    assert v2g.solve(paid).attrs["profit"] == approx(0, abs=1e-9)


def test_waste_that_trades_want_is_excluded_in_one_go():
    """Four full cars of 10 to 7 kWh sell 0.8 of them at 90 EUR/MWh; what is bought at 30, up to 8
    kW, would pass through one of them.

    That would earn 6.4 kWh x 0.09 - 8 kWh x 0.03 = 0.336 EUR more, in any of them: one solve more
    excludes it for all."""
    cars = {f"ev-{k}": FULL | {"energy_initial": k, "energy_max": k} for k in (10, 9, 8, 7)}
    prices = {"day_ahead": market([90], limit=100), "intraday": market([30], limit=8)}
    wasteful = case(cars, prices)
    assert v2g.solve(wasteful, complementarity="off").attrs["profit"] == approx(
        34 * 0.8 * 0.09 + 0.336
    )
    result = v2g.solve(wasteful)
    assert result.attrs["profit"] == approx(34 * 0.8 * 0.09)
    assert "4 binaries in 1 extra solve" in result.attrs["complementarity"]


@pytest.mark.parametrize("kind", ["battery", "fleet"])
def test_no_binaries_where_nothing_is_stored(kind):
    """A full battery that is paid to draw takes one binary; one of 0 kWh beside it has no power,
    and takes none.
    """
    full, none = (
        {"energy_initial": 10, "eta_discharge": 0.8},
        {"energy_max": 0, "energy_initial": 0},
    )
    if kind == "battery":
        tree = case(
            None, market([-100]), battery={"full": storage(**full), "none": storage(**none)}
        )
    else:
        both = {"energy_max": 10, "discharge_max": 10}
        tree = case(
            {"full": vehicle(**both | full), "none": vehicle(**both | none)}, market([-100])
        )
    assert v2g.solve(tree, complementarity="milp").attrs["binaries"] == 1
