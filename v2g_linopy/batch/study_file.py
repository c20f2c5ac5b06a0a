"""A study file (TOML): which cases, what is changed in them, and what is done with each.

::

    case = "depot.nc"                  # or several: ["depot.nc", "homes.nc"]
    command = "solve"                  # solve, compare, simulate or replay

    [grid]                             # every combination
    "fleet.wear" = [0.02, 0.03, 0.05]
    "energy.price.scale" = [0.8, 1.0, 1.2]

    [solver]
    gap = 1e-4

Beside the grid there may be a `[table]` (rows, or the file of a CSV: one case a row) or a `[draw]`
(cases drawn at random). Targets are those of `data.case_changes.with_changes`."""

import hashlib
import json
import math
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import qmc

from ..case.io import existing
from ..case.label_text import nearest
from ..data.case_changes import TARGET, part_of_target, target_problems
from ..delivery.call_states import CALLS
from ..errors import InputFileError, Problem, SchemaError
from ..solve.complementarity import MODES

COMMANDS: dict[str, tuple[str, ...]] = {
    "solve": ("method", "calls"),
    "compare": ("calls",),
    "simulate": (
        *("forecast", "start", "stop", "every", "window", "ahead", "seed", "policy", "bids"),
        *("history", "settlement", "hindsight", "calls"),
    ),
    "replay": ("random", "seed", "price"),
}
"""What may be done with a case, and its options in `[options]`."""
SOLVER = ("name", "gap", "time_limit", "complementarity", "blocks", "options")
NUMBERS = ("gap", "time_limit", "every", "window", "ahead", "history", "price")
"""Options that are numbers from 0 on; the others are words, but for those below."""
COUNTS = ("seed", "random")
FLAGS = ("hindsight", "blocks")
MOMENTS = ("start", "stop")
CHOICES: dict[str, tuple[str, ...]] = {
    "calls": tuple(CALLS),
    "complementarity": MODES,
    "method": ("auto", "whole", "decompose", "oracle", "sites"),
}
NOT_IN_PLACE = ("name", "time_limit", "blocks")
"""Of the solver: what a model that is solved again and again has no use for."""
TABLES = ("grid", "table", "draw", "options", "solver")
KEYS = ("title", "case", "command", *TABLES)
METHODS = ("sobol", "random")
Value = bool | int | float | str
Wrong = Callable[[str, str], None]
"""Takes a place in the file, and what is wrong there."""


@dataclass(frozen=True)
class Point:
    """One case of a study.

    Parameters
    ----------
    name : str
        Of its files; it depends on what is done only, so that a study may grow.
    case : Path
        The file that is read.
    changes : mapping
        New values by target.
    place : mapping
        Its label along every dimension of the study.
    """

    name: str
    case: Path
    changes: Mapping[str, Value]
    place: Mapping[str, Value]


