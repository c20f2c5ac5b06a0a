"""`make fuzz MINUTES=10`: new cases for every property, in rounds, until the minutes are over.

A round has a seed of its own and runs every file with properties once, in an order that it draws.
What fails is shrunk and kept: its example in `.fuzz/examples`, where the next run that draws
anew finds it, and what pytest said of it in `.fuzz/SEED-FILE.txt`.
"""

import argparse
import os
import random
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
KEPT = ROOT / ".fuzz"
PYTEST = (sys.executable, "-m", "pytest", "-c", "pyproject.toml", "--hypothesis-profile=fuzz")
NO_PROPERTY_FAILED = (0, 5)  # 5: none was chosen
COUNTED = re.compile(r"- (\d+) passing, (\d+) failing, and \d+ invalid")
FAILED = re.compile(r"^(?:FAILED|ERROR) \S*?::(\w+(?:\[.*?\])?)", re.MULTILINE)


@dataclass(frozen=True)
class Found:
    """What one file said of the cases of one seed."""

    examples: int
    failed: tuple[str, ...]


def files_with_properties() -> list[Path]:
    """Every test file in which hypothesis draws."""
    return sorted(p for p in HERE.rglob("test_*.py") if "@given(" in p.read_text(encoding="utf-8"))


def rounds(files: list[Path], until: float) -> Iterator[tuple[int, Path]]:
    """Yield seeds and files while there is time."""
    while True:
        seed = secrets.randbits(32)
        for file in random.Random(seed).sample(files, len(files)):
            if time.monotonic() >= until:
                return
            yield seed, file


def draw(seed: int, file: Path, kept: Path) -> Found:
    """Run the properties of a file on the cases of a seed, say so in a line, keep what fails."""
    name, start = os.path.relpath(file, ROOT), time.monotonic()
    flags = ["-m", "hypothesis", "--hypothesis-show-statistics", f"--hypothesis-seed={seed}"]
    command = [*PYTEST, *flags, name]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    words = run.stdout + run.stderr
    examples = sum(int(a) + int(b) for a, b in COUNTED.findall(words))
    failed = tuple(f"{name}::{test}" for test in FAILED.findall(words))
    if run.returncode not in NO_PROPERTY_FAILED and not failed:
        failed = (name,)  # it did not even come to its tests
    lines = [f"seed {seed:>10}  {examples:>5} examples {time.monotonic() - start:>4.0f} s  {name}"]
    if failed:
        kept.mkdir(parents=True, exist_ok=True)
        told = kept / f"{seed}-{file.stem}.txt"
        told.write_text(words, encoding="utf-8")
        lines += [f"  FAILED, all of it in {os.path.relpath(told)}; the same example again:"]
        lines += [f"    python -m pytest --hypothesis-profile=fuzz '{test}'" for test in failed]
    print("\n".join(lines), flush=True)
    return Found(examples, failed)


def fuzz(minutes: float, workers: int, files: list[Path], kept: Path = KEPT) -> list[Found]:
    """Draw until the minutes are over; the files that are running then come to their end."""
    until = time.monotonic() + 60 * minutes

    def rounds_of_a_worker(_: int) -> list[Found]:
        return [draw(seed, file, kept) for seed, file in rounds(files, until)]

    with ThreadPoolExecutor(workers) as pool:
        return [found for each in pool.map(rounds_of_a_worker, range(workers)) for found in each]


def main() -> None:
    """Draw, say what was drawn, and leave with 1 where a property failed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("files", nargs="*", type=Path, help="only these test files")
    given = parser.parse_args()
    start = time.monotonic()
    files = [path.resolve() for path in given.files] or files_with_properties()
    found = fuzz(given.minutes, given.workers, files)
    examples, failed = sum(f.examples for f in found), sorted({t for f in found for t in f.failed})
    minutes = (time.monotonic() - start) / 60
    said = f"{examples} examples in {minutes:.1f} minutes; {len(failed)} tests failed"
    print(said, *failed, sep="\n  ")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
