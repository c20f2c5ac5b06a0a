"""Names, dimensions, units and ranges, declared once; validation, defaults, conversion, docs and
attributes follow.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import Problem
from .calendar import steps_by
from .units import accepted, factor

REQUIRED = object()
ABSENT = None
LARGEST = 1e15
"""No power, energy, price or sum of money of a case is larger: markers of missing data are (9.97e36
in a netCDF file, 1e20), and no solver takes such a number for one."""
Kind = Literal["quantity", "flag", "choice", "label"]


@dataclass(frozen=True)
class Calendar:
    """Time stamps, zone, money and scenarios of a case, which its fields need to be read."""

    time: pd.DatetimeIndex
    timezone: str = "UTC"
    currency: str = "EUR"
    scenario: pd.Index | None = None
    probability: Any = None  # of each scenario, where there are any

    def local(self, stamp: pd.Timestamp) -> str:
        """Write a time stamp as the user's clock shows it, with offset."""
        return str(
            pd.Timestamp(stamp)
            .tz_localize("UTC")
            .tz_convert(self.timezone)
            .strftime("%Y-%m-%d %H:%M %z")
        )


@dataclass(frozen=True)
class Field:
    """One array of a case or a result.

    ``Field("charge_max", "fleet time", "kW", "power the vehicles can draw", ge=0)``. Inputs may
    always differ by `scenario`.

    Parameters
    ----------
    name : str
        Its name in the group of the part, in the file and in code: ``"charge_max"``.
    dims : str
        The most dimensions that it may have, the one of the members first: ``"fleet time"``. One
        with fewer holds for all labels of the others.
    unit : str
        The unit that an array without one is read in, and that people are shown: ``"EUR/MWh"``; a
        file may name any other of the same kind. Code sees coherent units, kW, kWh, h and money
        (EUR/kWh). ``"1"`` is a plain number, ``EUR`` the currency of the case; empty for texts.
    doc : str
        What it is, in a sentence without a capital: long name in files, help, generated pages.
    default : float, str, REQUIRED or ABSENT, default REQUIRED
        What a case that does not give it means. `REQUIRED`: it must be given. `ABSENT`: it is left
        out, and code asks whether it is there.
    ge, le : float, default -inf, inf
        The range that it must keep to, ends included.
    kind : {"quantity", "flag", "choice", "label"}, default "quantity"
        A number with a unit, 0 or 1, one of `choices`, or any text.
    choices : tuple of str, default ()
        What a choice may be: ``("quantity", "curve")``.
    missing : bool, default False
        Whether NaN is allowed: there is no such number here.
    infinite : bool, default False
        Whether it may be infinite: there is no limit.
    first_stage : str, default ""
        Outputs: the flag among the inputs that marks decisions taken before the scenario is known.
    shared : bool, default False
        Outputs and inputs that a part has once per asset, with the members of the asset as first
        dimension: ``"share"`` is `share_fleet` and `share_battery`.
    auxiliary : bool, default False
        Outputs that help to write rows and are left out of a result.
    signed : bool, default False
        Outputs that may be negative.
    certain : bool, default False
        Outputs of which there is one number for all scenarios.
    beside : str, default ""
        The input without which the default is of no interest: ``"energy_value"``.
    of : str, default ""
        Labels: the part whose members they name, ``"charger"``; an empty text names none.
    uncertain : bool, default False
        Inputs that nobody knows in advance: naive forecasts take them from an earlier day, and
        scenarios draw them.
    drawn : bool, default True
        False for what is uncertain but not drawn in scenarios, unless it is asked for by name.
    not_below : str, default ""
        The input of the same part that a drawn scenario of this one may not be below:
        ``"price_long"``.

    Examples
    --------
    >>> from v2g_linopy.case.schema import Field
    >>> wear = Field("wear", "battery", "EUR/kWh", "wear per kWh leaving", default=0.0, ge=0)
    >>> wear.shown("SEK")
    '0 SEK/kWh'
    """

    name: str
    dims: str
    unit: str
    doc: str
    default: Any = REQUIRED
    ge: float = -np.inf
    le: float = np.inf
    kind: Kind = "quantity"
    choices: tuple[str, ...] = ()
    missing: bool = False
    infinite: bool = False
    first_stage: str = ""
    shared: bool = False
    auxiliary: bool = False
    signed: bool = False
    certain: bool = False
    beside: str = ""
    of: str = ""
    uncertain: bool = False
    drawn: bool = True
    not_below: str = ""

    def names(self, name: str) -> bool:
        """Return True where `name` is this field.

        Parameters
        ----------
        name : str
            Name of an array. Of a `shared` field there is one per asset, as `share_fleet`.

        Returns
        -------
        bool

        Examples
        --------
        >>> Field("share", "time", "kW", "share of the volume", shared=True).names("share_fleet")
        True
        """
        return name == self.name or (self.shared and name.startswith(f"{self.name}_"))

    def shown(self, currency: str = "EUR") -> str:
        """Write the default with its unit.

        Parameters
        ----------
        currency : str, default "EUR"
            The money of the case.

        Returns
        -------
        str
            As `check` and the generated pages show it.

        Examples
        --------
        >>> Field("limit", "market", "kW", "largest position", default=100.0).shown()
        '100 kW'
        """
        if not isinstance(self.default, (int, float)):
            return str(self.default)
        if np.isnan(self.default):
            return "none"
        return f"{self.default:g} {self.unit.replace('EUR', currency)}".removesuffix(" 1")

    def read(
        self, group: xr.Dataset, part: str, calendar: Calendar
    ) -> tuple[xr.DataArray | None, list[Problem]]:
        """Return the array in coherent units, and every problem it has.

        Parameters
        ----------
        group : xarray.Dataset
            The group of a case, in the units of the file.
        part : str
            Its name, for the messages.
        calendar : Calendar
            Time stamps, zone, money and scenarios of the case.

        Returns
        -------
        xarray.DataArray or None
            In the unit of the field, without attributes; the default where the group does not give
            it, None where that is `ABSENT` or nothing can be read.
        list of Problem
            Empty where nothing is wrong.

        Examples
        --------
        >>> import pandas as pd
        >>> import xarray as xr
        >>> from v2g_linopy.case.schema import Calendar
        >>> group = xr.Dataset({"power": ((), 2.0, {"units": "MW"})})
        >>> calendar = Calendar(pd.date_range("2026-01-01", periods=2, freq="h"))
        >>> drawn = Field("power", "time", "kW", "power drawn")
        >>> power, problems = drawn.read(group, "pump", calendar)
        >>> float(power), problems
        (2000.0, [])
        """
        variable, problems = self._read_variable(group, part, calendar)
        if variable is None or self.name not in group:
            return None if variable is None else xr.DataArray(variable), problems
        clean = self._with_labels(variable, group)
        clean.attrs = {}
        return clean, problems

    def _read_variable(
        self, group: xr.Dataset, part: str, calendar: Calendar
    ) -> tuple[xr.Variable | None, list[Problem]]:
        """Return the same without labels, which `read` adds: for one who reads all of a group."""
        where = f"{part}.{self.name}"
        if self.name not in group:
            if self.default is REQUIRED:
                unit = f" ({self.unit})" if self.kind == "quantity" else ""
                return None, [Problem(where, "missing", f"missing: give {self.doc}{unit}")]
            return None if self.default is ABSENT else xr.Variable((), self.default), []
        variable = group.variables[self.name].to_base_variable()
        uncertain = self.kind == "quantity" and calendar.scenario is not None
        allowed = [*self.dims.split(), *(["scenario"] if uncertain else [])]
        if extra := [d for d in variable.dims if d not in allowed]:
            return None, [
                Problem(
                    where, "dims", f"has dimension {_words(extra)}, may have only {_words(allowed)}"
                )
            ]
        order = [d for d in ("scenario", *self.dims.split()) if d in variable.dims]
        variable = variable.transpose(*order)
        if self.kind in ("label", "choice"):
            return self._read_label(variable, where, group, calendar)
        return self._read_number(variable, where, group, calendar)

    def _with_labels(self, variable: xr.Variable, group: xr.Dataset) -> xr.DataArray:
        """Return the numbers of a variable with the labels of the array that it was read from."""
        array = group[self.name].transpose(*variable.dims)
        return array.copy(data=variable.to_numpy())

    def _read_label(
        self, variable: xr.Variable, where: str, group: xr.Dataset, calendar: Calendar
    ) -> tuple[xr.Variable, list[Problem]]:
        labels = variable.to_numpy()
        clean = xr.Variable(variable.dims, labels)
        if missing := int(pd.isnull(labels).sum()):
            array = self._with_labels(variable, group)
            place, _ = worst_violation(xr.zeros_like(array, dtype=float), array.isnull(), calendar)
            more = f" (and {missing - 1} more)" if missing > 1 else ""
            return clean, [Problem(where, "nan", f"{place}missing{more}, give every label")]
        if self.kind == "choice":
            for value in dict.fromkeys(str(v) for v in labels.ravel()):
                if value not in self.choices:
                    hint = (
                        f"{value!r} is not one of"
                        f" {_words(self.choices)}{suggest(value, self.choices)}"
                    )
                    return clean, [Problem(where, "choice", hint)]
        return clean, []

    def _read_number(
        self, variable: xr.Variable, where: str, group: xr.Dataset, calendar: Calendar
    ) -> tuple[xr.Variable | None, list[Problem]]:
        if variable.dtype.kind not in "fiub":
            return None, [
                Problem(where, "type", f"holds {variable.dtype}, needs numbers ({self.unit})")
            ]
        unit = variable.attrs.get("units", "1" if self.kind == "flag" else self._unit(calendar))
        scale = factor(str(unit), self.unit, calendar.currency)
        if scale is None:
            units = ", ".join(accepted(self.unit, calendar.currency))
            wrong = f"unit {str(unit)!r} does not fit; use one of {units}"
            return None, [Problem(where, "unit", wrong)]
        numbers = variable.to_numpy().astype(float)
        clean = xr.Variable(variable.dims, numbers if scale == 1.0 else numbers * scale)
        if self._fits(clean.to_numpy()):
            return clean, []
        return clean, self._range(self._with_labels(clean, group), where, calendar)

    def _fits(self, numbers: np.ndarray) -> bool:
        """Return True where `_range` would find nothing: the common case, without labels."""
        if self.kind == "flag":
            return bool(np.isin(numbers, (0.0, 1.0)).all())
        given = numbers[~np.isnan(numbers)] if self.missing else numbers
        if given.size == 0:
            return True
        low, high = float(given.min()), float(given.max())  # NaN if there is any
        if not (low >= self.ge and high <= self.le):
            return False
        if low >= -LARGEST and high <= LARGEST:
            return True
        return self.infinite and not _too_large(given).any()

    def _range(self, array: xr.DataArray, where: str, calendar: Calendar) -> list[Problem]:
        low, high = self.ge, self.le
        faults: list[tuple[str, xr.DataArray, str]] = []
        if not self.missing:
            faults.append(("nan", array.isnull(), "missing (NaN); give every value"))
        if not self.infinite:
            faults.append(("range", xr.DataArray(np.isinf(array)), "infinite; give a number"))
        if self.kind == "flag":
            faults.append(("range", array.notnull() & ~array.isin([0.0, 1.0]), "allowed 0 or 1"))
        else:
            allowed = (
                f"allowed [{low:g}, {high:g}] {self.unit.replace('EUR', calendar.currency)}".rstrip(
                    " 1"
                )
            )
            inside = ((array >= low) & (array <= high)) | np.isinf(array)
            if self.infinite:
                inside = (array >= low) & (array <= high)
            faults.append(("range", array.notnull() & ~inside, allowed))
            remedy = "write inf where there is no limit" if self.infinite else "give what it is"
            remedy = f"beyond {LARGEST:g}, which no quantity is; {remedy}"
            faults.append(("range", inside & _too_large(array), remedy))
        problems = []
        for rule, wrong, remedy in faults:
            if count := int(wrong.sum()):
                place, value = worst_violation(array, wrong, calendar)
                more = f" (and {count - 1} more)" if count > 1 else ""
                months = _whole_months(wrong, calendar) if rule == "nan" else []
                whole = f"; nothing in all of {_words(months)}" if months else ""
                problems.append(Problem(where, rule, f"{place}{value:g}{more}, {remedy}{whole}"))
        return problems

    def _unit(self, calendar: Calendar) -> str:
        return self.unit.replace("EUR", calendar.currency)


