"""The best schedule of each session to its own departure, and its first step: one small programme
for all that may feed in (docs/formulation.md §4).
"""

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from ..solve.solver import Matrix, Settings, solve_matrix

_NEAR = 1e-9  # kWh
_NO_GAIN = 1e-6  # EUR per kWh fed in: what earns no more stays on board


@dataclass(frozen=True)
class Ahead:
    """What stays may do until their departure: on (step ahead, stay), or on (stay).

    Energies at the grid are those of a whole step (kWh); beyond its departure a stay has none.
    """

    charge_max: np.ndarray
    discharge_max: np.ndarray
    energy_min: np.ndarray  # kWh on board at the end of the step
    charge_cost: np.ndarray  # EUR/kWh besides the price
    discharge_cost: np.ndarray
    count: np.ndarray  # steps until departure
    energy: np.ndarray  # kWh on board now
    energy_max: np.ndarray
    eta_charge: np.ndarray
    eta_discharge: np.ndarray
    allowance: np.ndarray  # kWh that may still be fed in

    @property
    def need(self) -> np.ndarray:
        """Energy at the grid that is missing from the need at departure (kWh)."""
        needed = self.energy_min[self.count - 1, np.arange(len(self.count))]
        return np.maximum(needed - self.energy, 0.0) / self.eta_charge

    @property
    def room(self) -> np.ndarray:
        """Energy at the grid that the battery can still take (kWh)."""
        return np.maximum(self.energy_max - self.energy, 0.0) / self.eta_charge

    def of(self, stays: np.ndarray) -> "Ahead":
        """Return the same of some stays, to the last of their departures."""
        steps = slice(0, int(self.count[stays].max()))
        return replace(
            self,
            **{
                name: x[steps][:, stays] if x.ndim == 2 else x[stays]
                for name, x in vars(self).items()
            },
        )


def first_step(ahead: Ahead, price: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what each stay draws and feeds in now, by its best schedule until departure (kWh).

    With energy c drawn and d fed in, and e on board at the end of each step::

        min  sum (price + charge_cost) c - (price - discharge_cost) d
        s.t. e - e_{t-1} = eta_charge c - d / eta_discharge
             energy_min <= e <= energy_max,   sum d <= allowance
             c <= charge_max,   d <= discharge_max,   never both in one step

    The last rule needs a binary only where it pays to waste energy. A need that can no longer be
    reached is served as far as the charger gets.

    Parameters
    ----------
    ahead : Ahead
        Stays, each of which may still feed in.
    price : numpy.ndarray
        EUR/kWh on the steps ahead.

    Returns
    -------
    charge, discharge : numpy.ndarray
        Of each stay in the first step.
    """
    there = np.arange(ahead.charge_max.shape[0])[:, None] < ahead.count
    programme = _Programme(ahead, price[: len(there)], there)
    levels = solve_matrix(programme.matrix(), Settings()).primal
    return programme.first_steps(levels)


class _Programme:
    """Columns e, d, c and the binaries of all stays, one stay after another."""

    def __init__(self, ahead: Ahead, price: np.ndarray, there: np.ndarray):
        self.ahead = ahead
        self.step, self.stay = _stay_by_stay(there)
        cells = self.step, self.stay
        self.charge_max, discharge_max = ahead.charge_max[cells], ahead.discharge_max[cells]
        self.charge_price = (price[:, None] + ahead.charge_cost)[cells]
        worth = (price[:, None] - ahead.discharge_cost)[cells]

        # cells in which a stay may feed in, and those of them in which it pays to waste
        self.feeding = np.flatnonzero(discharge_max > 0)
        self.discharge_max, self.worth = discharge_max[self.feeding], worth[self.feeding]
        of_feeding = self.stay[self.feeding]
        cycle = (ahead.eta_charge * ahead.eta_discharge)[of_feeding]
        pays = self.charge_price[self.feeding] < cycle * self.worth - _NEAR
        self.wasteful = np.flatnonzero(pays & (self.charge_max[self.feeding] > 0))

        sizes = len(self.stay), len(self.feeding), len(self.stay), len(self.wasteful)
        self.begin = np.cumsum((0, *sizes))

    def matrix(self) -> Matrix:
        """Return the programme as numbers."""
        cells, feeding, wasteful = len(self.stay), len(self.feeding), len(self.wasteful)
        e, d, c, z = (np.arange(a, b) for a, b in zip(self.begin, self.begin[1:], strict=False))
        eta_charge = self.ahead.eta_charge[self.stay]
        eta_discharge = self.ahead.eta_discharge[self.stay]
        linked = np.flatnonzero(self.step > 0)
        row_of_allowance = cells + self.stay[self.feeding]
        first_exclusive = cells + len(self.ahead.energy)
        no_charge = first_exclusive + np.arange(wasteful)
        no_discharge = no_charge + wasteful
        of_wasteful = self.feeding[self.wasteful]
        entries = (
            (e, e, np.ones(cells)),
            (linked, e[linked - 1], -np.ones(len(linked))),
            (np.arange(cells), c, -eta_charge),
            (self.feeding, d, 1 / eta_discharge[self.feeding]),
            (row_of_allowance, d, np.ones(feeding)),
            # c <= charge_max z,   d <= discharge_max (1 - z)
            (no_charge, c[of_wasteful], np.ones(wasteful)),
            (no_charge, z, -self.charge_max[of_wasteful]),
            (no_discharge, d[self.wasteful], np.ones(wasteful)),
            (no_discharge, z, self.discharge_max[self.wasteful]),
        )
        rows, columns, values = (np.concatenate(x) for x in zip(*entries, strict=True))
        shape = first_exclusive + 2 * wasteful, self.begin[-1]
        begun = np.where(self.step == 0, self.ahead.energy[self.stay], 0.0)
        none = np.full(len(self.ahead.energy) + 2 * wasteful, -np.inf)
        most = np.zeros(wasteful), self.discharge_max[self.wasteful]
        low, high = self._energy_limits()
        return Matrix(
            a=sp.csc_array((values, (rows, columns)), shape=shape),
            row_lower=np.concatenate([begun, none]),
            row_upper=np.concatenate([begun, self.ahead.allowance, *most]),
            cost=-np.concatenate(
                [np.zeros(cells), _NO_GAIN - self.worth, self.charge_price, np.zeros(wasteful)]
            ),
            lower=np.concatenate([low, np.zeros(shape[1] - cells)]),
            upper=np.concatenate([high, self.discharge_max, self.charge_max, np.ones(wasteful)]),
            integer=np.arange(shape[1]) >= self.begin[3],
        )

    def _energy_limits(self) -> tuple[np.ndarray, np.ndarray]:
        """Limits of the energy on board; none asks for more than the charger gets there."""
        ahead, cells = self.ahead, (self.step, self.stay)
        reached = ahead.energy + ahead.eta_charge * np.cumsum(ahead.charge_max, axis=0)
        low = np.minimum(ahead.energy_min, reached)[cells] - _NEAR
        high = np.maximum(ahead.energy_max, ahead.energy)[self.stay]
        return np.maximum(low, 0.0), high

    def first_steps(self, levels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Read what each stay draws and feeds in now."""
        now = self.step == 0
        charge = np.clip(levels[self.begin[2] : self.begin[3]], 0.0, self.charge_max)[now]
        fed = np.zeros(len(self.stay))
        fed[self.feeding] = np.clip(levels[self.begin[1] : self.begin[2]], 0.0, self.discharge_max)
        return charge, fed[now]


def _stay_by_stay(there: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return step and stay of each cell, the cells of a stay one after another."""
    stay, step = np.nonzero(there.T)
    return step, stay
