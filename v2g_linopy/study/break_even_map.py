"""Where V2G under contracts pays, over two numbers at once (docs/formulation.md §9)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from ..errors import Problem, SchemaError
from .v2g_gain import AXES, Comparison, by_rule, gains, planned

VALUES: Mapping[str, tuple[float, ...]] = {
    "spread": (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0),
    "term": (1.0, 2.0, 3.0, 4.0, 6.0),
    "wear": (0.005, 0.01, 0.02, 0.03, 0.05),
    "dispatch_cost": (0.0, 0.01, 0.02, 0.03, 0.04, 0.05),
    "payment_scale": (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5),
}
"""Values that are tried, unless others are given."""
POLICIES = ("plan", "rule")


def break_even_map(
    case: xr.DataTree,
    contracts: xr.DataTree,
    over: tuple[str, str] = ("spread", "payment_scale"),
    *,
    values: Mapping[str, Sequence[float]] | None = None,
    seed: int = 0,
    policy: str = "plan",
    progress: Callable[[int, int], None] = lambda done, of: None,
    **options: Any,
) -> xr.Dataset:
    """Return what V2G earns more than smart charging while two numbers are varied.

    The menu is offered to the sessions at every point; at another `term` or `wear` it is designed
    anew (see `varied_menu`). Accepted contracts do not depend on the `spread` of prices (their
    distance from the mean, 1: as they are), the `dispatch_cost` nor the `payment_scale` (owners are
    paid so many times as much), so that the last costs no further run.

    Parameters
    ----------
    case : xarray.DataTree
        A case of charging sessions that may feed in, without contracts.
    contracts : xarray.DataTree
        A menu with its energies and payments.
    over : tuple of str, default ("spread", "payment_scale")
        Two of `spread`, `term` (h), `wear` (EUR/kWh, of the owners), `dispatch_cost` (EUR/kWh at
        the grid) and `payment_scale`.
    values : mapping of str to sequence of float, optional
        What is tried of each, in rising order.
    seed : int, default 0
        Of the types of owners, the same at every point.
    policy : {"plan", "rule"}, default "plan"
        Planned with all prices known, or operated session by session on what is known.
    progress : callable, default does nothing
        `progress(done, of)` is called before every run.
    **options
        As for `solve`, or for `simulate` (`forecast`, `bids`, `start`, `stop`).

    Returns
    -------
    xarray.Dataset
        `gain` (money of the case) on the two of `over`. The attribute `policy` says how it was
        found.

    Raises
    ------
    SchemaError
        What is asked for does not exist, or case and menu do not fit; every problem is listed.
    Infeasible, SolveError, SolverError, Interrupted
        As `solve`.

    Examples
    --------
    A car that is full sells 5 kWh at 60 and buys them back at 20 EUR/MWh: 0.20 EUR, for 0.05 to its
    owner. Without a spread nothing is earned, and at twice the payment 0.05 less:

    >>> import pandas as pd
    >>> import xarray as xr
    >>> import v2g_linopy as v2g
    >>> moments = pd.to_datetime(["2026-03-02 08:00", "2026-03-02 12:00"])
    >>> stay = {"arrival": moments[:1], "departure": moments[1:], "capacity": [40.0]}
    >>> stay |= {"energy_arrival": [40.0], "energy_need": [40.0], "eta_charge": [1.0]}
    >>> stay |= {"charge_max": [10.0], "discharge_max": [10.0], "eta_discharge": [1.0]}
    >>> sessions = xr.Dataset({n: ("session", x) for n, x in stay.items()}, {"session": [0]})
    >>> time = pd.date_range("2026-03-02 08:00", periods=4, freq="h")
    >>> fleet, table = v2g.sessions_to_fleet(sessions, time)
    >>> market = {"price": ("time", [60.0, 20.0, 20.0, 60.0]), "limit": 100.0}
    >>> energy = xr.Dataset(market, coords={"market": ["day_ahead"]})
    >>> case = v2g.assemble(time, {"fleet": fleet, "sessions": table, "energy": energy})
    >>> menu = v2g.menu(theta=[1.0], share=1.0, wear=0.01, term=2, energy=[5.0])
    >>> found = v2g.break_even_map(case, menu, values={"spread": [0, 1], "payment_scale": [1, 2]})
    >>> found["gain"].round(6).values.tolist()
    [[-0.05, -0.1], [0.15, 0.1]]
    """
    tried = dict(VALUES) | dict(values or {})
    _refuse(over, tried, policy)
    ways = {"plan": planned, "rule": by_rule}
    done = [0]
    runs = _count(over, tried)

    def told() -> None:
        done[0] += 1
        progress(done[0], runs)

    progress(0, runs)
    comparison = Comparison(case, contracts, ways[policy](**options), seed=seed, told=told)
    return as_map(gains(comparison, over, tried), over, tried, case, policy)


def as_map(
    gain: np.ndarray,
    over: tuple[str, str],
    values: Mapping[str, Sequence[float]],
    case: xr.DataTree,
    policy: str,
) -> xr.Dataset:
    """Return gains on two axes with their units."""
    money = str(case.attrs.get("currency", "EUR"))
    axes = {
        name: (name, np.asarray(values[name], float), {"units": AXES[name].replace("EUR", money)})
        for name in over
    }
    found = xr.Dataset({"gain": (over, gain, {"units": money})}, coords=axes)
    return found.assign_attrs(policy=policy)


def _count(over: tuple[str, str], values: Mapping[str, Sequence[float]]) -> int:
    """Return how many runs it takes; a scale of payments takes none."""
    run = [len(values[name]) for name in over if name != "payment_scale"]
    return int(np.prod(run)) + (len(values["spread"]) if "spread" in over else 1)


def _refuse(over: tuple[str, str], values: Mapping[str, Sequence[float]], policy: str) -> None:
    """List all that is wrong with what was asked for."""
    problems = [
        Problem("over", "value", f"{name!r} is not among: {', '.join(AXES)}")
        for name in (*over, *values)
        if name not in AXES
    ]
    if len(over) != 2 or over[0] == over[-1]:
        problems.append(
            Problem("over", "value", f"{', '.join(over)}: two different ones are varied")
        )
    for name in {*over} & {*values}:
        x = np.asarray(values[name], float)
        if x.size < 2 or (np.diff(x) <= 0).any() or not np.isfinite(x).all():
            detail = "needs two values or more, in rising order"
            problems.append(Problem(name, "value", detail))
        elif x[0] < 0 or (x[0] == 0 and name in ("term", "wear")):
            problems.append(Problem(name, "range", f"{x[0]:g}: give larger values"))
    if policy not in POLICIES:
        problems.append(
            Problem("policy", "choice", f"{policy!r} is not one of {', '.join(POLICIES)}")
        )
    if problems:
        raise SchemaError(problems)
