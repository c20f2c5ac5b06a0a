"""A month without data is named, in local time, whether its steps are empty or not there at all."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import v2g_linopy as v2g
from v2g_linopy.errors import SchemaError

ZONE = "Europe/Rome"


def quarter():
    """January to March of 2026 in Rome, by the hour."""
    time = pd.date_range("2025-12-31 23:00", "2026-03-31 22:00", freq="h", inclusive="left")
    month = time.tz_localize("UTC").tz_convert(ZONE).month
    return time, month


def tree(time, price, load):
    energy = xr.Dataset(
        {"price": (("market", "time"), [price]), "limit": 9.0}, coords={"market": ["spot"]}
    )
    loads = xr.Dataset(
        {"baseline": (("load", "time"), [load, np.ones(len(time))])}, coords={"load": ["a", "b"]}
    )
    return v2g.assemble(time, {"energy": energy, "load": loads}, timezone=ZONE)


def problems(case):
    with pytest.raises(SchemaError) as found:
        v2g.check(case)
    return {p.where: p.detail for p in found.value.problems}


def test_empty_steps():
    """Prices without February, one of two loads without February and the first hour of March: both
    say the month.
    """
    time, month = quarter()
    empty = month == 2
    more = empty | (np.arange(len(time)) == np.flatnonzero(month == 3)[0])
    found = problems(tree(time, np.where(empty, np.nan, 50.0), np.where(more, np.nan, 1.0)))
    assert found["energy.price"].endswith("; nothing in all of 2026-02")
    assert found["load.baseline"].endswith("; nothing in all of 2026-02")
    assert "(and 671 more)" in found["energy.price"]
    assert "(and 672 more)" in found["load.baseline"]


def test_half_a_month_is_no_month():
    time, month = quarter()
    half = (month == 2) & (np.arange(len(time)) % 2 == 0)
    assert (
        "nothing in all of"
        not in problems(tree(time, np.where(half, np.nan, 50.0), np.ones(len(time))))[
            "energy.price"
        ]
    )


@pytest.mark.parametrize(("gone", "named"), [((2,), "2026-02"), ((), "")])
def test_steps_that_are_not_there(gone, named):
    """February is left out of the time stamps; or only some days of it."""
    time, month = quarter()
    there = ~np.isin(month, gone) if gone else ~((month == 2) & (time.day < 20))
    found = problems(tree(time[there], np.ones(there.sum()), np.ones(there.sum())))["time"]
    assert (
        found.endswith(f"; nothing in all of {named}")
        if named
        else "nothing in all of" not in found
    )


def test_a_file_of_prices_without_a_month(tmp_path):
    """The importer tells which steps are missing, and holds no price over a month unless told
    to.
    """
    time, month = quarter()
    table = pd.DataFrame({"t": time[month != 2].strftime("%Y-%m-%d %H:%M"), "p": 50.0})
    table.to_csv(tmp_path / "p.csv", index=False)
    with pytest.raises(SchemaError) as found:
        v2g.read_prices(tmp_path / "p.csv", columns={"time": "t", "day_ahead": "p"}, timezone="UTC")
    assert "672" in str(found.value)
    assert "2026-01-31" in str(found.value)
