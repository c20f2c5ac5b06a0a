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

_DECIDED = ("committed", "turnover", "offered")  # over all steps; a window changes its own
_OTHERS = ("carried", "worth", "told", "happened")  # groups of the file, which names are kept


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

    def restore(self, sequence: Sequence, state: State) -> State:
        """Return the state to go on from.

        It is that after the last window kept, or the given one where there is none.

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
            state = _restored(sequence, sequence.windows[number], state, tree)
        return state

    def save(self, sequence: Sequence, state: State) -> None:
        """Write the window that has just been decided, whole or not at all.

        Raises
        ------
        OutputError
            The folder cannot be written, or the disk is full; the windows before stay.
        """
        number = len(state.realised) - 1
        tree = _tree(sequence.windows[number], state, number, self.run)
        write(tree, self.folder / f"{number:05d}.nc", overwrite=True)

    def _compare(self, tree: xr.DataTree) -> None:
        """Refuse the windows of another run, naming what differs."""
        then, now = json.loads(str(tree.attrs.get("run", "{}"))), self.run
        changes = ["the case has changed"] if then.get("case") != now["case"] else []
        changes += [
            f"{name} was {then.get(name)}, is {x}"
            for name, x in now.items()
            if name != "case" and then.get(name) != x
        ]
        if changes:
            detail = (
                f"{'; '.join(changes)}; run it as before, or remove {self.folder} to start anew"
            )
            raise SchemaError(
                [Problem("resume", "consistency", detail)], source="the unfinished run"
            )


def windows_in(folder: Path) -> list[Path]:
    """Return the files of the windows kept in a folder, from the first up to a gap."""
    names = {p.name for p in folder.iterdir()} if folder.is_dir() else set()
    count = next(k for k in range(len(names) + 1) if f"{k:05d}.nc" not in names)
    return [folder / f"{k:05d}.nc" for k in range(count)]


def run_of(case: xr.DataTree, truth: Inputs, sequence: Sequence) -> dict[str, str]:
    """Say what a run is: everything that its decisions follow from."""
    known = {n: case[n].to_dataset() for n in ("gates", "vintage") if n in case.children}
    first, end, hours = sequence.windows[0], sequence.windows[-1].stop, truth.dt
    limits = {"gap": sequence.settings.gap, **sequence.settings.options}
    return {
        "case": fingerprint({**truth.data, **{f"/{n}": ds for n, ds in known.items()}}),
        "time zone": truth.calendar.timezone,
        "forecast": sequence.forecast.name,
        "steps": f"{sequence.edge(first.first)} to {sequence.edge(end)} UTC",
        "window": f"{hours * (first.stop - first.first):g} h",
        "reach of the first plan": f"{hours * (first.end - first.first):g} h",
        "every": f"{sequence.every:g} h",
        "complementarity": sequence.mode,
        "solver options": json.dumps(limits, sort_keys=True, default=str),
        "v2g-linopy": package_version(),
    }


def _tree(window: Window, state: State, number: int, run: Mapping[str, str]) -> xr.DataTree:
    """Return what one window has added to the state."""
    groups = {
        **{
            name: {part: x.isel(time=window.steps) for part, x in getattr(state, name).items()}
            for name in _DECIDED
        },
        "carried": {".".join(key): x for key, x in state.next_inputs.items()},
        # not the name of the part alone, which may be that of its dimension
        "worth": {f"{part}.stored": x for part, x in state.terminal_value.items()},
        "told": {".".join(key): x for key, x in state.last_forecast.items()},
        "happened": state.realised[-1],
    }
    counts = {"decisions": state.decisions, "rebuilt": state.rebuilt, "revised": int(state.revised)}
    root = xr.Dataset(attrs={"window": number, "run": json.dumps(run), **counts})
    return xr.DataTree.from_dict(
        {"/": root, **{f"/{name}": _dataset(arrays) for name, arrays in groups.items()}}
    )


def _dataset(arrays: Mapping[str, xr.DataArray]) -> xr.Dataset:
    """Put arrays together that share their labels."""
    bare = [x.reset_coords(drop=True).drop_attrs().rename(n) for n, x in arrays.items()]
    return (
        xr.merge(bare, join="exact", compat="override", combine_attrs="drop")
        if bare
        else xr.Dataset()
    )


def _restored(sequence: Sequence, window: Window, state: State, tree: xr.DataTree) -> State:
    """Return the state after a window that has been kept."""
    plan, delivered = sequence.time[window.steps], sequence.time[window.first : window.stop]
    found = {
        name: _arrays(tree, name, delivered if name == "happened" else plan)
        for name in (*_DECIDED, *_OTHERS)
    }
    for name in _DECIDED:
        for part, x in found[name].items():
            whole = getattr(state, name)[part].copy()
            whole[{"time": window.steps}] = x.transpose(*whole.dims).to_numpy()
            getattr(state, name)[part] = whole

    state.next_inputs |= {_key(n): x for n, x in found["carried"].items()}
    state.last_forecast = {_key(n): x for n, x in found["told"].items()}
    state.terminal_value = {_key(n)[0]: x for n, x in found["worth"].items()}
    state.realised.append(found["happened"])

    state.decisions, state.rebuilt = int(tree.attrs["decisions"]), int(tree.attrs["rebuilt"])
    state.revised = bool(tree.attrs["revised"])
    return state


def _arrays(tree: xr.DataTree, name: str, time: pd.DatetimeIndex) -> dict[str, xr.DataArray]:
    """Read the arrays of a group, on the very time stamps of the run."""
    group = tree[name].to_dataset()
    group = group.assign_coords(time=time) if "time" in group.dims else group
    return {str(n): x for n, x in group.data_vars.items()}


def _key(name: str) -> Key:
    part, _, field_name = name.partition(".")
    return part, field_name
