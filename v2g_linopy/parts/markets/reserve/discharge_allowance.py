"""What calls upward may discharge beyond the plan, where owners of vehicles limit that
(docs/formulation.md §3, §10).
"""

import xarray as xr

from ....algebra.expression import Expression, Quantity
from ....model.scope import Scope
from ....model.terms import Allowance
from .energy_backing import WorstCalls
from .guarantees import robust


def allowance_rows(
    s: Scope, d: xr.Dataset, asset: str, x: Expression, possible: xr.DataArray
) -> Expression | None:
    """Sum_r V_r <= allowance - used at the end of each step; return the sum, where there is one.

    The equations of V stand in `build`. Products that guarantee no energy count in the mean alone.
    """
    allowance = s.flex[asset].allowance
    if allowance is None:
        return None
    owned = allowance.limited.any("time")
    promised = (d.guarantee != "expected") & (d.up > 0) & allowance.discharges & owned
    counted = possible & promised
    endured = counted & (d.guarantee == "endurance")
    calls = WorstCalls(s, d, asset, "discharge", allowance.goes_on, counted & robust(d))
    calls.held = calls.held & owned
    held = calls.held | endured
    if not bool(held.any()):
        return None
    most = calls.variable(held)
    if bool(counted.any()):
        fed_in = d.up * x - _stopped(calls, allowance, counted)
        calls.bound(most, [("call", fed_in, counted)])
        lasting = most - d.hours_up * fed_in >= 0
        s.add(f"{calls.name}_endurance_{asset}", lasting, mask=endured)
    else:
        calls.bound(most, [])
    limited, called = held.any("product") & allowance.limited, most.sum("product")
    s.add(f"allowance_{asset}", called <= allowance.left, mask=limited)
    return called


def _stopped(calls: WorstCalls, allowance: Allowance[Expression], where: xr.DataArray) -> Quantity:
    """Baseline charging that calls of each product stop before they discharge: all of it for one,
    shared out to several.
    """
    promised = (calls.d.guarantee != "expected") & (calls.d.up > 0)
    if int(promised.sum()) == 1:
        return allowance.charge
    return calls.shared_out("charge_stopped", allowance.charge, where)
