"""Prices with the times that a publisher gave them, into one uniform series: what several formats
share.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import xarray as xr

from ...errors import InputFileError
from ..tables.local_time import Utc, check_zone, nanoseconds
from ..tables.series import Missing, add_notes, uniform_series
from ..tables.wording import with_count

PRICE = "day_ahead"
STEPS = {15: "15 min", 30: "30 min", 60: "60 min"}
"""Minutes that a step of a market may have."""
MINUTE = pd.Timedelta("1min").value


@dataclass(frozen=True)
class PricePoints:
    """Prices of one series as a file gives them.

    Parameters
    ----------
    start
        When each begins, naive UTC, in any order.
    value
        The prices, NaN where there is none.
    unit
        Of all prices, with its currency.
    minutes
        How long each holds; None where the file gives no end.
    timezone
        Zone of the market, for local days later on.
    area
        Bidding zone, where the file names it.
    notes
        Sentences on what was done.
    """

    start: pd.DatetimeIndex
    value: np.ndarray
    unit: str
    minutes: np.ndarray | None = None
    timezone: str | None = None
    area: str = ""
    notes: tuple[str, ...] = ()


def price_series(
    points: PricePoints,
    *,
    resample: str | None,
    missing: Missing,
    timezone: str | None,
    source: str,
) -> xr.Dataset:
    """Return prices on one uniform step, as `read_prices` does.

    Parameters
    ----------
    points
        The prices of one series.
    resample, missing
        As in `read_prices`; a point without a number is missing, too.
    timezone
        Zone of local days, in place of that of the market.
    source
        The file, for the message.

    Raises
    ------
    InputFileError
        There is no price at all.
    SchemaError
        A zone that there is not, times that occur twice or overlap, steps of several lengths, or
        steps without a price.
    """
    check_zone(timezone, source)
    points, left_out = _without_empty_end(_in_order(points), source)
    length = None if points.minutes is None else points.minutes.astype(np.int64) * MINUTE
    out = uniform_series(
        Utc(points.start.as_unit("ns"), np.arange(len(points.start)), length=length),
        {PRICE: points.value},
        unit=points.unit,
        resample=resample,
        missing=missing,
        source=source,
    )
    named = {"timezone": timezone or points.timezone, "area": points.area}
    out = out.assign_attrs({key: word for key, word in named.items() if word})
    return add_notes(out, *points.notes, left_out)


def _in_order(points: PricePoints) -> PricePoints:
    """Return points by their start."""
    return _picked(points, np.argsort(nanoseconds(points.start), kind="stable"))


def _picked(points: PricePoints, at: np.ndarray) -> PricePoints:
    """Return some points, in the order of `at`."""
    minutes = None if points.minutes is None else points.minutes[at]
    return replace(points, start=points.start[at], value=points.value[at], minutes=minutes)


def _without_empty_end(points: PricePoints, source: str) -> tuple[PricePoints, str]:
    """Return points up to the last price, and what was left out: a price to come is not missing."""
    priced = np.flatnonzero(~np.isnan(points.value))
    if len(priced) == 0:
        raise InputFileError(source, "holds no price")
    end = priced[-1] + 1
    count = len(points.value) - end
    if count == 0:
        return points, ""
    verb = "is" if count == 1 else "are"
    said = f"{with_count(count, 'step')} without a price at the end {verb} left out"
    return _picked(points, np.arange(end)), f"{said}, from {points.start[end]} UTC."
