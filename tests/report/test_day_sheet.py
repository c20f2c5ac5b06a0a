"""Sheets of a day, and tables in the marks and files that spreadsheets take."""

import io
import re

import openpyxl
import pandas as pd
import pytest
from cases import case, market, product, vehicle

import v2g_linopy as v2g
from v2g_linopy.report.day_sheet import day_sheet
from v2g_linopy.report.page.day import render_day
from v2g_linopy.report.table_files import CsvStyle, csv_text, write_tables
from v2g_linopy.study.explain import NotInResult

EXCEL = CsvStyle(";", ",")


@pytest.fixture(scope="module")
def plan():
    """Two cars in Rome for four hours at 30, 20, 60 and 40 EUR/MWh. One needs 15 kWh after three
    hours: 5 at 30 and 10 at 20. The other, named like a formula, has 20 kWh and may feed in at 60,
    as there it needs none.
    """
    here = [10.0, 10.0, 10.0, 0.0]
    one = vehicle(charge_max=here, energy_min=[0.0, 0.0, 15.0, 0.0])
    other = vehicle(
        charge_max=here, discharge_max=here, energy_initial=20.0, energy_max=20.0, wear=0.025
    )
    tree = case(
        {"ev-1": one, "=1+1": other},
        market([30.0, 20.0, 60.0, 40.0]),
        start="2026-01-04 23:00",
        timezone="Europe/Rome",
    )
    return v2g.solve(tree)


def test_what_a_vehicle_does_in_a_day(plan):
    """Power, energy at the grid, what is on board and its share of 40 kWh; one hour away."""
    rows = day_sheet(plan, "2026-01-05", ["ev-1"]).astype(object).fillna("")
    assert rows["from"].str[11:].tolist() == [f"0{h}:00+01:00" for h in (0, 1, 2, 3)]
    assert rows["to"].iloc[-1] == "2026-01-05T04:00+01:00"
    assert rows["doing"].tolist() == ["charges", "charges", "waits", "away"]
    numbers = ["charge_kW", "drawn_kWh", "energy_kWh", "soc_percent", "needed_kWh"]
    assert rows[numbers].values.tolist() == [
        [5.0, 5.0, 5.0, 12.5, ""],
        [10.0, 10.0, 15.0, 37.5, ""],
        [0.0, 0.0, 15.0, 37.5, 15.0],
        [""] * 5,
    ]


def test_steps_in_which_it_does_the_same_are_one_row(plan):
    """The other car feeds in 10 kWh for one hour, the dearest, and 10 for another: 60 pays, and
    what is sold at 30 cannot be bought back any cheaper than at 20 plus 25 of wear.
    """
    rows = day_sheet(plan, "2026-01-05", ["=1+1"])
    whole = plan["fleet"].to_dataset().sel(fleet="=1+1")
    assert rows["fed_in_kWh"].sum() == pytest.approx(float(whole.discharge.sum()))
    assert rows["drawn_kWh"].sum() == pytest.approx(float(whole.charge.sum()))
    assert (rows["doing"] == "feeds in").any()


def test_what_is_sent_where_reserves_are_sold():
    """10 kW upward are sold for two hours, half of which is called on average: the car is told to
    charge 5 kW, as 5 are expected to be called off, and waits in the mean.

    Proves that the sheet says what to send: by the expected power alone it would stand still."""
    car = vehicle(charge_max=5.0, discharge_max=5.0, energy_initial=20.0)
    up = product(up=1.0, capacity_price=500.0, activation_up=0.5, volume_max=10.0)
    result = v2g.solve(case(car, market([50.0, 50.0], limit=100.0), up))
    rows = day_sheet(result, "2026-01-05")
    expected = result["fleet"].to_dataset().isel(fleet=0)
    baseline = (expected.charge - expected.discharge).to_numpy() + 0.5 * 10.0
    assert baseline.tolist() == pytest.approx([5.0, 5.0])
    assert rows["doing"].tolist() == ["charges"]
    told = rows[["baseline_drawn_kW", "baseline_fed_in_kW", "reserve_up_kW", "reserve_down_kW"]]
    assert told.to_numpy().tolist() == [pytest.approx([5.0, 0.0, 10.0, 0.0])]
    page = render_day(result, "2026-01-05")
    assert "Send each vehicle its baseline" in page and "reserve up, kW" in page
    assert "Expected, in the mean of the calls: draws 0 kWh and feeds in 0 kWh." in page


