"""Every format of a file that can be imported, by name: a new importer is a file and a line here.

A reader returns a dataset as `read_prices`, `read_sessions`, `read_profiles` or `read_frequency`
do."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import xarray as xr

from ...case.io import existing
from ...case.units import price_units
from ..sessions.connectors import read_connectors
from ..tables.cells import WORKBOOK, is_workbook, read_cells
from ..tables.local_time import ALL_RULES
from ..tables.text import beginning
from . import (
    acn,
    capacity_price_files,
    elaadnl,
    entsoe,
    frequency_files,
    gme_and_terna,
    netcdf_files,
    ocpi,
    ocpp,
    omie,
    price_files,
    price_records,
    profile_files,
    pvgis,
    session_files,
    trips,
)

NETCDF = (".nc", ".nc4", ".cdf")


@dataclass(frozen=True)
class FileFormat:
    """A format of files: who reads it, and how a file of it is recognised.

    Parameters
    ----------
    read
        Takes the path, and as keywords what the user may say of the file. One with a parameter
        `table` takes a `TableFormat`.
    suffixes
        Ends of file names, with the dot; none: any text.
    headers
        Words that all occur in the headers of such a table, in capitals or not.
    recognises
        Says of a path whether the file is in this format; for files that are no tables, such as
        JSON. A format with neither this nor `headers` is taken where no other fits.
    quantity, units
        What the parameter `unit` is the unit of, and the units that it may be.
    rules
        Rules for hours that the clock shows twice or skips.
    finds_columns
        The reader knows the usual headers of a table, so that no column need be named.
    """

    read: Callable[..., xr.Dataset]
    suffixes: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    recognises: Callable[[Path], bool] | None = None
    quantity: str = ""
    units: Sequence[str] = ()
    rules: tuple[str, ...] = ALL_RULES
    finds_columns: bool = False

    @property
    def fits_any(self) -> bool:
        """True where nothing in a file tells that it is in this format."""
        return not self.headers and self.recognises is None


Formats = Mapping[str, FileFormat]

PRICE_FORMATS: Formats = {
    "csv": FileFormat(price_files.read_prices, quantity="a price", units=price_units()),
    "entsoe": FileFormat(
        entsoe.read_entsoe, recognises=entsoe.is_entsoe, rules=("infer", "first", "second")
    ),
    "records": FileFormat(
        price_records.read_price_records,
        recognises=price_records.is_json,
        quantity="a price",
        units=price_units(),
    ),
    "omie": FileFormat(omie.read_omie, recognises=omie.is_omie),
    "gme": FileFormat(gme_and_terna.read_gme, WORKBOOK, headers=("PUN",)),
    "terna": FileFormat(gme_and_terna.read_terna, WORKBOOK, headers=("DOWN",)),
    "netcdf": FileFormat(netcdf_files.read_netcdf_prices, NETCDF),
}
SESSION_FORMATS: Formats = {
    "csv": FileFormat(session_files.read_sessions, rules=session_files.SESSION_RULES),
    "elaadnl": FileFormat(elaadnl.read_elaadnl, headers=("TransactionId", "UTCTransactionStart")),
    "ocpi": FileFormat(ocpi.read_ocpi, recognises=ocpi.is_ocpi),
    "acn": FileFormat(acn.read_acn, recognises=acn.is_acn),
    "ocpp": FileFormat(ocpp.read_ocpp, recognises=ocpp.is_ocpp, rules=session_files.SESSION_RULES),
    "trips": FileFormat(
        trips.read_trips, recognises=trips.is_trips, rules=trips.RULES, finds_columns=True
    ),
    "netcdf": FileFormat(netcdf_files.read_netcdf_sessions, NETCDF),
}
PROFILE_FORMATS: Formats = {
    "csv": FileFormat(
        profile_files.read_profiles, quantity="power or energy", units=profile_files.UNITS
    ),
    "pvgis": FileFormat(pvgis.read_pvgis, recognises=pvgis.is_pvgis),
}
CAPACITY_FORMATS: Formats = {
    "csv": FileFormat(
        capacity_price_files.read_capacity_prices,
        quantity="a capacity price",
        units=price_units(capacity_price_files.UNIT),
    ),
}
FREQUENCY_FORMATS: Formats = {
    "csv": FileFormat(frequency_files.read_frequency),
    "netcdf": FileFormat(frequency_files.read_netcdf_frequency, NETCDF),
}
CONNECTOR_FORMATS: Formats = {"csv": FileFormat(read_connectors)}


def recognised(path: str | Path, formats: Formats) -> str | None:
    """Return the name of the format that a file is in, by the end of its name and what it holds.

    None where none fits.

    Raises
    ------
    InputFileError
        There is no such file, or its headers cannot be read.
    """
    path = existing(path)
    suffix = path.suffix.lower()
    of_suffix = {name: form for name, form in formats.items() if suffix in form.suffixes}
    fitting = of_suffix or {name: form for name, form in formats.items() if not form.suffixes}
    told = next(
        (name for name, form in fitting.items() if form.recognises and form.recognises(path)), None
    )
    return (
        told
        or _by_headers(path, fitting)
        or next((name for name, form in fitting.items() if form.fits_any), None)
    )


def has_suffix_of(path: Path, formats: Formats) -> bool:
    """Return True where a format claims the end of a file's name; else it is read as text."""
    return any(path.suffix.lower() in form.suffixes for form in formats.values())


def _by_headers(path: Path, formats: Formats) -> str | None:
    """Return the format whose headers a table has; it is opened only if one is known by them."""
    of_tables = {name: form.headers for name, form in formats.items() if form.headers}
    if not of_tables:
        return None
    shown = headers_of(path).upper()
    return next(
        (name for name, words in of_tables.items() if all(w.upper() in shown for w in words)), None
    )


def headers_of(path: Path) -> str:
    """Return the headers of a workbook, or the first lines of a text, in one line."""
    if is_workbook(path):
        return " ".join(map(str, read_cells(path).columns))
    return beginning(path)
