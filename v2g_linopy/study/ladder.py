"""The value ladder: unmanaged, smart, V2G, with and without reserves, on one case and one ledger
(docs/formulation.md §1).
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import xarray as xr

from ..errors import Infeasible, Problem, SchemaError
from ..model.inputs import RESULT_GROUPS, Inputs, inputs_of
from ..model.part import Part
from ..operate.unmanaged import _first_come
from ..parts.catalogue import PARTS
from ..solve.audit import mean_total
from ..solve.solve import solve
from .attribution import CAUSES, _cause

BEFORE = {
    "smart": "unmanaged",
    "V2G": "smart",
    "smart + reserves": "smart",
    "V2G + reserves": "V2G",
}
FORESIGHT = (
    "Every rung knows all prices and arrivals in advance (perfect foresight), and no position is"
    " taken without a physical plan: the figures are upper bounds on what operation earns."
)


def compare(case: xr.DataTree, *, parts: Mapping[str, Part] = PARTS, **options: Any) -> xr.DataTree:
    """Solve the rungs of the ladder on one case: three, and two more where it has reserves.

    Parameters
    ----------
    case : xarray.DataTree
        A case with a fleet; without a product in `/reserve` the ladder has no rungs with reserves.
    parts, **options
        As for `solve`.

    Returns
    -------
    xarray.DataTree
        The result of the top rung with the group `/ladder`: `profit(rung)`, `objective(rung)`,
        `ledger(rung, entry)` and `step(rung, cause)`, the change from the rung named in
        `before(rung)` (EUR); attributes `vehicles` and `years` give figures per vehicle and year.
    """
    if "fleet" not in case.children:
        raise SchemaError(
            [Problem("fleet", "missing", "missing: the ladder compares ways to charge a fleet")]
        )
    inputs = inputs_of(case, parts)
    results = {}
    for rung, variant, fix in _variants(case, inputs):
        try:
            results[rung] = solve(variant, fix=fix, parts=parts, **options)
        except Infeasible as error:
            raise Infeasible(
                f"  on the rung {rung!r} of the ladder:\n{error.explanation}"
            ) from None
    top = results[list(results)[-1]]
    top["ladder"] = xr.DataTree(_ladder(results, inputs))
    return top


def _variants(
    case: xr.DataTree, inputs: Inputs
) -> list[tuple[str, xr.DataTree, dict[str, xr.DataArray] | None]]:
    def variant(v2g: bool, reserves: bool) -> xr.DataTree:
        tree = case.copy()
        for group in (*RESULT_GROUPS, *(() if reserves else ("reserve",))):
            if group in tree.children:
                del tree[group]
        if "energy" in tree.children:
            tree["energy"] = tree["energy"].assign(
                virtual_bidding=xr.DataArray(0.0, attrs={"units": "1"})
            )
        if not v2g:
            tree["fleet"] = tree["fleet"].assign(
                discharge_max=xr.DataArray(0.0, attrs={"units": "kW"})
            )
        return tree

    smart = variant(v2g=False, reserves=False)
    free = (
        smart.copy()
    )  # nobody schedules this plan: it is settled step by step, whatever the market time unit
    if "energy" in free.children:
        free["energy"] = free["energy"].assign(block=xr.DataArray(0.0, attrs={"units": "h"}))
    rungs = [
        ("unmanaged", free, {"fleet.charge": _first_come(inputs)}),
        ("smart", smart, None),
        ("V2G", variant(v2g=True, reserves=False), None),
    ]
    reserve = inputs.data.get("reserve")
    if reserve is None or not reserve.sizes["product"]:
        return rungs
    return [
        *rungs,
        ("smart + reserves", variant(v2g=False, reserves=True), None),
        ("V2G + reserves", variant(v2g=True, reserves=True), None),
    ]


def _ladder(results: Mapping[str, xr.DataTree], inputs: Inputs) -> xr.Dataset:
    """Sums per rung and entry, and what each step changed."""
    sums = {}
    for rung, r in results.items():
        entries = r["ledger"].to_dataset().data_vars.items()
        sums[rung] = {str(n): mean_total(x, inputs.probability) for n, x in entries}
    rungs = list(results)
    ledger = pd.DataFrame(sums).T.fillna(0.0).loc[rungs]
    causes = ledger.T.groupby(_cause).sum().T.reindex(columns=list(CAUSES), fill_value=0.0)
    step = causes.copy()
    step.loc["unmanaged"] = 0.0
    for rung in rungs[1:]:
        step.loc[rung] = causes.loc[rung] - causes.loc[BEFORE[rung]]
    money = {"units": inputs.calendar.currency}
    ladder = xr.Dataset(
        {
            "profit": ("rung", [r.attrs["profit"] for r in results.values()], money),
            "objective": ("rung", [r.attrs["objective"] for r in results.values()], money),
            "ledger": (("rung", "entry"), ledger.to_numpy(), money),
            "step": (("rung", "cause"), step.to_numpy(), money),
            "before": ("rung", [BEFORE.get(r, "") for r in rungs]),
            "energy_charged": (
                "rung",
                [_energy(r, "charge", inputs) for r in results.values()],
                {"units": "kWh"},
            ),
            "energy_discharged": (
                "rung",
                [_energy(r, "discharge", inputs) for r in results.values()],
                {"units": "kWh"},
            ),
            "unserved": (
                "rung",
                [_unserved(r, inputs) for r in results.values()],
                {"units": "kWh"},
            ),
        },
        coords={"rung": rungs, "entry": list(ledger.columns), "cause": list(CAUSES)},
    )
    hours = inputs.dt * len(inputs.calendar.time)
    vehicles = float(inputs.data["fleet"].vehicles.sum())
    return ladder.assign_attrs(vehicles=vehicles, years=hours / 8760.0, foresight=FORESIGHT)


def _energy(result: xr.DataTree, side: str, inputs: Inputs) -> float:
    power = result["fleet"].to_dataset()[side]
    return mean_total(power, inputs.probability) * inputs.dt


def _unserved(result: xr.DataTree, inputs: Inputs) -> float:
    fleet = result["fleet"].to_dataset()
    return sum(
        mean_total(fleet[n], inputs.probability)
        for n in ("unserved", "unserved_trip")
        if n in fleet
    )
