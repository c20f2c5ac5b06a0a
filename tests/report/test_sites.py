"""Sites and portfolios: the meter, its tables and figures, and the bill by month, against a plan
found by hand.
"""

import json
import re

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from cases import case, electrolyser, engine, market, storage, vehicle
from made_results import result
from test_page import Page

import v2g_linopy as v2g
from v2g_linopy.errors import SchemaError
from v2g_linopy.report import bill, tables
from v2g_linopy.report.figures import all as figures
from v2g_linopy.report.figures.site import energies
from v2g_linopy.report.page import write
from v2g_linopy.report.page.key_figures import tiles
from v2g_linopy.report.power_at_meter import net
from v2g_linopy.report.result_view import ResultView

PRICES = [50.0, 20.0, 30.0, 100.0]


def two_pods(**more):
    """A house with a box at `home`, a roof at `farm`, 22:00 on 31 March to 2:00 on 1 April in Rome.

    The box fills with 10 kWh at 20 and sells them at 100 EUR/MWh: at the meter of home 5, 15, 5, -5
    kW, at that of farm 0, -8, -8, 0. Without flexibility home draws 5 kW all along."""
    return case(
        None,
        market(PRICES),
        battery={"box": storage(wear=0.01, pod="home")},
        load={"house": {"baseline": 5.0, "pod": "home"}},
        renewable={"roof": {"available": [0.0, 8.0, 8.0, 0.0], "cost": 0.005, "pod": "farm"}},
        start="2026-03-31T20:00",
        timezone="Europe/Rome",
        **more,
    )


@pytest.fixture(scope="module")
def solved() -> xr.DataTree:
    return v2g.solve(two_pods())


def test_the_meter_is_what_the_assets_draw_and_feed_in(solved):
    """Signs, pods and the rigid counterpart, step by step."""
    meter = ResultView.of(solved).meter
    power = net(meter)
    np.testing.assert_allclose(power.sel(pod="home"), [5, 15, 5, -5], atol=1e-9)
    np.testing.assert_allclose(power.sel(pod="farm"), [0, -8, -8, 0], atol=1e-9)
    np.testing.assert_allclose(meter["before"].sel(pod="home"), 5)
    np.testing.assert_allclose(meter["before"].sel(pod="farm"), [0, -8, -8, 0])


def test_without_flexibility_is_the_baseline_all_sun_and_unmanaged_charging():
    """At -100 EUR/MWh the roof is curtailed and the load drawn ahead: the meter without flexibility
    sees neither.

    The car arrives with 0 of 10 kWh needed after three hours and is charged at once, at 10 kW.
    """
    car = vehicle(
        energy_min=[0.0, 0.0, 10.0, 0.0], charge_max=[10.0, 10.0, 10.0, 0.0], energy_max=10.0
    )
    plan = v2g.solve(
        case(
            {"ev": car},
            market([10.0, -100.0, 10.0, 10.0]),
            load={"house": {"baseline": 4.0, "shift_up_max": 4.0, "shift_down_max": 4.0}},
            renewable={"roof": {"available": 6.0}},
        )
    )
    meter = ResultView.of(plan).meter
    np.testing.assert_allclose(meter["before"].sel(pod="site"), [4 - 6 + 10, -2, -2, -2], atol=1e-9)
    planned = net(meter).sel(pod="site")
    assert float(planned[1]) == pytest.approx(
        4 + 4 + 10
    )  # baseline, drawn ahead, the car; nothing from the roof


def test_heat_is_no_load_of_the_meter():
    """10 kW of heat come from an engine that makes 10 kW of electricity with them: the meter sees
    those alone.

    Engines run as planned without flexibility; the schedule has the heat in columns of its own.
    """
    heating = {"baseline": [10.0, 10.0], "carrier": "heat"}
    plan = v2g.solve(case(None, market(20.0), load={"heating": heating}, chp={"engine": engine()}))
    meter = ResultView.of(plan).meter
    np.testing.assert_allclose(net(meter).sel(pod="site"), [-10, -10], atol=1e-9)
    np.testing.assert_allclose(meter["before"].sel(pod="site"), [-10, -10], atol=1e-9)
    table = tables.schedule(plan).set_index(["asset", "member"])
    assert list(table.loc[("load", "heating"), "heat_drawn_kW"]) == [10, 10]
    assert table.loc[("load", "heating"), "drawn_kW"].isna().all()
    assert ("loads", "20", "kWh", "of heat drawn") in [
        tuple(tile.values()) for tile in tiles(ResultView.of(plan))
    ]
    assert list(table.loc[("chp", "engine"), "heat_fed_in_kW"]) == [10, 10]
    assert list(table.loc[("chp", "engine"), "fed_in_kW"]) == [10, 10]


