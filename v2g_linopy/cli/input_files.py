"""Which reader takes a file of prices or sessions, and with which options."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from inspect import signature
from pathlib import Path
from typing import Annotated, Any, ClassVar, get_args
from xml.etree import ElementTree

import pandas as pd
import typer
import xarray as xr

import v2g_linopy as v2g

from .. import data
from ..case.io import existing
from ..case.label_text import nearest
from ..case.units import TABLE
from ..data.importers import trips
from ..data.importers.formats import (
    CAPACITY_FORMATS,
    NETCDF,
    PRICE_FORMATS,
    PROFILE_FORMATS,
    SESSION_FORMATS,
    FileFormat,
    Formats,
    has_suffix_of,
    recognised,
)
from ..data.tables.cells import WORKBOOK, read_cells
from ..data.tables.joined import join_in_time
from ..data.tables.series import combine
from ..data.tables.table_format import TableFormat
from ..errors import InputFileError, Problem, SchemaError
from .option_words import in_option_words
from .options import named_file, pairs

PREFIXED = ("column", "timezone", "ambiguous", "nonexistent", "missing")
"""Options that have another name for the prices of `import sessions`."""


CELL_OPTIONS = ("separator", "encoding", "skip_rows", "sheet")
"""Options that say where the cells of a table are."""
CANNOT_PARSE = (json.JSONDecodeError, ElementTree.ParseError, UnicodeDecodeError)
"""What parsers of the standard library raise at a file that they cannot read."""


def format_help(formats: Formats) -> str:
    """What the help says of the option that names a format."""
    *some, last = formats
    names = " or ".join(filter(None, [", ".join(some), last]))
    return f"{names}; recognised if not given."


TAB = {"tab": "\t", "\\t": "\t"}

Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--column",
        metavar="NAME=HEADER",
        help="Which column holds what (csv); names below. Repeatable.",
    ),
]
ColumnUnits = Annotated[
    list[str] | None,
    typer.Option(
        "--column-unit", metavar="NAME=UNIT", help="Unit of a column, e.g. energy=Wh. Repeatable."
    ),
]
Zone = Annotated[
    str | None,
    typer.Option("--timezone", metavar="IANA", help="Zone of local times, e.g. Europe/Rome."),
]
Ambiguous = Annotated[
    str | None,
    typer.Option(
        "--ambiguous",
        metavar="RULE",
        help="An hour the clock shows twice: infer, first, second or both.",
    ),
]
Nonexistent = Annotated[
    str | None,
    typer.Option("--nonexistent", metavar="RULE", help="An hour the clock skips: drop or shift."),
]
SessionAmbiguous = Annotated[
    str | None,
    typer.Option(
        "--ambiguous", metavar="RULE", help="An hour the clock shows twice: first or second."
    ),
]
SessionNonexistent = Annotated[
    str | None,
    typer.Option("--nonexistent", metavar="RULE", help="An hour the clock skips: shift."),
]
ShortStayRule = Annotated[
    str | None,
    typer.Option(
        "--short-stays",
        metavar="RULE",
        help="Stays still open, or of no length: problem, or drop and list.  [default: drop]",
    ),
]
UsePerKm = Annotated[
    float | None,
    typer.Option(
        "--kwh-per-km", min=0.0, metavar="KWH", help="What vehicles use, in a list of trips."
    ),
]
KeepIds = Annotated[
    bool | None,
    typer.Option(
        "--keep-ids", help="Keep who charged (card, tag, account) as vehicle: personal data."
    ),
]
TimeFormat = Annotated[
    str | None,
    typer.Option(
        "--time-format", metavar="FORMAT", help="As in strptime, e.g. '%d/%m/%Y %H:%M'; else ISO."
    ),
]
Separator = Annotated[
    str | None,
    typer.Option(
        "--separator", help="Between the columns of a csv; 'tab' for a tab.  [default: as found]"
    ),
]
Decimal = Annotated[
    str | None,
    typer.Option("--decimal", help="Decimal mark.  [default: as the column proves, else a point]"),
]
Thousands = Annotated[
    str | None,
    typer.Option(
        "--thousands", metavar="MARK", help="Mark between thousands, where nothing proves it."
    ),
]
Encoding = Annotated[
    str | None,
    typer.Option("--encoding", help="Of a text that is not UTF-8 or UTF-16, e.g. cp1252."),
]
SkipRows = Annotated[
    int | None,
    typer.Option(
        "--skip-rows",
        min=0,
        metavar="N",
        help="Lines to leave out above the header.",
    ),
]
Sheet = Annotated[
    str | None, typer.Option("--sheet", help="Sheet of a workbook.  [default: the first]")
]
Where = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        metavar="NAME=WORD",
        help="Only rows with this word in that column, or one series of several: area=SE3."
        " Repeatable.",
    ),
]
Hours = Annotated[
    str | None,
    typer.Option(
        "--hours",
        metavar="COUNT",
        help="Hour labels: elapsed (23 to 25 a day), clock (24), or shown (0 to 23).",
    ),
]
Unit = Annotated[
    str | None,
    typer.Option(
        "--unit", help="Unit of the prices: EUR/MWh, EUR/kWh, ct/kWh, or as SEK/MWh or p/kWh."
    ),
]
Resample = Annotated[
    str | None,
    typer.Option("--resample", metavar="STEP", help="Where steps differ, e.g. 15min or 60min."),
]
Missing = Annotated[
    str | None,
    typer.Option("--missing", metavar="RULE", help="Steps without a price: problem, nan or hold."),
]
Year = Annotated[
    int | None,
    typer.Option("--year", help="Lay a year of the past on this one, hour by hour in UTC (pvgis)."),
]
PowerUnit = Annotated[
    str | None,
    typer.Option(
        "--unit",
        help="Unit of the numbers: kW, W, MW, or energy per step: kWh, Wh, MWh.  [default: kW]",
    ),
]
MissingPower = Annotated[
    str | None,
    typer.Option("--missing", metavar="RULE", help="Steps without a row: problem, nan or hold."),
]
PriceFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--prices", metavar="FILE", help="Prices to trade at. Repeatable.", show_default=False
    ),
]
PriceFormat = Annotated[
    str | None,
    typer.Option("--price-format", help=format_help(PRICE_FORMATS)),
]
PriceColumns = Annotated[
    list[str] | None,
    typer.Option("--price-column", metavar="NAME=HEADER", help="As --column, for the prices."),
]
PriceZone = Annotated[
    str | None,
    typer.Option("--price-timezone", metavar="IANA", help="As --timezone, for the prices."),
]
PriceAmbiguous = Annotated[
    str | None,
    typer.Option("--price-ambiguous", metavar="RULE", help="As --ambiguous, for the prices."),
]
PriceNonexistent = Annotated[
    str | None,
    typer.Option("--price-nonexistent", metavar="RULE", help="As --nonexistent, for the prices."),
]
PriceMissing = Annotated[
    str | None,
    typer.Option(
        "--price-missing", metavar="RULE", help="Steps without a price: problem, nan or hold."
    ),
]


@dataclass(frozen=True)
class TableOptions:
    """How the rows and clocks of a file are read."""

    panel: ClassVar[str] = "Reading the file"
    column: Columns = None
    timezone: Zone = None
    ambiguous: Ambiguous = None
    nonexistent: Nonexistent = None
    time_format: TimeFormat = None
    separator: Separator = None
    decimal: Decimal = None
    thousands: Thousands = None
    encoding: Encoding = None
    skip_rows: SkipRows = None
    sheet: Sheet = None
    where: Where = None


@dataclass(frozen=True)
class StayOptions(TableOptions):
    """How the rows and clocks of a file of sessions are read."""

    ambiguous: SessionAmbiguous = None
    nonexistent: SessionNonexistent = None
    column_unit: ColumnUnits = None
    short_stays: ShortStayRule = None
    keep_ids: KeepIds = None
    kwh_per_km: UsePerKm = None


@dataclass(frozen=True)
class SeriesOptions:
    """How rows of prices become one uniform series."""

    panel: ClassVar[str] = "Reading prices"
    hours: Hours = None
    unit: Unit = None
    resample: Resample = None
    missing: Missing = None


@dataclass(frozen=True)
class ProfileOptions(SeriesOptions):
    """How rows of power or energy become one uniform series."""

    panel: ClassVar[str] = "Reading profiles"
    unit: PowerUnit = None
    missing: MissingPower = None
    year: Year = None


@dataclass(frozen=True)
class PriceOptions:
    """The prices that sessions trade at, and how their files are read."""

    panel: ClassVar[str] = "Prices"
    prices: PriceFiles = None
    price_format: PriceFormat = None
    price_column: PriceColumns = None
    price_timezone: PriceZone = None
    price_ambiguous: PriceAmbiguous = None
    price_nonexistent: PriceNonexistent = None
    price_missing: PriceMissing = None

    def read(self) -> xr.Dataset:
        """Read them, side by side; a csv that needs more than these options is imported first."""
        options = {
            key.removeprefix("price_"): value
            for key, value in asdict(self).items()
            if key.startswith("price_")
        }
        form = options.pop("format")
        try:
            return read_price_files(self.prices or [], form, options, "price-")
        except SchemaError as error:
            csv = next((p for p in self.prices or [] if not has_suffix_of(p, PRICE_FORMATS)), None)
            if csv is None:
                raise
            columns = "--column ... " if recognised(csv, PRICE_FORMATS) == "csv" else ""
            detail = (
                "separator, decimal mark, time format, unit and choice of a series are options of"
                f" `v2g import prices {csv} {columns}-o prices.nc`; run that first, then give"
                " --prices prices.nc"
            )
            raise SchemaError(
                [*error.problems, Problem("--prices", "usage", detail)], error.source
            ) from error


def read_case(path: Path) -> xr.DataTree:
    """Read a case or a result; a tidy file of prices is refused with what it is for."""
    tree = v2g.read(named_file(path))
    if not tree.children and any(array.dims == ("time",) for array in tree.data_vars.values()):
        detail = (
            "is a file of prices, not a case; give it to `v2g import sessions FILE --prices` or to"
            " `v2g import prices` with --into CASE or --template commuters"
        )
        raise InputFileError(path, detail)
    return tree


def read_price_files(
    paths: list[Path], form: str | None, options: Mapping[str, Any], prefix: str = ""
) -> xr.Dataset:
    """Read one or several files of prices: of one series in time, of several side by side."""
    read = [
        use(PRICE_FORMATS, path, form or price_format(path, options, prefix), options, prefix)
        for path in paths
    ]
    series: dict[frozenset[object], list[xr.Dataset]] = {}
    for prices in read:
        series.setdefault(frozenset(prices.data_vars), []).append(prices)
    with in_option_words({"missing": f"--{prefix}missing"}):
        rule: Any = options.get("missing") or "problem"
        joined = [join_in_time(files, missing=rule) for files in series.values()]
        return joined[0] if len(joined) == 1 else combine(*joined)


def read_profile_file(path: Path, form: str | None, options: Mapping[str, Any]) -> xr.Dataset:
    """Read a file of profiles."""
    return use(PROFILE_FORMATS, path, form or table_format(path, PROFILE_FORMATS, options), options)


def read_capacity_file(path: Path, form: str | None, options: Mapping[str, Any]) -> xr.Dataset:
    """Read a file of capacity prices."""
    return use(
        CAPACITY_FORMATS, path, form or table_format(path, CAPACITY_FORMATS, options), options
    )


def read_session_file(path: Path, form: str | None, options: Mapping[str, Any]) -> xr.Dataset:
    """Read a file of sessions."""
    return use(SESSION_FORMATS, path, form or table_format(path, SESSION_FORMATS, options), options)


def use(
    formats: Formats, path: Path, name: str, options: Mapping[str, Any], prefix: str = ""
) -> xr.Dataset:
    """Call the reader of a format with the options that were given.

    One that it does not know is a usage error.
    """
    if name not in formats:
        raise typer.BadParameter(
            f"{name!r} is no format{nearest(name, formats)}", param_hint=f"--{prefix}format"
        )
    form, given = formats[name], arguments(options, prefix)
    known = parameters(form.read)
    for key, value in given.items():
        flag = flag_of(key, prefix)
        if key not in known:
            raise typer.BadParameter(f"does not apply to the format {name}", param_hint=flag)
        understood(key, value, known[key], flag, form)
    with in_option_words({key: f"--{prefix}{key}" for key in PREFIXED}):
        if "columns" in known and "columns" not in given and not form.finds_columns:
            raise no_columns(path, given, flag_of("columns", prefix))
        return called(form.read, path, given)


def arguments(options: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """The options that were given, under the names of the readers' parameters."""
    given = {key: value for key, value in options.items() if value not in (None, [])}
    for key, name in (("column", "columns"), ("column_unit", "units"), ("where", "where")):
        if key in given:
            given[name] = pairs(given.pop(key), flag_of(name, prefix))
    if "separator" in given:
        given["separator"] = TAB.get(given["separator"], given["separator"])
    return given