def _too_large(numbers: Any) -> Any:
    return np.isfinite(numbers) & (abs(numbers) > LARGEST)


Check = Callable[[xr.Dataset, Calendar], list[Problem]]


@dataclass(frozen=True)
class Schema:
    """The arrays of one part: what a case gives, what a result adds, and rules between fields.

    Parameters
    ----------
    inputs : tuple of Field
        What a case may give.
    outputs : tuple of Field, default ()
        What a result adds: variables, and what `postprocess` makes of them.
    checks : tuple of callable, default ()
        ``f(inputs, calendar) -> list of Problem``, rules between fields, asked once each field is
        fine by itself.
    completions : tuple of callable, default ()
        ``f(inputs) -> inputs``, defaults that follow from other inputs.

    Examples
    --------
    >>> from v2g_linopy.case.schema import Field, Schema
    >>> schema = Schema(inputs=(Field("power", "pump time", "kW", "power drawn", ge=0),))
    >>> schema.member
    'pump'
    """

    inputs: tuple[Field, ...]
    outputs: tuple[Field, ...] = ()
    checks: tuple[Check, ...] = ()
    completions: tuple[
        Callable[[xr.Dataset], xr.Dataset], ...
    ] = ()  # defaults that follow from other inputs

    @cached_property
    def member(self) -> str | None:
        """The dimension that labels the members of this part, the first one of its first field."""
        dims = [f.dims.split()[0] for f in self.inputs if f.dims]
        return next((d for d in dims if d != "time"), None)

    def validate(
        self, group: xr.Dataset, part: str, calendar: Calendar
    ) -> tuple[xr.Dataset, list[Problem]]:
        """Return the inputs in coherent units with defaults filled in, and every problem found.

        Parameters
        ----------
        group : xarray.Dataset
            The group of a case, in the units of the file.
        part : str
            Its name, for the messages.
        calendar : Calendar
            Time stamps, zone, money and scenarios of the case.

        Returns
        -------
        xarray.Dataset
            The inputs on their members, `time` and `scenario`; empty where there are problems.
        list of Problem
            Empty where nothing is wrong.

        Examples
        --------
        >>> import pandas as pd
        >>> import xarray as xr
        >>> from v2g_linopy.case.schema import Calendar
        >>> calendar = Calendar(pd.date_range("2026-01-01", periods=2, freq="h"))
        >>> pumps = xr.Dataset({"power": ("pump", [3.0, -1.0])}, coords={"pump": ["a", "b"]})
        >>> inputs, problems = schema.validate(pumps, "pump", calendar)
        >>> print(problems[0])
        pump.power: pump b: -1, allowed [0, inf] kW
        """
        inputs = [*self._every(group)]
        problems = self._labels(group, part, inputs)
        variables: dict[str, xr.Variable] = {}
        for field in inputs:
            variable, found = field._read_variable(group, part, calendar)
            problems += found
            if variable is not None:
                variables[field.name] = self._on_members(variable, field, group)
        problems += self._unknown(group, part)
        if problems:
            return xr.Dataset(), problems
        used = {self.member, "time", "scenario", *(d for x in variables.values() for d in x.dims)}
        coords = {
            str(n): c for n, c in group.coords.items() if n in used
        }  # a result has those of its outputs, too
        # all arrays are of one group, so their labels are its labels and need no comparison
        clean = xr.Dataset(variables, coords=coords | {"time": calendar.time})
        if not len(calendar.time):  # without time stamps nothing can be placed
            return clean, []
        with xr.set_options(arithmetic_join="exact"):  # faster, and no label is left out silently
            problems = [p for check in self.checks for p in check(clean, calendar)]
            for complete in () if problems else self.completions:
                clean = complete(clean)
        return clean, problems

    def _every(self, group: xr.Dataset) -> Iterator[Field]:
        """Yield the inputs; of a shared one those that are there, each with the members of its
        asset.
        """
        for field in self.inputs:
            if not field.shared:
                yield field
                continue
            for name in (str(n) for n in group.data_vars if field.names(str(n))):
                own = [
                    str(d) for d in group[name].dims if d not in (*field.dims.split(), "scenario")
                ]
                yield replace(field, name=name, dims=" ".join([*own[:1], field.dims]))

    def _on_members(self, variable: xr.Variable, field: Field, group: xr.Dataset) -> xr.Variable:
        """Give an array the member dimension that its field declares, so that sums over members
        count every one.
        """
        member = self.member
        known = member in variable.dims or member not in group.indexes
        if member is None or known or member not in field.dims.split():
            return variable
        dims = [*variable.dims]
        dims.insert(1 if "scenario" in dims else 0, member)
        return variable.set_dims({d: group.sizes[d] for d in dims})

    def assumptions(self, group: xr.Dataset, part: str, currency: str) -> list[str]:
        """Return what had to be assumed of a valid group: missing units, defaults.

        Parameters
        ----------
        group : xarray.Dataset
            The group of a case, in the units of the file.
        part : str
            Its name, for the sentences.
        currency : str
            The money of the case.

        Returns
        -------
        list of str
            One sentence each, as `check` returns them.

        Examples
        --------
        >>> import xarray as xr
        >>> schema.assumptions(xr.Dataset({"power": 3.0}), "pump", "EUR")
        ['pump.power: no units attribute, read as kW']
        """
        notes = []
        for f in self.inputs:
            if f.beside and f.beside not in group:
                continue
            if f.name not in group and f.default is not ABSENT:
                notes.append(f"{part}.{f.name}: not given, taken as {f.shown(currency)} ({f.doc})")
            elif f.kind == "quantity" and f.name in group and "units" not in group[f.name].attrs:
                notes.append(
                    f"{part}.{f.name}: no units attribute, read as"
                    f" {f.unit.replace('EUR', currency)}"
                )
        return notes

    def _labels(self, group: xr.Dataset, part: str, inputs: Iterable[Field]) -> list[Problem]:
        problems = []
        for dim in dict.fromkeys(d for f in inputs for d in f.dims.split() if d != "time"):
            if dim not in group.dims:
                continue
            if dim not in group.indexes:
                detail = f"the dimension {dim} has no labels; name its members"
                problems.append(Problem(f"{part}.{dim}", "labels", detail))
            elif (index := group.indexes[dim]).has_duplicates:
                twice = _words(sorted({str(v) for v in index[index.duplicated()]})[:5])
                problems.append(
                    Problem(f"{part}.{dim}", "labels", f"{twice} appears more than once")
                )
            elif detail := label_fault(index.tolist()):
                problems.append(Problem(f"{part}.{dim}", "labels", detail))
        return problems

    def _unknown(self, group: xr.Dataset, part: str) -> list[Problem]:
        inputs, fields = [f.name for f in self.inputs], (*self.inputs, *self.outputs)
        strays = [str(n) for n in group.data_vars if not any(f.names(str(n)) for f in fields)]
        return [
            Problem(f"{part}.{n}", "unknown", f"unknown{suggest(n, inputs, f'{part}.')}")
            for n in strays
        ]


