"""Sets of states that have, with a state, all states above it (docs/formulation.md §3)."""

from collections.abc import Iterator

import numpy as np
import xarray as xr

_NEAR = 1e-9
MOST_ROWS = 20
"""For a member and a step; where states need more rows of their sets, they get a column each."""


def sets_of_states(call: xr.DataArray, most: int) -> xr.DataArray | None:
    """Return the upper sets of the states of calls, on (call_set, call_state), 1 for a member.

    `call` is on (product, call_state); None where there are more than `most` sets.

    Examples
    --------
    >>> import xarray as xr
    >>> from v2g_linopy.model.upper_sets import sets_of_states
    >>> call = xr.DataArray([[0.0, 1.0]], {"product": ["up"], "call_state": ["none", "up"]})
    >>> sets_of_states(call, 20).values.tolist()
    [[0.0, 1.0]]
    """
    found = upper_sets(call.transpose("product", "call_state").to_numpy(), most)
    if found is None:
        return None
    labels = {"call_set": np.arange(len(found)), "call_state": call.indexes["call_state"]}
    return xr.DataArray(found.astype(float), labels)


def upper_sets(call: np.ndarray, most: int) -> np.ndarray | None:
    """Return the upper sets of states, on (set, state), without the empty and the whole one.

    With a state, such a set has every state that calls as much or more of each product. Returns
    None where there are more than `most`.

    Examples
    --------
    A product that is called or not, and two such products that are independent:

    >>> import numpy as np
    >>> from v2g_linopy.model.upper_sets import upper_sets
    >>> upper_sets(np.array([[0.0, 1.0]]), 20).astype(int).tolist()
    [[0, 1]]
    >>> len(upper_sets(np.array([[0.0, 1.0, 0.0, 1.0], [0.0, 0.0, 1.0, 1.0]]), 20))
    4
    """
    no_less = call[:, None, :] >= call[:, :, None] - _NEAR
    above: np.ndarray = np.all(no_less, axis=0)  # [s, q]: q calls as much or more than s
    found = list[np.ndarray]()
    for chosen in _upper(above, np.argsort(-call.sum(axis=0), kind="stable")):
        if chosen.any() and not chosen.all():
            found.append(chosen)
            if len(found) > most:
                return None
    return np.array(found, bool).reshape(len(found), call.shape[1])


def _upper(above: np.ndarray, order: np.ndarray) -> Iterator[np.ndarray]:
    """Yield every set that has, with a state, all states above it."""
    level = [np.zeros(len(order), bool)]
    seen = {level[0].tobytes()}
    while level:
        further = list[np.ndarray]()
        for chosen in level:
            yield chosen
            for state in order[~chosen[order]]:
                more = chosen | above[state]
                if (key := more.tobytes()) not in seen:
                    seen.add(key)
                    further.append(more)
        level = further
