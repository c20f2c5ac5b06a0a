"""Fields of reserve products, and rules between them."""

from collections.abc import Mapping

import xarray as xr

from ....case.schema import ABSENT, Calendar, Field, Schema, violations
from ....errors import Problem
from ....model.bid_sizes import gate_problems, with_closed_gates
from ....model.inputs import has_market, pods_at_markets
from . import acceptance, guarantees, offers, priced_calls, recourse_fields


def unpriced_activation(
    data: Mapping[str, xr.Dataset], calendar: Calendar, dt: float
) -> list[Problem]:
    """Without a market, activation needs a price of its own."""
    if has_market(data) or pods_at_markets(data):
        return []
    d = data["reserve"]
    detail = (
        "missing: {}ward activation is expected, and there is no energy market to settle it at;"
        " give its price"
    )
    return [
        Problem(f"reserve.activation_price_{way}", "missing", detail.format(way))
        for way in ("up", "down")
        if f"activation_price_{way}" not in d and bool((d[f"activation_{way}"] > 0).any())
    ]


def _consistent(d: xr.Dataset, calendar: Calendar) -> list[Problem]:
    """Every product needs power in some direction; what is activated cannot exceed what is held."""
    problems = []
    for product in d.indexes.get("product", []):
        p = d.sel(product=product)
        if float(p.up + p.down) <= 0:
            detail = f"product {product}: up and down are both 0; give the power held per kW sold"
            problems.append(Problem("reserve.up", "consistency", detail))
        for way in ("up", "down"):
            if bool((p[f"activation_{way}"] > p[way] + 1e-9).any()):
                detail = (
                    f"product {product}: more than the power held in that direction ({way} ="
                    f" {float(p[way]):g})"
                )
                problems.append(Problem(f"reserve.activation_{way}", "consistency", detail))
    return (
        problems
        + gate_problems("reserve", "volume", d, calendar)
        + guarantees.guarantee_problems(d, calendar)
        + recourse_fields.recourse_problems(d, calendar)
    )


def _promised_in_advance(d: xr.Dataset, calendar: Calendar) -> list[Problem]:
    """A volume that some scenarios may fall short of is one for all of them, and is not activated
    in the plan.
    """
    d = priced_calls.with_mean_activation(d)
    expected = d.activation_up + d.activation_down > 0
    called = expected.any([n for n in expected.dims if n != "product"])
    nobody_delivers = (
        "with activation expected, nobody would deliver what is not held; give 1, or no activation"
    )
    wrong = {
        nobody_delivers: called,
        "a volume decided once the scenario is known is held in it; give 1, or first_stage 1": (
            d.first_stage == 0
        ),
    }
    rules = [
        ("availability", (d.availability < 1) & where, d.availability, detail)
        for detail, where in wrong.items()
    ]
    return violations("reserve", rules, calendar)


MOST_HOURS = 8784.0
"""Of full activation that can be asked for: a leap year; more is no number of hours."""

