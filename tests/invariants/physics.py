"""The physics and the bill of a plan, from the numbers of a result alone, in plain numpy.

It shares nothing with the package: neither its model nor its replay. Powers are kW at the grid,
energies kWh in the battery, money EUR; axes are always (scenario, ..., time), of length 1 where an
array does not vary."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import xarray as xr

Residuals = Iterator[tuple[str, np.ndarray]]

INF, NAN = np.inf, np.nan
ABSENT = {
    "keep": 1.0,
    "eta_charge": 0.95,
    "eta_discharge": 0.95,
    "unserved_cost": 10.0,
    "slack_cost": NAN,
}
ABSENT |= {"volume_max": INF, "import_max": INF, "export_max": INF}
AXES = {"fleet": "fleet", "energy": "market", "reserve": "product", "connection": "pod"}
SCALE = dict.fromkeys(
    ("price", "spread", "capacity_price", "activation_price_up", "activation_price_down"), 1e-3
)


class Plan:
    """A result as arrays: `plan.fleet("charge")` is on (scenario, member, time)."""

    def __init__(self, result: xr.DataTree):
        self.result = result
        root = result.to_dataset()
        self.time = root.indexes["time"]
        self.dt = float(result.attrs["step_hours"])
        self.weight = root["probability"].to_numpy() if "probability" in root else np.ones(1)
        self.groups = {n: node.to_dataset(inherit=False) for n, node in result.children.items()}

    def has(self, group: str, name: str = "") -> bool:
        """Whether the result has this group, and this array in it."""
        return group in self.groups and (not name or name in self.groups[group])

    def get(self, group: str, name: str) -> np.ndarray:
        """An array on (scenario, member, time)."""
        ds = self.groups[group]
        array = ds[name] if name in ds else xr.DataArray(ABSENT.get(name, 0.0))
        return aligned(array, f"scenario {AXES[group]} time") * SCALE.get(name, 1.0)

    def fleet(self, name: str) -> np.ndarray:
        """A field or output of the fleet."""
        return self.get("fleet", name)

    def energy(self, name: str) -> np.ndarray:
        """A field or output of the markets."""
        return self.get("energy", name)

    def reserve(self, name: str) -> np.ndarray:
        """A field or output of the products."""
        return self.get("reserve", name)

    def shares(self) -> np.ndarray:
        """Reserve held, on (scenario, member, product, time)."""
        if not self.has("reserve", "share_fleet"):
            return np.zeros((1, 1, 1, 1))
        return aligned(self.groups["reserve"]["share_fleet"], "scenario fleet product time")

    def held(self, name: str) -> np.ndarray:
        """A field of the products beside the shares, on (scenario, 1, product, time)."""
        return self.reserve(name)[:, None] if self.has("reserve") else np.zeros((1, 1, 1, 1))

    @property
    def guaranteed(self) -> np.ndarray:
        """1 for products that guarantee energy."""
        if not self.has("reserve"):
            return np.zeros((1, 1, 1, 1))
        return (self.groups["reserve"]["guarantee"].to_numpy() == "endurance").astype(float)[
            None, None, :, None
        ]

    @property
    def expected_drift(self) -> np.ndarray:
        """Expected injection through activation, kW on (scenario, member, time)."""
        return ((self.held("activation_up") - self.held("activation_down")) * self.shares()).sum(2)


def aligned(array: xr.DataArray, dims: str) -> np.ndarray:
    """An array with exactly these axes, of length 1 where it has none."""
    names = dims.split()
    present = array.transpose(*(d for d in names if d in array.dims)).to_numpy()
    return present.astype(float).reshape([array.sizes.get(d, 1) for d in names])


def over(x: np.ndarray, limit: np.ndarray | float) -> np.ndarray:
    """How far x stands above a limit."""
    return np.maximum(x - limit, 0.0)


def violations(result: xr.DataTree) -> dict[str, float]:
    """Every rule that a plan keeps, and how far it is from keeping it (kW, kWh)."""
    plan = Plan(result)
    found: dict[str, float] = {}
    for check in (
        _batteries,
        _one_direction,
        _reserves,
        _markets,
        _backing,
        _connections,
        _first_stage,
    ):
        for name, residual in check(plan):
            found[name] = float(np.max(residual, initial=0.0))
    return found


def _batteries(p: Plan) -> Residuals:
    yield from _path(p, "", 0.0)
    if p.has("fleet", "energy_baseline"):
        yield from _path(p, "_baseline", p.expected_drift)
    soft, slack = ~np.isnan(p.fleet("unserved_cost")), ~np.isnan(p.fleet("slack_cost"))
    missed, stayed = p.fleet("unserved"), p.fleet("unserved_trip")
    yield "missed no more than needed", over(missed, p.fleet("energy_min") * soft)
    yield "stayed no more than due", over(stayed, p.fleet("energy_out") * soft)
    yield "slack only where priced", (p.fleet("slack_in") + p.fleet("slack_out")) * ~slack
    for name in ("unserved", "unserved_trip", "slack_in", "slack_out", "spill"):
        yield f"{name} is not negative", over(-p.fleet(name), 0)


def _path(p: Plan, suffix: str, drift: np.ndarray | float) -> Residuals:
    """One trajectory, step by step; a baseline differs from the expected path by what activation
    moves.
    """
    c, d, e, spill = (p.fleet(n + suffix) for n in ("charge", "discharge", "energy", "spill"))
    spill = spill + np.zeros_like(e)
    keep, arriving = p.fleet("keep") + 0 * e, p.fleet("energy_in") + 0 * e
    leaving = p.fleet("energy_out") - p.fleet("unserved_trip") + 0 * e
    gain = p.dt * p.fleet("eta_charge") * (c + p.fleet("slack_in"))
    loss = p.dt * (d + p.fleet("slack_out")) / p.fleet("eta_discharge")
    before = p.fleet("energy_initial")[..., 0] + 0 * e[..., 0]
    gap = np.zeros_like(e)
    for t in range(e.shape[-1]):
        held = (
            keep[..., t] * before
            + arriving[..., t]
            - leaving[..., t]
            - spill[..., t]
            + (gain - loss)[..., t]
        )
        gap[..., t] = np.abs(e[..., t] - held)
        before = e[..., t]
    yield f"energy balance{suffix}", gap
    yield f"energy fits{suffix}", over(e, p.fleet("energy_max"))
    yield f"need is met or missed{suffix}", over(p.fleet("energy_min") - _missed(p), e)
    there = _battery_there(p)
    yield f"charger{suffix}", over(c, p.fleet("charge_max") * there)
    yield f"discharger{suffix}", over(d, p.fleet("discharge_max") * there)
    yield f"spill{suffix}", over(spill, p.fleet("spill_max"))
    yield f"signs{suffix}", over(-np.minimum(np.minimum(c, d), np.minimum(e, spill)), 0)
    if suffix:
        expected = p.fleet("discharge") - p.fleet("charge")
        yield "baseline plus activation is what is expected", np.abs(d - c + drift - expected)


def _missed(p: Plan) -> np.ndarray:
    """Energy missing on board: of the need, and of the trip of the next step if it takes the whole
    need from the same battery.
    """
    full = 0 * p.fleet("energy")
    need, missed, driven, keep, stayed = (
        p.fleet(name) + full
        for name in ("energy_min", "unserved", "energy_out", "keep", "unserved_trip")
    )
    takes_all = (need[..., :-1] <= driven[..., 1:]) & (keep[..., 1:] == 1)
    missed[..., :-1] += stayed[..., 1:] * takes_all
    return missed


def _battery_there(p: Plan) -> np.ndarray:
    """1 where energy can be held in the step, or comes and goes in it; a charger alone moves
    nothing.
    """
    fits = p.fleet("energy_max") + 0 * p.fleet("energy")
    stayed = p.fleet("keep") * _before(fits, p.fleet("energy_initial"))
    return (
        fits + stayed + p.fleet("energy_in") + p.fleet("energy_out") + p.fleet("spill_max") > 0
    ).astype(float)


def _one_direction(p: Plan) -> Residuals:
    single = 1 - p.fleet("aggregate")
    sold = (p.held("volume_max") > 0).astype(float)
    both = ((p.held("activation_up") * sold).max(2) > 0) & (
        (p.held("activation_down") * sold).max(2) > 0
    )
    yield "one direction", np.minimum(p.fleet("charge"), p.fleet("discharge")) * single * ~both
    if p.has("fleet", "energy_baseline"):
        yield (
            "one direction, baseline",
            np.minimum(p.fleet("charge_baseline"), p.fleet("discharge_baseline")) * single,
        )


def _reserves(p: Plan) -> Residuals:
    if not p.has("reserve"):
        return
    x, volume = p.shares(), p.reserve("volume")
    yield "every kW is held by a member", np.abs(volume - x.sum(1))
    yield "no more than is bought", over(volume, p.reserve("volume_max"))
    yield "volume is not negative", over(-np.minimum(volume.min(), x.min()), 0)
    baseline = p.fleet("discharge") - p.fleet("charge") - p.expected_drift
    up, down = ((p.held(way) * x).sum(2) for way in ("up", "down"))
    there = _battery_there(p)
    yield "fully activated upward", over(baseline + up, p.fleet("discharge_max") * there)
    yield "fully activated downward", over(-(baseline - down), p.fleet("charge_max") * there)
    yield "one volume per block", _uneven(p, "reserve", volume)
    yield from _endurance(p, x)


def _endurance(p: Plan, x: np.ndarray) -> Residuals:
    """Energy for the promised hours, at both ends of every step of the undisturbed path."""
    e = p.fleet("energy_baseline" if p.has("fleet", "energy_baseline") else "energy")
    spill = p.fleet("spill_baseline" if p.has("fleet", "spill_baseline") else "spill")
    low, high, keep = p.fleet("energy_min"), p.fleet("energy_max"), p.fleet("keep")
    soft = ~np.isnan(p.fleet("unserved_cost"))
    came = p.fleet("energy_in") - p.fleet("energy_out")
    initial = p.fleet("energy_initial")
    start = keep * _before(e, initial) + came + p.fleet("unserved_trip") - spill
    least = keep * _before(low * ~soft + 0 * e, initial) + came - p.fleet("spill_max")
    most = keep * _before(high + 0 * e, initial) + came + p.fleet("energy_out") * soft
    up = (p.held("hours_up") * p.guaranteed * x).sum(2) / p.fleet("eta_discharge")
    down = (p.held("hours_down") * p.guaranteed * x).sum(2) * p.fleet("eta_charge")
    yield "energy upward at the end", over(up, e + _missed(p) - low) * (up > 0)
    yield "room downward at the end", over(down, high - e) * (down > 0)
    yield "energy upward at the start", over(up, start - np.minimum(low, least)) * (up > 0)
    yield "room downward at the start", over(down, np.maximum(high, most) - start) * (down > 0)


def _before(a: np.ndarray, initial: np.ndarray) -> np.ndarray:
    """The value one step earlier."""
    return np.concatenate([initial[..., :1] + 0 * a[..., :1], a[..., :-1]], axis=-1)


def _markets(p: Plan) -> Residuals:
    q, closed, taken = p.energy("position"), p.energy("closed"), p.energy("committed")
    yield (
        "position within its limit",
        over(np.abs(q) * (1 - closed), np.maximum(p.energy("limit"), np.abs(taken))),
    )
    yield "closed is committed", np.abs(q - taken) * closed
    yield "one position per block", _uneven(p, "energy", q)
    activated = np.zeros((1, 1))
    if p.has("reserve"):
        activated = (
            (p.reserve("activation_up") - p.reserve("activation_down")) * p.reserve("volume")
        ).sum(1)
    injected = (p.fleet("discharge") - p.fleet("charge")).sum(1)
    yield "sold is injected", np.abs(q.sum(1) + activated - injected)
    if p.has("energy", "sold"):
        yield "sold less bought", np.abs(taken + p.energy("sold") - p.energy("bought") - q)
        yield (
            "sold and bought are not negative",
            over(-np.minimum(p.energy("sold"), p.energy("bought")), 0),
        )


def _backing(p: Plan) -> Residuals:
    """Where several gates are open, sales need injection and purchases withdrawal, in the mean of
    the scenarios, unless positions may be virtual.
    """

    def mean(x: np.ndarray) -> np.ndarray:
        return np.tensordot(p.weight, np.broadcast_to(x, (len(p.weight), *x.shape[1:])), 1)[None]

    gates = (1 - p.energy("closed")) * (p.energy("limit") > 0)
    several = (gates.sum(1) > 1) & ~bool(p.energy("virtual_bidding").max())
    if not several.any():
        return
    up, down = np.zeros((1, 1)), np.zeros((1, 1))
    if p.has("reserve"):
        up = (p.reserve("activation_up") * p.reserve("volume")).sum(1)
        down = (p.reserve("activation_down") * p.reserve("volume")).sum(1)
    taken, q = p.energy("committed"), p.energy("position")
    free, due, net = 1 - p.energy("closed"), taken.sum(1), q.sum(1)
    sold, bought = (np.maximum(s * (q - taken) * free, 0).sum(1) for s in (1, -1))
    most = [(np.maximum(p.energy("limit") - s * taken, 0) * free).sum(1) for s in (1, -1)]
    injected, drawn = p.fleet("discharge").sum(1) + down, p.fleet("charge").sum(1) + up
    sold, bought, net, injected, drawn = (mean(x) for x in (sold, bought, net, injected, drawn))
    yield "sales are backed", over(sold, injected + np.maximum(-due, 0)) * several
    yield "purchases are backed", over(bought, drawn + np.maximum(due, 0)) * several
    yield (
        "the position is backed",
        over(net, injected + np.maximum(due - most[1], 0)) * several * (due != 0),
    )
    yield (
        "the purchase is backed",
        over(-net, drawn + np.maximum(-due - most[0], 0)) * several * (due != 0),
    )


def _uneven(p: Plan, group: str, x: np.ndarray) -> np.ndarray:
    """How far a quantity moves inside one market block of the local clock."""
    hours = p.get(group, "block")[0, :, 0]
    local = p.time.tz_localize("UTC").tz_convert(p.result.attrs["timezone"])
    worst = [np.zeros(1)]
    for member in range(x.shape[1]):
        length = hours[min(member, len(hours) - 1)]
        if length <= p.dt:
            continue
        minutes = local.hour * 60 + local.minute
        unit = p.time.floor("h") if length <= 1 else local.tz_localize(None).normalize()
        block = pd.MultiIndex.from_arrays([unit, minutes // round(60 * length)]).to_flat_index()
        for name in dict.fromkeys(block):
            worst.append(np.ptp(x[:, member, block == name], axis=-1))
    return np.concatenate(worst)


def _connections(p: Plan) -> Residuals:
    if not p.has("connection"):
        return
    pods = list(map(str, p.groups["connection"].indexes["pod"]))
    home = np.array(
        [[str(v) == pod for v in p.groups["fleet"]["pod"].to_numpy()] for pod in pods], float
    )

    def at(x: np.ndarray) -> np.ndarray:
        return np.einsum("pm,smt->spt", home, x + np.zeros_like(p.fleet("charge")))

    injected = p.fleet("discharge") - p.fleet("charge")
    least, most = -p.get("connection", "import_max"), p.get("connection", "export_max")
    meter = p.get("connection", "export") - p.get("connection", "import_")
    yield "the meter", np.abs(meter - at(injected))
    up, down = ((p.held(way) * p.shares()).sum(2) for way in ("up", "down"))
    baseline = injected - p.expected_drift
    for name, power in (
        ("as planned", injected),
        ("activated up", baseline + up),
        ("activated down", baseline - down),
    ):
        yield f"connection, {name}", np.maximum(over(at(power), most), over(least, at(power)))


def _first_stage(p: Plan) -> Residuals:
    for group, name in (("energy", "position"), ("reserve", "volume")):
        if p.has(group) and len(p.weight) > 1:
            early = (
                p.get(group, "first_stage") if p.has(group, "first_stage") else np.ones((1, 1, 1))
            )
            yield (
                f"one {name} before the scenario is known",
                np.ptp(p.get(group, name), axis=0)[None] * early,
            )


def bill(result: xr.DataTree) -> dict[str, np.ndarray]:
    """Every entry of the ledger, EUR per step on (scenario, member, time), from plan and prices."""
    p = Plan(result)
    charge, discharge, position = p.fleet("charge"), p.fleet("discharge"), p.energy("position")
    slack = p.fleet("slack_in") + p.fleet("slack_out")
    entries = {
        "fleet.wear": -p.fleet("wear") * discharge / p.fleet("eta_discharge") * p.dt,
        "fleet.wear_charge": -p.fleet("wear_charge") * charge * p.fleet("eta_charge") * p.dt,
        "fleet.drivers": p.fleet("retail_price") * _billed(p),
        "fleet.slack.unserved": -np.nan_to_num(p.fleet("unserved_cost")) * p.fleet("unserved"),
        "fleet.slack.unserved_trip": (
            -np.nan_to_num(p.fleet("unserved_cost")) * p.fleet("unserved_trip")
        ),
        "fleet.slack.balance": -np.nan_to_num(p.fleet("slack_cost")) * slack * p.dt,
        "energy.energy": p.energy("price") * position * p.dt,
    }
    if p.has("energy", "sold"):
        traded = p.energy("sold") + p.energy("bought") + np.abs(p.energy("committed"))
        entries["energy.spread"] = -p.energy("spread") / 2 * traded * p.dt
    else:
        entries["energy.spread"] = -p.energy("spread") / 2 * np.abs(position) * p.dt
    if p.has("reserve"):
        entries |= _reserve_bill(p)
    return entries


def _billed(p: Plan) -> np.ndarray:
    """Energy that drivers pay for, at the grid (kWh)."""
    if not p.has("fleet", "need_billed"):
        return (p.fleet("charge") - p.fleet("discharge")) * p.dt
    none = np.zeros_like(p.fleet("charge"))
    asked, lacking = p.fleet("need_billed"), p.fleet("unserved") + none
    keep, trip, need = (p.fleet(n) + none for n in ("keep", "energy_out", "energy_min"))
    for t in range(lacking.shape[-1] - 1):
        on_a_trip = (
            (keep[..., t + 1] == 1) & (need[..., t] > 0) & (need[..., t] <= trip[..., t + 1])
        )
        lacking[..., t] += on_a_trip * (p.fleet("unserved_trip") + none)[..., t + 1]
    return (asked > 0) * (asked - lacking / p.fleet("eta_charge"))


def _reserve_bill(p: Plan) -> dict[str, np.ndarray]:
    groups, volume = p.groups["reserve"], p.reserve("volume")
    markets = list(map(str, p.groups["energy"].indexes["market"]))
    names = (
        groups["settlement"].astype(str).to_numpy()
        if "settlement" in groups
        else [markets[0]] * volume.shape[1]
    )
    settled = p.energy("price")[:, [markets.index(n) for n in names]]
    up, down = (
        p.reserve(n) if n in groups else settled
        for n in ("activation_price_up", "activation_price_down")
    )
    return {
        "reserve.capacity": p.reserve("capacity_price") * volume * p.dt,
        "reserve.activation": (
            (p.reserve("activation_up") * up - p.reserve("activation_down") * down) * volume * p.dt
        ),
    }


def expected(x: np.ndarray, weight: np.ndarray) -> float:
    """Sum of an array whose first axis is the scenario, weighted."""
    return (
        float(np.sum(x * weight.reshape(-1, *[1] * (x.ndim - 1))))
        if x.shape[0] > 1
        else float(x.sum())
    )
