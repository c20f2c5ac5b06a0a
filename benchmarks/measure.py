"""How things are measured: CPU seconds side by side, calls, peak memory of a process of its own."""

import cProfile
import gc
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[1]
Work = Callable[[], object]


def cpu(work: Work) -> float:
    """CPU seconds of this process, all threads, for one call; garbage of earlier calls is collected
    before.
    """
    gc.collect()
    start = time.process_time()
    kept = work()
    seconds = time.process_time() - start
    del kept
    return seconds


def side_by_side(works: Mapping[str, Work], rounds: int, warm: int = 1) -> dict[str, list[float]]:
    """CPU seconds of each in turn, A B A B ..., after `warm` rounds that do not count."""
    seen = [{name: cpu(work) for name, work in works.items()} for _ in range(warm + rounds)]
    return {name: [one[name] for one in seen[warm:]] for name in works}


def median_ratio(one: list[float], other: list[float]) -> float:
    """Median over the rounds of one / other: what disturbs a whole round cancels."""
    return median(a / b for a, b in zip(one, other, strict=True))


def calls(work: Work) -> int:
    """Calls of Python and built-in functions in one run, without garbage collection: it calls back
    at random.
    """
    profile = cProfile.Profile()
    collecting = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        profile.runcall(work)
    finally:
        if collecting:
            gc.enable()
    return sum(entry.callcount for entry in profile.getstats())


def cpu_of_process(*words: str) -> float:
    """CPU seconds of a fresh interpreter that is given these words."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def cpu_in_turn(*statements: str) -> list[float]:
    """CPU seconds of each of some statements, one after the other in one fresh process."""
    lines = ["from time import process_time", "marks = [process_time()]"]
    for statement in statements:
        lines += [statement, "marks.append(process_time())"]
    lines.append("print(*marks)")
    command = [sys.executable, "-c", "\n".join(lines)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    marks = [float(word) for word in done.stdout.split()]
    return [after - before for before, after in pairwise(marks)]


def peak_memory(what: str, *sizes: int) -> float:
    """Largest resident memory (MB) of a fresh process that runs `benchmarks.memory`."""
    command = [sys.executable, "-m", "benchmarks.memory", what, *map(str, sizes)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def own_peak() -> float:
    """Largest resident memory of this process (MB).

    On Linux `ru_maxrss` also remembers the parent at the time of the fork, so the kernel's own mark
    is read there."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(row for row in status.read_text().splitlines() if row.startswith("VmHWM"))
        return float(line.split()[1]) / 1024
    scale = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale
