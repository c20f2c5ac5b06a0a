"""Written numbers: a mark is the decimal one where that is told or proven, never by luck."""

import numpy as np
import pandas as pd
import pytest

from v2g_linopy.data.tables.numbers import number_columns
from v2g_linopy.errors import SchemaError


def numbers(*cells, decimal=None, thousands=None, separator=","):
    frame = pd.DataFrame({"price": pd.Series(cells, range(2, len(cells) + 2), dtype=object)})
    frame.attrs["separator"] = separator
    return number_columns(frame, ["price"], decimal, "a file", thousands)["price"].tolist()


@pytest.mark.parametrize(
    ("cells", "told", "expected"),
    [
        (("85,20", "1.250"), {"decimal": ","}, [85.2, 1250]),
        (("85,20", "1.250"), {}, [85.2, 1250]),
        (("85.20", "1,250.00"), {}, [85.2, 1250]),
        (("85.20", "1,250"), {"decimal": "."}, [85.2, 1250]),
        (("1.250",), {"thousands": "."}, [1250]),
        (("1.250",), {"decimal": "."}, [1.25]),
        (("1,250",), {"thousands": ","}, [1250]),
        (("1.250",), {}, [1.25]),
        (("0.500", "85.250"), {}, [0.5, 85.25]),
        (("1.250.000",), {}, [1250000]),
        (("-1 250,5", "+3"), {}, [-1250.5, 3]),
        (("1\u202f250", "1'250.5"), {}, [1250, 1250.5]),
        (("\u22123.5", ".5", "1e3", "2E-1"), {}, [-3.5, 0.5, 1000, 0.2]),
        ((1.5, 7, "2,5"), {}, [1.5, 7, 2.5]),
    ],
)
def test_a_number_is_read(cells, told, expected):
    assert numbers(*cells, **told) == expected


@pytest.mark.parametrize(
    ("cells", "told", "words"),
    [
        (("1.250",), {"decimal": ","}, "nothing in the column tells .*thousands.*decimal"),
        (("1,250",), {}, "may be the decimal one or stand between thousands"),
        (("1.250", "12.500"), {"separator": "\t"}, "may be the decimal one"),
        (("1٢",), {}, "not a number"),
        (("1.250",), {"separator": ";"}, "may be the decimal one or stand between thousands"),
        (("1.250", "85"), {}, "may be the decimal one"),
        (("85,20", "1.25"), {}, "two decimal marks: a point in row 3: '1.25'; a comma in row 2"),
        (("85,20", "1.25"), {"decimal": ","}, "two decimal marks"),
        (("0.500", "85,2"), {}, "two decimal marks"),
        (("85,20",), {"decimal": "."}, "row 2: '85,20' with the decimal mark '.*decimal=\",\""),
        (("1.25",), {"thousands": "."}, "not a number at row 2"),
        (("12.34.567",), {}, "not a number"),
        (("1,25,000",), {}, "not a number"),
        (("1.250 000",), {}, "not a number"),
        (("12 %", "€ 5", "0x1F", "inf", "1e999", "٣"), {}, "not a number"),
        (("41.",), {}, "not a number at row 2: '41.'"),  # the file was cut off
        (("1e999",), {}, "not a number at row 2: '1e999'"),
        ((float("inf"),), {}, "not a number"),
        (("1",), {"decimal": ";"}, "';' is no decimal mark"),
        (("1",), {"thousands": "x"}, "'x' is no mark between thousands"),
        (("1",), {"decimal": ".", "thousands": "."}, "cannot be the decimal mark and"),
    ],
)
def test_what_may_mean_two_numbers_is_refused(cells, told, words):
    with pytest.raises(SchemaError, match=words):
        numbers(*cells, **told)


def test_cells_without_a_number():
    words = ("", "-", "n/e", "N/A", "#N/A", "nan", "None", "null", "–", None)
    assert np.isnan(numbers(*words)).all()
