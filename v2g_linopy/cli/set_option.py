"""`--set part.field=value`: change a copy of a case before it is used."""

from collections.abc import Callable, Sequence

import typer
import xarray as xr

from ..data.case_changes import ChangeRefused, silent, with_changes
from .options import pairs


def changed(
    case: xr.DataTree, words: Sequence[str] | None, say: Callable[[str], None] = silent
) -> xr.DataTree:
    """Return the case with every `--set` applied; the case given is left as it is.

    Raises
    ------
    BadParameter
        A word cannot be read, or names a part, a field or a member that is not there (with a
        suggestion).
    """
    try:
        return with_changes(case, pairs(words, "--set"), say, prefix="--set ")
    except ChangeRefused as error:
        raise typer.BadParameter(str(error), param_hint="--set") from None
