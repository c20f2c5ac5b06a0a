"""What the importers share: the case they write, the prices that become markets, and its
horizon.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
import xarray as xr

from ..case.label_text import nearest
from ..data import Regulation
from .options import one_of

DAY_AHEAD = "day_ahead"
REGULATION = ("regulation_up", "regulation_down")

Target = Annotated[
    Path,
    typer.Option("--output", "-o", metavar="CASE", help="Case file to write.", show_default=False),
]
Into = Annotated[
    Path | None, typer.Option("--into", metavar="CASE", help="Take this case, with these prices.")
]
Market = Annotated[
    list[str] | None,
    typer.Option("--market", help="Prices that become markets.  [default: day_ahead]"),
]
Imbalance = Annotated[
    list[str] | None,
    typer.Option(
        "--imbalance",
        help=(
            "Price at which imbalance is settled; given twice: what surplus is paid, then what"
            " shortage costs."
        ),
    ),
]
Step = Annotated[
    str | None,
    typer.Option("--step", help="Step of the model, e.g. 15min.  [default: that of the prices]"),
]
End = Annotated[
    str | None, typer.Option("--end", metavar="DATE", help="First local day after the case.")
]
Settlement = Annotated[
    str | None,
    typer.Option(
        "--regulation",
        metavar="RULE",
        help="Regulation prices: capacity, energy or none.  [default: capacity]",
    ),
]
Limit = Annotated[
    float | None,
    typer.Option("--limit", min=0.0, help="Largest market position, kW.  [default: ample]"),
]


def imbalance_of(read: xr.Dataset, wanted: list[str] | None) -> tuple[str, ...]:
    """The prices at which imbalance is settled."""
    names = [str(name) for name in read.data_vars]
    for name in wanted or ():
        if name not in names:
            raise typer.BadParameter(
                f"no price {name!r}{nearest(name, names)}", param_hint="--imbalance"
            )
    if len(wanted or ()) > 2:
        raise typer.BadParameter(
            "give one price, or that of surplus and that of shortage", param_hint="--imbalance"
        )
    return tuple(wanted or ())


def markets_of(
    read: xr.Dataset, wanted: list[str] | None, settled: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """Return the prices that become markets.

    They are those named, else day_ahead, else the only one that settles no imbalance.
    """
    names = [str(name) for name in read.data_vars]
    if wanted:
        for name in wanted:
            if name not in names:
                raise typer.BadParameter(
                    f"no price {name!r}{nearest(name, names)}", param_hint="--market"
                )
        return tuple(wanted)
    if DAY_AHEAD in names:
        return (DAY_AHEAD,)
    free = [name for name in names if name not in (*REGULATION, *settled)]
    if len(free) != 1:
        raise typer.BadParameter(
            f"say which price is the market: {', '.join(names)}", param_hint="--market"
        )
    return (free[0],)


def regulation_of(read: xr.Dataset, rule: str | None) -> Regulation | None:
    """The regulation products, where both prices are there and unless they are not wanted."""
    if rule is not None:
        one_of("--regulation", rule, ("capacity", "energy", "none"))
    there = set(REGULATION) <= {str(name) for name in read.data_vars}
    if rule == "none" or (rule is None and not there):
        return None
    return Regulation(settlement=rule or "capacity")  # type: ignore[arg-type]  # `one_of` above


def named(files: Iterable[Path] | None) -> str:
    """The names of files, without their folders."""
    return ", ".join(path.name for path in files or ())


def zone_of(given: str | None, *sources: xr.Dataset) -> str:
    """The zone of local days: as given, or as a file says."""
    return given or next(
        (str(s.attrs["timezone"]) for s in sources if "timezone" in s.attrs), "UTC"
    )
