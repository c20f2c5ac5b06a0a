"""`serve`: the service and its page."""

import os
from pathlib import Path
from typing import Annotated

import typer

from ..case.version import lacking
from ..errors import V2GError
from .options import command
from .terminal import Terminal

TOKEN = "V2G_TOKEN"
"""The variable of the environment that holds the token."""
NEEDS = ("fastapi", "uvicorn", "prometheus_client")
Host = Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Where it listens.")]
Port = Annotated[
    int, typer.Option("--port", min=0, max=65535, help="Its port; 0 takes a free one.")
]
Data = Annotated[
    Path, typer.Option("--data", metavar="DIR", help="Folder of cases, jobs and results.")
]
Jobs = Annotated[int, typer.Option("--jobs", "-j", min=1, help="Jobs that run at once.")]
Memory = Annotated[
    int, typer.Option("--memory", min=0, metavar="MB", help="Most memory of a job; 0: no limit.")
]
Longest = Annotated[
    float, typer.Option("--time-limit", min=1.0, metavar="SECONDS", help="Longest job.")
]
Largest = Annotated[int, typer.Option("--upload", min=1, metavar="MB", help="Largest upload.")]
Waiting = Annotated[int, typer.Option("--waiting", min=1, help="Most jobs that wait.")]
Rate = Annotated[
    int, typer.Option("--rate", min=0, help="Most requests of a client in a minute; 0: no limit.")
]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        metavar="FILE",
        help=f"File with the token that clients show.  [default: ${TOKEN}, if it is set]",
    ),
]


class CannotServe(V2GError):  # noqa: N818  it says what is wrong
    """The service cannot be started."""

    exit_code = 2


def add(app: typer.Typer) -> None:
    """Add the command to the app."""
    command(
        app,
        "serve",
        "v2g serve",
        "v2g serve --port 9000 --data plans --jobs 2",
        "v2g serve --host 0.0.0.0 --token-file token",
    )(serve)


def serve(
    terminal: Terminal,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    data: Data = Path("v2g-data"),
    jobs: Jobs = 1,
    memory: Memory = 8000,
    time_limit: Longest = 3600.0,
    upload: Largest = 200,
    waiting: Waiting = 100,
    rate: Rate = 0,
    token_file: TokenFile = None,
) -> None:
    """Serve cases, jobs and results over HTTP, and a page for them, until Ctrl-C.

    Another host than this machine needs a token."""
    if missing := lacking("service", *NEEDS):
        raise CannotServe(f"the service needs {missing}")
    from ..service.server import run_server
    from ..service.settings import Settings, is_loopback

    token = token_of(token_file)
    if token is None and not is_loopback(host):
        raise CannotServe(
            f"--host {host} can be reached from other machines: set {TOKEN}, or give --token-file"
        )
    settings = Settings(
        data=data,
        host=host,
        port=port,
        token=token,
        jobs=jobs,
        memory_mb=memory,
        time_limit=time_limit,
        upload_mb=upload,
        waiting=waiting,
        rate=rate,
    )
    if code := run_server(settings):
        raise typer.Exit(code)


def token_of(file: Path | None) -> str | None:
    """The token of a file, or of the environment."""
    try:
        found = os.environ.get(TOKEN, "") if file is None else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CannotServe(f"{file}: cannot be read as a token: {error}") from None
    token = found.strip()
    if file is not None and not token:
        raise CannotServe(f"{file}: holds no token")
    if token and (len(token) < 16 or not token.isascii() or not token.isprintable()):
        raise CannotServe("a token needs 16 letters of ASCII at least")
    return token or None
