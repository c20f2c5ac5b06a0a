"""One vehicle in words: its stays, what held it back, its reserves and its money, or a single
step.
"""

import numpy as np
import pandas as pd

from .plan_facts import SMALL, Frame, Plan, money_of, steps_in_words, switching_note
from .what_if import WhatIf

CENT = 5e-3
"""EUR/MWh below which a sum is zero when written."""
_TRIP = ("energy_out", "unserved_trip")
_LIMITS = {
    "charge_max": "kW of charging power",
    "discharge_max": "kW of discharging power",
    "energy_max": "kWh of battery",
    "energy_min": "kWh less to be left with",
    "allowance": "kWh that the owner lets be fed in",
}


def vehicle_lines(
    plan: Plan, name: str, car: Frame, listed: int, again: WhatIf | None = None
) -> list[str]:
    """The account of one vehicle: its stays, what held it back, its reserves and its money.

    What a limit is worth is found by solving again, else it is said to be a bound.
    """
    stays = [stay for number, stay in car.groupby("stay") if number > 0]
    hours = plan.dt * car.plugged.sum()
    head = (
        f"{name}: {len(stays)} stay{'s' * (len(stays) != 1)} of {hours:g} h in all,"
        f" {steps_in_words(plan, 0, len(car))}"
    )
    lines = [head, *filter(None, [plan.note, switching_note(plan)])]
    if not stays:
        return [*lines, "It is never plugged in, so there is nothing to decide."]
    lines += ["", "What it did"]
    for stay in stays[:listed]:
        lines += stay_lines(plan, car, stay, again)
    if len(stays) > listed:
        lines.append(f"  … and {len(stays) - listed} more stays")
    found = "found by solving again" if again else "at most, by shadow prices"
    lines += [
        "",
        f"What held it back, and what one unit more at all times would earn ({found})",
        *limit_lines(plan, car, again),
    ]
    lines += ["", f"Its money ({plan.money})"]
    bill = money_of(plan, name, car)
    lines += [f"  {entry:<28}{amount:>12.2f}" for entry, amount in bill.items()] or ["  none"]
    return [*lines, f"  {'in all':<28}{sum(bill.values()):>12.2f}"]


def stay_lines(plan: Plan, car: Frame, stay: Frame, again: WhatIf | None) -> list[str]:
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
    lines += [
        f"    {words}"
        for words in (arrival_line(plan, stay), need_line(plan, stay, again))
        if words
    ]
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


def arrival_line(plan: Plan, stay: Frame) -> str:
    """What a kWh more on arrival is worth at most: its shadow price."""
    value = float(stay.value.iloc[0]) / 1000
    if abs(value) <= SMALL:
        return ""
    said = f"earn at most {value:.4f}" if value > 0 else f"cost at least {-value:.4f}"
    return f"one kWh more on arrival would {said} {plan.money}{why_below(plan, stay, value)}"


def need_line(plan: Plan, stay: Frame, again: WhatIf | None) -> str:
    """What it costs to be left with as much as was asked for, where no more is there."""
    need = float(stay.energy_min.iloc[-1])
    if need <= SMALL or float(stay.energy.iloc[-1]) > need + SMALL:
        return ""
    if again is None:
        worth = float(stay.need_cost.iloc[-1])
        if worth <= SMALL:
            return ""
        return (
            f"the need at departure binds: one kWh less would earn at most {worth:.4f} {plan.money}"
        )
    less = min(1.0, need)
    worth = again.gain("energy_min", np.where(plan.calendar.time == stay.index[-1], -less, 0.0))
    if worth <= SMALL:
        return ""
    amount = "one kWh" if less == 1 else f"{less:.3g} kWh"
    return f"the need at departure binds: {amount} less would earn {worth:.4f} {plan.money}"


def why_below(plan: Plan, stay: Frame, value: float) -> str:
    """Why stored energy is worth less than nothing: who pays for filling the room that it takes.

    Of a MWh drawn that just pays, it is the largest income; nothing is said where there is none.
    """
    drawn = stay[stay.charge > SMALL]
    if value >= 0 or drawn.empty:
        return ""
    terms = {name: float(x.mean()) for name, x in drawing(plan, drawn).items()}
    room = terms["room for reserves"]
    paid = {
        "that a price below zero pays for filling": terms["price"],
        "that the driver pays for filling": terms["paid by the driver"],
    }
    if drawn.called_down.max() > SMALL:  # it pays for the rest: the sum of all terms is 0
        paid["that downward reserve pays for filling"] = room - sum(terms.values())
    else:
        upward = "whose filling upward reserve pays for, as what is drawn can be cut"
        paid[upward] = room
    reason = max(paid, key=lambda words: paid[words])
    return f" (it takes room {reason})" if paid[reason] > CENT else ""


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
        return f"drew nothing{spared(plan, stay, 'charge', 'lower')} (mean price {mean})"
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
    return f"fed in nothing{spared(plan, stay, 'discharge', 'higher')}"


def spared(plan: Plan, stay: Frame, way: str, direction: str) -> str:
    """How far the price was, at least, from changing the decision: nothing changes before.

    A reduced cost is that bound. It is rounded down, so that it stays one.
    """
    able = stay[stay[f"{way}_max"] > 0]
    if not plan.explained or able.empty:
        return ""
    change = -1000 / plan.dt * able[f"{way}_gain"]
    nearest = pd.Timestamp(able.index[change.to_numpy().argmin()])
    least = np.floor(10 * max(float(change.min()), 0.0) + SMALL) / 10
    at = f"{nearest.tz_localize('UTC').tz_convert(plan.calendar.timezone):%H:%M}"
    if least == 0:
        return f": at {at} it would have gained and lost next to nothing"
    return (
        f": for it the price would have to be at least {least:.1f} {plan.money}/MWh {direction},"
        f" nearest at {at}"
    )