def parameters(reader: Callable[..., xr.Dataset]) -> dict[str, tuple[Any, ...]]:
    """Return what a reader may be told of a file, and the words that each may be, if few.

    How a table is written is told by the fields of its format.
    """
    known = {key: words_of(p.annotation) for key, p in signature(reader).parameters.items()}
    if "table" in known:
        known |= {field.name: words_of(field.type) for field in fields(TableFormat)}
    return known


def words_of(annotation: Any) -> tuple[Any, ...]:
    """The words that a parameter may be, also where it may be none."""
    inner = get_args(annotation)
    return tuple(word for part in inner for word in (words_of(part) or (part,)))


def called(reader: Callable[..., xr.Dataset], path: Path, given: Mapping[str, Any]) -> xr.Dataset:
    """Read a file; the options that say how a table is written become its format."""
    try:
        return _called(reader, path, given)
    except CANNOT_PARSE as error:
        raise InputFileError(path, f"cannot be read: {error}") from error


def _called(reader: Callable[..., xr.Dataset], path: Path, given: Mapping[str, Any]) -> xr.Dataset:
    if "table" not in signature(reader).parameters:
        return reader(path, **given)
    written = {field.name for field in fields(TableFormat)} & set(given)
    table = TableFormat(**{"columns": {}} | {key: given[key] for key in written})
    return reader(path, table, **{key: v for key, v in given.items() if key not in written})


