"""What a portfolio tells its sites: a price of power and of each reserve in every step."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from ...case.io import stamped
from ...case.version import package_version
from ...errors import Problem, SchemaError
from ...model.inputs import Inputs
from ...model.reserve_rules import acceptance
from ..result import hash_of

PER_MWH = 1000.0


@dataclass(frozen=True)
class Message:
    """Prices that sites plan by.

    Parameters
    ----------
    power : numpy.ndarray
        EUR/kWh, one for each step.
    held : numpy.ndarray
        EUR/kW/h, at least 0, on (product, time); no rows where there are no reserves.
    held_supplied : numpy.ndarray
        The same at a pod with a supplier, to whom what reserves deliver goes.
    round : int, default 0
        Number of the round that it begins.
    """

    power: np.ndarray
    held: np.ndarray
    held_supplied: np.ndarray
    round: int = 0

    @classmethod
    def of_duals(
        cls, power: np.ndarray, sold: np.ndarray, inputs: Inputs, number: int
    ) -> "Message":
        """Return prices from what a kW more is worth, traded and sold.

        Less may be sold than is held, so that what is held is never worth less than nothing. What
        is activated at a pod with a supplier need not come from the market.
        """
        beside = sold + power * net_activation(inputs)
        return cls(power, sold.clip(min=0.0), beside.clip(min=0.0), number)

    @classmethod
    def first(cls, inputs: Inputs) -> "Message":
        """Return the prices of the markets: what a kW is worth where nothing binds."""
        steps = inputs.calendar.time
        on_steps = xr.zeros_like(xr.DataArray(np.zeros(len(steps)), coords={"time": steps}))
        energy, reserve = inputs.data.get("energy"), inputs.data.get("reserve")
        price = on_steps if energy is None else energy.price.isel(market=0) + on_steps
        if reserve is None:
            return cls.of_duals(price.to_numpy(), np.zeros((0, len(steps))), inputs, 0)
        settled = price
        if "settlement" in reserve and energy is not None:
            settled = energy.price.sel(market=reserve.settlement.astype(str)).drop_vars("market")
        up, down = (reserve.get(f"activation_price_{way}", settled) for way in ("up", "down"))
        gain = reserve.activation_up * (up - price) - reserve.activation_down * (down - price)
        likely = acceptance(reserve) * (reserve.capacity_price + gain)
        sold = (likely + on_steps + xr.zeros_like(reserve.up)).transpose("product", "time")
        return cls.of_duals(price.to_numpy(), sold.to_numpy(), inputs, 0)


def net_activation(inputs: Inputs) -> np.ndarray:
    """Return what is activated of each kW held, upward less downward, on (product, time)."""
    reserve = inputs.data.get("reserve")
    if reserve is None:
        return np.zeros((0, len(inputs.calendar.time)))
    net = acceptance(reserve) * (reserve.activation_up - reserve.activation_down)
    everywhere = net + xr.zeros_like(reserve.up) + xr.zeros_like(reserve.time, float)
    return np.asarray(everywhere.transpose("product", "time"))


def message_tree(message: Message, inputs: Inputs) -> xr.DataTree:
    """Return a message as a tree that `v2g.write` saves.

    Parameters
    ----------
    message : Message
        Prices.
    inputs : Inputs
        Of the portfolio, for its steps, money and products.

    Returns
    -------
    xarray.DataTree
        `/price` with `power` (EUR/MWh on time), `held`, and `held_supplied` where a pod has a
        supplier (EUR/MW/h on product and time), and the attributes `round` and `case_hash` of the
        portfolio.
    """
    money, time = inputs.calendar.currency, inputs.calendar.time
    products, per_mw = products_of(inputs), {"units": f"{money}/MW/h"}
    price = xr.Dataset(
        {
            "power": ("time", PER_MWH * message.power, {"units": f"{money}/MWh"}),
            "held": (("product", "time"), PER_MWH * message.held, per_mw),
            "held_supplied": (("product", "time"), PER_MWH * message.held_supplied, per_mw),
        },
        coords={"product": products, "time": time},
    )
    root = root_of_exchange(inputs).assign_attrs(round=message.round, case_hash=hash_of(inputs))
    return xr.DataTree.from_dict({"/": root, "/price": price})


def message_of(tree: xr.DataTree, inputs: Inputs) -> Message:
    """Read a message for a site, or for a portfolio.

    Parameters
    ----------
    tree : xarray.DataTree
        As of `message_tree`.
    inputs : Inputs
        Of the site: its steps, money and products must be those of the message.

    Returns
    -------
    Message

    Raises
    ------
    SchemaError
        It is no message, or not one for this site; every problem is listed.
    """
    if not isinstance(tree, xr.DataTree) or "price" not in tree.children:
        raise SchemaError([Problem("price", "missing", "is no message: it has no group /price")])
    price, problems = tree["price"].to_dataset(), different(tree, inputs, "the message")
    for name in ("power", "held", "held_supplied"):
        if name not in price:
            problems.append(Problem(f"price.{name}", "missing", "missing: give the price"))
        elif not bool(np.isfinite(price[name]).all()):
            problems.append(Problem(f"price.{name}", "nan", "is not finite in every step"))
    known = [str(p) for p in price.indexes.get("product", [])]
    if sorted(known) != sorted(own := products_of(inputs)):
        detail = f"has {', '.join(known) or 'none'}; the site holds {', '.join(own) or 'none'}"
        problems.append(Problem("price.product", "labels", detail))
    if problems:
        raise SchemaError(problems, source="the message")
    held, beside = (
        price[name].sel(product=own).transpose("product", "time").to_numpy() / PER_MWH
        for name in ("held", "held_supplied")
    )
    number = int(tree.attrs.get("round", 0))
    return Message(price["power"].to_numpy() / PER_MWH, held, beside, number)


def different(tree: xr.DataTree, inputs: Inputs, what: str) -> list[Problem]:
    """Return where the steps or the money of a message or a plan are not those of a case."""
    calendar, problems = inputs.calendar, []
    time = tree["time"].to_index() if "time" in tree.coords else pd.DatetimeIndex([])
    if not pd.DatetimeIndex(time).equals(pd.DatetimeIndex(calendar.time)):
        span = f"{len(time)} steps from {time[0]}" if len(time) else "no steps"
        own = f"{len(calendar.time)} steps from {calendar.time[0]}"
        detail = f"{what} has {span}, the case {own}"
        problems.append(Problem("time", "consistency", detail))
    if (step := tree.attrs.get("step_hours", inputs.dt)) != inputs.dt:
        detail = f"{what} has steps of {step:g} h, the case of {inputs.dt:g} h"
        problems.append(Problem("step_hours", "consistency", detail))
    if (money := str(tree.attrs.get("currency", calendar.currency))) != calendar.currency:
        detail = f"{what} is in {money}, the case in {calendar.currency}"
        problems.append(Problem("currency", "consistency", detail))
    return problems


def products_of(inputs: Inputs) -> list[str]:
    """Return the names of the reserve products, in their order; none where there are none."""
    reserve = inputs.data.get("reserve")
    return [] if reserve is None else [str(p) for p in reserve.indexes["product"]]


def root_of_exchange(inputs: Inputs) -> xr.Dataset:
    """Return what stands at the root of a message or a plan: steps, zone and money."""
    calendar = inputs.calendar
    attrs = {
        "currency": calendar.currency,
        "timezone": calendar.timezone,
        "step_hours": inputs.dt,
        "history": stamped(f"written by v2g-linopy {package_version()}"),
    }
    return xr.Dataset(coords={"time": calendar.time}, attrs=attrs)