def limit_lines(plan: Plan, car: Frame, again: WhatIf | None) -> list[str]:
    """What one more unit of each limit would have earned over the horizon, the dearest first."""
    found = tried(plan, car, again) if again else bounds(car)
    lines = [
        f"  a {name:<32}{gain:>10.4f} {plan.money}, reached in {steps} step{'s' * (steps != 1)}"
        for gain, name, steps in sorted(found, reverse=True)
        if gain > SMALL
    ]
    rooms = {"rise": car.up_gain, "fall": car.down_gain}
    for way, worth in rooms.items():
        if (gain := float(worth.clip(lower=0).sum())) > SMALL:
            name = f"kW of room to {way} (reserves)"
            lines.append(f"  a {name:<32}{gain:>10.4f} {plan.money} at most")
    if any("room to" in line for line in lines):
        lines += [
            "  (room to rise: power by which it could still feed in more or draw less, which upward"
            " reserve needs;"
        ]
        lines += [
            "  room to fall: power by which it could draw more or feed in less, which downward"
            " reserve needs)"
        ]
    if not lines and not plan.explained:
        return ["  the result holds no shadow prices, so that nothing can be said of it"]
    return lines or ["  nothing of its own: more power, battery or freedom would earn nothing"]


def bounds(car: Frame) -> list[tuple[float, str, int]]:
    """What each limit is worth at most, and in how many steps it is reached."""
    at = reached(car)
    worth = {
        "charge_max": car.charge_gain[car.charge > SMALL],
        "discharge_max": car.discharge_gain[car.discharge > SMALL],
        "energy_max": car.energy_gain,
        "energy_min": car.need_cost,
        "allowance": car.used_gain,
    }
    return [
        (float(worth[field].clip(lower=0).sum()), words, int(at[field].sum()))
        for field, words in _LIMITS.items()
    ]


def tried(plan: Plan, car: Frame, again: WhatIf) -> list[tuple[float, str, int]]:
    """What each limit is worth, and in how many steps it is reached.

    One that is nowhere reached is worth nothing, but where reserves need room below it.
    """
    found = []
    for field, steps in reached(car).items():
        if not (steps.any() or (plan.products and car[field].any())):
            continue
        unit = -np.minimum(1.0, car[field]) if field == "energy_min" else np.sign(car[field])
        gain = again.gain(field, unit.to_numpy(dtype=float))
        found.append((gain, _LIMITS[field], int(steps.sum())))
    return found


def reached(car: Frame) -> dict[str, Frame]:
    """Where each limit of a vehicle is reached."""
    return {
        "charge_max": (car.charge_max > 0) & (car.charge > car.charge_max - SMALL),
        "discharge_max": (car.discharge_max > 0) & (car.discharge > car.discharge_max - SMALL),
        "energy_max": (car.energy_max > 0) & (car.energy > car.energy_max - SMALL),
        "energy_min": (car.energy_min > 0) & (car.energy < car.energy_min + SMALL),
        "allowance": car.has_allowance & (car.used > car.allowance - SMALL),
    }


def moment_lines(plan: Plan, name: str, car: Frame, step: int) -> list[str]:
    """One step of one vehicle: the sums that decided."""
    now = car.iloc[step]
    head = f"{name}, {steps_in_words(plan, step, step + 1)}"
    lines = [head, *filter(None, [plan.note, switching_note(plan)])]
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
    worth = f"{price(plan, now.value)}{why_below(plan, car[step : step + 1], now.value)}"
    lines.append(
        f"The price of energy was {price(plan, now.price)}, more stored energy was worth at most"
        f" {worth}."
    )
    lines.append(f"Drawing: {decided(plan, now, 'charge', drawing(plan, now))}")
    if now.discharge_max > 0:
        lines.append(f"Feeding in: {decided(plan, now, 'discharge', feeding_in(plan, now))}")
    return lines


def drawing(plan: Plan, now: Frame) -> dict[str, Frame]:
    """What a MWh drawn earns and costs."""
    return {
        "stored energy after losses": now.value * now.eta_charge,
        "wear": -1000 * now.wear_charge * now.eta_charge,
        "paid by the driver": 1000 * now.retail_on_net,
        "price": -now.price,
        "room for reserves": 1000 / plan.dt * (now.up_gain - now.down_gain),
    }


def feeding_in(plan: Plan, now: Frame) -> dict[str, float]:
    """What a MWh fed in earns and costs."""
    return {
        "price": now.price,
        "stored energy with losses": -now.value / now.eta_discharge,
        "wear": -1000 * now.wear / now.eta_discharge,
        "not paid by the driver": -1000 * now.retail_on_net,
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
        verdict = "it gains, and less of it would lose at least that"
        verdict = verdict if gain > CENT else "it just pays"
    else:
        verdict = "it would lose at least that" if gain < -CENT else "it would gain nothing"
    return f"{words} = {price(plan, gain)}: {verdict}."


def price(plan: Plan, amount: float) -> str:
    """A price with its unit; no negative zero."""
    return f"{amount + 0.0 if abs(amount) > CENT else 0.0:.2f} {plan.money}/MWh"
