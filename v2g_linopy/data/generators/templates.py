"""Every template of a case: its generator, and which of its numbers a user is asked for."""

import inspect
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import xarray as xr

from .charging_station import charging_station
from .commuters import commuters
from .depot import depot
from .fleets import fleets
from .homes_and_depot import homes_and_depot
from .nordic import nordic_fcr
from .portfolio import portfolio
from .sequential import sequential
from .single_site import site
from .virtual_power_plant import virtual_power_plant

GENERATORS: dict[str, Callable[..., xr.DataTree]] = {
    "commuters": commuters,
    "fleets": fleets,
    "depot": depot,
    "homes-and-depot": homes_and_depot,
    "site": site,
    "portfolio": portfolio,
    "vpp": virtual_power_plant,
    "nordic-fcr": nordic_fcr,
    "sequential": sequential,
    "charging-station": charging_station,
}
"""Generator by the name of its template."""


@dataclass(frozen=True)
class Parameter:
    """A number or word that a template is made with.

    Parameters
    ----------
    name, sentence : str
        As an option of `v2g new`, and what it means.
    type : {"integer", "date", "choice", "flag"}
        What it is.
    unit : str
        Of a number.
    default : object
        What the template takes without it.
    low, high : int or None
        Range that makes sense; more than `high` is allowed, and takes its time.
    choices : tuple of str
        The words of a choice.
    only : tuple of str
        Templates that have it; empty for all.
    """

    name: str
    sentence: str
    type: str = "integer"
    unit: str = ""
    default: Any = None
    low: int | None = None
    high: int | None = None
    choices: tuple[str, ...] = ()
    only: tuple[str, ...] = ()


PARAMETERS = (
    Parameter("vehicles", "How many vehicles there are.", unit="vehicles", low=1, high=200),
    Parameter("pods", "How many points of delivery there are.", unit="sites", low=1, high=50),
    Parameter("days", "How many local days it lasts.", unit="days", low=1, high=31),
    Parameter("start", "The first local day.", type="date"),
    Parameter("seed", "Of all that is random: the same seed, the same case.", low=0, high=99),
    Parameter(
        "world",
        "The price world of the fleets.",
        type="choice",
        choices=("few", "unmanaged", "smart"),
    ),
    Parameter(
        "gates", "With a day-ahead gate, forecasts and imbalance.", type="flag", default=False
    ),
    Parameter(
        "settlement",
        "What regulation is paid for.",
        type="choice",
        default="capacity",
        choices=("capacity", "energy"),
        only=("commuters",),
    ),
)
"""What `v2g new` asks for; a template has those that its generator takes."""
HOURS = 24
_ONCE = {"days": ("hours", HOURS)}  # the generator of fleets counts hours


def templates() -> list[dict[str, Any]]:
    """Return every template, its sentence, and its parameters with their defaults.

    Returns
    -------
    list of dict
        `name`, `sentence` and `parameters`: `name`, `sentence`, `type`, `unit`, `default`, `low`,
        `high` and `choices` of each.
    """
    return [
        {
            "name": name,
            "sentence": _sentence(generator),
            "parameters": [
                asdict(p) | {"default": default}
                for p in PARAMETERS
                if (default := _default(name, generator, p)) is not _ABSENT
            ],
        }
        for name, generator in GENERATORS.items()
    ]


_ABSENT = object()


def _default(template: str, generator: Callable[..., Any], parameter: Parameter) -> Any:
    """What a template takes without a parameter; `_ABSENT` where it has no such parameter."""
    taken = inspect.signature(generator).parameters
    if parameter.only:
        return parameter.default if template in parameter.only else _ABSENT
    if parameter.name in taken:
        return taken[parameter.name].default
    other, factor = _ONCE.get(parameter.name, ("", 1))
    return taken[other].default // factor if other in taken else _ABSENT


def _sentence(generator: Callable[..., Any]) -> str:
    """What a template is a case of, in a sentence."""
    first = (generator.__doc__ or "").partition("\n\n")[0]
    words = first.removeprefix("Return a ").removeprefix("case of ")
    return words[:1].upper() + words[1:]
