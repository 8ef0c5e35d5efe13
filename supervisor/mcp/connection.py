"""The connection to one MCP server: one task opens it, serves the requests and closes it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import anyio

from supervisor.core.errors import ToolError
from supervisor.core.messages import Json, ToolDefinition
from supervisor.mcp.bearer import Bearer
from supervisor.mcp.config import Server
from supervisor.mcp.definitions import definitions_of
from supervisor.mcp.elicitation import People, ask_people
from supervisor.mcp.errors import ConnectionLost, ServerAway
from supervisor.mcp.exchange import ENDED, SessionForgotten, call_tool, error_of, first_of, words_of
from supervisor.mcp.hints import loading
from supervisor.mcp.http import MOST_BYTES, http_client
from supervisor.mcp.stdio import Launcher, Running, running
from supervisor.tools.contract import ToolContext

if TYPE_CHECKING:
    from mcp import Client
    from mcp_types import CallToolResult

# Seconds for a connection, in which a server may leave one question unanswered for ten, for a list of the tools, and
# for the end of a connection.
CONNECT_SECONDS = 30.0
LIST_SECONDS = 10.0
CLOSE_SECONDS = 5.0
# The most pages of a list.
MOST_PAGES = 100
# Seconds for which a list is taken to be right, where the server does not tell of changes before.
FRESH_SECONDS = 60.0
# Seconds after which a connection that nobody uses is closed; paused sessions need none.
IDLE_SECONDS = 600.0
# Seconds between two attempts to connect, doubled each time.
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0
KEY = "flagman/idempotencyKey"
_log = logging.getLogger("flagman.mcp")


@dataclass
class _Request:
    """A request to the server, carried out by `run` in a task of the owner; `notes` are sentences for its result.

    `people` are asked for what the server wants to know meanwhile.
    """

    run: Callable[[Client, _Request], Awaitable[Any]]
    done: asyncio.Future[Any]
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    notes: list[str] = field(default_factory=list)
    people: People | None = None


# What ends an owner: at once, or when the requests at work have an answer.
_End = Literal["now", "after"]
_Queue = asyncio.Queue[_Request | _End]


class Connection:
    """A connection, which is opened when it is needed, also again.

    Another task than the one that opened a connection of the library must not close it; so one owns it, and all
    others hand it their requests. One over HTTP can be that of a person, with the tokens of `bearer`.
    """

    def __init__(self, server: Server, launcher: Launcher, bearer: Bearer | None = None) -> None:
        self.server, self._launcher, self._bearer = server, launcher, bearer
        self._owner: asyncio.Task[None] | None = None
        self._queue: _Queue = asyncio.Queue()
        # Former ones, whose last requests are at work.
        self._retired: dict[asyncio.Task[None], _Queue] = {}
        self._opening = asyncio.Lock()
        self._at_work: list[_Request] = []
        # Whether a call was ended here, and not by the server, since the connection was opened.
        self._has_given_up = False
        self._listed: dict[str, ToolDefinition] = {}
        self._listed_at = -FRESH_SECONDS
        self._failures, self._not_before = 0, 0.0
        self._streams: Running | None = None

    @property
    def is_open(self) -> bool:
        return self._is_open or bool(self._retired)

    @property
    def is_busy(self) -> bool:
        """Whether requests are at work."""
        return bool(self._at_work)

    @property
    def is_current(self) -> bool:
        """Whether it is open and its list of tools is as new as can be known."""
        return self._is_open and time.monotonic() - self._listed_at < FRESH_SECONDS

    @property
    def _is_open(self) -> bool:
        return self._owner is not None and not self._owner.done()

    async def tools(self, within: float) -> dict[str, ToolDefinition]:
        """Return the tools of the server by their names there, as they were at most so many seconds ago.

        Raises ServerAway.
        """
        await self._open()
        if time.monotonic() - self._listed_at >= within:
            try:
                async with asyncio.timeout(LIST_SECONDS):
                    listed = await self._ask(self._list)
            except TimeoutError as error:
                if all(request.done.done() for request in self._at_work):
                    # It may as well be at work for others, of whose calls the outcome would be lost.
                    await self.close()
                raise self._away(f"it did not list its tools within {LIST_SECONDS:g} s") from error
            except (ConnectionLost, ToolError) as error:
                raise self._away(str(error)) from error
            self._listed, self._listed_at = listed, time.monotonic()
        return self._listed

    async def call(
        self, definition: ToolDefinition, arguments: Json, ctx: ToolContext
    ) -> tuple[CallToolResult, list[str]]:
        """Call a tool and return its result, with sentences about it.

        Raises ServerAway where it was not sent, ToolError where the server refused it, ConnectionLost where it is not
        known what became of it, and InputNeeded where it is to be continued with the answers of people.
        """
        people = People(self.server, ctx)

        async def run(client: Client, request: _Request) -> Any:
            request.notes, request.people = people.notes, people
            return await call_tool(client, definition.name, arguments, {KEY: ctx.idempotency_key}, people)

        notes = people.notes
        await self._open()
        try:
            async with asyncio.timeout(self.server.timeout) as people.limit:
                return await self._ask(run), notes
        except TimeoutError as error:
            raise ConnectionLost(f"it did not answer within {self.server.timeout:g} s") from error

    async def close(self) -> None:
        """Close the connection and end the server's processes."""
        self._retire("now")
        for owner, queue in list(self._retired.items()):
            queue.put_nowait("now")
            with suppress(Exception):
                await asyncio.shield(owner)

    async def leave(self) -> None:
        """Close the connection once the requests at work have an answer."""
        self._retire("after")
        for owner in list(self._retired):
            with suppress(Exception):
                await asyncio.shield(owner)

    def _retire(self, end: _End) -> None:
        """Let the owner end; what is asked from now on opens a new connection."""
        if self._leave():
            self._queue.put_nowait(end)

    def _leave(self) -> bool:
        """Take nothing more for the present owner, if it is at work. Returns whether it was."""
        owner, self._owner = self._owner, None
        if owner is None or owner.done():
            return False
        self._retired[owner] = self._queue
        owner.add_done_callback(lambda done: self._retired.pop(done, None))
        return True

    def _away(self, reason: str) -> ServerAway:
        return ServerAway(self.server.name, reason)

    @property
    def _ending(self) -> str:
        """Why requests at work have no answer any more."""
        problem = self._streams.problem if self._streams else ""
        return f"{ENDED}: {problem}" if problem else ENDED

    # Requests

    async def _ask(self, run: Callable[[Client, _Request], Awaitable[Any]]) -> Any:
        """Have the owner carry out a request. Raises what it raised, or ConnectionLost."""
        request = _Request(run, asyncio.get_running_loop().create_future())
        self._queue.put_nowait(request)
        try:
            return await request.done
        finally:
            request.scope.cancel()

    async def _serve(self, client: Client, request: _Request, queue: _Queue) -> None:
        self._at_work.append(request)
        try:
            with request.scope:
                result = await request.run(client, request)
                if not request.done.done():
                    request.done.set_result(result)
        except Exception as error:  # noqa: BLE001  it is the answer to the request
            named = error_of(error, self.server.name, self._ending)
            if isinstance(named, SessionForgotten) and queue is self._queue:
                # A new connection begins a new session.
                self._retire("after")
            if not request.done.done():
                request.done.set_exception(named)
        finally:
            self._has_given_up |= bool(request.people) and request.scope.cancel_called
            self._at_work.remove(request)
            if not request.done.done():
                request.done.set_exception(ConnectionLost(self._ending))

    async def _list(self, client: Client, _: _Request) -> dict[str, ToolDefinition]:
        found: list[Any] = []
        cursor: str | None = None
        for _page in range(MOST_PAGES):
            page = await client.list_tools(cursor=cursor, cache_mode="bypass")
            found += page.tools
            if (cursor := page.next_cursor) is None:
                break
        return definitions_of(self.server, found)

    # The owner

    async def _open(self) -> None:
        """Open the connection where it is not; waits between attempts. Raises ServerAway."""
        async with self._opening:
            if self._is_open:
                return
            await asyncio.sleep(max(0.0, self._not_before - time.monotonic()))
            self._queue = asyncio.Queue()
            opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            # Who waits for it may be gone by then.
            opened.add_done_callback(lambda future: future.cancelled() or future.exception())
            self._owner = asyncio.create_task(self._own(opened, self._queue))
            try:
                await asyncio.shield(opened)
            except ServerAway:
                self._failures += 1
                pause = min(FIRST_PAUSE * 2**self._failures, LONGEST_PAUSE)
                self._not_before = time.monotonic() + pause
                raise
            self._failures, self._listed_at, self._has_given_up = 0, -FRESH_SECONDS, False

    async def _own(self, opened: asyncio.Future[None], queue: _Queue) -> None:
        """Hold the connection from its beginning until the queue says that it ends, or the server does."""
        streams: Running | None = None
        try:
            async with self._transport() as (transport, streams), anyio.create_task_group() as group:
                async with self._client(transport) as client:
                    self._streams = streams
                    opened.set_result(None)
                    group.start_soon(self._follow_changes, client)
                    if streams:
                        group.start_soon(self._until_closed, streams, queue)
                    async with anyio.create_task_group() as requests:
                        while not isinstance(request := await self._next(queue), str):
                            requests.start_soon(self._serve, client, request, queue)
                        if request == "now":
                            requests.cancel_scope.cancel()
                        group.start_soon(_cancel_at_end, queue, requests.cancel_scope)
                group.cancel_scope.cancel()
        except Exception as error:  # noqa: BLE001  what ends a connection is told to those who wait for it
            if not opened.done():
                opened.set_exception(self._why(error, streams))
                return
            _log.warning("MCP server %s: the connection ended: %s", self.server.name, words_of(error))
        finally:
            if not opened.done():
                opened.set_exception(self._why(ConnectionLost("it was closed"), streams))
            while not queue.empty():
                left = queue.get_nowait()
                if isinstance(left, _Request) and not left.done.done():
                    left.done.set_exception(self._away("the connection ended"))

    async def _next(self, queue: _Queue) -> _Request | _End:
        """Return what comes next; the end where nothing comes for long, and nothing is at work."""
        while True:
            try:
                async with asyncio.timeout(IDLE_SECONDS):
                    return await queue.get()
            except TimeoutError:
                if not self._at_work and queue.empty():
                    # Closing takes a while, in which what is asked opens a new connection.
                    if queue is self._queue:
                        self._leave()
                    return "now"

    @asynccontextmanager
    async def _transport(self) -> AsyncIterator[tuple[Any, Running | None]]:
        server = await self._launcher.filled(self.server)
        if server.command:
            async with running(server, self._launcher) as streams:
                yield _Opened(streams.read, streams.write), streams
            return
        from mcp.client.streamable_http import streamable_http_client

        seconds = max(server.timeout, server.answer_within, 300.0)
        async with http_client(server, seconds, self._bearer) as client:
            yield (
                streamable_http_client(server.url, http_client=client, max_sse_event_size=MOST_BYTES),
                None,
            )

    @asynccontextmanager
    async def _client(self, transport: Any) -> AsyncIterator[Client]:
        from mcp import Client
        from mcp_types import Implementation

        client = Client(
            transport,
            client_info=Implementation(name="flagman", version="1"),
            message_handler=self._heard,
            elicitation_callback=self._asked,
            cache=None,
        )
        async with asyncio.timeout(CONNECT_SECONDS):
            await client.__aenter__()
        try:
            yield client
        finally:
            # Over HTTP it tells the server, which may not answer.
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await client.__aexit__(None, None, None)

    def _why(self, error: BaseException, streams: Running | None) -> ServerAway:
        """Return in words why the connection could not be opened."""
        first = first_of(error)
        if isinstance(first, ServerAway):
            return first
        said = (streams.problem or streams.last_words) if streams else ""
        reason = f"it did not answer within {CONNECT_SECONDS:g} s" if isinstance(first, TimeoutError) else ""
        reason = reason or ("it ended before it answered" if streams else words_of(first))
        hint = loading(self.server, sandboxed=self._launcher.executor.sandbox is not None)
        return self._away(f"{reason} ({said}){hint}" if said else f"{reason}{hint}")

    async def _until_closed(self, streams: Running, queue: _Queue) -> None:
        await streams.closed.wait()
        if streams.problem:
            _log.warning("MCP server %s: %s", self.server.name, streams.problem)
        queue.put_nowait("now")

    async def _follow_changes(self, client: Client) -> None:
        """On a connection that tells of changes only when asked to, ask."""
        from mcp_types.version import MODERN_PROTOCOL_VERSIONS

        tools = client.server_capabilities.tools
        if client.protocol_version not in MODERN_PROTOCOL_VERSIONS or not (tools and tools.list_changed):
            return
        with suppress(Exception):
            async with client.listen(tools_list_changed=True) as changes:
                async for _ in changes:
                    self._listed_at = -FRESH_SECONDS

    async def _heard(self, message: Any) -> None:
        if getattr(message, "method", "") == "notifications/tools/list_changed":
            self._listed_at = -FRESH_SECONDS

    async def _asked(self, context: Any, params: Any) -> Any:
        asked = [one.people for one in self._at_work if one.people]
        return await ask_people(asked, params, given_up=self._has_given_up)


@dataclass
class _Opened:
    """The streams of a running server as a transport of the library."""

    read: Any
    write: Any

    async def __aenter__(self) -> tuple[Any, Any]:
        return self.read, self.write

    async def __aexit__(self, *_: object) -> None:
        return None


async def _cancel_at_end(queue: _Queue, scope: anyio.CancelScope) -> None:
    """Cancel the last requests where the connection is to end at once after all."""
    while await queue.get() != "now":
        continue
    scope.cancel()
