"""The HTTP side: health, and whatever is mounted beside it."""

from __future__ import annotations

import errno
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from bot.api.app import mount
from bot.compose import Core
from bot.settings import Settings
from storage.errors import StorageError
from storage.health import check_writes
from supervisor.core.errors import InvalidInput

BODY_BYTES = 64 * 1024 * 1024
# Beyond this aiohttp answers 400 in plain text itself, before any handler; the API refuses less with a problem.
LINE_BYTES = 64 * 1024


def application(parts: Core) -> web.Application:
    """`/healthz` (the process lives), `/readyz` (it can work: the store answers), and the HTTP API.

    Raises InvalidInput where FLAGMAN_SECRET_KEY is needed and missing.
    """
    app = web.Application(client_max_size=BODY_BYTES)

    async def healthz(_: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def readyz(_: web.Request) -> web.Response:
        try:
            await parts.log.count("running")
            await check_writes(parts.redis)
        except StorageError as error:
            problem = {"type": "about:blank", "title": "Not ready", "status": 503, "detail": str(error)}
            return web.json_response(problem, status=503, content_type="application/problem+json")
        return web.json_response({"status": "ready"})

    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    mount(app, parts)
    return app


@asynccontextmanager
async def listen(app: web.Application, settings: Settings) -> AsyncIterator[None]:
    """Serve on FLAGMAN_HOST and PORT. Raises InvalidInput when the port is taken."""
    # A signature is about the bytes that came, so bodies are decompressed by those who read them.
    runner = web.AppRunner(
        app, access_log=None, shutdown_timeout=5, max_line_size=LINE_BYTES, auto_decompress=False
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
