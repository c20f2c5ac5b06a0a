"""Charging sessions from the messages between a charging station and its operator, OCPP 1.6."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import pandas as pd
import pydantic
import xarray as xr

from ...errors import InputFileError, Problem, SchemaError
from ..tables.listing import first_of
from ..tables.local_time import to_utc
from ..tables.records import Record
from ..tables.series import add_notes
from ..tables.short_stays import ShortStays
from ..tables.text import beginning, read_text
from ..tables.wording import first_few, with_count
from .recorded_sessions import (
    RecordedSession,
    SessionRules,
    WrittenMoment,
    WrittenNumber,
    table_of_records,
    written_number,
)

ENOUGH = 1 << 16
CALL, RESULT = 2, 3
FRAME = re.compile(r'\[\s*[234]\s*,\s*\\?"')
"""How a message begins; its quotes are escaped where it is a text within JSON."""
ACTIONS = re.compile(
    r"BootNotification|Heartbeat|StatusNotification|Authorize|StartTransaction|StopTransaction"
    r"|MeterValues"
)
STATIONS = (
    "chargePointId",
    "chargePoint",
    "charge_point",
    "stationId",
    "station",
    "cp",
    "identity",
)
"""Names under which a log may say which station a message is of."""
REGISTER = "Energy.Active.Import.Register"
POWER = "Power.Active.Import"
SOC = "SoC"
SCALE: dict[str, dict[str, float]] = {
    REGISTER: {"Wh": 1e-3, "kWh": 1.0},
    POWER: {"W": 1e-3, "kW": 1.0},
    SOC: {"Percent": 1e-2},
}
"""What is read of a meter, and its units; the first one holds where none is given."""
PHASES = ("L1", "L2", "L3", "L1-N", "L2-N", "L3-N")


class Sample(Record):
    """One value of a meter; what is absent is what the specification says of it."""

    value: str | float
    measurand: str = REGISTER
    unit: str | None = None
    phase: str | None = None
    location: str = "Outlet"
    format: str = "Raw"

    @pydantic.model_validator(mode="after")
    def _is_a_number(self) -> "Sample":
        if self.is_read:
            written_number(self.value)
            if self.unit is not None and self.unit not in SCALE[self.measurand]:
                raise ValueError(f"{self.unit!r} is no unit of {self.measurand}")
        return self

    @property
    def is_read(self) -> bool:
        """True for a value of the outlet, or of the battery, that is not signed."""
        return (
            self.measurand in SCALE
            and self.format == "Raw"
            and (self.location == "Outlet" or self.measurand == SOC)
        )

    @property
    def number(self) -> float:
        """The value in kWh, kW or parts of one."""
        scale = SCALE[self.measurand]
        return written_number(self.value) * scale[self.unit or next(iter(scale))]


class MeterValue(Record):
    """Values of one moment."""

    timestamp: WrittenMoment
    samples: tuple[Sample, ...] = pydantic.Field((), validation_alias="sampledValue")


class Start(Record):
    """StartTransaction; the tag is personal data."""

    connector: int = pydantic.Field(validation_alias="connectorId")
    tag: str = pydantic.Field("", validation_alias="idTag")
    meter: WrittenNumber = pydantic.Field(validation_alias="meterStart")
    timestamp: WrittenMoment


class Stop(Record):
    """StopTransaction."""

    transaction: int = pydantic.Field(validation_alias="transactionId")
    meter: WrittenNumber = pydantic.Field(validation_alias="meterStop")
    timestamp: WrittenMoment
    values: tuple[MeterValue, ...] | None = pydantic.Field(None, validation_alias="transactionData")


class Metered(Record):
    """MeterValues; those without a transaction are of no session."""

    transaction: int | None = pydantic.Field(None, validation_alias="transactionId")
    values: tuple[MeterValue, ...] = pydantic.Field(validation_alias="meterValue")


class Answer(Record):
    """The answer to StartTransaction."""

    transaction: int = pydantic.Field(validation_alias="transactionId")


@dataclass(frozen=True)
class Message:
    """A message of a log: its place there, its station, and what it says."""

    place: str
    station: str
    frame: list[Any]

    @property
    def call(self) -> tuple[str, str]:
        """Which call it is, or which it answers."""
        return self.station, str(self.frame[1])

    @property
    def payload(self) -> Any:
        """What it says."""
        return self.frame[-1]

    def is_call(self, action: str) -> bool:
        """Say whether it is a call of this action."""
        return self.frame[0] == CALL and len(self.frame) == 4 and self.frame[2] == action


@dataclass
class Transaction:
    """What a log says of one transaction."""

    start: Start | None = None
    stop: Stop | None = None
    place: str = ""


def is_ocpp(path: Path) -> bool:
    """Say whether a file is a log of OCPP messages."""
    start = beginning(path, ENOUGH)
    return bool(FRAME.search(start) and ACTIONS.search(start))


def read_ocpp(
    path: str | Path,
    *,
    timezone: str | None = None,
    ambiguous: Literal["raise", "first", "second"] = "raise",
    nonexistent: Literal["raise", "shift"] = "raise",
    units: Mapping[str, str] | None = None,
    short_stays: ShortStays = "drop",
    keep_ids: bool = False,
) -> xr.Dataset:
    r"""Read charging sessions from a log of OCPP 1.6 messages, in order of arrival.

    A session is a StartTransaction, the answer that gives its number, and its StopTransaction.
    ``energy`` is the difference of their meter readings (Wh in the log), ``power_max`` the largest
    Power.Active.Import, ``soc_first`` and ``soc_last`` the states of charge seen, ``connector`` the
    connector, after the station where the log names several. The tag of a driver is personal data
    and left out.

    Parameters
    ----------
    path : str or pathlib.Path
        JSON: a list of messages; or lines with one message each. A message may stand in an object
        beside a time, a direction and its station, or after such words in a line.
    timezone : str, optional
        IANA zone of times without an offset, which are refused without it, and of the local days of
        a case.
    ambiguous : {"raise", "first", "second"}, default "raise"
        Rule for the local hours that the clock shows twice: see `to_utc`.
    nonexistent : {"raise", "shift"}, default "raise"
        Rule for the local hours that the clock skips: see `to_utc`.
    units : mapping of str to str, optional
        ``{"energy": "kWh"}`` where the meter readings of start and stop are not in Wh.
    short_stays : {"drop", "problem"}, default "drop"
        What becomes of transactions without a start or a stop in the log, without length, or
        without energy.
    keep_ids : bool, default False
        The tag of the driver becomes ``vehicle``.

    Returns
    -------
    xarray.Dataset
        On ``session``: times in naive UTC, energy in kWh, power in kW, and labels. Its ``notes``
        say what is left out, and the attribute ``left_out`` (JSON) of each why.

    Raises
    ------
    InputFileError
        The file cannot be read. It is a `SchemaError`.
    SchemaError
        Everything wrong with the messages, with their place in the file.

    References
    ----------
    OCPP 1.6 edition 2 and OCPP-J 1.6 (Open Charge Alliance), sections 4.8, 4.10, 6 and 7.

    Examples
    --------
    >>> import pathlib
    >>> from v2g_linopy.data import read_ocpp
    >>> begin = '{"connectorId":1,"idTag":"x","meterStart":5000,"timestamp":"2026-03-28T21:00:00Z"}'
    >>> end = '{"transactionId":88,"meterStop":13000,"timestamp":"2026-03-29T05:30:00Z"}'
    >>> lines = [f'[2,"a","StartTransaction",{begin}]', '[3,"a",{"transactionId":88}]']
    >>> lines += [f'[2,"b","StopTransaction",{end}]']
    >>> size = pathlib.Path("log.jsonl").write_text("\n".join(lines))
    >>> sessions = read_ocpp("log.jsonl")
    >>> sessions.session.item(), sessions.energy.item(), str(sessions.departure.values[0])[:16]
    ('88', 8.0, '2026-03-29T05:30')
    """
    source, given = str(path), units or {}
    log = _read_log(path)
    clock, note = _clock(log, timezone, ambiguous, nonexistent, source)
    several = len({station for station, _ in log.transactions}) > 1
    records = []
    for (station, number), known in log.transactions.items():
        prefix = f"{station}/" if station and several else ""
        values = log.values[station, number]
        power = [x for _, x in _series(values, POWER, clock)]
        charge = [x for _, x in _series(values, SOC, clock)]
        start, stop = known.start, known.stop
        records.append(
            RecordedSession(
                f"{prefix}{number}",
                clock[start.timestamp] if start else None,
                clock[stop.timestamp] if stop else None,
                f"{prefix}{start.connector}" if start else "",
                {
                    "energy": _energy(start, stop, given),
                    "power_max": max(power, default=None),
                    "soc_first": charge[0] if charge else None,
                    "soc_last": charge[-1] if charge else None,
                },
                start.tag if start else "",
                known.place,
            )
        )
    rules = SessionRules(given, short_stays, keep_ids, timezone)
    sessions = add_notes(table_of_records(records, rules, source=source), note, log.note)
    return sessions.assign_attrs(source=f"OCPP 1.6, {Path(path).name}")


def read_ocpp_meter(
    path: str | Path,
    *,
    timezone: str | None = None,
    ambiguous: Literal["raise", "first", "second"] = "raise",
    nonexistent: Literal["raise", "shift"] = "raise",
) -> xr.Dataset:
    r"""Read what the meter said within the transactions of a log of OCPP 1.6 messages.

    Parameters
    ----------
    path : str or pathlib.Path
        As of `read_ocpp`.
    timezone : str, optional
        IANA zone of times without an offset; they are refused without it.
    ambiguous : {"raise", "first", "second"}, default "raise"
        Rule for the local hours that the clock shows twice: see `to_utc`.
    nonexistent : {"raise", "shift"}, default "raise"
        Rule for the local hours that the clock skips: see `to_utc`.

    Returns
    -------
    xarray.Dataset
        On ``reading``, in order of transaction and time: ``time`` (naive UTC), ``session``,
        ``register`` (kWh), ``power`` (kW) and ``soc``; NaN where a message has none.

    Raises
    ------
    InputFileError
        The file cannot be read. It is a `SchemaError`.
    SchemaError
        Everything wrong with the messages, with their place in the file.

    Examples
    --------
    >>> import pathlib
    >>> from v2g_linopy.data import read_ocpp_meter
    >>> value = '{"timestamp":"2026-03-28T21:15:00Z","sampledValue":[{"value":"1207090"}]}'
    >>> said = f'{{"connectorId":1,"transactionId":88,"meterValue":[{value}]}}'
    >>> line = f'[2,"m","MeterValues",{said}]'
    >>> size = pathlib.Path("log.jsonl").write_text(line)
    >>> read_ocpp_meter("log.jsonl").register.values.tolist()
    [1207.09]
    """
    log = _read_log(path)
    clock, note = _clock(log, timezone, ambiguous, nonexistent, str(path))
    columns = {"register": (REGISTER, "kWh"), "power": (POWER, "kW"), "soc": (SOC, "1")}
    rows: list[dict[str, Any]] = []
    for (station, number), values in sorted(log.values.items()):
        by_name = {name: dict(_series(values, kind, clock)) for name, (kind, _) in columns.items()}
        moments = sorted({moment for series in by_name.values() for moment in series})
        label = f"{station}/{number}" if station else str(number)
        rows += [
            {"time": moment, "session": label}
            | {name: by_name[name].get(moment, np.nan) for name in columns}
            for moment in moments
        ]
    frame = pd.DataFrame(rows, columns=["time", "session", *columns])
    times = pd.to_datetime(frame["time"], utc=True).dt.tz_localize(None)
    data: dict[str, Any] = {
        "time": ("reading", np.asarray(times, "datetime64[ns]")),
        "session": ("reading", frame["session"].to_numpy(str)),
    }
    for name, (_, unit) in columns.items():
        data[name] = ("reading", frame[name].to_numpy(float), {"units": unit})
    return add_notes(xr.Dataset(data), note)


# --- messages into transactions ---------------------------------------------------------------

Key = tuple[str, int]
"""Station and number of a transaction."""
Said = TypeVar("Said", bound=pydantic.BaseModel)


@dataclass(frozen=True)
class Log:
    """What a log says: its transactions, what the meter said in each, and a note."""

    transactions: dict[Key, Transaction]
    values: dict[Key, list[MeterValue]]
    note: str

    def moments(self) -> Iterator[datetime]:
        """All times, as they are written."""
        for known in self.transactions.values():
            yield from (said.timestamp for said in (known.start, known.stop) if said)
        for values in self.values.values():
            yield from (value.timestamp for value in values)


def _read_log(path: str | Path) -> Log:
    messages, note = _messages(path)
    problems: list[Problem] = []
    transactions: dict[Key, Transaction] = {}
    values: dict[Key, list[MeterValue]] = defaultdict(list)

    for message, answer in _answered(messages, "StartTransaction"):
        start = _said(Start, message, problems)
        number = None if answer is None else _said(Answer, answer, problems)
        if start is not None:
            # without an answer its number is not known: it stays without an end
            key = (message.station, number.transaction if number else -1 - len(transactions))
            _join(transactions, key, Transaction(start, place=message.place), problems)
    for message in (m for m in messages if m.is_call("StopTransaction")):
        stop = _said(Stop, message, problems)
        if stop is not None:
            key = (message.station, stop.transaction)
            _join(transactions, key, Transaction(stop=stop, place=message.place), problems)
            values[key] += stop.values or ()
    for message in (m for m in messages if m.is_call("MeterValues")):
        said = _said(Metered, message, problems)
        if said is not None and said.transaction is not None:
            values[message.station, said.transaction] += said.values
    if problems:
        raise SchemaError(first_of(problems), str(path))
    return Log(transactions, values, note)


def _answered(messages: Sequence[Message], action: str) -> Iterator[tuple[Message, Message | None]]:
    """Yield the calls of an action, each with its answer if there is one.

    Stations use an id again. Where each call of an id has its answer, the k-th belongs to the k-th;
    else an answer belongs to the last call before it.
    """
    calls: dict[tuple[str, str], list[int]] = defaultdict(list)
    answers: dict[tuple[str, str], list[int]] = defaultdict(list)
    for place, message in enumerate(messages):
        kind = {CALL: calls, RESULT: answers}.get(message.frame[0])
        if kind is not None:
            kind[message.call].append(place)
    for key, asked in calls.items():
        pairs = _pairs(asked, answers[key])
        for place in asked:
            if messages[place].is_call(action):
                yield messages[place], messages[pairs[place]] if place in pairs else None


def _pairs(calls: list[int], answers: list[int]) -> dict[int, int]:
    """Return the place of the answer of each call of one id that has one."""
    if len(calls) == len(answers):
        return dict(zip(calls, answers, strict=True))
    before = ((max((c for c in calls if c < answer), default=-1), answer) for answer in answers)
    return {call: answer for call, answer in before if call >= 0}


def _said(model: type[Said], message: Message, problems: list[Problem]) -> Said | None:
    """Return what a message says, or None where it does not say it rightly."""
    try:
        return model.model_validate(message.payload)
    except pydantic.ValidationError as error:
        for fault in error.errors(include_url=False, include_context=False, include_input=False):
            where = ".".join(str(step) for step in fault["loc"])
            detail = f"{message.place}: {where}: {fault['msg']}"
            problems.append(Problem(model.__name__, fault["type"], detail))
        return None


def _join(
    known: dict[Key, Transaction], key: Key, more: Transaction, problems: list[Problem]
) -> None:
    """Add what a message says of a transaction; said again otherwise it is a fault."""
    before = known.setdefault(key, Transaction(place=more.place))
    for part in ("start", "stop"):
        old, new = getattr(before, part), getattr(more, part)
        if old is not None and new is not None and old != new:
            detail = f"{part} is told twice, at {before.place} and {more.place}, and not alike"
            problems.append(Problem(f"transaction {key[1]}", "consistency", detail))
        if new is not None:
            setattr(before, part, new)


def _energy(start: Start | None, stop: Stop | None, units: Mapping[str, str]) -> float | None:
    """Return what was charged, in kWh, or in the unit that the user names."""
    if start is None or stop is None:
        return None
    charged = stop.meter - start.meter
    return charged if "energy" in units else charged / 1000.0


def _series(
    values: Iterable[MeterValue], measurand: str, clock: Mapping[datetime, datetime]
) -> list[tuple[datetime, float]]:
    """Return what the meter said of one quantity, in order of time; phases are added up."""
    series = []
    for value in values:
        read = [s for s in value.samples if s.measurand == measurand and s.is_read]
        total = [s.number for s in read if s.phase is None]
        phases = [s.number for s in read if s.phase in PHASES]
        if total or phases:
            series.append((clock[value.timestamp], total[0] if total else sum(phases)))
    return sorted(series)


def _clock(
    log: Log,
    timezone: str | None,
    ambiguous: Literal["raise", "first", "second"],
    nonexistent: Literal["raise", "shift"],
    source: str,
) -> tuple[dict[datetime, datetime], str]:
    """Return the instant in UTC that each written time means, and a note on the rules used."""
    written = set(log.moments())
    local = sorted(moment for moment in written if moment.tzinfo is None)
    clock = {m: m.astimezone(UTC) for m in written if m.tzinfo is not None}
    if not local:
        return clock, ""
    utc = to_utc(
        pd.DatetimeIndex(local),
        timezone,
        ambiguous=ambiguous,
        nonexistent=nonexistent,
        rules=("first", "second", "shift"),
        where="timestamp",
        source=source,
    )
    instants = [moment.to_pydatetime().replace(tzinfo=UTC) for moment in utc.time]
    return clock | dict(zip(local, instants, strict=True)), utc.note


# --- text into messages -----------------------------------------------------------------------


def _messages(path: str | Path) -> tuple[list[Message], str]:
    """Return the messages of a log, each once, and a note on those that were given again."""
    text = read_text(path)
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        found = _of_lines(text, path)
        if not found:
            raise InputFileError(path, f"cannot be read: {error}") from error
    else:
        found = _of_document(document, path)
    kept: dict[str, Message] = {}
    for message in found:
        kept.setdefault(json.dumps([message.station, message.frame]), message)
    again = len(found) - len(kept)
    note = f"{with_count(again, 'message')} given again in the same words." if again else ""
    return list(kept.values()), note


def _of_document(document: Any, path: str | Path) -> list[Message]:
    """Return the messages of a JSON text: one, a list, or an object that holds the list."""
    if isinstance(document, dict) and _frame_in(document) is None:
        document = next((x for x in document.values() if isinstance(x, list)), [])
    items = [document] if _frame_in(document) is not None else document
    read = [(f"[{k}]", item, _frame_in(item)) for k, item in enumerate(items)]
    wrong = [place for place, _, frame in read if frame is None]
    if wrong:
        raise InputFileError(path, f"holds no OCPP message at {first_few(wrong)}")
    return [Message(place, _station(item), frame) for place, item, frame in read if frame]


def _of_lines(text: str, path: str | Path) -> list[Message]:
    """Return the messages of lines that hold one each; other lines of a log are passed over."""
    messages, broken = [], []
    for number, line in enumerate(text.splitlines(), 1):
        if not FRAME.search(line):
            continue
        item = _of_line(line.strip())
        frame = _frame_in(item)
        if frame is None:
            broken.append(f"line {number}")
        else:
            messages.append(Message(f"line {number}", _station(item), frame))
    if broken:
        raise InputFileError(path, f"holds no whole OCPP message at {first_few(broken)}")
    return messages


def _of_line(line: str) -> Any:
    """Return what a line holds, after the words of the log that stand before it."""
    found = None if line.startswith("{") else FRAME.search(line)
    begin = found.start() if found else 0
    try:
        return json.loads(line[begin:])
    except json.JSONDecodeError:
        return None


def _frame_in(item: Any) -> list[Any] | None:
    """Return the message that an item of a log is, or holds under any name, or as a text."""
    if isinstance(item, str) and FRAME.match(item):
        return _frame_in(_of_line(item))
    if isinstance(item, dict):
        found = (_frame_in(x) for x in item.values() if isinstance(x, list | str))
        return next((frame for frame in found if frame is not None), None)
    whole = isinstance(item, list) and len(item) >= 3 and item[0] in (2, 3, 4)
    return item if whole and isinstance(item[1], str) else None


def _station(item: Any) -> str:
    """Return the station that a log names beside a message."""
    if not isinstance(item, dict):
        return ""
    return next((str(item[name]) for name in STATIONS if name in item), "")
