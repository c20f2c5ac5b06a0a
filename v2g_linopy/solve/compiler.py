"""Loops compiled by numba where it is installed (extra `fast`)."""

from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any


def compiled_loops(
    linked: Sequence[Callable[..., Any]],
    entries: Sequence[Callable[..., None]],
    *,
    fused: bool = False,
) -> dict[str, Callable[..., None]] | None:
    """Return functions compiled by numba, by name; None where it is not installed.

    Parameters
    ----------
    linked : sequence of functions
        Plain loops over numbers, in the order in which one uses the other.
    entries : sequence of functions
        Those that are called from outside: compiled once for all processes.
    fused : bool, default False
        Multiply and add in one instruction, with one rounding; numpy has two.
    """
    try:
        from numba import njit
    except ImportError:
        return None
    known: dict[str, Any] = {}
    for loops in linked:
        assert isinstance(loops, FunctionType)
        own = FunctionType(loops.__code__, {**loops.__globals__, **known}, loops.__name__)
        entry = loops in entries
        options: dict[str, Any] = {"error_model": "numpy", "inline": "never" if entry else "always"}
        options["fastmath"] = {"contract"} if fused else False
        try:
            known[loops.__name__] = njit(own, cache=entry, **options)
        except RuntimeError:  # no folder that it may write compiled code to
            known[loops.__name__] = njit(own, **options)
    return {entry.__name__: known[entry.__name__] for entry in entries}
