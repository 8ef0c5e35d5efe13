"""The address `/mcp`: Flagman's tools for other agents by streamable HTTP, with an API key."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from aiohttp import web

from bot.api import asgi
from bot.api.auth import authenticate
from bot.api.errors import ApiError
from bot.api.rate_limit import BODY_BYTES, decompress, read_body
from bot.api.routing import ONLY_ITS_OWN, Deps, masked_view
from bot.mcp.tools import Caller, OwnCall, Report, call_tool
from bot.sdk.in_process_backend import InProcessBackend
from storage.connection import end
from supervisor.api_keys import ApiKey
from supervisor.core.errors import MissingScope, SessionNotFound
from supervisor.core.messages import Json
from supervisor.core.rights import check_active

if TYPE_CHECKING:
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

PATH = "/mcp"
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


class McpAddress:
    """Serves `/mcp`. Nothing is kept between two requests, so that any process answers any of them.

    The library is imported at the first request: it takes a second.
    """

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._starting = asyncio.Lock()
        self._manager: StreamableHTTPSessionManager | None = None
        self._task: asyncio.Task[None] | None = None

    def mount(self, app: web.Application) -> None:
        # Nothing is sent without a question, so there is no stream to open by GET, and no session to DELETE.
        app.router.add_post(PATH, self.serve)
        app.on_cleanup.append(self._close)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer a request of the protocol. Raises ApiError: 401, 403, 408, 413, 429; KeyRefused; NotAllowed."""
        _check_origin(request)
        key = await authenticate(request, self._deps.keys, self._deps.buckets)
        if key.owner:
            check_active(await self._deps.core.directory.identify(key.actor))
        body = decompress(request, await read_body(request, BODY_BYTES), BODY_BYTES)
        manager = await self._started()
        return await asgi.answer(manager.handle_request, request, body, {"key": key})

    async def _started(self) -> StreamableHTTPSessionManager:
        async with self._starting:
            if self._manager is None:
                await asyncio.to_thread(import_module, "bot.mcp.server")
                from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

                from bot.mcp.server import make_server

                server = make_server(self._caller, call=self._call, mask=self._deps.core.mask)
                manager = StreamableHTTPSessionManager(
                    server, stateless=True, max_request_body_size=BODY_BYTES
                )
                begun = asyncio.Event()
                self._task = asyncio.create_task(_run(manager, begun))
                await begun.wait()
                self._manager = manager
            return self._manager

    async def _close(self, _: web.Application) -> None:
        if self._task:
            await end([self._task])

    def _caller(self, context: Any) -> Caller:
        key: ApiKey = context.request.state.key
        backend = InProcessBackend(self._deps.services, key.actor, may_decide=key.may("approve"))
        return Caller(backend, key, key.actor.ids)

    async def _call(
        self, caller: Caller, name: str, arguments: Mapping[str, Any] | None, report: Report
    ) -> Json:
        """Carry out a call, with secrets masked and refusals recorded as those of the API are."""
        try:
            found = await call_tool(caller, name, arguments, report)
        except (MissingScope, OwnCall) as refused:
            session_id, call_id = (str((arguments or {}).get(one) or "") for one in ("session_id", "call_id"))
            refusals = self._deps.core.supervisor.refusals
            await refusals.note_apart(
                caller.key.actor, f"use the tool {name[:80]}", str(refused), session_id[:80], call_id[:80]
            )
            raise
        except SessionNotFound as error:
            if not caller.key.may("read_all"):
                error.args = (f"{error} {ONLY_ITS_OWN}",)
            raise
        masked: Json = masked_view(found, self._deps.core.mask)
        return masked


async def _run(manager: StreamableHTTPSessionManager, begun: asyncio.Event) -> None:
    """Keep the task group of the library open: it has to be opened and closed by one task."""
    async with manager.run():
        begun.set()
        await asyncio.Event().wait()


def _check_origin(request: web.Request) -> None:
    """Raises ApiError (403) for a page of another machine, also where its name was made to lead here."""
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).hostname not in _LOCAL:
        raise ApiError(403, "origin_refused", "This address is not for pages of other hosts.")
