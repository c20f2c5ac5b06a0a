"""Workers that run cases: processes of this machine, or a cluster of dask.

A worker keeps what it found in files and says only how it ended, so nothing is lost with it. Few
cases are under way at a time, so that the memory of this process does not grow with a study."""

import multiprocessing as mp
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from ..errors import V2GError
from .run_case import Outcome, run_point
from .study_file import Point, Study

MOST_DEATHS = 3
"""Workers that a case may take with it before it is given up."""
PATIENCE = 10.0
"""Seconds within which a scheduler has to answer."""
AHEAD = 2
"""Cases handed to each worker of a cluster before it has ended one."""
Run = Callable[[Iterable[Point], Study, Path], Iterator[Outcome]]


Serve = Callable[[Connection, Study, Path], None]


class WorkersLost(V2GError):  # noqa: N818  it says what has happened
    """A cluster cannot be reached."""

    exit_code = 5


def in_this_process(points: Iterable[Point], study: Study, folder: Path) -> Iterator[Outcome]:
    """Run cases one after the other."""
    for point in points:
        yield run_point(point, study, folder)


@dataclass
class _Worker:
    """A process, and the case that it is at."""

    process: BaseProcess
    end: Connection
    point: Point | None = None


class LocalWorkers:
    """Run cases in processes of this machine.

    A worker that is killed takes one case with it: another worker runs it again, and the rest of
    the study does not notice. A case that has killed several is told as failed.

    Parameters
    ----------
    jobs : int
        How many processes.
    serve : callable
        What a process does: it answers a case that comes through a pipe.
    """

    def __init__(self, jobs: int, serve: Serve | None = None):
        self._jobs, self._serve = jobs, serve or _serve

    def __call__(self, points: Iterable[Point], study: Study, folder: Path) -> Iterator[Outcome]:
        """Run cases, and yield how each ended, as it ends."""
        crew = _Crew(self._jobs, self._serve, (study, folder))
        waiting = iter(points)
        try:
            while crew.hand_out(waiting):
                yield from crew.answers()
        finally:
            crew.end()


class _Crew:
    """Processes of one study, and what each is at."""

    def __init__(self, jobs: int, serve: Serve, work: tuple[Study, Path]):
        self._jobs, self._serve, self._work = jobs, serve, work
        self._context = mp.get_context("spawn")
        self._workers: list[_Worker] = []
        self._again = deque[Point]()  # cases whose worker died
        self._deaths = Counter[str]()

    def hand_out(self, waiting: Iterator[Point]) -> bool:
        """Give each idle worker a case; False where nothing is under way any more."""
        idle = [worker for worker in self._workers if worker.point is None]
        for _ in range(self._jobs - (len(self._workers) - len(idle))):
            point = self._again.popleft() if self._again else next(waiting, None)
            if point is None:
                break
            worker = idle.pop() if idle else self._started()
            worker.point = point
            with suppress(OSError):  # that it is dead is noticed when its answer is read
                worker.end.send(point)
        return any(worker.point is not None for worker in self._workers)

    def answers(self) -> Iterator[Outcome]:
        """Wait for the first answers, and read them."""
        busy = {worker.end: worker for worker in self._workers if worker.point is not None}
        for end in wait(list(busy)):
            worker = busy[end]  # type: ignore[index]  # what is waited for are these ends
            found = self._answer(worker)
            if isinstance(found, V2GError):
                raise found
            if found is not None:
                yield found

    def _answer(self, worker: _Worker) -> Outcome | V2GError | None:
        """What a worker says of its case; nothing where it died, and the case is run again."""
        point, worker.point = worker.point, None
        try:
            found: Outcome | V2GError = worker.end.recv()
            return found
        except (EOFError, OSError):
            self._workers.remove(worker)
            worker.process.join()
        assert point is not None
        self._deaths[point.name] += 1
        if self._deaths[point.name] == MOST_DEATHS:
            return Outcome(
                point.name, "failed", f"its worker died {MOST_DEATHS} time{'s' * (MOST_DEATHS > 1)}"
            )
        self._again.append(point)
        return None

    def _started(self) -> _Worker:
        here, there = self._context.Pipe()
        work = (there, *self._work)
        process = self._context.Process(target=self._serve, args=work, daemon=True)
        process.start()
        there.close()  # the pipe ends with the worker, so that its death is noticed
        self._workers.append(_Worker(process, here))
        return self._workers[-1]

    def end(self) -> None:
        """End the processes."""
        for worker in self._workers:
            worker.end.close()
            worker.process.terminate()
            worker.process.join()


def _serve(end: Connection, study: Study, folder: Path) -> None:
    """Run cases until the other end is closed."""
    with suppress(EOFError, OSError, KeyboardInterrupt):
        while True:
            point: Point = end.recv()
            found: Outcome | V2GError
            try:
                found = run_point(point, study, folder)
            except V2GError as error:
                found = error
            end.send(found)


class DaskWorkers:
    """Run cases on workers of dask: of a cluster at an address, or one made for this study.

    Parameters
    ----------
    jobs : int
        Workers of a cluster that is made.
    address : str, optional
        Of the scheduler of a cluster that is there, as ``tcp://10.0.0.1:8786``.

    Raises
    ------
    V2GError
        The extra ``[batch]`` is not installed.
    WorkersLost
        There is no scheduler at the address.
    """

    def __init__(self, jobs: int, address: str | None = None):
        try:
            import dask
            import distributed
        except ModuleNotFoundError as error:
            raise V2GError(
                "a cluster needs dask: install the extra, pip install 'v2g-linopy[batch]'"
            ) from error
        self._distributed: Any = distributed
        self._made: Any
        # a killed worker is no fault of the case; its sampling profiler takes time from the solver
        settings = {
            "distributed.scheduler.allowed-failures": 10,
            "distributed.worker.profile.enabled": False,
        }
        with dask.config.set(settings):
            self._made = (
                None
                if address
                else distributed.LocalCluster(
                    n_workers=jobs, threads_per_worker=1, dashboard_address="127.0.0.1:0"
                )
            )
            try:
                self._client = distributed.Client(
                    address or self._made, timeout=PATIENCE, set_as_default=False
                )
            except OSError as error:
                raise WorkersLost(f"no scheduler of dask at {address}: {error}") from error

    def __call__(self, points: Iterable[Point], study: Study, folder: Path) -> Iterator[Outcome]:
        """Run cases, and yield how each ended, as it ends.

        A future is let go once it is read: dask runs finished cases again when the worker dies that
        held what they returned.
        """
        waiting = iter(points)
        under_way = self._distributed.as_completed(loop=self._client.loop)
        try:
            for _ in range(AHEAD * max(1, len(self._client.scheduler_info()["workers"]))):
                self._hand_over(under_way, waiting, study, folder)
            for future in under_way:
                outcome: Outcome = future.result()
                future.release()
                self._hand_over(under_way, waiting, study, folder)
                yield outcome
        finally:
            self._client.close()
            if self._made is not None:
                self._made.close()

    def _hand_over(
        self, under_way: Any, waiting: Iterator[Point], study: Study, folder: Path
    ) -> None:
        point = next(waiting, None)
        if point is not None:
            future = self._client.submit(run_point, point, study, folder, pure=False)
            under_way.add(future)
