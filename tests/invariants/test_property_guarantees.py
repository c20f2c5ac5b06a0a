"""What reserves promise, on drawn cases (docs/formulation.md §15: 10, 11, 12, 24)."""

from unittest.mock import patch

import xarray as xr
from hypothesis import assume, given
from hypothesis import strategies as st
from invariants.changes import at_least, close, edit, group, objective, plan
from invariants.strategies import cases
from invariants.wanted import PLUGGED, Draw, Wanted, few

import v2g_linopy as v2g
from v2g_linopy.parts.markets.reserve import energy_backing
from v2g_linopy.solve import audit

CHAIN = ("expected", "physical", "budget", "box")
SOLD = Wanted(
    reserve=True, connection=False, scenarios=False, steps=(2, 6), members=(1, 2), retail=False
)
CALM = SOLD.only(activation=False)


def step(case: xr.DataTree) -> float:
    """Hours of a step."""
    return float(case.attrs["step_hours"])


@st.composite
def offers(draw: Draw, wanted: Wanted, most: int = 1) -> xr.DataTree:
    """A drawn case whose products have budgets: a cycle of one to four steps, and calls of up to
    `most` steps in it.
    """
    case = draw(cases(wanted))
    reserve = group(case, "reserve")
    many = reserve.sizes["product"]

    def hours(low: int, high: int) -> tuple[str, list[float]]:
        return "product", [step(case) * draw(st.integers(low, high)) for _ in range(many)]

    period, cycle = hours(1, most), hours(most, 4)
    return level(
        edit(case, reserve=reserve.assign(activation_period=period, activation_cycle=cycle)),
        "budget",
    )


def level(case: xr.DataTree, guarantee: str) -> xr.DataTree:
    """The case with another guarantee for all products."""
    reserve = group(case, "reserve")
    return edit(
        case, reserve=reserve.assign(guarantee=("product", [guarantee] * reserve.sizes["product"]))
    )


@few(3)
@given(offers(CALM))
def test_more_of_a_promise_earns_less(case):
    """10: expected ≥ physical ≥ budget ≥ box. Holds where calls last a step and no activation is
    expected.
    """
    earned = [objective(level(case, guarantee), complementarity="off") for guarantee in CHAIN]
    assert all(at_least(a, b) for a, b in zip(earned, earned[1:], strict=False)), earned


@few(3)
@given(offers(SOLD.only(steps=(2, 5)), most=2), st.integers(0, 99))
def test_every_admissible_signal_is_delivered(case, seed):
    """11: no extreme and no random signal that a budget admits breaks a limit of a member, with
    activation expected.
    """
    assume(group(case, "reserve").sizes["product"] <= 2)
    result = v2g.solve(case, gap=0.0)
    for signals in (v2g.extreme_signals(result), v2g.random_signals(result, 200, seed=seed)):
        found = v2g.stress(result, signals)
        assert float(found.admissible.min()) == 1
        assert float(found.violation_energy.max()) <= 1e-6
        assert float(found.violation_power.max()) <= 1e-6
        assert float(found.missed.max()) <= 1e-6


@few(2)
@given(offers(SOLD))
def test_epigraph_and_dual_agree(case):
    """12: where a period is a step, the recursion and the dual of the worst calls are one bound."""
    recursion = objective(case, complementarity="off")
    with patch.object(energy_backing, "within_a_step", lambda share: share < 0):
        assert close(objective(case, complementarity="off", audit=True), recursion)


@few(3)
@given(offers(SOLD.only(kinds=PLUGGED, steps=(3, 6), blocks=False)), st.integers(1, 2))
def test_windows_that_roll_add_up(case, steps):
    """24: what the first steps earn and the plan of the rest, with what calls left behind, is the
    plan of the whole.

    Holds for calls of a step at most.
    """
    whole = plan(case, complementarity="off")
    ledger = sum(
        float(x.isel(time=slice(steps)).sum())
        for x in whole["ledger"].data_vars.values()
        if "time" in x.dims
    )
    later = case.isel(time=slice(steps, None))
    done = whole["fleet"].to_dataset().isel(time=steps - 1, drop=True)
    rest = edit_later(later, done, audit.next_states_of_result(whole, steps).get("reserve", {}))
    assert close(
        ledger + objective(rest, complementarity="off"), float(whole.attrs["objective"]), 1e-7
    )


def edit_later(case: xr.DataTree, done: xr.Dataset, left: dict[str, xr.DataArray]) -> xr.DataTree:
    """The later window, with the energy on board on either path and what calls may have moved
    before.
    """
    fleet, reserve = group(case, "fleet"), group(case, "reserve")
    initial = {
        into: done[out].drop_attrs()
        for into, out in v2g.PARTS["fleet"].state_inputs.items()
        if out in done
    }
    given = {name: x.assign_attrs(units="kWh") for name, x in left.items()}
    return edit(case, fleet=fleet.assign(initial), reserve=reserve.assign(given))
