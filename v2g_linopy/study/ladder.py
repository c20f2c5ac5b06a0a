"""The value ladder: unmanaged, smart, V2G, with and without reserves, on one case and one ledger,
and what calls, least bids, acceptance and not knowing the future take of it (docs/formulation.md
§1).
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pandas as pd
import xarray as xr

from ..delivery.call_states import with_netted_calls
from ..errors import Infeasible, Problem, SchemaError
from ..model.inputs import RESULT_GROUPS, Inputs, inputs_of
from ..model.part import Part
from ..model.reserve_rules import may_be_refused, told_by_states
from ..operate.offer_acceptance import with_known_acceptance
from ..operate.unmanaged import first_come
from ..parts.catalogue import PARTS
from ..solve.audit import mean_total
from ..solve.solve import solve
from .attribution import CAUSES, cause_of

BEFORE = {
    "smart": "unmanaged",
    "V2G": "smart",
    "smart + reserves": "smart",
    "V2G + reserves": "V2G",
    "calls netted": "V2G + reserves",
    "no least bids": "V2G + reserves",
    "all accepted": "V2G + reserves",
    "known in advance": "operated",
}
RUNGS = ("unmanaged", *list(BEFORE)[:-1], "operated", "known in advance")
"""All rungs, in the order in which they are told."""
TOP = "V2G + reserves", "V2G"
"""The rung whose result is returned: the first that is there. Rungs after it leave out what takes
some of it."""
FORESIGHT = (
    "Every rung knows all prices and arrivals in advance (perfect foresight), and no position is"
    " taken without a physical plan: the figures are upper bounds on what operation earns."
)


def compare(
    case: xr.DataTree,
    *,
    operated: xr.DataTree | None = None,
    parts: Mapping[str, Part] = PARTS,
    **options: Any,
) -> xr.DataTree:
    """Solve the rungs of the ladder on one case: three, and two more where it has reserves.

    The rungs are `unmanaged`, `smart`, `V2G`, `smart + reserves` and `V2G + reserves`, all with
    perfect foresight and on one ledger (docs/formulation.md §1). Beside the last one stands what it
    would earn without something that takes of it: `calls netted`, where calls are told by states
    (as if those that cancel cost nothing), `no least bids`, where reserves have any, and `all
    accepted`, where offers may not be. With a run of `simulate` two more stand below: `operated`,
    what it came to on forecasts and with the acceptance that was drawn, and `known in advance`, the
    best plan for the same acceptance; what lies between is what not knowing the future takes.

    Parameters
    ----------
    case : xarray.DataTree
        A case with a fleet; without a product in `/reserve` the ladder has no rungs with reserves.
    operated : xarray.DataTree, optional
        A run of `simulate` of the whole case.
    parts : mapping of str to Part, default PARTS
        The catalogue.
    **options
        As for `solve`: `solver`, `options`, `gap`, `time_limit` (s), `complementarity`, `blocks`,
        `audit`.

    Returns
    -------
    xarray.DataTree
        The result of the top rung with the group `/ladder`: `profit(rung)`, `objective(rung)`,
        `ledger(rung, entry)` and `step(rung, cause)`, the change from the rung named in
        `before(rung)` (EUR); `energy_charged`, `energy_discharged` and `unserved` on rung (kWh).
        Attributes `vehicles` and `years` give figures per vehicle and year.

    Raises
    ------
    SchemaError
        The case has no fleet, does not fit the schema, or has a fleet that differs by scenario; or
        `operated` is no run of this case.
    Infeasible
        A rung has no plan; the explanation names it.
    SolveError, SolverError, Interrupted
        As `solve`.

    Examples
    --------
    A car at a lossless 10 kW charger needs 20 kWh in four hours. At once they cost 50 and 20
    EUR/MWh; in the cheapest hours 20 and 30; and who buys 10 kWh more at 50 can sell them at 60:

    >>> import pandas as pd
    >>> import xarray as xr
    >>> import v2g_linopy as v2g
    >>> time = pd.date_range("2026-03-02", periods=4, freq="h")
    >>> car = {"charge_max": 10.0, "discharge_max": 10.0, "energy_max": 40.0}
    >>> car |= {"energy_min": ("time", [0.0, 0.0, 0.0, 20.0])}
    >>> car |= {"eta_charge": 1.0, "eta_discharge": 1.0}
    >>> market = {"price": ("time", [50.0, 20.0, 30.0, 60.0]), "limit": 100.0}
    >>> fleet = xr.Dataset(car, coords={"fleet": ["ev"]})
    >>> energy = xr.Dataset(market, coords={"market": ["day_ahead"]})
    >>> result = v2g.compare(v2g.assemble(time, {"fleet": fleet, "energy": energy}))
    >>> for rung, profit in result["ladder"].profit.to_series().items():
    ...     print(f"{rung:<10}{profit:6.2f}")
    unmanaged  -0.70
    smart      -0.50
    V2G        -0.40
    """
    if "fleet" not in case.children:
        raise SchemaError(
            [Problem("fleet", "missing", "missing: the ladder compares ways to charge a fleet")]
        )
    inputs = inputs_of(case, parts)
    variants = _variants(case, inputs)
    if operated is not None:
        variants.append(("known in advance", _as_it_came(case, operated), None))
    results = {} if operated is None else {"operated": operated}
    for rung, variant, fix in variants:
        try:
            results[rung] = solve(variant, fix=fix, parts=parts, **options)
        except Infeasible as error:
            raise Infeasible(
                f"  on the rung {rung!r} of the ladder:\n{error.explanation}"
            ) from None
    top = next(results[rung] for rung in TOP if rung in results)
    in_order = {rung: results[rung] for rung in RUNGS if rung in results}
    top["ladder"] = xr.DataTree(_ladder(in_order, inputs))
    return top


def _as_it_came(case: xr.DataTree, operated: xr.DataTree) -> xr.DataTree:
    """Return the case as one sees it who knows which offers of a run are accepted."""
    there, time = operated.to_dataset(), case.to_dataset().indexes["time"]
    members = [x["fleet"].to_dataset().indexes["fleet"] for x in (case, operated)]
    if (
        "decisions" not in operated.attrs
        or not there.indexes["time"].equals(time)
        or not members[0].equals(members[1])
    ):
        detail = "is no run of this case, from its first step to its last: make it with simulate"
        raise SchemaError([Problem("operated", "mismatch", detail)])
    known = _variant(case, v2g=True, reserves=True)
    if "accepted" in operated.children.get("reserve", ()):
        drawn = operated["reserve"].accepted
        reserves = known.children["reserve"].to_dataset(inherit=False).assign(accepted=drawn)
        known["reserve"] = xr.DataTree(with_known_acceptance(reserves))
    return known


def _variants(
    case: xr.DataTree, inputs: Inputs
) -> list[tuple[str, xr.DataTree, dict[str, xr.DataArray] | None]]:
    """Return name, case and fixed plans of every rung."""
    smart = _variant(case, v2g=False, reserves=False)
    # nobody schedules this plan: it is settled step by step, whatever the market time unit
    unscheduled = smart.copy()
    if "energy" in unscheduled.children:
        block = xr.DataArray(0.0, attrs={"units": "h"})
        unscheduled["energy"] = unscheduled["energy"].assign(block=block)
    rungs = [
        ("unmanaged", unscheduled, {"fleet.charge": first_come(inputs)}),
        ("smart", smart, None),
        ("V2G", _variant(case, v2g=True, reserves=False), None),
    ]
    reserve = inputs.data.get("reserve")
    if reserve is None or not reserve.sizes["product"]:
        return rungs
    top = _variant(case, v2g=True, reserves=True)
    return [
        *rungs,
        ("smart + reserves", _variant(case, v2g=False, reserves=True), None),
        ("V2G + reserves", top, None),
        *((rung, variant, None) for rung, variant in _without_a_burden(top, reserve, inputs.parts)),
    ]


def _without_a_burden(
    top: xr.DataTree, reserve: xr.Dataset, parts: Mapping[str, Part]
) -> Iterator[tuple[str, xr.DataTree]]:
    """Yield the top rung without each thing that takes of what it earns."""
    if told_by_states(reserve):
        yield "calls netted", with_netted_calls(top, parts=parts)
    least = [n for n in ("minimum_bid", "step") if bool((reserve[n] > reserve["pool"]).any())]
    if least:
        yield "no least bids", _without_fields(top, least)
    if may_be_refused(reserve):
        yield "all accepted", _without_fields(top, ["accept_probability", "accepted"])


def _without_fields(case: xr.DataTree, names: list[str]) -> xr.DataTree:
    """Return a copy of the case without some fields of its reserves."""
    free = case.copy()
    reserves = case.children["reserve"].to_dataset(inherit=False)
    free["reserve"] = xr.DataTree(reserves.drop_vars(names, errors="ignore"))
    return free


def _variant(case: xr.DataTree, *, v2g: bool, reserves: bool) -> xr.DataTree:
    """Return the case without feeding in, without reserves, or both; no trade without a plan."""
    tree = without_results(case)
    if not reserves and "reserve" in tree.children:
        del tree["reserve"]
    if "energy" in tree.children:
        none = xr.DataArray(0.0, attrs={"units": "1"})
        tree["energy"] = tree["energy"].assign(virtual_bidding=none)
    return tree if v2g else with_smart_charging(tree)


def without_results(case: xr.DataTree) -> xr.DataTree:
    """Return a copy of the case that a result holds."""
    return case.filter(lambda node: node.name not in RESULT_GROUPS)


def with_smart_charging(case: xr.DataTree) -> xr.DataTree:
    """Return a copy of the case in which no vehicle feeds in."""
    smart, nothing = case.copy(), xr.DataArray(0.0, attrs={"units": "kW"})
    smart["fleet"] = smart["fleet"].assign(discharge_max=nothing)
    return smart


def _ladder(results: Mapping[str, xr.DataTree], inputs: Inputs) -> xr.Dataset:
    """Sums per rung and entry, and what each step changed."""
    rungs = list(results)
    ledger = _sums(results, inputs).loc[rungs]
    step = _steps(ledger, inputs)

    money, energy = {"units": inputs.calendar.currency}, {"units": "kWh"}

    def on_rungs(value_of: Callable[[xr.DataTree], float], attrs: dict[str, str]) -> Any:
        return "rung", [value_of(result) for result in results.values()], attrs

    ladder = xr.Dataset(
        {
            "profit": on_rungs(lambda result: result.attrs["profit"], money),
            "objective": on_rungs(lambda result: result.attrs["objective"], money),
            "ledger": (("rung", "entry"), ledger.to_numpy(), money),
            "step": (("rung", "cause"), step.to_numpy(), money),
            "before": ("rung", [BEFORE.get(rung, "") for rung in rungs]),
            "energy_charged": on_rungs(lambda result: _energy(result, "charge", inputs), energy),
            "energy_discharged": on_rungs(
                lambda result: _energy(result, "discharge", inputs), energy
            ),
            "unserved": on_rungs(lambda result: _unserved(result, inputs), energy),
        },
        coords={"rung": rungs, "entry": list(ledger.columns), "cause": list(CAUSES)},
    )
    hours = inputs.dt * len(inputs.calendar.time)
    vehicles = float(inputs.data["fleet"].vehicles.sum())
    return ladder.assign_attrs(vehicles=vehicles, years=hours / 8760.0, foresight=FORESIGHT)


def _sums(results: Mapping[str, xr.DataTree], inputs: Inputs) -> pd.DataFrame:
    """Entries of the ledger, summed, by rung; 0 where a rung has none."""
    sums = {}
    for rung, result in results.items():
        entries = result["ledger"].to_dataset().data_vars.items()
        sums[rung] = {str(name): mean_total(x, inputs.probability) for name, x in entries}
    return pd.DataFrame(sums).T.fillna(0.0)


def _steps(ledger: pd.DataFrame, inputs: Inputs) -> pd.DataFrame:
    """What each rung changes, by cause, from the one it is compared with."""
    by_cause = ledger.T.groupby(lambda entry: cause_of(entry, inputs.parts)).sum().T
    causes = by_cause.reindex(columns=list(CAUSES), fill_value=0.0)
    step = causes.copy()
    for rung in ledger.index:
        before = BEFORE.get(rung)
        step.loc[rung] = 0.0 if before is None else causes.loc[rung] - causes.loc[before]
    return step


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
