"""Which row of the fleet each session stands in: greedy interval partitioning."""

import heapq

import numpy as np


def pack(first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Return the row of each session, in the fewest rows possible.

    No step of a row holds two sessions.

    A session occupies the steps `first ... last`. Taken by first step, each goes to the row that
    fell free earliest, or opens a new one: as many rows result as sessions are plugged in at once.

    Parameters
    ----------
    first, last
        First and last step of each session, both occupied.
    """
    rows = np.empty(len(first), np.int64)
    free: list[tuple[int, int]] = []  # (last occupied step, row)
    for k in np.lexsort((last, first)).tolist():
        if free and free[0][0] < first[k]:
            row = free[0][1]
            heapq.heapreplace(free, (int(last[k]), row))
        else:
            row = len(free)
            heapq.heappush(free, (int(last[k]), row))
        rows[k] = row
    return rows


def concurrent(first: np.ndarray, last: np.ndarray) -> int:
    """Return the largest number of sessions that share a step."""
    if len(first) == 0:
        return 0
    change = np.zeros(int(last.max()) + 2, np.int64)
    np.add.at(change, first, 1)
    np.add.at(change, last + 1, -1)
    return int(change.cumsum().max())
