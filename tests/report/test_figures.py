"""Figures: units on every axis, local clocks, and nothing that breaks them."""

import cases as by_hand
import matplotlib
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from contracts_made import menu
from made_results import result
from pictures import EDGES, made, pictures

import v2g_linopy as v2g
from v2g_linopy.report.figures import all as figures
from v2g_linopy.report.figures.accessor import ResultPlots
from v2g_linopy.report.figures.dispatch import corridor_of, least_charged
from v2g_linopy.report.figures.style import hours_from, svg, ticks
from v2g_linopy.report.figures.trading import headroom
from v2g_linopy.report.result_view import MOST_STEPS, ResultView

UNITS = ("kW", "kWh", "hours", "EUR", "%", "local time", "member", "cycles", "sessions")
UNITS += ("rounds", "site")


def labels(figure):
    """Axis labels and tick labels of a figure, as they would be drawn."""
    panels = [axes for axes in figure.axes if axes.axison]
    return [text for axes in panels for text in (axes.get_xlabel(), axes.get_ylabel()) if text]


@pytest.mark.parametrize("edge", EDGES)
def test_every_figure_survives(edge):
    """Each figure draws, or says in words why there is nothing to draw."""
    drawn = pictures(edge)
    assert [*drawn] == figures.__all__
    for name, picture in drawn.items():
        assert picture.startswith("<figure>\n<svg"), name
        assert "nan" not in picture.lower().replace("unmanaged", ""), name


def with_two_levels(plan, name):
    """Put rounds, weights or bands into a result whose figure needs them."""
    if name == "bands":
        edges = xr.DataArray([[[-1.0] * 48, [1.0] * 48]], dims=("pod", "edge", "time"))
        kinds = {n: edges for n in ("power", "energy")}
        kinds |= {f"{n}_verified": edges > 0 for n in kinds}
        axes = {"pod": ["portfolio"], "edge": ["min", "max"], "time": plan.time}
        plan["flexibility_bands"] = xr.Dataset(kinds, axes)
    if name == "weights":
        found = {"weight": [0.25, 0.75, 1.0], "plan_round": [0, 4, 4]}
        found |= {"plan_pod": ["near", "near", "far"]}
        plan["decomposition"] = xr.Dataset({n: ("plan", x) for n, x in found.items()})
    if name == "rounds":
        found = {"value": [-9.0, 1.0], "bound": [3.0, 1.0], "missing_power": [2.0, 0.0]}
        plan["decomposition"] = xr.Dataset({n: ("round", x) for n, x in found.items()})


@pytest.mark.parametrize("name", figures.__all__)
def test_axes_carry_units(name):
    """Every label of every axis names a unit, and every panel has at least one label; methods for
    notebooks have the names of the figures.
    """
    plan = result(scenarios=2 if name == "profit_distribution" else 0)
    if name == "regret":
        days = ["2019-08-05", "2019-08-06"]
        plan["sequence"] = xr.Dataset(
            {n: ("day", [2.0, 1.0]) for n in ("profit", "hindsight", "regret")}, {"day": days}
        )
    if name == "positions":
        position = xr.DataArray(
            np.ones((1, 48)),
            {"market": plan["energy"].market, "time": plan.time},
            ("market", "time"),
        )
        plan["energy"] = plan["energy"].to_dataset().assign(position=position)
    if name == "peaks":
        plan["connection"] = xr.Dataset(
            {"peak_price": ("pod", [5.0]), "import_": (("pod", "time"), [np.ones(48)])},
            coords={"pod": ["site"]},
        )
    if name == "contracts":
        plan["contract"] = menu()
        taken = {"type": ["low"], "contract": [0.0], "contract_reason": ["taken"]}
        taken |= {n: [1.0] for n in ("contract_energy", "contract_payment", "contract_term")}
        taken |= {"energy_called": [1.0], "energy_discharged": [1.0]}
        taken["arrival"] = plan.indexes["time"][:1]
        plan["sessions"] = xr.Dataset({n: ("session", x) for n, x in taken.items()})
    with_two_levels(plan, name)
    figure = getattr(ResultPlots(plan), name)()
    assert figure.axes
    for axes in figure.axes:
        assert axes.get_xlabel() or axes.get_ylabel()
    for label in labels(figure):
        assert any(unit in label for unit in UNITS) or "plugged in" in label, label


