"""What it is worth to know the future, and to plan for several of them (docs/formulation.md §8).

Birge, Louveaux (2011), "Introduction to Stochastic Programming", chapter 4, with the signs of a
profit::

    WS >= RP >= EEV,     EVPI = WS - RP,     VSS = RP - EEV
"""

from collections.abc import Mapping
from typing import Any

import xarray as xr

from ..errors import Infeasible, Problem, SchemaError
from ..model.inputs import RESULT_GROUPS, Inputs, inputs_of
from ..model.part import Part
from ..parts.catalogue import PARTS
from ..solve.solve import Fixed, solve

MEANINGS = {
    "WS": "wait and see: every scenario planned by itself, in the mean",
    "RP": "here and now: one plan for what is decided before the scenario is known",
    "EEV": (
        "the plan for the mean of the scenarios, kept where it is decided before the scenario is"
        " known"
    ),
    "EVPI": "expected value of perfect information, WS - RP",
    "VSS": "value of the stochastic solution, RP - EEV",
}


def evpi(
    case: xr.DataTree,
    *,
    here_and_now: xr.DataTree | None = None,
    parts: Mapping[str, Part] = PARTS,
    **options: Any,
) -> xr.Dataset:
    """Return what it would be worth to know the scenario before anything is decided.

    It is the expected value of perfect information, EVPI = WS - RP: every scenario planned by
    itself (wait and see) against one plan for what is decided before (docs/formulation.md §8).

    Parameters
    ----------
    case : xarray.DataTree
        A case with scenarios.
    here_and_now : xarray.DataTree, optional
        The result of the case, where it is solved already.
    parts : mapping of str to Part, default PARTS
        The catalogue.
    **options
        As for `solve`.

    Returns
    -------
    xarray.Dataset
        ``WS``, ``RP`` and ``EVPI``: objectives, money of the case. With `/risk` both are its
        weighted objective.

    Raises
    ------
    SchemaError
        The case has no scenarios or does not fit the schema, or a product is promised at an
        availability below 1, which no scenario has alone.
    Infeasible, SolveError, SolverError, Interrupted
        As `solve`.

    References
    ----------
    Birge, Louveaux (2011), "Introduction to Stochastic Programming", chapter 4, with the signs of a
    profit.

    Examples
    --------
    A car needs 10 kWh by the end of two hours, and buys them before it is known which hour will be
    dear: at 40 EUR/MWh in the mean. Who knows buys at 20, which saves 0.20 EUR for 10 kWh:

    >>> import pandas as pd
    >>> import xarray as xr
    >>> import v2g_linopy as v2g
    >>> time = pd.date_range("2026-03-02", periods=2, freq="h")
    >>> car = {"charge_max": 10.0, "energy_max": 10.0, "energy_min": ("time", [0.0, 10.0])}
    >>> fleet = xr.Dataset(car | {"eta_charge": 1.0}, coords={"fleet": ["ev"]})
    >>> price = (("scenario", "time"), [[20.0, 60.0], [60.0, 20.0]])
    >>> labels = {"market": ["day_ahead"], "scenario": ["early", "late"]}
    >>> energy = xr.Dataset({"price": price, "limit": 100.0}, coords=labels)
    >>> case = v2g.assemble(time, {"fleet": fleet, "energy": energy})
    >>> case["probability"] = xr.DataArray([0.5, 0.5], coords={"scenario": labels["scenario"]})
    >>> worth = v2g.evpi(case)
    >>> [round(float(worth[name]), 6) for name in ("WS", "RP", "EVPI")]
    [-0.2, -0.4, 0.2]
    """
    inputs = _with_scenarios(case, parts)
    known = _known(case, inputs)
    best = solve(case, parts=parts, **options) if here_and_now is None else here_and_now
    free = solve(known, parts=parts, **options)
    ws, rp = (float(r.attrs["objective"]) for r in (free, best))
    return _table(inputs, WS=ws, RP=rp, EVPI=ws - rp)