def label_fault(labels: list[object]) -> str:
    """Say why members cannot be told by their labels once a file holds them; empty where they can.

    >>> label_fault(["007", "07", "NA", " "])
    ''
    >>> label_fault(["van", None]), label_fault(["van", ""])
    ('member 2 has no name', 'member 2 has no name')
    >>> label_fault(["7", 7])
    'the names mix text and numbers; write all as text'
    """
    if all(isinstance(label, int) for label in labels):
        return ""
    together = "".join(map(str, labels))
    kept = together.isascii() and "\x00" not in together  # most are; looked at all at once
    for place, label in enumerate(labels, 1):
        if label is None or label != label or label == "":
            return f"member {place} has no name"
        if not kept and ("\x00" in str(label) or not _is_unicode(str(label))):
            return f"the name of member {place}, {str(label)!r}, has a character that no file keeps"
    if len({isinstance(label, str) for label in labels}) > 1:
        return "the names mix text and numbers; write all as text"
    return ""


def _is_unicode(text: str) -> bool:
    """Whether a text has no half of a pair of characters."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def worst_violation(
    array: xr.DataArray, wrong: xr.DataArray, calendar: Calendar
) -> tuple[str, float]:
    """Return where the most extreme wrong value stands, in the user's words, and the value."""
    extreme = xr.DataArray(abs(array.where(wrong))).fillna(np.inf).where(wrong, -1.0)
    spot = {str(d): int(i) for d, i in dict(extreme.argmax(...)).items()} if array.dims else {}
    cell = array.isel(spot)
    words = []
    for dim in array.dims:
        label = cell.coords[dim].item() if dim in cell.coords else spot[str(dim)]
        words.append(
            f"at {calendar.local(pd.Timestamp(label))}" if dim == "time" else f"{dim} {label}"
        )
    return (" ".join(words) + ": " if words else ""), float(cell)


