"""Plans as a portfolio sees them, and the group `/flexibility` that they make."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from ...model.inputs import Inputs
from .message import products_of

RESIDUE = 1e-9  # kW, and EUR relative; what a solver leaves of nothing
LEAST_MISSING_COST = 3.0  # EUR/kWh
ANY_VOLUME = 1e6  # kW, where nobody says how much of a product is bought and held at most


@dataclass(frozen=True)
class Plan:
    """What a portfolio sees of a plan of a site.

    Parameters
    ----------
    pod : str
        The point of delivery.
    traded : numpy.ndarray
        kW on (time), + is fed in: power that reaches the markets, activated reserves included.
    held : numpy.ndarray
        kW on (product, time).
    own : float
        EUR, what it earns the site beyond energy and reserves.
    value : float
        EUR, no plan of the site earns more at the prices of the message.
    round : int, default 0
        Number of the message that it answers.
    whole : bool, default False
        Whether the site has decisions in whole numbers, which no mix of plans keeps.
    levels : numpy.ndarray, optional
        These decisions; they stay with the site.
    """

    pod: str
    traded: np.ndarray
    held: np.ndarray
    own: float
    value: float
    round: int = 0
    whole: bool = False
    levels: np.ndarray | None = None

    def equals(self, other: "Plan") -> bool:
        """Return True where the portfolio cannot tell the two apart."""
        return (
            self.pod == other.pod
            and abs(self.own - other.own) <= RESIDUE * max(1.0, abs(self.own))
            and bool(np.allclose(self.traded, other.traded, rtol=0.0, atol=RESIDUE))
            and bool(np.allclose(self.held, other.held, rtol=0.0, atol=RESIDUE))
        )


def with_plans(
    tree: xr.DataTree, inputs: Inputs, plans: Sequence[Plan], *, whole: bool = False
) -> xr.DataTree:
    """Return the case of a portfolio with the plans of its sites as `/flexibility`.

    Parameters
    ----------
    tree : xarray.DataTree
        What `Division.portfolio` returns.
    inputs : Inputs
        Of it.
    plans : sequence of Plan
        Of every pod at least one; equal ones but once.
    whole : bool, default False
        Whether plans of sites with decisions in whole numbers are taken as a whole.

    Returns
    -------
    xarray.DataTree
        A case that `v2g.solve` takes.
    """
    case = tree.copy()
    case["flexibility"] = plans_group(inputs, plans, whole=whole)
    return case


def plans_group(inputs: Inputs, plans: Sequence[Plan], *, whole: bool = False) -> xr.Dataset:
    """Return the group `/flexibility`, in the units of files.

    Parameters
    ----------
    inputs : Inputs
        Of the portfolio or of a site: steps, money, products, prices.
    plans : sequence of Plan
        The plans.
    whole : bool, default False
        Whether plans of sites with decisions in whole numbers are taken as a whole.

    Returns
    -------
    xarray.Dataset
        On (plan), (plan, time) and (plan, product, time).
    """
    money, time = inputs.calendar.currency, inputs.calendar.time
    numbers: dict[str, tuple[tuple[str, ...], object, dict[str, str]]] = {
        "traded": (("plan", "time"), np.array([p.traded for p in plans]), {"units": "kW"}),
        "own_cash": (("plan",), [p.own for p in plans], {"units": money}),
        "whole": (("plan",), [float(whole and p.whole) for p in plans], {"units": "1"}),
        "missing_cost": ((), missing_cost(inputs), {"units": f"{money}/kWh"}),
        "pod": (("plan",), np.array([p.pod for p in plans], dtype=object), {}),
    }
    coords: dict[str, object] = {"plan": names_of(plans), "time": time}
    if products := products_of(inputs):
        held = np.array([p.held for p in plans])
        numbers["held"] = (("plan", "product", "time"), held, {"units": "kW"})
        coords["product"] = products
    return xr.Dataset(numbers, coords=coords)


def names_of(plans: Sequence[Plan]) -> np.ndarray:
    """Return a name for each plan: its pod and its round."""
    names: list[str] = []
    for plan in plans:
        name = f"{plan.pod} {plan.round}"
        again = sum(known == name or known.startswith(f"{name}.") for known in names)
        names.append(f"{name}.{again}" if again else name)
    return np.array(names, dtype=object)


def missing_cost(inputs: Inputs) -> float:
    """Return a penalty above every price that a kWh can have in the portfolio (EUR/kWh)."""
    prices = (
        float(abs(d[name]).max())
        for d in inputs.data.values()
        for name in ("price", "price_long", "price_short", "spread")
        if name in d
    )
    return max(LEAST_MISSING_COST, 2.0 * max(prices, default=0.0))


def unit_plans(
    inputs: Inputs, pods: Sequence[str], most_held: np.ndarray | None = None
) -> list[Plan]:
    """Return two plans of each pod that trade one kW, out and in; the first holds every product.

    Of each it holds as much as is bought at most, in any step.
    """
    steps = len(inputs.calendar.time)
    held = most_volume(inputs, most_held)
    held = np.broadcast_to(held.max(axis=1, initial=1.0, keepdims=True), held.shape)
    one, nothing = np.ones(steps), np.zeros(held.shape)
    return [
        plan
        for pod in pods
        for plan in (Plan(pod, one, held, 0.0, 0.0, 0), Plan(pod, -one, nothing, 0.0, 0.0, 1))
    ]


def most_volume(inputs: Inputs, most_held: np.ndarray | None = None) -> np.ndarray:
    """Return what can be sold of each product at most, kW on (product, time).

    That is what is bought, and where that has no end what the sites can hold, if it is known.
    """
    if not products_of(inputs):
        return np.zeros((0, len(inputs.calendar.time)))
    d = inputs.data["reserve"]
    bought = d.volume_max + xr.zeros_like(d.up) + xr.zeros_like(d.time, float)
    numbers = np.asarray(bought.transpose("product", "time"))
    return np.where(np.isfinite(numbers), numbers, ANY_VOLUME if most_held is None else most_held)
