"""What calls of reserves do at the meter of a pod, where a kWh drawn and one fed in have different
prices (docs/formulation.md §5).
"""

import xarray as xr

from ....algebra.expression import Expression, Quantity
from ....model.accepted_offers import as_expected
from ....model.reserve_rules import told_by_states
from ....model.scope import Scope
from ....model.upper_sets import MOST_ROWS, sets_of_states
from .schema import counts_apart


def metered_calls(s: Scope, d: xr.Dataset, drawn: Expression, fed: Expression) -> None:
    """Rows: a meter counts what is drawn and what is fed in while the calls are in each state.

    With shares w_s of the states, a_rs what product r is called per kW sold (abar_r in the mean),
    X_r what the members at the pod sell, and U an upper set of the states::

        b = export - import - sum_r abar_r X_r
        sum_{s in U} w_s (b + sum_r a_rs X_r) <= export

    Where there are more than `MOST_ROWS` sets, each state has a column in their place::

        f_s >= b + sum_r a_rs X_r,   f_s >= 0,   sum_s w_s f_s <= export
    """
    reserve, apart = s.inputs.get("reserve"), counts_apart(d)
    if reserve is None or not told_by_states(reserve) or not bool(apart.any()):
        return
    sold = _sold_at_pods(s, d)
    if not isinstance(sold, Expression):
        return
    r = as_expected(reserve)
    where = apart & (r.volume_max > 0).any("product")
    called, mean = r.call_share * r.call, (r.call_share * r.call).sum("call_state")
    sets = sets_of_states(r.call, MOST_ROWS)
    if sets is not None:
        share = (sets * r.call_share).sum("call_state")
        more = (sets * called).sum("call_state") - share * mean
        fed_in = share * (fed - drawn) + (more * sold).sum("product")
        s.add("export_under_calls", fed_in - fed <= 0, mask=where)
        return
    every = where & xr.ones_like(r.call_share, dtype=bool)
    f = s.var_where("export_in_state", every, over=[r.indexes["call_state"]])
    in_state = fed - drawn + ((r.call - mean) * sold).sum("product")
    s.add("export_in_state", in_state - f <= 0, mask=every)
    s.add("export_under_calls", (r.call_share * f).sum("call_state") - fed <= 0, mask=where)


def _sold_at_pods(s: Scope, d: xr.Dataset) -> Quantity:
    """What the members at each pod sell of each product, kW on (pod, product, time)."""
    sold: Quantity = 0.0
    for asset in (*s.flex, *s.offered):  # kinds of asset, never members
        if f"reserve.share_{asset}" in s.model.variables:
            share = s[f"reserve.share_{asset}"]
            sold = sold + s.per_pod(share, asset).sel(pod=d.indexes["pod"])
    return sold