def test_key_figures_of_sites(solved):
    """25 kWh drawn, 5 fed in at home; 16 fed in at the farm; together never more than 7 kW are
    drawn.
    """
    figures = tables.kpi(solved)
    json.dumps(figures, allow_nan=False)
    home, farm = figures["pods"]
    assert (home["pod"], home["import_kWh"], home["export_kWh"]) == (
        "home",
        pytest.approx(25),
        pytest.approx(5),
    )
    assert (farm["pod"], farm["import_kWh"], farm["export_kWh"]) == (
        "farm",
        pytest.approx(0),
        pytest.approx(16),
    )
    assert home["peak_import_kW"] == pytest.approx(15)
    assert home["peak_without_flexibility_kW"] == pytest.approx(5)
    assert figures["power"]["peak_import_kW"] == pytest.approx(7)
    assert figures["power"]["peak_export_kW"] == pytest.approx(5)
    assert figures["power"]["peak_without_flexibility_kW"] == pytest.approx(5)
    assert figures["assets"]["battery"]["equivalent_full_cycles"] == pytest.approx(1)
    assert figures["assets"]["renewable"]["fed_in_kWh"] == pytest.approx(16)
    assert figures["unit"] == "EUR per year"
    assert (home["own_bill"], farm["own_bill"]) == (pytest.approx(-0.10), pytest.approx(-0.08))


def test_the_bill_by_month_adds_up(solved):
    """The local month turns at 22:00 UTC: by hand 5 x 50 + 7 x 20 bought in March, 3 x 30 + 5 x 100
    sold in April.
    """
    table = bill.monthly(solved)
    cell = table.set_index(["entry", "pod", "month"])["amount"]
    assert cell["energy.energy", "", "2026-03"] == pytest.approx(-0.39)
    assert cell["energy.energy", "", "2026-04"] == pytest.approx(0.59)
    assert cell["battery.wear", "home", "2026-03"] == pytest.approx(0)
    assert cell["battery.wear", "home", "2026-04"] == pytest.approx(-0.10)
    assert cell["renewable.cost", "farm", "2026-03"] == pytest.approx(-0.04)
    assert len(table) == 6
    assert table["amount"].sum() == pytest.approx(solved.attrs["profit"]) == pytest.approx(0.02)
    wide = bill.by_month(table)
    assert list(wide.columns) == ["2026-03", "2026-04", "sum"]
    assert wide["sum"].sum() == pytest.approx(0.02)
    assert [bill.total(t) for t in bill.by_pod(table).values()] == pytest.approx(
        [-0.10, -0.08, 0.20]
    )


def test_a_lump_sum_stands_over_the_horizon_and_months_where_they_belong(solved):
    """An entry without time belongs to no month; one on (pod, month) stands in its month, at its
    pod.
    """
    plan = solved.copy()
    pods, months = ["home", "farm"], ["2026-03", "2026-04"]
    peak = xr.DataArray(
        [[-1.0, -2.0], [-4.0, -8.0]], coords={"pod": pods, "month": months}, dims=("pod", "month")
    )
    fixed = xr.DataArray([-16.0, -32.0], coords={"pod": pods}, dims="pod")
    plan["ledger"] = (
        plan["ledger"].to_dataset().assign({"connection.peak": peak, "connection.fixed": fixed})
    )
    table = bill.monthly(plan)
    cell = table.set_index(["entry", "pod", "month"])["amount"]
    assert cell["connection.peak", "home", "2026-04"] == -2
    assert cell["connection.peak", "farm", "2026-03"] == -4
    assert cell["connection.fixed", "farm", bill.HORIZON] == -32
    assert list(bill.by_month(table).columns) == ["2026-03", "2026-04", bill.HORIZON, "sum"]
    assert table["amount"].sum() == pytest.approx(0.02 - 63)
    assert tables.kpi(plan)["pods"][1]["own_bill"] == pytest.approx(-0.08 - 44)


