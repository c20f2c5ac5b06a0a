"""One build in a process of its own; prints its peak memory in MB: `python -m benchmarks.memory
package 1000 31`.
"""

import sys

import v2g_linopy as v2g
from benchmarks import cases, handwritten, package
from benchmarks.measure import own_peak

WORKS = {
    "nothing": lambda *size: cases.commuters(*size) and None,
    "package": lambda *size: package.build_and_hand_over(cases.commuters(*size)),
    "handwritten": lambda *size: handwritten.build(cases.commuters(*size)),
    "site": lambda *size: v2g.solve(v2g.site(*size)),
}


def main(what: str, vehicles: str, days: str) -> None:
    kept = WORKS[what](int(vehicles), int(days))
    print(own_peak())
    del kept


if __name__ == "__main__":
    main(*sys.argv[1:])
