"""HTML report, figures and tables of a result. Drawing needs the extra ``[report]``; the tables do
not.
"""

from .figures.accessor import ResultPlots
from .page.write import render, write
from .tables import bids, kpi, ladder, schedule

__all__ = ["ResultPlots", "bids", "kpi", "ladder", "render", "schedule", "write"]