def vss(
    case: xr.DataTree,
    *,
    here_and_now: xr.DataTree | None = None,
    parts: Mapping[str, Part] = PARTS,
    **options: Any,
) -> xr.Dataset:
    """Return what planning for the scenarios is worth, against planning for their mean.

    It is the value of the stochastic solution, VSS = RP - EEV. What the plan for the mean decides
    before the scenario is known (`first_stage` of markets and products) is kept, and the rest
    planned anew in each scenario (docs/formulation.md §8).

    Parameters
    ----------
    case : xarray.DataTree
        A case with scenarios.
    here_and_now : xarray.DataTree, optional
        The result of the case, where it is solved already.
    parts : mapping of str to Part, default PARTS
        The catalogue.
    **options
        As for `solve`.

    Returns
    -------
    xarray.Dataset
        ``RP``, ``EEV`` and ``VSS``: objectives, money of the case. Where the plan for the mean
        leaves a scenario without a plan, EEV is minus infinity, and the attribute ``infeasible``
        says why.

    Raises
    ------
    SchemaError
        The case has no scenarios, or does not fit the schema.
    Infeasible, SolveError, SolverError, Interrupted
        As `solve`, for the case and for its mean.

    References
    ----------
    Birge, Louveaux (2011), "Introduction to Stochastic Programming", chapter 4, with the signs of a
    profit.

    Examples
    --------
    A building draws nothing or 10 kW for an hour, each as likely. Day-ahead costs 50 EUR/MWh, what
    is missing is bought at 110 later, and what is too much is sold at 10. The plan for the mean
    buys 5 kW and costs 0.50 EUR; the plan for both scenarios buys 10 kW and costs 0.45 EUR:

    >>> import pandas as pd
    >>> import xarray as xr
    >>> import v2g_linopy as v2g
    >>> time = pd.date_range("2026-03-02", periods=1, freq="h")
    >>> drawn = {"baseline": (("load", "scenario"), [[0.0, 10.0]])}
    >>> load = xr.Dataset(drawn, coords={"load": ["house"], "scenario": ["empty", "full"]})
    >>> market = {"price": ("market", [50.0, 60.0]), "spread": ("market", [0.0, 100.0])}
    >>> market |= {"first_stage": ("market", [1.0, 0.0]), "limit": 100.0, "virtual_bidding": 1.0}
    >>> energy = xr.Dataset(market, coords={"market": ["day_ahead", "intraday"]})
    >>> case = v2g.assemble(time, {"load": load, "energy": energy}, step_hours=1.0)
    >>> case["probability"] = xr.DataArray([0.5, 0.5], coords={"scenario": ["empty", "full"]})
    >>> worth = v2g.vss(case)
    >>> [round(float(worth[name]), 6) for name in ("RP", "EEV", "VSS")]
    [-0.45, -0.5, 0.05]
    """
    inputs = _with_scenarios(case, parts)
    best = solve(case, parts=parts, **options) if here_and_now is None else here_and_now
    for_the_mean = solve(mean_case(case), parts=parts, **options)
    note = ""
    try:
        kept = solve(case, parts=parts, fix=_decided(for_the_mean, inputs), **options)
        eev = float(kept.attrs["objective"])
    except Infeasible as error:
        eev, note = -float("inf"), error.explanation
    except SchemaError as error:
        eev, note = -float("inf"), "\n".join(f"  {p}" for p in error.problems)
    rp = float(best.attrs["objective"])
    found = _table(inputs, RP=rp, EEV=eev, VSS=rp - eev)
    return found.assign_attrs(infeasible=note) if note else found


def mean_case(case: xr.DataTree) -> xr.DataTree:
    """Return the case without scenarios in which every number is the mean over them."""
    root = case.to_dataset()
    weight = root["probability"]
    possible = weight.where(weight > 0, drop=True)

    def mean(x: xr.DataArray) -> xr.DataArray:
        if "scenario" not in x.dims:
            return x
        return (
            (x.sel(scenario=possible["scenario"]) * possible)
            .sum("scenario", skipna=False)
            .assign_attrs(x.attrs)
        )

    groups = {}
    for name, node in case.children.items():
        if name not in (*RESULT_GROUPS, "risk"):
            ds = node.to_dataset()
            groups[f"/{name}"] = ds.assign({n: mean(x) for n, x in ds.data_vars.items()}).drop_vars(
                "scenario", errors="ignore"
            )
    return xr.DataTree.from_dict({"/": root.drop_vars(["probability", "scenario"]), **groups})


def _with_scenarios(case: xr.DataTree, parts: Mapping[str, Part]) -> Inputs:
    inputs = inputs_of(case, parts)
    if inputs.probability is None:
        detail = (
            "missing: without scenarios there is nothing to know; v2g.scenarios makes some of a"
            " case"
        )
        raise SchemaError([Problem("scenario", "missing", detail)])
    return inputs


def _known(case: xr.DataTree, inputs: Inputs) -> xr.DataTree:
    """Return the case in which everything is decided once the scenario is known."""
    reserve = inputs.data.get("reserve")
    if reserve is not None and bool((reserve.availability < 1).any()):
        detail = (
            "below 1 it is a promise over all scenarios, which none can keep or break alone; give 1"
        )
        raise SchemaError([Problem("reserve.availability", "consistency", detail)])
    case = case.copy()
    for part, _ in inputs:
        if "first_stage" in {f.name for f in part.schema.inputs}:
            case[part.name] = case[part.name].to_dataset().assign(first_stage=0.0)
    return case


def _decided(result: xr.DataTree, inputs: Inputs) -> dict[str, Fixed]:
    """Return what a plan decides before the scenario is known, and where."""
    return {
        f"{part.name}.{f.name}": (result[part.name][f.name].drop_attrs(), d.first_stage > 0)
        for part, d in inputs
        for f in part.schema.outputs
        if f.first_stage and d.sizes.get(part.member, 1)
    }


def _table(inputs: Inputs, **numbers: float) -> xr.Dataset:
    money = inputs.calendar.currency
    return xr.Dataset(
        {n: ((), x, {"units": money, "long_name": MEANINGS[n]}) for n, x in numbers.items()}
    )
