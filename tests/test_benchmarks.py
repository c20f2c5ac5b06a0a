"""The benchmarks run, count what they say they count, and compare models that are one and the
same.
"""

import math
import platform
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr
from reference_data import reference

from benchmarks import cases, dutch, handwritten, measure, package, pyomo_model, run, specs
from benchmarks.arrays import DEFAULTS, read
from v2g_linopy.parts.catalogue import PARTS


def _halved_at_noon(ds: xr.Dataset) -> xr.Dataset:
    """Half of the energy goes at 12:00 while the cars stay plugged in: the only place where `keep`
    meets energy.
    """
    return (
        ds.assign(keep=ds.keep.where(ds.time.dt.hour != 12, 0.5 * ds.keep)) if "keep" in ds else ds
    )


CASES = {
    "with reserves": cases.commuters(5, 2),
    "energy only": cases.commuters(5, 2, reserves=False),
    "smart": (
        cases.commuters(5, 2).map_over_datasets(
            lambda ds: ds.assign(discharge_max=0.0) if "keep" in ds else ds
        )
    ),
    "losing energy": cases.commuters(5, 2).map_over_datasets(_halved_at_noon),
}


def _run(highs) -> float:
    highs.setOptionValue("output_flag", False)
    highs.run()
    return highs.getInfo().objective_function_value


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_three_models_are_one(case):
    """Proves that the yardsticks build what the package builds: size and optimum; otherwise a ratio
    says nothing.
    """
    model = package.build(case)
    own, hand = package.hand_over(model), handwritten.build(case)
    assert (own.getNumCol(), own.getNumRow(), own.getNumNz()) == (
        hand.getNumCol(),
        hand.getNumRow(),
        hand.getNumNz(),
    )
    expected = package.optimise(model, blocks=False)
    assert _run(hand) == pytest.approx(expected, rel=1e-9)
    assert pyomo_model.solve(case) == pytest.approx(expected, rel=1e-9)


def test_value_by_hand():
    """One car, three hours at 10, 50, 30 EUR/MWh, eta 0.5 each way, wear 0.01, retail 0.005, 2 kWh
    needed at the end.

    It arrives with 6 kWh. A kWh from the battery earns 0.5 x 0.05 - 0.01 - 0.5 x 0.005 = 0.0125 EUR
    in hour 2, in hour 3 0.5 x 0.03 - 0.01 - 0.0025 = 0.0025: 4 kWh leave in hour 2, 0.05 EUR.
    Recharging a kWh costs 2 x 0.01 - 2 x 0.005 = 0.01 EUR in hour 1 and returns 0.0125 in hour 2:
    the 1 kWh that fits is bought. 0.0525 EUR in all; without retail nothing is bought and 4 kWh
    earn 0.06."""
    time = cases.commuters(1, 1)["time"][:3]
    fleet = {
        "charge_max": (("fleet", "time"), [[9.0, 9.0, 9.0]]),
        "discharge_max": 9.0,
        "energy_min": (("fleet", "time"), [[0.0, 0.0, 2.0]]),
        "energy_max": 7.0,
        "energy_initial": 6.0,
        **{"eta_charge": 0.5, "eta_discharge": 0.5, "wear": 0.01, "retail_price": 0.005},
    }
    case = xr.DataTree.from_dict(
        {
            "/": xr.Dataset(coords={"time": time}),
            "/fleet": xr.Dataset(fleet, coords={"fleet": ["ev"], "time": time}),
            "/energy": xr.Dataset(
                {"price": (("market", "time"), [[10.0, 50.0, 30.0]]), "limit": 100.0},
                coords={"market": ["day_ahead"], "time": time},
            ),
        }
    )
    assert _run(handwritten.build(case)) == pytest.approx(0.0525, rel=1e-9)
    assert pyomo_model.solve(case) == pytest.approx(0.0525, rel=1e-9)
    assert package.optimise(package.build(case), blocks=False) == pytest.approx(0.0525, rel=1e-9)


