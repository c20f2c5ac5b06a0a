"""What the data does not hold: stated assumptions, never silent guesses."""

from collections.abc import Container, Mapping
from typing import Literal

import numpy as np
import xarray as xr
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ...errors import Problem, Remedy, SchemaError
from ...model.sessions import SESSION_FIELDS
from ..tables.unit_conversion import in_unit, stacked
from ..tables.wording import first_few, with_count
from .battery_costs import WEAR, WEAR_SOURCE

BATTERY = ("capacity", "energy_need", "energy_arrival", "charge_max")
LARGEST_TRIP = "energy_trip_max"
"""Column with the largest trip of a vehicle, kWh, also of one before its first stay."""
USED = (*BATTERY, "energy", "power_max", "charge_time", "eta_charge")
"""Columns that the rule reads where the data hold them."""
MOST_NAMED = 20
"""Sessions that a message names."""


class BatteryAssumption(BaseModel):
    """Battery, arrival, charger and wear of sessions of which only the metered energy is known.

    ::

        capacity       = max(capacity_min, capacity_per_energy * eta_charge * energy)
        energy_need    = full * capacity                       it left as full as this
        energy_arrival = energy_need - eta_charge * energy     and had charged what the meter says
        charge_max     = power_max, or where the energy does not fit,
                         charger_margin * energy / hours plugged in
                         (charger_power in place of a power_max that nobody saw, hours of
                         charging where they are known, and all stays of a vehicle together where
                         it is one battery all along)
        discharge_max  = discharge_share * charge_max

    A vehicle that is named has one battery: the largest of its stays, and of its trips where
    ``energy_trip_max`` tells the largest one, whether a stay comes before it or not. A column
    that the data hold is taken as it is; where it holds both energies on board, their difference is
    what was charged.

    Parameters
    ----------
    capacity_min : float, default 60.0
        Smallest battery, kWh.
    capacity_per_energy : float, default 1.25
        Battery per kWh that went into it.
    full : float, default 0.9
        Energy at departure, as a share of the battery.
    eta_charge, eta_discharge : float, default 0.95
        Efficiency each way.
    charger_power : float, default 11.0
        Charger where no power was seen, kW.
    charger_of_all : float, default 0.0
        Charger of every session, whatever power was seen, kW; 0: as seen. It is not raised: what
        it cannot charge is a need that nobody can meet (`need` of `case_from_sessions`).
    charger_margin : float, default 1.02
        Charger per mean power, where the largest power seen is too little.
    charger_raise : float, default 3.0
        Most by which a charger is raised above the largest power seen; beyond it a unit is wrong.
    discharge_share : float, default 1.0
        Discharging per charging power; 0: smart charging.
    wear : float, default 0.03
        EUR per kWh leaving the battery; 120 EUR/kWh over 4000 full cycles unless given.

    Examples
    --------
    >>> from v2g_linopy.data import BatteryAssumption
    >>> rule = BatteryAssumption(capacity_min=40.0)
    >>> rule.capacity_min, rule.full
    (40.0, 0.9)
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    capacity_min: float = Field(default=60.0, gt=0, description="smallest battery, kWh")
    capacity_per_energy: float = Field(
        default=1.25, ge=1, description="battery per kWh that went into it"
    )
    full: float = Field(
        default=0.9, gt=0, le=1, description="energy at departure, as a share of the battery"
    )
    eta_charge: float = Field(default=0.95, gt=0, le=1, description="charging efficiency")
    eta_discharge: float = Field(default=0.95, gt=0, le=1, description="discharging efficiency")
    charger_power: float = Field(
        default=11.0, gt=0, description="charger where no power was seen, kW"
    )
    charger_of_all: float = Field(
        default=0.0, ge=0, description="every charger, whatever power was seen, kW; 0: as seen"
    )
    charger_margin: float = Field(
        default=1.02, ge=1, description="charger per mean power, where power_max is too little"
    )
    charger_raise: float = Field(
        default=3.0,
        ge=1,
        description="most by which a charger is raised above power_max; beyond it a unit is wrong",
    )
    discharge_share: float = Field(
        default=1.0, ge=0, description="discharging per charging power; 0: smart charging"
    )
    wear: float = Field(default=WEAR, ge=0, description="wear, EUR per kWh leaving the battery")

    @model_validator(mode="after")
    def _leaves_room(self) -> "BatteryAssumption":
        if self.full * self.capacity_per_energy < 1:
            raise ValueError(
                "full * capacity_per_energy must be at least 1: otherwise a car arrives with less"
                " than 0"
            )
        return self

    def sentences(self, given: Container[object] = (), currency: str = "EUR") -> list[str]:
        """State the rules in words, with their numbers.

        Parameters
        ----------
        given : container of str, default ()
            Columns that the data hold; what is said of them is left out.
        currency : str, default "EUR"
            The money of `wear`.

        Returns
        -------
        list of str
            One sentence each.

        Examples
        --------
        >>> rule.sentences(given=("capacity",))[0]
        'Energy at departure: 0.9 of the battery.'
        """
        sentences = []
        on_board = "energy_need" in given and "energy_arrival" in given
        metered = "energy" in given or not on_board
        if "capacity" not in given:
            one = (
                "; of a vehicle that is named, the largest of its stays"
                if "vehicle" in given
                else ""
            )
            one += " and of all its trips" if LARGEST_TRIP in given else ""
            into = "metered energy times the charging efficiency" if metered else "that is needed"
            sentences.append(
                f"Battery of a session: the larger of {self.capacity_min:g} kWh and"
                f" {self.capacity_per_energy:g} times the energy that went into it ({into}){one}."
            )
        if "energy_need" not in given:
            sentences.append(f"Energy at departure: {self.full:g} of the battery.")
        if "energy_arrival" not in given:
            sentences.append(
                "Energy on arrival: that at departure, less what went into the battery."
            )
        if "charge_max" not in given and self.charger_of_all:
            sentences.append(f"Charger: {self.charger_of_all:g} kW, whatever power was seen.")
        elif "charge_max" not in given:
            seen = "the largest power seen in the session"
            source = seen if "power_max" in given else f"{self.charger_power:g} kW, as none is seen"
            energy = "metered energy" if metered else "energy"
            sentences.append(
                f"Charger: {source}; where the {energy} does not fit the stay at that,"
                f" {self.charger_margin:g} times the energy over the hours plugged in."
            )
        if "discharge_max" not in given:
            sentences.append(f"Discharging: {self.discharge_share:g} times the charger.")
        ways = (("eta_charge", "in"), ("eta_discharge", "out"))
        if shares := [f"{getattr(self, name):g} {way}" for name, way in ways if name not in given]:
            sentences.append(f"Efficiency: {', '.join(shares)}.")
        origin = f": {WEAR_SOURCE}" if self.wear == WEAR else ""
        sentences.append(f"Wear {self.wear:.6g} EUR per kWh leaving the battery{origin}.")
        return [sentence.replace("EUR", currency) for sentence in sentences]

    def apply(self, sessions: xr.Dataset, currency: str = "EUR") -> tuple[xr.Dataset, list[str]]:
        """Add the columns that are not there yet, and say what was assumed and for whom.

        Parameters
        ----------
        sessions : xarray.Dataset
            On ``session``, with ``arrival`` and ``departure``, and of ``energy`` (kWh, metered at
            the grid), ``power_max`` (kW) and ``charge_time`` (h) what there is.
        currency : str, default "EUR"
            The money of `wear` in the sentences.

        Returns
        -------
        sessions : xarray.Dataset
            With capacity, energy on arrival and needed (kWh), powers (kW) and efficiencies.
        sentences : list of str
            What was assumed.

        Raises
        ------
        SchemaError
            ``energy`` is needed and missing, the hours plugged in are not positive, or the metered
            energy fits a stay only with a charger more than `charger_raise` times the largest power
            seen.

        Examples
        --------
        A car that took 20 kWh at the meter in four hours, at most 11 kW:

        >>> import pandas as pd
        >>> import xarray as xr
        >>> stay = {"arrival": pd.Timestamp("2026-03-02 08:00")}
        >>> stay |= {"departure": pd.Timestamp("2026-03-02 12:00")}
        >>> stay |= {"energy": 20.0, "power_max": 11.0}
        >>> stay = {name: ("session", [value]) for name, value in stay.items()}
        >>> sessions, sentences = rule.apply(xr.Dataset(stay, coords={"session": [0]}))
        >>> names = ("capacity", "energy_need", "energy_arrival")
        >>> [round(sessions[name].item(), 6) for name in names]
        [40.0, 36.0, 17.0]
        """
        hours = (sessions["departure"] - sessions["arrival"]) / np.timedelta64(1, "h")
        if problems := [*_not_metered(sessions), *_backwards(sessions, hours)]:
            raise SchemaError(problems, "the sessions")

        sentences = self.sentences(sessions, currency)
        given = {
            name: in_unit(sessions[name], SESSION_FIELDS[name].unit, f"sessions.{name}")
            for name in USED
            if name in sessions
        }
        into = self._charged(given)
        made = self._efficiencies() | self._battery(sessions, given, into)
        charger = given.get("charge_max")
        if charger is None and self.charger_of_all:
            charger = made["charge_max"] = xr.full_like(hours, self.charger_of_all)
        elif charger is None:
            drawn = into / given.get("eta_charge", self.eta_charge)
            if sessions.attrs.get("linked") and "vehicle" in sessions:
                # one battery all along may charge for a trip at any stay before it
                vehicle = np.asarray(sessions["vehicle"]).astype(str)
                drawn, hours = _sum_of_each(drawn, vehicle), _sum_of_each(hours, vehicle)
            charger, more = self._charger(sessions, drawn, hours, given)
            made["charge_max"] = charger
            sentences += more
        made["discharge_max"] = self.discharge_share * charger
        new = {name: _assumed(name, x) for name, x in made.items() if name not in sessions}
        return sessions.assign(new), sentences

    def _efficiencies(self) -> dict[str, xr.DataArray]:
        ways = ("eta_charge", "eta_discharge")
        return {way: xr.DataArray(getattr(self, way)) for way in ways}

    def _charged(self, given: Mapping[str, xr.DataArray]) -> xr.DataArray:
        """Return what goes into the battery of each session, by its meter, else by what is on board
        at both ends.
        """
        if "energy" in given:
            return xr.DataArray(given.get("eta_charge", self.eta_charge) * given["energy"])
        return xr.DataArray(given["energy_need"] - given["energy_arrival"]).clip(min=0.0)

    def _battery(
        self, sessions: xr.Dataset, given: Mapping[str, xr.DataArray], into: xr.DataArray
    ) -> dict[str, xr.DataArray]:
        """Battery and energy on board at both ends of a stay, from what is charged and what the
        data hold.
        """
        largest = into
        if LARGEST_TRIP in sessions:
            trip = in_unit(sessions[LARGEST_TRIP], "kWh", f"sessions.{LARGEST_TRIP}")
            largest = into.copy(data=np.maximum(into, trip))
        assumed = (self.capacity_per_energy * largest).clip(min=self.capacity_min)
        if "vehicle" in sessions:
            assumed = _largest_of_each(assumed, np.asarray(sessions["vehicle"]).astype(str))
        capacity = given.get("capacity", assumed)
        need = given.get("energy_need", xr.DataArray(self.full * capacity))
        return {"capacity": capacity, "energy_need": need, "energy_arrival": need - into}

    def _charger(
        self,
        sessions: xr.Dataset,
        drawn: xr.DataArray,
        hours: xr.DataArray,
        given: Mapping[str, xr.DataArray],
    ) -> tuple[xr.DataArray, list[str]]:
        """Return the charger of each session, and which were raised or are not known.

        It is the largest power seen, or the one that is assumed; more where the energy drawn does
        not fit the stay.
        """
        power = given.get("power_max", xr.full_like(hours, np.nan))
        unseen = power.isnull()
        busy = given.get("charge_time", hours)
        mean = drawn / xr.where(unseen & (busy > 0), np.minimum(busy, hours), hours)
        least = power.fillna(self.charger_power)
        raised = mean > least
        charger = xr.where(raised, self.charger_margin * mean, least)
        said = self._unseen(sessions, np.asarray(unseen), np.asarray(charger))
        return charger, said + self._raised(sessions, mean, power, charger, raised & ~unseen)

    def _unseen(self, sessions: xr.Dataset, unseen: np.ndarray, charger: np.ndarray) -> list[str]:
        """Say in which sessions a charger is assumed, where that is not so for all."""
        more = np.flatnonzero(unseen & (charger > self.charger_power))
        places = [f"{session_name(sessions, k)} {charger[k]:.4g} kW" for k in more.tolist()]
        sentences = []
        if unseen.any() and not unseen.all():
            count = with_count(int(unseen.sum()), "session")
            sentences.append(
                f"No power is seen in {count}: a charger of {self.charger_power:g} kW."
            )
        if places:
            sentences.append(
                f"Charger of more than {self.charger_power:g} kW, so that the energy fits, in"
                f" {with_count(len(places), 'session')}: {first_few(places, MOST_NAMED)}."
            )
        return sentences

    def _raised(
        self,
        sessions: xr.Dataset,
        mean: xr.DataArray,
        power: xr.DataArray,
        charger: xr.DataArray,
        raised: xr.DataArray,
    ) -> list[str]:
        """Say which chargers are above the largest power seen, or refuse those that are far above
        it.
        """
        needed, seen = np.asarray(charger, float), np.asarray(power, float)
        factor = np.divide(needed, seen, out=np.full(len(needed), np.inf), where=seen > 0)
        worst_first = np.argsort(-factor, kind="stable")
        worst_first = worst_first[np.asarray(raised)[worst_first]]

        beyond = worst_first[factor[worst_first] > self.charger_raise]
        if len(beyond):
            raise SchemaError(self._too_weak(sessions, mean, power, beyond), "the sessions")
        if not len(worst_first):
            return []
        places = [
            f"{session_name(sessions, k)} from {seen[k]:.4g} to {needed[k]:.4g} kW"
            for k in worst_first
        ]
        return [
            "Charger raised above the largest power seen, so that the metered energy fits the"
            f" stay, in {with_count(len(places), 'session')}, worst first:"
            f" {first_few(places, MOST_NAMED)}."
        ]

    def _too_weak(
        self, sessions: xr.Dataset, mean: xr.DataArray, power: xr.DataArray, beyond: np.ndarray
    ) -> list[Problem]:
        """Return the problems of sessions whose charger would have to be raised too far."""
        average, seen = np.asarray(mean, float), np.asarray(power, float)
        problems = []
        for k in beyond[:MOST_NAMED].tolist():
            hint, remedies = _wrong_unit(average[k], seen[k])
            detail = (
                f"session {session_name(sessions, k)}: its energy over its stay is"
                f" {average[k]:.6g} kW on average, its power_max {seen[k]:.6g} kW; {hint}"
            )
            problems.append(Problem("sessions.energy", "range", detail, remedies))
        rest = len(beyond) - MOST_NAMED
        detail = f"a charger is raised at most {self.charger_raise:g} times"
        detail += f" (and {rest} more sessions)" if rest > 0 else ""
        allow = Remedy("charger_raise", (1000,), advice="give {} to allow more")
        return [*problems, Problem("sessions.power_max", "range", detail, (allow,))]


def _not_metered(sessions: xr.Dataset) -> list[Problem]:
    """Return a problem where what was charged is needed and not known."""
    lacking = [column for column in BATTERY if column not in sessions]
    on_board = "energy_need" in sessions and "energy_arrival" in sessions
    if not lacking or on_board or "energy" in sessions:
        return []
    detail = f"the battery assumption needs the metered energy (kWh) for {', '.join(lacking)}"
    return [Problem("sessions.energy", "missing", detail)]


def _backwards(sessions: xr.Dataset, hours: xr.DataArray) -> list[Problem]:
    """Return a problem where sessions leave before they arrive."""
    wrong = np.asarray(~(hours > 0))
    if not wrong.any():
        return []
    bad = np.asarray(sessions["session"])[wrong]
    detail = f"session {first_few(bad, 50)}: leaves before or when it arrives"
    return [Problem("sessions.departure", "consistency", detail)]


def _assumed(name: str, values: xr.DataArray) -> xr.DataArray:
    """Give a column the unit and the meaning that it has in a table of sessions; it is no data."""
    field = SESSION_FIELDS[name]
    return values.assign_attrs(units=field.unit, long_name=f"{field.doc} (assumed)")


def session_name(sessions: xr.Dataset, k: int) -> str:
    """What a user calls a session: its label, and its vehicle where it is named."""
    vehicle = str(np.asarray(sessions["vehicle"])[k]) if "vehicle" in sessions else ""
    return f"{np.asarray(sessions['session'])[k]}" + (f" ({vehicle})" if vehicle else "")


def _largest_of_each(values: xr.DataArray, label: np.ndarray) -> xr.DataArray:
    """The largest value of all sessions with the same label; a session without one keeps its
    own.
    """
    number = np.unique(
        np.where(label == "", [f"/{k}" for k in range(len(label))], label), return_inverse=True
    )[1]
    largest = np.zeros(len(label))
    np.maximum.at(largest, number, np.asarray(values, float))
    return values.copy(data=largest[number])


def _sum_of_each(values: xr.DataArray, label: np.ndarray) -> xr.DataArray:
    """The sum over all sessions with the same label."""
    number = np.unique(label, return_inverse=True)[1]
    return values.copy(data=np.bincount(number, np.asarray(values, float))[number])


def _wrong_unit(mean: float, seen: float) -> tuple[str, tuple[Remedy, ...]]:
    """Return what may be wrong where an energy is far too large for the power seen, and what mends
    it.
    """
    if seen > 0 and mean / 1000 <= 3 * seen:
        watt_hours = Remedy("units", ("Wh",), key="energy", advice="for Wh give {}")
        return "the energy may be in Wh, or the power in MW", (watt_hours,)
    return "is the unit of either another one, or an energy or a power wrong?", ()


class Regulation(BaseModel):
    """Regulation sold as two products, `up` and `down`, from one pair of prices.

    NaN or 0 is an hour not accepted.

    ``settlement="capacity"``: the price is paid on capacity and activated energy is settled at the
    energy market. ``"energy"``: no capacity price, activated energy is settled at the regulation
    prices.

    Parameters
    ----------
    up, down : str, default "regulation_up", "regulation_down"
        Names of the prices.
    activation_up : float, default 0.25
        Expected share of the volume that is activated upward.
    activation_down : float, default 0.75
        Expected share of the volume that is activated downward.
    settlement : {"capacity", "energy"}, default "capacity"
        What the price is paid on.

    Examples
    --------
    >>> from v2g_linopy.data import Regulation
    >>> rule = Regulation(activation_up=0.5)
    >>> rule.activation_up, rule.up
    (0.5, 'regulation_up')
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    up: str = Field(default="regulation_up", description="name of the upward price, EUR/MWh")
    down: str = Field(default="regulation_down", description="name of the downward price, EUR/MWh")
    activation_up: float = Field(
        default=0.25, ge=0, lt=1, description="expected share of upward capacity used"
    )
    activation_down: float = Field(
        default=0.75, ge=0, lt=1, description="expected share of downward capacity used"
    )
    settlement: Literal["capacity", "energy"] = "capacity"

    def sentences(self) -> list[str]:
        """State the rules in words, with their numbers.

        Returns
        -------
        list of str
            One sentence each.

        Examples
        --------
        >>> any("0.5" in sentence for sentence in rule.sentences())
        True
        """
        money = {
            "capacity": (
                "The price is paid per MW and hour; activated energy is settled at the energy"
                " market."
            ),
            "energy": (
                "Nothing is paid for capacity; activated energy is settled at the regulation"
                " prices."
            ),
        }
        return [
            (
                f"Regulation is sold as two products; on average {self.activation_up:g} of upward"
                f" and {self.activation_down:g} of downward capacity is activated."
            ),
            money[self.settlement],
            "In hours in which nothing was accepted nothing can be sold.",
        ]

    def reserve(self, prices: xr.Dataset, volume: float, currency: str = "EUR") -> xr.Dataset:
        """Return the group `/reserve` for prices on ``time``.

        Parameters
        ----------
        prices : xarray.Dataset
            On ``time``, with the two prices of the rule (EUR/MWh).
        volume : float
            Most that can be sold of each product, kW.
        currency : str, default "EUR"
            The money of the prices.

        Returns
        -------
        xarray.Dataset
            The products `up` and `down` with their prices (EUR/MW/h or EUR/MWh) and volumes (kW).

        Raises
        ------
        SchemaError
            A price is missing, or in a unit of another kind.

        Examples
        --------
        Nothing is accepted in the second hour:

        >>> import pandas as pd
        >>> import xarray as xr
        >>> time = pd.date_range("2026-03-02", periods=2, freq="h")
        >>> paid = {"regulation_up": ("time", [80.0, 0.0])}
        >>> paid |= {"regulation_down": ("time", [20.0, 30.0])}
        >>> reserve = rule.reserve(xr.Dataset(paid, coords={"time": time}), volume=50.0)
        >>> reserve.volume_max.sel(product="up").values.tolist()
        [50.0, 0.0]
        """
        price = stacked(prices, {"up": self.up, "down": self.down}, "product", currency)
        accepted = price.fillna(0.0) != 0
        price = price.where(accepted, 0.0)
        data: dict[str, object] = {
            "up": ("product", [1.0, 0.0]),
            "down": ("product", [0.0, 1.0]),
            "activation_up": ("product", [self.activation_up, 0.0]),
            "activation_down": ("product", [0.0, self.activation_down]),
            "volume_max": accepted * volume,
        }
        if self.settlement == "capacity":
            data["capacity_price"] = price
        else:
            data |= {"activation_price_up": price, "activation_price_down": price}
        return xr.Dataset(data)