def flag_of(key: str, prefix: str) -> str:
    """The option that gives a parameter of a reader."""
    flags = {"columns": f"--{prefix}column", "units": "--column-unit"}
    return flags.get(key, f"--{prefix}{key.replace('_', '-')}")


def understood(key: str, value: Any, choices: tuple[Any, ...], flag: str, form: FileFormat) -> None:
    """Refuse a word that no reader can understand before any file is read."""
    if key == "resample":
        step_length(flag, value)
    if key == "unit" and value not in form.units:
        few = [*form.units[:3], "one of another currency"] if len(form.units) > 8 else form.units
        detail = f"{value!r} is no unit of {form.quantity}; give {' or '.join(few)}"
        raise typer.BadParameter(detail, param_hint=flag)
    if key == "units":
        unknown_units(value, flag)
    if key in ("ambiguous", "nonexistent"):
        choices = tuple(word for word in choices if word in ("raise", *form.rules))
    words = [word for word in choices if word != "raise" and isinstance(word, str)]
    if words and isinstance(value, str) and value not in choices:
        raise typer.BadParameter(
            f"{value!r} is no rule; give {' or '.join(words)}", param_hint=flag
        )


def unknown_units(units: Mapping[str, str], flag: str) -> None:
    """Refuse units that nothing can be in."""
    for name, unit in units.items():
        if unit not in TABLE:
            raise typer.BadParameter(
                f"{name}={unit}: no unit{nearest(unit, TABLE)}", param_hint=flag
            )


