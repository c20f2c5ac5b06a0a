"""Which reserve offers are accepted where a case is operated: drawn with a seed, and known once the
gate has closed (docs/formulation.md §3).
"""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from ..model.accepted_offers import offers_by_product
from ..model.formulas_time import first_of_block, same_block
from ..model.inputs import Inputs, inputs_of
from ..model.part import Part
from ..model.reserve_rules import may_be_refused
from ..parts.catalogue import PARTS


def with_drawn_acceptance(
    case: xr.DataTree, seed: int = 0, *, parts: Mapping[str, Part] = PARTS
) -> xr.DataTree:
    """Draw which reserve offers of a case are accepted, by `accept_probability`.

    Each block of each product is one draw, independent of all others; of offers of one product at
    several prices, a dearer one is accepted only where the cheaper ones are. A case that says which
    are (`accepted`), or whose offers are all accepted, comes back as it is.

    Parameters
    ----------
    case : xarray.DataTree
        It is not changed.
    seed : int, default 0
        Of the draws; another product or a longer horizon does not change those of a product.
    parts : mapping of str to Part, default PARTS
        The catalogue.

    Returns
    -------
    xarray.DataTree
        The case with `accepted` (1 or 0, on product and time) in `/reserve`, and the attribute
        `acceptance_seed`.

    Raises
    ------
    SchemaError
        Listing every problem of the case.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> case = v2g.with_acceptance(v2g.commuters(vehicles=1, days=1), 0.5)
    >>> drawn = v2g.with_drawn_acceptance(case, seed=7)["reserve"].accepted
    >>> 0.0 < float(drawn.mean()) < 1.0
    True
    """
    if "reserve" not in case.children or "accepted" in case["reserve"]:
        return case
    inputs = inputs_of(case, parts)
    d = inputs.data["reserve"]
    if not may_be_refused(d):
        return case
    group = case.children["reserve"].to_dataset(inherit=False)
    accepted = (_draws(inputs, d, seed) < d.accept_probability).astype(float)
    accepted = accepted.transpose("product", "time").assign_attrs(units="1")
    drawn = case.assign(reserve=xr.DataTree(group.assign(accepted=accepted)))
    drawn.attrs = {**case.attrs, "acceptance_seed": seed}
    return drawn


def with_known_acceptance(d: xr.Dataset) -> xr.Dataset:
    """Return `/reserve` as one sees it who knows which offers are accepted."""
    return d.assign(accept_probability=d["accepted"]) if "accepted" in d else d


def _draws(inputs: Inputs, d: xr.Dataset, seed: int) -> xr.DataArray:
    """Return a number between 0 and 1 for each product and block, on its steps."""
    time, products = inputs.calendar.time, d.indexes["product"]
    drawn = np.zeros((len(products), len(time)))
    for name, places in offers_by_product(d).items():  # offers of one product have one draw
        drawn[places] = np.random.default_rng([seed, *_letters(name)]).random(len(time))
    axes = {"product": products, "time": time}
    every = xr.DataArray(drawn, axes, dims=tuple(axes))
    same = same_block(d.block, time, inputs.calendar.timezone, inputs.dt)
    same = same & xr.ones_like(every, dtype=bool)
    begins = xr.concat([first_of_block(same.sel(product=p), time) for p in products], "product")
    return every.copy(data=np.take_along_axis(every.to_numpy(), begins.to_numpy(), axis=1))


def _letters(name: object) -> bytes:
    """Return the label of a product as numbers, so that it has draws of its own."""
    return str(name).encode()
