"""HTML report, figures and tables of a result. Drawing needs the extra ``[report]``; the tables do not."""

from .page import render, write
from .plots import ResultPlots
from .tables import bids, kpi, ladder, schedule

__all__ = ["ResultPlots", "bids", "kpi", "ladder", "render", "schedule", "write"]
