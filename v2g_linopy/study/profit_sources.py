"""Where the profit of an operation comes from, source by source, and what each step of freedom adds
(docs/formulation.md §4).
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import Problem, SchemaError
from ..model.inputs import Inputs, inputs_of
from ..model.part import Part
from ..parts.catalogue import PARTS
from ..solve.audit import mean_total
from .attribution import cause_of
from .input_differences import input_differences

SOURCES = ("retail", "energy", "deviation", "virtual", "later markets", "owners", "other")
MEANINGS = {
    "retail": "what drivers pay for charging",
    "energy": "what was drawn and fed in, at the price of the first market",
    "deviation": "from what the plan expected, at the first price less the imbalance price",
    "virtual": "the position beyond what the plan expected, at the same difference",
    "later markets": "what was traded there, at their price less the imbalance price",
    "owners": "what owners of vehicles are paid for feeding in",
    "other": "all other entries of the ledger: wear, reserves, grid, market spreads, penalties",
}
SETTLED_BY = ("energy", "imbalance")
"""Groups without which a result has no such sources."""


def profit_sources(
    result: xr.DataTree,
    *,
    market: str | None = None,
    expected: xr.DataArray | None = None,
    parts: Mapping[str, Part] = PARTS,
) -> pd.Series:
    """Return what a result earned, by source; the sources add up to its objective.

    With the net draw y of all that trades here, the draw x0 that the plan expected when the gate
    closed, the position x (positive: sold), the price of the first market p, that of imbalance i
    in the direction of the step, and trades q at prices r in later markets::

        total = retail - sum y p + sum (y + x0) (p - i) + sum (x - x0) (p - i)
                + sum q (r - i) + owners + other

    What the plan expected stands in the result (`expected` of `/energy`, of a simulation whose bid
    is another quantity). Where nothing is said it is the position, x0 = x, and nothing is virtual.

    Parameters
    ----------
    result : xarray.DataTree
        A written or operated result with one market or more, and imbalance.
    market : str, optional
        The first market; by default the first label of `/energy`.
    expected : xarray.DataArray, optional
        Position that the plan expected on time (kW, positive: sold), instead of what the result
        says.
    parts : mapping of str to Part, default PARTS
        The catalogue.

    Returns
    -------
    pandas.Series
        Money of the result by source, in the order of `SOURCES`.

    Raises
    ------
    SchemaError
        The result has no imbalance, no ledger, or no such market.

    Examples
    --------
    A house draws 1 kW; 2 kW were bought at 40 EUR/MWh, and what is too much is sold at 30:

    >>> import pandas as pd
    >>> import xarray as xr
    >>> import v2g_linopy as v2g
    >>> time = pd.date_range("2026-03-02", periods=1, freq="h")
    >>> load = xr.Dataset({"baseline": 1.0}, coords={"load": ["house"]})
    >>> market = {"price": 40.0, "limit": 9.0, "closed": 1.0, "committed": -2.0}
    >>> energy = xr.Dataset(market, coords={"market": ["day_ahead"]})
    >>> settlement = xr.Dataset({"price_long": 30.0, "limit": 9.0})
    >>> groups = {"load": load, "energy": energy, "imbalance": settlement}
    >>> result = v2g.solve(v2g.assemble(time, groups, step_hours=1.0))
    >>> v2g.profit_sources(result)[["energy", "deviation"]].round(3).to_dict()
    {'energy': -0.04, 'deviation': -0.01}
    """
    inputs = inputs_of(result, parts)
    first = _first_market(result, inputs, market)
    position = result["energy"].to_dataset()["position"]
    traded = position.sel(market=first)
    planned = inputs.data["energy"].get("expected", traded) if expected is None else expected

    imbalance = result["imbalance"].to_dataset()
    net = imbalance["long"] - imbalance["short"]
    draw = -(position.sum("market") + net)
    prices, settled = inputs.data["energy"].price, _imbalance_price(net, inputs)
    price = prices.sel(market=first)
    later = (position * (prices - settled)).drop_sel(market=first).sum("market")

    ledger = result["ledger"].to_dataset()
    known = {
        "retail": _entries(ledger, _of_cause("drivers", ledger, parts), inputs),
        "energy": _money(-draw * price, inputs),
        "deviation": _money((draw + planned) * (price - settled), inputs),
        "virtual": _money((traded - planned) * (price - settled), inputs),
        "later markets": _money(later, inputs),
        "owners": _entries(ledger, _of_cause("owners", ledger, parts), inputs),
    }
    total = _entries(ledger, tuple(map(str, ledger.data_vars)), inputs)
    return pd.Series(known | {"other": total - sum(known.values())}).reindex(list(SOURCES))


def profit_steps(
    results: Mapping[str, xr.DataTree],
    *,
    market: str | None = None,
    expected: Mapping[str, xr.DataArray] | None = None,
    parts: Mapping[str, Part] = PARTS,
) -> pd.DataFrame:
    """Return what each result adds to the one before it, by source; rows and columns add up.

    The order is a choice that the reader is told: no control, smart charging, V2G, and a position
    of its own. Each step is the difference of two runs.

    Parameters
    ----------
    results : mapping of str to xarray.DataTree
        Results of one case in order, by name.
    market : str, optional
        As for `profit_sources`.
    expected : mapping of str to xarray.DataArray, optional
        By name of the result, as for `profit_sources`.
    parts : mapping of str to Part, default PARTS
        The catalogue.

    Returns
    -------
    pandas.DataFrame
        Money by source, with a last row `sum`; a column for the first result, one for what each
        of the others adds (`+ name`), and `total`, the last result.

    Raises
    ------
    SchemaError
        As `profit_sources`.

    Examples
    --------
    A car needs 10 kWh by the end of two hours, at 50 and 20 EUR/MWh. At once it costs 0.50 EUR, and
    waiting saves 0.30 of them:

    >>> import pandas as pd
    >>> import xarray as xr
    >>> import v2g_linopy as v2g
    >>> time = pd.date_range("2026-03-02", periods=2, freq="h")
    >>> car = {"charge_max": 10.0, "energy_max": 10.0, "energy_min": ("time", [0.0, 10.0])}
    >>> fleet = xr.Dataset(car | {"eta_charge": 1.0}, coords={"fleet": ["ev"]})
    >>> market = {"price": ("time", [50.0, 20.0]), "limit": 99.0}
    >>> energy = xr.Dataset(market, coords={"market": ["day_ahead"]})
    >>> settlement = xr.Dataset({"price_long": 30.0, "limit": 99.0})
    >>> groups = {"fleet": fleet, "energy": energy, "imbalance": settlement}
    >>> case = v2g.assemble(time, groups)
    >>> at_once = v2g.solve(case, fix={"fleet.charge": v2g.unmanaged(case)})
    >>> table = v2g.profit_steps({"no control": at_once, "smart": v2g.solve(case)})
    >>> table.loc["energy"].round(3).to_dict()
    {'no control': -0.5, '+ smart': 0.3, 'total': -0.2}
    """
    given = expected or {}
    by_name = {
        name: profit_sources(result, market=market, expected=given.get(name), parts=parts)
        for name, result in results.items()
    }
    names = list(by_name)
    table = {names[0]: by_name[names[0]]}
    for before, name in zip(names, names[1:], strict=False):
        table[f"+ {name}"] = by_name[name] - by_name[before]
    frame = pd.DataFrame(table).assign(total=by_name[names[-1]])
    return pd.concat([frame, frame.sum().rename("sum").to_frame().T])


def worth_of_known_prices(
    result: xr.DataTree, known: xr.DataTree, *, parts: Mapping[str, Part] = PARTS
) -> float:
    """Return what a run would earn more if it knew all prices in advance.

    It is the objective of the same simulation with the forecast `perfect`, bids included, less its
    own. It stands beside the sources of profit and is none of them: a deviation from what was
    expected is both an error and flexibility that was wanted.

    Parameters
    ----------
    result : xarray.DataTree
        A simulated result.
    known : xarray.DataTree
        The same simulation with ``forecast="perfect"``.
    parts : mapping of str to Part, default PARTS
        The catalogue.

    Returns
    -------
    float
        Money of the result.

    Raises
    ------
    SchemaError
        `known` is not operated on a perfect forecast, or by another policy, bid or settlement, or
        has other steps, vehicles, prices or sessions; everything that differs is listed.

    Examples
    --------
    A car needs 10 kWh by the end of two hours. It draws in the first, as day-ahead is cheaper
    there; imbalance is so in the second, by 20 EUR/MWh:

    >>> import pandas as pd
    >>> import xarray as xr
    >>> import v2g_linopy as v2g
    >>> time = pd.date_range("2026-03-02 08:00", periods=2, freq="h")
    >>> car = {"charge_max": 10.0, "energy_max": 10.0, "energy_min": ("time", [0.0, 10.0])}
    >>> fleet = xr.Dataset(car | {"eta_charge": 1.0}, coords={"fleet": ["ev"]})
    >>> market = {"price": ("time", [40.0, 50.0]), "limit": 99.0}
    >>> energy = xr.Dataset(market, coords={"market": ["day_ahead"]})
    >>> settlement = xr.Dataset({"price_long": ("time", [45.0, 25.0]), "limit": 99.0})
    >>> gates = xr.Dataset({"hour": ("gate", [12.0])}, {"gate": ["day_ahead"]})
    >>> groups = {"fleet": fleet, "energy": energy, "imbalance": settlement, "gates": gates}
    >>> case = v2g.assemble(time, groups)
    >>> published, known = (
    ...     v2g.simulate(case, policy="rule", forecast=name, bids="none", hindsight=False)
    ...     for name in ("published", "perfect")
    ... )
    >>> round(v2g.worth_of_known_prices(published, known), 3)
    0.2
    """
    if problems := _not_the_same(result, known, parts):
        raise SchemaError(problems, source="the run that knows all prices")
    return float(known.attrs["objective"]) - float(result.attrs["objective"])


_SAME_RUN = ("policy", "bids", "bids_expected", "settlement", "currency")
_DECIDED = (
    *("energy.committed", "energy.turnover", "energy.expected"),
    *("fleet.energy_initial", "fleet.allowance_used"),  # where days before were operated
)
"""Inputs of a settled result that its operation has decided."""


def _not_the_same(
    result: xr.DataTree, known: xr.DataTree, parts: Mapping[str, Part]
) -> list[Problem]:
    """What keeps two runs from being one simulation on two forecasts."""
    problems = []
    if str(known.attrs.get("forecast", "")) != "perfect":
        detail = f"is {known.attrs.get('forecast', 'absent')!r}; simulate it with perfect"
        problems.append(Problem("forecast", "choice", detail))
    for name in _SAME_RUN:
        here, there = (str(tree.attrs.get(name, "")) for tree in (result, known))
        if here != there:
            problems.append(Problem(name, "consistency", f"{there!r} beside {here!r}"))
    differ = input_differences(result, known, parts=parts)
    other = differ[~differ["field"].isin(_DECIDED)]
    return problems + [
        Problem(row["field"], "consistency", f"{row['other']} beside {row['one']}")
        for row in other.to_dict("records")
    ]


def has_sources(result: xr.DataTree) -> bool:
    """Return True where a result has a market and imbalance."""
    return {*SETTLED_BY} <= {*result.children} and result["energy"].sizes.get("market", 0) > 0


def _of_cause(cause: str, ledger: xr.Dataset, parts: Mapping[str, Part]) -> tuple[str, ...]:
    return tuple(str(n) for n in ledger.data_vars if cause_of(str(n), parts) == cause)


def _first_market(result: xr.DataTree, inputs: Inputs, market: str | None) -> str:
    """The market of the first position; what is missing is listed."""
    problems = [
        Problem(group, "missing", "missing: the sources of profit are told apart by it")
        for group in (*SETTLED_BY, "ledger")
        if group not in result.children
    ]
    labels = [str(x) for x in inputs.data["energy"]["market"].values] if not problems else []
    if not problems and not labels:
        problems.append(Problem("energy.market", "missing", "missing: no market is traded in"))
    if market is not None and labels and market not in labels:
        problems.append(Problem("market", "value", f"{market!r} is not among: {', '.join(labels)}"))
    if problems:
        raise SchemaError(problems)
    return market or labels[0]


def _imbalance_price(net: xr.DataArray, inputs: Inputs) -> xr.DataArray:
    """The price that settles imbalance in the direction of the step (EUR/kWh)."""
    d = inputs.data["imbalance"]
    short = d.get("price_short", d.price_long)
    return xr.where(net >= 0, d.price_long, short)


def _money(cash: xr.DataArray, inputs: Inputs) -> float:
    return mean_total(cash, inputs.probability) * inputs.dt


def _entries(ledger: xr.Dataset, names: tuple[str, ...], inputs: Inputs) -> float:
    return float(np.sum([mean_total(ledger[n], inputs.probability) for n in names if n in ledger]))
