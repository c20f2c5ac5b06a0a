"""Named formats of published data, each with the traps its publisher set."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from ...errors import Problem, SchemaError
from ..tables.files import (
    clock_axis,
    number_columns,
    pick,
    read_csv,
    read_netcdf,
    read_workbook,
    stamps,
)
from ..tables.local_time import Ambiguous, Nonexistent, Utc, market_hours, to_utc
from ..tables.series import Missing, uniform
from ..tables.session_table import METERED, MOMENTS
from ..tables.wording import first_few

ITALY = "Europe/Rome"


def hour_labels(
    dates: pd.DatetimeIndex,
    hours: np.ndarray,
    timezone: str | None,
    count: Literal["elapsed", "clock"],
    ambiguous: Ambiguous,
    nonexistent: Nonexistent,
    source: str,
) -> Utc:
    """Return the UTC start of hour labels 1, 2, ...: hours gone by since local midnight, or hours
    on the clock.
    """
    if timezone is None:
        return to_utc(dates, None, source=source)
    if count == "elapsed":
        return Utc(market_hours(dates, hours, timezone, source=source), np.arange(len(dates)))
    wrong = (hours < 1) | (hours > 24) | (hours != np.round(hours))
    if wrong.any():
        rows = [f"{d:%Y-%m-%d} hour {h:g}" for d, h in zip(dates[wrong], hours[wrong], strict=True)]
        detail = (
            f'{first_few(rows)}: a clock shows hours 1 to 24; give hours="elapsed" where they are'
            " counted"
        )
        raise SchemaError([Problem("hour", "range", detail)], source)
    clock = dates + pd.to_timedelta(hours - 1, unit="h")
    return to_utc(
        clock, timezone, ambiguous=ambiguous, nonexistent=nonexistent, where="hour", source=source
    )


def read_gme(path: str | Path, *, missing: Missing = "problem") -> xr.Dataset:
    """Read a PUN workbook of GME: ``day_ahead``, EUR/MWh, hourly, UTC.

    Rows carry a date (YYYYMMDD) and an hour of the local day that counts on: 25 on the day the
    clock goes back. Needs the extra `excel`."""
    utc, values = _italian(path, {"day_ahead": "PUN"}, "elapsed", "raise")
    out = uniform(utc, values, missing=missing, source=str(path))
    out["day_ahead"].attrs["long_name"] = "Italian single national price (PUN)"
    return out.assign_attrs(source=f"GME, {Path(path).name}")


def read_terna(
    path: str | Path, *, ambiguous: Literal["first", "second"] = "first", missing: Missing = "nan"
) -> xr.Dataset:
    """Read a regulation workbook of Terna: ``regulation_up`` and ``regulation_down``, EUR/MWh,
    hourly, UTC.

    Rows carry a date (YYYYMMDD) and an hour on the clock, 1 to 24 on every day: on the day the
    clock goes back one of the two hours is not there. A price of 0 says that nothing was accepted
    and becomes NaN. Trailing rows with an hour and nothing else are left out. Needs the extra
    `excel`.

    Parameters
    ----------
    path
        The workbook, one zone of the market.
    ambiguous
        Which of the two hours of October the one row stands for; the other is missing.
    missing
        What a missing hour becomes; NaN, which is an hour in which nothing can be sold, unless
        given.
    """
    fields = {"regulation_down": "DOWN", "regulation_up": "UP"}
    utc, values = _italian(path, fields, "clock", ambiguous)
    values = {name: np.where(v == 0, np.nan, v) for name, v in values.items()}
    out = uniform(utc, values, missing=missing, source=str(path))
    for name, word in fields.items():
        doc = (
            f"mean accepted {word.lower()}ward price of regulation, NaN: nothing accepted or hour"
            " missing"
        )
        out[name].attrs["long_name"] = doc
    return out.assign_attrs(source=f"Terna, {Path(path).name}")


def _italian(
    path: str | Path,
    fields: dict[str, str],
    count: Literal["elapsed", "clock"],
    ambiguous: Ambiguous,
) -> tuple[Utc, dict[str, np.ndarray]]:
    """Return the rows of a workbook with a date, an hour and prices, found by a word in their
    headers.
    """
    source, frame = str(path), read_workbook(path)
    words = {"date": "DATE", "hour": "HOUR", **fields}
    columns = {
        f: next((c for c in frame.columns if word in c.upper()), f"... {word} ...")
        for f, word in words.items()
    }
    frame = pick(frame, columns, source)
    frame = frame[~frame.drop(columns="hour").isna().all(axis=1)]
    values = number_columns(frame, words, ".", source)
    undated = np.isnan(values["date"]) | np.isnan(values["hour"])
    if undated.any():
        detail = (
            f"{undated.sum()} rows have a price but no date or hour, the first is row"
            f" {frame.index[undated][0] + 2}"
        )
        raise SchemaError([Problem("date", "missing", detail)], source)
    text = pd.Series(values["date"].astype(np.int64).astype(str), name="date")
    hours = values["hour"]
    utc = hour_labels(
        stamps(text, "%Y%m%d", source), hours, ITALY, count, ambiguous, "raise", source
    )
    return utc, {name: values[name] for name in fields}


def read_elaadnl(path: str | Path) -> xr.Dataset:
    """Read the open charging sessions of ElaadNL, in order of arrival.

    Times are UTC, written month/day/year. ``energy`` is metered (kWh), ``power_max`` the largest
    power seen (kW), ``connector`` the charge point and its connector; neither battery nor energy on
    arrival are in the data."""
    columns = {
        "transaction": "TransactionId",
        "point": "ChargePoint",
        "plug": "Connector",
        "arrival": "UTCTransactionStart",
        "departure": "UTCTransactionStop",
        "card": "StartCard",
        "charge_time": "ChargeTime",
        "energy": "TotalEnergy",
        "power_max": "MaxPower",
    }
    source = str(path)
    frame = pick(read_csv(path, separator=",", decimal="."), columns, source)
    values = number_columns(
        frame, ("transaction", "charge_time", "energy", "power_max"), ".", source
    )
    data: dict[str, Any] = {}
    for name, field in MOMENTS.items():
        moments = stamps(frame[name], "%m/%d/%Y %H:%M", source)
        data[name] = ("session", np.asarray(moments, "datetime64[ns]"), {"long_name": field.doc})
    for name, field in METERED.items():
        data[name] = ("session", values[name], {"units": field.unit, "long_name": field.doc})
    connector = (frame["point"].astype(str) + "/" + frame["plug"].astype(str)).to_numpy(str)
    labels = {
        "connector": ("session", connector, {"long_name": "charge point / connector"}),
        "transaction": (
            "session",
            values["transaction"].astype(np.int64),
            {"long_name": "number of the transaction"},
        ),
    }
    table = xr.Dataset(data | labels).sortby("arrival").assign_coords(session=np.arange(len(frame)))
    return table.assign_attrs(source=f"ElaadNL open data, {Path(path).name}")


def read_netcdf_prices(
    path: str | Path,
    *,
    timezone: str | None = None,
    ambiguous: Ambiguous = "raise",
    nonexistent: Nonexistent = "raise",
    resample: str | None = None,
    missing: Missing = "problem",
) -> xr.Dataset:
    """Read prices from a flat NetCDF file, every numeric variable on its one time coordinate.

    A coordinate ``time`` is naive UTC. One of another name (``local_hour``) shows local clocks: of
    `timezone`, or of the attribute ``timezone`` of the file, with the rules of `to_utc`."""
    source, file = str(path), read_netcdf(path)
    axis = clock_axis(file, source)
    zone = timezone or ("UTC" if axis == "time" else file.attrs.get("timezone"))
    rules = {"ambiguous": ambiguous, "nonexistent": nonexistent}
    utc = to_utc(pd.DatetimeIndex(file.indexes[axis]), zone, **rules, where=axis, source=source)  # type: ignore[arg-type]
    prices = {
        str(n): v for n, v in file.data_vars.items() if v.dims == (axis,) and v.dtype.kind == "f"
    }
    out = uniform(
        utc,
        {n: v.to_numpy() for n, v in prices.items()},
        resample=resample,
        missing=missing,
        source=source,
    )
    for name, price in prices.items():
        out[name].attrs.update(price.attrs)
    return out.assign_attrs({**file.attrs, **out.attrs})


def read_netcdf_sessions(path: str | Path, *, timezone: str | None = None) -> xr.Dataset:
    """Read sessions on ``session`` from a flat NetCDF file; their times are UTC unless `timezone`
    is given.
    """
    source, file = str(path), read_netcdf(path)
    lacking = [n for n in ("arrival", "departure") if n not in file or file[n].dims != ("session",)]
    if lacking:
        detail = f"the file has {first_few(file.variables, 20)}"
        raise SchemaError(
            [Problem(f"sessions.{n}", "missing", f"no {n} on session; {detail}") for n in lacking],
            source,
        )
    for name in ("arrival", "departure"):
        if timezone is not None:
            utc = to_utc(
                pd.DatetimeIndex(file[name].to_numpy()),
                timezone,
                rules=(),
                where=name,
                source=source,
            ).time
            file[name] = ("session", np.asarray(utc, "datetime64[ns]"), file[name].attrs)
    if "session" not in file.indexes:
        file = file.assign_coords(session=np.arange(file.sizes["session"]))
    return file.sortby("arrival")
