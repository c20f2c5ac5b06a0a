"""A reserve product offered at prices of one's own: how likely each is accepted and how often it is
called, from a history of marginal prices, and the product in a case as an offer at each of them
(docs/formulation.md §3).
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from ...case.units import factor
from ...errors import Problem, SchemaError
from ...model.formulas_time import first_of_block, same_block
from ...model.inputs import Inputs, inputs_of
from ...model.part import Part
from ...parts.catalogue import PARTS
from .new_case import currency_of, declared_fields

PAID_AS = ("bid", "cleared")
DIRECTIONS = ("up", "down")
OF_A_PRICE = ("bid_price", "accept_probability", "capacity_price")


def fitted_acceptance(
    history: xr.DataArray,
    prices: int | Sequence[float] = 20,
    *,
    paid_as: str = "bid",
    by_hour: bool = False,
    timezone: str = "UTC",
) -> xr.Dataset:
    """Return how likely offers at several prices are accepted, by a history of marginal prices.

    An offer is accepted where the marginal price, that of the dearest offer accepted, is at least
    its own. With the share of the history P(pi) = P(marginal price >= pi)::

        paid as bid:      pi                                    if accepted
        paid as cleared:  E[marginal price | marginal price >= pi]

    Parameters
    ----------
    history : xarray.DataArray
        Marginal prices of one product on ``time`` (naive UTC; EUR/MW/h); NaN where nothing was
        bought, so that no offer was accepted.
    prices : int or sequence of float, default 20
        How many prices, the quantiles of the history; or the prices (EUR/MW/h).
    paid_as : {"bid", "cleared"}, default "bid"
        What an accepted offer is paid.
    by_hour : bool, default False
        A curve for each hour of the local day.
    timezone : str, default "UTC"
        Of the local day.

    Returns
    -------
    xarray.Dataset
        On ``offer``, from the cheapest on, and on ``hour`` if by hour: ``bid_price``,
        ``capacity_price`` (what is paid on average if the offer is accepted; EUR/MW/h) and
        ``accept_probability`` (1). Prices that the history never reaches are left out unless they
        are given.

    Raises
    ------
    SchemaError
        A word that is not known, no history, or prices that are no numbers.

    Examples
    --------
    >>> import pandas as pd
    >>> import xarray as xr
    >>> import v2g_linopy as v2g
    >>> time = pd.date_range("2026-01-01", periods=4, freq="h")
    >>> history = xr.DataArray([10.0, 20.0, 20.0, 50.0], {"time": time})
    >>> curve = v2g.fitted_acceptance(history, [10.0, 20.0, 50.0], paid_as="cleared")
    >>> curve.accept_probability.values.tolist(), curve.capacity_price.values.tolist()
    ([1.0, 0.75, 0.25], [25.0, 30.0, 50.0])
    """
    known = history.to_numpy().astype(float)
    asked = _prices(known[np.isfinite(known)], prices, paid_as)
    bid = xr.DataArray(asked, {"offer": np.arange(len(asked))})
    marginal = history.reset_coords(drop=True).fillna(-np.inf)
    likely, cleared = _reached(marginal >= bid, marginal, bid, timezone if by_hour else None)
    money = {"units": str(history.attrs.get("units", "EUR/MW/h"))}
    bid = bid.assign_attrs(money)
    price = bid if paid_as == "bid" else cleared.assign_attrs(money)
    share = likely.assign_attrs(units="1")
    return xr.Dataset(
        {"bid_price": bid, "capacity_price": price, "accept_probability": share}
    ).transpose("offer", ...)


def fitted_activation(
    history: xr.DataArray,
    prices: int | Sequence[float] = 20,
    *,
    direction: str = "up",
    paid_as: str = "cleared",
    by_hour: bool = False,
    timezone: str = "UTC",
) -> xr.Dataset:
    """Return how often energy offers at several prices are called, by a history of marginal prices.

    Offers of energy are called in the order of their prices (the merit order): upward where the
    marginal price, that of the dearest offer called, is at least its own; downward, where who is
    called pays for the energy, where it is at most its own. With the share of the history::

        activation = P(marginal price >= pi)  upward,  P(marginal price <= pi)  downward
        paid as bid: pi;   paid as cleared: the mean of the marginal prices at which it is called

    Parameters
    ----------
    history : xarray.DataArray
        Marginal prices of the energy of one product on ``time`` (naive UTC; EUR/MWh); NaN where
        nothing was called.
    prices : int or sequence of float, default 20
        How many prices, the quantiles of the history; or the prices (EUR/MWh).
    direction : {"up", "down"}, default "up"
        Which way energy is activated.
    paid_as : {"bid", "cleared"}, default "cleared"
        What an offer that is called is paid, or pays.
    by_hour : bool, default False
        A curve for each hour of the local day.
    timezone : str, default "UTC"
        Of the local day.

    Returns
    -------
    xarray.Dataset
        On ``offer``, from the one that is called most, and on ``hour`` if by hour:
        ``activation_up`` (1; share of the time) and ``activation_price_up`` (EUR/MWh), or those of
        ``down``. With ``bid_price``, ``accept_probability`` and ``capacity_price`` of the capacity
        beside them it is a curve for `with_offers`.

    Raises
    ------
    SchemaError
        A word that is not known, no history, or prices that are no numbers.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> import xarray as xr
    >>> import v2g_linopy as v2g
    >>> time = pd.date_range("2026-01-01", periods=4, freq="h")
    >>> history = xr.DataArray([100.0, np.nan, 60.0, 200.0], {"time": time})
    >>> curve = v2g.fitted_activation(history, [50.0, 100.0])
    >>> curve.activation_up.values.tolist(), curve.activation_price_up.values.tolist()
    ([0.75, 0.5], [120.0, 150.0])
    """
    known = history.to_numpy().astype(float)
    asked = _prices(known[np.isfinite(known)], prices, paid_as, direction)
    if direction == "down":
        asked = asked[::-1]
    bid = xr.DataArray(asked, {"offer": np.arange(len(asked))})
    marginal = history.reset_coords(drop=True)
    called = marginal >= bid if direction == "up" else marginal <= bid
    share, cleared = _reached(called, marginal, bid, timezone if by_hour else None)
    money = {"units": str(history.attrs.get("units", "EUR/MWh"))}
    price = bid if paid_as == "bid" else cleared
    return xr.Dataset(
        {
            f"activation_{direction}": share.assign_attrs(units="1"),
            f"activation_price_{direction}": price.assign_attrs(money),
        }
    ).transpose("offer", ...)


def _reached(
    reached: xr.DataArray, marginal: xr.DataArray, bid: xr.DataArray, timezone: str | None
) -> tuple[xr.DataArray, xr.DataArray]:
    """Return the share of a history in which offers are reached, and the mean marginal price there;
    by hour of the local day where its time zone is given.
    """
    paid = xr.where(reached, marginal, 0.0)
    if timezone is None:
        likely, earned = reached.mean("time"), paid.mean("time")
    else:
        local = pd.DatetimeIndex(marginal.indexes["time"]).tz_localize("UTC").tz_convert(timezone)
        hour = xr.DataArray(local.hour.to_numpy(), {"time": marginal["time"]}, name="hour")
        likely, earned = reached.astype(float).groupby(hour).mean(), paid.groupby(hour).mean()
    return likely, xr.where(likely > 0, earned / likely.where(likely > 0, 1.0), bid)


def _prices(
    known: np.ndarray, prices: int | Sequence[float], paid_as: str, direction: str = "up"
) -> np.ndarray:
    """Return the prices, from the lowest on; raise for what cannot be."""
    problems = []
    if direction not in DIRECTIONS:
        detail = f"{direction!r} is not one of {', '.join(DIRECTIONS)}"
        problems.append(Problem("direction", "choice", detail))
    if paid_as not in PAID_AS:
        detail = f"{paid_as!r} is not one of {', '.join(PAID_AS)}"
        problems.append(Problem("paid_as", "choice", detail))
    if not len(known):
        problems.append(Problem("history", "missing", "holds no marginal price"))
    if isinstance(prices, int) and prices < 1:
        problems.append(Problem("prices", "range", f"{prices} prices; give one at least"))
    if not isinstance(prices, int) and not (len(prices) and np.isfinite(prices).all()):
        problems.append(Problem("prices", "range", "give numbers, one at least"))
    if problems:
        raise SchemaError(problems, source="the history of marginal prices")
    if isinstance(prices, int):
        return np.unique(np.quantile(known, np.linspace(0, 1, prices)))
    return np.unique(np.asarray(prices, float))


def with_offers(
    case: xr.DataTree,
    product: str,
    offers: xr.Dataset,
    *,
    one_price: bool = False,
    parts: Mapping[str, Part] = PARTS,
) -> xr.DataTree:
    """Let a case choose the price at which it offers a reserve product.

    The product becomes one for each price, and the plan says how much is offered at which. An offer
    at a higher price is accepted only where those at lower prices are. Where the product is never
    called and any volume is bought at each price, the best price of each step is known without a
    model: the one that earns most in the mean, `accept_probability` times `capacity_price`. There
    the product stays one, at that price.

    Parameters
    ----------
    case : xarray.DataTree
        A case with `/reserve`; it is not changed.
    product : str
        A product of the case.
    offers : xarray.Dataset
        Fields of `/reserve` on ``offer``, from the cheapest on, and on ``hour`` (of the local day)
        or ``time``: ``bid_price``, ``accept_probability``, ``capacity_price`` as of
        `fitted_acceptance`; if they depend on the price also ``volume_max`` (what is bought at that
        price and above: a curve of prices and quantities), and ``activation_up``,
        ``activation_price_up`` and others (the share that is called at a price of energy: the merit
        order). In the units of the schema, or those that they name.
    one_price : bool, default False
        At most one price in each block, which takes binaries; else a volume may be split into
        several offers.
    parts : mapping of str to Part, default PARTS
        The catalogue.

    Returns
    -------
    xarray.DataTree
        The case with a product for each price, named after it, in `/reserve`, `/exclusion`,
        `/gates` and `/vintage`.

    Raises
    ------
    SchemaError
        Listing every problem of the case, no such product, or names that are no fields of a
        reserve. Curves that rise with the price `v2g.check` lists.

    Examples
    --------
    >>> import xarray as xr
    >>> import v2g_linopy as v2g
    >>> case = v2g.commuters(vehicles=1, days=1)
    >>> curve = {"bid_price": ("offer", [10.0, 30.0]), "capacity_price": ("offer", [10.0, 30.0])}
    >>> curve = xr.Dataset(curve | {"accept_probability": ("offer", [0.9, 0.5])})
    >>> v2g.with_offers(case, "up", curve)["reserve"]["product"].values.tolist()
    ['up at 10', 'up at 30', 'down']
    """
    inputs = inputs_of(case, parts)
    _fit(inputs, product, offers)
    curve = _on_steps(inputs, product, offers)
    if _known_without_model(inputs.data["reserve"].sel(product=[product]), curve):
        best = (curve.accept_probability * curve.capacity_price).argmax("offer")
        chosen = curve.isel(offer=best).drop_vars("offer").expand_dims(product=[product])
        return _with_fields(case, inputs, [product], chosen)

    names = _names(product, curve.bid_price)
    chosen = curve.rename(offer="product").assign_coords(product=names)
    widened = _widened(case, product, names)
    of = xr.DataArray([product] * len(names), {"product": names})
    flag = xr.DataArray([float(one_price)] * len(names), {"product": names})
    return _with_fields(widened, inputs, names, chosen.assign(offer_of=of, one_price=flag))


def _fit(inputs: Inputs, product: str, offers: xr.Dataset) -> None:
    """Raise where a product or a field is not there."""
    declared = declared_fields("reserve")
    problems = [
        Problem(f"offers.{name}", "unknown", "is no field of a reserve product")
        for name in offers.data_vars
        if name not in declared
    ]
    problems += [
        Problem(f"offers.{name}", "missing", f"missing: give {declared[name].doc.split(';')[0]}")
        for name in OF_A_PRICE
        if name not in offers
    ]
    if "reserve" not in inputs.data or product not in inputs.data["reserve"].indexes["product"]:
        problems.append(Problem("reserve.product", "labels", f"{product!r} is no product"))
    problems += [
        Problem(f"offers.{name}", "dims", "may be on offer, hour and time alone")
        for name, x in offers.data_vars.items()
        if not {*x.dims} <= {"offer", "hour", "time"}
    ]
    if problems:
        raise SchemaError(problems, source="the offers")


def _on_steps(inputs: Inputs, product: str, offers: xr.Dataset) -> xr.Dataset:
    """Return the offers on the steps of a case; each block has those of the hour it begins in."""
    offers = offers.assign_coords(offer=np.arange(offers.sizes.get("offer", 1)))
    offers = offers.map(lambda x: x.broadcast_like(offers["offer"]))
    if "hour" not in offers.dims:
        return offers
    calendar, d = inputs.calendar, inputs.data["reserve"]
    block = (d.block + xr.zeros_like(d.up)).sel(product=product, drop=True)
    same = same_block(block, calendar.time, calendar.timezone, inputs.dt)
    begins = calendar.time[first_of_block(same, calendar.time).to_numpy()]
    hour = pd.DatetimeIndex(begins).tz_localize("UTC").tz_convert(calendar.timezone).hour
    return offers.sel(hour=xr.DataArray(hour.to_numpy(), {"time": calendar.time})).drop_vars("hour")


def _known_without_model(d: xr.Dataset, curve: xr.Dataset) -> bool:
    """Return True where nothing but what an offer earns depends on its price."""
    called = bool((d.activation_up + d.activation_down > 0).any())
    return not called and {*curve.data_vars} == {*OF_A_PRICE}


def _names(product: str, price: xr.DataArray) -> list[str]:
    """Return a name for each offer: that of its price, where this tells them apart."""
    mean = price.mean([n for n in price.dims if n != "offer"])
    names = [f"{product} at {float(x):.6g}" for x in mean]
    if len({*names}) < len(names):
        names = [f"{name}, offer {k}" for k, name in enumerate(names, start=1)]
    return names


def _widened(case: xr.DataTree, product: str, names: list[str]) -> xr.DataTree:
    """Return the case with the product under each of its names."""
    groups = {}
    for group, node in case.children.items():
        if "product" in node.dims:
            d = node.to_dataset(inherit=False)
            groups[group] = _repeated(d, "product", product, names)
    if "gates" in case.children and product in case["gates"].indexes.get("gate", ()):
        gates = case.children["gates"].to_dataset(inherit=False)
        groups["gates"] = _repeated(gates, "gate", product, names)
    return case.assign({name: xr.DataTree(d) for name, d in groups.items()})


def _repeated(d: xr.Dataset, dim: str, product: str, names: list[str]) -> xr.Dataset:
    """Return data with one label under several names, in its place."""
    labels = [str(x) for x in d.indexes[dim]]
    at = labels.index(product) if product in labels else -1
    if at < 0:
        return d
    source = [*range(at), *[at] * len(names), *range(at + 1, len(labels))]
    new = [*labels[:at], *names, *labels[at + 1 :]]
    return d.isel({dim: source}).assign_coords({dim: new})


def _with_fields(
    case: xr.DataTree, inputs: Inputs, names: list[str], fields: xr.Dataset
) -> xr.DataTree:
    """Return the case with fields of some products; those of the others stay as they are."""
    declared, group = declared_fields("reserve"), case.children["reserve"].to_dataset(inherit=False)
    products, currency = group.indexes["product"], currency_of(case)
    for name, given in fields.data_vars.items():
        field = declared[str(name)]
        unit = field.unit.replace("EUR", currency)
        if field.kind == "label":
            old = group.get(str(name), xr.DataArray("")).broadcast_like(group["product"])
            here = xr.DataArray(products.isin(names), {"product": products})
            whole = xr.where(here, given.reindex(product=products, fill_value=""), old)
            group[str(name)] = whole.astype(str)
            continue
        default = field.default if isinstance(field.default, int | float) else np.nan
        old = group.get(str(name), xr.DataArray(default, attrs={"units": unit}))
        scale = _scale(str(old.attrs.get("units", unit)), field.unit, currency)
        mine = given * _scale(str(given.attrs.get("units", unit)), field.unit, currency)
        here = xr.DataArray(products.isin(names), {"product": products})
        whole = xr.where(here, mine.reindex(product=products), old * scale)
        dims = [x for x in ("scenario", "product", "time", "call_state") if x in whole.dims]
        group[str(name)] = whole.transpose(*dims).assign_attrs(units=unit, long_name=field.doc)
    return case.assign(reserve=xr.DataTree(group))


def _scale(unit: str, declared: str, currency: str) -> float:
    """Return what a number in a unit is in the unit that the schema declares."""
    shown = declared.replace("EUR", currency)
    given, wanted = (factor(x, declared, currency) for x in (unit, shown))
    if given is None or wanted is None:
        detail = f"unit {unit!r} does not fit; use {shown}"
        raise SchemaError([Problem("offers", "unit", detail)], source="the offers")
    return given / wanted
