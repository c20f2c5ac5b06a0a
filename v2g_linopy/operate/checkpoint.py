"""A run in windows that survives its process: what each window decided, in a file of its own
(docs/formulation.md §4).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import xarray as xr

from ..case.io import fingerprint, read, write
from ..case.version import package_version
from ..errors import InputFileError, Problem, SchemaError
from ..model.inputs import Inputs
from .forecasts import Key
from .windows import Sequence, State, Window

_ARRAYS = ("carried", "worth", "told", "happened")
_DECIDED = ("committed", "turnover")  # over all steps; a window changes its own


@dataclass(frozen=True)
class Checkpoint:
    """The windows of one run in a folder: written one by one, read back bit by bit.

    Parameters
    ----------
    folder : Path
        Holds nothing else; it is made with the first window.
    run : mapping of str to str
        What the run is: case, forecast, windows, options. Another one does not go on from here.
    """

    folder: Path
    run: Mapping[str, str]

    def begin(self, q: Sequence, state: State) -> State:
        """Return the state to go on from: that after the last window kept, or the given one where
        there is none.

        Raises
        ------
        SchemaError
            The windows are those of another case, or of another way to run it; or a file is
            damaged.
        """
        for number, path in enumerate(windows_in(self.folder)):
            tree = read(path)
            self._compare(tree)
            if tree.attrs.get("window") != number:
                raise InputFileError(
                    path, f"is not window {number} of the run; remove {self.folder} to start anew"
                )
            state = _restored(q, q.windows[number], state, tree)
        return state

    def keep(self, q: Sequence, state: State) -> None:
        """Write the window that has just been decided, whole or not at all.

        Raises
        ------
        OutputError
            The folder cannot be written, or the disk is full; the windows before stay.
        """
        number = len(state.happened) - 1
        write(
            _tree(q.windows[number], state, number, self.run),
            self.folder / f"{number:05d}.nc",
            overwrite=True,
        )

    def _compare(self, tree: xr.DataTree) -> None:
        """Refuse the windows of another run, naming what differs."""
        then, now = json.loads(str(tree.attrs.get("run", "{}"))), self.run
        said = ["the case has changed"] if then.get("case") != now["case"] else []
        said += [
            f"{k} was {then.get(k)}, is {x}"
            for k, x in now.items()
            if k != "case" and then.get(k) != x
        ]
        if said:
            detail = f"{'; '.join(said)}; run it as before, or remove {self.folder} to start anew"
            raise SchemaError(
                [Problem("resume", "consistency", detail)], source="the unfinished run"
            )


def windows_in(folder: Path) -> list[Path]:
    """Return the files of the windows kept in a folder, from the first up to a gap."""
    names = {p.name for p in folder.iterdir()} if folder.is_dir() else set()
    count = next(k for k in range(len(names) + 1) if f"{k:05d}.nc" not in names)
    return [folder / f"{k:05d}.nc" for k in range(count)]


def run_of(case: xr.DataTree, truth: Inputs, q: Sequence) -> dict[str, str]:
    """Say what a run is: everything that its decisions follow from."""
    known = {n: case[n].to_dataset() for n in ("gates", "vintage") if n in case.children}
    first, hours = q.windows[0], truth.dt
    limits = {"gap": q.settings.gap, **q.settings.options}
    return {
        "case": fingerprint({**truth.data, **{f"/{n}": ds for n, ds in known.items()}}),
        "time zone": truth.calendar.timezone,
        "forecast": q.forecast.name,
        "steps": f"{q.edge(q.windows[0].first)} to {q.edge(q.windows[-1].stop)} UTC",
        "window": f"{hours * (first.stop - first.first):g} h",
        "reach of the first plan": f"{hours * (first.last - first.first):g} h",
        "every": f"{q.every:g} h",
        "complementarity": q.mode,
        "solver options": json.dumps(limits, sort_keys=True, default=str),
        "v2g-linopy": package_version(),
    }


def _tree(window: Window, state: State, number: int, run: Mapping[str, str]) -> xr.DataTree:
    """Return what one window has added to the state."""
    steps = slice(window.first, window.last)
    happened = state.happened[-1]
    groups = {
        **{n: {p: x.isel(time=steps) for p, x in getattr(state, n).items()} for n in _DECIDED},
        "carried": {".".join(k): x for k, x in state.carried.items()},
        "worth": {
            f"{part}.stored": x for part, x in state.worth.items()
        },  # a part may be called as its dimension
        "told": {".".join(k): x for k, x in state.told.items()},
        "happened": happened,
    }
    counts = {"decisions": state.decisions, "rebuilt": state.rebuilt, "revised": int(state.revised)}
    root = xr.Dataset(attrs={"window": number, "run": json.dumps(run), **counts})
    return xr.DataTree.from_dict(
        {"/": root, **{f"/{n}": _dataset(arrays) for n, arrays in groups.items()}}
    )


def _dataset(arrays: Mapping[str, xr.DataArray]) -> xr.Dataset:
    """Put arrays together that share their labels."""
    bare = [x.reset_coords(drop=True).drop_attrs().rename(n) for n, x in arrays.items()]
    return (
        xr.merge(bare, join="exact", compat="override", combine_attrs="drop")
        if bare
        else xr.Dataset()
    )


def _restored(q: Sequence, window: Window, state: State, tree: xr.DataTree) -> State:
    """Return the state after a window that has been kept."""
    whole, plan = slice(window.first, window.stop), slice(window.first, window.last)
    found = {
        n: _arrays(tree, n, q.time[whole if n == "happened" else plan])
        for n in (*_DECIDED, *_ARRAYS)
    }
    for name in _DECIDED:
        for part, x in found[name].items():
            now = getattr(state, name)[part].copy()
            now[{"time": plan}] = x.transpose(*now.dims).to_numpy()
            getattr(state, name)[part] = now
    state.carried |= {_key(n): x for n, x in found["carried"].items()}
    state.told = {_key(n): x for n, x in found["told"].items()}
    state.worth = {_key(n)[0]: x for n, x in found["worth"].items()}
    state.happened.append(found["happened"])
    state.decisions, state.rebuilt = int(tree.attrs["decisions"]), int(tree.attrs["rebuilt"])
    state.revised = bool(tree.attrs["revised"])
    return state


def _arrays(tree: xr.DataTree, name: str, time: pd.DatetimeIndex) -> dict[str, xr.DataArray]:
    """Read the arrays of a group, on the very time stamps of the run."""
    group = tree[name].to_dataset()
    group = group.assign_coords(time=time) if "time" in group.dims else group
    return {str(n): x for n, x in group.data_vars.items()}


def _key(name: str) -> Key:
    part, _, leaf = name.partition(".")
    return part, leaf
