"""The application of a server: its routes under `/v1`, its health, and the page."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.staticfiles import StaticFiles
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from ..case.version import package_version
from . import case_routes, choice_routes, job_routes
from .problem_documents import (
    MEDIA_TYPE,
    ProblemDocument,
    Refused,
    answer_with_documents,
    write_log,
)
from .request_gate import RequestGate
from .running_service import RunningService, Served
from .settings import Settings

PAGE = Path(__file__).with_name("page")
STATUS_WORDS = {
    401: "no token, or a wrong one",
    404: "there is none",
    409: "it cannot be done in this state",
    413: "too large",
    422: "everything that is wrong with the request",
    429: "too many",
}
router = APIRouter(include_in_schema=False)


def application(settings: Settings) -> FastAPI:
    """Return the application of a server.

    Parameters
    ----------
    settings : Settings
        As the server was started.

    Raises
    ------
    DataInUse
        Another server works with the folder.
    """
    service, registry = RunningService(settings), CollectorRegistry()
    answers: dict[int | str, dict[str, Any]] = {
        status: {"model": ProblemDocument, "content": {MEDIA_TYPE: {}}, "description": words}
        for status, words in STATUS_WORDS.items()
    }
    app = FastAPI(
        title="v2g-linopy",
        version=package_version(),
        summary="Best plans for EV fleets: cases in, audited results out.",
        lifespan=_lifetime,
        openapi_url="/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        responses=answers,
    )
    app.state.service, app.state.registry = service, registry
    app.state.jobs = Gauge("v2g_jobs", "Jobs by state.", ("state",), registry=registry)
    answer_with_documents(app)
    for routes in (router, choice_routes.router, case_routes.router, job_routes.router):
        app.include_router(routes)
    app.mount("/", StaticFiles(directory=PAGE, html=True), name="page")
    app.add_middleware(RequestGate, settings=settings, registry=registry)
    return app


@asynccontextmanager
async def _lifetime(app: FastAPI) -> AsyncIterator[None]:
    service: RunningService = app.state.service
    service.start()
    write_log(event="ready", version=package_version())
    yield
    await service.stop()
    write_log(event="stopped")


@router.get("/livez")
async def livez() -> dict[str, str]:
    """Whether the process answers."""
    return {"status": "ok"}


@router.get("/readyz")
async def readyz(service: Served) -> dict[str, str]:
    """Whether jobs are taken."""
    if not service.is_ready or service.queue.ending:
        raise Refused(503, "not ready")
    service.rows.one("select 1")
    return {"status": "ok"}


@router.get("/metrics")
async def metrics(request: Request, service: Served) -> Response:
    """Counts of requests and jobs, as Prometheus reads them."""
    for state, count in service.rows.job_counts().items():
        request.app.state.jobs.labels(state).set(count)
    return Response(generate_latest(request.app.state.registry), media_type=CONTENT_TYPE_LATEST)
