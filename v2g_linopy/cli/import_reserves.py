"""`import reserves`, `import frequency`, `import acceptance`: named products with their capacity
prices, their calls, and how likely offers are accepted, into a case.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from .. import data
from ..case.units import accepted
from ..data.importers.capacity_price_files import UNIT
from ..data.importers.formats import CAPACITY_FORMATS, FREQUENCY_FORMATS, recognised
from ..data.sessions.origins import replace_origin
from ..data.sessions.with_offers import PAID_AS
from ..data.sessions.with_reserves import BEHIND
from ..data.tables.series import notes_of
from ..delivery.frequency import with_frequency
from ..parts.markets.reserve.nordic_products import CATALOGUE, Reservoir
from .import_common import Target
from .input_files import (
    MissingPower,
    SeriesOptions,
    TableOptions,
    format_help,
    read_capacity_file,
    read_case,
    use,
)
from .new import Writing
from .option_words import in_option_words
from .options import command, one_of
from .terminal import Terminal

PriceFile = Annotated[
    Path, typer.Argument(metavar="FILE", help="CSV file of capacity prices.", show_default=False)
]
RecordFile = Annotated[
    Path, typer.Argument(metavar="FILE", help="Frequency record, csv or nc.", show_default=False)
]
Into = Annotated[
    Path, typer.Option("--into", metavar="CASE", help="Add to this case.", show_default=False)
]
CapacityFormat = Annotated[str | None, typer.Option("--format", help=format_help(CAPACITY_FORMATS))]
Unit = Annotated[
    str | None, typer.Option("--unit", help=f"Unit of the prices: {' or '.join(accepted(UNIT))}.")
]
Stands = Annotated[
    str | None,
    typer.Option(
        "--reservoir",
        help="Behind FCR: limited (NEM) or ample (2 h).  [default: by who can discharge]",
    ),
]
Volume = Annotated[
    float, typer.Option("--volume-max", min=0.0, help="Most that is bought of each product, kW.")
]
FREQUENCY = "frequency"
"""What the origin of `/reserve` calls its record of frequency."""
Moved = Annotated[
    bool, typer.Option("--moved", help="Take the beginning of the record for that of the case.")
]

HistoryFile = Annotated[
    Path,
    typer.Argument(metavar="FILE", help="CSV file of marginal prices.", show_default=False),
]
Prices = Annotated[
    int, typer.Option("--prices", min=1, help="How many prices of the history may be asked.")
]
PaidAs = Annotated[
    str,
    typer.Option("--paid-as", metavar="KIND", help="What an accepted offer is paid: bid, cleared."),
]
ByHour = Annotated[bool, typer.Option("--by-hour", help="A curve for each hour of the local day.")]
OnePrice = Annotated[
    bool,
    typer.Option("--one-price", help="One price in each block, where a volume is not to be split."),
]


@dataclass(frozen=True)
class CapacityOptions(SeriesOptions):
    """How rows of capacity prices become one uniform series."""

    unit: Unit = None
    missing: MissingPower = None


def add(group: typer.Typer) -> None:
    """Add the commands to the group `import`."""
    command(
        group,
        "reserves",
        "v2g import reserves fcr.csv --column time=Time --column FCR-N=Normal --column 'FCR-D"
        " up=Up' --timezone Europe/Helsinki --into depot.nc -o depot-fcr.nc",
        notes={"Products": catalogue()},
    )(reserves)
    command(
        group,
        "frequency",
        "v2g import frequency hertz.csv --column time=Time --column frequency=Hz --timezone UTC "
        "--into depot-fcr.nc -o depot-called.nc",
    )(frequency)
    command(
        group,
        "acceptance",
        "v2g import acceptance marginal.csv --column time=Time --column FCR-N=Normal --timezone"
        " Europe/Helsinki --into depot-fcr.nc -o depot-offers.nc",
    )(acceptance)


def reserves(
    terminal: Terminal,
    file: PriceFile,
    output: Target,
    into: Into,
    table: TableOptions,
    prices: CapacityOptions,
    form: CapacityFormat = None,
    reservoir: Stands = None,
    volume_max: Volume = float("inf"),
    *,
    writing: Writing,
) -> None:
    """Let a case sell Nordic reserve products, named by their columns, at capacity prices from a
    file.
    """
    path = writing.path(output)
    if reservoir is not None:
        one_of("--reservoir", reservoir, tuple(BEHIND))
    case = read_case(into)
    read = read_capacity_file(file, form, asdict(table) | asdict(prices))
    stands: Reservoir | None = reservoir  # type: ignore[assignment]  # `one_of` above
    with in_option_words():
        made = data.with_reserves(
            case, read, reservoir=stands, volume_max=volume_max, source=file.name
        )
    if "reserve" in case.children:
        terminal.say("the products take the place of all that the case had in /reserve")
    writing.finish(terminal, made, path)


def frequency(
    terminal: Terminal,
    file: RecordFile,
    output: Target,
    into: Into,
    table: TableOptions,
    missing: MissingPower = None,
    moved: Moved = False,
    *,
    writing: Writing,
) -> None:
    """Fold a frequency record into a case: expected activation and worst excursions of FCR-N and
    FCR-D.
    """
    path = writing.path(output)
    case = read_case(into)
    form = recognised(file, FREQUENCY_FORMATS) or "csv"
    read = use(FREQUENCY_FORMATS, file, form, asdict(table) | {"missing": missing})
    with in_option_words():
        made = with_frequency(case, read["frequency"], moved=moved)
    begins = read.indexes["time"][0]
    said = f"Activation and excursions of FCR: frequency record {file.name}, from {begins} UTC"
    said += ", moved to the start of the case." if moved else "."
    lines = [said, *(f"/reserve, frequency: {note}" for note in notes_of(read))]
    replace_origin(made, case, "reserve", {FREQUENCY: lines}, file.name, whole=False)
    writing.finish(terminal, made, path)


def acceptance(
    terminal: Terminal,
    file: HistoryFile,
    output: Target,
    into: Into,
    table: TableOptions,
    series: CapacityOptions,
    form: CapacityFormat = None,
    prices: Prices = 20,
    paid_as: PaidAs = "bid",
    by_hour: ByHour = False,
    one_price: OnePrice = False,
    *,
    writing: Writing,
) -> None:
    """Let a case choose at which price it offers its reserve products, each accepted as often as
    in a history of marginal prices.
    """
    path = writing.path(output)
    one_of("--paid-as", paid_as, PAID_AS)
    made = read_case(into)
    read = read_capacity_file(file, form, asdict(table) | asdict(series))
    zone = str(made.attrs.get("timezone", "UTC"))
    said = [f"Offers at {prices} prices: marginal prices {file.name}, paid as {paid_as}."]
    said += [f"/reserve, offers: {note}" for note in notes_of(read)]
    before = made
    with in_option_words():
        for name, history in read.data_vars.items():
            curve = data.fitted_acceptance(
                history, prices, paid_as=paid_as, by_hour=by_hour, timezone=zone
            )
            made = data.with_offers(made, str(name), curve, one_price=one_price)
    replace_origin(made, before, "reserve", {"offers": said}, file.name, whole=False)
    writing.finish(terminal, made, path)


def catalogue() -> list[tuple[str, str, str, str]]:
    """Every product that a column may name: kW held up and down per kW sold, and the bid."""
    rows = []
    for name, p in CATALOGUE.items():
        spare = p.management.power
        power = f"{p.up + spare * p.down:.2f} / {p.down + spare * p.up:.2f}"
        hours = f"{p.hours:.3g} h of energy"
        rows.append((name, power, hours, f"bids from {p.least:g} kW, in steps of {p.lot:g} kW"))
    return rows
