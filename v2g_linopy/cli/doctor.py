"""`doctor`: does this machine have what the package needs, and does a solve give the number it must
give?
"""

import platform
import time
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import linopy
import pandas as pd
import typer
import xarray as xr

import v2g_linopy as v2g

from ..case.version import package_version
from ..errors import SolverError
from .options import command
from .terminal import Terminal

NEEDED = (
    "linopy",
    "xarray",
    "pandas",
    "numpy",
    "scipy",
    "highspy",
    "netCDF4",
    "typer",
    "rich",
    "pydantic",
)
EXTRAS = {
    "report": ("matplotlib", "jinja2"),
    "excel": ("python-calamine",),
    "wear": ("rainflow",),
    "service": ("fastapi", "uvicorn", "prometheus-client"),
}
PROFIT = 0.2
"""EUR: 10 kWh bought at 20 and sold at 40 EUR/MWh by a lossless battery."""


def add(app: typer.Typer) -> None:
    """Add the command to the app."""
    command(app, "doctor", "v2g doctor", "v2g doctor --json")(doctor)


def doctor(terminal: Terminal) -> None:
    """Show versions, solvers and extras, and solve a tiny case whose answer is known."""
    found: dict[str, Any] = {
        "python": platform.python_version(),
        "packages": {"v2g-linopy": package_version(), **{name: installed(name) for name in NEEDED}},
        "solvers": sorted(str(name) for name in linopy.available_solvers),
        "extras": {
            extra: {name: installed(name) for name in names} for extra, names in EXTRAS.items()
        },
    }
    with terminal.solving("Solving a tiny case"):
        started = time.perf_counter()
        profit = float(v2g.solve(tiny_case()).attrs["profit"])
    found["self_test"] = {
        "profit": profit,
        "expected": PROFIT,
        "seconds": round(time.perf_counter() - started, 3),
    }
    if abs(profit - PROFIT) > 1e-9:
        raise SolverError(
            f"the self-test gives {profit:g} EUR instead of {PROFIT:g}: this installation cannot be"
            " trusted"
        )
    terminal.answer("\n".join(words(found)), {"status": "ok", **found})


def words(found: dict[str, Any]) -> list[str]:
    """What was found, as lines."""
    lines = [f"Python {found['python']}"]
    lines += [f"  {name:<12} {number or 'MISSING'}" for name, number in found["packages"].items()]
    lines.append(f"Solvers: {', '.join(found['solvers'])}")
    for extra, packages in found["extras"].items():
        missing = [name for name, number in packages.items() if number is None]
        state = (
            f"missing {', '.join(missing)}: pip install 'v2g-linopy[{extra}]'"
            if missing
            else "installed"
        )
        lines.append(f"Extra [{extra}]: {state}")
    return [
        *lines,
        (
            f"Self-test: {found['self_test']['profit']:g} EUR as it must be, in"
            f" {found['self_test']['seconds']:.2f} s"
        ),
    ]


def installed(name: str) -> str | None:
    """The version of a package, None where it is missing."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def tiny_case() -> xr.DataTree:
    """One lossless 10 kW, 10 kWh battery, two hours at 20 and 40 EUR/MWh."""
    stamps = pd.date_range("2026-01-01", periods=2, freq="h")
    one, day_ahead = {"fleet": ["battery"]}, {"market": ["day_ahead"], "time": stamps}
    full = xr.DataArray([10.0], coords=one)
    lossless = xr.DataArray([1.0], coords=one)
    fleet = {
        "charge_max": full,
        "discharge_max": full,
        "energy_max": full,
        "eta_charge": lossless,
        "eta_discharge": lossless,
    }
    price = xr.DataArray([[20.0, 40.0]], coords=day_ahead)
    energy = {"price": price, "limit": xr.full_like(price, 100.0)}
    return v2g.assemble(
        stamps, {"fleet": xr.Dataset(fleet), "energy": xr.Dataset(energy)}, title="self-test"
    )
