"""What was delivered and at which prices on days that were over when a gate closed: all that a bid
may know (docs/formulation.md §4).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields

import numpy as np

from ..model.inputs import Inputs

_WEEKEND = 5  # Saturday and Sunday are days of one class, Monday to Friday of the other


@dataclass(frozen=True)
class Outcome:
    """What came: on the steps of a case (NaN where nothing was operated), or on (day, step).

    Prices are known whether or not something was operated.
    """

    quantity: np.ndarray  # kW delivered; feed-in +
    connected: np.ndarray  # kW that plugged-in cars can draw or feed in, with what loads draw
    day_ahead: np.ndarray  # EUR/kWh
    surplus: np.ndarray  # EUR/kWh that is paid for what is delivered beyond the position
    shortage: np.ndarray  # EUR/kWh that is charged for what is missing from it

    def each(self, change: Callable[[np.ndarray], np.ndarray]) -> "Outcome":
        """Return the same with each array changed."""
        return Outcome(**{field.name: change(getattr(self, field.name)) for field in fields(self)})

    @property
    def spread(self) -> np.ndarray:
        """Return what a kWh earns that is sold day-ahead and bought as imbalance (EUR/kWh)."""
        return self.day_ahead - self.shortage

    @property
    def of_two_prices(self) -> "Outcome":
        """Return the same where imbalance never earns more, nor costs less, than day-ahead."""
        surplus = np.minimum(self.day_ahead, self.surplus)
        shortage = np.maximum(self.day_ahead, self.shortage)
        return Outcome(self.quantity, self.connected, self.day_ahead, surplus, shortage)


def days_before(
    outcome: Outcome, over: np.ndarray, inputs: Inputs, most: int
) -> Iterator[tuple[np.ndarray, Outcome]]:
    """Yield the steps of each local day, and the latest days of its class as scenarios.

    The classes are Monday to Friday, and the weekend. A day is a scenario where all of it was
    operated and is over when the gate closes. Its quantities and prices stay together: each
    scenario is one day, at the same clock times. An hour that the clock skips on one of the days
    is the mean of the others; one that comes twice is the mean of both.

    Parameters
    ----------
    outcome : Outcome
        On the steps of the case.
    over : numpy.ndarray
        Of each step of the case, how many steps are over when its gate closes.
    inputs : Inputs
        The case, for its clock.
    most : int
        Most scenarios of a day.

    Yields
    ------
    steps : numpy.ndarray
        Numbers of the steps of a day; days without a scenario are left out.
    outcome : Outcome
        On (scenario, step of the day).
    """
    local = inputs.calendar.time.tz_localize("UTC").tz_convert(inputs.calendar.timezone)
    day, of_day = np.unique(local.tz_localize(None).normalize(), return_inverse=True)
    clock = np.floor(np.asarray(local.hour + local.minute / 60) / inputs.dt + 1e-9).astype(int)
    by_day = outcome.each(lambda x: _by_clock(x, of_day, clock))

    ends = np.searchsorted(of_day, np.arange(len(day)), side="right")
    whole = np.bincount(of_day, np.isnan(outcome.quantity), len(day)) == 0
    weekend = (day.astype("datetime64[D]").astype(int) + 3) % 7 >= _WEEKEND
    for number in range(len(day)):
        steps = np.flatnonzero(of_day == number)
        earlier = (ends <= over[steps].min()) & whole & (weekend == weekend[number])
        latest = np.flatnonzero(earlier)[-most:]
        if len(latest):
            at = latest[:, None], clock[steps]
            yield steps, by_day.each(lambda x, at=at: _filled(x[at]))  # type: ignore[misc]


def _by_clock(x: np.ndarray, of_day: np.ndarray, clock: np.ndarray) -> np.ndarray:
    """Lay numbers out on (day, clock time); NaN where the clock skips a time."""
    shape = of_day[-1] + 1, clock.max() + 1
    cell = of_day * shape[1] + clock
    count = np.bincount(cell, minlength=shape[0] * shape[1])
    total = np.bincount(cell, x, len(count))
    return np.divide(total, count, where=count > 0, out=np.full(len(count), np.nan)).reshape(shape)


def _filled(x: np.ndarray) -> np.ndarray:
    """Write the mean of the other days where a number is missing, 0 where all are."""
    there = ~np.isnan(x)
    count = there.sum(axis=0)
    mean = np.divide(
        np.where(there, x, 0.0).sum(axis=0), count, where=count > 0, out=np.zeros(x.shape[1])
    )
    return np.where(there, x, mean)
