"""Tables of prices as people write them: a series, a way to write it, and what a reader is told."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st
from invariants.wanted import Draw

ZONE = "Europe/Rome"
DAYS = ("2026-03-28", "2026-03-29", "2026-06-01", "2026-10-24", "2026-10-25", "2026-12-31")
LOCAL = {"timezone": ZONE, "ambiguous": "infer"}


@dataclass
class Table:
    """A header, rows of cells, and what stands between them; what a reader has to be told."""

    series: pd.Series  # EUR/MWh, on UTC
    header: list[str]
    rows: list[list[str]]
    columns: dict[str, str]
    told: dict[str, Any] = field(default_factory=dict)
    separator: str = ","
    encoding: str = "utf-8"
    end: str = "\n"
    lines: list[str] = field(default_factory=list)  # above the header

    def data(self) -> bytes:
        """The file."""
        rows = [self.separator.join(map(self._cell, row)) for row in [self.header, *self.rows]]
        return self.end.join([*self.lines, *rows, ""]).encode(self.encoding)

    def _cell(self, text: str) -> str:
        return f'"{text}"' if self.separator in text else text


def number(value: float, decimal: str, thousands: str) -> str:
    """A number with two decimals, which prove what its mark is."""
    text = f"{value:,.2f}"
    return text.replace(",", "!").replace(".", decimal).replace("!", thousands)


def stamps(local: pd.DatetimeIndex, form: str) -> list[str]:
    return local.strftime(form).tolist()


Writer = Callable[[pd.DatetimeIndex, int], tuple[list[str], list[list[str]], dict[str, Any]]]
"""From the instants (UTC) and the step in minutes to headers and cells of the times, and what a
reader is told."""


def _one(form: str, told: dict[str, Any], zone: str = ZONE, **columns: str) -> Writer:
    def write(time, step):
        cells = stamps(time.tz_convert(zone), form)
        return ["Time"], [[cell] for cell in cells], told | {"columns": columns or {"time": "Time"}}

    return write


def _marked(time, step):
    local = time.tz_convert(ZONE)
    cells = [f"{t:%d/%m/%Y %H:%M} ({t.tzname()})" for t in local]
    told = {"columns": {"time": "Time"}, "time_format": "%d/%m/%Y %H:%M (%Z)"}
    return ["Time"], [[cell] for cell in cells], told


def _zone_beside(time, step):
    rows = [[f"{t:%Y-%m-%d %H:%M}", str(t.tzname())] for t in time.tz_convert(ZONE)]
    return ["Time", "Zone"], rows, {"columns": {"time": "Time", "zone": "Zone"}}


def _epoch(unit: int) -> Writer:
    def write(time, step):
        seconds = (time - pd.Timestamp(0, tz="UTC")) // pd.Timedelta("1s")
        return ["t"], [[str(s * unit)] for s in seconds], {"columns": {"time": "t"}}

    return write


def _ranges(time, step):
    local, after = (t.tz_convert(ZONE) for t in (time, time + pd.Timedelta(minutes=step)))
    rows = [[f"{a:%d.%m.%Y %H:%M} - {b:%d.%m.%Y %H:%M}"] for a, b in zip(local, after, strict=True)]
    return ["MTU"], rows, LOCAL | {"columns": {"time": "MTU"}}


def _ends(time, step):
    after = time + pd.Timedelta(minutes=step)
    return ["To"], [[f"{t:%Y-%m-%dT%H:%MZ}"] for t in after], {"columns": {"end": "To"}}


def _positions(first: int) -> Writer:
    def write(time, step):
        local = time.tz_convert(ZONE)
        place = pd.Series(1, index=local.strftime("%Y-%m-%d")).groupby(level=0).cumsum()
        rows = [[str(day), str(k - 1 + first)] for day, k in place.items()]
        return ["Day", "H"], rows, {"timezone": ZONE, "columns": {"date": "Day", "hour": "H"}}

    return write


def _day_and_clock(time, step):
    rows = [[f"{t:%Y-%m-%d}", f"{t:%H:%M}"] for t in time.tz_convert(ZONE)]
    return ["Day", "Clock"], rows, LOCAL | {"columns": {"date": "Day", "hour": "Clock"}}


WRITERS: dict[str, Writer] = {
    "utc": _one("%Y-%m-%dT%H:%MZ", {}, "UTC"),
    "utc, no mark": _one("%Y-%m-%d %H:%M", {"timezone": "UTC"}, "UTC"),
    "offset": _one("%Y-%m-%d %H:%M%z", {}),
    "local": _one("%Y-%m-%d %H:%M", LOCAL),
    "day first": _one("%d-%m-%Y %H:%M", LOCAL | {"time_format": "%d-%m-%Y %H:%M"}),
    "time first": _one("%H:%M %d-%m-%Y", LOCAL | {"time_format": "%H:%M %d-%m-%Y"}),
    "american": _one("%m/%d/%Y %I:%M %p", LOCAL | {"time_format": "%m/%d/%Y %I:%M %p"}),
    "points": _one("%d.%m.%Y %H:%M", LOCAL),
    "marked": _marked,
    "zone beside": _zone_beside,
    "seconds": _epoch(1),
    "milliseconds": _epoch(1000),
    "ranges": _ranges,
    "ends": _ends,
    "positions": _positions(1),
    "positions from 0": _positions(0),
    "day and clock": _day_and_clock,
}
ABSOLUTE = ("utc", "offset", "marked", "zone beside", "seconds", "milliseconds", "ends")
"""Ways to write in which each row says its instant, in whatever order the rows stand."""


@st.composite
def tables(draw: Draw, layouts: tuple[str, ...] = tuple(WRITERS)) -> Table:
    """A series of one to three whole local days, written in one of the ways."""
    day = pd.Timestamp(draw(st.sampled_from(DAYS)), tz=ZONE)
    after = day + pd.DateOffset(days=draw(st.integers(1, 3)))
    step = draw(st.sampled_from((60, 30, 15)))
    time = pd.date_range(day.tz_convert("UTC"), after.tz_convert("UTC"), freq=f"{step}min")[:-1]
    seed = draw(st.integers(0, 2**32 - 1))
    values = np.random.default_rng(seed).uniform(-50, 3000, len(time)).round(2)
    layout = draw(st.sampled_from(layouts))
    header, rows, told = WRITERS[layout](time, step)
    decimal, thousands = draw(st.sampled_from([".,", ". ", ".", ",.", ", ", ","])).ljust(2, "_")[:2]
    cells = [number(v, decimal, thousands.replace("_", "")) for v in values]
    columns = told.pop("columns") | {"day_ahead": "Price"}
    rows = [[*row, cell] for row, cell in zip(rows, cells, strict=True)]
    if layout in ABSOLUTE and draw(st.booleans()):
        rows = rows[::-1]
    return Table(
        pd.Series(values, index=time.tz_localize(None)),
        [*header, "Price"],
        rows,
        columns,
        told,
        separator=draw(st.sampled_from((",", ";", "\t", "|"))),
        encoding=draw(st.sampled_from(("utf-8", "utf-8-sig", "utf-16"))),
        end=draw(st.sampled_from(("\n", "\r\n"))),
        lines=draw(st.sampled_from(([], ["# made by X"], ["Report", ""]))),
    )
