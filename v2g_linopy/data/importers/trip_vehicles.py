"""What a list of trips says of its vehicles: battery and charger, one value for each vehicle."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ...case.units import factor
from ...errors import Problem, Remedy, SchemaError
from ...model.sessions import COLUMNS
from ..tables.numbers import number_columns
from ..tables.plausibility import STATED
from ..tables.table_format import TableFormat
from ..tables.unit_names import named_unit, strange_unit
from ..tables.wording import cells_in_rows, first_few

WORDS_OF_VEHICLES = {
    "capacity": r"(nutzbare )?(batterie|akku)?kapazit(ä|ae|�)t|(batterie|akku)gr(ö|oe|�)(ß|ss|�)e"
    r"|(usable )?(battery )?capacity|battery size",
    "charge_max": r"(max\.? )?ladeleistung|(max(imum|\.)? )?charg(ing|er) power",
    "discharge_max": r"(max\.? )?entladeleistung|(max(imum|\.)? )?discharg(ing|e) power",
}
"""Usual headers, as of the other columns of trips; they are sure only with a unit that fits."""
KINDS = {"kWh": "energy", "kW": "power"}


@dataclass(frozen=True)
class OfVehicles:
    """A number of each vehicle, and how it stands in a table of sessions."""

    of: Mapping[str, float]
    attributes: Mapping[str, str | int]


def usual_of_vehicles(headers: Sequence[str], name: str) -> list[str]:
    """Return the headers that surely mean a column of vehicles: in usual words, with its unit."""
    return [
        header
        for header in headers
        if re.fullmatch(WORDS_OF_VEHICLES[name], bare_header(header), re.IGNORECASE)
        and factor(named_unit(header) or "", COLUMNS[name].unit) is not None
    ]


PER_DISTANCE = re.compile(r"[kM]?Wh\s*(/|per|pro|je)\s*(100\s*)?(km|miles?|mi)\b", re.IGNORECASE)
OTHER_FUEL = re.compile(r"(?<![^\W\d_])(lit(er|re)s?|l|gal(lons?)?)(?![^\W\d_])", re.IGNORECASE)


def bare_header(header: str) -> str:
    """Return a header without its unit in brackets."""
    return re.sub(r"[\[(].*?[\])]", "", header).strip(' "')


def unit_of(name: str, header: str, units: Mapping[str, str], declared: str, source: str) -> str:
    """Return the unit of a column: as given, as its header says, else as declared."""
    strange = PER_DISTANCE.search(header) or OTHER_FUEL.search(header)
    foreign = strange[0] if strange else strange_unit(header)
    unit = units.get(name) or foreign or named_unit(header) or declared
    if factor(unit, declared) is not None:
        return unit
    kind = KINDS[declared]
    advice = f"if it is {kind} in {declared}, give {{}}"
    give = Remedy("units", (declared,), key=name, advice=advice)
    detail = f"the header {header!r} says {unit}, which is no {kind}"
    raise SchemaError([Problem(name, "unit", detail, (give,))], source)


def numbers_of_vehicles(
    frame: pd.DataFrame,
    vehicle: pd.Series,
    columns: Mapping[str, str],
    table: TableFormat,
    units: Mapping[str, str],
    source: str,
) -> dict[str, OfVehicles]:
    """Return battery and powers of each vehicle, of the columns that the list has.

    Rows without a number take that of the other rows of their vehicle.

    Raises
    ------
    SchemaError
        Cells that are no numbers, units of another kind, a vehicle without a number or with two.
    """
    names = [name for name in WORDS_OF_VEHICLES if name in columns]
    numbers = number_columns(frame, names, table.decimal, source, table.thousands)
    problems: list[Problem] = []
    found = {}
    for name in names:
        field = COLUMNS[name]
        unit = unit_of(name, columns[name], units, field.unit, source)
        value = pd.Series(numbers[name], index=frame.index)
        problems += _wrong(name, value, frame[name], may_be_zero=name == "discharge_max")
        problems += _not_one(name, value, vehicle)
        attributes: dict[str, str | int] = {"units": unit, "long_name": field.doc}
        attributes |= {STATED: 1} if name in units else {}
        of = {str(label): float(one) for label, one in value.groupby(vehicle).first().items()}
        found[name] = OfVehicles(of, attributes)
    if problems:
        raise SchemaError(problems, source)
    return found


def _wrong(name: str, value: pd.Series, cells: pd.Series, may_be_zero: bool) -> list[Problem]:
    """Return a problem where a number is below what a battery or a charger can have."""
    low = (value < 0) if may_be_zero else (value <= 0)
    if not low.any():
        return []
    least = "no number of at least 0" if may_be_zero else "no number above 0"
    return [Problem(name, "range", f"{least} in {cells_in_rows(cells[low])}")]


def _not_one(name: str, value: pd.Series, vehicle: pd.Series) -> list[Problem]:
    """Return a problem for each vehicle that has several numbers, and one for those with none."""
    problems, without = [], []
    for label, values in value.groupby(vehicle):
        known = np.unique(values.dropna())
        if len(known) == 0:
            without.append(str(label))
        if len(known) > 1:
            rows = values.dropna().drop_duplicates().index
            both = " and ".join(f"{values[row]:g} in row {row}" for row in rows[:2])
            problems.append(
                Problem(name, "consistency", f"{label} has {both}; a vehicle has one value")
            )
    if without:
        problems.append(Problem(name, "missing", f"no number for {first_few(without)}"))
    return problems
