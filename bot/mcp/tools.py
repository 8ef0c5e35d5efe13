"""The tools that other agents have: verbs of the service for the key of the caller, with the scopes of the API."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from bot.mcp import arguments as given
from bot.mcp.views import page_result, personas_result, session_result, summary
from bot.sdk.backend import Backend
from supervisor.api_keys import ApiKey, Scope
from supervisor.contract.models import SessionView
from supervisor.contract.requests import RequestModel, validate
from supervisor.core.commands.approvals import Verdict
from supervisor.core.errors import InvalidInput, MissingScope, NotAllowed
from supervisor.core.messages import Json

# How often a caller who wants to know is told that a session still works.
PROGRESS_SECONDS = 5.0
OWN = "This key, or its owner, asked for this, so it cannot approve it here; another person has to decide."
INSTRUCTIONS = (
    "Flagman runs AI agents whose risky calls need a person's approval. `launch` starts a session and answers at "
    "once; `wait` returns when it has ended or needs a person, and is called again until then. You cannot approve "
    "calls of sessions that you launched: give the person the link in `see`."
)
CONFIRM = (
    "A server wants a person to confirm this, and this key, or its owner, asked for it: another person answers where "
    "`see` leads. `decline` refuses it."
)
Report = Callable[[float, float, str], Awaitable[None]]
Work = Callable[["Caller", Any, Report], Awaitable[Json]]


class OwnCall(NotAllowed):
    """An approval of a call, or of what its server has confirmed, that the caller's own session proposes."""

    def __init__(self, said: str = OWN, what: str = "approve this call") -> None:
        super().__init__(said, what=what)


@dataclass(frozen=True)
class Caller:
    """Whose tools these are: the service acts for this key, and `ids` are all by which its owner and it are known."""

    backend: Backend
    key: ApiKey
    ids: frozenset[str]

    def result(self, view: SessionView) -> Json:
        asked_for = any(self._asked_for(view, call.call_id) for call in view.calls)
        barred = OWN if self.key.may("approve") and asked_for else ""
        return session_result(view, barred=barred)

    async def decide(self, asked: given.Approve, verdict: Verdict, reason: str = "") -> Json:
        """Decide on a call as it was shown. Raises OwnCall for an approval in the caller's own session."""
        if verdict == "approve":
            view = await self.backend.get(asked.session_id)
            if self._asked_for(view, asked.call_id):
                raise OwnCall
        request = asked.decision(verdict, reason)
        return self.result(await self.backend.decide(asked.session_id, asked.call_id, request))

    async def check_answer(self, session_id: str, text: str) -> None:
        """Raise OwnCall where words would accept what the server of the caller's own call wants a person to confirm."""
        if text.strip().strip(".!").lower() != "accept":
            return
        view = await self.backend.get(session_id)
        for call in view.calls:
            wanted = call.input if call.phase == "asking" else None
            if wanted and not wanted.form.get("properties") and self._asked_for(view, call.call_id):
                raise OwnCall(CONFIRM, what="confirm this")

    def _asked_for(self, view: SessionView, call_id: str) -> bool:
        """Whether the caller asked for the session, or told its agent what to do before it proposed the call."""
        told = {one for call in view.calls if call.call_id == call_id for one in call.requesters}
        return bool(self.ids & {view.launched_by, *view.launched_for, *view.requesters, *told})


@dataclass(frozen=True)
class ServedTool:
    """A tool as it is listed, the scope that its use takes, and what carries it out."""

    name: str
    description: str
    scope: Scope
    arguments: type[RequestModel]
    work: Work
    reads: bool = False
    destroys: bool = False
    repeatable: bool = False

    @property
    def schema(self) -> Json:
        return self.arguments.model_json_schema(by_alias=True)


async def _personas(caller: Caller, _: given.NoArguments, __: Report) -> Json:
    return personas_result(await caller.backend.personas())


async def _launch(caller: Caller, asked: given.Launch, _: Report) -> Json:
    request = asked.request()
    return caller.result(await caller.backend.launch(request, idempotency_key=asked.idempotency_key))


async def _list(caller: Caller, asked: given.ListSessions, _: Report) -> Json:
    page = await caller.backend.page(
        status=asked.status, persona=asked.persona, cursor=asked.cursor, limit=asked.limit
    )
    return page_result(page)


async def _show(caller: Caller, asked: given.OfSession, _: Report) -> Json:
    return caller.result(await caller.backend.get(asked.session_id))