def test_the_bill_of_scenarios_is_their_mean():
    """Half of the days the price is 40, half of them 80: ten kWh drawn cost 0.60 EUR in the
    mean.
    """
    price = {"low": 40.0, "high": 80.0}
    plan = v2g.solve(
        case(
            None,
            market(price),
            load={"house": {"baseline": [10.0]}},
            scenarios={"low": 0.5, "high": 0.5},
        )
    )
    table = bill.monthly(plan)
    assert table["amount"].sum() == pytest.approx(-0.6) == pytest.approx(plan.attrs["profit"])


def test_penalties_stand_apart():
    """1.5 kWh missing cost 15 EUR of the objective, and none of profit."""
    plan = result(unserved=1.5)
    table = bill.monthly(plan)
    assert table.loc[table["penalty"] == 1, "amount"].sum() == pytest.approx(-15)
    assert bill.total(table) == pytest.approx(plan.attrs["profit"])


def test_schedule_of_a_site_is_one_long_table(solved):
    """Every asset, its total and every meter in each step; the meters are the sum of what stands
    behind them.
    """
    table = tables.schedule(solved)
    assert list(table.columns)[:6] == ["time", "asset", "member", "pod", "drawn_kW", "fed_in_kW"]
    assert len(table) == 4 * (3 * 2 + 3)
    one = table[table["time"] == "2026-03-31T23:00+02:00"].set_index(["asset", "member"])
    assert one.loc[("battery", "box"), "drawn_kW"] == 10
    assert one.loc[("battery", "box"), "energy_kWh"] == 10
    assert one.loc[("renewable", "roof"), "fed_in_kW"] == 8
    assert one.loc[("meter", "home"), "drawn_kW"] == 15
    assert one.loc[("meter", "total"), "drawn_kW"] == 15
    assert one.loc[("meter", "total"), "fed_in_kW"] == 8
    assert np.isnan(one.loc[("load", "house"), "energy_kWh"])
    members = table[(table["asset"] != "meter") & (table["member"] != "total")]
    behind = (
        (members["drawn_kW"] - members["fed_in_kW"])
        .groupby([members["time"], members["pod"]])
        .sum()
    )
    meter = table[(table["asset"] == "meter") & (table["member"] != "total")].set_index(
        ["time", "pod"]
    )
    pd.testing.assert_series_equal(
        behind.sort_index(),
        (meter["drawn_kW"] - meter["fed_in_kW"]).sort_index(),
        check_names=False,
    )


def test_a_fleet_alone_keeps_its_columns():
    """What reads the schedule of a fleet today reads it tomorrow: new columns stand behind the old
    ones.
    """
    columns = ["time", "member", "charge_kW", "discharge_kW", "energy_kWh", "unserved_kWh"]
    held = ["baseline_drawn_kW", "baseline_fed_in_kW", "reserve_up_kW", "reserve_down_kW"]
    assert list(tables.schedule(result()).columns) == [
        *columns,
        *held,
        "price_day_ahead_EUR_per_MWh",
    ]


def heights(figure, label):
    """The upper edges of what is drawn under a name."""
    (patch,) = [p for p in figure.axes[0].patches if p.get_label() == label]
    return list(np.round(patch.get_data().values, 6))


def test_balance_stacks_to_the_line(solved):
    """At home the house lies next to zero, the box on top of it, below zero what it gives back; the
    line is the sum.
    """
    figure = figures.balance(solved, pod="home")
    assert heights(figure, "loads") == [5, 5, 5, 5]
    assert heights(figure, "batteries") == [5, 15, 5, 5]
    assert heights(figure, "at the meter") == [5, 15, 5, -5]
    assert heights(figures.balance(solved), "at the meter") == [5, 7, -3, -5]
    labels = figure.legends[0].get_texts()
    assert len({t.get_text() for t in labels}) == len(labels)
    with pytest.raises(SchemaError, match="did you mean home"):
        figures.balance(solved, pod="hom")


