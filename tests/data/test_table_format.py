"""How a table is written is one value, and a new importer is one line of a table of formats."""

import ast
import json
import re
from dataclasses import fields
from inspect import signature
from pathlib import Path
from typing import get_type_hints

import pandas as pd
import pytest
import xarray as xr

import v2g_linopy as v2g
from v2g_linopy import data
from v2g_linopy.cli.input_files import use
from v2g_linopy.data.importers import formats
from v2g_linopy.data.importers.formats import FileFormat, recognised
from v2g_linopy.data.tables.table_format import TableFields, TableFormat
from v2g_linopy.errors import InputFileError, SchemaError

PRICES = "Zeit;Preis\n01.06.2026 00:00;1,5\n01.06.2026 01:00;2,5\n"
WRITTEN = {
    "columns": {"time": "Zeit", "day_ahead": "Preis"},
    "timezone": "Europe/Berlin",
    "time_format": "%d.%m.%Y %H:%M",
    "separator": ";",
    "decimal": ",",
}
READERS = [
    form.read
    for table in (
        formats.PRICE_FORMATS,
        formats.SESSION_FORMATS,
        formats.PROFILE_FORMATS,
        formats.CAPACITY_FORMATS,
        formats.FREQUENCY_FORMATS,
    )
    for name, form in table.items()
    if name == "csv"
]


def test_one_value_or_its_fields(tmp_path):
    """Midnight in Berlin is 22:00 UTC, 1,5 is 1.5: told as one value, or field by field."""
    path = tmp_path / "prices.csv"
    path.write_text(PRICES)
    one = v2g.read_prices(path, v2g.TableFormat(**WRITTEN))
    xr.testing.assert_identical(one, v2g.read_prices(path, **WRITTEN))
    assert one.day_ahead.values.tolist() == [1.5, 2.5]
    assert one.time.values[0] == pd.Timestamp("2026-05-31 22:00")
    with pytest.raises(TypeError, match="not both: timezone"):
        v2g.read_prices(path, TableFormat(**WRITTEN), timezone="UTC")
    with pytest.raises(TypeError, match="zone"):
        v2g.read_prices(path, **WRITTEN, zone="UTC")


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)
def test_every_reader_of_text_takes_one_format(reader):
    """None of its fields is a parameter of the reader again."""
    taken = signature(reader).parameters
    assert "table" in taken
    assert not {field.name for field in fields(TableFormat)} & set(taken)


def test_keywords_are_the_fields_of_a_format():
    """The keywords that a type checker knows are those that there are, of the same types."""
    assert get_type_hints(TableFields) == {field.name: field.type for field in fields(TableFormat)}


def test_a_new_importer_is_one_line(tmp_path, monkeypatch):
    """A format that is put into the table is recognised by its headers, and read with the options
    that its reader takes.
    """

    def read_two(path: Path, *, missing: str = "problem") -> xr.Dataset:
        return xr.Dataset({"day_ahead": ("time", [1.0, 2.0])}, attrs={"missing": missing})

    known = {"two": FileFormat(read_two, headers=("Uno", "DUE")), **formats.PRICE_FORMATS}
    path = tmp_path / "a.csv"
    path.write_text("uno,due,tre\n1,2,3\n")
    assert recognised(path, known) == "two"
    assert use(known, path, "two", {"missing": "nan"}).attrs["missing"] == "nan"
    path.write_text("uno,tre\n1,3\n")
    assert recognised(path, known) == "csv"


def test_files_that_are_no_tables_are_told_apart(tmp_path):
    """Two formats in JSON tell their files apart themselves; one that fits neither is in neither.
    What cannot be parsed is a fault of the file, which is named.
    """

    def read_tariff(path: Path) -> xr.Dataset:
        return xr.Dataset(attrs=json.loads(path.read_text()))

    def holding(key: str) -> FileFormat:
        return FileFormat(read_tariff, (".json",), recognises=lambda path: key in path.read_text())

    known = {"one": holding("rates"), "two": holding("zones"), **formats.PRICE_FORMATS}
    path = tmp_path / "a.json"
    path.write_text('{"zones": 2}')
    assert recognised(path, known) == "two"
    assert use(known, path, "two", {}).attrs == {"zones": 2}

    path.write_text('{"zones"')
    with pytest.raises(InputFileError, match=r"a\.json *cannot be read: "):
        use(known, path, "two", {})
    path.write_text("{}")
    assert recognised(path, known) is None
    assert recognised(path, formats.PRICE_FORMATS) == "records"  # which says what it knows


def test_the_suffix_decides_before_the_headers(tmp_path):
    """A NetCDF file is not opened to see what it is; a workbook without a known word is none."""
    path = tmp_path / "a.NC"
    path.write_bytes(b"no matter what")
    assert recognised(path, formats.PRICE_FORMATS) == "netcdf"
    assert recognised(path, formats.FREQUENCY_FORMATS) == "netcdf"
    with pytest.raises(SchemaError, match=r"none\.csv"):
        recognised(tmp_path / "none.csv", formats.PRICE_FORMATS)


def test_remedies_are_data():
    """No sentence of a reader names a parameter as Python writes it: a `Remedy` does, so that each
    face of the package can say it in its words.
    """
    names = {"units", "rows", "outside", "need", "moved", "charger_raise"}
    for reader in (*READERS, data.case_from_sessions):
        names |= set(signature(reader).parameters)
    names |= {field.name for field in fields(TableFormat)}
    written = re.compile(
        rf"\b(?:{'|'.join(sorted(names))})=[\"'{{]|\bgive (?:time_format|timezone)"
    )
    said = []
    for path in Path(data.__file__).parent.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        docs = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            and isinstance(node.body[0], ast.Expr)
        }
        said += [
            f"{path.name}:{node.lineno}: {node.value}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in docs
            and written.search(node.value)
        ]
    assert not said
