"""What a rule reckons energy to cost in the steps ahead, as far as it is known in each step
(docs/formulation.md §4).
"""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from ..errors import Problem, SchemaError
from ..model.gates import Gates
from ..model.inputs import Inputs

KNOWN_BY_RULES = ("published", "naive", "perfect")
_WEEK = 7 * 24  # h


@dataclass(frozen=True)
class PriceForecast:
    """A price on the steps of a case (EUR/kWh), and from which moment on each is known."""

    price: np.ndarray  # as it came
    known_from: np.ndarray  # step at which a decision first knows it
    day: int  # steps of a day

    def at(self, now: int, count: int) -> np.ndarray:
        """Return the price of `count` steps from `now` on, as a decision in `now` expects it.

        What is not known yet is expected as a week before, or as many weeks as it takes to be
        known; in the first week of the case as on its first day.
        """
        steps = np.arange(now, now + count)
        unknown = self.known_from[steps] > now
        if not unknown.any():
            return self.price[steps]
        week, known = 7 * self.day, int(np.searchsorted(self.known_from, now, side="right")) - 1
        weeks_back = steps - week * np.maximum(1, (steps - known + week - 1) // week)
        earlier = np.where(weeks_back >= 0, weeks_back, steps % self.day)
        if (earlier[unknown] > known).any():
            detail = "there is no earlier day to forecast prices from; start at least a day later"
            raise SchemaError([Problem("start", "time", detail)], source="the simulation")
        return self.price[np.where(unknown, earlier, steps)]


def price_forecast(kind: str, inputs: Inputs, gates: Gates) -> PriceForecast:
    """Return what a rule expects that energy costs which no market has bought before.

    ``published`` is the price of the first auction from an hour after its gate on, ``naive`` the
    price of imbalance when it has come, ``perfect`` that price in advance.

    Raises
    ------
    SchemaError
        No auction publishes a price.
    """
    steps = np.arange(len(inputs.calendar.time))
    day = max(1, round(24 / inputs.dt))
    if kind == "published":
        auction = auction_of(gates)
        if auction is None:
            detail = "no energy market has a gate at an hour of the day, so no price is published"
            remedy = "give one in /gates, or choose naive"
            raise SchemaError([Problem("gates.hour", "missing", f"{detail}; {remedy}")])
        price = on_steps(inputs, inputs.data["energy"].price, auction)
        published = gates.close["energy"].isel(market=auction) + np.timedelta64(1, "h")
        known = np.searchsorted(inputs.calendar.time.to_numpy(), published.to_numpy())
        return PriceForecast(price, known, day)
    settled = settlement_price(inputs)
    return PriceForecast(settled, steps + 1 if kind == "naive" else np.zeros_like(steps), day)


def auction_of(gates: Gates) -> int | None:
    """Return the number of the first energy market that closes at an hour of the day."""
    rolling = gates.rolling.get("energy")
    if rolling is None or bool(rolling.all()):
        return None
    return int(np.argmin(rolling.to_numpy()))


def first_auction(inputs: Inputs, gates: Gates) -> str | None:
    """Return the label of that market; None where there is none."""
    auction = auction_of(gates)
    return None if auction is None else str(inputs.data["energy"].indexes["market"][auction])


def settlement_price(inputs: Inputs) -> np.ndarray:
    """Return what energy costs that no market has bought before (EUR/kWh on time)."""
    if "imbalance" not in inputs.data:
        return on_steps(inputs, inputs.data["energy"].price)
    return on_steps(inputs, inputs.data["imbalance"].price_long)


def on_steps(inputs: Inputs, x: xr.DataArray, market: int = 0) -> np.ndarray:
    """Return numbers of a market, by its place, on the steps of the case."""
    of_market = x.isel(market=market) if "market" in x.dims else x
    return np.broadcast_to(np.asarray(of_market, float), (len(inputs.calendar.time),))
