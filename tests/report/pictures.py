"""Every figure of every kind of result, drawn once for the tests of figures and of the page."""

from functools import cache

import xarray as xr
from made_results import result

from v2g_linopy.report.figures import all as figures
from v2g_linopy.report.page import write
from v2g_linopy.report.result_view import ResultView

EDGES = {
    "all": {"unserved": 1.5},
    "no reserve, ladder or duals": {"reserve": False, "ladder": False, "duals": False},
    "one vehicle": {"members": 1},
    "one step": {"members": 2, "days": 1 / 24, "ladder": False},
    "no vehicle": {"members": 0, "ladder": False},
    "nothing moves": {"moving": 0.0},
    "scenarios": {"scenarios": 2},
    "long": {"members": 50, "days": 30},
    "year": {"members": 5, "start": "2018-12-31T23:00", "days": 365, "minutes": 15},
}


@cache
def made(edge: str) -> xr.DataTree:
    """A result that no test changes."""
    return result(**EDGES[edge])


@cache
def pictures(edge: str) -> dict[str, str]:
    """Each figure as it stands on the page, with its caption."""
    view = ResultView.of(made(edge))
    return {name: write.drawn_as_svg(view, name) for name in figures.__all__}
