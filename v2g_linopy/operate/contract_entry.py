"""What the owner of each charging session agrees to on arrival (docs/formulation.md §10)."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from ..case.io import calendar_of, step_hours
from ..case.schema import Calendar
from ..errors import Problem, SchemaError
from ..model.contracts import CALLED, GROUP, SCHEMA, WEAR_OF_OWNERS, term_problems
from ..model.sessions import COLUMNS, CONTRACTED, sessions_plugged_in, validated_sessions

NOT_AGREED = -1
TAKEN = "taken"
REASONS = (TAKEN, "stay", "room", "excluded", "no utility")
"""Why a session has a contract, or none: it leaves before the term; it cannot give the energy of
any contract; the menu has none for its type; none is worth it to its type.
"""
_NEAR = 1e-9  # EUR, kWh, h
WEAR_NOTE = (
    "Wear by discharging is the owners', who are paid for it by their contracts: the fleet's own"
    " price of it is left out."
)
_NEEDED = ("arrival", "departure", "energy_arrival", "energy_need", "charge_max", "discharge_max")


def with_contracts(
    case: xr.DataTree, menu: xr.DataTree | xr.Dataset, *, seed: int = 0
) -> xr.DataTree:
    """Offer a menu to every session of a case on its arrival.

    A session is asked where it stays for the term. It can give what is on board above its floor and
    what its charger brings back before the departure::

        room = min((energy_arrival - energy_floor) eta_discharge,  laxity / (1 / p_d + 1 / (h p_c)))

    with the hours `laxity` that it stays beyond those its need takes, powers p_c and p_d, and h the
    efficiency of both ways. Of the contracts that fit, its owner takes the one that is best for its
    type; of equal ones that with the longest term, then the largest energy.

    Parameters
    ----------
    case : xarray.DataTree
        A case with `/sessions` and the `/fleet` that was made of them.
    menu : xarray.DataTree or xarray.Dataset
        A menu with its `energy` and `payment`: a group `/contract`, or a tree with one.
    seed : int, default 0
        Types that `/sessions` does not give are drawn from the shares by
        ``numpy.random.default_rng(seed)``, one for each session by arrival and departure.

    Returns
    -------
    xarray.DataTree
        The case with `/contract`; with `type`, `contract`, `contract_energy` (kWh),
        `contract_payment` (money), `contract_term` (h) and `contract_reason` of each session; and
        with a fleet that feeds in under a contract only: `discharge_max` within the term, and
        `allowance`. `/sessions` keeps the seed as an attribute. Wear by discharging is the owner's:
        `wear` and `replacement_cost` of the fleet are left out, and `assumptions` say so.

    Raises
    ------
    SchemaError
        Listing every problem of the menu and the sessions; also a term for which no session stays,
        as nobody could ever take its contracts.

    Examples
    --------
    One type, and 5 kWh for 0.10 in the first two hours. The second car leaves after one:

    >>> import pandas as pd
    >>> import xarray as xr
    >>> import v2g_linopy as v2g
    >>> moments = pd.to_datetime(["2026-03-02 08:00", "2026-03-02 12:00", "2026-03-02 09:00"])
    >>> stay = {"arrival": moments[[0, 0]], "departure": moments[[1, 2]], "capacity": [40.0, 40.0]}
    >>> stay |= {"energy_arrival": [20.0, 20.0], "energy_need": [20.0, 20.0]}
    >>> stay |= {"charge_max": [10.0, 10.0], "discharge_max": [10.0, 10.0]}
    >>> sessions = xr.Dataset({n: ("session", x) for n, x in stay.items()}, {"session": [0, 1]})
    >>> time = pd.date_range("2026-03-02 08:00", periods=4, freq="h")
    >>> fleet, table = v2g.sessions_to_fleet(sessions, time)
    >>> case = v2g.assemble(time, {"fleet": fleet, "sessions": table})
    >>> menu = xr.Dataset({"theta": ("type", [1.0]), "share": ("type", [1.0]), "wear": 0.01})
    >>> menu = menu.assign(term=2.0, energy=("type", [5.0]), payment=("type", [0.1]))
    >>> agreed = v2g.with_contracts(case, menu.assign_coords(type=["any"]))
    >>> agreed["sessions"].contract_reason.values.tolist()
    ['taken', 'stay']
    """
    offer, sessions = _offer_and_sessions(case, menu)
    problems = term_problems(xr.Dataset({"term": ("contract", offer.term)}), sessions)
    if problems:
        raise SchemaError(problems, source="the contracts")
    return _agreed_case(case, menu, offer, sessions, seed)


def with_contracts_of_any_term(
    case: xr.DataTree, menu: xr.DataTree | xr.Dataset, *, seed: int = 0
) -> xr.DataTree:
    """Offer a menu as `with_contracts` does, also one whose terms are longer than every stay.

    Studies that vary the term need it: where nobody stays long enough, nobody takes a contract.
    """
    offer, sessions = _offer_and_sessions(case, menu)
    return _agreed_case(case, menu, offer, sessions, seed)


def _agreed_case(
    case: xr.DataTree,
    menu: xr.DataTree | xr.Dataset,
    offer: "Offer",
    sessions: xr.Dataset,
    seed: int,
) -> xr.DataTree:
    """Let every session choose, and return the case with what was agreed."""
    kinds, problems = _types(sessions, offer, seed)
    if problems:
        raise SchemaError(problems, source="the contracts")
    chosen = _chosen(sessions, offer, kinds)
    agreed = case.copy()
    agreed[GROUP] = xr.DataTree(_group(menu))
    agreed["sessions"] = xr.DataTree(_agreed(case, sessions, offer, kinds, chosen, seed))
    held = chosen.contract >= 0
    fleet = fleet_under_contracts(case, sessions, held, chosen.energy, chosen.term)
    agreed["fleet"] = xr.DataTree(_without_wear(fleet))
    if any(_is_priced(case["fleet"].to_dataset(), name) for name in WEAR_OF_OWNERS):
        said = case.attrs.get("assumptions", "")
        agreed.attrs["assumptions"] = f"{said}\n{WEAR_NOTE}".strip()
    return agreed


@dataclass(frozen=True)
class Offer:
    """Contracts on one axis: those of all types and classes, and who may take which."""

    labels: np.ndarray  # of the types
    theta: np.ndarray  # on types
    share: np.ndarray
    wear: float  # EUR/kWh
    number: np.ndarray  # on contracts: position of the type it is made for
    term: np.ndarray  # h
    room: np.ndarray  # kWh that a session must be able to give
    energy: np.ndarray  # kWh
    reckoned: np.ndarray  # kWh that owners expect to be called
    payment: np.ndarray  # EUR


@dataclass(frozen=True)
class Chosen:
    """What each session takes, on sessions."""

    contract: np.ndarray  # position of its type in the menu, -1 for none
    energy: np.ndarray
    payment: np.ndarray
    term: np.ndarray
    reason: np.ndarray


def _offer_and_sessions(
    case: xr.DataTree, menu: xr.DataTree | xr.Dataset
) -> tuple[Offer, xr.Dataset]:
    """Return a menu and the sessions that it is offered to, both in coherent units."""
    calendar, problems = calendar_of(case)
    if problems:
        raise SchemaError(problems, source="the case")
    offer, problems = _offer(menu, calendar)
    sessions, found = sessions_at_entry(case, calendar)
    problems += found
    if problems or sessions is None or offer is None:
        raise SchemaError(problems, source="the contracts")
    return offer, sessions


def _group(menu: xr.DataTree | xr.Dataset) -> xr.Dataset:
    """Return the group `/contract` of a menu, as it is given."""
    if isinstance(menu, xr.Dataset):
        return menu
    if GROUP not in menu.children:
        detail = "missing: the menu has no group /contract"
        raise SchemaError([Problem(GROUP, "missing", detail)], source="the menu")
    return menu.children[GROUP].to_dataset(inherit=False)


def _offer(
    menu: xr.DataTree | xr.Dataset, calendar: Calendar
) -> tuple[Offer | None, list[Problem]]:
    """Read a menu in coherent units, every contract on one axis."""
    group = _group(menu)
    known = [field.name for field in SCHEMA.inputs if field.name in group]
    d, problems = SCHEMA.validate(group[known], GROUP, calendar)
    if not problems and not {"energy", "payment"} <= set(d):
        detail = "missing: the menu is not designed yet; do so with v2g menu"
        problems.append(Problem("contract.energy", "missing", detail))
    if problems:
        return None, problems

    on_both = xr.zeros_like(d.energy)
    expected = d.called if str(d.reckons.item()) == CALLED else d.energy
    room = d.get("class_room", xr.DataArray(0.0))
    columns = {
        name: (x + on_both).transpose("type", ...).to_numpy().ravel()
        for name, x in (
            ("number", xr.DataArray(np.arange(d.sizes["type"]), dims="type")),
            ("term", d.term),
            ("room", room),
            ("energy", d.energy),
            ("reckoned", expected),
            ("payment", d.payment),
        )
    }
    labels = d.indexes["type"].astype(str).to_numpy()
    numbers = {n: d[n].to_numpy() for n in ("theta", "share")}
    columns["number"] = columns["number"].astype(int)
    return Offer(labels=labels, wear=float(d.wear), **numbers, **columns), []


def sessions_at_entry(
    case: xr.DataTree, calendar: Calendar
) -> tuple[xr.Dataset | None, list[Problem]]:
    """Return `/sessions` in coherent units, and what it and the fleet lack for an entry check."""
    sessions, problems = validated_sessions(case, calendar)
    return sessions, problems or _lacking(case, sessions)


def _lacking(case: xr.DataTree, sessions: xr.Dataset | None) -> list[Problem]:
    """Return what the case lacks so that a menu can be offered."""
    if sessions is None:
        detail = "missing: contracts are offered to sessions; make the case of some"
        return [Problem("sessions", "missing", detail)]
    problems = [
        Problem(f"sessions.{name}", "missing", "missing: an entry check needs it")
        for name in _NEEDED
        if name not in sessions
    ]
    if "fleet" not in case.children or "session" not in case["fleet"]:
        detail = "missing: which session stands in which step of the fleet"
        problems.append(Problem("fleet.session", "missing", detail))
    return problems


def _types(sessions: xr.Dataset, offer: Offer, seed: int) -> tuple[np.ndarray, list[Problem]]:
    """Return the type of each session: as given, else drawn by arrival and departure."""
    order = np.lexsort((sessions.departure.to_numpy(), sessions.arrival.to_numpy()))
    drawn = np.random.default_rng(seed).choice(len(offer.share), len(order), p=offer.share)
    kinds = np.empty(len(order), int)
    kinds[order] = drawn
    if "type" not in sessions:
        return kinds, []
    given = sessions["type"].to_numpy().astype(str)
    place = pd.Index(offer.labels).get_indexer(given)
    wrong = (place < 0) & (given != "")
    if wrong.any():
        detail = f"{str(given[wrong][0])!r} is not a type of the menu: {', '.join(offer.labels)}"
        return kinds, [Problem("sessions.type", "labels", detail)]
    return np.where(place >= 0, place, kinds), []


def _chosen(sessions: xr.Dataset, offer: Offer, kinds: np.ndarray) -> Chosen:
    """Let each session choose, on (session, contract)."""
    stay = ((sessions.departure - sessions.arrival) / np.timedelta64(1, "h")).to_numpy()[:, None]
    room = room_to_give(sessions).to_numpy()[:, None]
    gain = offer.payment - offer.wear * offer.reckoned / offer.theta[kinds][:, None]
    stays = stay >= offer.term - _NEAR
    fits = stays & (room >= offer.room - _NEAR) & (room >= offer.energy - _NEAR)
    sold = offer.energy > _NEAR
    gain = np.where(fits & sold, gain, -np.inf)

    best = gain >= np.maximum(gain.max(axis=1, keepdims=True), 0.0) - _NEAR
    longest = best & (offer.term >= np.where(best, offer.term, 0.0).max(axis=1, keepdims=True))
    choice = np.where(longest, offer.energy, -1.0).argmax(axis=1)
    takes = best.any(axis=1)
    own = np.array([sold[offer.number == kind].any() for kind in range(len(offer.theta))])[kinds]
    reason = np.select(
        [takes, ~stays.any(axis=1), ~(fits & sold).any(axis=1), ~own],
        [TAKEN, "stay", "room", "excluded"],
        "no utility",
    )
    zero = {n: np.where(takes, getattr(offer, n)[choice], 0.0) for n in ("energy", "payment")}
    return Chosen(
        contract=np.where(takes, offer.number[choice], NOT_AGREED),
        term=np.where(takes, offer.term[choice], np.nan),
        reason=reason,
        **zero,
    )


def room_to_give(sessions: xr.Dataset) -> xr.DataArray:
    """Return what each session can give and still serve its need (kWh at the charger).

    A need beyond what the charger delivers in time leaves nothing.
    """
    filled = {
        name: sessions[name] if name in sessions else xr.DataArray(COLUMNS[name].default)
        for name in ("energy_floor", "eta_charge", "eta_discharge")
    }
    missing = sessions.get("energy_missing", xr.DataArray(0.0))
    hours = (sessions.departure - sessions.arrival) / np.timedelta64(1, "h")
    needed = (sessions.energy_need - missing - sessions.energy_arrival).clip(min=0.0)
    into = filled["eta_charge"] * sessions.charge_max
    laxity = xr.where(missing > 0, 0.0, hours - needed / into.where(into > 0))
    cycle = filled["eta_charge"] * filled["eta_discharge"] * sessions.charge_max
    speed = sessions.discharge_max * cycle / (cycle + sessions.discharge_max).where(cycle > 0)
    on_board = (sessions.energy_arrival - filled["energy_floor"]) * filled["eta_discharge"]
    room = xr.where(on_board < laxity * speed, on_board, laxity * speed)
    return room.fillna(0.0).clip(min=0.0)


def _agreed(
    case: xr.DataTree,
    sessions: xr.Dataset,
    offer: Offer,
    kinds: np.ndarray,
    chosen: Chosen,
    seed: int,
) -> xr.Dataset:
    """Return `/sessions` with what each has agreed to, and by which draw."""
    given = case.children["sessions"].to_dataset(inherit=False)
    new = {
        "type": offer.labels[kinds],
        "contract": chosen.contract.astype(float),
        "contract_energy": chosen.energy,
        "contract_payment": chosen.payment,
        "contract_term": chosen.term,
        "contract_reason": chosen.reason,
    }
    arrays = {
        name: (
            "session",
            x,
            {"units": CONTRACTED[name].unit, "long_name": CONTRACTED[name].doc},
        )
        for name, x in new.items()
    }
    return given.drop_vars([n for n in new if n in given]).assign(arrays).assign_attrs(seed=seed)


def fleet_under_contracts(
    case: xr.DataTree,
    sessions: xr.Dataset,
    held: np.ndarray,
    energy: np.ndarray,
    term: np.ndarray,
) -> xr.Dataset:
    """Return `/fleet` that feeds in within the terms only, and no more than was agreed.

    `held` says which sessions have a contract, `energy` (kWh) and `term` (h) what it allows.
    """
    number, begin, end = cells_of(case, sessions)
    inside = (number >= 0) & held[number]
    in_term = np.minimum(ends_of_terms(sessions, term)[number], end) - np.maximum(
        sessions.arrival.to_numpy()[number], begin
    )
    share = np.where(inside, np.clip(in_term / (end - begin), 0.0, 1.0), 0.0)
    power = np.broadcast_to(sessions.discharge_max.to_numpy(), len(sessions.session))[number]
    arrays = {
        "discharge_max": (share * power, "kW"),
        "allowance": (np.where(inside, energy[number], np.nan), "kWh"),
    }
    return (
        case.children["fleet"]
        .to_dataset(inherit=False)
        .assign(
            {name: (("fleet", "time"), x, {"units": unit}) for name, (x, unit) in arrays.items()}
        )
    )


def ends_of_terms(sessions: xr.Dataset, term: np.ndarray) -> np.ndarray:
    """Return when the term (h) of each session ends, or its stay where that is earlier (UTC)."""
    hours = np.nan_to_num(term) * np.timedelta64(3_600_000_000_000, "ns")
    arrival, departure = (sessions[n].to_numpy() for n in ("arrival", "departure"))
    return np.minimum(arrival + hours.astype("timedelta64[ns]"), departure)


def _is_priced(fleet: xr.Dataset, name: str) -> bool:
    """Return True where a fleet charges something for energy that leaves its batteries."""
    return name in fleet and bool((fleet[name].fillna(0.0) > 0).any())


def _without_wear(fleet: xr.Dataset) -> xr.Dataset:
    """Return a fleet that feeds in under contracts only, and leaves wear to the owners."""
    changed = {
        name: xr.full_like(fleet[name], nothing, float)
        for name, nothing in WEAR_OF_OWNERS.items()
        if _is_priced(fleet, name)
    }
    return fleet.assign(changed)


def cells_of(case: xr.DataTree, sessions: xr.Dataset) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the number of the session in each cell of the fleet, -1 for none, and when steps begin
    and end.
    """
    time = pd.DatetimeIndex(case.to_dataset().indexes["time"]).to_numpy()
    step = np.timedelta64(pd.Timedelta(hours=step_hours(case)))
    labels = sessions_plugged_in(case["fleet"].to_dataset()).to_numpy()
    number = pd.Index(sessions.indexes["session"]).get_indexer(labels.ravel())
    return number.reshape(labels.shape), time, time + step