async def _wait(caller: Caller, asked: given.Wait, report: Report) -> Json:
    clock = asyncio.get_running_loop().time
    begun, left = clock(), asked.seconds
    while True:
        part, asked_at = min(left, PROGRESS_SECONDS), clock()
        view = await caller.backend.wait(asked.session_id, "person", patience=timedelta(seconds=part))
        now = clock()
        left = asked.seconds - (now - begun)
        # Where it comes back before its time for nothing, the process ends.
        if view.ended or view.needs or left <= 0 or now - asked_at < part:
            return caller.result(view)
        await report(now - begun, asked.seconds, summary(view))


async def _pause(caller: Caller, asked: given.Pause, _: Report) -> Json:
    result = await caller.backend.pause(asked.session_id, asked.request())
    view = await caller.backend.get(asked.session_id)
    # A resume token is a right of its own, which does not belong into what a model reads.
    problems = {"problems": result.problems} if result.problems else {}
    return {**caller.result(view), **problems}


async def _resume(caller: Caller, asked: given.Resume, _: Report) -> Json:
    return caller.result(await caller.backend.resume(asked.session_id, asked.request()))


async def _cancel(caller: Caller, asked: given.Cancel, _: Report) -> Json:
    return caller.result(await caller.backend.cancel(asked.session_id, asked.request()))


async def _tell(caller: Caller, asked: given.Tell, _: Report) -> Json:
    await caller.check_answer(asked.session_id, asked.text)
    told = await caller.backend.tell(asked.session_id, asked.request())
    return {"heard": told.heard, **caller.result(told.session)}


async def _approve(caller: Caller, asked: given.Approve, _: Report) -> Json:
    return await caller.decide(asked, "approve")


async def _deny(caller: Caller, asked: given.Deny, _: Report) -> Json:
    return await caller.decide(asked, "deny", asked.reason)


_ALL = (
    ServedTool(
        "personas",
        "List the agents that can be launched, by name.",
        "read",
        given.NoArguments,
        _personas,
        reads=True,
    ),
    ServedTool(
        "launch",
        "Start an agent on a task and return its session at once. Its risky calls wait for a person's approval. "
        "Then call `wait`.",
        "launch",
        given.Launch,
        _launch,
    ),
    ServedTool(
        "list",
        "List sessions that this key sees, the newest first.",
        "read",
        given.ListSessions,
        _list,
        reads=True,
    ),
    ServedTool(
        "show",
        "Show one session: its state, the calls that wait with their full arguments and digests, its result.",
        "read",
        given.OfSession,
        _show,
        reads=True,
    ),
    ServedTool(
        "wait",
        "Wait until a session has ended or needs a person, for at most `seconds`; then return it as `show` does. "
        "Call it again while it runs. While it waits for an approval only a person can help: pass on `see`.",
        "read",
        given.Wait,
        _wait,
        reads=True,
    ),
    ServedTool(
        "pause",
        "Pause a session at its next step, until a condition comes true or it is resumed.",
        "launch",
        given.Pause,
        _pause,
        repeatable=True,
    ),
    ServedTool("resume", "Resume a paused session, now or at a time.", "launch", given.Resume, _resume),
    ServedTool(
        "cancel", "End a session for good.", "launch", given.Cancel, _cancel, destroys=True, repeatable=True
    ),
    ServedTool(
        "tell",
        "Send a session words: the answer to its open question, or context for its next step.",
        "launch",
        given.Tell,
        _tell,
    ),
    ServedTool(
        "approve",
        "Approve a call exactly as `show` showed it, by its digest. Refused where this key or its owner launched the "
        "session or told its agent what to do.",
        "approve",
        given.Approve,
        _approve,
        destroys=True,
    ),
    ServedTool(
        "deny",
        "Deny a call as `show` showed it, by its digest; the agent reads the reason.",
        "approve",
        given.Deny,
        _deny,
    ),
)
TOOLS: Mapping[str, ServedTool] = {tool.name: tool for tool in _ALL}


def tools_for(key: ApiKey) -> list[ServedTool]:
    """Return the tools whose scope the key has."""
    return [tool for tool in _ALL if key.may(tool.scope)]


async def call_tool(caller: Caller, name: str, arguments: Mapping[str, Any] | None, report: Report) -> Json:
    """Carry out a call of a tool. Raises FlagmanError, whose text is a sentence for the model that called."""
    tool = TOOLS.get(name)
    if tool is None:
        raise InvalidInput(f"There is no tool `{name[:80]}`.")
    if not caller.key.may(tool.scope):
        raise MissingScope(tool.scope)
    asked = validate(tool.arguments, dict(arguments or {}), "the arguments")
    return await tool.work(caller, asked, report)