SCHEMA = Schema(
    inputs=(
        Field("up", "product", "1", "power held upward per kW sold", ge=0),
        Field("down", "product", "1", "power held downward per kW sold", ge=0),
        Field(
            "hours_up",
            "product",
            "h",
            "energy held upward per kW sold (endurance)",
            default=0.0,
            ge=0,
            le=MOST_HOURS,
        ),
        Field(
            "hours_down",
            "product",
            "h",
            "energy held downward per kW sold (endurance)",
            default=0.0,
            ge=0,
            le=MOST_HOURS,
        ),
        Field(
            "hours_one_way",
            "product",
            "h",
            "energy held instead, where that is more, by members that can only charge or only"
            " discharge",
            default=0.0,
            ge=0,
            le=MOST_HOURS,
        ),
        Field(
            "capacity_price",
            "product time",
            "EUR/MW/h",
            "paid for capacity",
            default=0.0,
            uncertain=True,
        ),
        Field(
            "activation_up",
            "product time",
            "1",
            "expected share activated upward",
            default=0.0,
            ge=0,
            le=1,
            uncertain=True,
            drawn=False,
        ),
        Field(
            "activation_down",
            "product time",
            "1",
            "expected share activated downward",
            default=0.0,
            ge=0,
            le=1,
            uncertain=True,
            drawn=False,
        ),
        Field(
            "activation_price_up",
            "product time",
            "EUR/MWh",
            "received for energy activated upward",
            default=ABSENT,
            uncertain=True,
            drawn=False,
        ),
        Field(
            "activation_price_down",
            "product time",
            "EUR/MWh",
            "paid for energy activated downward",
            default=ABSENT,
            uncertain=True,
            drawn=False,
        ),
        Field(
            "settlement",
            "product",
            "",
            "energy market that settles activation",
            default=ABSENT,
            kind="label",
            of="energy",
        ),
        *priced_calls.INPUTS,
        *acceptance.INPUTS,
        *offers.INPUTS,
        *guarantees.INPUTS,
        *recourse_fields.INPUTS,
        Field(
            "volume_max",
            "product time",
            "kW",
            "most that is bought; 0: nothing",
            float("inf"),
            ge=0,
            infinite=True,
        ),
        Field(
            "block",
            "product",
            "h",
            "market time unit with one volume; 0 is the model step",
            default=0.0,
            ge=0,
            le=24,
        ),
        Field(
            "minimum_bid",
            "product",
            "kW",
            "least that can be sold, other than nothing",
            default=0.0,
            ge=0,
        ),
        Field(
            "step",
            "product",
            "kW",
            "what a volume is a multiple of; 0: any volume",
            default=0.0,
            ge=0,
        ),
        Field(
            "closed",
            "product time",
            "1",
            "1 once the gate has closed, for a whole block",
            0.0,
            kind="flag",
        ),
        Field(
            "committed",
            "product time",
            "kW",
            "capacity already sold where the gate has closed",
            default=0.0,
            ge=0,
        ),
        Field(
            *(
                "shortfall_price",
                "product time",
                "EUR/MW/h",
                "paid for committed capacity not held; NaN: must be held",
            ),
            default=float("nan"),
            ge=0,
            missing=True,
        ),
        Field(
            "first_stage",
            "product",
            "1",
            "1: decided before the scenario is known",
            default=1.0,
            kind="flag",
        ),
        Field(
            *(
                "availability",
                "product",
                "1",
                "level at which the volume is there over the scenarios; 1: in each",
            ),
            default=1.0,
            ge=0,
            le=1,
        ),
    ),
    outputs=(
        Field("volume", "product time", "kW", "capacity sold", first_stage="first_stage"),
        Field(
            "share", "product time", "kW", "capacity held by each member of an asset", shared=True
        ),
        Field("shortfall", "product time", "kW", "committed capacity that nobody holds"),
        Field("offered", "product time", "1", "1 where the product may be sold", auxiliary=True),
        Field("steps", "product time", "1", "bid steps sold", auxiliary=True),
        *priced_calls.OUTPUTS,
        *guarantees.OUTPUTS,
        *recourse_fields.OUTPUTS,
        Field(
            "surplus_at_risk",
            "product time",
            "kW",
            "held above the volume",
            auxiliary=True,
            certain=True,
        ),
        Field(
            "missing", "product time", "kW", "held less than the surplus at risk", auxiliary=True
        ),
    ),
    checks=(
        priced_calls.state_problems,
        offers.offer_problems,
        acceptance.acceptance_problems,
        _consistent,
        _promised_in_advance,
    ),
    completions=(priced_calls.with_mean_activation, with_closed_gates),
)


def in_every_scenario(d: xr.Dataset, calendar: Calendar) -> xr.DataArray:
    """Return True for products whose volume is held whatever happens."""
    return (d.availability == 1) | (calendar.scenario is None)
