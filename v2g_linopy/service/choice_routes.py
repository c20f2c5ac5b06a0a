"""Routes of the server itself, of templates, and of configurations that users save."""

import json
import time
from typing import Annotated, Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import Field

from ..case.version import package_version
from .job_kinds import Strict
from .problem_documents import Refused
from .running_service import RunningService, Served

router = APIRouter(prefix="/v1")
Name = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f/\\]+$")]


class Configuration(Strict):
    """Choices of a user under a name: which template, which numbers, which options."""

    name: Name
    document: dict[str, Any]


@router.get("", tags=["server"])
async def about(service: Served) -> dict[str, Any]:
    """What this server is, and its limits."""
    limits = service.settings
    return {
        "name": "v2g-linopy",
        "version": package_version(),
        "jobs": limits.jobs,
        "upload_bytes": limits.upload_bytes,
        "time_limit": limits.time_limit,
        "token": limits.token is not None,
    }


@router.get("/templates", tags=["choices"])
async def list_templates(service: Served) -> JSONResponse:
    """Templates of cases, with the parameters of each."""
    return JSONResponse(await service.templates())


@router.get("/configurations", tags=["choices"])
async def list_configurations(service: Served) -> list[dict[str, Any]]:
    """Saved configurations, the latest first."""
    return service.rows.all("select name, changed from configuration order by changed desc")


@router.post("/configurations", status_code=201, tags=["choices"])
async def save_configuration(configuration: Configuration, service: Served) -> Configuration:
    """Save a configuration under a new name; 409 where there is one."""
    if service.rows.one("select 1 from configuration where name = ?", configuration.name):
        raise Refused(409, f"there is a configuration {configuration.name!r} already")
    _keep(service, configuration)
    return configuration


@router.put("/configurations/{name}", tags=["choices"])
async def replace_configuration(
    name: Name, document: dict[str, Any], service: Served
) -> Configuration:
    """Save a configuration, in the place of one of that name."""
    configuration = Configuration(name=name, document=document)
    _keep(service, configuration)
    return configuration


@router.get("/configurations/{name}", tags=["choices"])
async def load_configuration(name: str, service: Served) -> Configuration:
    """A saved configuration."""
    row = service.rows.one("select * from configuration where name = ?", name)
    if row is None:
        raise Refused(404, f"there is no configuration {name!r}")
    return Configuration(name=row["name"], document=json.loads(row["document"]))


@router.delete("/configurations/{name}", status_code=204, tags=["choices"])
async def delete_configuration(name: str, service: Served) -> None:
    """Forget a configuration."""
    with service.rows.change() as rows:
        gone = rows.execute("delete from configuration where name = ?", (name,)).rowcount
    if not gone:
        raise Refused(404, f"there is no configuration {name!r}")


def _keep(service: RunningService, configuration: Configuration) -> None:
    with service.rows.change() as rows:
        rows.execute(
            "insert or replace into configuration values (?, ?, ?)",
            (configuration.name, json.dumps(configuration.document), time.time()),
        )