@pytest.mark.parametrize(
    "spec", [s for s in specs.SPECS if s.name != "calls"], ids=lambda s: s.name
)
def test_every_benchmark_runs_small(spec):
    """Proves that no registered benchmark has rotted (the count of calls runs at full size
    below).
    """
    for path in (dutch.SESSIONS, dutch.PRICES) if spec.needs_reference else ():
        reference(path.name)
    outcome = spec.measure(spec.small, 1)
    assert math.isfinite(outcome.figure) and outcome.figure >= 0
    assert run.row(spec, outcome, small=True).count("|") == 8


def test_calls_do_not_grow_with_the_case():
    """Proves that no loop of a build runs over members or steps: 310 times the data, the same calls
    to 1 %.
    """
    spec = next(s for s in specs.SPECS if s.name == "calls")
    outcome = spec.measure(spec.full, 1)
    assert spec.holds(outcome.figure), outcome


def test_calls_are_counted():
    """Three turns of a loop are three calls of `len` more than none; the count itself is
    repeatable.
    """

    def loop(times):
        for _ in range(times):
            len("")

    none, three = measure.calls(lambda: loop(0)), measure.calls(lambda: loop(3))
    assert three - none == 3
    assert three == measure.calls(lambda: loop(3))


def test_peak_memory_is_that_of_the_process_itself():
    """A child that fills 256 MB finds 256 MB though its parent is larger: `ru_maxrss` would show
    the parent.
    """
    kept = np.ones(2**26)
    child = (
        "import numpy; from benchmarks.measure import own_peak as p; a = p(); k ="
        " numpy.ones(2**25); print(a, p())"
    )
    done = subprocess.run(
        [sys.executable, "-c", child], cwd=measure.ROOT, capture_output=True, text=True, check=True
    )
    before, after = map(float, done.stdout.split())
    assert after - before == pytest.approx(256, abs=8)
    assert before < kept.nbytes / 2**20


def test_median_ratio_cancels_a_slow_round():
    """Rounds 2/1, 40/20 (the machine was busy), 3/1: the ratio is 2, where a ratio of means would
    say 2.05.
    """
    assert measure.median_ratio([2.0, 40.0, 3.0], [1.0, 20.0, 1.0]) == 2.0


def test_gates_are_judged_at_their_own_size_only():
    """At a small size only the count of calls is a verdict; a broken gate shows in bold."""
    at_most, least = (next(s for s in specs.SPECS if s.name == name) for name in ("build", "pyomo"))
    counted = next(s for s in specs.SPECS if s.name == "calls")
    assert (at_most.holds(2.0), at_most.holds(2.01)) == (True, False)
    assert (least.holds(40.0), least.holds(39.0)) == (True, False)
    poor = specs.Outcome(5.0, "5 s", "1 s", "size")
    assert run.row(at_most, poor, small=False).endswith("| **no** |")
    assert run.row(at_most, poor, small=True).endswith("|  |")
    assert run.row(counted, poor, small=True).endswith("| **no** |")


def test_defaults_of_the_yardsticks_are_those_of_the_schema():
    """An array that a case leaves out means the same on both sides."""
    declared = {
        f.name: f.default for part in ("fleet", "reserve") for f in PARTS[part].schema.inputs
    }
    arrays = read(CASES["with reserves"])
    assert arrays.shape == (5, 48, 1, 2)
    assert {name: declared[name] for name in DEFAULTS} == DEFAULTS


def test_a_run_prints_a_table_and_no_host(capsys):
    """The printed table has a header, one row per benchmark asked for, and versions, but no name of
    the machine.
    """
    table, broken = run.run(["tiny"], small=True)
    printed = capsys.readouterr().out
    assert table.splitlines()[:2] == run.HEAD.splitlines()
    assert [
        line for line in table.splitlines() if line.startswith("|")
    ] == printed.strip().splitlines()
    assert broken == [] and "linopy 0." in table
    assert platform.node() not in table or not platform.node()
