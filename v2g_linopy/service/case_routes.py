"""Routes of uploads, and of cases that are made of them or of templates."""

import json
import secrets
import time
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field

from .case_sources import AnySource, FromFile, names_of_files
from .file_store import plain_file_name
from .job_kinds import Change, Strict
from .problem_documents import Refused
from .running_service import Served

router = APIRouter(prefix="/v1", tags=["cases"])
NETCDF = "application/x-netcdf"


class Upload(BaseModel):
    """A file that was uploaded."""

    id: str
    name: str
    size: int
    added: float


class StoredCase(BaseModel):
    """A case that jobs can read."""

    id: str
    name: str
    source: dict[str, Any] = Field(description="What it was made of.")
    summary: dict[str, Any] = Field(description="What it is about; `check` is what was assumed.")
    added: float


class Check(Strict):
    """Changes with which a case is looked at."""

    set: list[Change] = []


@router.post("/uploads", status_code=201)
async def take_upload(
    request: Request, name: Annotated[str, Query(max_length=200)], service: Served
) -> Upload:
    """Take a file: its bytes are the body, whatever its kind."""
    digest, size = await service.store.receive(request.stream())
    values = (digest, plain_file_name(name), size, time.time())
    with service.rows.change() as rows:
        rows.execute("insert or replace into upload values (?, ?, ?, ?)", values)
    return Upload(id=digest, name=values[1], size=size, added=values[3])


@router.get("/uploads")
async def list_uploads(service: Served) -> list[Upload]:
    """Files that were uploaded, the latest first."""
    return [Upload(**x) for x in service.rows.all("select * from upload order by added desc")]


@router.delete("/uploads/{identity}", status_code=204)
async def delete_upload(identity: str, service: Served) -> None:
    """Forget an upload; cases that were made of it stay."""
    with service.rows.change() as rows:
        gone = rows.execute("delete from upload where id = ?", (identity,)).rowcount
    if not gone:
        raise Refused(404, f"there is no upload {identity}")
    service.queue.sweep()


@router.post("/cases", status_code=201)
async def make_case(source: AnySource, service: Served) -> StoredCase:
    """Make a case of a template or of uploads, and check it; 422 lists everything that is wrong."""
    given = {}
    for identity in source.uploads():
        row = service.rows.one("select name from upload where id = ?", identity)
        if row is None:
            raise Refused(404, f"there is no upload {identity}")
        given[identity] = row["name"]
    files = names_of_files(given)
    lent = {place: identity for identity, place in files.items()}
    if isinstance(source, FromFile):
        lent["out/case.nc"] = source.file
    ending, answer = await service.made(source.words(files), ["summary"], lent)
    made_of = next(iter(files.values()), getattr(source, "template", "case"))
    summary = service.document(ending, "summary.json") | {"check": answer}
    row = {
        "id": secrets.token_hex(8),
        "name": plain_file_name(source.name or made_of.rpartition(".")[0] or made_of),
        "file": ending.files["case.nc"][0],
        "source": source.model_dump_json(exclude_defaults=True),
        "summary": json.dumps(summary),
        "added": time.time(),
    }
    with service.rows.change() as rows:
        rows.execute("insert into stored_case values (?, ?, ?, ?, ?, ?)", tuple(row.values()))
    return _told(row)


@router.get("/cases")
async def list_cases(service: Served) -> list[StoredCase]:
    """Cases, the latest first."""
    return [_told(x) for x in service.rows.all("select * from stored_case order by added desc")]


@router.get("/cases/{identity}")
async def one_case(identity: str, service: Served) -> StoredCase:
    """A case, and what it is about."""
    return _told(service.case_row(identity))


@router.get("/cases/{identity}/file", response_class=FileResponse)
async def case_file(identity: str, service: Served) -> FileResponse:
    """The NetCDF file of a case."""
    row = service.case_row(identity)
    name = plain_file_name(row["name"], ".nc")
    return FileResponse(service.store.path(row["file"]), media_type=NETCDF, filename=name)


@router.post("/cases/{identity}/check")
async def check_case(identity: str, check: Check, service: Served) -> dict[str, Any]:
    """Check a case with changes; 422 lists everything that is wrong."""
    row = service.case_row(identity)
    name = plain_file_name(row["name"], ".nc")
    changes = [f"--set={change}" for change in check.set]
    words = ["check", "--json", *changes, "--", name]
    _, answer = await service.made(words, [], {name: row["file"]})
    return answer


@router.delete("/cases/{identity}", status_code=204)
async def delete_case(identity: str, service: Served) -> None:
    """Forget a case; 409 while a job reads it."""
    service.case_row(identity)
    used = service.rows.one(
        "select 1 from job join job_case on job.id = job_case.job"
        " where stored_case = ? and state in ('queued', 'running')",
        identity,
    )
    if used:
        raise Refused(409, "a job that has not ended reads it; cancel that first")
    with service.rows.change() as rows:
        rows.execute("delete from stored_case where id = ?", (identity,))
    service.queue.sweep()


def _told(row: dict[str, Any]) -> StoredCase:
    told = {name: json.loads(row[name]) for name in ("source", "summary")}
    return StoredCase(id=row["id"], name=row["name"], added=row["added"], **told)
