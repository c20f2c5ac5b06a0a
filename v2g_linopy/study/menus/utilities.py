"""What an energy is worth to the aggregator: concave utilities, each with u(0) = 0
(docs/formulation.md §10).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

from ...model.contracts import CALLED

Formula = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Utility:
    """A concave utility u of an energy w, which does not fall.

    Parameters
    ----------
    value : callable
        u(w), EUR.
    slope : callable
        u'(w) from the right, EUR/kWh; infinite at 0 where the utility is a root.
    demand : callable
        The smallest w that maximises u(w) - price w, of a price above 0; not limited by a cap.
    points : numpy.ndarray
        Energies (kWh) at which a table bends; empty for a smooth utility.
    """

    value: Formula
    slope: Formula
    demand: Formula
    points: np.ndarray

    def of(self, energy: xr.DataArray) -> xr.DataArray:
        """Return u(w) with the labels of the energies."""
        return energy.copy(data=self.value(energy.to_numpy()))

    def slopes(self, energy: xr.DataArray) -> xr.DataArray:
        """Return u'(w) from the right with the labels of the energies."""
        return energy.copy(data=self.slope(energy.to_numpy()))

    def wanted(self, price: xr.DataArray, cap: xr.DataArray | float) -> xr.DataArray:
        """Return the smallest energy that maximises u(w) - price w within the cap."""
        free = price.copy(data=self.demand(price.to_numpy()))
        return xr.DataArray(np.minimum(free, cap)).clip(min=0.0)


@dataclass(frozen=True)
class UtilityByClass:
    """Utilities of classes of sessions; arrays have the dimension `class`."""

    classes: Mapping[str, Utility]

    @property
    def points(self) -> np.ndarray:
        """Energies at which any of them bends."""
        return np.unique(np.concatenate([u.points for u in self.classes.values()]))

    def of(self, energy: xr.DataArray) -> xr.DataArray:
        """Return u(w) of each class."""
        return self._each(energy, lambda utility, w: utility.of(w))

    def slopes(self, energy: xr.DataArray) -> xr.DataArray:
        """Return u'(w) of each class, from the right."""
        return self._each(energy, lambda utility, w: utility.slopes(w))

    def _each(
        self, energy: xr.DataArray, formula: Callable[[Utility, xr.DataArray], xr.DataArray]
    ) -> xr.DataArray:
        names = [*energy.indexes["class"]]
        found = [formula(self.classes[str(n)], energy.sel({"class": n}, drop=True)) for n in names]
        together = xr.concat(found, energy.coords["class"].variable)
        return together.assign_coords({"class": energy.coords["class"]}).transpose(*energy.dims)


_ABOVE = 1 + 1e-10
"""A slope that is less above the price is equal to it: of equal maximisers the smallest counts."""
_SMOOTH = np.array([])


def log_utility(scale: float) -> Utility:
    """u(w) = scale ln(1 + w)."""
    return Utility(
        lambda w: scale * np.log1p(w),
        lambda w: scale / (1 + w),
        lambda price: scale / price - 1,
        _SMOOTH,
    )


def root_utility(scale: float) -> Utility:
    """u(w) = scale sqrt(w)."""
    return Utility(
        lambda w: scale * np.sqrt(w),
        lambda w: scale / (2 * np.sqrt(w)),
        lambda price: (scale / (2 * price)) ** 2,
        _SMOOTH,
    )


def exponential_utility(scale: float, rate: float) -> Utility:
    """u(w) = scale (1 - exp(-rate w)): constant absolute risk aversion (CARA)."""
    return Utility(
        lambda w: -scale * np.expm1(-rate * w),
        lambda w: scale * rate * np.exp(-rate * w),
        lambda price: np.log(scale * rate / price, where=np.isfinite(price), out=-price) / rate,
        _SMOOTH,
    )


def table_utility(energy: np.ndarray, value: np.ndarray) -> Utility:
    """Return the line through points of a concave table; beyond the last one it is level."""
    slopes = np.append(np.diff(value) / np.diff(energy), 0.0)

    def slope(w: np.ndarray) -> np.ndarray:
        """The slope of the piece that begins at w or before."""
        return np.asarray(slopes[np.searchsorted(energy, w, side="right") - 1])

    def demand(price: np.ndarray) -> np.ndarray:
        """The last point that is reached with a slope above the price, by more than rounding."""
        return np.asarray(energy[np.searchsorted(-slopes[:-1], -price * _ABOVE, side="left")])

    return Utility(lambda w: np.interp(w, energy, value), slope, demand, energy)


def utility_of(d: xr.Dataset) -> Utility:
    """Return the utility of a `/contract` in coherent units.

    Where owners reckon with what is called, and the table says what that is, it is the value of the
    energy that is called.
    """
    if calls_are_tabulated(d):
        kept = as_called(d)
        return table_utility(d.table_called.to_numpy()[kept], d.table_value.to_numpy()[kept])
    name = str(d.utility.item())
    if name == "log":
        return log_utility(float(d.utility_scale))
    if name == "sqrt":
        return root_utility(float(d.utility_scale))
    if name == "cara":
        return exponential_utility(float(d.utility_scale), float(d.utility_rate))
    return table_utility(d.table_energy.to_numpy(), d.table_value.to_numpy())


def differs_by_class(d: xr.Dataset) -> bool:
    """Whether classes of sessions have utilities of their own."""
    names = [n for n in ("utility_scale", "table_value", "table_called") if n in d]
    return any("class" in d[n].dims for n in names)


def calls_are_tabulated(d: xr.Dataset) -> bool:
    """Whether owners reckon with what is called, and a table says it of each energy."""
    return str(d.reckons.item()) == CALLED and "table_called" in d


def as_called(d: xr.Dataset) -> np.ndarray:
    """Return which points of the table are told by what is called: the last of equal ones."""
    return np.append(np.diff(d.table_called.to_numpy()) > 0, True)


def is_bent(d: xr.Dataset) -> bool:
    """Whether the value of what is called is not concave, so that only its points are offered."""
    if not calls_are_tabulated(d):
        return False
    kept = as_called(d)
    slopes = np.diff(d.table_value.to_numpy()[kept]) / np.diff(d.table_called.to_numpy()[kept])
    return bool((np.diff(slopes) > 1e-9 * np.abs(slopes[:-1])).any())