@dataclass(frozen=True)
class Study:
    """What a study file asks for.

    Parameters
    ----------
    title : str
        What the study is called.
    cases : tuple of Path
        Case files.
    command : {"solve", "compare", "simulate", "replay"}
        What is done with each case; replay takes results.
    options, solver : mapping
        Options of the command, and of the solver.
    grid : mapping
        Values by target; every combination is a case.
    rows : tuple of mapping
        Values by target, one case a row; a single empty row where there is neither table nor draw.
    along : str
        The dimension of the rows: `row`, `draw`, or empty.
    in_place : bool
        Whether a worker goes on from the plan of the case before.
    """

    title: str
    cases: tuple[Path, ...]
    command: str = "solve"
    options: Mapping[str, Any] = field(default_factory=dict)
    solver: Mapping[str, Any] = field(default_factory=dict)
    grid: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    rows: tuple[Mapping[str, Value], ...] = ({},)
    along: str = ""
    in_place: bool = False

    @property
    def touched(self) -> frozenset[str]:
        """Parts in which any case of the study differs from its file."""
        targets = {*self.grid, *(target for row in self.rows for target in row)}
        calls = {"reserve"} if "calls" in self.options else set()
        return frozenset(calls | {part_of_target(target) for target in targets})

    @property
    def dims(self) -> dict[str, list[Value]]:
        """Labels of every dimension: cases where there are several, the grid, the rows."""
        found: dict[str, list[Value]] = {}
        if len(self.cases) > 1:
            found["case"] = [path.stem for path in self.cases]
        found |= {target: list(values) for target, values in self.grid.items()}
        if self.along:
            found[self.along] = list(range(len(self.rows)))
        return found

    def __len__(self) -> int:
        return len(self.cases) * math.prod(map(len, self.grid.values())) * len(self.rows)

    def points(self) -> Iterator[Point]:
        """Every case of the study, the last dimension first."""
        for case, values, (number, row) in product(
            self.cases, product(*self.grid.values()), enumerate(self.rows)
        ):
            of_grid = dict(zip(self.grid, values, strict=True))
            changes = {**of_grid, **row}
            place: dict[str, Value] = {"case": case.stem} if len(self.cases) > 1 else {}
            place |= of_grid | ({self.along: number} if self.along else {})
            yield Point(self._name(case, changes), case, changes, place)

    def _name(self, case: Path, changes: Mapping[str, Value]) -> str:
        """A name of files that tells what is done apart from all else."""
        asked = [str(case), changes, self.command, self.options, self.solver]
        text = json.dumps(asked, sort_keys=True, default=str)
        return f"{case.stem}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def read_study(path: str | Path) -> Study:
    """Read a study file.

    Parameters
    ----------
    path : str or Path
        A TOML file; the paths in it are relative to its folder.

    Returns
    -------
    Study
        What it asks for.

    Raises
    ------
    InputFileError
        It is no TOML file.
    SchemaError
        What it asks for cannot be done; every problem is listed.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> from pathlib import Path
    >>> v2g.write(v2g.commuters(vehicles=1, days=1), "two.nc")
    >>> _ = Path("two.toml").write_text('case = "two.nc"\\n[grid]\\n"fleet.wear" = [0.0, 0.1]\\n')
    >>> study = v2g.read_study("two.toml")
    >>> len(study), study.dims
    (2, {'fleet.wear': [0.0, 0.1]})
    """
    path = existing(path)
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputFileError(path, f"is no TOML file: {error}") from None
    problems: list[Problem] = []
    study = _understood(told, path, problems)
    if problems:
        raise SchemaError(problems, source=str(path))
    return study


def _understood(told: Mapping[str, Any], path: Path, problems: list[Problem]) -> Study:
    """What a file says; what it says wrongly is added to the problems."""

    def wrong(place: str, detail: str) -> None:
        problems.append(Problem(place, "study", detail))

    tables = _tables(told, wrong)
    command = told.get("command", "solve")
    if command not in COMMANDS:
        wrong("command", f"{command!r} is none of {', '.join(COMMANDS)}")
        command = "solve"
    options = _options(tables["options"], "options", COMMANDS[command], f"of {command}", wrong)
    solver = _options(tables["solver"], "solver", SOLVER, "of the solver", wrong)
    rows, along = _rows(tables["table"], tables["draw"], path.parent, wrong)
    grid = _grid(tables["grid"], wrong)
    for target in sorted(set(grid) & {t for row in rows for t in row}):
        wrong(f"grid.{target}", f"is in the {'table' if along == 'row' else 'draw'} as well")
    cases = _cases(told.get("case"), path.parent, wrong)
    title = told.get("title", path.stem)
    if not isinstance(title, str):
        wrong("title", f"needs a word, not {title!r}")
    changes = [name for name in ("grid", "table", "draw") if tables[name]]
    if command == "replay" and (changes or tables["solver"]):
        changes += ["solver"] if tables["solver"] else []
        wrong("command", f"replay takes results as they are; leave {', '.join(changes)} out")
    return Study(str(title), cases, command, options, solver, grid, rows, along)


