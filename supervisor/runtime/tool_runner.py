"""Runs one tool call and turns its output or its error into a result."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from storage.errors import StoreUnavailable
from supervisor.core.digest import call_digest
from supervisor.core.errors import InvalidArguments, ToolError
from supervisor.core.persona import Grants
from supervisor.core.state import Call, Session
from supervisor.core.text.sanitize import clean_text
from supervisor.runtime.work_dirs import WorkDirs
from supervisor.tools.contract import Tool, ToolContext, Verdict
from supervisor.tools.events import Deliver, Emitter
from supervisor.tools.executor import Executor, NotBegun

MayBegin = Callable[[], Awaitable[float | None]]
GrantsOf = Callable[[Session], Awaitable[Grants]]
_log = logging.getLogger("flagman.tools")


async def no_grants(session: Session) -> Grants:
    """Return empty grants; the default of `ToolRunner`."""
    return Grants()


@dataclass(frozen=True)
class Result:
    """The end of a call; the model reads `content`.

    `begun` is False where the tool did not run; then `content` says why it cannot, or is empty where it can be tried
    again at once.
    """

    ok: bool
    content: str
    artifacts: tuple[str, ...] = ()
    duration_ms: int = 0
    begun: bool = True


class ToolRunner:
    """Runs calls in the folder of their session.

    `deliver` is called with the events that they emit, and `grants` with a session to know what its commands may use.
    """

    def __init__(
        self,
        folders: WorkDirs,
        deliver: Deliver,
        mask: Callable[[str], str] = str,
        executor: Executor = Executor(),  # noqa: B008  it is frozen
        grants: GrantsOf = no_grants,
    ) -> None:
        self._folders, self._deliver, self._mask = folders, deliver, mask
        self._executor, self._grants = executor, grants

    @property
    def sandboxed(self) -> bool:
        """Whether commands run in a sandbox."""
        return self._executor.sandbox is not None

    async def run(self, tool: Tool | None, session: Session, call: Call, may_begin: MayBegin) -> Result:
        """Run the call. Raises CancelledError only: any other failure is a result that the model can read.

        `may_begin` is awaited right before the tool runs. It returns until when the tool may begin, in seconds of the
        monotonic clock, or None where it may not.
        """
        begun = time.monotonic()
        try:
            ok, content, artifacts = await self._outcome(tool, session, call, may_begin)
        except NotBegun as reason:
            return Result(False, self._mask(str(reason)), begun=False)
        return Result(ok, self._mask(clean_text(content)), artifacts, int((time.monotonic() - begun) * 1000))

    async def verify(self, tool: Tool, session: Session, call: Call) -> tuple[Verdict, str]:
        """Ask the tool whether a call whose worker died took effect; returns the verdict and the text of the result."""
        if tool.verify is None or not isinstance(call.call.arguments, dict):
            return "unknown", ""
        try:
            async with asyncio.timeout(30):
                verdict, text = await tool.verify(call.call.arguments, await self._context(session, call))
        except (ToolError, OSError, TimeoutError) as error:
            _log.warning("%s could not be verified: %s", call.call.tool, error)
            return "unknown", ""
        return verdict, self._mask(text)

    async def _context(self, session: Session, call: Call) -> ToolContext:
        root = await self._folders.of(session)
        key = idempotency_key(session.id, call)
        emit = Emitter(self._deliver, session.id, key)
        grants = await self._grants(session)
        begin = ToolContext(
            session.id, call.call_id, key, call.attempt, root.path, emit, self._executor, grants
        )
        return replace(begin, root=root, mask=self._mask)

    async def _prepared(self, session: Session, call: Call) -> ToolContext:
        """Return the context of a call to run. Raises ToolError, or NotBegun for causes outside of the call."""
        try:
            return await self._context(session, call)
        except StoreUnavailable as error:
            _log.warning("session %s: %s; %s is tried again", session.id, error, call.call.tool)
            raise NotBegun from error
        except OSError as error:
            raise NotBegun(f"The session's folder cannot be used ({error.strerror or error}).") from error

    async def _outcome(
        self, tool: Tool | None, session: Session, call: Call, may_begin: MayBegin
    ) -> tuple[bool, str, tuple[str, ...]]:
        if tool is None:
            return False, f"The tool {call.call.tool} is no longer there.", ()
        try:
            arguments = tool.validate(call.call.arguments)
            if call_digest(tool.name, arguments) != call.call.digest:
                return False, "The tool's arguments changed their meaning since the call was proposed.", ()
            context = await self._prepared(session, call)
            if (until := await may_begin()) is None:
                raise NotBegun
            async with asyncio.timeout(tool.timeout.total_seconds()):
                output = await tool.run(arguments, replace(context, begin_by=until))
        except NotBegun:
            raise
        except (ToolError, InvalidArguments) as error:
            return False, str(error), ()
        except TimeoutError:
            return False, f"Stopped after {tool.timeout.total_seconds():g} s without an end.", ()
        except Exception as error:  # noqa: BLE001  any error of a tool is a result of its call
            _log.exception("tool %s failed in session %s", call.call.tool, session.id)
            return False, f"The tool failed inside: {type(error).__name__}.", ()
        return True, output.content, output.artifacts


def idempotency_key(session_id: str, call: Call) -> str:
    """Return a key that is the same for all attempts of one call."""
    return f"{session_id}:{call.call_id}"
