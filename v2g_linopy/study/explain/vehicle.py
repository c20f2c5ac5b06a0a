"""One vehicle in words: its stays, what held it back, its reserves and its money, or a single
step.
"""

import numpy as np

from .plan_facts import SMALL, Frame, Plan, money_of, steps_in_words

CENT = 5e-3
"""EUR/MWh below which a sum is zero when written."""
_TRIP = ("energy_out", "unserved_trip")


def vehicle_lines(plan: Plan, name: str, car: Frame, listed: int) -> list[str]:
    """The account of one vehicle: its stays, what held it back, its reserves and its money."""
    stays = [stay for number, stay in car.groupby("stay") if number > 0]
    hours = plan.dt * car.plugged.sum()
    head = (
        f"{name}: {len(stays)} stay{'s' * (len(stays) != 1)} of {hours:g} h in all,"
        f" {steps_in_words(plan, 0, len(car))}"
    )
    lines = [head, *filter(None, [plan.note])]
    if not stays:
        return [*lines, "It is never plugged in, so there is nothing to decide."]
    lines += ["", "What it did"]
    for stay in stays[:listed]:
        lines += stay_lines(plan, car, stay)
    if len(stays) > listed:
        lines.append(f"  … and {len(stays) - listed} more stays")
    lines += [
        "",
        "What held it back (worth of one unit more, over the whole horizon)",
        *limit_lines(plan, car),
    ]
    lines += ["", f"Its money ({plan.money})"]
    bill = money_of(plan, name, car)
    lines += [f"  {entry:<28}{amount:>12.2f}" for entry, amount in bill.items()] or ["  none"]
    return [*lines, f"  {'in all':<28}{sum(bill.values()):>12.2f}"]


def stay_lines(plan: Plan, car: Frame, stay: Frame) -> list[str]:
    """One stay: need, charging and feeding in against prices, reserves."""
    first, last = (int(car.index.get_loc(stay.index[i])) for i in (0, -1))
    missing = float(stay.unserved.sum())
    trip, cut = (float(car[n].shift(-1, fill_value=0.0).iloc[last]) for n in _TRIP)
    leaves = f"left with {stay.energy.iloc[-1]:.1f} kWh"
    leaves += needed_words(float(stay.energy_min.iloc[-1]), trip)
    came = f"came with {stay.arrived.iloc[0]:.1f} kWh"
    lines = [f"  {steps_in_words(plan, first, last + 1)}: {came}, {leaves}"]
    if missing > SMALL:
        lines.append(f"    {missing:.2f} kWh of its need could not be served")
    if cut > SMALL:
        lines.append(f"    {cut:.2f} of the {trip:.2f} kWh of its trip could not be served")
    lines.append("    " + charging_line(plan, stay))
    lines.append("    " + feeding_line(plan, stay))
    if (value := float(stay.value.mean())) and abs(value) > SMALL:
        lines.append(
            f"    a kWh in the battery was worth {value / 1000:.4f} {plan.money} on"
            f" average{why_below(stay, value)}"
        )
    if float(stay.need_cost.iloc[-1]) > SMALL:
        lines.append(
            "    the need at departure binds: one kWh less would earn"
            f" {stay.need_cost.iloc[-1]:.4f} {plan.money}"
        )
    held = [
        f"{stay[f'held {p}'].mean():.2f} kW {p}"
        for p in plan.products
        if stay[f"held {p}"].max() > SMALL
    ]
    return [*lines, *([f"    held on average {', '.join(held)}"] if held else [])]


def needed_words(need: float, trip: float) -> str:
    """What was needed at a departure, and how much of it for the trip that follows."""
    if need <= SMALL:
        return ""
    if trip <= SMALL:
        return f" (needed {need:.1f})"
    rest = f" and {need - trip:.1f} to be left after it" if need > trip + SMALL else ""
    return f" (needed {need:.1f}: {min(need, trip):.1f} for the trip that follows{rest})"


def why_below(stay: Frame, value: float) -> str:
    """What it means that stored energy is worth less than nothing."""
    if value >= 0:
        return ""
    what = "downward reserve" if stay.called_down.max() > SMALL else "a price below zero"
    return f" (below zero: a kWh more on board takes room that {what} pays for filling)"


def activated_part(plan: Plan, stay: Frame, way: str, power: str) -> str:
    """How much of what was drawn or fed in is the expected activation of reserves.

    Empty where none is.
    """
    energy = plan.dt * float(np.minimum(stay[f"called_{way}"], stay[power]).sum())
    if energy <= SMALL:
        return ""
    return (
        f", up to {energy:.1f} kWh of it activated {way}ward reserve, for which the reserve pays as"
        " well"
    )


def charging_line(plan: Plan, stay: Frame) -> str:
    """What a stay drew, at which price, and how that compares."""
    drawn = float(stay.charge.sum()) * plan.dt
    mean = f"{stay.price.mean():.1f} {plan.money}/MWh"
    if drawn <= SMALL:
        idle = stay[stay.charge_max > 0]
        fall = -1000 * float(idle.charge_gain.max()) / plan.dt if len(idle) else np.nan
        return "drew nothing" + (
            f": {spared(plan, fall, 'lower')}" if fall > SMALL else f" (mean price {mean})"
        )
    paid = float((stay.charge @ stay.price) / stay.charge.sum())
    full = plan.dt * int((stay.charge > stay.charge_max - SMALL)[stay.charge_max > 0].sum())
    hours = f", {full:g} h at full power" if full else ""
    reserve = activated_part(plan, stay, "down", "charge")
    return (
        f"drew {drawn:.1f} kWh at {paid:.1f} {plan.money}/MWh (mean of the stay"
        f" {mean}){hours}{reserve}"
    )


