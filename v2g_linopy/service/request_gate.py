"""What every request passes first: who asks, how much and how often; and what every answer carries.

It also writes the log: one line of JSON for a request, with its route and not with its path, so
that no name, no token and no address is kept."""

import asyncio
import hmac
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .problem_documents import Refused, as_response, write_log
from .settings import MEGABYTE, Settings, is_loopback

OPEN = ("/livez", "/readyz")
"""Routes that are answered without a token; the files of the page are as well."""
MOST_CLIENTS = 10_000
TOO_LARGE = 413
PATIENCE = 2.0
"""Seconds in which the rest of a body that is too large is read."""
_MINUTE = 60.0
_SAFE = ("GET", "HEAD", "OPTIONS")
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; font-src 'self'; manifest-src 'self'; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'"
)
"""Nothing but the files of the page, and nothing inline."""
REPORT_POLICY = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"
)
"""A report is one file with its own styles; no script runs in it."""
HEADERS = {
    "content-security-policy": PAGE_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


class RequestGate:
    """The way to the routes, and back.

    Parameters
    ----------
    app : ASGI application
        The routes.
    settings : Settings
        Token and limits.
    registry : CollectorRegistry
        Takes the counts of requests.
    """

    def __init__(self, app: ASGIApp, settings: Settings, registry: CollectorRegistry):
        self._app, self._settings = app, settings
        self._seen: dict[str, deque[float]] = {}
        labels = ("method", "route", "status")
        self._count = Counter("v2g_requests", "Requests.", labels, registry=registry)
        self._seconds = Histogram("v2g_request_seconds", "Time to answer.", registry=registry)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it here."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status = time.perf_counter(), 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            self._refuse(scope)
        except Refused as error:
            if error.status_code == TOO_LARGE:
                await drain(receive, self._most(scope))
            answer = as_response(error.status_code, error.detail, headers=error.headers)
            await answer(scope, receive, sending)
        else:
            await self._app(scope, self._counted(scope, receive), sending)
        finally:
            self._record(scope, status, time.perf_counter() - start)

    def _refuse(self, scope: Scope) -> None:
        """Raise where a request may not come in."""
        headers = Headers(scope=scope)
        self._refuse_too_many(scope)
        self._refuse_other_sites(scope, headers)
        path = scope["path"]
        if path.startswith("/v1") or path == "/metrics":
            self._refuse_strangers(headers)
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self._most(scope):
            raise self._too_large(scope)

    def _refuse_too_many(self, scope: Scope) -> None:
        if not self._settings.rate:
            return
        client, now = (scope.get("client") or ("",))[0], time.monotonic()
        if len(self._seen) > MOST_CLIENTS:
            self._seen.clear()
        seen = self._seen.setdefault(client, deque())
        while seen and seen[0] < now - _MINUTE:
            seen.popleft()
        if len(seen) >= self._settings.rate:
            wait = str(max(1, round(seen[0] + _MINUTE - now)))
            detail = f"more than {self._settings.rate} requests in a minute; wait {wait} s"
            raise Refused(429, detail, headers={"retry-after": wait})
        seen.append(now)

    def _refuse_other_sites(self, scope: Scope, headers: Headers) -> None:
        """Without a token the browser is the key: no page of another site may turn it."""
        host = headers.get("host", "")
        if self._settings.token is None and not is_loopback(_name_of(host)):
            raise Refused(403, "without a token this server answers to localhost alone")
        origin = headers.get("origin")
        if origin and scope["method"] not in _SAFE and origin.partition("://")[2] != host:
            raise Refused(403, f"a page of {origin} may not change anything here")

    def _refuse_strangers(self, headers: Headers) -> None:
        if self._settings.token is None:
            return
        kind, _, given = headers.get("authorization", "").partition(" ")
        known = hmac.compare_digest(given.strip().encode(), self._settings.token.encode())
        if kind.lower() != "bearer" or not known:
            detail = "give the token of this server: Authorization: Bearer TOKEN"
            raise Refused(401, detail, headers={"www-authenticate": "Bearer"})

    def _most(self, scope: Scope) -> int:
        """The largest body that a route takes."""
        return self._settings.upload_bytes if scope["path"] == "/v1/uploads" else MEGABYTE

    def _too_large(self, scope: Scope) -> Refused:
        most = self._most(scope) / MEGABYTE
        return Refused(TOO_LARGE, f"more than {most:g} MB", headers={"connection": "close"})

    def _counted(self, scope: Scope, receive: Receive) -> Callable[[], Any]:
        """What is received, until it is more than a route takes: a length need not be told."""
        left = self._most(scope)

        async def receiving() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                await drain(receive, self._most(scope))
                raise self._too_large(scope)
            return message

        return receiving

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "none")
        self._count.labels(scope["method"], route, str(status)).inc()
        self._seconds.observe(seconds)
        milliseconds = round(1000 * seconds, 1)
        write_log(
            event="request", method=scope["method"], route=route, status=status, ms=milliseconds
        )


async def drain(receive: Receive, most: int) -> None:
    """Read on for a moment: many clients send all of a body before they look at an answer."""
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            while most > 0:
                message = await receive()
                most -= len(message.get("body", b""))
                if not message.get("more_body", False):
                    return


def _name_of(host: str) -> str:
    """The name in a header `Host`, without its port."""
    if host.startswith("["):
        return host.partition("]")[0][1:]
    return host.partition(":")[0]
