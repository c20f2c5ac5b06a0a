"""What the calls of reserves take of a plan: wear and losses, counted after the solve
(docs/formulation.md §3).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import xarray as xr

from ..model.battery_wear import capacity_of, segment_prices
from ..model.formulas import given
from ..model.inputs import Inputs, inputs_of
from ..model.part import Part
from ..model.reserve_rules import acceptance
from ..model.view import scenario_mean
from ..parts.catalogue import PARTS


def cost_of_calls(result: xr.DataTree, *, parts: Mapping[str, Part] = PARTS) -> xr.Dataset:
    """Return what of the wear and of the losses of a plan its calls take.

    The entries of the ledger hold it already; this says how much of them. With charge c, discharge
    g, and the power b that is traded without the calls, per member and step::

        b = g - c - sum_r accept_probability (activation_up - activation_down) x_r
        wear = dt (wear / eta_d (g - max(b, 0)) + wear_charge eta_c (c - max(-b, 0)))
        loss = dt ((1 - eta_c) (c - max(-b, 0)) + (1 / eta_d - 1) (g - max(b, 0)))

    Calls that only charge a battery that would have discharged save wear: the figures can be below
    0. Those of `unseen` take the mean with the calls, p = g - c, in place of b: at least 0, and
    what a plan by the mean of the calls does not see. Wear by depth counts at the price of the
    shallowest segment, which calls that come and go empty and fill.

    Parameters
    ----------
    result : xarray.DataTree
        A result of `solve`, as returned or as read from its file.
    parts : mapping of str to Part, default PARTS
        The catalogue that it was solved with.

    Returns
    -------
    xarray.Dataset
        On `asset`, the parts that hold reserves: `wear` and `loss` (money over the horizon, a cost
        above 0), `energy_lost` (kWh), `wear_unseen`, `loss_unseen`. A lost kWh costs the price of
        its step on the first market, nothing where there is none. All are means over scenarios. No
        asset where no reserve is held, or its calls are not told by states.

    Raises
    ------
    SchemaError
        The inputs of the result do not fit the schema.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> case = v2g.with_on_off_calls(v2g.commuters(vehicles=1, days=2))
    >>> found = v2g.cost_of_calls(v2g.solve(case)).sel(asset="fleet")
    >>> bool(found.wear_unseen > 0), bool(found.loss_unseen > 0)
    (True, True)
    """
    inputs = inputs_of(result, parts)
    assets, figures = list[str](), list[xr.Dataset]()
    for asset, found in _assets(result, inputs):
        assets.append(asset)
        figures.append(found)
    money = {"units": inputs.calendar.currency}
    units = dict.fromkeys(("wear", "loss", "wear_unseen", "loss_unseen"), money)
    units["energy_lost"] = {"units": "kWh"}
    data = {n: ("asset", [float(x[n]) for x in figures], unit) for n, unit in units.items()}
    return xr.Dataset(data, coords={"asset": assets})


def _assets(result: xr.DataTree, inputs: Inputs) -> Iterator[tuple[str, xr.Dataset]]:
    """Yield each storage that holds reserves told by states, and its figures."""
    d = inputs.data.get("reserve")
    if d is None or "call" not in d:
        return
    sold = result["reserve"].to_dataset()
    price = _price(inputs.data.get("energy"))
    for part, own in inputs:
        if not part.stores_energy or f"share_{part.name}" not in sold:
            continue
        plan = result[part.name].to_dataset()
        share = sold[f"share_{part.name}"].fillna(0.0)
        called = (acceptance(d) * (d.activation_up - d.activation_down) * share).sum("product")
        powers = _Powers(own, *(plan[way].fillna(0.0) for way in ("charge", "discharge")))
        beside, mean = powers.turned(called), powers.turned(xr.zeros_like(called))
        lost = powers.lost_beyond(beside)
        series = {
            "wear": powers.wear_beyond(beside),
            "loss": lost * price,
            "energy_lost": lost,
            "wear_unseen": powers.wear_beyond(mean),
            "loss_unseen": powers.lost_beyond(mean) * price,
        }
        probability = inputs.calendar.probability
        yield (
            part.name,
            xr.Dataset(
                {n: inputs.dt * scenario_mean(x, probability).sum() for n, x in series.items()}
            ),
        )


@dataclass(frozen=True)
class _Powers:
    """What a storage draws and feeds in (kW), and what that costs."""

    data: xr.Dataset
    charge: xr.DataArray
    discharge: xr.DataArray

    def turned(self, called: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
        """What it would draw and feed in with so much less, one way in each step."""
        power = self.discharge - self.charge - called
        return (-power).clip(min=0), power.clip(min=0)

    def wear_beyond(self, other: tuple[xr.DataArray, xr.DataArray]) -> xr.DataArray:
        """Return what it pays for wear beyond other powers (money per hour)."""
        d, (charge, discharge) = self.data, other
        out, into = d.wear / d.eta_discharge, given(d, "wear_charge") * d.eta_charge
        if d.replacement_cost.notnull().any():
            price, _ = segment_prices(d, capacity_of(d))
            out = out + price.isel(segment=0, drop=True).fillna(0.0) / d.eta_discharge
        return out * (self.discharge - discharge) + into * (self.charge - charge)

    def lost_beyond(self, other: tuple[xr.DataArray, xr.DataArray]) -> xr.DataArray:
        """Return what it loses beyond other powers (kW)."""
        d, (charge, discharge) = self.data, other
        out, into = 1 / d.eta_discharge - 1, 1 - d.eta_charge
        return out * (self.discharge - discharge) + into * (self.charge - charge)


def _price(energy: xr.Dataset | None) -> xr.DataArray:
    """Price of the first market."""
    if energy is None:
        return xr.DataArray(0.0)
    price = energy.price
    return price.isel(market=0, drop=True) if "market" in price.dims else price
