"""Every table is read right or refused: a series comes back as it was written, in whatever way and
over both changes of the clock; of a damaged one no number is wrong.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from invariants.tables_made import Table, tables
from typer.testing import CliRunner

from v2g_linopy.cli import app
from v2g_linopy.data import read_netcdf_prices, read_prices
from v2g_linopy.errors import Remedy, SchemaError

ZONES = ("Europe/Rome", "UTC")
FIRST_TRIES = 4
"""Remedies that a user follows one after the other before he gives up."""


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("tables") / "prices.csv"


def read(path, table: Table, told):
    path.write_bytes(table.data())
    return read_prices(path, columns=table.columns, **told)


def assert_same(table: Table, found):
    assert found.indexes["time"].equals(table.series.index.rename("time"))
    factor = {"EUR/MWh": 1.0, "ct/kWh": 10.0}[found.day_ahead.attrs["units"]]
    np.testing.assert_allclose(factor * found.day_ahead.values, table.series, rtol=0, atol=1e-9)


@given(tables())
def test_a_series_comes_back_as_it_was_written(path, table):
    assert_same(table, read(path, table, table.told))


def _cell(draw, table, column):
    row = draw(st.integers(0, len(table.rows) - 1))
    return table.rows[row], table.header.index(column)


def one_cell(text):
    """A number that is none, or has the wrong mark."""

    def damage(draw, table):
        row, k = _cell(draw, table, "Price")
        row[k] = text

    return damage


def a_time(text):
    def damage(draw, table):
        row, _ = _cell(draw, table, "Price")
        row[0] = text

    return damage


def other_mark(draw, table):
    """One number with the mark of the other country, among those that prove theirs."""
    row, k = _cell(draw, table, "Price")
    row[k] = row[k].translate(str.maketrans(".,", ",."))
    if not {".", ","} & {*row[k]}:
        row[k] = "1;2"


def cents(draw, table):
    """The same prices in ct/kWh, and a header that says so: nothing is wrong with it."""
    table.header[-1] = table.columns["day_ahead"] = "Preis ct/kWh"
    for row in table.rows:
        digits = row[-1].translate(str.maketrans("", "", ". ,"))
        row[-1] = f"{float(digits) / 1000:.3f}".replace(".", ",")
    table.told["decimal"] = ","


def without_zone(draw, table):
    table.told.pop("timezone", None)


def without_rule(draw, table):
    table.told.pop("ambiguous", None)


def a_row_less(draw, table):
    del table.rows[draw(st.integers(1, len(table.rows) - 2))]


def a_row_twice(draw, table):
    row = draw(st.integers(0, len(table.rows) - 1))
    table.rows.insert(row, list(table.rows[row]))


def a_cell_more(draw, table):
    table.rows[draw(st.integers(0, len(table.rows) - 1))].append("7")


def a_cell_less(draw, table):
    table.rows[draw(st.integers(0, len(table.rows) - 1))].pop()


def a_nul(draw, table):
    row, k = _cell(draw, table, "Price")
    row[k] = row[k][:1] + "\0" + row[k][1:]


def a_quote(draw, table):
    row, k = _cell(draw, table, "Price")
    row[k] = '"' + row[k]


def another_header(draw, table):
    table.header[-1] = "Prices"


def a_header_twice(draw, table):
    table.header[0] = "Price"


def cp1252(draw, table):
    table.encoding = "cp1252"
    table.header.append("Straße")
    for row in table.rows:
        row.append("Köln")


def utf16_without_mark(draw, table):
    table.encoding = "utf-16-le"


def no_separator(draw, table):
    table.told["separator"] = draw(
        st.sampled_from(["", "ab", "\n", ";" if table.separator != ";" else ","])
    )


def a_strange_name(draw, table):
    name = draw(st.sampled_from(["../x", "", "a/b", "=1+1", "x\x1b[31m", " "]))
    table.columns[name] = table.columns.pop("day_ahead")


def two_auctions(draw, table):
    table.header.append("Auction")
    table.rows = [[*row, who] for row in table.rows for who in ("SDAC", "EXAA")]
    for row in table.rows[1::2]:
        row[-2] = "7.77" if "." in row[-2][-3:] else "7,77"


def strange_format(draw, table):
    form = draw(st.sampled_from(["%Q", "%Y", "%d.%m.%Y %H:%M %", "%H", "%Y-%m-%d %H:%M:%S %Z"]))
    table.told["time_format"] = form


def years(text):
    def damage(draw, table):
        row, _ = _cell(draw, table, "Price")
        row[0] = row[0].replace("2026", text)

    return damage


DAMAGES = {
    "a word": one_cell("abc"),
    "per cent": one_cell("12%"),
    "endless": one_cell("1e999"),
    "no number": one_cell("-"),
    "excel's own": one_cell("#REF!"),
    "other mark": other_mark,
    "a time that is none": a_time("soon"),
    "a day that is none": a_time("2026-02-30 00:00"),
    "no time": a_time(""),
    "1600": years("1600"),
    "9999": years("9999"),
    "cents": cents,
    "no zone": without_zone,
    "no rule": without_rule,
    "a row less": a_row_less,
    "a row twice": a_row_twice,
    "a cell more": a_cell_more,
    "a cell less": a_cell_less,
    "NUL": a_nul,
    "a quote": a_quote,
    "another header": another_header,
    "a header twice": a_header_twice,
    "cp1252": cp1252,
    "utf-16 without mark": utf16_without_mark,
    "separator": no_separator,
    "name": a_strange_name,
    "two auctions": two_auctions,
    "format": strange_format,
}
MENDED_BY_A_REMEDY = {"no zone", "no rule", "cp1252", "utf-16 without mark", "two auctions"}
"""Damages after which a remedy of the messages brings the whole series back."""
HARMLESS = {"cents"}
MAY_NOT_SHOW = {"1600", "9999"}
"""Damages that some ways of writing have no place for: a time in seconds has no year."""


def remedies(error: SchemaError) -> list[Remedy]:
    return [remedy for problem in error.problems for remedy in problem.remedies]


def with_remedy(told, remedy: Remedy, value):
    if remedy.key:
        return told | {remedy.parameter: {**told.get(remedy.parameter, {}), remedy.key: value}}
    return told | {remedy.parameter: value}


def reached(path, table: Table, told, tries=FIRST_TRIES) -> list:
    """Every series that is read by following the remedies; a zone is what the user knows."""
    try:
        return [read(path, table, told)]
    except SchemaError as error:
        found = []
        for remedy in remedies(error) if tries else []:
            values = remedy.values or (ZONES if remedy.parameter == "timezone" else ())
            for value in values:
                if remedy.parameter not in told or remedy.key:
                    more = with_remedy(told, remedy, value)
                    found += reached(path, table, more, tries - 1)
        return found


@given(st.data())
def test_no_number_of_a_damaged_table_is_wrong(path, data):
    """It is read right, or refused with its place; where a remedy can mend it, one does."""
    table = data.draw(tables())
    name = data.draw(st.sampled_from(sorted(DAMAGES)))
    DAMAGES[name](data.draw, table)
    try:
        assert_same(table, read(path, table, table.told))
        assert name in HARMLESS | MENDED_BY_A_REMEDY | MAY_NOT_SHOW
    except SchemaError as error:
        assert name not in HARMLESS, error
        assert all(problem.where and problem.detail for problem in error.problems)
        assert "Error" not in str(error) and len(str(error)) < 3000
    if name in MENDED_BY_A_REMEDY:
        found = reached(path, table, table.told)
        same = [series for series in found if _is_same(table, series)]
        assert same, (name, table.told, [str(f) for f in found])


def _is_same(table: Table, found) -> bool:
    try:
        assert_same(table, found)
    except (AssertionError, KeyError):
        return False
    return True


def options(table: Table) -> list[str]:
    """What a reader is told, as the user types it."""
    words = [f"--column={name}={header}" for name, header in table.columns.items()]
    return words + [f"--{key.replace('_', '-')}={value}" for key, value in table.told.items()]


@given(st.data())
def test_no_damage_is_a_fault_of_the_program(path, data):
    """The command line leaves with 0 and the right numbers, or with 2 or 3 and nothing written."""
    table = data.draw(tables())
    name = data.draw(st.sampled_from(sorted(DAMAGES)))
    DAMAGES[name](data.draw, table)
    path.write_bytes(table.data())
    out = path.with_suffix(".nc")
    out.unlink(missing_ok=True)
    words = ["import", "prices", str(path), *options(table), "-o", str(out)]
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code in (0, 2, 3), result.output
    assert out.exists() == (result.exit_code == 0)
    assert "\x1b" not in result.output and "\0" not in result.output
    if out.exists():
        assert_same(table, read_netcdf_prices(out))
