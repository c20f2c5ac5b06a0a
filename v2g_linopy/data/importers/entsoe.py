"""Day-ahead prices of the ENTSO-E transparency platform: its documents (XML, type A44), and the
tables that its website exports.
"""

from pathlib import Path
from typing import Literal

import xarray as xr

from ..tables.series import Missing
from ..tables.text import beginning
from .choices import Where
from .entsoe_document import points_of_document
from .entsoe_export import is_export, points_of_export
from .price_points import price_series

DOCUMENT = "Publication_MarketDocument"
REFUSAL = "Acknowledgement_MarketDocument"


def read_entsoe(
    path: str | Path,
    *,
    where: Where | None = None,
    ambiguous: Literal["infer", "first", "second", "raise"] = "infer",
    timezone: str | None = None,
    resample: str | None = None,
    missing: Missing = "problem",
) -> xr.Dataset:
    r"""Read day-ahead prices of the ENTSO-E transparency platform.

    It reads the documents of the programming interface (XML, type A44) and the tables that the
    website exports (CSV, in the layouts before and since 2025).

    Positions that a document of curve type A03 leaves out repeat the price before, as its
    standard says.

    Parameters
    ----------
    path : str or pathlib.Path
        The file.
    where : mapping of str to str, optional
        Which series, where the file holds several: ``area``, ``sequence`` (of the auctions of a
        day), ``contract`` (A01: day-ahead, A07: intraday) or ``auction``, such as
        ``{"area": "BZN|NL"}``. Of several auctions of a day the first is taken, that of the coupled
        markets, unless another is named; the notes say what is left out.
    ambiguous : {"infer", "first", "second", "raise"}, default "infer"
        What a local hour means that the clock shows twice and a table does not mark. `infer`: both
        are there, in the order of the file.
    timezone : str, optional
        IANA zone of local days, kept for later; the times of a file need none.
    resample : str, optional
        Step of the result, such as ``1h``, where the steps are not all as long.
    missing : {"problem", "nan", "hold"}, default "problem"
        What steps without a price become: an error, NaN, or the price before.

    Returns
    -------
    xarray.Dataset
        ``day_ahead`` on ``time`` (naive UTC, interval start, uniform), in the unit and currency of
        the file, such as EUR/MWh.

    Raises
    ------
    InputFileError
        The file cannot be read, or is another document. It is a `SchemaError`.
    SchemaError
        Several series and no choice, a resolution other than 15, 30 or 60 minutes, and everything
        wrong with the times or the numbers.

    Examples
    --------
    >>> import pathlib
    >>> from v2g_linopy.data import read_entsoe
    >>> rows = ['"MTU (CET/CEST)","Day-ahead Price [EUR/MWh]","Currency","BZN|NL"']
    >>> rows += ['"01.03.2026 00:00 - 01.03.2026 01:00","50.1","EUR",""']
    >>> rows += ['"01.03.2026 01:00 - 01.03.2026 02:00","49","EUR",""']
    >>> size = pathlib.Path("nl.csv").write_text("\n".join(rows))
    >>> prices = read_entsoe("nl.csv")
    >>> prices.day_ahead.values.tolist(), str(prices.time.values[0])[:16]
    ([50.1, 49.0], '2026-02-28T23:00')
    """
    source = str(path)
    if is_entsoe_export(Path(path)):
        points = points_of_export(path, where, ambiguous)
    else:
        points = points_of_document(path, where)
    out = price_series(points, resample=resample, missing=missing, timezone=timezone, source=source)
    return out.assign_attrs(source=f"ENTSO-E transparency platform, {Path(path).name}")


def is_entsoe(path: Path) -> bool:
    """Say whether a file is a document or an export of the transparency platform."""
    shown = beginning(path)
    return DOCUMENT in shown or REFUSAL in shown or is_export(shown)


def is_entsoe_export(path: Path) -> bool:
    """Say whether a file is a table that the website exports."""
    return is_export(beginning(path))