def solved_in_place(study: Study) -> Study:
    """Return the study whose workers go on from the plan of the case before.

    Raises
    ------
    SchemaError
        Its cases do not differ in numbers alone, or the solver is asked for what only separate
        solves have; every problem is listed.
    """
    problems = []
    if study.command != "solve":
        problems.append(
            ("command", f"{study.command} is not solved in place; leave --in-place out")
        )
    if study.options.get("method", "auto") not in ("auto", "whole"):
        problems.append(("options.method", "in place a case is one model; leave it out"))
    for name in NOT_IN_PLACE:
        if name in study.solver:
            problems.append(
                (f"solver.{name}", "is of separate solves; leave it out, or --in-place")
            )
    if study.solver.get("complementarity") == "milp":
        detail = "milp takes binaries, which are not solved in place; lazy finds the same"
        problems.append(("solver.complementarity", detail))
    if problems:
        raise SchemaError([Problem(place, "study", detail) for place, detail in problems])
    return replace(study, in_place=True)


def _tables(told: Mapping[str, Any], wrong: Wrong) -> dict[str, Mapping[str, Any]]:
    """The tables of a file, empty where they are missing or none."""
    for key in told:
        if key not in KEYS:
            wrong(str(key), f"is no key of a study{nearest(str(key), KEYS)}")
    found: dict[str, Mapping[str, Any]] = {}
    for name in TABLES:
        table = told.get(name, {})
        found[name] = table if isinstance(table, Mapping) else {}
        if found[name] is not table:
            wrong(name, f"is a table: write [{name}]")
    return found


def _options(
    told: Mapping[str, Any], table: str, known: Sequence[str], of: str, wrong: Wrong
) -> dict[str, Any]:
    """Options by their names in Python; those of the command line are read as well."""
    options = {str(key).replace("-", "_"): value for key, value in told.items()}
    for key, value in options.items():
        if key not in known:
            wrong(f"{table}.{key}", f"is no option {of}{nearest(key, known)}")
        elif detail := _wrong_value(key, value):
            wrong(f"{table}.{key}", detail)
    return options


def _wrong_value(option: str, value: object) -> str:
    """What is wrong with the value of an option; whether it fits the case, the case says."""
    if option in CHOICES:
        choices = CHOICES[option]
        return "" if value in choices else f"{value!r} is none of {', '.join(choices)}"
    kind, fits = "a word", isinstance(value, str) and bool(value)
    if option in NUMBERS:
        kind, fits = "a number, 0 or more", _is_number(value) and float(str(value)) >= 0
    elif option in COUNTS:
        kind, fits = "a whole number, 0 or more", _whole(value, 0)
    elif option in FLAGS:
        kind, fits = "true or false", isinstance(value, bool)
    elif option in MOMENTS:
        kind, fits = "a date, or a word", isinstance(value, str | date)
    elif option == "options":
        kind, fits = "a table of the solver's own options", isinstance(value, Mapping)
    return "" if fits else f"needs {kind}, not {value!r}"


def _is_number(value: object) -> bool:
    """Whether a value is a number, infinite or not."""
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value


def _cases(told: object, folder: Path, wrong: Wrong) -> tuple[Path, ...]:
    """The case files, each of which is there."""
    listed = told if isinstance(told, list) else [told]
    named = [name for name in listed if isinstance(name, str) and name]
    if not named or len(named) < len(listed):
        wrong("case", 'names no case: write case = "depot.nc", or a list of files')
        return ()
    found = []
    for name in named:
        file = folder / name
        file = file.with_name(file.name + ".nc") if not file.exists() and not file.suffix else file
        if not file.is_file():
            wrong("case", f"{file} does not exist")
        found.append(file)
    for stem in sorted({f.stem for f in found if [g.stem for g in found].count(f.stem) > 1}):
        wrong("case", f"two cases are called {stem}; rename one")
    return tuple(found)