def test_balance_stacks_more_than_two():
    """5 kW of a house, 10 into a box and 10 into an electrolyser reach 25; the hour after, 5 and 10
    reach 15.
    """
    plan = v2g.solve(
        case(
            None,
            market([20.0, 90.0]),
            battery={"box": storage()},
            load={"house": {"baseline": 5.0}},
            hydrogen={"plant": electrolyser()},
        )
    )
    figure = figures.balance(plan)
    assert heights(figure, "loads") == [5, 5]
    assert heights(figure, "batteries") == [15, 5]
    assert heights(figure, "hydrogen plants") == [25, 15]
    assert heights(figure, "at the meter") == [25, 5]


def test_load_duration_is_sorted(solved):
    """Before and after, each in falling order; the same energy passes when nothing is lost."""
    figure = figures.load_duration(solved)
    assert heights(figure, "as planned") == [7, 5, -3, -5]
    assert heights(figure, "without flexibility") == [5, 5, -3, -3]
    assert heights(figures.load_duration(solved, pod="home"), "as planned") == [15, 5, 5, -5]


def test_a_long_curve_keeps_its_peak():
    """35 040 quarter-hours are drawn as at most 700 levels, the highest and the lowest among
    them.
    """
    load = np.random.default_rng(0).permutation(np.arange(35040.0))
    plan = v2g.solve(
        case(None, market(1.0, limit=1e6), load={"house": {"baseline": load}}, step="15min"),
        audit=False,
    )
    drawn = heights(figures.load_duration(plan), "as planned")
    assert (drawn[0], drawn[-1], len(drawn)) == (35039, 0, 700)


def test_what_comes_in_goes_out(solved):
    """Of each pod: 10 kWh from the box and 25 from the grid are 20 of the house, 10 into the box
    and 5 fed in.
    """
    table = energies(ResultView.of(solved))
    np.testing.assert_allclose(table["from"].sum("asset"), table["to"].sum("asset"))
    home = table.sel(pod="home")
    assert {str(a): float(home["from"].sel(asset=a)) for a in home.asset.values} == {
        "battery": pytest.approx(10), "load": 0, "renewable": 0, "grid": pytest.approx(25),
    }  # fmt: skip
    assert float(home["to"].sel(asset="grid")) == pytest.approx(5)
    bars = [b for b in figures.energy_flow(solved).axes[0].patches if b.get_width()]
    assert sum(b.get_width() for b in bars) == pytest.approx(2 * (35 + 16))


def test_the_page_of_a_site_without_a_fleet(solved):
    """Its own figures and tiles, and nothing of vehicles that are not there."""
    text = write.render(solved)
    parsed = Page(text)  # tags close in order
    assert len(set(parsed.ids)) == len(parsed.ids)
    for name in ("balance", "load_duration", "energy_flow", "bill", "shadow_prices"):
        assert write.CAPTIONS[name] in text
    assert text.count("<figure>") == 5
    for word in (
        "1 battery, 1 load, 1 solar or wind plant, at 2 points of delivery",
        "drawn from the grid",
        "2026-04",
    ):
        assert word in text
    assert not re.search(
        r"\bvehicles?\b(?! charge)", re.sub(r"<figure>.*?</figure>", "", text, flags=re.DOTALL)
    )
    assert "<summary>the portfolio: 0.20 EUR</summary>" in text


def test_the_page_of_a_fleet_alone_has_no_figures_of_a_site(no_pictures):
    """The dispatch shows it all."""
    text = write.render(result())
    assert write.CAPTIONS["balance"] not in text
    assert "By month" not in text


def test_many_pods_are_not_all_drawn():
    """Twelve pods have bars, those with most energy; the title says so."""
    load = {f"h{k}": {"baseline": [1.0 + k], "pod": f"p{k:02d}"} for k in range(20)}
    figure = figures.energy_flow(v2g.solve(case(None, market(10.0), load=load)))
    assert "12 of 20 pods" in figure.axes[0].get_title(loc="left")
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == [
        f"p{k:02d}" for k in range(8, 20)
    ]


def test_a_part_from_elsewhere_breaks_no_page(solved, no_pictures):
    """A result with a group that the catalogue does not know is drawn without the meter."""
    plan = solved.copy()
    plan["flywheel"] = xr.DataTree(xr.Dataset({"speed": 1.0}))
    assert write.CAPTIONS["balance"] not in write.render(plan)
    assert tables.kpi(plan)["pods"] == []
