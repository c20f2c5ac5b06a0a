"""Offers of one product at several prices: fields, rules between them, and what they share
(docs/formulation.md §3).
"""

import numpy as np
import xarray as xr

from ....algebra.expression import Expression
from ....case.schema import ABSENT, Calendar, Field, violations
from ....errors import Problem
from ....model.accepted_offers import offers_by_product
from ....model.scope import Scope

INPUTS = (
    Field(
        "offer_of",
        "product",
        "",
        "the product that this is offered as, at one of several prices; offers of one product are"
        " accepted from the cheapest on",
        ABSENT,
        kind="label",
    ),
    Field(
        "bid_price",
        "product time",
        "EUR/MW/h",
        "price that is asked; capacity_price is what is paid on average if the offer is accepted;"
        " NaN: no price is asked",
        ABSENT,
        missing=True,
        beside="offer_of",
    ),
    Field(
        "one_price",
        "product",
        "1",
        "1: a product is offered at one of its prices at most in each block",
        0.0,
        kind="flag",
        beside="offer_of",
    ),
)
_SAME = ("up", "down", "block", "first_stage", "one_price")


def offer_problems(d: xr.Dataset, calendar: Calendar) -> list[Problem]:
    """Return what no offers of one product can be, with prices from the cheapest to the dearest."""
    if "offer_of" not in d:
        return []
    found = []
    for name, places in offers_by_product(d).items():
        if len(places) > 1 and "bid_price" not in d:
            detail = f"missing: {name} is offered at several prices; give each"
            return [Problem("reserve.bid_price", "missing", detail)]
        if len(places) > 1:
            found += _of_one_product(d.isel(product=places), name, calendar)
    return found


def _of_one_product(d: xr.Dataset, name: str, calendar: Calendar) -> list[Problem]:
    """Return what is wrong with the offers of one product."""
    price, likely = (d[n] + xr.zeros_like(d.up) for n in ("bid_price", "accept_probability"))
    dearer, rises = price.diff("product"), likely.diff("product")
    late = dearer["product"]
    rules = [
        ("bid_price", price.isnull(), price.fillna(0.0), f"one of several offers of {name}: give"),
        (
            "bid_price",
            dearer < 0,
            price.sel(product=late),
            f"below the offer of {name} before it; give them from the cheapest to the dearest",
        ),
        (
            "accept_probability",
            rises > 1e-9,
            likely.sel(product=late),
            f"more than that of the cheaper offer of {name} before it; a dearer one is accepted no"
            " more often",
        ),
    ]
    if "accepted" in d:
        turned = d["accepted"] + xr.zeros_like(d.up)
        more = f"is 1, and a cheaper offer of {name} is not accepted"
        rules.append(("accepted", turned.diff("product") > 0, turned.sel(product=late), more))
    found = violations("reserve", rules, calendar)
    for field in _SAME:
        x = d[field]
        if "product" in x.dims and bool((x != x.isel(product=0)).any()):
            detail = f"differs between the offers of {name}, which are one product"
            found.append(Problem(f"reserve.{field}", "consistency", detail))
    return found


def offer_rows(s: Scope, d: xr.Dataset, volume: Expression) -> None:
    """Rows that offers of one product share while their gate is open.

    At a price and above, no more is offered than is bought there (`volume_max`: a curve of prices
    and quantities where it falls with the price), and where it may have one price only, z is 1 for
    one offer at most::

        sum_{j no cheaper than k} volume_j <= volume_max_k,     sum_k z_k <= 1
    """
    if "offer_of" not in d:
        return
    most, is_open, single = (
        x + xr.zeros_like(d.up) for x in (d.volume_max, d.closed == 0, d.one_price)
    )
    names = d.indexes["product"]
    for number, places in enumerate(offers_by_product(d).values()):
        if len(places) < 2:
            continue
        for k, place in enumerate(places[:-1]):
            bought, open_here = (x.isel(product=place, drop=True) for x in (most, is_open))
            dearer = xr.DataArray(names.isin(names[places[k:]]).astype(float), {"product": names})
            mask = np.isfinite(bought) & (open_here > 0)
            bought = bought.where(np.isfinite(bought), 0.0)
            s.add(f"offers_{number}_{k}", (dearer * volume).sum("product") <= bought, mask=mask)
        if bool((single.isel(product=places) > 0).any()):
            mine = xr.DataArray(names.isin(names[places]).astype(float), {"product": names})
            chosen = (mine * s["reserve.offered"]).sum("product")
            open_here = is_open.isel(product=places[0], drop=True)
            s.add(f"one_price_{number}", chosen <= 1, mask=open_here > 0)
