"""Groups of vehicles of one pod each, and what to say where a vehicle has no plan
(docs/formulation.md §12 B).
"""

import numpy as np


class NotServed(Exception):  # noqa: N818  no fault of the loop: the caller says it in words
    """No plan of some vehicles keeps their limits, whatever the prices are."""

    def __init__(self, vehicles: np.ndarray):
        super().__init__(f"{len(vehicles)} vehicles")
        self.vehicles = vehicles


def group_numbers(pod: np.ndarray, pods: int, groups: int) -> tuple[np.ndarray, np.ndarray]:
    """Cut what is sorted by pod into about as many groups as asked for, of one pod each.

    Parameters
    ----------
    pod : numpy.ndarray
        Position of the pod of each member, rising.
    pods : int
        How many pods there are.
    groups : int
        How many groups are wanted.

    Returns
    -------
    tuple of two numpy.ndarray
        The number of the group of each member, and the pod of each group.

    Examples
    --------
    >>> number, pod_of_group = group_numbers(np.array([0, 0, 0, 0, 2, 2]), pods=3, groups=3)
    >>> number.tolist(), pod_of_group.tolist()
    ([0, 0, 1, 1, 2, 2], [0, 0, 2])
    """
    many = np.bincount(pod, minlength=pods)
    shares = np.round(groups * many / max(1, len(pod))).astype(int)
    shares = np.minimum(np.maximum(shares, 1), many)
    rank = np.arange(len(pod)) - np.repeat(np.cumsum(many) - many, many)
    number = (np.cumsum(shares) - shares)[pod] + rank * shares[pod] // many[pod]
    return number, np.repeat(np.arange(pods), shares)
