"""`import prices`: from published prices to a tidy file, or into a case."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer
import xarray as xr

from .. import data
from ..case.io import atomic
from ..case.units import currency_of_price, factor
from ..data.importers.formats import PRICE_FORMATS
from ..data.importers.price_files import price_columns
from ..data.sessions.origins import FORECASTS, other_clock
from ..data.sessions.with_prices import name_prices
from ..data.tables.local_time import to_local
from ..data.tables.series import notes_of
from ..model.part import Stage
from ..parts.catalogue import PARTS
from .import_common import (
    Imbalance,
    Into,
    Market,
    Settlement,
    Target,
    imbalance_of,
    markets_of,
    named,
    regulation_of,
    zone_of,
)
from .input_files import SeriesOptions, TableOptions, format_help, read_case, read_price_files
from .new import Days, Seed, Start, Vehicles, Writing, day
from .option_words import in_option_words
from .options import command, one_of
from .terminal import Terminal

Files = Annotated[
    list[Path], typer.Argument(metavar="FILE", help="Files of prices.", show_default=False)
]
PriceFormat = Annotated[str | None, typer.Option("--format", help=format_help(PRICE_FORMATS))]
Template = Annotated[
    str | None,
    typer.Option("--template", "-t", help="commuters: make a case of them with these prices."),
]


def add(group: typer.Typer) -> None:
    """Add the command to the group `import`."""
    command(
        group,
        "prices",
        "v2g import prices gme.xlsx terna.xlsx --template commuters --vehicles 100 --days 92 -o"
        " italy.nc",
        "v2g import prices spot.csv --column time=Hour --column day_ahead='PUN €' --timezone"
        " Europe/Rome -o spot.nc",
        "v2g import prices spot.nc --into depot.nc -o depot-spot.nc",
        notes={"Columns": price_columns()},
    )(prices)


def prices(
    terminal: Terminal,
    files: Files,
    output: Target,
    table: TableOptions,
    series: SeriesOptions,
    form: PriceFormat = None,
    template: Template = None,
    into: Into = None,
    market: Market = None,
    imbalance: Imbalance = None,
    regulation: Settlement = None,
    vehicles: Vehicles = None,
    days: Days = None,
    start: Start = None,
    seed: Seed = 0,
    *,
    writing: Writing,
) -> None:
    """Import prices: as a tidy file in UTC, as a case of commuters, or into a case there is."""
    path = writing.path(output)
    if template is not None:
        one_of("--template", template, ("commuters",))
    if template is not None and into is not None:
        raise typer.BadParameter("makes a new case; give it or --into", param_hint="--template")
    if template is None:
        _only_for_templates(vehicles=vehicles, days=days, start=start, regulation=regulation)
    if template is None and into is None:
        _only_for_cases(market=market, imbalance=imbalance)
    with terminal.progress("Reading"):
        read = read_price_files(files, form, asdict(table) | asdict(series))
    zone = zone_of(table.timezone, read)
    if template is None and into is None:
        store(terminal, read, zone, path, writing)
        return
    terminal.say("\n".join(["prices read", *in_words(read, zone)]))
    settled = imbalance_of(read, imbalance)
    if into is not None:
        old = read_case(into)
        markets = markets_of(read, market, settled)
        case = data.with_prices(old, read, markets, settled, source=named(files))
        terminal.say("\n".join(replaced_and_kept(old, case, read)))
    else:
        given: dict[str, Any] = {"vehicles": vehicles, "days": days, "start": day(start)}
        with in_option_words():
            case = data.commuters(
                seed=seed,
                prices=read,
                markets=markets_of(read, market, settled),
                imbalance=settled,
                regulation=regulation_of(read, regulation),
                **{key: value for key, value in given.items() if value is not None},
            )
        traded = markets_of(read, market, settled)
        name_prices(case, case, read, traded, settled, named(files), "reserve" in case.children)
    writing.finish(terminal, case, path)


def _only_for_templates(**given: object) -> None:
    """Refuse what is for a new case where none is made."""
    for name, value in given.items():
        if value is not None:
            detail = "is for a new case (--template), not for one there is or a file of prices"
            raise typer.BadParameter(detail, param_hint=f"--{name}")


def _only_for_cases(**given: object) -> None:
    """Refuse what is for a case where prices go into a file of their own."""
    for name, value in given.items():
        if value:
            detail = "is for a case (--template or --into), not for a file of prices"
            raise typer.BadParameter(detail, param_hint=f"--{name}")


def replaced_and_kept(old: xr.DataTree, new: xr.DataTree, read: xr.Dataset) -> list[str]:
    """What of a case went with its prices, and what is of its markets and stays."""
    foretold = [map(str, c[FORECASTS] if FORECASTS in c.children else ()) for c in (old, new)]
    before, now = map(set, foretold)
    gone = [f"forecasts of {name}" for name in sorted(before - now)]
    kept = [str(name) for name in new["energy"].data_vars if name != "price"]
    markets = {name for name, part in PARTS.items() if part.stage == Stage.MARKET}
    stay = [name for name in new.children if name in markets | {"gates"} and name in old.children]
    kept += [f"/{name}" for name in stay if _same(old, new, name)]
    if str(old.attrs.get("timezone")) != str(new.attrs.get("timezone")):
        gone.append(f"the zone, {old.attrs.get('timezone')}, by {new.attrs.get('timezone')}")
    places = [f"/{name}" for name in new.children if name in markets and name not in stay]
    places += [f"/{name}" for name in stay if not _same(old, new, name)]
    lines = [f"replaced: the prices of {', '.join(places)}{''.join(f'; {x}' for x in gone)}"]
    lines += [f"kept, as part of the market: {', '.join(kept)}"] if kept else []
    if clock := other_clock(new, read):
        lines.append(f"warning: the prices are {clock}")
    return lines


def _same(old: xr.DataTree, new: xr.DataTree, group: str) -> bool:
    """Whether a group of the case is as it was."""
    before, now = (case.children[group].to_dataset(inherit=False) for case in (old, new))
    return before.equals(now)


def store(terminal: Terminal, read: xr.Dataset, zone: str, path: Path, writing: Writing) -> None:
    """Write prices as a tidy file: naive UTC, uniform steps."""
    lines = in_words(read, zone)
    if not writing.dry_run:
        with atomic(path, overwrite=writing.force) as temporary:
            read.to_netcdf(temporary, engine="netcdf4")
    time = read.indexes["time"]
    names = [str(name) for name in read.data_vars]
    status, wrote = ("dry run", "would write") if writing.dry_run else ("ok", "wrote")
    words = f"{wrote} {path}: {', '.join(names)}, {len(time)} steps from {time[0]} UTC"
    document = {"status": status, "file": str(path), "prices": names, "steps": len(time)}
    shown = {name: figures(read[name]) for name in names}
    document |= {"timezone": zone, "figures": shown, "notes": notes_of(read)}
    terminal.answer("\n".join([words, *lines]), document)


def figures(price: xr.DataArray) -> dict[str, Any]:
    """Unit, least, mean and most of a price, and how many steps have none."""
    least, mean, most = (float(x) for x in (price.min(), price.mean(), price.max()))
    unit = str(price.attrs.get("units", "EUR/MWh"))
    return {
        "units": unit,
        "min": least,
        "mean": mean,
        "max": most,
        "without": int(price.isnull().sum()),
    }


def in_words(read: xr.Dataset, zone: str) -> list[str]:
    """The prices in a few numbers: a wrong unit or clock shows here."""
    edges = pd.DatetimeIndex(read.indexes["time"])
    step = data.step_of(edges)
    first, last = to_local(pd.DatetimeIndex([edges[0], edges[-1] + step]), zone)
    minutes = step / pd.Timedelta("1min")
    lines = [f"  {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} {zone}, steps of {minutes:g} min"]
    for name in map(str, read.data_vars):
        f = figures(read[name])
        money = currency_of_price(f["units"]) or "EUR"
        scale = (factor(f["units"], "EUR/MWh", money) or 0.0) * 1000
        per_mwh = f"{money}/MWh"
        shown = [(f["units"], 1.0)] + (
            [(per_mwh, scale)] if f["units"] != per_mwh and scale else []
        )
        parts = [
            f"{scale * f['min']:.5g} to {scale * f['max']:.5g} {unit}, mean {scale * f['mean']:.5g}"
            for unit, scale in shown
        ]
        without = f"; {f['without']} steps without a price" if f["without"] else ""
        lines.append(f"  {name}: {' = '.join(parts)}{without}")
    return lines + [f"  {note}" for note in notes_of(read)]
