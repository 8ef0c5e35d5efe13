"""Runs one tool call and turns its output or its error into a result."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

from storage.errors import StoreUnavailable
from supervisor.core.digest import call_digest
from supervisor.core.elicitation.request import InputRequest
from supervisor.core.errors import InvalidArguments, ToolError
from supervisor.core.persona import COMMANDS, Grants
from supervisor.core.state import Call, Session
from supervisor.core.text.sanitize import clean_text
from supervisor.running import RunningCalls
from supervisor.runtime.work_dirs import WorkDirs
from supervisor.tools.changed_files import Changes, Contents, compare, contents, named, unlisted
from supervisor.tools.contract import OutcomeUnknown, Tool, ToolContext, Verdict, unseen
from supervisor.tools.events import Deliver, Emitter
from supervisor.tools.executor import Executor, NotBegun
from supervisor.tools.inputs import Ask, Continued, InputAnswer, InputNeeded, nobody, standing
from supervisor.tools.path_guard import Folder

MayBegin = Callable[[], Awaitable[float | None]]
INTERRUPTED = "Interrupted: the session was cancelled."
MISSING_SHOWN = 20
# How long a tool may take to say what a call would do, and how many characters of that are kept.
PREVIEW_SECONDS, PREVIEW_SHOWN = 10, 6000
GrantsOf = Callable[[Session], Awaitable[Grants]]
_log = logging.getLogger("flagman.tools")


async def no_grants(session: Session) -> Grants:
    """Return empty grants; the default of `ToolRunner`."""
    return Grants()


@dataclass(frozen=True)
class Result:
    """The end of a call; the model reads `content`.

    `artifacts` are the files that it wrote, `removed` those that the session had and that are gone since. `begun` is
    False where the tool did not run; then `content` says why it cannot, or is empty where it can be tried again at
    once. `unknown`: it was handed over, and whether it took effect is not known, for the reason in `content`.
    `needs`: it is continued once people have given that.
    """

    ok: bool
    content: str
    artifacts: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    duration_ms: int = 0
    begun: bool = True
    unknown: bool = False
    needs: InputNeeded | None = None


@dataclass
class _Look:
    """The folder of a session as it was before a command ran; None for other tools, which say what they write."""

    folder: Folder | None = None
    before: Contents | None = None

    async def at(self, folder: Folder) -> None:
        """Look at the folder; where it cannot be read, what a command writes shows by its times alone."""
        self.folder, self.before = folder, Contents.unknown(datetime.now(UTC))
        with suppress(OSError):
            self.before = await asyncio.to_thread(contents, folder)


class ToolRunner:
    """Runs calls in the folder of their session.

    `deliver` is called with the events that they emit, and `grants` with a session to know what its commands may use.
    `running` is told what they print.
    """

    def __init__(
        self,
        folders: WorkDirs,
        deliver: Deliver,
        mask: Callable[[str], str] = str,
        executor: Executor = Executor(),  # noqa: B008  it is frozen
        grants: GrantsOf = no_grants,
        running: RunningCalls | None = None,
    ) -> None:
        self._folders, self._deliver, self._mask = folders, deliver, mask
        self._executor, self._grants, self._running = executor, grants, running

    @property
    def sandboxed(self) -> bool:
        """Whether commands run in a sandbox."""
        return self._executor.sandbox is not None

    async def run(
        self, tool: Tool | None, session: Session, call: Call, may_begin: MayBegin, ask: Ask = nobody
    ) -> Result:
        """Run the call. Raises CancelledError only: any other failure is a result that the model can read.

        A command that is cancelled has a result, too, with the files that it wrote until then. `may_begin` is awaited
        right before the tool runs. It returns until when the tool may begin, in seconds of the monotonic clock, or None
        where it may not. `ask` puts to people what the tool asks for while it runs.
        """
        begun, look = time.monotonic(), _Look()
        try:
            ok, content, artifacts = await self._outcome(tool, session, call, may_begin, look, ask)
        except NotBegun as reason:
            return Result(False, self._text(str(reason)), begun=False)
        except OutcomeUnknown as reason:
            return Result(False, self._text(str(reason)), unknown=True)
        except InputNeeded as needed:
            return Result(False, "", needs=needed)
        except asyncio.CancelledError:
            if look.before is None:
                raise
            ok, content, artifacts = False, INTERRUPTED, ()
        changes = await self._changes(session, look)
        return Result(
            ok,
            self._text(content, self._not_taken_along(session), changes.note),
            tuple(dict.fromkeys((*artifacts, *changes.written))),
            changes.removed,
            int((time.monotonic() - begun) * 1000),
        )

    async def written_since(self, session: Session, call: Call) -> tuple[str, ...]:
        """Return the files that a command wrote whose worker died, by their times; none for another tool."""
        if call.call.tool not in COMMANDS or call.started_at is None:
            return ()
        try:
            look = _Look(await self._folders.of(session), Contents.unknown(call.started_at))
        except (ToolError, OSError):
            return ()
        return (await self._changes(session, look)).written

    async def _changes(self, session: Session, look: _Look) -> Changes:
        """Return what a command changed in the session's folder; nothing where nobody looked at it before."""
        if look.folder is None or look.before is None:
            return Changes()
        try:
            after = await asyncio.to_thread(contents, look.folder)
        except OSError as error:
            _log.warning("the folder of session %s cannot be read: %s", session.id, error)
            return unlisted(error)
        return await asyncio.to_thread(compare, look.before, after, session.artifacts, self._mask)

    def _text(self, content: str, *notes: str) -> str:
        """Return the text of a result with the notes that are not empty, masked and storable."""
        return self._mask(clean_text("\n".join([content, *filter(None, notes)])))

    def _not_taken_along(self, session: Session) -> str:
        if not (missing := self._folders.take_missing(session.id)):
            return ""
        return f"[Files that this session was to begin with are not here: {named(missing, MISSING_SHOWN, self._mask)}.]"

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
        return verdict, self._text(text)

    async def previews(
        self, tools: Mapping[str, Tool], session: Session, calls: Sequence[Call]
    ) -> dict[str, str]:
        """Return by call what its tool says it would do, masked and cut; nothing for a tool that does not say it."""
        found: dict[str, str] = {}
        for call in calls:
            tool, arguments = tools.get(call.call.tool), call.call.arguments
            if tool is None or tool.preview is None or not isinstance(arguments, dict):
                continue
            try:
                async with asyncio.timeout(PREVIEW_SECONDS):
                    text = await tool.preview(arguments, await self._context(session, call))
            except Exception as error:  # noqa: BLE001  people are asked without it
                _log.warning("%s could not be previewed: %s", call.call.tool, error)
                continue
            found[call.call_id] = self.bounded(text)
        return found

    def bounded(self, text: str) -> str:
        """Return a text about a call, masked and cut, for those who are asked about it."""
        return _cut(self._text(text))

    async def _context(self, session: Session, call: Call) -> ToolContext:
        root = await self._folders.of(session)
        key = idempotency_key(session.id, call)
        emit = Emitter(self._deliver, session.id, key)
        grants = await self._grants(session)
        begin = ToolContext(
            session.id, call.call_id, key, call.attempt, root.path, emit, self._executor, grants
        )
        return replace(begin, root=root, mask=self._mask, continued=Continued.of(call.inputs))

    @asynccontextmanager
    async def _published(self, session: Session, call: Call) -> AsyncIterator[Callable[[bytes], None]]:
        """Yield what is to be told of the output of a call."""
        if self._running is None:
            yield unseen
            return
        async with self._running.publish(session.id, call) as printed:
            yield printed

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
        self, tool: Tool | None, session: Session, call: Call, may_begin: MayBegin, look: _Look, ask: Ask
    ) -> tuple[bool, str, tuple[str, ...]]:
        if tool is None:
            return False, f"The tool {call.call.tool} is no longer there.", ()
        try:
            arguments = tool.validate(call.call.arguments)
            if tool.definition != call.call.definition:
                # People are asked about it as it is now.
                raise NotBegun
            if call_digest(tool.name, arguments, call.call.pin) != call.call.digest:
                return False, "The tool's arguments changed their meaning since the call was proposed.", ()
            context = await self._prepared(session, call)
            if tool.name in COMMANDS:
                await look.at(context.held())
            if tool.prepare:
                await tool.prepare(context)
            if (until := await may_begin()) is None:
                raise NotBegun
            async with (
                self._published(session, call) as printed,
                asyncio.timeout(tool.timeout.total_seconds()) as limit,
            ):
                asks = partial(_asked, limit, ask)
                context = replace(context, begin_by=until, printed=printed, ask=asks)
                output = await tool.run(arguments, context)
        except (NotBegun, OutcomeUnknown, InputNeeded):
            raise
        except (ToolError, InvalidArguments) as error:
            return False, str(error), ()
        except TimeoutError:
            return False, f"Stopped after {tool.timeout.total_seconds():g} s without an end.", ()
        except Exception as error:  # noqa: BLE001  any error of a tool is a result of its call
            _log.exception("tool %s failed in session %s", call.call.tool, session.id)
            return False, f"The tool failed inside: {type(error).__name__}.", ()
        return True, output.content, output.artifacts


async def _asked(limit: asyncio.Timeout, ask: Ask, request: InputRequest, within: float) -> InputAnswer:
    """Ask people, while the time of the call stands still."""
    with standing(limit):
        return await ask(request, within)


def _cut(text: str) -> str:
    left = len(text) - PREVIEW_SHOWN
    return f"{text[:PREVIEW_SHOWN]}\n[… {left:,} more characters]" if left > 0 else text


def idempotency_key(session_id: str, call: Call) -> str:
    """Return a key that is the same for all attempts of one call."""
    return f"{session_id}:{call.call_id}"
