"""What sites and their portfolio take, by number of sites and of processes, as a table and a
picture: `python -m benchmarks.sites`.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import v2g_linopy as v2g
from v2g_linopy.model.inputs import inputs_of
from v2g_linopy.report.figures.style import CYCLE, sheet, svg, title
from v2g_linopy.solve.decompose.message import Message
from v2g_linopy.solve.decompose.pool import LocalSites, SharedSites, opened
from v2g_linopy.solve.decompose.portfolio_model import PortfolioModel
from v2g_linopy.solve.decompose.site_cases import Division
from v2g_linopy.solve.solver import Settings

PODS, PROCESSES, ROUNDS = (1, 5, 20, 50, 100, 200), (1, 2, 4), 5
LIMIT = 12.0
"""kW for each site that the market takes: prices move in every round."""
PICTURE = Path(__file__).resolve().parents[1] / "docs" / "images" / "sites.svg"
TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


@dataclass(frozen=True)
class Taken:
    """CPU seconds of one number of sites in one number of processes.

    Parameters
    ----------
    pods, processes
        Sites, and processes that they are shared out to.
    build, level_one, level_two
        Of all processes: the models of all sites, and of each round what sites and portfolio take.
    longest_build, longest_level_one
        Of the process that takes longest, which is what others wait for.
    """

    pods: int
    processes: int
    build: float
    longest_build: float
    level_one: float
    longest_level_one: float
    level_two: float


def measured(pods: int, processes: int, rounds: int = ROUNDS) -> Taken:
    """Build the sites of a portfolio, and go through some rounds of prices and plans."""
    case = v2g.portfolio(vehicles=3 * pods, days=1, pods=pods)
    case["energy"]["limit"] = 0 * case["energy"]["limit"] + LIMIT * pods
    division, settings = Division.of(case), Settings(gap=1e-6).start()
    left = division.portfolio()
    inputs = inputs_of(left, v2g.PARTS)
    start = time.process_time()
    with opened(division, settings, v2g.PARTS, processes) as sites:
        built = _seconds(sites, start)
        portfolio = PortfolioModel(
            left, inputs, division.pods, v2g.PARTS, settings, sites.most_held
        )
        told, above = Message.first(inputs), 0.0
        here, before = 0.0, _workers(sites)
        for _ in range(rounds):
            begin = time.process_time()
            plans = sites.plans(told)
            answered = time.process_time()
            portfolio.worth(told)
            portfolio.add(plans)
            told = portfolio.solve().message
            here, above = here + answered - begin, above + time.process_time() - answered
        taken = [after - then for after, then in zip(_workers(sites), before, strict=True)]
    each = taken if taken else [here]
    return Taken(
        *(pods, processes, sum(built), max(built)),
        *(sum(each) / rounds, max(each) / rounds, above / rounds),
    )


def _seconds(sites: LocalSites | SharedSites, start: float) -> list[float]:
    """Return the CPU seconds since the start, of every process that holds sites."""
    return _workers(sites) or [time.process_time() - start]


def _workers(sites: LocalSites | SharedSites) -> list[float]:
    """Return the CPU seconds of every process but this one (Linux)."""
    found = []
    for process in getattr(sites, "_workers", ()):
        words = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        found.append((int(words[11]) + int(words[12])) / TICKS)
    return found


def table(taken: Sequence[Taken]) -> str:
    """Return a Markdown table."""
    longest = "in the longest process"
    columns = ("sites", "processes", "build, s", longest, "level one, a round", longest)
    columns += ("level two, a round",)
    head = f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|"
    rows = [
        f"| {t.pods} | {t.processes} | {t.build:.2f} | {t.longest_build:.2f} |"
        f" {1000 * t.level_one:.1f} ms | {1000 * t.longest_level_one:.1f} ms |"
        f" {1000 * t.level_two:.1f} ms |"
        for t in taken
    ]
    return "\n".join([head, *rows])


def picture(taken: Sequence[Taken]) -> str:
    """Draw what each stage takes over the number of sites, in each number of processes (SVG)."""
    stages = {
        "longest_build": ("Build of all sites", "CPU s of the longest process"),
        "longest_level_one": ("Level one, a round", "CPU s of the longest process"),
        "level_two": ("Level two, a round", "CPU s"),
    }
    with sheet(1, 3, height=3.4) as (figure, grid):
        for axes, (stage, (words, unit)) in zip(grid[0], stages.items(), strict=True):
            for k, count in enumerate(sorted({t.processes for t in taken})):
                some = [t for t in taken if t.processes == count]
                x, y = [t.pods for t in some], [max(getattr(t, stage), 1e-4) for t in some]
                name = f"{count} process{'' if count == 1 else 'es'}"
                axes.plot(x, y, "o-", color=CYCLE[k], markersize=3.5, label=name)
            axes.set_xscale("log")
            axes.set_yscale("log")
            axes.set_xlabel("sites")
            axes.set_ylabel(unit)
            title(axes, words)
        handles, names = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=3, handlelength=1.6)
    return svg(figure, "sites", "what sites and their portfolio take, by number of sites") + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure each size by itself, print the table and draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pods", type=int, nargs="*", default=PODS)
    parser.add_argument("--processes", type=int, nargs="*", default=PROCESSES)
    parser.add_argument("--picture", type=Path, default=PICTURE)
    options = parser.parse_args(arguments)
    measured(1, 1, 1)  # what only the first call takes
    taken = []
    for pods in options.pods:
        for processes in options.processes:
            if processes <= pods:
                taken.append(measured(pods, processes))
                print(json.dumps(asdict(taken[-1])), file=sys.stderr, flush=True)
    print(table(taken))
    options.picture.write_text(picture(taken), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
