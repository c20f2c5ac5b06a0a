"""A depot's list of trips: stays are what lies between them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import pandas as pd
import xarray as xr

from ...errors import Problem, Remedy, SchemaError
from ...model.sessions import COLUMNS, LABELS, MOMENTS
from ..sessions.assumptions import LARGEST_TRIP
from ..tables.cells import as_text, pick_columns
from ..tables.files import collect_problems
from ..tables.listing import MOST_LISTED, listed_problems
from ..tables.local_time import Utc, to_local, to_utc
from ..tables.numbers import number_columns
from ..tables.plausibility import STATED, check_stated_units
from ..tables.series import add_notes
from ..tables.table_format import (
    TableFields,
    TableFormat,
    local_days,
    one_format,
    read_times,
    read_whole,
)
from ..tables.text import beginning
from ..tables.wording import cells_in_rows, first_few, with_count
from ..tables.written_times import clock_times, not_on_clock
from .trip_vehicles import (
    WORDS_OF_VEHICLES,
    OfVehicles,
    bare_header,
    numbers_of_vehicles,
    unit_of,
    usual_of_vehicles,
)

RULES = ("first", "second", "shift")
"""Rules for local clocks that make sense for one trip."""
WORDS = {
    "vehicle": r"fahrzeug(-?(id|nr|nummer|name))?|kfz|kennzeichen|vehicle([ _-]?(id|name))?"
    r"|(licen[cs]e |number )?plate|registration|van|truck|bus",
    "date": r"datum|tag|date|day",
    "departure": r"abfahrt(szeit)?|departure([ _-]?time)?|departs?|departed",
    "return": r"r(ü|ue|�)ckkehr(zeit)?|r(ü|ue|�)ckkunft|return([ _-]?time)?|returns|returned|back",
    "energy": r"(energie)?verbrauch|energie|energy([ _-]?(used|use))?|consumption|kwh|wh|mwh",
    "distance": r"km|kilometer|kilomet(er|re)s|strecke|distance|distanz",
}
"""Usual headers of each column, in German and English, in small letters and without their unit."""
KILOMETRES = ("km", "kms", "kilometer", "kilometers", "kilometre", "kilometres")
MILES = ("mi", "mile", "miles", "meilen")
KM_PER_MILE = 1.609344
NEEDED = ("vehicle", "departure", "return")
NAMES = (*WORDS, *WORDS_OF_VEHICLES)
"""Every column that a list of trips may have."""
VEHICLES_NEED = {
    "capacity": "or `--assume`",
    "charge_max": "or `--assume`",
    "discharge_max": "optional",
}
"""When each column of vehicles is needed, for the help."""
PLATES = re.compile(r"kennzeichen|plate|registration|fahrer|driver", re.IGNORECASE)
"""Headers of columns that say who drove, or whose vehicle it is."""


def trip_columns() -> list[tuple[str, str, str, str]]:
    """Return every column of a list of trips, as `session_columns`."""
    return [
        ("vehicle", "label", "required", "vehicle; one battery each"),
        ("departure", "time", "required", "begin of a trip"),
        ("return", "time", "required", "its end; earlier on the clock means the next day"),
        ("date", "time", "for times of day", "day of the departure"),
        ("energy", "kWh", "or `distance`", "energy driven"),
        ("distance", "km", "with `--kwh-per-km`", "way driven"),
        *(
            (name, COLUMNS[name].unit, need, f"{COLUMNS[name].doc}; one value for each vehicle")
            for name, need in VEHICLES_NEED.items()
        ),
    ]


def is_trips(path: Path) -> bool:
    """Say whether a table of text has the usual headers of a list of trips, whatever its
    encoding.
    """
    lines = beginning(path).splitlines()
    return any(_is_header(re.split(r"[;,\t|]", line)) for line in lines[:20])


def _is_header(cells: list[str]) -> bool:
    found = {name: _usual(cells, name) for name in WORDS}
    whole = all(found[name] for name in NEEDED)
    return whole and bool(found["energy"] or found["distance"])


def _usual(headers: list[str], name: str) -> list[str]:
    """Return the headers that usually mean a column."""
    if name in WORDS_OF_VEHICLES:
        return usual_of_vehicles(headers, name)
    return [h for h in headers if re.fullmatch(WORDS[name], bare_header(h), re.IGNORECASE)]


def read_trips(
    path: str | Path,
    table: TableFormat | None = None,
    *,
    kwh_per_km: float | None = None,
    units: Mapping[str, str] | None = None,
    keep_ids: bool = False,
    **fields: Unpack[TableFields],
) -> xr.Dataset:
    r"""Read the stays between the trips of vehicles, from a depot's list of trips.

    A stay lasts from the return of a vehicle to its next departure. At a departure the energy of
    the trip that follows must be on board (``energy_need``), and it is driven until the next return
    (``energy_trip``): a vehicle is one battery all along (attribute ``linked``), empty at its first
    return. Before the first departure and after the last return of a vehicle nothing is known, and
    there is no stay.

    Parameters
    ----------
    path : str or pathlib.Path
        Table with a row for each trip.
    table : TableFormat, optional
        How the file is written. Its `columns` are ``vehicle``, ``departure``, ``return``, ``date``
        where those two are times of day (a return that is earlier on the clock is of the next day),
        ``energy`` (driven) or ``distance`` (km), and ``capacity``, ``charge_max`` and
        ``discharge_max``, each with one value for a vehicle. Usual headers, in English and German,
        need not be named; those of the last three only if they have a unit.
    kwh_per_km : float, optional
        What a vehicle uses, where the list has only distances, or in place of its energies.
    units : mapping of str to str, optional
        Unit of a column where its header does not say it: ``{"energy": "Wh"}``.
    keep_ids : bool, default False
        Vehicles that are named by number plates or drivers keep these names; else they are
        numbered.
    **fields
        The fields of a `TableFormat`, in place of `table`.

    Returns
    -------
    xarray.Dataset
        On ``session``, in order of arrival: times in naive UTC, energies in the unit of the list,
        ``vehicle``, what the list says of it, and ``energy_trip_max``, the largest of all its
        trips. Its ``notes`` state the rules.

    Raises
    ------
    InputFileError
        The file cannot be read. It is a `SchemaError`.
    SchemaError
        Everything wrong with the columns, the times or the numbers of the file; trips of one
        vehicle that overlap, with their rows; no vehicle with two trips.
    TypeError
        Both `table` and its fields are given.

    Examples
    --------
    >>> import pathlib
    >>> from v2g_linopy.data import read_trips
    >>> rows = ["Fahrzeug;Datum;Abfahrt;Rückkehr;Verbrauch [kWh]"]
    >>> rows += ["Van 1;24.10.2025;06:30;17:45;41,9", "Van 1;27.10.2025;07:00;18:30;36,2"]
    >>> size = pathlib.Path("trips.csv").write_text("\n".join(rows), encoding="utf-8")
    >>> stays = read_trips("trips.csv", timezone="Europe/Berlin")
    >>> str(stays.arrival.values[0])[:16], str(stays.departure.values[0])[:16]
    ('2025-10-24T15:45', '2025-10-27T06:00')
    >>> stays.energy_need.item(), stays.vehicle.item()
    (36.2, 'Van 1')
    """
    source = str(path)
    if table is None:
        fields.setdefault("columns", {})
    table = one_format(table, fields)
    frame = read_whole(path, table)
    columns = _columns(list(map(str, frame.columns)), table.columns, source)
    frame = pick_columns(frame, columns, source)
    frame, idle = _driven(frame, source)

    # faults of all columns are told together
    problems: list[Problem] = []
    vehicle = as_text(frame["vehicle"])
    hidden = bool(PLATES.search(columns["vehicle"])) and not keep_ids
    if hidden:
        vehicle = _numbered_vehicles(vehicle)
    energy = collect_problems(
        problems, lambda: _energy(frame, columns, table, kwh_per_km, units or {}, source)
    )
    moments = collect_problems(problems, lambda: _moments(frame, table, source))
    of_vehicles = collect_problems(
        problems, lambda: numbers_of_vehicles(frame, vehicle, columns, table, units or {}, source)
    )
    if energy is None or moments is None or of_vehicles is None:
        raise SchemaError(problems, source)
    departure, back = moments
    trips = pd.DataFrame(
        {
            "vehicle": vehicle,
            "departure": departure.time,
            "return": back.time,
            "energy": energy.value,
        },
        index=frame.index,
    ).sort_values(["vehicle", "departure"], kind="stable")
    if problems := _overlapping(trips, table.timezone):
        raise SchemaError(problems, source)

    joined = _joined_trips(trips)
    sessions = _with_vehicles(_stays(joined, energy, source), of_vehicles)
    if table.timezone is not None:
        sessions.attrs["timezone"] = table.timezone
    taken = _taken(columns, kwh_per_km)
    notes = [departure.note, back.note, _span(trips, table.timezone), taken]
    notes += _notes(trips, joined, energy.note, idle, hidden)
    return add_notes(sessions, *notes).assign_attrs(linked=1)


# --- columns ----------------------------------------------------------------------------------


def _columns(headers: list[str], given: Mapping[str, str], source: str) -> dict[str, str]:
    """Return the header of each column: as named, else the usual one if there is only one."""
    problems = [
        Problem(f"columns.{name}", "unknown", f"a list of trips has {first_few(NAMES, 20)}")
        for name in given
        if name not in NAMES
    ]
    columns = dict(given)
    for name in NAMES:
        usual = [h for h in _usual(headers, name) if h not in columns.values()]
        if name in columns:
            continue
        if len(usual) > 1:
            detail = f"may be {' or '.join(map(repr, usual))}"
            problems.append(Problem(name, "labels", detail, (_which(name),)))
        elif usual:
            columns[name] = usual[0]
        elif name in NEEDED:
            detail = f"not found; the file has {first_few(headers, 20)}"
            problems.append(Problem(name, "missing", detail, (_which(name),)))
    if not {"energy", "distance"} & set(columns) and not problems:
        detail = f"neither energies nor distances; the file has {first_few(headers, 20)}"
        problems.append(Problem("energy", "missing", detail, (_which("energy"),)))
    if problems:
        raise SchemaError(problems, source)
    return columns


def _which(name: str) -> Remedy:
    return Remedy("columns", key=name, advice="name the column by {}")


def _driven(frame: pd.DataFrame, source: str) -> tuple[pd.DataFrame, int]:
    """Return the rows of trips, and how many others there are: a day on which a vehicle stood has
    neither departure nor return.
    """
    empty = {name: as_text(frame[name]) == "" for name in NEEDED}
    idle = empty["departure"] & empty["return"]
    problems = []
    for name in NEEDED:
        lacking = frame.index[empty[name] & ~idle]
        if len(lacking):
            detail = f"no {name} in row {first_few(lacking)}"
            problems.append(Problem(name, "missing", detail))
    if idle.all():
        problems.append(Problem("departure", "missing", "no row has a departure and a return"))
    if problems:
        raise SchemaError(problems, source)
    trips = frame[~idle]
    trips.attrs = dict(frame.attrs)
    return trips, int(idle.sum())


def _numbered_vehicles(names: pd.Series) -> pd.Series:
    """Return numbers in place of names, in order of the file."""
    codes, known = pd.factorize(names)
    width = max(2, len(str(len(known))))
    return pd.Series([f"vehicle {code + 1:0{width}d}" for code in codes], index=names.index)


@dataclass(frozen=True)
class _Energy:
    """Energies of trips with their unit, whether the user stated it, and a note."""

    value: np.ndarray
    unit: str
    stated: bool
    note: str = ""


def _energy(
    frame: pd.DataFrame,
    columns: Mapping[str, str],
    table: TableFormat,
    kwh_per_km: float | None,
    units: Mapping[str, str],
    source: str,
) -> _Energy:
    """Return the energy of each trip: that of the list, or its distance times a use."""
    name = _amount(columns, kwh_per_km)
    stated = {n: COLUMNS[n].unit for n in WORDS_OF_VEHICLES if n in columns}
    if name not in columns:
        detail = "there is a use per km and no distance"
        raise SchemaError([Problem("distance", "missing", detail, (_which("distance"),))], source)
    if name == "distance" and kwh_per_km is None:
        use = Remedy("kwh_per_km", advice="give {}, such as 0.25 for a van")
        detail = f"no energies, only distances ({columns['distance']!r})"
        raise SchemaError([Problem("energy", "missing", detail, (use,))], source)
    value = number_columns(frame, [name], table.decimal, source, table.thousands)[name]
    wrong = frame[name][~(value >= 0)]
    if len(wrong):
        detail = f"no number of at least 0 in {cells_in_rows(wrong)}"
        raise SchemaError([Problem(name, "range", detail)], source)
    if name == "distance":
        if not 0 < float(kwh_per_km or 0) < np.inf:
            detail = f"{kwh_per_km:g}: a use is more than 0 kWh per km"
            raise SchemaError([Problem("kwh_per_km", "range", detail)], source)
        check_stated_units(units, stated, source)
        note = f"A vehicle uses {kwh_per_km:g} kWh per km."
        km = value * _km(columns["distance"], source)
        return _Energy(km * float(kwh_per_km or 0), "kWh", True, note)
    check_stated_units(units, {"energy": "kWh"} | stated, source)
    unit = unit_of("energy", columns["energy"], units, "kWh", source)
    return _Energy(value, unit, "energy" in units)


def _km(header: str, source: str) -> float:
    """Return how many km a unit of a distance has, which its header may name in brackets."""
    named = re.search(r"[\[(](.*?)[\])]", header)
    words = re.findall(r"[^\W\d_]+", (named[1] if named else header).lower())
    if any(word in MILES for word in words):
        return KM_PER_MILE
    if named and named[1].strip().lower() not in KILOMETRES:
        detail = f"the header {header!r} says {named[1]}; distances are in km or in miles"
        raise SchemaError([Problem("distance", "unit", detail)], source)
    return 1.0


def _amount(columns: Mapping[str, str], kwh_per_km: float | None) -> str:
    """Return the column that says how much is driven."""
    return "energy" if "energy" in columns and kwh_per_km is None else "distance"


# --- times ------------------------------------------------------------------------------------


def _moments(frame: pd.DataFrame, table: TableFormat, source: str) -> tuple[Utc, Utc]:
    """Return departures and returns in UTC: times of day of a date, or whole times."""
    clocks = {name: clock_times(frame[name]) for name in ("departure", "return")}
    if all(clock is None for clock in clocks.values()):
        departure, back = (
            read_times(frame[name], table, source, where=name, rules=RULES) for name in clocks
        )
    else:
        departure, back = _of_day(frame, clocks, table, source)
    late = np.flatnonzero(back.time <= departure.time)
    if len(late):
        rows = [
            f"row {frame.index[k]}: {frame['departure'].iloc[k]} to {frame['return'].iloc[k]}"
            for k in late.tolist()
        ]
        detail = f"the return is not after the departure in {first_few(rows)}"
        raise SchemaError([Problem("return", "consistency", detail)], source)
    return departure, back


def _of_day(
    frame: pd.DataFrame,
    clocks: Mapping[str, pd.TimedeltaIndex | None],
    table: TableFormat,
    source: str,
) -> tuple[Utc, Utc]:
    """Return departures and returns that are times of day; one that is earlier than the departure
    is of the next day.
    """
    problems = [
        Problem(name, "time", f"{cells_in_rows(not_on_clock(frame[name]))}: no time of day (06:33)")
        for name, clock in clocks.items()
        if clock is None
    ]
    if "date" not in frame:
        detail = "the departures are times of day, and no column has the date"
        problems.append(Problem("date", "missing", detail, (_which("date"),)))
    if problems:
        raise SchemaError(problems, source)
    day = local_days(frame["date"], table, source)
    leaves, returns = (pd.TimedeltaIndex(clocks[name]) for name in ("departure", "return"))
    later = returns < leaves
    next_day = pd.to_timedelta(np.where(later, 1, 0), unit="D")

    def utc(local: pd.DatetimeIndex, name: str) -> Utc:
        return to_utc(
            local,
            table.timezone,
            ambiguous=table.ambiguous,
            nonexistent=table.nonexistent,
            rules=RULES,
            where=name,
            source=source,
        )

    found = collect_problems(problems, lambda: utc(day + leaves, "departure"))
    back = collect_problems(problems, lambda: utc(day + next_day + returns, "return"))
    if found is None or back is None:
        raise SchemaError(problems, source)
    if later.any():
        count = with_count(int(later.sum()), "trip")
        note = f"{count} until the next day, by the clock: row {first_few(frame.index[later])}."
        back = replace(back, note=f"{back.note} {note}".strip())
    return found, back


# --- trips into stays -------------------------------------------------------------------------


def _overlapping(trips: pd.DataFrame, timezone: str | None) -> list[Problem]:
    """Return a problem for each trip that begins before an earlier one of its vehicle has ended."""
    latest = trips.groupby("vehicle")["return"].cummax()
    before = latest.shift().where(trips["vehicle"].eq(trips["vehicle"].shift()))
    rows = trips.index[trips["departure"] < before]
    details = []
    for row in rows[:MOST_LISTED]:
        k = trips.index.get_loc(row)
        other = trips.iloc[:k][trips["return"].iloc[:k] == before[row]].index[-1]
        detail = (
            f"{trips['vehicle'][row]} departs in row {row} at {_shown(trips['departure'][row])},"
            f" and returns from the trip of row {other} at {_shown(before[row])}: they overlap"
        )
        details.append(detail)
    return listed_problems("departure", "consistency", details, rows.tolist(), "rows")


def _shown(moment: Any) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _joined_trips(trips: pd.DataFrame) -> pd.DataFrame:
    """Return trips of which those that begin where the one before ends are one."""
    vehicle, before = trips["vehicle"], trips["return"].shift()
    goes_on = vehicle.eq(vehicle.shift()) & trips["departure"].eq(before)
    number = (~goes_on).cumsum()
    whole = {"vehicle": "first", "departure": "first", "return": "last", "energy": "sum"}
    whole["rows"] = "sum"
    return trips.assign(rows=1).groupby(number.to_numpy()).agg(whole)


def _stays(trips: pd.DataFrame, energy: _Energy, source: str) -> xr.Dataset:
    """Return what lies between a return and the next departure of the same vehicle."""
    following = trips.shift(-1)
    has_next = trips["vehicle"].eq(following["vehicle"])
    if not has_next.any():
        detail = "no vehicle has two trips, so that there is no stay between them"
        raise SchemaError([Problem("vehicle", "missing", detail)], source)
    stay, after = trips[has_next], following[has_next]
    units = {"units": energy.unit} | ({STATED: 1} if energy.stated else {})
    needed = after["energy"].to_numpy(float)
    largest = trips.groupby("vehicle")["energy"].max()
    data: dict[str, Any] = {
        "arrival": _time(stay["return"], MOMENTS["arrival"].doc),
        "departure": _time(after["departure"], MOMENTS["departure"].doc),
        "vehicle": ("session", stay["vehicle"].to_numpy(str), {"long_name": LABELS["vehicle"].doc}),
    }
    amounts = {
        "energy_arrival": np.zeros(len(stay)),
        "energy_need": needed,
        "energy_trip": needed,
    }
    for name, value in amounts.items():
        data[name] = ("session", value, units | {"long_name": COLUMNS[name].doc})
    of_all = largest[stay["vehicle"]].to_numpy(float)
    data[LARGEST_TRIP] = ("session", of_all, units | {"long_name": "largest trip of the vehicle"})
    sessions = xr.Dataset(data).sortby(["arrival", "vehicle"])
    return sessions.assign_coords(session=np.arange(sessions.sizes["session"]))


def _with_vehicles(sessions: xr.Dataset, of_vehicles: Mapping[str, OfVehicles]) -> xr.Dataset:
    """Return stays with what the list says of their vehicles."""
    vehicles = sessions["vehicle"].values.tolist()
    columns = {
        name: ("session", np.array([column.of[v] for v in vehicles]), dict(column.attributes))
        for name, column in of_vehicles.items()
    }
    return sessions.assign(columns)


def _time(moments: pd.Series, doc: str) -> tuple[str, np.ndarray, dict[str, str]]:
    return "session", moments.to_numpy("datetime64[ns]"), {"long_name": doc}


def _span(trips: pd.DataFrame, timezone: str | None) -> str:
    """Say from when to when the trips are, on the local clock."""
    ends = pd.DatetimeIndex([trips["departure"].min(), trips["return"].max()])
    first, last = to_local(ends, timezone or "UTC")
    return (
        f"Trips from {first:%Y-%m-%d %H:%M} (first departure) to {last:%Y-%m-%d %H:%M} (last"
        f" return), {timezone or 'UTC'}."
    )


def _taken(columns: Mapping[str, str], kwh_per_km: float | None) -> str:
    """Say which columns were taken."""
    unused = {"energy", "distance"} - {_amount(columns, kwh_per_km)}
    taken = [f"{name} {columns[name]!r}" for name in NAMES if name in columns.keys() - unused]
    return f"Columns taken: {', '.join(taken)}."


def _notes(
    trips: pd.DataFrame, joined: pd.DataFrame, use: str, idle: int, hidden: bool
) -> list[str]:
    """State the rules by which trips became stays."""
    count = trips["vehicle"].value_counts()
    once = first_few(sorted(count.index[count == 1]))
    first = int(joined.groupby("vehicle").head(1)["rows"].sum())
    return [
        f"{with_count(len(trips), 'trip')} of {with_count(len(count), 'vehicle')}: a stay lasts"
        " from a return to the next departure. Before the first departure and after the last"
        " return of a vehicle nothing is known, and there is no stay.",
        f"{len(trips) - first} of {with_count(len(trips), 'trip')} are charged for:"
        f" {first} come first of their vehicle, before any stay, and their energy is not charged.",
        "At each departure the energy of the trip that follows is on board, and it is driven until"
        " the next return; what is left then stays in the battery. At its first return a vehicle is"
        " empty.",
        use,
        f"One trip only, and no stay: {once}." if once else "",
        f"{with_count(idle, 'row')} without departure and return: no trip." if idle else "",
        "Vehicles are numbered in the order of the list: it names number plates or drivers, which"
        " are personal data."
        if hidden
        else "",
    ]
