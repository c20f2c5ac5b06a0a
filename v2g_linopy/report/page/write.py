"""The report: one HTML file that opens anywhere, offline, and prints. Needs the extra
``[report]``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...case.io import atomic
from ...case.label_text import printable
from ...errors import V2GError
from ...model.part import Part
from ...parts.catalogue import PARTS
from ...solve.verification import verify
from ...study.contract_outcome import has_contracts
from ..figures import all as figures
from ..figures import sequence
from ..figures.distribution import distribution
from ..figures.peaks import priced_pods
from ..figures.style import escape, svg
from ..found_in_rounds import rounds_in_words
from ..result_view import Result, ResultView
from ..schedule_and_bids import on_forecasts
from . import content, key_figures, site_tables

if TYPE_CHECKING:
    from jinja2 import Template

MOST_BANDS = 10
"""Sites whose bands the page draws."""
HERE = Path(__file__).parent

CAPTIONS = {
    "value_ladder": (
        "Value ladder. Left: profit of each way of operating the same fleet. Right: the change from"
        " the rung named beside the bar, by cause; gains to the right of zero, losses to the left,"
        " the diamond is their sum."
    ),
    "balance": (
        "Power balance at the meter, all pods together. Above zero: what loads, vehicles and"
        " batteries draw; below: what sun, wind, plants, vehicles and batteries feed in. The line"
        " is left for the grid: import above, export below zero."
    ),
    "bands": (
        "Bands of the portfolio. Above: between which powers it can be in each step; below: between"
        " which energies since the start. The line is the plan. Each moment stands alone: all of"
        " them together are no plan. A dotted edge is a bound that was not verified."
    ),
    "rounds": (
        "Rounds. Left: what the best mix of the plans so far is worth, and the bound that no plan"
        " passes. Right: the distance of the two, on a logarithmic scale. While power is missing"
        " there is no plan yet."
    ),
    "weights": (
        "Weights. Each row is a site, each column a round from which a plan is in the mix; the"
        " number, and how dark the cell is, say how much of that plan is taken. The plans of a site"
        " add up to 100 %."
    ),
    "load_duration": (
        "Load duration at the meter, all pods together. As planned, and without flexibility:"
        " vehicles charge at full power from arrival until their need is met, batteries stand idle,"
        " loads draw their baseline, sun and wind give all they can; other plants run as planned."
    ),
    "energy_flow": (
        "Energy over the horizon by pod. Upper bar: where it comes from; lower bar: where it goes."
        " What goes through a battery stands in both; the two bars are as long as each other."
    ),
    "peaks": (
        "Peaks. The import of the meter by clock hour; marked are the hours that set the peak of"
        " each month (all that are as large as the smallest that counts), the dashed line is the"
        " peak that is charged. Of several pods with a peak price, the one that pays most."
    ),
    "profit_distribution": (
        "Profit over the scenarios, the worst on the left, each as wide as it is likely. The value"
        " at risk is the profit that the worst of them (shaded) do not exceed, CVaR their mean."
        " Penalties are not counted."
    ),
    "positions": (
        "Positions. Coloured: what was sold (above zero) and bought (below) in each market, and"
        " what was left to the imbalance. The line is their sum: what was delivered."
    ),
    "regret": (
        "Hindsight. Above: what each local day earned, and what the best plan that knows everything"
        " in advance earns on it. Below: the difference, the regret, and its sum; on one day it can"
        " be negative, as energy is moved between days."
    ),
    "dispatch": (
        "Fleet dispatch. Above: the market price. Below: power drawn (blue) and fed in (orange) by"
        " the whole fleet; the dashed line is unmanaged charging, at full power from arrival until"
        " the need is met."
    ),
    "corridor": (
        "Energy corridor. The plan moves between charging everything at once and charging as late"
        " as the needs allow; the room between is the flexibility of the fleet. Each edge can be"
        " reached at each moment, not followed all along."
    ),
    "heat_map": (
        "Members in time. Blue: charging, orange: feeding in, white: plugged in and waiting, grey:"
        " not plugged in."
    ),
    "state_of_energy": (
        "State of energy of the members plugged in, as a share of the most they can hold at that"
        " time."
    ),
    "reserve": (
        "Reserves. Coloured: power that the reserve sold may need. Line: room that the assets have"
        " in that direction about its baseline."
    ),
    "price_response": (
        "Answer to prices. Left: power of the fleet at each price. Right: energy per price level;"
        " each level holds the same number of hours, the dearest on the right."
    ),
    "shadow_prices": (
        "Shadow prices. Above: what one more MWh would be worth at the connection; dashed: the"
        " market price. Below: what one more unit of energy in the battery would be worth; where no"
        " reserve is sold, charging pays while the price is below this value times the efficiency."
        " Below zero, a fuller battery would cost money: it leaves less room for what pays for"
        " filling it, downward reserve or a price below zero."
    ),
    "contracts": (
        "Contracts. Left: sessions of each type of owner that took one, and why the others did not."
        " Right: energy sold of each contract, and called in the mean of the sessions that took it."
    ),
    "cycle_depth": (
        "Depth of cycles, counted by the rainflow method along the energy of each battery. Left:"
        " how many discharges went how deep. Right: the equivalent full cycles they add up to."
    ),
    "bill": (
        "The bill. Green is income, red is cost, blue is the profit; hatched bars are penalties and"
        " no part of profit."
    ),
}
"""What each figure shows, in words: printed below it, and read out in its place."""


def write_page(
    result: Result,
    path: str | Path,
    overwrite: bool = False,
    *,
    parts: Mapping[str, Part] = PARTS,
    check: bool = True,
) -> None:
    """Write the report of a result as one HTML file, whole or not at all.

    The result is verified first: a page says nothing that its plan does not bear out.

    Parameters
    ----------
    result
        A result of ``solve`` or ``compare``, or a view of one.
    path
        Where the file will stand.
    overwrite
        Replace a file that is there already.
    parts
        The catalogue that the result was made with.
    check
        False leaves the verification out, for a result that has just been solved or verified.

    Raises
    ------
    SchemaError
        The plan breaks a limit, or bill, profit, prices or case are not as the result says.
    OutputError
        The file exists and `overwrite` is false, or it cannot be written.
    V2GError
        The extra ``[report]`` is not installed.
    """
    with atomic(path, overwrite) as temporary:  # refuses before the work is done
        source = result.source if isinstance(result, ResultView) else result
        if check and source is not None:
            verify(source, parts).raise_for(str(source.attrs.get("title") or "the result"))
        temporary.write_text(render(result, parts=parts), encoding="utf-8")


def render(result: Result, *, parts: Mapping[str, Part] = PARTS) -> str:
    """The report as HTML; the same result gives the same text to the byte."""
    view = ResultView.of(result, parts=parts)
    layout = template("page.html.j2")
    from markupsafe import Markup

    def figure(name: str) -> Any:
        return Markup(drawn_as_svg(view, name)) if is_shown(view, name) else ""

    page = layout.render(
        css=style_sheet(),
        title=str(view.attrs.get("title") or "Charging plan"),
        currency=view.currency,
        unit=view.unit,
        scaled=view.units > 0,
        run={"v2g_linopy_version": view.attrs.get("v2g_linopy_version", "")},
        not_a_market=view.not_a_market,
        headline=content.headline(view),
        setting=content.setting(view),
        warnings=content.warnings(view),
        tiles=key_figures.tiles(view),
        sequence=sequence.run_summary(view),
        on_forecasts=on_forecasts(view),
        scenarios=view.scenarios,
        ladder=content.ladder_rows(view),
        causes=content.causes(view),
        cause_words=content.cause_words(),
        bill=content.bill_rows(view),
        months=content.bill_by_month(view),
        fleet=len(view.members) > 0,
        needs=content.needs(view),
        wear=content.wear_rows(view),
        calls=content.cost_of_call_rows(view),
        contracts=content.contract_rows(view),
        connection=content.connection_rows(view),
        sites=site_tables.site_rows(view),
        sites_words=site_tables.left_in_words(view),
        rounds_words=rounds_in_words(view),
        bands_of_sites=[Markup(svg_of_site(view, pod, k)) for k, pod in shown_pods(view)],
        assumptions=content.stated_assumptions(view),
        defaults=content.defaults(view),
        solution=content.solution(view),
        audit=content.audit(view),
        facts=content.facts(view),
        figure=figure,
    )
    return printable(page)


def is_shown(view: ResultView, name: str) -> bool:
    """Whether there is anything to draw."""
    fleet = len(view.members) > 0 and len(view.time) > 0
    site = bool(view.others) and view.meter.sizes["asset"] > 0 and len(view.time) > 0
    return {
        "balance": site,
        "rounds": view.has("decomposition", "bound"),
        "weights": view.has("decomposition", "weight"),
        "bands": view.has("flexibility_bands", "power") and len(view.time) > 0,
        "load_duration": site,
        "energy_flow": site,
        "peaks": bool(priced_pods(view)),
        "profit_distribution": distribution(view) is not None,
        "positions": "decisions" in view.attrs and view.has("energy", "position"),
        "regret": view.has("sequence", "regret"),
        "value_ladder": view.has("ladder", "profit"),
        "bill": view.has("ledger"),
        "reserve": len(view.time) > 0 and view.has("reserve", "volume"),
        "contracts": view.source is not None and has_contracts(view.source),
        "price_response": fleet and bool(np.isfinite(view.price).any()),
        "cycle_depth": view.has("wear", "cycles") and float(view.get("wear", "cycles").sum()) > 0,
        "shadow_prices": view.has("price") or view.has("dual"),
    }.get(name, fleet)


def drawn_as_svg(view: ResultView, name: str) -> str:
    """A figure as inline SVG with its caption."""
    picture = svg(getattr(figures, name)(view), name, CAPTIONS[name])
    return f"<figure>\n{picture}\n<figcaption>{CAPTIONS[name]}</figcaption>\n</figure>"


def shown_pods(view: ResultView) -> list[tuple[int, str]]:
    """Number and name of the sites whose bands the page draws, beside those of the portfolio."""
    if not is_shown(view, "bands"):
        return []
    pods = [str(p) for p in view.index("flexibility_bands", "pod")]
    return list(enumerate(pods[: min(len(pods) - 1, MOST_BANDS)]))


def svg_of_site(view: ResultView, pod: str, number: int) -> str:
    """The bands of a site as inline SVG, with its name to open it by."""
    words = CAPTIONS["bands"].replace("the portfolio", pod)
    picture = svg(figures.bands(view, pod), f"bands-{number}", words)
    return f"<details>\n<summary>{escape(pod)}</summary>\n{picture}\n</details>"


def style_sheet() -> Any:
    """The style of every page."""
    from markupsafe import Markup

    return Markup((HERE / "page.css").read_text(encoding="utf-8"))


def template(name: str) -> Template:
    """A template of this folder.

    Raises
    ------
    V2GError
        jinja2 is not installed.
    """
    try:
        from jinja2 import Environment, StrictUndefined
    except ModuleNotFoundError as error:
        raise V2GError(
            "the report needs jinja2: install the extra, pip install 'v2g-linopy[report]'"
        ) from error
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True
    )
    return environment.from_string((HERE / name).read_text(encoding="utf-8"))
