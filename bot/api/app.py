"""Mounts all routes of the API on the web application."""

from __future__ import annotations

import asyncio
from functools import cache

from aiohttp import web
from aiohttp.typedefs import Handler

from bot.api.connect_pages import ConnectPages
from bot.api.errors import problems
from bot.api.mcp import McpAddress
from bot.api.openapi import document
from bot.api.rate_limit import Buckets
from bot.api.routes import (
    artifacts,
    audit,
    connections,
    control,
    delegations,
    event_stream,
    events,
    grants,
    hooks,
    metrics,
    notifications,
    personas,
    schedules,
    secrets,
    session_log,
    sessions,
    settings,
    store,
)
from bot.api.routes.personas import VERSION
from bot.api.routing import Deps, Operation
from bot.compose import Core
from supervisor.core.messages import Json

ROUTERS = (
    sessions,
    session_log,
    event_stream,
    artifacts,
    control,
    schedules,
    settings,
    delegations,
    notifications,
    connections,
    audit,
    events,
    grants,
    hooks,
    personas,
    metrics,
    secrets,
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
    app.router.add_route("GET", "/v1/openapi.json", _openapi)
    McpAddress(deps).mount(app)
    ConnectPages(core, services).mount(app)
    app.on_shutdown.append(services.followers.close)


@cache
def _described() -> Json:
    """The OpenAPI document, which takes a good part of a second to make and is the same for all applications."""
    return document(OPERATIONS, VERSION)


async def _openapi(_: web.Request) -> web.Response:
    return web.json_response(await asyncio.to_thread(_described))


def _bound(operation: Operation, deps: Deps) -> Handler:
    async def serve(request: web.Request) -> web.StreamResponse:
        return await operation.serve(deps, request)

    return serve