def no_columns(path: Path, given: Mapping[str, Any], flag: str) -> Exception:
    """What to say where no column of a table is named: those that it has."""
    told = {key: given[key] for key in CELL_OPTIONS if key in given}
    headers = ", ".join(map(str, read_cells(path, **told).columns))
    message = f"say which column holds what; {path.name} has: {headers}"
    return typer.BadParameter(message, param_hint=flag)


def price_format(path: Path, options: Mapping[str, Any], prefix: str) -> str:
    """The format of a file of prices: csv where columns are named, else as it is recognised."""
    workbook = path.suffix.lower() in WORKBOOK
    if options.get("column") and (workbook or not has_suffix_of(existing(path), PRICE_FORMATS)):
        return "csv"
    name = recognised(path, PRICE_FORMATS)
    if name is None:
        known = [n for n, form in PRICE_FORMATS.items() if path.suffix.lower() in form.suffixes]
        kind, remedy = (
            ("workbook", f"any other is read with --{prefix}column NAME=HEADER")
            if workbook
            else ("file", "name its format")
        )
        message = f"{path.name} is no {kind} of {' or '.join(known)}; {remedy}"
        raise typer.BadParameter(message, param_hint=f"--{prefix}format")
    return name


def table_format(path: Path, formats: Formats, options: Mapping[str, Any]) -> str:
    """Return the format of a file that may be any table.

    A map of columns means csv, or trips where it names their return, or where the file has the
    headers of trips and the map names no arrival; else it shows in the end of its name and in what
    it holds.
    """
    is_text = not has_suffix_of(existing(path), formats)
    if is_text and options.get("column"):
        named = pairs(options["column"], "--column")
        return "trips" if "trips" in formats and means_trips(path, named) else "csv"
    with in_option_words():
        return recognised(path, formats) or "csv"


def means_trips(path: Path, named: Mapping[str, str]) -> bool:
    """Say whether a table of which some columns are named is a list of trips."""
    return "return" in named or ("arrival" not in named and trips.is_trips(path))


def read_record(path: Path) -> xr.DataArray:
    """Read a frequency record: NetCDF, or a table with columns `time` (UTC) and `frequency`."""
    if path.suffix.lower() in NETCDF:
        return data.read_netcdf_frequency(path)["frequency"]
    columns = {"time": "time", "frequency": "frequency"}
    return data.read_frequency(path, columns=columns, timezone="UTC")["frequency"]


def step_length(flag: str, word: str | None) -> str | None:
    """A length of time such as 15min."""
    try:
        if word is not None and not pd.Timedelta(word) >= pd.Timedelta("1s"):
            raise ValueError
    except ValueError:
        raise typer.BadParameter(
            f"{word!r} is no length of time; write it as 15min or 1h", param_hint=flag
        ) from None
    return word
