"""The peak tariff in a picture: the import of each month, and the hours that set its price."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .. import labels as words
from ..result_view import MOST_STEPS, Result, ResultView
from .style import BLACK, BLUE, VERMILLION, beneath, clock, empty, hours_from, sheet, title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SMALLEST_PEAK = 1e-6
"""kW below which an hour sets no peak."""


def peaks(result: Result, pod: str | None = None) -> Figure:
    """Draw the import of one meter by clock hour, and the peak of each month that is charged.

    The hours that set it are marked.

    Parameters
    ----------
    result
        A result of ``solve`` or ``compare``.
    pod
        One point of delivery with a peak price; unless given, the one that pays most for its peaks.
    """
    view = ResultView.of(result)
    priced = priced_pods(view)
    if not priced or (pod is not None and pod not in priced):
        return empty(
            "No peak price in this result."
            if pod is None
            else f"No peak price at {pod} in this result."
        )
    chosen = pod or priced[0]
    hours = hourly(view, chosen)
    with sheet(height=3.6) as (figure, grid):
        axes = grid[0, 0]
        draw_imports(axes, view, hours)
        heights = draw_charged_peaks(axes, view, chosen, hours)

        highest = max(float(hours["import"].max()), *heights, SMALLEST_PEAK)
        axes.set_ylim(0, 1.16 * highest)  # the words above the peaks need room
        axes.set_ylabel("import, kW")

        several = f"{chosen}, one of {len(priced)} pods that pay for peaks"
        mean = f"mean of {view.scenarios} scenarios" if view.scenarios else ""
        note = [several if len(priced) > 1 else chosen, mean]
        title(axes, "Hours that set the peak", ", ".join(filter(None, note)))
        clock(axes, view)
        beneath(figure, axes)
    return figure


def edges_of(view: ResultView, hours: pd.DataFrame) -> np.ndarray:
    """Beginning of every clock hour and the end of the last, in hours from the first step."""
    return np.append(hours["start"], view.edges[-1])


def draw_imports(axes: Axes, view: ResultView, hours: pd.DataFrame) -> None:
    """Draw the import by clock hour, and the hours that set a peak.

    Where there are too many, it is the largest of several.
    """
    edges = edges_of(view, hours)
    stride = -(-len(hours) // MOST_STEPS)
    first_of_each = np.arange(0, len(hours), stride)
    largest = np.maximum.reduceat(hours["import"].to_numpy(), first_of_each)
    label = "import by clock hour" if stride == 1 else f"import, largest clock hour in {stride}"
    axes.stairs(
        largest,
        np.append(edges[:-1:stride], edges[-1]),
        fill=True,
        color=BLUE,
        alpha=0.45,
        label=label,
    )

    setting = hours[hours["sets"]]
    axes.plot(
        setting["start"] + 0.5,
        setting["import"],
        "v",
        color=VERMILLION,
        markersize=5,
        label="sets the peak",
    )


def draw_charged_peaks(axes: Axes, view: ResultView, pod: str, hours: pd.DataFrame) -> list[float]:
    """A line across each month at the peak that is charged, with its power; return the powers."""
    edges = edges_of(view, hours)
    beside: dict[str, Any] = {"xytext": (3, 7), "textcoords": "offset points", "fontsize": 8}
    heights: list[float] = []
    for month, part in hours.groupby("month", sort=False):
        height = charged_peak(view, pod, str(month), part)
        span = (part["start"].iloc[0], edges[part.index[-1] + 1])
        label = None if heights else "peak charged"
        axes.plot(span, (height, height), color=BLACK, linestyle="--", linewidth=1.0, label=label)
        axes.annotate(f"{month}: {words.shown_number(height)} kW", (span[0], height), **beside)
        heights.append(height)
    return heights


def priced_pods(view: ResultView) -> list[str]:
    """The pods that pay for their peaks, the dearest first."""
    if (
        not view.has("connection", "peak_price")
        or not view.has("connection", "import_")
        or not len(view.time)
    ):
        return []
    price = view.full("connection", "peak_price", "pod")
    rate = np.asarray(price.values, dtype=float) * np.asarray(
        view.get("connection", "import_").max("time").values
    )
    order = np.argsort(-rate, kind="stable")
    labels = [str(p) for p in price.indexes["pod"]]
    return [labels[k] for k in order if float(price[k]) > 0]


def hourly(view: ResultView, pod: str) -> pd.DataFrame:
    """Return the clock hours of a meter.

    They have `start` (h from the first), `month`, mean `import` (kW), and which of them `sets` a
    peak.

    Those set it that are as large as the smallest that counts. An hour counts with its weight;
    where days are counted, the largest hour of a day counts for it. Of a month that began before,
    what was metered then takes its places.
    """
    drawn = np.asarray(
        view.full("connection", "import_", "pod", "time").sel(pod=pod).values, dtype=float
    )
    weight = np.asarray(
        view.full("connection", "peak_weight", "pod", "time", default=1.0).sel(pod=pod).values
    )
    wall = view.local.tz_localize(None)
    begin = view.time - (wall - wall.floor("h"))
    table = pd.DataFrame(
        {"begin": begin, "import": drawn * view.hours, "counted": weight * drawn * view.hours}
    )
    hours = (
        table.groupby("begin", sort=True).sum().reset_index()
    )  # kWh in a clock hour are its mean kW
    local = pd.DatetimeIndex(hours["begin"]).tz_localize("UTC").tz_convert(view.timezone)
    hours["start"] = np.maximum(hours_from(local, view.local[0]), 0.0)
    hours["month"], hours["day"] = local.strftime("%Y-%m"), local.strftime("%Y-%m-%d")
    count = int(view.full("connection", "peak_count", "pod", default=1.0).sel(pod=pod))
    daily = str(_period_counted(view, pod)) == "day"
    best = hours.groupby("day" if daily else "begin", sort=False)["counted"].idxmax()
    hours["sets"] = False
    for month, rows in hours.loc[best].groupby("month", sort=False):
        before = _metered_before(view, pod) if month == hours["month"].iloc[0] else []
        ranked = np.sort([*rows["counted"], *before])[::-1]
        least = max(ranked[min(count, len(ranked)) - 1], 2 * SMALLEST_PEAK)
        hours.loc[rows.index[rows["counted"] >= least - SMALLEST_PEAK], "sets"] = True
    return hours


def charged_peak(view: ResultView, pod: str, month: str, part: pd.DataFrame) -> float:
    """The peak of the month as the result has it (kW); else the smallest hour that counts."""
    if view.has("connection", "peak") and month in view.index("connection", "month"):
        return float(view.get("connection", "peak").sel(pod=pod, month=month))
    return float(part.loc[part["sets"], "counted"].min()) if part["sets"].any() else 0.0


def _period_counted(view: ResultView, pod: str) -> object:
    if not view.has("connection", "peak_period"):
        return "hour"
    period = view.groups["connection"]["peak_period"]
    return period.sel(pod=pod).item() if "pod" in period.dims else period.item()


def _metered_before(view: ResultView, pod: str) -> list[float]:
    """What was metered in the month before the first step (kW)."""
    if not view.has("connection", "peak_initial"):
        return []
    given = view.groups["connection"]["peak_initial"]
    values = np.atleast_1d(
        np.asarray((given.sel(pod=pod) if "pod" in given.dims else given).values, dtype=float)
    )
    return [float(x) for x in values if np.isfinite(x)]
