"""`import pv`, `import load`: measured profiles into a case, new or existing."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import typer
import xarray as xr

from .. import data
from ..case.label_text import nearest
from ..data.importers.formats import PROFILE_FORMATS
from ..data.sessions.case_from_sessions import horizon
from ..data.sessions.currency import currency_of_prices, said_of_defaults
from ..data.sessions.markets import AMPLE, energy_market
from ..data.sessions.new_case import new_case
from ..data.sessions.with_prices import ZONE, name_prices
from ..data.tables.local_time import align
from .import_common import End, Limit, Market, Step, Target, markets_of, named, zone_of
from .input_files import (
    PriceOptions,
    ProfileOptions,
    TableOptions,
    format_help,
    read_case,
    read_profile_file,
    step_length,
)
from .new import Start, Writing, day
from .option_words import in_option_words
from .options import command
from .terminal import Terminal

LEAST_LIMIT = 10_000.0
"""kW that a new case may trade at least: more is to be added to it."""

ProfileFile = Annotated[
    Path, typer.Argument(metavar="FILE", help="File of profiles.", show_default=False)
]
ProfileFormat = Annotated[str | None, typer.Option("--format", help=format_help(PROFILE_FORMATS))]
Into = Annotated[
    Path | None, typer.Option("--into", metavar="CASE", help="Add to this case, or to its members.")
]
Pod = Annotated[
    list[str] | None,
    typer.Option(
        "--pod", metavar="POD", help="Point of delivery of all, or of one: NAME=POD. Repeatable."
    ),
]
Scale = Annotated[
    list[str] | None,
    typer.Option(
        "--kwp",
        metavar="KWP",
        help=(
            "Size of all, or of one: NAME=KWP. The numbers of the file are per kWp, or for the size"
            " that it names. Repeatable."
        ),
    ),
]


@dataclass(frozen=True)
class ProfileCaseOptions:
    """The case that profiles go into: one there is, or a new one with prices to trade at."""

    panel: ClassVar[str] = "The case"
    into: Into = None
    step: Step = None
    start: Start = None
    end: End = None
    market: Market = None
    limit: Limit = None

    def case(
        self, price: PriceOptions, read: xr.Dataset, zone: str | None, title: str
    ) -> xr.DataTree:
        """Read the case, or make a new one that can trade all that the profiles may ever hold."""
        if (self.into is None) == (not price.prices):
            hint = "--into or --prices"
            raise typer.BadParameter(
                "give the case to add to, or prices for a new one, and not both", param_hint=hint
            )
        if self.into is not None:
            return self._case_there_is(self.into)
        return self._new_case(price, read, zone, title)

    def _case_there_is(self, path: Path) -> xr.DataTree:
        """Read the case to add to; options of a new one are refused."""
        for name in ("step", "start", "end", "market", "limit"):
            if getattr(self, name):
                raise typer.BadParameter(
                    "is for a new case, not for one there is", param_hint=f"--{name}"
                )
        return read_case(path)

    def _new_case(
        self, price: PriceOptions, read: xr.Dataset, zone: str | None, title: str
    ) -> xr.DataTree:
        """Make a case with nothing but a market that can take all of the profiles."""
        traded = price.read()
        timezone = zone_of(zone or price.price_timezone, traded)
        step = step_length("--step", self.step)
        time = horizon(traded, timezone, step, day(self.start), day(self.end, "--end"))
        limit, markets = self.limit, markets_of(traded, self.market)
        if limit is None:
            largest = float(sum(abs(x).max() for x in read.data_vars.values()))
            limit = max(LEAST_LIMIT, AMPLE * largest)
        currency = currency_of_prices(traded)
        energy = energy_market(align(traded, time), markets, limit, currency)
        case = new_case(
            time,
            {"energy": energy},
            timezone=timezone,
            title=title,
            source="",
            currency=currency,
            assumptions=[
                f"Energy is traded up to {limit:g} kW either way.",
                *said_of_defaults(currency),
            ],
        )
        if not zone:
            case["energy"].attrs[ZONE] = timezone
        name_prices(case, case, traded, markets, source=named(price.prices))
        return case


def add(group: typer.Typer) -> None:
    """Add the commands to the group `import`."""
    command(
        group,
        "pv",
        "v2g import pv roof.csv --column time=Time --column roof=W --unit W --kwp 50 --timezone"
        " Europe/Rome --into depot.nc --pod depot -o depot-pv.nc",
        "v2g import pv pvgis.csv --year 2026 --kwp 30 --prices spot.nc -o roof.nc",
    )(pv)
    command(
        group,
        "load",
        "v2g import load meter.csv --column time=Von --column office=kWh --unit kWh --timezone"
        " Europe/Berlin --ambiguous infer --into depot.nc --pod depot -o depot-load.nc",
    )(load)


def pv(
    terminal: Terminal,
    file: ProfileFile,
    output: Target,
    table: TableOptions,
    profile: ProfileOptions,
    into: ProfileCaseOptions,
    price: PriceOptions,
    form: ProfileFormat = None,
    kwp: Scale = None,
    pod: Pod = None,
    *,
    writing: Writing,
) -> None:
    """Import what sun or wind would give into /renewable, of a case there is or of a new one with
    prices.
    """
    path = writing.path(output)
    read = read_profile_file(file, form, asdict(table) | asdict(profile))
    sizes = {name: size_of(word) for name, word in by_member(kwp, read, "--kwp").items()}
    for name, size in sizes.items():
        of_file = float(read[name].attrs.get("peak_power", 1.0))
        read[name] = (size / of_file * read[name]).assign_attrs(units="kW")
    origin = {
        str(name): f"{file.name} ({sizes[name]:g} kWp)" if name in sizes else file.name
        for name in read.data_vars
    }
    case = into.case(price, read, table.timezone, file.stem)
    case = case_with_profiles(
        case,
        "renewable",
        "available",
        read,
        by_member(pod, read, "--pod"),
        origin,
    )
    writing.finish(terminal, case, path)


def load(
    terminal: Terminal,
    file: ProfileFile,
    output: Target,
    table: TableOptions,
    profile: ProfileOptions,
    into: ProfileCaseOptions,
    price: PriceOptions,
    form: ProfileFormat = None,
    pod: Pod = None,
    *,
    writing: Writing,
) -> None:
    """Import what buildings or machines draw into /load, of a case there is or of a new one with
    prices.
    """
    path = writing.path(output)
    read = read_profile_file(file, form, asdict(table) | asdict(profile))
    case = into.case(price, read, table.timezone, file.stem)
    case = case_with_profiles(
        case, "load", "baseline", read, by_member(pod, read, "--pod"), file.name
    )
    writing.finish(terminal, case, path)


def case_with_profiles(
    case: xr.DataTree,
    part: str,
    field: str,
    read: xr.Dataset,
    pods: Mapping[str, str],
    source: str | Mapping[str, str],
) -> xr.DataTree:
    """Put the profiles into the case, which says so in its assumptions."""
    with in_option_words():
        return data.with_profiles(case, part, field, read, pods=pods, source=source)


def by_member(words: list[str] | None, read: xr.Dataset, flag: str) -> dict[str, str]:
    """A word for all members, or `NAME=WORD` for one, by name."""
    names = [str(name) for name in read.data_vars]
    found: dict[str, str] = {}
    for word in words or ():
        name, equals, value = word.partition("=")
        if equals and name not in names:
            raise typer.BadParameter(
                f"there is no column {name!r}{nearest(name, names)}", param_hint=flag
            )
        found |= {name: value} if equals else {n: word for n in names if n not in found}
    return found


def size_of(word: str) -> float:
    """A number of kWp."""
    try:
        size = float(word)
    except ValueError:
        size = float("nan")
    if not 0 <= size < float("inf"):
        raise typer.BadParameter(f"{word!r} is no size; give a number of kWp", param_hint="--kwp")
    return size
