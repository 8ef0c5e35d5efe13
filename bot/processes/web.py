"""The web application with health checks and the HTTP API, and its server."""

from __future__ import annotations

import errno
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from bot.api.app import mount
from bot.compose import Core
from bot.settings import Settings
from storage.errors import StorageError
from storage.health import check_writes
from supervisor.core.errors import InvalidInput, Unavailable

BODY_BYTES = 64 * 1024 * 1024
# For longer lines aiohttp itself answers 400 in plain text; the API has a lower limit and answers with a problem.
LINE_BYTES = 64 * 1024
# A connection without a whole request is closed after so long: longer than what proxies keep connections for (60 s).
IDLE_SECONDS = 75.0
# How long the rest of a body is awaited that a handler did not read.
LINGER_SECONDS = 5.0


def application(parts: Core, ready: Callable[[], bool] = lambda: True) -> web.Application:
    """The application with `/healthz` (the process runs), `/readyz` (the store takes writes) and the HTTP API.

    `ready` returns whether the process has all it needs. Raises InvalidInput where FLAGMAN_SECRET_KEY is needed and
    missing.
    """
    app = web.Application(client_max_size=BODY_BYTES)

    async def healthz(_: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def readyz(_: web.Request) -> web.Response:
        try:
            await parts.log.count("running")
            await check_writes(parts.redis)
            if not ready():
                raise Unavailable("Flagman is starting.")
        except (StorageError, Unavailable) as error:
            problem = {"type": "about:blank", "title": "Not ready", "status": 503, "detail": str(error)}
            return web.json_response(problem, status=503, content_type="application/problem+json")
        return web.json_response({"status": "ready"})

    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    mount(app, parts)
    return app


@asynccontextmanager
async def listen(app: web.Application, settings: Settings) -> AsyncIterator[None]:
    """Serve on FLAGMAN_HOST and PORT. Raises InvalidInput where the port is taken or the host is not usable."""
    # Signatures are made over the bytes as sent, so handlers decompress bodies themselves.
    runner = web.AppRunner(
        app,
        access_log=None,
        shutdown_timeout=5,
        max_line_size=LINE_BYTES,
        auto_decompress=False,
        keepalive_timeout=IDLE_SECONDS,
        lingering_time=LINGER_SECONDS,
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, settings.host, settings.port).start()
    except OSError as error:
        await runner.cleanup()
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            raise InvalidInput(
                f"PORT: {settings.port} is taken or not allowed; set PORT to a free one."
            ) from error
        raise InvalidInput(
            f"FLAGMAN_HOST: {settings.host} cannot be listened on ({error.strerror})."
        ) from error
    try:
        yield
    finally:
        await runner.cleanup()
