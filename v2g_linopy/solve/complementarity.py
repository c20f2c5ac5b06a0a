"""No storage charges and discharges at once: where the LP is exact, and where it takes binaries
(docs/formulation.md §1).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

import xarray as xr

from ..model.accepted_offers import as_expected
from ..model.formulas import given
from ..model.inputs import Inputs
from ..model.part import Part
from ..model.reserve_rules import (
    fed_in_beyond_states,
    on_two_paths,
    told_by_states,
    turned_within_steps,
)

MODES = ("lazy", "audit", "milp", "off")
TOLERANCE = 1e-6  # kW

_CALLED = {"fleet": "vehicle"}  # a member, where its part is called otherwise

Flags = Mapping[tuple[str, str], xr.DataArray]  # (part, path) -> True where one excludes the other
Overlap = Mapping[tuple[str, str], xr.DataArray]  # (part, path) -> kW at once

EXPECTED_PATH, BASELINE_PATH = "", "_baseline"  # of a storage, as names of its variables end
CALLED_PATH = "_called"  # the expected path, in every state of the calls
PATHS = EXPECTED_PATH, BASELINE_PATH, CALLED_PATH


class Direction(NamedTuple):
    """Names of a binary and of the two powers that it decides between."""

    binary: str
    charge: str
    discharge: str


def direction(part: str, path: str) -> Direction:
    """Return the variables of a path of a storage of which one excludes another.

    In every state of the calls it is the power in that state that is drawn or fed in.
    """
    if path == CALLED_PATH:
        return Direction(f"reserve.feeds_in_{part}", f"{part}.charge", f"{part}.discharge")
    return Direction(f"{part}.charging{path}", f"{part}.charge{path}", f"{part}.discharge{path}")


def directions(variables: Iterable[str]) -> list[Direction]:
    """Return the directions whose binaries are among some variables."""
    there = list(variables)
    parts = dict.fromkeys(name.partition(".")[0] for name in there)
    possible = [direction(part, path) for part in parts for path in PATHS]
    return [names for names in possible if names.binary in there]


def eligible(inputs: Inputs) -> dict[tuple[str, str], xr.DataArray]:
    """Return every (member, time) at which charging excludes discharging.

    These are the single vehicles and batteries (not the aggregates) that can do both; on the
    expected path only where calls do not turn the power within a step, and else in every state of
    the calls, if they are told by states; on the baseline path always. A store of heat is never
    activated."""
    found: dict[tuple[str, str], xr.DataArray] = {}
    reserve = inputs.data.get("reserve")
    for part, d in _storages(inputs):
        both = (d.charge_max > 0) & (d.discharge_max > 0)
        single = both & (d["aggregate"] == 0) if "aggregate" in d else both

        electric = given(d, "carrier", xr.DataArray("electricity")) == "electricity"
        turned = turned_within_steps(reserve) & electric
        paths = {EXPECTED_PATH: single & ~turned}
        if on_two_paths(d, reserve):
            paths[BASELINE_PATH] = single
        if told_by_states(reserve):
            paths[CALLED_PATH] = single & turned
        found |= {(part.name, path): where for path, where in paths.items() if bool(where.any())}
    return found


def with_flags(inputs: Inputs, flags: Flags) -> Inputs:
    """Return inputs whose parts write binaries at the flagged places."""
    data = dict(inputs.data)
    for (name, path), where in flags.items():
        data[name] = data[name].assign({"exclusive" + path: where})
    return replace(inputs, data=data)


def overlap(
    inputs: Inputs, solution: Mapping[str, xr.DataArray], where: Flags
) -> dict[tuple[str, str], xr.DataArray]:
    """Return min(charge, discharge) at every place where one excludes the other (kW).

    Where calls turn the power within a step, it is what is fed in beyond the mean of all states.
    """
    found = {}
    for (part, path), mask in where.items():
        names = direction(part, path)
        charge, discharge = solution.get(names.charge), solution.get(names.discharge)
        if path == CALLED_PATH:
            beyond = _beyond_states(inputs, solution, part)
            found[part, path] = beyond.fillna(0.0).where(mask, 0.0)
        elif charge is not None and discharge is not None:
            at_once = xr.where(charge < discharge, charge, discharge)
            found[part, path] = at_once.fillna(0.0).where(mask, 0.0)
    return found


def _beyond_states(inputs: Inputs, solution: Mapping[str, xr.DataArray], part: str) -> xr.DataArray:
    """Return what every member of a part feeds in beyond what the states of its calls do (kW)."""
    d = as_expected(inputs.data["reserve"])
    charge, discharge = (solution[f"{part}.{way}"].fillna(0.0) for way in ("charge", "discharge"))
    share = solution.get(f"reserve.share_{part}", xr.zeros_like(d.volume_max)).fillna(0.0)
    return fed_in_beyond_states(d, inputs.data[part], charge, discharge, share)


def candidates(
    inputs: Inputs,
    where: Flags,
    offenders: Overlap,
    dual: Mapping[str, xr.DataArray],
    reduced: Mapping[str, xr.DataArray],
) -> dict[tuple[str, str], xr.DataArray]:
    """Return every place where it would pay to waste energy, and every offender.

    A kW more charged and eta_c eta_d kW more discharged leave the energy on board as it is. With
    the reduced costs r of both that earns (r_c + eta_c eta_d r_d) / dt, per kWh drawn. Where a kWh
    costs what it earns, mu, that is -(1 - eta_c eta_d) mu - kappa_c - eta_c eta_d kappa_d, with
    wear kappa per grid-side kWh: the threshold of §1. It is more where activation can stop the
    charging (§3) or where trades want a backing of flows (§2)."""
    found = {}
    for (part, path), both in offenders.items():
        d, mask = inputs.data[part], where[part, path]
        names, kept = direction(part, path), d.eta_charge * d.eta_discharge
        per_kwh = inputs.dt * inputs.weight(dual)
        charge, discharge = reduced[names.charge] / per_kwh, reduced[names.discharge] / per_kwh

        pays = (charge + kept * discharge >= -1e-9) & (kept < 1 - 1e-12)
        if path == CALLED_PATH:  # both ways share these steps anyway: only where some is wasted
            pays = xr.zeros_like(pays)
        chosen = (pays & mask) | (both > TOLERANCE)
        if "scenario" in chosen.dims:
            chosen = chosen.any("scenario")
        same_axes = set(mask.dims) == set(chosen.dims)
        found[part, path] = chosen.transpose(*mask.dims) if same_axes else chosen
    return found


def sentence(
    inputs: Inputs,
    mode: str,
    rounds: int,
    binaries: int,
    both: Overlap,
    lost: float,
    others: int = 0,
) -> str:
    """Say in words what it took, and of which kinds of storage.

    `others` counts binaries of other kinds.
    """
    if mode == "off":
        return "not examined (complementarity off)"
    at_once = {part: float(x.max()) for (part, _), x in both.items() if float(x.max()) > TOLERANCE}
    if at_once:
        energy = inputs.dt * sum(float(x.sum()) for x in both.values())
        remedy = (
            "solve with complementarity lazy or milp"
            if mode == "audit"
            else "it was stopped before it was exact"
        )
        return (
            f"unphysical: a single {_kinds(at_once)} charges and discharges in one step, by up to"
            f" {max(at_once.values()):.3g} kW, {energy:.3g} kWh in all, and the profit is too high;"
            f" {remedy}"
        )
    fact = f"no {_kinds(part.name for part, _ in _storages(inputs))} charges and discharges at once"
    if binaries:
        gain = (
            f"; the relaxation overstated the objective by {lost:.6g} {inputs.calendar.currency}"
            if lost > 0
            else ""
        )
        return f"{fact}; it took {binaries} binaries in {rounds} extra solve(s){gain}"
    if others:
        return f"{fact}; no binaries were needed for it ({others} for other states)"
    return f"{fact}; the linear programme is exact, no binaries were needed"


def _storages(inputs: Inputs) -> Iterator[tuple[Part, xr.Dataset]]:
    """Parts with members that charge and discharge."""
    for part, d in inputs:
        charges = {"charge", "discharge"} <= {f.name for f in part.schema.outputs}
        if charges and d.sizes.get(part.member, 1):
            yield part, d


def _kinds(parts: Iterable[str]) -> str:
    """Return what the members of parts are called: `vehicle or battery`."""
    return " or ".join(dict.fromkeys(_CALLED.get(part, part) for part in parts)) or "storage"
