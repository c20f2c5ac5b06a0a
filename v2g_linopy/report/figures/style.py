"""How figures look: colours, type, the local clock along an axis, and small deterministic SVG.

matplotlib is an optional extra; this is the only module that imports it. No pyplot, no global
state."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ...case.calendar import localized
from ...case.label_text import printable
from ...errors import V2GError
from ..labels import MINUS, THIN
from ..result_view import ResultView

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLACK, GREY, PALE = "#000000", "#5f5f5f", "#d9d9d9"
ORANGE, SKY, GREEN, YELLOW = "#E69F00", "#56B4E9", "#009E73", "#F0E442"
BLUE, VERMILLION, PURPLE = "#0072B2", "#D55E00", "#CC79A7"
"""Okabe and Ito (2008): told apart by all common kinds of colour vision."""
CYCLE = (GREEN, PURPLE, SKY, VERMILLION, BLUE, ORANGE, YELLOW, GREY)
ASSETS = {
    "load": "#a6a6a6",
    "fleet": BLUE,
    "battery": GREEN,
    "renewable": ORANGE,
    "chp": VERMILLION,
    "hydrogen": PURPLE,
}
"""Kinds of assets at the meter; those that draw most steadily stand next to zero."""
CHARGE, DISCHARGE, UNMANAGED, PRICE = BLUE, ORANGE, BLACK, "#404040"

WIDTH = 9.0
STYLE = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "sans-serif"],
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": "#e3e3e3",
    "grid.linewidth": 0.6,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "xtick.color": "#333333",
    "ytick.color": "#333333",
    "legend.fontsize": 8.0,
    "legend.frameon": False,
    "hatch.linewidth": 0.4,
    "lines.linewidth": 1.3,
    "text.parse_math": False,
    "axes.formatter.use_mathtext": False,
    "path.simplify": True,
    "svg.fonttype": "none",
    "image.composite_image": False,
    "savefig.facecolor": "white",
    "figure.facecolor": "white",
}


def matplotlib() -> Any:
    """The drawing library.

    Raises
    ------
    V2GError
        It is not installed.
    """
    try:
        import matplotlib
        import matplotlib.colors
        import matplotlib.figure
    except ModuleNotFoundError as error:
        raise V2GError(
            "figures need matplotlib: install the extra, pip install 'v2g-linopy[report]'"
        ) from error
    return matplotlib


def diverging() -> Any:
    """Colour map from feeding in through white to charging, in the colours of the other figures."""
    return matplotlib().colors.LinearSegmentedColormap.from_list(
        "v2g", [DISCHARGE, "#ffffff", CHARGE]
    )


@cache
def _sheet() -> Any:
    """The figure class: one that a notebook shows by itself, whatever its backend."""

    matplotlib()  # says what is missing
    from matplotlib.figure import Figure

    class Sheet(Figure):
        def _repr_svg_(self) -> str:
            return svg(self, "figure")

    return Sheet


@contextmanager
def sheet(
    rows: int = 1, columns: int = 1, *, height: float = 3.2, **options: Any
) -> Iterator[tuple[Figure, np.ndarray]]:
    """A figure and its axes (always a 2-D array) in the house style; nothing global is changed."""
    library = matplotlib()
    with library.rc_context(STYLE):
        figure = _sheet()(figsize=(WIDTH, height), layout="constrained")
        yield figure, figure.subplots(rows, columns, squeeze=False, **options)
        for axes in figure.axes:
            tidy(axes)


def tidy(axes: Axes) -> None:
    """Numbers for people along the axes, and a sensible range where everything is zero."""
    for axis, limits, place in (
        (axes.xaxis, axes.get_xlim, axes.set_xlim),
        (axes.yaxis, axes.get_ylim, axes.set_ylim),
    ):
        if type(axis.get_major_formatter()).__name__ != "ScalarFormatter":
            continue
        axis.set_major_formatter(tick_number)
        low, high = limits()
        if max(abs(low), abs(high)) < 0.1:
            place(-1.0 if low < 0 else 0.0, 1.0)


def tick_number(value: float, place: float = 0.0) -> str:
    """A number at a tick: thousands apart, a true minus, no more digits than it needs."""
    text = f"{value:,.8g}" if abs(value) > 1e-12 else "0"
    return text.replace(",", THIN).replace("-", MINUS)


def empty(reason: str) -> Figure:
    """A figure that says why there is nothing to draw."""
    with sheet(height=1.1) as (figure, axes):
        axes[0, 0].axis("off")
        axes[0, 0].text(
            0.5,
            0.5,
            reason,
            ha="center",
            va="center",
            color="#333333",
            transform=axes[0, 0].transAxes,
        )
    return figure


def clock(axes: Axes, view: ResultView, *, label: bool = True) -> None:
    """Local time along the x axis, whose unit is hours from the first step."""
    span = len(view.time) * view.hours
    axes.set_xlim(0, span)
    moments, labels = ticks(view.local[0], span)
    places = hours_from(moments, view.local[0])
    axes.set_xticks(places, labels)
    for place, text in zip(places, labels, strict=True):
        if "\n" in text or span > 96:
            axes.axvline(place, color="#eeeeee", linewidth=0.6, zorder=0)
    if label:
        years = sorted({view.local[0].year, view.local[-1].year})
        axes.set_xlabel(f"local time, {' to '.join(map(str, years))} ({view.timezone})")


def hours_from(moments: pd.DatetimeIndex, start: pd.Timestamp) -> np.ndarray:
    """Elapsed hours (on the clock of physics) from `start`."""
    return np.asarray((moments - start) / pd.Timedelta(hours=1), dtype=float)


def ticks(start: pd.Timestamp, span: float) -> tuple[pd.DatetimeIndex, list[str]]:
    """Round moments of the local clock within `span` hours of `start`, and their labels.

    The clock runs in local time, so that a day of 23 or 25 hours has its ticks where people see
    them."""
    end = start + pd.Timedelta(hours=span)
    steps = (
        (3, "min", 15),
        (8, "h", 1),
        (14, "h", 2),
        (40, "h", 3),
        (60, "h", 6),
        (120, "h", 12),
        (400, "D", 1),
        (1100, "D", 7),
    )
    size, unit = next(((n, u) for most, u, n in steps if span <= most), (1, "MS"))
    if unit == "MS":
        size = max(1, round(span / 24 / 30.4 / 13))
    first = start.tz_localize(None).normalize()
    first = first.replace(day=1) if unit == "MS" else first
    naive = pd.date_range(first, end.tz_localize(None) + pd.Timedelta(days=1), freq=f"{size}{unit}")
    moments = localized(naive, str(start.tz)).unique()
    moments = moments[(moments >= start) & (moments <= end)]
    return moments, [tick_label(moment, unit) for moment in moments]


def tick_label(moment: pd.Timestamp, unit: str) -> str:
    """The text at one tick."""
    if unit == "MS":
        return f"{moment:%b}\n{moment.year}" if moment.month == 1 else f"{moment:%b}"
    if unit == "D":
        return f"{moment:%a}\n{moment.day} {moment:%b}"
    if moment.hour == moment.minute == 0:
        return f"{moment:%H:%M}\n{moment:%a} {moment.day} {moment:%b}"
    return f"{moment:%H:%M}"


def legend(axes: Axes, columns: int = 4) -> None:
    """Names above the panel, on the right, clear of the data."""
    handles, labels = legend_entries(axes)
    if labels:
        axes.legend(
            handles,
            labels,
            ncols=min(columns, len(labels)),
            loc="lower right",
            bbox_to_anchor=(1, 1),
            borderaxespad=0.1,
            handlelength=1.6,
            columnspacing=1.2,
        )


def beneath(figure: Figure, axes: Axes) -> None:
    """Names of a panel below it, lines of comparison last."""
    handles, labels = legend_entries(axes)
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), handlelength=1.6)


def legend_entries(axes: Axes) -> tuple[list[Any], list[str]]:
    """What the panel shows, and its names; lines of comparison last."""
    handles, labels = axes.get_legend_handles_labels()
    order = sorted(
        range(len(labels)),
        key=lambda i: labels[i] in ("unmanaged", "headroom", "sum", "at the meter"),
    )
    return [handles[i] for i in order], [labels[i] for i in order]


def title(axes: Axes, text: str, note: str = "") -> None:
    """Title on the left; what was averaged behind it."""
    axes.set_title(f"{text} ({note})" if note else text)


def svg(figure: Figure, name: str, description: str = "") -> str:
    """Inline SVG: text as text, no date, ids that depend on the content only.

    Parameters
    ----------
    figure
        What to draw.
    name
        Prefix of every id, so that several figures share one page.
    description
        Alternative text for readers who do not see the figure.
    """
    make_printable(figure)
    target = io.StringIO()
    with matplotlib().rc_context(STYLE | {"svg.hashsalt": name}):
        lay_out(figure)
        figure.savefig(
            target,
            format="svg",
            metadata={"Date": None, "Creator": None, "Format": None, "Type": None},
        )
    text = target.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    used = set(re.findall(r"#([\w-]+)", text))
    text = re.sub(r' id="([^"]+)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", text)
    text = re.sub(r'(url\(|xlink:href=")#([\w-]+)', rf"\1#{name}-\2", text)
    text = re.sub(r' d="([^"]*)"', lambda m: ' d="' + with_short_numbers(m[1]) + '"', text)
    return text.replace(
        "<svg ", f'<svg role="img" aria-label="{escape(description or name)}" ', 1
    ).strip()


def lay_out(figure: Figure) -> None:
    """Place the axes once and for all: with an engine at work matplotlib draws every figure twice,
    the first time to find places alone.
    """
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine(None)


def make_printable(figure: Any) -> None:
    """Write, in place, the control characters of labels as what they are: no font has them."""
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            formatter = axis.get_major_formatter()
            if hasattr(formatter, "func"):  # the labels of its ticks are given
                formatter.func = _drawn_by(formatter.func)
    for artist in figure.findobj(lambda artist: hasattr(artist, "set_text")):
        artist.set_text(_drawn(artist.get_text()))


def _drawn_by(label_of: Callable[..., str]) -> Callable[..., str]:
    return lambda *place: _drawn(label_of(*place))


def _drawn(label: str) -> str:
    return printable(label).replace("\t", " ")


def with_short_numbers(path: str) -> str:
    """Path data to a hundredth of a point, without line breaks."""
    return re.sub(r"(\.\d\d)\d+", r"\1", path).replace("\n", " ").strip()


def escape(text: str) -> str:
    """Text for an attribute."""
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
