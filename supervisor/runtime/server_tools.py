"""Keeps the tools of MCP servers at hand, and compares them with those that people were asked about."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Protocol

from supervisor.core.conditions import Connected
from supervisor.core.events import SYSTEM, ContextAdded, Paused, ToolRedefined
from supervisor.core.messages import ToolDefinition
from supervisor.core.persona import Persona
from supervisor.core.rights import runs_as
from supervisor.core.state import Call, Session
from supervisor.core.tool_calls import redefine, tools_of
from supervisor.personas.library import PersonaLibrary
from supervisor.personas.loader import rule_problems
from supervisor.personas.servers import server_of
from supervisor.runtime.unit_of_work import UnitOfWork
from supervisor.tools.contract import ConnectionRequired, Tool


class Servers(Protocol):
    """The servers of the configuration, whose tools are kept in the set of all tools."""

    async def ready(self, names: Collection[str], *, fresh: bool = False, person: str = "") -> str:
        """Have the tools of these servers in the set, as they are at this moment if `fresh`.

        Returns why those of one are not, empty where all are. Raises ConnectionRequired where `person`, for whom the
        session runs, has to connect one first.
        """

    async def reach(self, names: Collection[str], *, anew: bool = False, person: str = "") -> dict[str, str]:
        """Have the tools of these servers in the set where they can be reached; returns why the others cannot.

        One that was away a moment ago is tried again if `anew` only. Raises LookupError with a sentence for one that is
        not configured here, or that has nobody for whom it could be used, and ConnectionRequired as `ready`.
        """

    def tools(self, person: str) -> Mapping[str, Tool]:
        """Return all tools that are known, with those of servers that this person has connected."""

    def gone(self, definition: ToolDefinition, person: str = "") -> str:
        """Return in a sentence that the server has this tool no longer, and what may have become of it."""


class _NoServers:
    """There is no configuration of servers."""

    async def ready(self, names: Collection[str], *, fresh: bool = False, person: str = "") -> str:
        if not names:
            return ""
        return f"There is no MCP server `{min(names)}` here: set FLAGMAN_MCP to the file that names it, and resume."

    async def reach(self, names: Collection[str], *, anew: bool = False, person: str = "") -> dict[str, str]:
        if problem := await self.ready(names):
            raise LookupError(problem)
        return {}

    def tools(self, person: str) -> Mapping[str, Tool]:
        return {}

    def gone(self, definition: ToolDefinition, person: str = "") -> str:
        return f"There is no MCP server `{definition.server}` here any more; `{definition.name}` did not run."


NO_SERVERS: Servers = _NoServers()


class ServerTools:
    """The tools of sessions, with those of the servers that their personas name."""

    def __init__(
        self,
        servers: Servers,
        tools: Mapping[str, Tool],
        personas: PersonaLibrary,
        clock: Callable[[], datetime],
    ) -> None:
        self._servers, self._tools, self._personas, self._clock = servers, tools, personas, clock

    def all(self, session: Session) -> Mapping[str, Tool]:
        """Return all tools that are known, with those that the person has for whom the session runs."""
        return self._servers.tools(runs_as(session)) or self._tools

    def of(self, persona: Persona, session: Session) -> dict[str, Tool]:
        """Return the tools of a persona that are known in its session."""
        return tools_of(persona, self.all(session))

    async def check(self, unit: UnitOfWork, persona: Persona) -> bool:
        """Pause the session where it cannot go on with the tools of its servers. Returns whether it can.

        It cannot without a server that is not configured here, or that a person has to connect, nor where a rule is for
        an argument that the tools do not have: it would protect nothing, and could not be looked at when the persona
        was loaded. Without a server that is away it goes on with its other tools, if it has some; the agent and the log
        are told once.
        """
        if not persona.mcp_servers:
            return True
        names = [name for name in persona.mcp_servers if persona.may_reach(name)]
        try:
            problem = await self._problem(unit, persona, names)
        except ConnectionRequired as required:
            unit.add(_to_connect(unit, required))
            return False
        if problem:
            unit.add(Paused(**unit.now(), reason="error_threshold_exceeded", detail=problem))
        return not problem

    async def _problem(self, unit: UnitOfWork, persona: Persona, names: Sequence[str]) -> str:
        """Return why a session cannot go on with these servers. Raises ConnectionRequired."""
        session = unit.session
        try:
            away = await self._servers.reach(names, anew=_was_resumed(session), person=runs_as(session))
        except LookupError as problem:
            return str(problem)
        if mistake := next(self._mistaken_rules(persona, session), ""):
            return mistake
        if away and all(tool.control for tool in self.of(persona, session).values()):
            return f"{next(iter(away.values()))} Resume the session once it can be used."
        for note in _news(session, names, away):
            unit.add(ContextAdded(**unit.now(), text=note, kind="api"))
        return ""

    async def _ready(self, unit: UnitOfWork, names: Collection[str], *, fresh: bool = False) -> bool:
        """Have the tools of these servers at hand, or pause the session. Returns whether they are."""
        person = runs_as(unit.session)
        try:
            problem = await self._servers.ready(names, fresh=fresh, person=person)
        except ConnectionRequired as required:
            unit.add(_to_connect(unit, required))
            return False
        if problem:
            unit.add(Paused(**unit.now(), reason="error_threshold_exceeded", detail=problem))
        return not problem

    def _mistaken_rules(self, persona: Persona, session: Session) -> Iterator[str]:
        for one in persona.chain:
            for index, rule in enumerate(one.approvals):
                known = self.all(session).items()
                tools = {name: tool for name, tool in known if fnmatchcase(name, rule.tool)}
                if not tools or not server_of(rule.tool, one):
                    continue
                for _, problem in rule_problems(one.approvals, index, tools):
                    yield (
                        f"Rule {index + 1} of the persona `{one.name}` protects nothing: {problem.rstrip('.')}. "
                        "Mend it and launch anew."
                    )

    async def look(self, unit: UnitOfWork) -> None:
        """Before calls run: have people asked anew about those whose tools their servers have changed.

        The session is paused where a server is away.
        """
        session = unit.session
        calls = [call for call in session.calls_in("ready", "approved") if call.call.definition]
        if not calls or session.pause or session.ended:
            return
        persona = await self._personas.load_pinned(session)
        used = {call.call.definition.server for call in calls if call.call.definition}
        if not await self._ready(unit, used, fresh=True):
            return
        tools, person = self.all(session), runs_as(session)
        for call in calls:
            definition = call.call.definition
            assert definition, "only those of servers"
            gone, tool = self._servers.gone(definition, person), tools.get(call.call.tool)
            if new := redefine(call.call, tool, gone, persona, self._clock()):
                unit.add(ToolRedefined(**unit.now(), call_id=call.call_id, call=new))


def _to_connect(unit: UnitOfWork, required: ConnectionRequired) -> Paused:
    """Return the pause of a session whose person has to connect a server first."""
    condition = Connected(type="connection", server=required.server, person=required.person)
    again = f" It was connected before: {required}." if str(required) else ""
    detail = (
        f"Who launched it has to connect {required.server}, since its calls there run as this person.{again}"
    )
    return Paused(**unit.now(), reason="connection_required", detail=detail, conditions=(condition,))


def _was_resumed(session: Session) -> bool:
    """Whether a pause ended since the agent was asked last: who ended it may have mended what was away."""
    ended = session.halts[-1].resumed_at if session.halts else None
    return ended is not None and (not session.steps or session.steps[-1].at < ended)


def _news(session: Session, names: Sequence[str], away: Mapping[str, str]) -> Iterator[str]:
    """Yield what the agent was not told yet: which servers are away, and which of them can be reached again."""
    said = [note.text for note in (*session.notes, *session.inbox) if note.by == SYSTEM.id]
    for name in names:
        told = next((text for text in reversed(said) if text.startswith(f"The MCP server `{name}` ")), "")
        back = f"The MCP server `{name}` can be reached again, and its tools can be used."
        if name in away and told in ("", back):
            yield f"{away[name]} Go on without its tools, or say what cannot be done without them."
        elif name not in away and told not in ("", back):
            yield back


def differences(calls: Sequence[Call], bounded: Callable[[str], str]) -> dict[str, str]:
    """Return by call how its tool differs from the one that people were asked about before."""
    return {
        call.call_id: bounded(call.call.definition.changes_from(call.redefined))
        for call in calls
        if call.redefined and call.call.definition
    }
