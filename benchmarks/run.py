"""Run the registered benchmarks and print one Markdown table: `make bench`, or `python -m
benchmarks.run --small`.
"""

import argparse
import os
import platform
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from benchmarks import dutch
from benchmarks.specs import SPECS, Outcome, Spec
from v2g_linopy.solve import oracle

RESULTS = Path(__file__).with_name("results.md")
STACK = ("linopy", "xarray", "pandas", "numpy", "scipy", "highspy", "Pyomo")
HEAD = (
    "| what | size | package | beside it | figure | gate | holds |\n|---|---|---|---|---|---|---|"
)


def machine() -> str:
    """Cores and versions; nothing that names the machine."""
    versions = ", ".join(f"{name} {version(name)}" for name in STACK)
    return (
        f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()},"
        f" {versions}"
    )


def row(spec: Spec, outcome: Outcome, small: bool) -> str:
    """One line of the table; a gate is judged at its own size only."""
    judged = spec.limit is not None and (not small or spec.any_size)
    verdict = ("yes" if spec.holds(outcome.figure) else "**no**") if judged else ""
    cells = (
        spec.title,
        outcome.size,
        outcome.package,
        outcome.beside,
        f"{outcome.figure:.3g} {spec.unit}",
        spec.gate,
    )
    return f"| {' | '.join(cells)} | {verdict} |"


def run(names: Sequence[str] = (), *, small: bool = False) -> tuple[str, list[str]]:
    """Measure and print row by row; return the table and the names of the gates that do not
    hold.
    """
    rows, broken, left_out, slow = [], [], [], []
    print(HEAD, flush=True)
    for spec in SPECS:
        if names and spec.name not in names:
            continue
        if spec.needs_reference and not dutch.available():
            left_out.append(spec.name)
            continue
        if spec.needs_compiler and not small and oracle.compiled() is None:
            slow.append(spec.name)
            continue
        outcome = spec.measure(spec.small if small else spec.full, 1 if small else spec.rounds)
        rows.append(row(spec, outcome, small))
        print(rows[-1], flush=True)
        if (not small or spec.any_size) and not spec.holds(outcome.figure):
            broken.append(spec.name)
    notes = [
        "CPU seconds, both sides in turn in one warm process: "
        + ("one round." if small else "medians of 5 rounds (3 where the LP is solved)."),
        f"{machine()}.",
        *(
            [f"Left out, no reference data beside the repository: {', '.join(left_out)}."]
            if left_out
            else []
        ),
        *([f"Left out, numba is not installed: {', '.join(slow)}."] if slow else []),
    ]
    return "\n".join([HEAD, *rows, "", *notes]) + "\n", broken


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 1 where a gate does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "names", nargs="*", choices=[[], *(s.name for s in SPECS)], help="benchmarks to run (all)"
    )
    parser.add_argument(
        "--small",
        action="store_true",
        help="every benchmark in seconds; only size-free gates count",
    )
    options = parser.parse_args(arguments)
    table, broken = run(options.names, small=options.small)
    print("\n" + table.split("\n\n", 1)[1], end="")
    if not options.small and not options.names:
        RESULTS.write_text(f"# What `make bench` printed\n\n{table}", encoding="utf-8")
    if broken:
        print(f"gates that do not hold: {', '.join(broken)}", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