def _grid(told: Mapping[str, Any], wrong: Wrong) -> dict[str, tuple[Value, ...]]:
    """Values by target."""
    grid: dict[str, tuple[Value, ...]] = {}
    for target, values in told.items():
        if not isinstance(values, list) or not values:
            wrong(f"grid.{target}", "needs a list of values")
        elif any(not isinstance(v, bool | int | float | str) for v in values):
            wrong(f"grid.{target}", "has a value that is neither a number nor a word")
        elif len(set(values)) < len(values):
            wrong(f"grid.{target}", "names a value twice")
        else:
            grid[target] = tuple(values)
        _check_target(f"grid.{target}", target, grid.get(target, ()), wrong)
    return grid


def _rows(
    table: Mapping[str, Any], draw: Mapping[str, Any], folder: Path, wrong: Wrong
) -> tuple[tuple[Mapping[str, Value], ...], str]:
    """Values by target, one case a row, and the dimension of the rows."""
    if table and draw:
        wrong("draw", "stands beside a table; give one of the two")
    if table:
        return _table_rows(table, folder, wrong) or ({},), "row"
    if draw:
        return _drawn_rows(draw, wrong) or ({},), "draw"
    return ({},), ""


def _table_rows(
    table: Mapping[str, Any], folder: Path, wrong: Wrong
) -> tuple[Mapping[str, Value], ...]:
    """Rows that are written down, or those of a CSV file."""
    for key in table:
        if key not in ("rows", "file"):
            wrong(f"table.{key}", f"is no key of a table{nearest(str(key), ('rows', 'file'))}")
    if ("rows" in table) == ("file" in table):
        wrong("table", "needs either rows, or the file of a CSV")
        return ()
    rows = _read_rows(folder / str(table["file"]), wrong) if "file" in table else table["rows"]
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        wrong("table.rows", "needs a list of rows, each with values by target")
        return ()
    for target in sorted({str(t) for row in rows for t in row}):
        values = [row[target] for row in rows if target in row]
        _check_target(f"table.{target}", target, values, wrong)
    return tuple({str(t): _plain(v) for t, v in row.items()} for row in rows)


def _read_rows(file: Path, wrong: Wrong) -> list[dict[Any, Any]]:
    """The rows of a CSV file whose head names the targets."""
    try:
        frame = pd.read_csv(file)
    except (OSError, ValueError) as error:
        wrong("table.file", f"{file} cannot be read: {error}")
        return []
    for target in frame.columns[frame.isna().any()]:
        wrong(f"table.file, column {target}", "has an empty cell")
    if frame.empty:
        wrong("table.file", f"{file} has no row")
    return frame.to_dict("records")


def _drawn_rows(draw: Mapping[str, Any], wrong: Wrong) -> tuple[Mapping[str, Value], ...]:
    """Rows drawn between two ends each: evenly (Sobol, 1967), or independently of each other."""
    n, method, seed = draw.get("n"), draw.get("method", "sobol"), draw.get("seed", 0)
    fields = draw.get("fields")
    known = ("n", "method", "seed", "fields")
    problems = [(f"draw.{k}", "is no key" + nearest(str(k), known)) for k in draw if k not in known]
    if not _whole(n, 1):
        problems.append(("draw.n", "needs a number of cases, 1 or more"))
    if method not in METHODS:
        problems.append(("draw.method", f"{method!r} is none of {', '.join(METHODS)}"))
    if not _whole(seed, 0):
        problems.append(("draw.seed", "needs a whole number, 0 or more"))
    problems += _end_problems(fields)
    for place, detail in problems:
        wrong(place, detail)
    if problems or not isinstance(fields, Mapping) or not isinstance(n, int):
        return ()
    for target, ends in fields.items():
        _check_target(f"draw.fields.{target}", target, ends, wrong)
    low, high = np.array(list(fields.values()), dtype=float).T
    rng = np.random.default_rng(seed)
    if method == "sobol":
        even = qmc.Sobol(len(fields), rng=rng).random_base2((n - 1).bit_length())[:n]
    else:
        even = rng.random((n, len(fields)))
    values = low + even * (high - low)
    return tuple(dict(zip(fields, map(float, row), strict=True)) for row in values)