def test_nothing_global_changes():
    """A notebook's own style is untouched."""
    before = dict(matplotlib.rcParams)
    svg(figures.dispatch(result()), "dispatch")
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize(
    ("start", "span", "four"),
    [("2019-03-31T00:00", 23, 3), ("2019-10-27T00:00", 25, 5), ("2019-07-01T00:00", 24, 4)],
)
def test_ticks_stand_where_the_local_clock_shows_them(start, span, four):
    """Four o'clock is 3 hours after midnight when an hour is skipped, and 5 when one is
    repeated.
    """
    midnight = pd.Timestamp(start, tz="Europe/Rome")
    moments, names = ticks(midnight, span)
    places = dict(
        zip([n.split("\n")[0] for n in names], hours_from(moments, midnight), strict=True)
    )
    assert places["06:00"] == four + 2
    assert names[0].startswith("00:00\n")
    assert hours_from(moments, midnight)[-1] == span


def test_a_clock_that_starts_in_the_night_has_its_ticks_at_midnight():
    """A week from 22:30 has seven midnights, the first after an hour and a half."""
    start = pd.Timestamp("2019-10-24T22:30", tz="Europe/Rome")
    moments, _ = ticks(start, 169)
    assert len(moments) == 7
    assert (moments == moments.normalize()).all()
    assert hours_from(moments, start)[0] == 1.5


def test_corridor_is_what_a_car_can_and_must():
    """A car arrives with 10 of 24 kWh and needs 22 after nine hours at 7.2 kW and 90 %.

    Charge now: 6.48 kWh an hour until 14 kWh are in. Must charge: emptied at 8 kWh an hour (10 kWh
    at most), then 6.48 kWh an hour so that 12 kWh are in at the end. The plan feeds in 2.22 and
    draws 16.2 in all."""
    view = ResultView.of(result(members=1, start="2019-08-05T06:00", days=9 / 24, ladder=False))
    low, high, plan = corridor_of(view, 0, 9)
    np.testing.assert_allclose(high, np.minimum(6.48 * np.arange(1, 10), 14))
    np.testing.assert_allclose(low, np.maximum([-8, *[-10] * 8], 12 - 6.48 * np.arange(8, -1, -1)))
    np.testing.assert_allclose(plan, np.cumsum([0, -2 / 0.9, 0, 0, 5.4, 5.4, 5.4, 0, 0]))
    assert (low <= plan + 1e-9).all()
    assert (plan <= high + 1e-9).all()


def test_must_charge_looks_ahead_over_a_trip():
    """12 kWh are needed after a trip of 4 kWh, and 3 kWh fit into a step: 13 before it, 10 before
    that.

    Where the vehicle changes (nothing is kept) a later need asks for nothing now, and a full
    battery is enough."""

    def row(*values):
        return np.array([values], dtype=float)

    full, need, trip, step = row(20, 20, 20), row(0, 0, 12), row(0, 0, -4), row(3, 3, 3)
    np.testing.assert_allclose(least_charged(full, need, row(1, 1, 1), trip, step), row(10, 13, 12))
    np.testing.assert_allclose(least_charged(full, need, row(1, 1, 0), trip, step), row(0, 0, 12))
    np.testing.assert_allclose(
        least_charged(row(11, 11, 20), need, row(1, 1, 1), trip, step), row(8, 11, 12)
    )


def test_duals_of_scenarios_add_up():
    """Row duals carry the probability: the value of a kWh in all scenarios is their sum, not their
    mean.
    """
    one, two = result(), result(scenarios=2)
    dual = two["dual"].to_dataset()
    two["dual"] = dual / 2
    first, second = (
        ResultView.of(plan).full("dual", "fleet.balance", "fleet", "time") for plan in (one, two)
    )
    np.testing.assert_allclose(second, first)


def test_headroom_is_about_the_baseline():
    """Three cars of 7.2 kW draw 18 kW at noon: injection can rise by 21.6 + 18 and fall by 3.6."""
    view = ResultView.of(result(start="2019-08-05T10:00", days=1 / 24, ladder=False))
    assert headroom(view, "up") == pytest.approx([39.6])
    assert headroom(view, "down") == pytest.approx([3.6])


