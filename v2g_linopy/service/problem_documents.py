"""What is wrong with a request, as a document of RFC 9457 (`application/problem+json`)."""

import json
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

MEDIA_TYPE = "application/problem+json"


def write_log(**said: Any) -> None:
    """Write a line of JSON to stderr."""
    line = json.dumps({"at": round(time.time(), 3), **said}, ensure_ascii=True)
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


class ListedProblem(BaseModel):
    """One thing that is wrong, in the words of the user's file."""

    where: str = Field(description="Place in the file or in the request.")
    rule: str = Field(description="Which rule it breaks.")
    detail: str = Field(description="What is wrong, and what mends it.")


class ProblemDocument(BaseModel):
    """What is wrong with a request or a job (RFC 9457)."""

    type: str = Field(default="about:blank", description="What kind of problem it is.")
    title: str = Field(description="The same sentence for each problem of a kind.")
    status: int = Field(description="Status of HTTP.")
    detail: str = Field(default="", description="What happened here.")
    problems: list[ListedProblem] = Field(
        default=[], description="Everything that is wrong, at once."
    )


class Refused(HTTPException):
    """A request that is not done, and why.

    Parameters
    ----------
    status : int
        Status of HTTP.
    detail : str
        What is wrong, and what mends it.
    problems : sequence of mapping
        All that is wrong with the input: `where`, `rule` and `detail` of each.
    headers : mapping
        Headers of the answer.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        problems: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ):
        super().__init__(status, detail, dict(headers or {}))
        self.problems = list(problems)


def problem_document(
    status: int, detail: str, problems: Sequence[Mapping[str, str]] = ()
) -> dict[str, Any]:
    """The document of a problem.

    >>> problem_document(404, "there is no job x")["title"]
    'Not Found'
    """
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "problems": [dict(problem) for problem in problems],
    }


def as_response(
    status: int,
    detail: str,
    problems: Sequence[Mapping[str, str]] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """The answer that carries a problem."""
    document = problem_document(status, detail, problems)
    return JSONResponse(document, status, dict(headers or {}), media_type=MEDIA_TYPE)


def answer_with_documents(app: FastAPI) -> None:
    """Let every error of an application be answered with such a document."""

    @app.exception_handler(HTTPException)
    async def of_http(request: Request, error: HTTPException) -> JSONResponse:
        problems = getattr(error, "problems", ())
        return as_response(error.status_code, str(error.detail), problems, error.headers)

    @app.exception_handler(RequestValidationError)
    async def of_fields(request: Request, error: RequestValidationError) -> JSONResponse:
        problems = [
            {
                "where": ".".join(str(x) for x in found["loc"] if x != "body") or "body",
                "rule": str(found["type"]),
                "detail": str(found["msg"]),
            }
            for found in error.errors()
        ]
        return as_response(422, f"{len(problems)} problems in the request", problems)

    @app.exception_handler(Exception)
    async def of_this_program(request: Request, error: Exception) -> JSONResponse:
        where = [line.strip() for line in traceback.format_tb(error.__traceback__)]
        write_log(
            event="fault", error=type(error).__name__, where=where
        )  # its words may name people
        return as_response(500, "a fault of this program, not of your input; its log says more")


def problems_of(answer: bytes) -> tuple[str, list[dict[str, str]]]:
    """Message and problems in the document that a command has printed; empty where it has none."""
    try:
        document = json.loads(answer)
    except ValueError:
        return "", []
    if not isinstance(document, dict):
        return "", []
    return str(document.get("message", "")), list(document.get("problems", []))
