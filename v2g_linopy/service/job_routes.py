"""Routes of jobs and of what they have written: begin, look, follow, cancel, fetch, forget."""

import hashlib
import json
import mimetypes
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import FileResponse, StreamingResponse
from pydantic import BaseModel, Field

from .case_routes import NETCDF
from .database import ENDED
from .job_events import events_of
from .job_kinds import AnyJob
from .problem_documents import Refused
from .request_gate import REPORT_POLICY
from .running_service import RunningService, Served

router = APIRouter(prefix="/v1/jobs")
MOST_STREAMS = 64
SITES = "sites.json"
_KINDS = {".nc": NETCDF, ".csv": "text/csv; charset=utf-8"}
_SHOWN = (".html", ".json")


class ResultFile(BaseModel):
    """A file that a job has written."""

    name: str
    size: int
    href: str


class JobState(BaseModel):
    """A job, and how far it is."""

    id: str
    kind: str
    name: str
    state: str = Field(description="queued, running, done, failed or cancelled")
    created: float
    started: float | None
    ended: float | None
    attempt: int
    request: dict[str, Any]
    progress: dict[str, Any] | None = Field(description="`words`; `done` and `of` where counted.")
    error: dict[str, Any] | None = Field(description="Why it failed, as a problem document.")
    results: list[ResultFile]


def _told(service: RunningService, row: dict[str, Any]) -> JobState:
    """A job as it is told."""
    identity = row["id"]
    found = service.rows.all("select name, size from result where job = ? order by name", identity)
    place = f"/v1/jobs/{identity}/results"
    return JobState(
        **{name: row[name] for name in ("kind", "name", "state", "attempt")},
        **{name: row[name] for name in ("id", "created", "started", "ended")},
        request=json.loads(row["request"]),
        progress=service.queue.progress(identity) if row["state"] == "running" else None,
        error=None if row["error"] is None else json.loads(row["error"]),
        results=[ResultFile(**x, href=f"{place}/{x['name']}") for x in found],
    )


@router.post("", status_code=201, tags=["jobs"])
async def begin_job(
    job: AnyJob,
    response: Response,
    service: Served,
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
) -> JobState:
    """Add a job to the queue. The same key with the same request is the same job (200)."""
    request = job.model_dump(mode="json")
    key = None if idempotency_key is None else _hashed(idempotency_key)
    known = service.rows.one("select * from job where key = ?", key)
    if known is not None:
        if json.loads(known["request"]) != request:
            raise Refused(409, "this Idempotency-Key was used for another request")
        response.status_code = 200
        return _told(service, known)
    for case in job.cases():
        service.case_row(case)
    if service.rows.job_counts()["queued"] >= service.settings.waiting:
        detail = f"{service.settings.waiting} jobs wait already"
        raise Refused(429, detail, headers={"retry-after": "30"})
    identity = secrets.token_hex(8)
    service.rows.add_job(job.name or job.kind, job.kind, request, job.cases(), key, identity)
    service.queue.wake()
    response.headers["location"] = f"/v1/jobs/{identity}"
    return _told(service, service.job_row(identity))


def _hashed(text: str) -> str:
    """A key of a client, as it is kept."""
    return hashlib.sha256(text.encode()).hexdigest()


@router.get("", tags=["jobs"])
async def list_jobs(
    service: Served,
    state: str | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> list[JobState]:
    """Jobs, the latest first."""
    where, values = ("", (limit,)) if state is None else ("where state = ?", (state, limit))
    question = f"select * from job {where} order by number desc limit ?"
    return [_told(service, row) for row in service.rows.all(question, *values)]


@router.get("/{identity}", tags=["jobs"])
async def one_job(identity: str, service: Served) -> JobState:
    """A job, how far it is, and its results."""
    return _told(service, service.job_row(identity))


@router.get("/{identity}/events", tags=["jobs"], response_class=StreamingResponse)
async def follow_job(
    identity: str, service: Served, last_event_id: Annotated[str | None, Header()] = None
) -> StreamingResponse:
    """Server-sent events: `state` (a job), `progress`, `log` (text), and `end`."""
    service.job_row(identity)
    if service.streams >= MOST_STREAMS:
        raise Refused(429, "too many clients follow jobs", headers={"retry-after": "10"})

    def told() -> JobState | None:
        row = service.rows.one("select * from job where id = ?", identity)
        return None if row is None else _told(service, row)

    async def counted() -> AsyncIterator[str]:
        service.streams += 1
        try:
            async for event in events_of(service.queue, told, identity, last_event_id):
                yield event
        finally:
            service.streams -= 1

    return StreamingResponse(counted(), media_type="text/event-stream")


@router.get("/{identity}/log", tags=["jobs"], response_class=Response)
async def job_log(identity: str, service: Served) -> Response:
    """What the command of a job has said."""
    service.job_row(identity)
    path = service.queue.log_path(identity)
    return FileResponse(path, media_type="text/plain") if path.exists() else Response("")


@router.post("/{identity}/cancel", tags=["jobs"])
async def cancel_job(identity: str, service: Served) -> JobState:
    """Cancel a job in any phase; when this answers, nothing of it runs. 409 if it has ended."""
    state = await service.queue.cancel(identity)
    row = service.job_row(identity)
    if state in ENDED:
        raise Refused(409, f"it has ended: {state}")
    return _told(service, row)


@router.delete("/{identity}", status_code=204, tags=["jobs"])
async def delete_job(identity: str, service: Served) -> None:
    """Forget a job that has ended, with its results; 409 if it has not."""
    row = service.job_row(identity)
    if row["state"] not in ENDED:
        raise Refused(409, f"it is {row['state']}; cancel it first")
    service.queue.forget(identity)


@router.get("/{identity}/results", tags=["results"])
async def list_results(identity: str, service: Served) -> list[ResultFile]:
    """The files that a job has written."""
    return _told(service, service.job_row(identity)).results


@router.get("/{identity}/results/{name:path}", tags=["results"], response_class=FileResponse)
async def result_file(identity: str, name: str, service: Served) -> FileResponse:
    """A file of a result: `result.nc`, `kpi.json`, `arrays.json`, a CSV, `report.html`."""
    state = service.job_row(identity)["state"]
    row = service.rows.one("select * from result where job = ? and name = ?", identity, name)
    if row is None and state not in ENDED:
        raise Refused(409, f"the job is {state}; it has no results yet")
    if row is None:
        raise Refused(404, f"the job has no result {name!r}")
    suffix = Path(name).suffix
    kind = _KINDS.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
    return FileResponse(
        service.store.path(row["file"]),
        media_type=kind,
        filename=Path(name).name,
        content_disposition_type="inline" if suffix in _SHOWN else "attachment",
        headers={"content-security-policy": REPORT_POLICY} if suffix == ".html" else None,
    )


@router.get("/{identity}/disaggregate", tags=["results"], response_class=FileResponse)
async def disaggregated(identity: str, service: Served) -> FileResponse:
    """Each site's share of a portfolio: its power, what it is worth, what is undeliverable."""
    return await result_file(identity, SITES, service)
