"""The template of many sites, by the files of `vpp split`, `plan`, `join` and `share` alone: its
value is that of one model. In `make test` three sites, of which one pays for no peak; in `make
prove` all that are stated.
"""

import json
from typing import NamedTuple

import pytest
import xarray as xr
from hypothesis import settings
from pytest import approx

import v2g_linopy as v2g

MANY = settings().max_examples > 10
ROUNDS = 60


class Stated(NamedTuple):
    """Size of a case, and its value as one model (EUR); the first is solved here."""

    vehicles: int
    pods: int
    limit: float | None
    value: float | None


CASES = [Stated(3, 3, None, None)]
if MANY:
    CASES += [
        Stated(30, 10, None, -86.8534244376),
        Stated(15, 5, 60.0, -26.59229558),
        Stated(30, 10, 120.0, -93.9586860140),
    ]


@pytest.mark.parametrize("stated", CASES, ids=str)
def test_files_give_the_value_of_one_model(run, tmp_path, stated):
    """Prices go out and plans come back until bound and value meet; what the sites are asked for
    they keep, and the whole passes its replay at the value of one model. Vehicles wear 0.05
    EUR/kWh, as where the values were found.
    """
    tree = v2g.portfolio(vehicles=stated.vehicles, days=1, pods=stated.pods)
    tree["fleet"]["wear"] = xr.full_like(tree["fleet"]["wear"], 0.05)
    if stated.limit is not None:
        tree["energy"]["limit"] = xr.full_like(tree["energy"]["limit"], stated.limit)
    case, group = tmp_path / "case.nc", tmp_path / "group"
    v2g.write(tree, case)

    def done(*words: object) -> dict:
        found = run("vpp", *words, "--json")
        assert found.exit_code == 0, found.output
        return json.loads(found.stdout)

    done("split", case, "-o", group)
    sites, plans = sorted((group / "sites").iterdir()), tmp_path / "plans"
    for number in range(ROUNDS):
        told = group / f"message-{number:03d}.nc"
        for site in sites:
            done("plan", site, told, "-o", plans / f"{site.stem}-{number}.nc")
        known = sorted(plans.iterdir())
        mixed = done(
            *("join", group / "portfolio.nc", *known),
            *("--told", told, "-o", group, "--force"),
        )
        gap = (mixed["bound"] - mixed["value"]) / max(1.0, abs(mixed["value"]))
        if mixed["missing_kw"] <= 1e-6 and gap <= 1e-6:
            break
    value = v2g.solve(tree).attrs["objective"] if stated.value is None else stated.value
    assert mixed["value"] == approx(value, rel=1e-6)
    assert mixed["bound"] >= value - 1e-6 * abs(value)
    if stated.limit is None:
        assert number == 0  # nothing couples the sites: prices of the market are enough
    done("share", group / "mixed.nc", *sites, "-o", tmp_path / "shares")
    whole = v2g.read(tmp_path / "shares" / "whole.nc")
    assert whole.attrs["objective"] == approx(value, rel=1e-6)
    assert v2g.replay(whole).attrs["passed"] == 1
