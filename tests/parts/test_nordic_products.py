"""Nordic products by name: what batteries and chargers may sell by the requirements for limited
reservoirs.
"""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from cases import case, market, row, storage, vehicle
from pytest import approx

import v2g_linopy as v2g
from v2g_linopy.parts.markets.reserve.nordic_products import (
    CATALOGUE,
    droop,
    management,
    reservoir_of,
)


def selling(
    tree: xr.DataTree, names: list[str], price: float = 1000.0, **changes: float
) -> xr.DataTree:
    """The case with products of the catalogue at a capacity price (EUR/MW/h); any volume unless
    told otherwise.
    """
    bids = {"minimum_bid": 0.0, "step": 0.0} | changes
    reserve = v2g.products(names, reservoir=reservoir_of(tree)).assign(
        bids | {"capacity_price": price}
    )
    tree["reserve"] = xr.DataTree(reserve)
    return tree


def resting(energy: float, on_board: float) -> xr.DataTree:
    """A lossless battery of 1 MW that trades nothing for one hour: it rests."""
    box = storage(charge_max=1000, discharge_max=1000, energy_max=energy, energy_initial=on_board)
    return case(None, market([0], limit=0), battery=box)


@pytest.mark.parametrize(
    ("names", "energy", "on_board", "sold"),
    [
        (["FCR-N"], 1000, 500, 500.0),
        (["FCR-N"], 2000, 1000, 1000 / 1.34),
        (["FCR-D up", "FCR-D down"], 1000, 500, 1000 / 1.2),
        (["FCR-D up"], 1000, 1000, 1000.0),
    ],
)
def test_limited_reservoirs(pipeline, names, energy, on_board, sold):
    """What the requirements let a 1 MW battery at rest sell, half full (full for upward reserve
    alone), in kW.

    FCR-N of 1 MWh is held back by its energy, an hour each way of 500 kWh; of 2 MWh by its power,
    1000 / 1.34. FCR-D both ways by the power of one direction and a fifth of the other, 1000 / 1.2;
    upward alone by nothing but its own MW. Proves power and energy per kW sold, summed over
    products; without NEM 2 MWh would sell 1000 kW."""
    result = pipeline(selling(resting(energy, on_board), names))
    assert row(result, "reserve.volume") == approx([sold] * len(names), abs=1e-4)
    assert result.attrs["profit"] == approx(sold * len(names), abs=1e-4)


def test_the_bids_of_the_catalogue(pipeline):
    """The same battery in whole bids: 1000 / 1.34 = 746 kW of FCR-N are seven lots of 0.1 MW; 833
    kW of FCR-D are below the megawatt that Fingrid asks for, but either way alone a megawatt can be
    sold.

    Proves the bids that come with a name; any volume would be 746, and 833 twice.
    """
    for names, volume in ((["FCR-N"], [700]), (["FCR-D up", "FCR-D down"], [0, 1000])):
        own = {n: v2g.products(names)[n] for n in ("minimum_bid", "step")}
        result = pipeline(
            selling(resting(2000 if len(names) == 1 else 1000, 1000 / len(names)), names, **own)
        )
        assert sorted(row(result, "reserve.volume")) == volume


def test_chargers_that_cannot_discharge_hold_two_hours(pipeline):
    """A car with 22 kWh on board needs 20 and draws up to 4 kW: 2 kWh above the need last 2 h at 1
    kW of FCR-D up.

    Proves the two-hour rule, chosen because nothing here can discharge; by the 20 minutes of a
    limited reservoir it would sell all of the 4 kW that it can stop drawing."""
    ev = vehicle(charge_max=4, energy_initial=22, energy_max=26, energy_min=[20])
    tree = selling(case(ev, market([0]), None), ["FCR-D up"])
    assert reservoir_of(tree) == "ample"
    assert row(pipeline(tree), "reserve.volume") == [1]
    assert float(tree["reserve"].down.sum()) == 0


@pytest.mark.parametrize(("back", "sold"), [(0.0, 1.0), (4.0, 6.0)])
def test_one_way_holds_two_hours_in_the_limited_table_too(pipeline, back, sold):
    """The same car in the table of limited reservoirs: 1 kW where it cannot feed in, as above, and
    6 kW where it can.

    With 2 kWh above the need, 20 minutes would allow 6 kW: 4 of charging that stops and more fed
    in. Proves the two-hour rule by member, so that the same case without discharging is compared by
    the rule that then holds."""
    ev = vehicle(
        charge_max=4, discharge_max=back, energy_initial=22, energy_max=26, energy_min=[20]
    )
    tree = case(ev, market([0]), None)
    tree["reserve"] = xr.DataTree(
        v2g.products(["FCR-D up"], reservoir="limited").assign(
            minimum_bid=0.0, step=0.0, down=0.0, capacity_price=1000.0
        )
    )
    assert row(pipeline(tree), "reserve.volume") == approx([sold])