def test_headroom_is_that_of_every_asset():
    """A car and a full battery of 10 kW each way, both at rest, sell 4 kW: 10 + 10 kW up, and what
    fits down.

    Proves that a reserve held by a battery stands below a line that counts the battery; the car
    alone has 10 kW."""
    tree = by_hand.case(
        by_hand.vehicle(discharge_max=10, energy_initial=20, energy_min=20),
        by_hand.market([50]),
        by_hand.product(up=1, capacity_price=[4], volume_max=4, activation_up=0),
        battery=by_hand.storage(energy_initial=10, energy_min=10),
    )
    view = ResultView.of(v2g.solve(tree))
    assert headroom(view, "up") == pytest.approx([20])
    assert headroom(view, "down") == pytest.approx([20])


def test_headroom_counts_expected_activation():
    """With half of 9 kW up expected, the baseline injects 4.5 kW less than the plan: more room up,
    less down.
    """
    plan = result(start="2019-08-05T10:00", days=1 / 24, ladder=False)
    plan["reserve"] = plan["reserve"].to_dataset().assign(activation_up=("product", [0.5]))
    assert headroom(ResultView.of(plan), "up") == pytest.approx([39.6 + 4.5])
    assert headroom(ResultView.of(plan), "down") == pytest.approx([3.6 - 4.5])


def test_a_year_of_quarter_hours_stays_small():
    """35 040 steps are drawn as a week in detail and totals per week; the week itself is at most
    700 steps wide.
    """
    view = ResultView.of(made("year"))
    assert view.window().stride * MOST_STEPS >= len(view.window().time)
    for name, picture in pictures("year").items():
        assert len(picture) < 150_000, name


def test_thinned_power_keeps_its_energy():
    """Averaging steps that do not divide evenly keeps the energy."""
    view = ResultView.of(result(members=1, days=1399 / 96, minutes=15, ladder=False))
    power = view.total("charge") + 1.0
    assert view.stride == 2
    assert (view.thin(power) * np.diff(view.thin_edges)).sum() == pytest.approx(
        power.sum() * view.hours
    )


def test_window_on_the_local_clock():
    """`result.plot.dispatch(start=..., days=...)` speaks local time; the day of the clock change
    has 25 hours.
    """
    view = ResultView.of(result(members=1, start="2019-10-24T22:00", days=6, ladder=False))
    part = view.window("2019-10-27", 25 / 24)
    assert str(part.local[0]) == "2019-10-27 00:00:00+02:00"
    assert str(part.local[-1]) == "2019-10-27 23:00:00+01:00"
    assert len(part.time) == 25


def test_plots_accessor_takes_the_options_of_a_figure():
    """A part of the members and of the time."""
    assert ResultPlots(result()).heat_map(members=2, start="2019-08-05", days=1).axes


def test_a_notebook_shows_a_figure_by_itself():
    """Without pyplot nothing tells a notebook how to show a figure; this one knows."""
    assert figures.bill(result())._repr_svg_().startswith("<svg")


def test_names_with_dollars_are_text():
    """A vehicle called $x$ is no formula."""
    plan = result(members=1)
    plan["fleet"] = plan["fleet"].to_dataset().assign_coords(fleet=["$x_1$"])
    assert "$x_1$" in svg(figures.heat_map(plan), "heat_map")


def test_bars_of_the_ladder_take_no_colour_of_a_cause():
    """A green bar on the left would read as reserves on the right."""
    from matplotlib.colors import to_hex

    left, right = figures.value_ladder(result()).axes
    bars = {to_hex(bar.get_facecolor()) for bar in left.patches}
    assert len(bars) == 1
    assert bars.isdisjoint(to_hex(bar.get_facecolor()) for bar in right.patches)


def test_the_market_price_shows_on_the_price_at_the_site():
    """Where both are the same, the market price is dashed and on top, so that both are seen."""
    top = figures.shadow_prices(result()).axes[0]
    site, market = (
        line
        for line in top.patches
        if line.get_label() in ("electricity at site", "day-ahead price")
    )
    assert market.get_linestyle() not in ("-", "solid")
    assert market.get_zorder() > site.get_zorder()
    assert market.get_linewidth() < site.get_linewidth()