def feeding_line(plan: Plan, stay: Frame) -> str:
    """What a stay fed in, or by how much the price was too low for it."""
    if not (stay.discharge_max > 0).any():
        return "may not feed in (discharge_max is 0)"
    given = float(stay.discharge.sum()) * plan.dt
    if given > SMALL:
        earned = float((stay.discharge @ stay.price) / stay.discharge.sum())
        return (
            f"fed in {given:.1f} kWh at {earned:.1f}"
            f" {plan.money}/MWh{activated_part(plan, stay, 'up', 'discharge')}"
        )
    able = np.flatnonzero(stay.discharge_max > 0)
    short = (-1000 / plan.dt * stay.discharge_gain.to_numpy(dtype=float))[able]
    if short.max() <= SMALL:
        return "fed in nothing"
    nearest = stay.index[able[short.argmin()]]
    at = plan.local[list(plan.calendar.time).index(nearest)]
    return f"fed in nothing: {spared(plan, float(short.min()), 'higher')}, nearest at {at:%H:%M}"


def spared(plan: Plan, change: float, way: str) -> str:
    """How far the price was from changing the decision."""
    return f"the price would have to be {max(change, 0.0):.1f} {plan.money}/MWh {way}"


def limit_lines(plan: Plan, car: Frame) -> list[str]:
    """What one more unit of each limit would have earned over the horizon, the dearest first."""
    worth = {
        "kW of charging power": car.charge_gain[car.charge > SMALL].clip(lower=0),
        "kW of discharging power": car.discharge_gain[car.discharge > SMALL].clip(lower=0),
        "kWh of battery": car.energy_gain.clip(lower=0),
        "kWh less to be left with": car.need_cost.clip(lower=0),
        "kW of room to rise (reserves)": car.up_gain.clip(lower=0),
        "kW of room to fall (reserves)": car.down_gain.clip(lower=0),
    }
    found = sorted(
        ((g.sum(), name, int((g > SMALL).sum())) for name, g in worth.items()), reverse=True
    )
    lines = [
        f"  a {name:<32}{gain:>10.4f} {plan.money}, binding in {steps} step{'s' * (steps != 1)}"
        for gain, name, steps in found
        if gain > SMALL
    ]
    if any("room to" in line for line in lines):
        lines += [
            "  (room to rise: power by which it could still feed in more or draw less, which upward"
            " reserve needs;"
        ]
        lines += [
            "  room to fall: power by which it could draw more or feed in less, which downward"
            " reserve needs)"
        ]
    return lines or ["  nothing of its own: only prices decided"]


def moment_lines(plan: Plan, name: str, car: Frame, step: int) -> list[str]:
    """One step of one vehicle: the sums that decided."""
    now = car.iloc[step]
    lines = [f"{name}, {steps_in_words(plan, step, step + 1)}", *filter(None, [plan.note])]
    if not now.plugged:
        return [*lines, "It is not plugged in."]
    lines += [
        (
            f"It drew {now.charge:.2f} of {now.charge_max:g} kW, fed in {now.discharge:.2f} of"
            f" {now.discharge_max:g} kW, and ended with {now.energy:.2f} of {now.energy_max:g} kWh"
            f" (least {now.energy_min:g})."
        ),
    ]
    held = [
        f"{now[f'held {product}']:.2f} kW of {product}"
        for product in plan.products
        if now[f"held {product}"] > SMALL
    ]
    lines += [f"It held {', '.join(held)}."] if held else []
    if not plan.explained:
        return [*lines, "The result holds no shadow prices, so there is nothing more to say."]
    worth = f"{price(plan, now.value)}{why_below(car[step : step + 1], now.value)}"
    lines.append(
        f"The price of energy was {price(plan, now.price)}, stored energy was worth {worth}."
    )
    lines.append(f"Drawing: {decided(plan, now, 'charge', drawing(plan, now))}")
    if now.discharge_max > 0:
        lines.append(f"Feeding in: {decided(plan, now, 'discharge', feeding_in(plan, now))}")
    return lines


def drawing(plan: Plan, now: Frame) -> dict[str, float]:
    """What a MWh drawn earns and costs."""
    return {
        "stored energy after losses": now.value * now.eta_charge,
        "wear": -1000 * now.wear_charge * now.eta_charge,
        "paid by the driver": 1000 * now.retail_price,
        "price": -now.price,
        "room for reserves": 1000 / plan.dt * (now.up_gain - now.down_gain),
    }


def feeding_in(plan: Plan, now: Frame) -> dict[str, float]:
    """What a MWh fed in earns and costs."""
    return {
        "price": now.price,
        "stored energy with losses": -now.value / now.eta_discharge,
        "wear": -1000 * now.wear / now.eta_discharge,
        "not paid by the driver": -1000 * now.retail_price,
        "room for reserves": 1000 / plan.dt * (now.down_gain - now.up_gain),
    }


def decided(plan: Plan, now: Frame, way: str, terms: dict[str, float]) -> str:
    """The sum of the terms, and what it means where the power stands."""
    gain, power = 1000 * float(now[f"{way}_gain"]) / plan.dt, float(now[way])
    terms = terms | {"other limits": gain - sum(terms.values())}
    words = " ".join(
        f"{amount:+.2f} {name}" for name, amount in terms.items() if abs(amount) > CENT
    )
    if power > SMALL:
        verdict = "it gains, up to its limit" if gain > CENT else "it just pays"
    else:
        verdict = "it would lose" if gain < -CENT else "it would gain nothing"
    return f"{words} = {price(plan, gain)}: {verdict}."


def price(plan: Plan, amount: float) -> str:
    """A price with its unit; no negative zero."""
    return f"{amount + 0.0 if abs(amount) > CENT else 0.0:.2f} {plan.money}/MWh"
