"""The models of all sites, here or shared out over processes."""

import multiprocessing as mp
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import xarray as xr

from ...errors import Problem, SchemaError, V2GError
from ...model.inputs import inputs_of
from ...model.part import Part
from ...parts.catalogue import PARTS
from ..solver import Settings
from .message import Message
from .plans import Plan
from .site_cases import Division
from .sites import Sites


class LocalSites:
    """Models of some sites in this process.

    Those that are linear programmes are one model; one with decisions in whole numbers has a model
    of its own.

    Parameters
    ----------
    division : Division
        The case, and what stands where.
    pods : sequence of str
        Names of the sites.
    settings : Settings
        How to solve.
    parts : mapping of str to Part
        The catalogue.
    """

    def __init__(
        self,
        division: Division,
        pods: Sequence[str],
        settings: Settings,
        parts: Mapping[str, Part],
    ):
        def model(some: Sequence[str]) -> Sites:
            return Sites(inputs_of(division.site(some), parts), some, division.homes, settings)

        together = model(pods)
        self.whole, self.most_held = together.whole, together.most_held
        self._models = [together]
        if self.whole and len(pods) > 1:
            mixed = [pod for pod in pods if pod not in self.whole]
            self._models = [model([pod]) for pod in self.whole]
            if mixed:
                self._models.append(model(mixed))

    def plans(self, message: Message) -> list[Plan]:
        """Return a plan of each site at the prices of a message."""
        return [plan for sites in self._models for plan in sites.plans(message)]

    def fix(self, levels: Mapping[str, np.ndarray]) -> None:
        """Hold the decisions in whole numbers of some sites."""
        for sites in self._models:
            if len(sites.pods) == 1 and sites.pods[0] in levels:
                sites.fix(levels[sites.pods[0]])

    def close(self) -> None:
        """Do nothing: the models go with this process."""


class SharedSites:
    """The same over processes, each of which holds its models open.

    Parameters
    ----------
    division, settings
        As of `LocalSites`; the parts are those of the catalogue.
    processes : int
        How many processes.
    """

    def __init__(
        self,
        division: Division,
        settings: Settings,
        processes: int,
    ):
        context = mp.get_context("spawn")
        count = min(processes, len(division.pods))
        groups = {"/": division.case.to_dataset()}
        groups |= {f"/{n}": x.to_dataset(inherit=False) for n, x in division.case.children.items()}
        self._ends: list[Connection] = []
        self._workers = []
        for k in range(count):
            here, there = context.Pipe()
            work = (there, groups, division.pods[k::count], settings)
            worker = context.Process(target=_serve, args=work, daemon=True)
            worker.start()
            self._ends.append(here)
            self._workers.append(worker)
        try:
            found = self._all(None)
        except BaseException:
            self.close()
            raise
        self.whole = [pod for whole, _ in found for pod in whole]
        self.most_held = np.sum([most for _, most in found], axis=0)

    def plans(self, message: Message) -> list[Plan]:
        """Return a plan of each site at the prices of a message."""
        return [plan for plans in self._all(("plans", message)) for plan in plans]

    def fix(self, levels: Mapping[str, np.ndarray]) -> None:
        """Hold the decisions in whole numbers of some sites."""
        self._all(("fix", dict(levels)))

    def close(self) -> None:
        """End the processes."""
        for end in self._ends:
            end.close()
        for worker in self._workers:
            worker.terminate()
            worker.join()

    def _all(self, task: tuple[str, Any] | None) -> list[Any]:
        """Give every process a task, and return what each answers."""
        if task is not None:
            for end in self._ends:
                end.send(task)
        answers = [end.recv() for end in self._ends]
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        return answers


def _serve(
    end: Connection,
    groups: Mapping[str, xr.Dataset],
    pods: Sequence[str],
    settings: Settings,
) -> None:
    """Build the models of some sites, and answer until the other end is closed."""
    try:
        division = Division.of(xr.DataTree.from_dict(dict(groups)), PARTS)
        sites = LocalSites(division, pods, settings, PARTS)
        end.send((sites.whole, sites.most_held))
        while True:
            verb, what = end.recv()
            end.send(getattr(sites, verb)(what))
    except (EOFError, BrokenPipeError):
        pass
    except V2GError as error:
        end.send(error)


@contextmanager
def opened(
    division: Division, settings: Settings, parts: Mapping[str, Part], processes: int
) -> Iterator[LocalSites | SharedSites]:
    """Open the models of all sites, and close them at the end."""
    sites: LocalSites | SharedSites
    if processes > 1 and len(division.pods) > 1:
        if parts is not PARTS:
            detail = "parts of your own cannot be handed to other processes; give 1"
            raise SchemaError([Problem("processes", "choice", detail)])
        sites = SharedSites(division, settings, processes)
    else:
        sites = LocalSites(division, division.pods, settings, parts)
    try:
        yield sites
    finally:
        sites.close()
