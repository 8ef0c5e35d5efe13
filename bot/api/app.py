"""Mounts all routes of the API on the web application."""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Handler

from bot.api.errors import problems
from bot.api.openapi import document
from bot.api.rate_limit import Buckets
from bot.api.routes import (
    artifacts,
    control,
    event_stream,
    events,
    hooks,
    metrics,
    personas,
    schedules,
    session_log,
    sessions,
    store,
)
from bot.api.routes.personas import VERSION
from bot.api.routing import Deps, Operation
from bot.compose import Core

ROUTERS = (
    sessions,
    session_log,
    event_stream,
    artifacts,
    control,
    schedules,
    events,
    hooks,
    personas,
    metrics,
    store,
)
OPERATIONS: tuple[Operation, ...] = tuple(o for router in ROUTERS for o in router.routes.operations)


def mount(app: web.Application, core: Core) -> None:
    """Add all routes to `app`. Raises InvalidInput where there is no key to sign resume tokens with."""
    services = core.services()
    deps = Deps(
        core=core,
        keys=core.api_keys(),
        services=services,
        buckets=Buckets(*core.settings.rate),
    )
    app.middlewares.append(problems(core.mask))
    for operation in OPERATIONS:
        app.router.add_route(operation.method, operation.resource, _bound(operation, deps))
    described = document(OPERATIONS, VERSION)

    async def openapi(_: web.Request) -> web.Response:
        return web.json_response(described)

    app.router.add_route("GET", "/v1/openapi.json", openapi)
    app.on_shutdown.append(services.followers.close)


def _bound(operation: Operation, deps: Deps) -> Handler:
    async def serve(request: web.Request) -> web.StreamResponse:
        return await operation.serve(deps, request)

    return serve
