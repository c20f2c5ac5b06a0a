"""Sun and wind: what is available, fed in or curtailed (docs/formulation.md §7)."""

import xarray as xr

from ...case.schema import Field, Schema
from ...model.part import Entry, Part, Stage
from ...model.scope import Scope
from ...model.terms import Flex, Flow, Replay, Terms
from ...model.view import View

SCHEMA = Schema(
    inputs=(
        Field(
            "available",
            "renewable time",
            "kW",
            "power that sun or wind would give",
            ge=0,
            uncertain=True,
        ),
        Field(
            "curtailable",
            "renewable",
            "1",
            "1: less than available may be fed in",
            default=1.0,
            kind="flag",
        ),
        Field(
            "cost",
            "renewable time",
            "EUR/kWh",
            "cost of energy fed in; negative is a premium",
            default=0.0,
        ),
        Field(
            "pod", "renewable", "", "point of delivery of the member", default="site", kind="label"
        ),
    ),
    outputs=(Field("curtail", "renewable time", "kW", "power available and not fed in"),),
)


def build(s: Scope, d: xr.Dataset) -> Terms:
    """Power p = available - r is fed in, r >= 0 is curtailed and reported (docs/formulation.md §7).

    ::

        0 <= r <= curtailable available,   cash = -dt cost (available - r)

    Where it is curtailable it holds reserve: up what is curtailed, r, and down what is fed in, p.
    """
    most = d.curtailable * d.available
    r = s.var("curtail", upper=most)
    power = d.available - r
    return Terms(
        power={"electricity": Flow(injection=power)},
        cash={"cost": -d.cost * s.dt * power} if bool((d.cost != 0).any()) else {},
        flex=Flex(up=r, down=most - r, range_max=most),
    )


def replay(v: View, d: xr.Dataset) -> Replay:
    """Curtailment within what is available, and the cost of what is fed in."""
    most = d.available.where(d.curtailable > 0, 0.0)
    power = d.available - d.curtail
    residuals = {
        "curtail": (d.curtail - most).clip(min=0).assign_attrs(units="kW"),
        "sign": (-d.curtail).clip(min=0).assign_attrs(units="kW"),
    }
    cash = {"cost": -(d.cost * power * v.dt)}
    return Replay(
        residuals,
        cash,
        {"electricity": Flow(injection=power)},
        flex=Flex(d.curtail, most - d.curtail),
    )


PART = Part(
    "renewable",
    Stage.ASSET,
    SCHEMA,
    build,
    replay,
    label="sun and wind",
    member_label="solar or wind plant",
    entries={"cost": Entry()},
    limit_labels={"curtail": "power of sun and wind that could be curtailed"},
    without_flexibility=lambda d: -d.available,
    limits_sums=lambda d: True,
)
