"""Flagman for Python programs: `from bot.sdk import Agent, MultiAgentSupervisor, Session`.

    session = await Agent(persona="backend-architect").start(task="Create auth endpoint")
    await session.pause(reason="External dependency", resume_condition="webhook: redis_ready")

They speak to a running Flagman: that of `url=` and `api_key=`, else that of the `async with connect(…)` or
`in_process(…)` around them, else that of the environment (`FLAGMAN_URL`, `FLAGMAN_API_KEY`), else the one
which `flagman serve` started on this machine with the same `FLAGMAN_DATA`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from bot.local_key import address, read_local_key, user_name
from bot.sdk import blocking
from bot.sdk import multi_agent as multiagent
from bot.sdk import session as client
from bot.sdk.backend import Backend
from bot.sdk.blocking import SyncSession
from bot.sdk.http_backend import Remote
from bot.sdk.multi_agent import MultiAgentResult
from supervisor.core.errors import FlagmanError, InvalidInput, SessionExists, Unavailable
from supervisor.core.events import Actor
from supervisor.session_log.render.front import front_of
from supervisor.view_models import ChildState, Pausing, ProposedCall, SessionEvent, SessionState

if TYPE_CHECKING:
    from bot.compose import Core
    from bot.settings import Settings
    from supervisor.models.gateway import Gateway

__all__ = [
    "Agent",
    "ChildState",
    "FlagmanError",
    "MultiAgentResult",
    "MultiAgentSupervisor",
    "Pausing",
    "ProposedCall",
    "Session",
    "SessionEvent",
    "SessionState",
    "SyncAgent",
    "SyncMultiAgentSupervisor",
    "SyncSession",
    "Unavailable",
    "connect",
    "in_process",
    "sync_in_process",
]
_current: ContextVar[Backend | None] = ContextVar("flagman_backend", default=None)


class Agent(client.Agent):
    """`url` and `api_key` name another Flagman than the one around it."""

    def __init__(
        self,
        persona: str,
        *,
        url: str | None = None,
        api_key: str | None = None,
        backend: Backend | None = None,
    ) -> None:
        super().__init__(persona, backend or _found(url, api_key))

    async def start(
        self,
        task: str,
        *,
        context: str = "",
        channel: str | None = None,
        idempotency_key: str | None = None,
    ) -> Session:
        """A new session; the same key and request give the same session again."""
        state = await self.launch(task, context=context, channel=channel, idempotency_key=idempotency_key)
        return Session(self.backend, state)


class Session(client.Session):
    """One session; see the methods of its base."""

    @classmethod
    async def load(
        cls,
        session_id: str,
        *,
        url: str | None = None,
        api_key: str | None = None,
        backend: Backend | None = None,
    ) -> Session:
        """One that is there. Raises SessionNotFound."""
        chosen = backend or _found(url, api_key)
        return cls(chosen, await chosen.get(session_id))

    @classmethod
    async def load_from_log(
        cls,
        path: str | Path,
        *,
        url: str | None = None,
        api_key: str | None = None,
        backend: Backend | None = None,
    ) -> Session:
        """The session of a SESSION_LOG: as it stands, or brought back where it is lost.

        Raises OSError, VerificationError where the file is not as it was written, or PersonaLost.
        """
        document = await asyncio.to_thread(Path(path).read_bytes)
        chosen = backend or _found(url, api_key)
        try:
            state = await chosen.restore(document)
        except SessionExists:
            # By then the document was verified, so this is the session that it is about.
            state = await chosen.get(front_of(document).session_id)
        return cls(chosen, state)


class SyncAgent:
    """As Agent, for scripts without `async`; its sessions too."""

    def __init__(self, persona: str, *, url: str | None = None, api_key: str | None = None) -> None:
        self._agent = Agent(persona, url=url, api_key=api_key)

    def start(
        self,
        task: str,
        *,
        context: str = "",
        channel: str | None = None,
        idempotency_key: str | None = None,
    ) -> SyncSession:
        return blocking.started(
            self._agent, task, context=context, channel=channel, idempotency_key=idempotency_key
        )

    @staticmethod
    def load(session_id: str, *, url: str | None = None, api_key: str | None = None) -> SyncSession:
        return SyncSession(blocking.wait_for(Session.load(session_id, url=url, api_key=api_key)))

    @staticmethod
    def load_from_log(path: str | Path, *, url: str | None = None, api_key: str | None = None) -> SyncSession:
        return SyncSession(blocking.wait_for(Session.load_from_log(path, url=url, api_key=api_key)))


class MultiAgentSupervisor(multiagent.MultiAgentSupervisor[Session]):
    """A task split over several agents, and one answer of them all.

    `result = await MultiAgentSupervisor().execute_multi_agent_task("prepare the release")`
    """

    def __init__(
        self, *, url: str | None = None, api_key: str | None = None, backend: Backend | None = None
    ) -> None:
        super().__init__(backend or _found(url, api_key), Session)


class SyncMultiAgentSupervisor(blocking.SyncMultiAgentSupervisor):
    """As MultiAgentSupervisor, for scripts without `async`."""

    def __init__(self, *, url: str | None = None, api_key: str | None = None) -> None:
        super().__init__(MultiAgentSupervisor(url=url, api_key=api_key))


@asynccontextmanager
async def connect(url: str | None = None, api_key: str | None = None) -> AsyncIterator[Remote]:
    """Agents and sessions inside speak to this Flagman, over connections that are kept."""
    async with remote(url, api_key) as backend, _around(backend):
        yield backend


@asynccontextmanager
async def in_process(
    flagman: Settings | Core, *, gateway: Gateway | None = None, name: str = ""
) -> AsyncIterator[Backend]:
    """Agents and sessions inside run in this process, without Slack.

    With Settings a whole Flagman is opened: it advances sessions, asks the model and fires timers. A Core is one
    that runs already. `name` is who acts (default: the user of this process).
    """
    async with _opened(flagman, gateway, name) as backend, _around(backend):
        yield backend


@contextmanager
def sync_in_process(
    settings: Settings, *, gateway: Gateway | None = None, name: str = ""
) -> Iterator[Backend]:
    """As `in_process` with Settings, for SyncAgent and its sessions."""
    opened = _opened(settings, gateway, name)
    backend = blocking.wait_for(opened.__aenter__())
    token = _current.set(backend)
    try:
        yield backend
    finally:
        _current.reset(token)
        blocking.wait_for(opened.__aexit__(None, None, None))


@asynccontextmanager
async def _opened(flagman: Settings | Core, gateway: Gateway | None, name: str) -> AsyncIterator[Backend]:
    from bot.compose import Core, now
    from bot.sdk.in_process_backend import Local

    async with AsyncExitStack() as stack:
        if not isinstance(flagman, Core):
            flagman = await stack.enter_async_context(_running(flagman, gateway))
        actor = Actor(id=f"api:{name or user_name()}", name=name or user_name())
        files, tokens = flagman.artifacts(), flagman.resume_tokens()
        yield Local(flagman.supervisor, actor, now, files, flagman.restoring(), tokens)


@asynccontextmanager
async def _running(settings: Settings, given: Gateway | None) -> AsyncIterator[Core]:
    from slack_sdk.web.async_client import AsyncWebClient

    from bot import compose
    from bot.clock import Clock

    async with compose.core(settings) as parts, Clock(parts), parts.recorder():
        gateway = given or compose.gateway(settings)
        # What Slack shows is left to a process that knows Slack.
        worker, _ = compose.workers(parts, AsyncWebClient(), gateway)
        task = asyncio.create_task(worker.run())
        try:
            yield parts
        finally:
            worker.stop()
            await task
            await gateway.close()


@asynccontextmanager
async def _around(backend: Backend) -> AsyncIterator[None]:
    token = _current.set(backend)
    try:
        yield
    finally:
        _current.reset(token)


def _found(url: str | None, api_key: str | None) -> Backend:
    around = _current.get()
    return around if around and not (url or api_key) else remote(url, api_key)


class _Environment(BaseSettings):
    model_config = SettingsConfigDict(env_ignore_empty=True, populate_by_name=True, extra="ignore")

    url: str | None = Field(None, validation_alias="FLAGMAN_URL")
    api_key: SecretStr | None = Field(None, validation_alias="FLAGMAN_API_KEY")
    data: Path = Field(Path(".flagman"), validation_alias="FLAGMAN_DATA")
    host: str = Field("127.0.0.1", validation_alias="FLAGMAN_HOST")
    port: Annotated[int, Field(ge=1, le=65535)] = Field(8080, validation_alias="PORT")


def remote(url: str | None = None, api_key: str | None = None) -> Remote:
    """The Flagman of these, or of the environment, or of this machine. Raises InvalidInput."""
    try:
        known = _Environment()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise InvalidInput(f"{first['loc'][0]}: {first['msg']}.") from error
    local = read_local_key(known.data)
    chosen = url or known.url or (local.url if local else address(known.host, known.port))
    if not chosen.startswith(("http://", "https://")):
        raise InvalidInput("FLAGMAN_URL: must begin with http:// or https://.")
    key = api_key or (known.api_key.get_secret_value() if known.api_key else "")
    # The key of this machine goes nowhere but to the Flagman that made it.
    if not key and local and chosen.rstrip("/") == local.url:
        key = local.key
    return Remote(chosen, key)
