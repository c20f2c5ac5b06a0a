"""The rows of a server: configurations, uploads, cases, jobs and their results, in SQLite.

One connection, in the thread of the server; every change is one transaction. What a row says of a
file is true as soon as it can be read: the file stands before its row."""

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ENDED = ("done", "failed", "cancelled")
STATES = ("queued", "running", *ENDED)
_TABLES = """
create table if not exists configuration (
    name text primary key, document text not null, changed real not null);
create table if not exists upload (
    id text primary key, name text not null, size integer not null, added real not null);
create table if not exists stored_case (
    id text primary key, name text not null, file text not null, source text not null,
    summary text not null, added real not null);
create table if not exists job (
    number integer primary key, id text unique not null, kind text not null, request text not null,
    name text not null, state text not null, attempt integer not null default 0,
    deaths integer not null default 0, cancelling integer not null default 0,
    key text unique, created real not null, started real, ended real, error text);
create index if not exists job_state on job (state, number);
create table if not exists job_case (job text not null, stored_case text not null);
create table if not exists result (
    job text not null, name text not null, file text not null, size integer not null,
    primary key (job, name));
"""


class DataInUse(Exception):  # noqa: N818  it says what has happened
    """Another server works with this folder."""


class Database:
    """The rows of one server.

    Parameters
    ----------
    folder : Path
        Where its files stand.

    Raises
    ------
    DataInUse
        Another server has it open.
    """

    def __init__(self, folder: Path):
        self._lock = sqlite3.connect(folder / "lock.sqlite", isolation_level=None, timeout=0.5)
        try:  # held while this process lives, and no longer, on any system
            self._lock.execute("begin exclusive")
        except sqlite3.OperationalError as error:
            raise DataInUse(f"another server works with {folder}") from error
        self._rows = sqlite3.connect(folder / "service.sqlite", isolation_level=None)
        self._rows.row_factory = sqlite3.Row
        self._rows.execute("pragma journal_mode = wal")
        self._rows.execute("pragma synchronous = full")
        self._rows.executescript(_TABLES)

    def close(self) -> None:
        """Let the folder go."""
        self._rows.close()
        self._lock.close()

    @contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it or nothing."""
        self._rows.execute("begin immediate")
        try:
            yield self._rows
        except BaseException:
            self._rows.execute("rollback")
            raise
        self._rows.execute("commit")

    def all(self, question: str, *values: Any) -> list[dict[str, Any]]:
        """Every row that answers a question."""
        return [dict(row) for row in self._rows.execute(question, values)]

    def one(self, question: str, *values: Any) -> dict[str, Any] | None:
        """The row that answers a question, if there is one."""
        row = self._rows.execute(question, values).fetchone()
        return None if row is None else dict(row)

    # --- jobs ----------------------------------------------------------------------------------

    def add_job(
        self,
        name: str,
        kind: str,
        request: Mapping[str, Any],
        cases: Sequence[str],
        key: str | None,
        identity: str,
    ) -> None:
        """Add a job to the end of the queue."""
        with self.change() as rows:
            rows.execute(
                "insert into job (id, kind, request, name, state, key, created)"
                " values (?, ?, ?, ?, 'queued', ?, ?)",
                (identity, kind, json.dumps(request), name, key, time.time()),
            )
            rows.executemany(
                "insert into job_case values (?, ?)", [(identity, case) for case in cases]
            )

    def take_job(self) -> dict[str, Any] | None:
        """Let the oldest job that waits be running; its row, or None where none waits."""
        with self.change() as rows:
            row = rows.execute(
                "update job set state = 'running', attempt = attempt + 1, started = ?"
                " where number = (select min(number) from job where state = 'queued') returning *",
                (time.time(),),
            ).fetchone()
        return None if row is None else dict(row)

    def end_job(
        self,
        identity: str,
        state: str,
        error: Mapping[str, Any] | None = None,
        files: Mapping[str, tuple[str, int]] | None = None,
    ) -> bool:
        """Let a running job be ended, with its results; False where it is not running any more."""
        with self.change() as rows:
            ended = rows.execute(
                "update job set state = ?, ended = ?, error = ? where id = ? and state = 'running'",
                (state, time.time(), None if error is None else json.dumps(error), identity),
            ).rowcount
            if ended:
                rows.executemany(
                    "insert into result values (?, ?, ?, ?)",
                    [(identity, name, *file) for name, file in (files or {}).items()],
                )
        return bool(ended)

    def queue_again(self, identity: str, died: bool) -> None:
        """Let a running job wait again: its process is gone, or the server ends."""
        with self.change() as rows:
            rows.execute(
                "update job set state = 'queued', started = null, deaths = deaths + ?"
                " where id = ? and state = 'running'",
                (int(died), identity),
            )

    def cancel_job(self, identity: str) -> str | None:
        """Cancel a job that waits, mark one that runs; the state it was in, None where unknown."""
        with self.change() as rows:
            row = rows.execute("select state from job where id = ?", (identity,)).fetchone()
            if row is None:
                return None
            if row["state"] == "queued":
                rows.execute(
                    "update job set state = 'cancelled', ended = ? where id = ?",
                    (time.time(), identity),
                )
            elif row["state"] == "running":
                rows.execute("update job set cancelling = 1 where id = ?", (identity,))
        return str(row["state"])

    def delete_job(self, identity: str) -> None:
        """Forget a job and its results."""
        with self.change() as rows:
            for table, column in (("job", "id"), ("job_case", "job"), ("result", "job")):
                rows.execute(f"delete from {table} where {column} = ?", (identity,))

    def job_counts(self) -> dict[str, int]:
        """How many jobs are in each state."""
        found = self.all("select state, count(*) as jobs from job group by state")
        return dict.fromkeys(STATES, 0) | {row["state"]: row["jobs"] for row in found}

    def used_files(self) -> set[str]:
        """Every stored file that a row names."""
        question = "select id from upload union select file from stored_case union select file"
        return {row["id"] for row in self.all(f"{question} from result")}
