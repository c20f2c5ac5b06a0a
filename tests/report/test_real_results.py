"""Tables and page of solved cases: what the optimisation found is what they show."""

import pytest

import v2g_linopy as v2g
from v2g_linopy.report import tables
from v2g_linopy.report.page import write


@pytest.fixture(scope="module")
def solved():
    return v2g.compare(v2g.commuters(vehicles=3, days=1))


def test_bids_schedule_and_bill_agree_with_each_other(solved):
    """Sales less purchases are what the cars give less the expected activation: the tables balance
    every hour.
    """
    bids, schedule = tables.bids(solved), tables.schedule(solved)
    energy = bids[bids["market"] == "day_ahead"].set_index("start")
    position = energy["quantity_kW"].where(energy["side"] == "sell", -energy["quantity_kW"])
    total = schedule[schedule["member"] == "total"].set_index("time")
    reserve = bids[bids["side"].isin(["up", "down"])].pivot(
        index="start", columns="side", values="quantity_kW"
    )
    reserve = reserve.reindex(index=total.index, columns=["up", "down"]).fillna(0)
    activated = 0.25 * reserve["up"] - 0.75 * reserve["down"]
    expected = total["discharge_kW"] - total["charge_kW"] - activated
    gap = expected - position.reindex(total.index).fillna(0)
    assert gap.abs().max() < 1e-5
    paid = (position * energy["price"]).sum() / 1000
    assert paid == pytest.approx(tables.kpi(solved)["ledger"]["energy.energy"], abs=1e-6)


def test_ladder_ends_at_the_profit_of_the_plan(solved):
    """The top rung is the plan itself."""
    ladder = tables.ladder(solved)
    assert ladder["profit"].iloc[-1] == pytest.approx(tables.kpi(solved)["profit"])
    assert (
        ladder["profit"].is_monotonic_increasing
        or ladder["profit"].iloc[-1] == ladder["profit"].max()
    )


def test_a_result_read_back_gives_the_same_page(solved, tmp_path):
    """Nothing on the page depends on how the result came to memory."""
    path = tmp_path / "result.nc"
    v2g.write(solved, path)
    text = write.render(v2g.read(path))
    assert text == write.render(solved)
    assert "kept every limit and every entry of the bill was confirmed" in text
    assert "Every need was served." in text


def test_plot_accessor_is_registered(solved):
    """`result.plot.dispatch()` works on any result."""
    assert solved.plot.dispatch().axes