Rule = tuple[
    str, xr.DataArray, xr.DataArray, str
]  # field, where it is broken, the number to show, what is wrong


def violations(part: str, rules: Iterable[Rule], calendar: Calendar) -> list[Problem]:
    """Return a problem for each rule between fields that is broken somewhere."""
    problems = []
    for name, wrong, array, detail in rules:
        if count := int(wrong.sum()):
            place, value = worst_violation(array.broadcast_like(wrong), wrong, calendar)
            more = f" (and {count - 1} more)" if count > 1 else ""
            problems.append(
                Problem(f"{part}.{name}", "consistency", f"{place}{value:g}{more} {detail}")
            )
    return problems


def suggest(name: str, known: Any, prefix: str = "") -> str:
    """Return `; did you mean x?` when a known name is close, else the list of what there is."""
    near = get_close_matches(name, list(known), 1, cutoff=0.5)
    return f"; did you mean {prefix}{near[0]}?" if near else ""


def with_attributes(array: xr.DataArray, field: Field, currency: str = "EUR") -> xr.DataArray:
    """Give an array the units and long_name of its field, where it has none of its own."""
    unit = (
        {} if field.kind in ("label", "choice") else {"units": field.unit.replace("EUR", currency)}
    )
    return array.assign_attrs({**unit, "long_name": field.doc, **array.attrs})


def _whole_months(wrong: xr.DataArray, calendar: Calendar) -> list[str]:
    """Local months of which every step is wrong, somewhere."""
    if "time" not in wrong.dims:
        return []
    month = steps_by("month", calendar.time, calendar.timezone)
    empty = wrong.groupby(month).all()
    empty = empty.any([d for d in empty.dims if d != "month"])
    return [str(name) for name in empty.month[empty].to_numpy()]


def _words(names: Any) -> str:
    return ", ".join(str(n) for n in names) or "none"