def test_the_audit_knows_the_two_hours():
    """Solved without the rule the car sells 4 kW; read with it, 4 kW for two hours are 6 kWh more
    than it holds.
    """
    ev = vehicle(charge_max=4, energy_initial=22, energy_max=26, energy_min=[20])
    tree = case(ev, market([0]), None)
    offer = v2g.products(["FCR-D up"]).assign(
        minimum_bid=0.0, step=0.0, down=0.0, capacity_price=1000.0
    )
    tree["reserve"] = xr.DataTree(offer.assign(hours_one_way=0.0))
    result = v2g.solve(tree)
    assert row(result, "reserve.volume") == approx([4])
    result["reserve"] = result["reserve"].to_dataset().assign(hours_one_way=2.0)
    found = v2g.replay(result)
    assert found.attrs["passed"] == 0
    assert float(found["reserve.endurance_up_start_fleet"]) == approx(6)


def test_which_reservoir_a_case_has():
    idle, both = vehicle(), vehicle(discharge_max=[0, 4])
    assert reservoir_of(case(idle, market([0, 0]))) == "ample"
    assert reservoir_of(case({"a": idle, "b": both}, market([0, 0]))) == "limited"
    assert reservoir_of(resting(1000, 0)) == "limited"


def test_the_table_of_the_requirements():
    """Power up and down, energy up and down (h) per kW sold, and the same for two hours without
    management.
    """
    table = {
        "FCR-N": (1.34, 1.34, 1, 1),
        "FCR-D up": (1.00, 0.20, 1 / 3, 0),
        "FCR-D down": (0.20, 1.00, 0, 1 / 3),
        "mFRR up": (1, 0, 1, 0),
        "aFRR down": (0, 1, 0, 1),
    }
    ample = {"FCR-N": (1, 1, 2, 2), "FCR-D up": (1, 0, 2, 0), "FCR-D down": (0, 1, 0, 2)}
    fields = ["up", "down", "hours_up", "hours_down"]
    for kind, rows in (("limited", table), ("ample", table | ample)):
        read = v2g.products(rows, reservoir=kind)
        for name, numbers in rows.items():
            assert [float(read[f].sel(product=name)) for f in fields] == approx(numbers)


def test_thresholds_of_management():
    """Minutes of full activation left (Table 11): NEM from 30 to 57.5 for FCR-N, at 20 for FCR-D;
    AEM from 5 to 10.
    """
    read = management(["FCR-N", "FCR-D down"])
    assert read.nem_enable.values.tolist() == [30, 20] and read.nem_disable.values.tolist() == [
        57.5,
        20,
    ]
    assert read.aem_enable.values.tolist() == [5, 5] and read.aem_disable.values.tolist() == [
        10,
        10,
    ]
    assert read.low.values.tolist() == [1, 0] and read.high.values.tolist() == [1, 1]
    assert read.nem.values.tolist() == [0.34, 0.20]


def test_every_product_makes_a_case():
    """All of them at once are read without a problem, with a unit for every number."""
    tree = resting(1000, 500)
    tree["reserve"] = xr.DataTree(v2g.products(CATALOGUE))
    assert not [note for note in v2g.check(tree) if "reserve" in note and "no units" in note]


def test_droop():
    """FCR-N is full at a tenth of a hertz, FCR-D begins there and is full at half a hertz; + is
    upward.
    """
    time = pd.date_range("2026-01-05", periods=6, freq="s", name="time")
    f = xr.DataArray([50.0, 49.95, 49.9, 49.7, 49.4, 50.3], coords={"time": time})
    read = droop(f, ["FCR-N", "FCR-D up", "FCR-D down"])
    assert read.dims == ("product", "time")
    np.testing.assert_allclose(read.sel(product="FCR-N"), [0, 0.5, 1, 1, 1, -1], atol=1e-9)
    np.testing.assert_allclose(read.sel(product="FCR-D up"), [0, 0, 0, 0.5, 1, 0], atol=1e-9)
    np.testing.assert_allclose(read.sel(product="FCR-D down"), [0, 0, 0, 0, 0, -0.5], atol=1e-9)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: v2g.products(["FCR-M"]), "'FCR-M' is no product; did you mean FCR-N"),
        (lambda: v2g.products(["FCR-N", "FCR-N"]), "FCR-N appears more than once"),
        (lambda: v2g.products([]), "name at least one product"),
        (lambda: v2g.products("FCR-N", reservoir="big"), "'big' is not one of limited, ample"),
        (
            lambda: droop(xr.DataArray([50.0], dims="time"), ["mFRR up"]),
            "mFRR up follows no frequency",
        ),
    ],
)
def test_what_is_refused(call, words):
    with pytest.raises(v2g.SchemaError, match=words):
        call()
