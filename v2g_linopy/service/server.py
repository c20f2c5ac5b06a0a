"""The process of the server."""

import gc
import os
import secrets
import socket
import sys
from contextlib import suppress
from types import FrameType

import uvicorn

from .database import DataInUse
from .problem_documents import write_log
from .running_service import RunningService
from .settings import Settings
from .web_app import application

LAST_ANSWERS = 3
"""Seconds that open connections have when the server ends."""


class ServiceServer(uvicorn.Server):
    """A server that tells the streams of its jobs when it ends."""

    service: RunningService

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Let streams end, so that connections can be closed."""
        self.service.queue.ending = True
        super().handle_exit(sig, frame)


def run_server(settings: Settings) -> int:
    """Serve until a signal ends it.

    Parameters
    ----------
    settings : Settings
        Where, for whom, and how much.

    Returns
    -------
    int
        0; 8 where the folder or the port is taken.
    """
    try:
        app = application(settings)
        place = listening(settings.host, settings.port)
    except (DataInUse, OSError) as error:
        sys.stderr.write(f"v2g: {error}\n")
        return 8
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=LAST_ANSWERS,
        limit_concurrency=500,
        h11_max_incomplete_event_size=32_000,
        http="h11",
        loop="asyncio",
    )
    server = ServiceServer(config)
    server.service = app.state.service
    host, port = place.getsockname()[:2]
    write_log(event="listening", host=host, port=port, process=os.getpid())
    shown = f"[{host}]" if ":" in host else host
    sys.stderr.write(f"v2g: open http://{shown}:{port}/ (Ctrl-C ends it)\n")
    gc.freeze()
    with suppress(KeyboardInterrupt):  # the signal again, when all is done: it ended as it should
        server.run(sockets=[place])
    return 0


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens, on a port that is taken as soon as it is named."""
    kind, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    place = socket.socket(kind, socket.SOCK_STREAM)
    place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        place.bind(address)
        place.listen(128)
    except OSError as error:
        place.close()
        raise OSError(f"cannot listen on {host}:{port}: {error.strerror}") from error
    return place


def new_token() -> str:
    """A token that nobody guesses."""
    return secrets.token_urlsafe(24)
