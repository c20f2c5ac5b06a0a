"""`import prices`, `import sessions`: from published files to a case. The group `import`."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pandas as pd
import pydantic
import typer
import xarray as xr

from .. import ingest
from ..case import atomic
from ..errors import Problem, SchemaError
from ..ingest.cases import energy_market, settlement
from ..ingest.importers import price_columns, session_columns
from ..ingest.options import BATTERY
from ..ingest.plugs import CONNECTORS
from ..schema import REQUIRED
from ..units import factor
from . import profiling, reserving
from .changes import changed
from .files import TAB, PriceOptions, SeriesOptions, StayOptions, TableOptions, read_case, read_prices, read_sessions
from .making import Days, Seed, Start, Vehicles, day, finish
from .markets import REGULATION, End, Imbalance, Into, Limit, Market, Step, Target, imbalance_of, markets_of, zone_of
from .options import DryRun, Force, Set, command, nearest, one_of, pairs, scalar, step_length
from .output import case_path, refuse_file
from .spoken import spoken
from .terminal import Terminal

KEPT = {"missing": "--price-missing"}
"""What `import sessions` calls an option of the prices."""

Files = Annotated[list[Path], typer.Argument(metavar="FILE", help="Files of prices.", show_default=False)]
SessionFile = Annotated[Path, typer.Argument(metavar="FILE", help="File of charging sessions.", show_default=False)]
PriceFormat = Annotated[
    str | None, typer.Option("--format", help="csv, gme, terna or netcdf; recognised if not given.")
]
SessionFormat = Annotated[str | None, typer.Option("--format", help="csv, elaadnl or netcdf; recognised if not given.")]
Template = Annotated[
    str | None, typer.Option("--template", "-t", help="commuters: make a case of them with these prices.")
]
Settlement = Annotated[
    str | None,
    typer.Option(
        "--regulation", metavar="RULE", help="Regulation prices: capacity, energy or none.  [default: capacity]"
    ),
]
Assume = Annotated[
    list[str] | None,
    typer.Option("--assume", metavar="KEY=VALUE", help="What the data lack: 'defaults', or full=0.8 …; keys below."),
]
Need = Annotated[str, typer.Option("--need", help="A need beyond the charger: problem, or cap (and name it).")]
Outside = Annotated[str, typer.Option("--outside", help="Stays not all inside: drop, clip or problem.")]
Connectors = Annotated[
    Path | None,
    typer.Option("--connectors", metavar="FILE", help="Table of connectors: AC or DC, power, efficiency; see below."),
]
Members = Annotated[
    str | None,
    typer.Option(
        "--rows",
        help="A member of the fleet: vehicle, connector or packed.  [default: what is named]",
    ),
]
Wear = Annotated[
    float | None,
    typer.Option("--wear", min=0.0, help="EUR per kWh leaving a battery.  [default: as assumed; else needed]"),
]
Retail = Annotated[float | None, typer.Option("--retail-price", help="EUR per kWh that drivers pay.")]


@dataclass(frozen=True)
class CaseOptions:
    """What a case of sessions is made of besides them."""

    panel: ClassVar[str] = "The case"
    step: Step = None
    start: Start = None
    end: End = None
    rows: Members = None
    connectors: Connectors = None
    need: Need = "problem"
    outside: Outside = "drop"
    market: Market = None
    imbalance: Imbalance = None
    regulation: Settlement = None
    wear: Wear = None
    retail_price: Retail = None
    limit: Limit = None

    def arguments(self, traded: xr.Dataset, columns: dict[str, str]) -> dict[str, Any]:
        """The keyword arguments of `case_from`; `columns` are those that the user named."""
        if self.rows is not None:
            one_of("--rows", self.rows, ("vehicle", "connector", "packed"))
        one_of("--need", self.need, ("problem", "cap"))
        one_of("--outside", self.outside, ("problem", "drop", "clip"))
        given = {key: value for key, value in asdict(self).items() if key not in ("market", "connectors")}
        settled = imbalance_of(traded, self.imbalance)
        return given | {
            "start": None if self.start is None else day(self.start),
            "end": None if self.end is None else day(self.end, "--end"),
            "rows": self.rows or ("connector" if "connector" in columns and "vehicle" not in columns else None),
            "step": step_length("--step", self.step),
            "markets": markets_of(traded, self.market, settled),
            "imbalance": settled,
            "regulation": regulation_of(traded, self.regulation),
        }


def add(app: typer.Typer) -> None:
    """Add the group of commands to the app."""
    group = typer.Typer(
        name="import", no_args_is_help=True, rich_markup_mode="markdown", help="From published files to a case."
    )
    command(
        group,
        "prices",
        "v2g import prices gme.xlsx terna.xlsx --template commuters --vehicles 100 --days 92 -o italy.nc",
        "v2g import prices spot.csv --column time=Hour --column day_ahead='PUN €' --timezone Europe/Rome -o spot.nc",
        "v2g import prices spot.nc --into depot.nc -o depot-spot.nc",
        notes={"Columns": price_columns()},
    )(prices)
    command(
        group,
        "sessions",
        "v2g import sessions elaadnl.csv --prices spot.nc --step 15min --assume defaults -o dutch.nc",
        "v2g import sessions stays.csv --column arrival=From --column departure=To --column energy=kWh "
        "--column power_max=kW --timezone Europe/Amsterdam --prices spot.nc --assume full=0.8 -o stays.nc",
        notes={
            "Columns": session_columns(),
            "Columns of --connectors": connector_columns(),
            "Keys of --assume": assumptions(),
        },
    )(sessions)
    profiling.add(group)
    reserving.add(group)
    app.add_typer(group, name="import")


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
    set_: Set = None,
    force: Force = False,
    dry_run: DryRun = False,
) -> None:
    """Import prices: as a tidy file in UTC, as a case of commuters, or into a case there is."""
    path = case_path(output)
    refuse_file(path, force)
    if template is not None:
        one_of("--template", template, ("commuters",))
    with terminal.progress("Reading"):
        read = read_prices(files, form, asdict(table) | asdict(series))
    zone = zone_of(table.timezone, read)
    if template is None and into is None:
        store(terminal, read, zone, path, force, dry_run)
        return
    terminal.say("\n".join(["prices read", *in_words(read, zone)]))
    settled = imbalance_of(read, imbalance)
    if into is not None:
        case = with_prices(read_case(into), read, market, settled)
    else:
        given: dict[str, Any] = {"vehicles": vehicles, "days": days, "start": None if start is None else day(start)}
        case = ingest.commuters(
            seed=seed,
            prices=read,
            markets=markets_of(read, market, settled),
            imbalance=settled,
            regulation=regulation_of(read, regulation),
            **{key: value for key, value in given.items() if value is not None},
        )
    finish(terminal, changed(case, set_, terminal.say), path, force, dry_run)


def sessions(
    terminal: Terminal,
    file: SessionFile,
    output: Target,
    table: StayOptions,
    price: PriceOptions,
    making: CaseOptions,
    form: SessionFormat = None,
    assume: Assume = None,
    set_: Set = None,
    force: Force = False,
    dry_run: DryRun = False,
) -> None:
    """Import charging sessions and the prices they trade at, as a case."""
    path = case_path(output)
    refuse_file(path, force)
    if not price.prices:
        raise typer.BadParameter("give the prices the sessions trade at, e.g. --prices spot.nc", param_hint="--prices")
    with terminal.progress("Reading"):
        traded = price.read()
        stays = read_sessions(file, form, asdict(table))
        plugs = None if making.connectors is None else read_connectors(making.connectors, table)
        battery = battery_of(stays, assume, making.wear, file, at_connectors=plugs is not None)
        arguments = making.arguments(traded, pairs(table.column, "--column"))
        with spoken(KEPT):
            case = ingest.case_from(
                stays,
                traded,
                timezone=zone_of(table.timezone, stays, traded),
                battery=battery,
                connectors=plugs,
                **arguments,
                title=str(stays.attrs.get("title") or file.stem),
                source=f"{file.name}; {', '.join(p.name for p in price.prices)}",
            )
    finish(terminal, changed(case, set_, terminal.say), path, force, dry_run)


def store(terminal: Terminal, read: xr.Dataset, zone: str, path: Path, force: bool, dry_run: bool) -> None:
    """Write prices as a tidy file: naive UTC, uniform steps."""
    if not dry_run:
        with atomic(path, overwrite=force) as temporary:
            read.to_netcdf(temporary, engine="netcdf4")
    time = read.indexes["time"]
    names = [str(name) for name in read.data_vars]
    words = f"{'would write' if dry_run else 'wrote'} {path}: {', '.join(names)}, {len(time)} steps from {time[0]} UTC"
    document = {"status": "dry run" if dry_run else "ok", "file": str(path), "prices": names, "steps": len(time)}
    shown = {name: figures(read[name]) for name in names}
    terminal.answer("\n".join([words, *in_words(read, zone)]), document | {"timezone": zone, "figures": shown})


def figures(price: xr.DataArray) -> dict[str, Any]:
    """Unit, least, mean and most of a price, and how many steps have none."""
    least, mean, most = (float(x) for x in (price.min(), price.mean(), price.max()))
    unit = str(price.attrs.get("units", "EUR/MWh"))
    return {"units": unit, "min": least, "mean": mean, "max": most, "without": int(price.isnull().sum())}


def in_words(read: xr.Dataset, zone: str) -> list[str]:
    """The prices in a few numbers: a wrong unit or clock shows here."""
    edges = pd.DatetimeIndex(read.indexes["time"])
    step = ingest.step_of(edges)
    ends = pd.DatetimeIndex([edges[0], edges[-1] + step])
    local = ends.tz_localize("UTC").tz_convert(zone)
    minutes = step / pd.Timedelta("1min")
    lines = [f"  {local[0]:%Y-%m-%d %H:%M} to {local[-1]:%Y-%m-%d %H:%M} {zone}, steps of {minutes:g} min"]
    for name in map(str, read.data_vars):
        f = figures(read[name])
        scale = (factor(f["units"], "EUR/MWh") or 0.0) * 1000
        shown = [(f["units"], 1.0)] + ([("EUR/MWh", scale)] if f["units"] != "EUR/MWh" and scale else [])
        parts = [
            f"{scale * f['min']:.5g} to {scale * f['max']:.5g} {unit}, mean {scale * f['mean']:.5g}"
            for unit, scale in shown
        ]
        without = f"; {f['without']} steps without a price" if f["without"] else ""
        lines.append(f"  {name}: {' = '.join(parts)}{without}")
    return lines


def regulation_of(read: xr.Dataset, rule: str | None) -> ingest.Regulation | None:
    """The regulation products, where both prices are there and unless they are not wanted."""
    rules = ("capacity", "energy", "none")
    if rule is not None:
        one_of("--regulation", rule, rules)
    there = set(REGULATION) <= {str(name) for name in read.data_vars}
    if rule == "none" or (rule is None and not there):
        return None
    return ingest.Regulation(settlement=rule or "capacity")  # type: ignore[arg-type]


def read_connectors(path: Path, table: StayOptions) -> xr.Dataset:
    """Read the connectors, in the same kind of text as the sessions."""
    form = {key: value for key, value in asdict(table).items() if key in ("separator", "decimal") and value}
    with spoken():
        return ingest.read_connectors(path, **form | {k: TAB.get(v, v) for k, v in form.items()})


def connector_columns() -> list[tuple[str, str, str, str]]:
    """Every header of a table of connectors, as `session_columns`."""
    rows = [("connector", "label", "required", "its name, as in the column `connector` of the sessions")]
    for field in CONNECTORS.inputs:
        need = "required" if field.default is REQUIRED else "optional"
        rows.append((field.name, field.unit or "label", need, field.doc))
    return rows


def battery_of(
    stays: xr.Dataset, assume: list[str] | None, wear: float | None, file: Path, at_connectors: bool = False
) -> ingest.BatteryAssumption | None:
    """The rule for what sessions do not hold; it has to be asked for."""
    if assume is None:
        known = {*stays.data_vars, *(["charge_max"] if at_connectors else [])}
        lacking = [f"sessions.{name}" for name in BATTERY if name not in known]
        remedy = "not in the data; give a column, or"
        if not lacking and wear is None:
            lacking, remedy = (
                ["wear"],
                "not given; give --wear (EUR per kWh leaving a battery, 0 for none) or",
            )
        if not lacking:
            return None
        rules = " ".join(ingest.BatteryAssumption().sentences([n for n in stays if n in stays.data_vars]))
        detail = f"{remedy} --assume defaults, which means: {rules}"
        problems = [Problem(name, "missing", "not in the data" if i else detail) for i, name in enumerate(lacking)]
        raise SchemaError(problems, str(file))
    words = [word for word in assume if word != "defaults"]
    given: dict[str, Any] = {key: scalar(value) for key, value in pairs(words, "--assume").items()}
    fields = ingest.BatteryAssumption.model_fields
    for key in given:
        if key not in fields:
            raise typer.BadParameter(f"no assumption {key!r}{nearest(key, fields)}", param_hint="--assume")
    try:
        return ingest.BatteryAssumption(**given)
    except pydantic.ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}".lstrip(": ") for e in error.errors())
        raise typer.BadParameter(faults, param_hint="--assume") from None


def assumptions() -> list[tuple[str, str, str, str]]:
    """Every key of `--assume`: its name, its default, and what it means."""
    fields = ingest.BatteryAssumption.model_fields
    return [(key, f"{field.default:.5g}", "", str(field.description)) for key, field in fields.items()]


def with_prices(
    case: xr.DataTree, read: xr.Dataset, wanted: list[str] | None, settled: tuple[str, ...] = ()
) -> xr.DataTree:
    """A case whose market prices are replaced by imported ones of the same names, or of the one market there is.

    The prices `settled` become those of its imbalance, which is limited as before, else as the markets are.
    """
    case = case.copy()
    energy = case.children["energy"].to_dataset(inherit=False) if "energy" in case.children else xr.Dataset()
    labels = [str(label) for label in energy.indexes.get("market", [])]
    names = list(markets_of(read, wanted, settled))
    time = pd.DatetimeIndex(case.to_dataset().indexes["time"])
    if settled:
        most = float(energy["limit"].max()) if "limit" in energy else 0.0
        group = settlement(ingest.align(read[list(settled)], time), settled, most)
        group = group.map(lambda x: x.assign_attrs(units="kW" if x.ndim == 0 else "EUR/MWh"))
        if "imbalance" in case.children:
            group["limit"] = case["imbalance"].to_dataset()["limit"]
        case["imbalance"] = xr.DataTree(group)
    if len(labels) == len(names) == 1:
        read, names = read.rename({names[0]: labels[0]}), labels
    unknown = [name for name in names if name not in labels]
    if unknown or len(names) != len(labels):
        detail = f"the case has the markets {', '.join(labels) or 'none'}, the prices are {', '.join(names)}"
        raise SchemaError([Problem("energy.market", "labels", detail)], "the prices")
    aligned = ingest.align(read[names], time)
    price = energy_market(aligned, labels, 0.0)["price"].assign_attrs(units="EUR/MWh")
    case["energy"] = xr.DataTree(energy.drop_vars("price").assign(price=price))
    return case