def test_a_day_of_25_hours_is_one():
    """Nothing happens from midnight to midnight, 25 hours later; the day after is not shown."""
    idle = case(
        vehicle(charge_max=[0.0] * 26 + [10.0]),
        market([10.0] * 27),
        start="2026-10-24 22:00",
        timezone="Europe/Rome",
    )
    rows = day_sheet(v2g.solve(idle), "2026-10-25")
    assert rows[["from", "to", "doing"]].values.tolist() == [
        ["2026-10-25T00:00+02:00", "2026-10-26T00:00+01:00", "away"]
    ]


@pytest.mark.parametrize(
    ("day", "vehicles", "said"),
    [
        ("2026-01-06", None, "local days are 2026-01-05 to 2026-01-05"),
        ("5.1.2026", None, "cannot read the day"),
        ("2026-01-05", ["ev-2"], "did you mean ev-1"),
    ],
)
def test_what_the_result_does_not_hold(plan, day, vehicles, said):
    with pytest.raises(NotInResult, match=re.escape(said)):
        day_sheet(plan, day, vehicles)


def test_a_page_to_print(plan):
    """One section for each vehicle, in local time, and nothing from outside; labels are text."""
    page = render_day(plan, "2026-01-05")
    assert "baseline" not in page, "nothing is held ready"
    assert page.count("<section>") == 2 and "break-before: page" in page
    assert "Monday 2026-01-05" in page and "00:00 +01:00" in page
    assert '<td class="n">38 %</td>' in page or '<td class="n">37 %</td>' in page
    assert "default-src &#39;none&#39;" not in page and "default-src 'none'" in page
    assert "http://" not in page and "https://" not in page


def test_csv_for_a_continental_excel(plan):
    """Semicolons and decimal commas come back as the same numbers; a formula stays text."""
    table = day_sheet(plan, "2026-01-05")
    text = csv_text(table, EXCEL)
    assert "charge_kW;discharge_kW" in text and ";12,5;" in text
    back = pd.read_csv(io.StringIO(text), sep=";", decimal=",")
    pd.testing.assert_series_equal(back["energy_kWh"], table["energy_kWh"])
    assert {*back["vehicle"]} == {"ev-1", "'=1+1"}


def test_marks_that_are_not_plain_are_announced(plan, tmp_path):
    """A byte order mark tells a spreadsheet that the file is UTF-8; plain files have none."""
    table = day_sheet(plan, "2026-01-05")
    for name, style, starts in (("a.csv", EXCEL, True), ("b.csv", CsvStyle(), False)):
        write_tables(tmp_path / name, {"day": table}, style)
        assert (tmp_path / name).read_bytes().startswith(b"\xef\xbb\xbf") == starts


def test_a_workbook_holds_numbers_and_no_formula(plan, tmp_path):
    """Numbers are numbers in a workbook, a label that looks like a formula is text, and a name that
    no sheet may have is cut.
    """
    table = day_sheet(plan, "2026-01-05")
    write_tables(tmp_path / "a.xlsx", {"day": table, "x/" * 20: table})
    book = openpyxl.load_workbook(tmp_path / "a.xlsx")
    assert len(book.sheetnames) == 2 and len(book.sheetnames[1]) <= 31
    sheet = book["day"]
    assert [cell.value for cell in sheet[1]] == list(table.columns)
    first = dict(zip(table.columns, [cell.value for cell in sheet[2]], strict=True))
    assert (first["charge_kW"], first["soc_percent"]) == (5, 12.5)
    kinds = {cell.data_type for row in sheet.iter_rows() for cell in row}
    assert "f" not in kinds, "no cell is a formula"
    assert any(row[0].value == "'=1+1" for row in sheet.iter_rows())
