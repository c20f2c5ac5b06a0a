"""Rounds that survive their process: what was told and what the sites answered, in a file of its
own for each (docs/formulation.md §11).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from ...case.io import read, write
from ...case.version import package_version
from ...errors import InputFileError, Problem, SchemaError
from .column_generation import Answer
from .message import Message
from .plans import Plan

Answered = tuple[Message, list[Plan]]
"""A message, and a plan of every site that answers it."""
_VERSION = "v2g_linopy_version"


@dataclass(frozen=True)
class KeptRounds:
    """The rounds of one case in a folder: written one by one, whole or not at all.

    Parameters
    ----------
    folder : Path
        Holds nothing else; it is made with the first round.
    case_hash : str
        Of the whole case; rounds of another one are refused.
    """

    folder: Path
    case_hash: str

    def restore(self) -> list[Answered]:
        """Return the rounds that are kept, from the first one up to a gap.

        Raises
        ------
        SchemaError
            They are of another case, or of another version.
        InputFileError
            A file is damaged.
        """
        return [self._read(path, number) for number, path in enumerate(rounds_in(self.folder))]

    def save(self, number: int, message: Message, plans: Sequence[Plan]) -> None:
        """Write a round.

        Raises
        ------
        OutputError
            The folder cannot be written, or the disk is full; the rounds before stay.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        attrs = {
            "round": message.round,
            "number": number,
            "case_hash": self.case_hash,
            _VERSION: package_version(),
        }
        told = {
            "power": ("time", message.power),
            "held": (("product", "time"), message.held),
            "held_supplied": (("product", "time"), message.held_supplied),
        }
        groups = {
            "/": xr.Dataset(attrs=attrs),
            "/price": xr.Dataset(told),
            "/plans": _dataset(plans),
        }
        tree = xr.DataTree.from_dict(groups)
        write(tree, self.folder / f"{number:05d}.nc", overwrite=True)

    def _read(self, path: Path, number: int) -> Answered:
        tree = read(path)
        then = (str(tree.attrs.get("case_hash")), str(tree.attrs.get(_VERSION)))
        names = {"the case has changed": self.case_hash, "v2g-linopy is another": package_version()}
        changes = [
            words for (words, now), was in zip(names.items(), then, strict=True) if now != was
        ]
        if changes:
            detail = f"{'; '.join(changes)}; remove {self.folder} to start anew"
            raise SchemaError(
                [Problem("rounds", "consistency", detail)], source="the unfinished run"
            )
        if tree.attrs.get("number") != number or not {"price", "plans"} <= {*tree.children}:
            raise InputFileError(
                path, f"is not round {number} of the run; remove {self.folder} to start anew"
            )
        told, plans = tree["price"].to_dataset(), tree["plans"].to_dataset()
        power, held, beside = (told[name].to_numpy() for name in ("power", "held", "held_supplied"))
        return Message(power, held, beside, int(tree.attrs["round"])), _plans(plans)


def answering(plans: Callable[[Message], list[Plan]], kept: KeptRounds | None) -> Answer:
    """Return how sites answer: first what they answered before, then anew, and kept.

    Parameters
    ----------
    plans : callable
        Gives the plans of all sites at the prices of a message.
    kept : KeptRounds, optional
        Rounds to go on from; without them nothing is kept.

    Returns
    -------
    callable
    """
    before = [] if kept is None else kept.restore()
    done = 0

    def answer(message: Message) -> Answered:
        nonlocal done
        done += 1
        if done <= len(before):
            return before[done - 1]
        found = plans(message)
        if kept is not None:
            kept.save(done - 1, message, found)
        return message, found

    return answer


def rounds_in(folder: Path) -> list[Path]:
    """Return the files of the rounds kept in a folder, from the first up to a gap."""
    names = {p.name for p in folder.iterdir()} if folder.is_dir() else set()
    count = next(k for k in range(len(names) + 1) if f"{k:05d}.nc" not in names)
    return [folder / f"{k:05d}.nc" for k in range(count)]


def _dataset(plans: Sequence[Plan]) -> xr.Dataset:
    """Return plans as arrays, decisions in whole numbers of each under its number."""
    found = xr.Dataset(
        {
            "pod": ("plan", np.array([p.pod for p in plans], dtype=object)),
            "traded": (("plan", "time"), np.array([p.traded for p in plans])),
            "held": (("plan", "product", "time"), np.array([p.held for p in plans])),
            "own": ("plan", [p.own for p in plans]),
            "value": ("plan", [p.value for p in plans]),
            "round": ("plan", [p.round for p in plans]),
            "whole": ("plan", [int(p.whole) for p in plans]),
        }
    )
    for k, plan in enumerate(plans):
        if plan.levels is not None:
            found[f"levels_{k}"] = (f"decision_{k}", plan.levels)
    return found


def _plans(d: xr.Dataset) -> list[Plan]:
    return [
        Plan(
            str(d["pod"].to_numpy()[k]),
            d["traded"].to_numpy()[k],
            d["held"].to_numpy()[k],
            float(d["own"][k]),
            float(d["value"][k]),
            int(d["round"][k]),
            bool(d["whole"][k]),
            d[f"levels_{k}"].to_numpy() if f"levels_{k}" in d else None,
        )
        for k in range(d.sizes["plan"])
    ]
