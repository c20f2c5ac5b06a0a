"""One build in a process of its own; prints its peak memory in MB: `python -m benchmarks.memory package 1000 31`."""

import sys

from benchmarks import cases, handwritten, package
from benchmarks.measure import own_peak

WORKS = {"nothing": lambda case: None, "package": package.build_and_hand_over, "handwritten": handwritten.build}


def main(what: str, vehicles: str, days: str) -> None:
    kept = WORKS[what](cases.commuters(int(vehicles), int(days)))
    print(own_peak())
    del kept


if __name__ == "__main__":
    main(*sys.argv[1:])
