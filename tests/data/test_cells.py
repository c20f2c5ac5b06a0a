"""The cells of a table: where the header is, what separates them, each as it is written."""

import openpyxl
import pandas as pd
import pytest

from v2g_linopy.data import read_prices
from v2g_linopy.data.tables.cells import read_cells
from v2g_linopy.errors import InputFileError, SchemaError

COLUMNS = {"time": "Zeit", "day_ahead": "Preis"}
HEADER, ROWS = "Zeit;Preis", ["2026-06-01 00:00;1,5", "2026-06-01 01:00;2,5"]


@pytest.fixture
def write(tmp_path):
    def file(*lines, name="t.csv", encoding="utf-8", end="\n"):
        path = tmp_path / name
        path.write_bytes(end.join(lines).encode(encoding))
        return path

    return file


def prices(path, **told):
    return read_prices(path, columns=COLUMNS, timezone="UTC", **told).day_ahead.values.tolist()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_and_ends_of_lines(write, encoding, end):
    """What the first bytes tell needs no option."""
    text = [("\ufeff" if encoding == "utf-16-le" else "") + HEADER, *ROWS]
    assert prices(write(*text, encoding=encoding, end=end)) == [1.5, 2.5]


def test_another_encoding_is_asked_for(write):
    path = write("Zeit;Preis;Straße", *(f"{row};Köln" for row in ROWS), encoding="cp1252")
    with pytest.raises(InputFileError, match='line 1 has the byte 0xdf; give encoding="cp1252"'):
        prices(path)
    assert prices(path, encoding="cp1252") == [1.5, 2.5]
    with pytest.raises(InputFileError, match="'cp9999' is no encoding"):
        prices(path, encoding="cp9999")


def test_nul_bytes(write):
    with pytest.raises(InputFileError, match="a NUL byte, which no text has, at line 2"):
        prices(write(HEADER, "2026-06-01 00:00;1\0,5"))
    without_mark = write(HEADER, *ROWS, encoding="utf-16-le")
    with pytest.raises(InputFileError, match='give encoding="utf-16-le"'):
        prices(without_mark)
    assert prices(without_mark, encoding="utf-16-le") == [1.5, 2.5]


@pytest.mark.parametrize("separator", [";", "\t", "|", ","])
def test_the_separator_is_the_one_by_which_the_columns_are_found(write, separator):
    rows = [row.replace(";", separator).replace(",5", ".5") for row in ROWS]
    lines = [HEADER.replace(";", separator), *rows]
    assert prices(write(*lines)) == [1.5, 2.5]
    if separator != ",":
        with pytest.raises(InputFileError, match="seem to be separated by"):
            prices(write(*lines), separator=",")


@pytest.mark.parametrize("separator", ["", ";;", "\n", '"'])
def test_what_cannot_separate(write, separator):
    with pytest.raises(InputFileError, match="cannot separate columns"):
        prices(write(HEADER, *ROWS), separator=separator)


def test_lines_before_the_header(write):
    """Comments, empty lines, and lines that are no header where a later one is."""
    assert prices(write("# made by X", "# unit EUR/MWh", HEADER, *ROWS)) == [1.5, 2.5]
    assert prices(write("Report of a market", "", "Zone;DE;x", HEADER, *ROWS)) == [1.5, 2.5]
    assert prices(write("Zeit;Preis", "to be left out;1", HEADER, *ROWS), skip_rows=2) == [1.5, 2.5]


def test_rows_with_too_many_cells_and_with_too_few(write):
    """A comma too many shifts nothing; a cell too few is a missing one."""
    path = write("Zeit,Preis", "2026-06-01 00:00,1,5", "2026-06-01 01:00,2,5")
    with pytest.raises(SchemaError, match="2 rows with more cells than the header, .*: row 2, 3"):
        prices(path)
    short = write(HEADER, ROWS[0], "2026-06-01 01:00")
    with pytest.raises(SchemaError, match="1 row without a number: 2026-06-01 01:00:00 UTC"):
        prices(short)
    assert prices(short, missing="hold") == [1.5, 1.5]
    assert prices(write(HEADER + ";;", *(row + ";;" for row in ROWS), ";;;")) == [1.5, 2.5]


def test_a_quotation_mark_that_is_not_closed(write):
    """It would swallow the rest of the file."""
    path = write(HEADER, '2026-06-01 00:00;"1,5', ROWS[1], "2026-06-01 02:00;3,5")
    with pytest.raises(InputFileError, match="line 4 cannot be split into cells"):
        prices(path)


def test_a_header_twice(write):
    path = write("Zeit;Preis;Preis", *(f"{row};9" for row in ROWS))
    with pytest.raises(SchemaError, match="2 columns are called 'Preis'"):
        prices(path)


def test_rows_are_chosen_by_a_word(write):
    rows = [f"{row};{who}" for row in ROWS for who in ("SDAC", "EXAA")]
    path = write(HEADER + ";Auktion", *rows)
    with pytest.raises(SchemaError, match=r'give where=\{"Auktion": "SDAC" or "EXAA"\}'):
        prices(path)
    assert prices(path, where={"Auktion": "SDAC"}) == [1.5, 2.5]
    with pytest.raises(SchemaError, match="no row has 'XX' .*; there are SDAC, EXAA"):
        prices(path, where={"Auktion": "XX"})
    with pytest.raises(SchemaError, match="no column 'Auction'; did you mean 'Auktion'"):
        prices(path, where={"Auction": "SDAC"})


def test_words_stay_words(write):
    words = ["007", "07", "NA", "None", "nan", "null", "", "1e5", "True", "=1+1"]
    path = write("label,x", *(f"{word},1" for word in words))
    assert read_cells(path)["label"].tolist() == words


def test_a_workbook_where_text_is_read(tmp_path):
    """Typed cells: a time is a time, a number a number, whatever the text of others looks like."""
    book = openpyxl.Workbook()
    book.active.title = "notes"
    sheet = book.create_sheet("prices")
    sheet.append(["made by hand"])
    sheet.append(["Zeit", "Preis"])
    for k, stamp in enumerate(pd.date_range("2026-06-01", periods=3, freq="h")):
        sheet.append([stamp.to_pydatetime(), 1.25 + k])
    path = tmp_path / "spot.xlsx"
    book.save(path)
    assert prices(path, sheet="prices") == [1.25, 2.25, 3.25]
    with pytest.raises(InputFileError, match="has no sheet 'spot'; give sheet=.notes. or .prices."):
        prices(path, sheet="spot")
