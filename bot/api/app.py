"""Mounts all rooms of the API on the web application."""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Handler

from bot.api.errors import problems
from bot.api.followers import Live
from bot.api.openapi import document
from bot.api.rate_limit import Buckets
from bot.api.routes import artifacts as files
from bot.api.routes import control, hooks, metrics, schedules, sessions
from bot.api.routes import event_stream as stream
from bot.api.routes import events as wakes
from bot.api.routes import personas as directory
from bot.api.routes import session_log as record
from bot.api.routes.personas import VERSION
from bot.api.routing import Deps, Operation
from bot.compose import Core

ROOMS = (sessions, record, stream, files, control, schedules, wakes, hooks, directory, metrics)
OPERATIONS: tuple[Operation, ...] = tuple(o for room in ROOMS for o in room.routes.operations)


def mount(app: web.Application, core: Core) -> None:
    """Raises InvalidInput where there is nothing to sign resume tokens with."""
    deps = Deps(
        core=core,
        keys=core.api_keys(),
        tokens=core.resume_tokens(),
        live=Live(core.changes()),
        buckets=Buckets(*core.settings.rate),
    )
    app.middlewares.append(problems(core.mask))
    for operation in OPERATIONS:
        app.router.add_route(operation.method, operation.resource, _bound(operation, deps))
    described = document(OPERATIONS, VERSION)

    async def openapi(_: web.Request) -> web.Response:
        return web.json_response(described)

    app.router.add_route("GET", "/v1/openapi.json", openapi)
    app.on_shutdown.append(deps.live.close)


def _bound(operation: Operation, deps: Deps) -> Handler:
    async def serve(request: web.Request) -> web.StreamResponse:
        return await operation.serve(deps, request)

    return serve
