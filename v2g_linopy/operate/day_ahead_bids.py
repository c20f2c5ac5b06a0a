"""What is bought in the day-ahead auction before it is known who comes (docs/formulation.md §4)."""

import numpy as np

from ..model.formulas_time import first_of_block, same_block
from ..model.gates import Gates
from ..model.inputs import Inputs
from .price_forecasts import auction_of

BIDS = ("week-ago", "mean-of-days", "none", "known")
"""Quantities that may be bid, by name."""
_WEEKEND = 5  # Saturday and Sunday are days of one class, Monday to Friday of the other


def bid_quantities(
    kind: str, net: np.ndarray, steps: range, inputs: Inputs, gates: Gates, days: int = 10
) -> np.ndarray:
    """Return the position of each step in the auction (kW; sale +).

    It is a quantity that the same policy has delivered before the gate, never a bet on a price:
    ``week-ago`` that of the same hour a week ago; ``mean-of-days`` the mean over the latest `days`
    days of the same class, Monday to Friday or the weekend, that are over when the gate closes;
    ``known`` what is delivered, as if it were known; ``none`` nothing. What has not been operated
    is not known: near the begin nothing is bid.

    Parameters
    ----------
    kind : {"week-ago", "mean-of-days", "none", "known"}
        What is bid.
    net : numpy.ndarray
        What was delivered in each step of the case (kW; feed-in +).
    steps : range
        The steps that were operated.
    inputs : Inputs
        The case, for its clock and its market blocks.
    gates : Gates
        When the auction closes.
    days : int, default 10
        Most days that ``mean-of-days`` looks back to.

    Returns
    -------
    numpy.ndarray
        On the steps of the case, the same in all steps of a market block, within `energy.limit`.
    """
    auction = auction_of(gates)
    if kind == "none" or auction is None:
        return np.zeros_like(net)
    time = inputs.calendar.time
    closes = gates.close["energy"].isel(market=auction).to_numpy()
    # steps that are over when the gate closes, counted from the begin of the case
    step = np.timedelta64(round(inputs.dt * 3600), "s")
    over = np.searchsorted(time.to_numpy(), closes - step, side="right")
    delivered = np.full(len(net), np.nan)
    delivered[steps.start : steps.stop] = net[steps.start : steps.stop]
    if kind == "week-ago":
        expected = _week_ago(delivered, over, round(7 * 24 / inputs.dt))
    elif kind == "mean-of-days":
        expected = _mean_of_days(delivered, over, inputs, days)
    else:
        expected = delivered
    traded = np.where(np.isnan(delivered), 0.0, np.nan_to_num(expected))
    return _in_blocks(traded, inputs, auction)


def _week_ago(delivered: np.ndarray, over: np.ndarray, week: int) -> np.ndarray:
    """Return what was delivered a week of steps ago, where that is over when the gate closes."""
    steps = np.arange(len(delivered))
    before = np.concatenate([np.full(week, np.nan), delivered])[: len(delivered)]
    return np.where(steps - week < over, before, np.nan)


def _mean_of_days(delivered: np.ndarray, over: np.ndarray, inputs: Inputs, days: int) -> np.ndarray:
    """Return the mean of the same clock time on the latest days of the same class."""
    local = inputs.calendar.time.tz_localize("UTC").tz_convert(inputs.calendar.timezone)
    day, of_day = np.unique(local.tz_localize(None).normalize(), return_inverse=True)
    hour = np.asarray(local.hour + local.minute / 60)
    clock = np.floor(hour / inputs.dt + 1e-9).astype(int)
    by_day = np.full((len(day), clock.max() + 1), np.nan)
    by_day[of_day, clock] = delivered

    # a day counts where all of it was operated, and is over when the gate closes
    ends = np.searchsorted(of_day, np.arange(len(day)), side="right")
    whole = np.bincount(of_day, np.isnan(delivered), len(day)) == 0
    weekend = (day.astype("datetime64[D]").astype(int) + 3) % 7 >= _WEEKEND
    expected = np.full(len(delivered), np.nan)
    for number in range(len(day)):
        steps = of_day == number
        earlier = (ends <= over[steps].min()) & whole & (weekend == weekend[number])
        latest = by_day[np.flatnonzero(earlier)[-days:]]
        # an hour that the clock skips on one of the days is the mean of the others
        count = (~np.isnan(latest)).sum(axis=0)
        mean = np.divide(
            np.nansum(latest, axis=0), count, where=count > 0, out=np.zeros(len(count))
        )
        expected[steps] = mean[clock[steps]]
    return expected


def _in_blocks(quantity: np.ndarray, inputs: Inputs, auction: int) -> np.ndarray:
    """Return the mean of each market block, and no more than the market takes."""
    calendar, energy = inputs.calendar, inputs.data["energy"]
    hours, limit = (
        x.isel(market=auction, drop=True) if "market" in x.dims else x
        for x in (energy.block, energy.limit)
    )
    same = same_block(hours, calendar.time, calendar.timezone, inputs.dt)
    begin = first_of_block(same, calendar.time).to_numpy()
    mean = np.bincount(begin, quantity) / np.maximum(np.bincount(begin), 1)
    most = np.broadcast_to(limit.to_numpy(), quantity.shape)
    return np.clip(mean[begin], -most, most)
