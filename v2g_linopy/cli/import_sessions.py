"""`import sessions`: from charging sessions to a case. The group `import`."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pandas as pd
import pydantic
import typer
import xarray as xr

from .. import data
from ..case.label_text import nearest
from ..case.schema import REQUIRED
from ..data.importers.formats import CONNECTOR_FORMATS, SESSION_FORMATS
from ..data.importers.session_files import session_columns
from ..data.importers.trips import trip_columns
from ..data.sessions.assumptions import BATTERY
from ..data.sessions.connectors import CONNECTORS
from ..data.sessions.grid_connection import with_connection
from ..data.sessions.with_gates import with_gates
from ..data.sessions.with_prices import ZONE, name_prices
from ..errors import Problem, SchemaError
from .import_common import (
    End,
    Imbalance,
    Limit,
    Market,
    Settlement,
    Step,
    Target,
    imbalance_of,
    markets_of,
    named,
    regulation_of,
    zone_of,
)
from .input_files import PriceOptions, StayOptions, format_help, read_session_file, step_length, use
from .new import Start, Writing, day
from .option_words import in_option_words
from .options import (
    clock_hour,
    command,
    kilowatts,
    one_of,
    pairs,
    scalar,
    share_of,
)
from .terminal import Terminal

KEPT = {"missing": "--price-missing"}
"""What `import sessions` calls an option of the prices."""

SessionFile = Annotated[
    Path, typer.Argument(metavar="FILE", help="File of charging sessions.", show_default=False)
]
SessionFormat = Annotated[str | None, typer.Option("--format", help=format_help(SESSION_FORMATS))]
Assume = Annotated[
    list[str] | None,
    typer.Option(
        "--assume",
        metavar="KEY=VALUE",
        help="What the data lack: 'defaults', or full=0.8 …; keys below.",
    ),
]
Need = Annotated[
    str, typer.Option("--need", help="A need beyond the charger: problem, or cap (and name it).")
]
Outside = Annotated[
    str, typer.Option("--outside", help="Stays not all inside: drop, clip or problem.")
]
Connectors = Annotated[
    Path | None,
    typer.Option(
        "--connectors",
        metavar="FILE",
        help="Table of connectors: AC or DC, power, efficiency; see below.",
    ),
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
    typer.Option(
        "--wear", min=0.0, help="EUR per kWh leaving a battery.  [default: as assumed; else needed]"
    ),
]
Retail = Annotated[
    float | None, typer.Option("--retail-price", help="EUR per kWh that drivers pay.")
]
RetailOnWord = Annotated[
    str,
    typer.Option(
        "--retail-on",
        help="What drivers pay for: need (what they asked for), or net (drawn less fed in).",
    ),
]
Connection = Annotated[
    list[str] | None,
    typer.Option(
        "--connection",
        metavar="POWER",
        help="Limit of the grid connection, such as 200kW, or POD=200kW. Repeatable.",
    ),
]
Export = Annotated[
    list[str] | None,
    typer.Option(
        "--export-limit",
        metavar="POWER",
        help="Most that is fed in, such as 50kW or 0kW, or POD=50kW.  [default: the connection]",
    ),
]
Gate = Annotated[
    list[str] | None,
    typer.Option(
        "--gate",
        metavar="MARKET=TIME",
        help="When a market closes, for simulate: day_ahead=12:00 (the day before, local time), or"
        " intraday=1h (before delivery). Repeatable.  [default: at delivery]",
    ),
]
Floor = Annotated[
    str,
    typer.Option(
        "--soc-floor",
        metavar="SHARE",
        help="What discharging leaves of a battery, or what the vehicle came with if less. In a"
        " list of trips also what it comes home with, as far as its charger gets there.",
    ),
]


@dataclass(frozen=True)
class SessionCaseOptions:
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
    retail_on: RetailOnWord = "need"
    limit: Limit = None
    connection: Connection = None
    export_limit: Export = None
    gate: Gate = None
    soc_floor: Floor = "20%"

    def arguments(self, traded: xr.Dataset, columns: dict[str, str]) -> dict[str, Any]:
        """The arguments of `case_from_sessions`; `columns` are those that the user named."""
        if self.rows is not None:
            one_of("--rows", self.rows, ("vehicle", "connector", "packed"))
        one_of("--need", self.need, ("problem", "cap"))
        one_of("--retail-on", self.retail_on, ("need", "net"))
        one_of("--outside", self.outside, ("problem", "drop", "clip"))
        others = ("market", "connectors", "connection", "export_limit", "gate")
        given = {key: value for key, value in asdict(self).items() if key not in others}
        settled = imbalance_of(traded, self.imbalance)
        return given | {
            "start": day(self.start),
            "end": day(self.end, "--end"),
            "rows": (
                self.rows
                or ("connector" if "connector" in columns and "vehicle" not in columns else None)
            ),
            "step": step_length("--step", self.step),
            "markets": markets_of(traded, self.market, settled),
            "imbalance": settled,
            "regulation": regulation_of(traded, self.regulation),
            "soc_floor": share_of(self.soc_floor, "--soc-floor"),
        }

    def connected(self, case: xr.DataTree) -> xr.DataTree:
        """The case behind the grid connection, where one is given."""
        if self.connection is None and self.export_limit is None:
            return case
        drawn = power_by_pod(self.connection, "--connection")
        return with_connection(case, drawn, power_by_pod(self.export_limit, "--export-limit"))

    def through_gates(self, case: xr.DataTree) -> xr.DataTree:
        """The case with the gates of its markets, where some are given."""
        hour, lead = {}, {}
        for market, word in pairs(self.gate, "--gate").items():
            if ":" in word:
                hour[market] = clock_hour("--gate", word)
            else:
                step_length("--gate", word)
                lead[market] = pd.Timedelta(word) / pd.Timedelta("1h")
        return with_gates(case, hour, lead) if self.gate else case


def add(group: typer.Typer) -> None:
    """Add the command to the group `import`."""
    command(
        group,
        "sessions",
        "v2g import sessions elaadnl.csv --prices spot.nc --step 15min --assume defaults -o"
        " dutch.nc",
        "v2g import sessions stays.csv --column arrival=From --column departure=To --column"
        " energy=kWh --column power_max=kW --timezone Europe/Amsterdam --prices spot.nc --assume"
        " full=0.8 -o stays.nc",
        notes={
            "Columns": session_columns(),
            "Columns of a list of trips": trip_columns(),
            "Columns of --connectors": connector_columns(),
            "Keys of --assume": assumption_keys(),
        },
    )(sessions)


def sessions(
    terminal: Terminal,
    file: SessionFile,
    output: Target,
    table: StayOptions,
    price: PriceOptions,
    making: SessionCaseOptions,
    form: SessionFormat = None,
    assume: Assume = None,
    *,
    writing: Writing,
) -> None:
    """Import charging sessions and the prices they trade at, as a case."""
    path = writing.path(output)
    if not price.prices:
        raise typer.BadParameter(
            "give the prices the sessions trade at, e.g. --prices spot.nc", param_hint="--prices"
        )
    with terminal.progress("Reading"):
        traded = price.read()
        stays = read_session_file(file, form, asdict(table))
        plugs = None if making.connectors is None else read_connector_file(making.connectors, table)
        battery = battery_of(stays, assume, making.wear, file, at_connectors=plugs is not None)
        arguments = making.arguments(traded, pairs(table.column, "--column"))
        with in_option_words(KEPT):
            case = data.case_from_sessions(
                stays,
                traded,
                timezone=zone_of(table.timezone, stays, traded),
                battery=battery,
                connectors=plugs,
                **arguments,
                title=str(stays.attrs.get("title") or file.stem),
                source=file.name,
            )
        _name_prices(case, table.timezone, stays, traded, arguments, named(price.prices))
        with in_option_words(KEPT):
            case = making.through_gates(making.connected(case))
    writing.finish(terminal, case, path)


def power_by_pod(words: list[str] | None, flag: str) -> dict[str, float]:
    """Powers in kW by point of delivery; "" is every one that is not named."""
    found = {}
    for word in words or ():
        pod, _, power = word.rpartition("=")
        found[pod.strip()] = kilowatts(power, flag)
    return found


def _name_prices(
    case: xr.DataTree,
    zone: str | None,
    stays: xr.Dataset,
    traded: xr.Dataset,
    arguments: dict[str, Any],
    files: str,
) -> None:
    """Say, in place, where the prices come from, and whether nobody else told the zone."""
    if not zone and "timezone" not in stays.attrs:
        case["energy"].attrs[ZONE] = case.attrs["timezone"]
    regulation = arguments["regulation"] is not None
    name_prices(case, case, traded, arguments["markets"], arguments["imbalance"], files, regulation)


def read_connector_file(path: Path, table: StayOptions) -> xr.Dataset:
    """Read the connectors, in the same kind of text as the sessions."""
    form = {"separator": table.separator, "decimal": table.decimal}
    return use(CONNECTOR_FORMATS, path, "csv", form)


def connector_columns() -> list[tuple[str, str, str, str]]:
    """Every header of a table of connectors, as `session_columns`."""
    rows = [
        ("connector", "label", "required", "its name, as in the column `connector` of the sessions")
    ]
    for field in CONNECTORS.inputs:
        need = "required" if field.default is REQUIRED else "optional"
        rows.append((field.name, field.unit or "label", need, field.doc))
    return rows


def battery_of(
    stays: xr.Dataset,
    assume: list[str] | None,
    wear: float | None,
    file: Path,
    at_connectors: bool = False,
) -> data.BatteryAssumption | None:
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
        rules = " ".join(
            data.BatteryAssumption().sentences([n for n in stays if n in stays.data_vars])
        )
        detail = f"{remedy} --assume defaults, which means: {rules}"
        problems = [
            Problem(name, "missing", "not in the data" if i else detail)
            for i, name in enumerate(lacking)
        ]
        raise SchemaError(problems, str(file))
    words = [word for word in assume if word != "defaults"]
    given: dict[str, Any] = {key: scalar(value) for key, value in pairs(words, "--assume").items()}
    fields = data.BatteryAssumption.model_fields
    for key in given:
        if key not in fields:
            raise typer.BadParameter(
                f"no assumption {key!r}{nearest(key, fields)}", param_hint="--assume"
            )
    try:
        return data.BatteryAssumption(**given)
    except pydantic.ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, e['loc']))}: {e['msg']}".lstrip(": ") for e in error.errors()
        )
        raise typer.BadParameter(faults, param_hint="--assume") from None


def assumption_keys() -> list[tuple[str, str, str, str]]:
    """Every key of `--assume`: its name, its default, and what it means."""
    fields = data.BatteryAssumption.model_fields
    return [
        (key, f"{field.default:.5g}", "", str(field.description)) for key, field in fields.items()
    ]
