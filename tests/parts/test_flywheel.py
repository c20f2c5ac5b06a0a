"""A part from outside the package, the flywheel of CONTRIBUTING, stands everywhere: in the ladder,
the bill, the report, the explanation; it can have forecasts, and scenarios draw it.
"""

import importlib.util
import re
from pathlib import Path

import pandas as pd
import pytest
import xarray as xr
from cases import case, market, vehicle
from pytest import approx

import v2g_linopy as v2g
from v2g_linopy.report import tables
from v2g_linopy.report.page.write import render
from v2g_linopy.report.result_view import ResultView

GUIDE = Path(__file__).resolve().parents[2] / "CONTRIBUTING.md"
RENT = "rent of the flywheels"
WITHOUT = {name: part for name, part in v2g.PARTS.items() if name != "flywheel"}
"""The catalogue as it is without a flywheel, also where one has been added to it."""

WHEEL = {"power_max": 10.0, "energy_max": 10.0, "keep": 0.9, "rent": 0.002}


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """The catalogue and the flywheel, from the text of CONTRIBUTING as it stands."""
    code = re.findall(r"^```python\n(.*?)^```$", GUIDE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    path = tmp_path_factory.mktemp("outside") / "flywheel.py"
    path.write_text(code[0], encoding="utf-8")
    spec = importlib.util.spec_from_file_location("flywheel", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return WITHOUT | {"flywheel": module.PART}


def with_wheel(tree: xr.DataTree, **fields) -> xr.DataTree:
    """The case and one flywheel, w-1, at the pod of the others."""
    given = {
        name: ("flywheel", [x]) if isinstance(x, float | str) else x
        for name, x in (WHEEL | fields).items()
    }
    tree["flywheel"] = xr.DataTree(xr.Dataset(given, coords={"flywheel": ["w-1"]}))
    return tree


@pytest.fixture(scope="module")
def compared(parts):
    """A vehicle without a need and a flywheel share a pod of 10 kW in and out; prices are 20, then
    80 EUR/MWh.
    """
    car = vehicle(charge_max=10, discharge_max=10, energy_max=[10, 10], energy_min=[0, 0])
    pod = {"import_max": 10.0, "export_max": 10.0}
    return v2g.compare(with_wheel(case(car, market([20, 80]), None, pod)), parts=parts)


def test_ladder(compared):
    """Until the vehicle may feed in, the flywheel buys 10 kWh at 20 and sells 9 at 80 EUR/MWh for a
    rent of 0.018 EUR. The vehicle loses nothing and takes its place: 0.52 become 0.60 EUR of
    energy, and the rent is saved, which its part declares to be wear.
    """
    ladder = compared["ladder"].to_dataset()
    rent = ladder.ledger.sel(entry="flywheel.rent")
    assert rent.sel(rung=["unmanaged", "smart", "V2G"]).values.tolist() == approx(
        [-0.018, -0.018, 0.0], abs=1e-9
    )
    step = ladder.step.sel(rung="V2G")
    assert float(step.sel(cause="wear")) == approx(0.018)
    assert float(step.sel(cause="energy")) == approx(0.08)
    assert float(step.sel(cause="other")) == approx(0.0, abs=1e-9)


@pytest.fixture(scope="module")
def planned(parts):
    """The flywheel alone, at the pod north: -0.2 + 0.36 - 0.018 EUR."""
    return v2g.solve(with_wheel(case(None, market([20, 40])), pod="north"), parts=parts)


def test_bill(planned, parts):
    """The rent of 9 kWh stands at the pod of the flywheel, in words; without its part there are
    neither.
    """
    table = tables.monthly(planned, parts=parts).set_index("entry").loc["flywheel.rent"]
    assert (table.description, table.pod) == (RENT, "north")
    assert table.amount == approx(-0.018)
    stranger = tables.monthly(planned, parts=WITHOUT).set_index("entry").loc["flywheel.rent"]
    assert (stranger.description, stranger.pod) == ("flywheel: rent", "")


def test_report(planned, parts):
    """The page draws the flywheel at the meter and names its entry; without its part it has no
    meter.
    """
    page = render(planned, parts=parts)
    assert RENT in page and "1 flywheel;" in page
    assert ">flywheels<" in page.replace("\n", "") and "Power balance at the meter" in page
    assert "Power balance at the meter" not in render(planned, parts=WITHOUT)


def test_power_at_the_meter(planned, parts):
    """10 kW drawn, 9 kW fed in; without flexibility it would stand still."""
    meter = ResultView.of(planned, parts=parts).meter.sel(asset="flywheel", pod="north")
    assert meter.drawn.values.tolist() == approx([10, 0])
    assert meter.fed.values.tolist() == approx([0, 9])
    assert meter.before.values.tolist() == [0, 0]
    assert tables.kpi(planned, parts=parts)["assets"]["flywheel"]["fed_in_kWh"] == approx(9)


def test_schedule(planned, parts):
    """Rows of the flywheel, of all flywheels, and of the meter."""
    rows = tables.schedule(planned, parts=parts)
    own = rows[(rows.asset == "flywheel") & (rows.member == "w-1")]
    assert own.drawn_kW.tolist() == approx([10, 0])
    assert own.energy_kWh.tolist() == approx([10, 0])
    assert rows[rows.asset == "meter"].fed_in_kW.max() == approx(9)


def test_explanation(parts):
    """Full speed binds, in the words of its part; the balance is no limit."""
    car = vehicle(charge_max=10, energy_max=[10, 10], energy_min=[0, 0])
    told = v2g.explain(
        v2g.solve(with_wheel(case(car, market([20, 40])), power_max=20.0), parts=parts), parts=parts
    )
    assert "flywheel at full speed" in told and "flywheel.balance" not in told


def operated(parts, rent, forecast, vintage=None, **options):
    """Operate a flywheel of 10 kWh that keeps all, by half days; imbalance earns nothing."""
    prices = [20, 40] * (len(rent) // 2)
    tree = case(None, market(prices), imbalance={"price_long": 0, "price_short": 1e3, "limit": 100},
                step="12h")  # fmt: skip
    length = {"power_max": 10 / 12, "keep": 1.0}
    rent_over_time = (("flywheel", "time"), [rent])
    tree = with_wheel(tree, rent=rent_over_time, **length)
    if vintage is not None:
        tree["vintage"] = xr.DataTree(
            xr.Dataset(
                {"flywheel.rent": (("vintage", "time"), [vintage])},
                coords={"vintage": tree.time.values[:1], "time": tree.time.values},
            )
        )
    return v2g.simulate(
        tree, parts=parts, forecast=forecast, every=12.0, window=24.0, ahead=0.0, **options
    )


def test_forecast_of_the_file(parts):
    """10 kWh earn 0.20 EUR less a rent of 0.02. `/vintage` says 1 EUR/kWh: nothing is bought, and
    0.18 EUR are the regret.
    """
    result = operated(parts, [0.002, 0.002], "vintage", vintage=[1.0, 1.0])
    assert result.attrs["profit"] == approx(0.0, abs=1e-9)
    assert result.attrs["regret"] == approx(0.18)


def test_forecast_of_an_earlier_day(parts):
    """On the second day a plan expects the rent of the first, as its field is uncertain: 1 EUR/kWh,
    so nothing is bought.
    """
    rent = [1.0, 1.0, 0.002, 0.002]
    result = operated(parts, rent, "naive", start=pd.Timestamp("2026-01-06"))
    assert result.attrs["profit"] == approx(0.0, abs=1e-9)
    assert result.attrs["regret"] == approx(0.18)
    known = operated(parts, rent, "perfect", start=pd.Timestamp("2026-01-06"))
    assert known.attrs["profit"] == approx(0.18)


def test_scenarios(parts):
    """Rent and price are drawn by whole days: each day of a scenario has the rent of one of the two
    days, and the price of the same. Asked for by name, the rent is drawn alone.
    """
    tree = case(None, market([20, 40, 60, 80]), step="12h")
    rent = [0.002, 0.004, 0.006, 0.008]
    tree = with_wheel(tree, rent=(("flywheel", "time"), [rent]), power_max=1.0)
    made = v2g.scenarios(tree, n=8, seed=2, parts=parts)
    drawn, price = made["flywheel"].rent.isel(flywheel=0), made["energy"].price.isel(market=0)
    assert drawn.sizes == {"scenario": 8, "time": 4}
    assert (1e4 * drawn).values.ravel().tolist() == approx(price.values.ravel().tolist())
    assert float(drawn.std("scenario").max()) > 0
    assert v2g.solve(made, parts=parts)["audit"].attrs["passed"]
    only = v2g.scenarios(tree, n=2, vary=["flywheel.rent"], parts=parts)
    assert "scenario" not in only["energy"].price.dims