def _whole(value: object, least: int) -> bool:
    """Whether a value is a whole number that large."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _end_problems(fields: object) -> list[tuple[str, str]]:
    """What is wrong with the ends between which fields are drawn."""
    if not isinstance(fields, Mapping) or not fields:
        return [("draw.fields", 'needs two ends for each field: "fleet.wear" = [0.02, 0.05]')]
    detail = "needs two numbers, the lower one first"
    return [(f"draw.fields.{t}", detail) for t, ends in fields.items() if not _are_ends(ends)]


def _are_ends(ends: object) -> bool:
    """Whether there are two finite numbers in order."""
    if not isinstance(ends, list) or len(ends) != 2:
        return False
    numbers = [x for x in ends if isinstance(x, int | float) and not isinstance(x, bool)]
    return len(numbers) == 2 and bool(np.isfinite(numbers).all()) and numbers[0] <= numbers[1]


def _check_target(place: str, target: str, values: Sequence[object], wrong: Wrong) -> None:
    """Whether there is such a field, and its values are some; whether a case has its members, the
    case says.
    """
    for detail in target_problems(target, values or [1.0]):
        wrong(place, detail)


def _plain(value: Any) -> Value:
    """A value as Python has it."""
    plain: Value = value.item() if isinstance(value, np.generic) else value
    return plain


def _value_schema(option: str) -> dict[str, Any]:
    """The values that an option may have, as JSON schema."""
    if option in CHOICES:
        return {"enum": list(CHOICES[option])}
    if option in NUMBERS:
        return {"type": "number", "minimum": 0}
    if option in COUNTS:
        return {"type": "integer", "minimum": 0}
    if option in FLAGS:
        return {"type": "boolean"}
    if option == "options":
        return {"type": "object"}
    return {"type": "string", "minLength": 1}  # also a date, which JSON does not know


def study_schema() -> dict[str, Any]:
    """The JSON schema of a study file, for editors that check TOML while it is written.

    Returns
    -------
    dict
        JSON schema, draft 2020-12.
    """
    value = {"type": ["number", "string", "boolean"]}
    ends = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}
    target = {"pattern": f"^{TARGET.pattern.replace('?P<', '?<')}$"}

    def table(properties: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": dict(properties),
            "additionalProperties": False,
            **more,
        }

    def by_target(values: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "type": "object",
            "propertyNames": target,
            "additionalProperties": dict(values),
            "minProperties": 1,
        }

    file = {"type": "string", "minLength": 1}
    options = sorted({name for names in COMMANDS.values() for name in names})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Study of v2g-linopy",
        **table(
            {
                "title": {"type": "string"},
                "case": {"anyOf": [file, {"type": "array", "items": file, "minItems": 1}]},
                "command": {"enum": list(COMMANDS)},
                "grid": by_target({"type": "array", "items": value, "minItems": 1}),
                "table": table(
                    {"rows": {"type": "array", "items": by_target(value)}, "file": file}
                ),
                "draw": table(
                    {
                        "n": {"type": "integer", "minimum": 1},
                        "method": {"enum": list(METHODS)},
                        "seed": {"type": "integer", "minimum": 0},
                        "fields": by_target(ends),
                    },
                    required=["n", "fields"],
                ),
                "options": table({name: _value_schema(name) for name in options}),
                "solver": table({name: _value_schema(name) for name in SOLVER}),
            },
            required=["case"],
        ),
    }
