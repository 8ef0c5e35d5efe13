"""Constructs all objects: the store, the supervisor, and the parts of each process."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from pathlib import Path

from redis.asyncio import Redis
from slack_sdk.web.async_client import AsyncWebClient

from bot.mcp_servers import configured, connect_servers
from bot.resume_hints import Hints, hints_of
from bot.sandbox import find_sandbox, make_executor, missing_grants
from bot.secret_key import secret_keys, signing_keys
from bot.settings import Settings
from bot.store_start import check_answer, start_server
from handlers.announcements import Announcements
from handlers.directory import SlackDirectory
from handlers.origin import SlackChannels
from handlers.projection.agent_status import AgentStatuses
from handlers.projection.audience import Audience
from handlers.projection.file_download import FileDownloads
from handlers.projection.log_upload import LogUploads
from handlers.projection.message_poster import MessagePoster
from handlers.projection.permalinks import Permalinks
from handlers.projection.progress import Progress
from handlers.projection.projector import Projector
from handlers.projection.slack_client import SlackSender
from handlers.projection.subagents import SubagentReader
from handlers.users import People
from storage import keys
from storage.api_keys import ApiKeyStore
from storage.audit import AuditStore
from storage.change_feed import ChangeFeed, RunningStore
from storage.connection import connect
from storage.embedded_server import EmbeddedServer
from storage.log import LogStore
from storage.mailbox import Mailbox
from storage.partitions import Partitions
from storage.projections import ProjectionStore
from storage.queue import SessionQueue
from storage.rows import RowStore
from storage.timers import TimerStore
from supervisor.api_keys import ApiKeys
from supervisor.artifacts import Artifacts
from supervisor.audit import Audit, Refusals
from supervisor.contract.creators import Creators
from supervisor.contract.followers import Followers
from supervisor.contract.grants import granter
from supervisor.contract.parts import ServiceParts
from supervisor.core.errors import InvalidInput, PersonaInvalid
from supervisor.core.persona import Grants
from supervisor.core.state import Session
from supervisor.core.text.masking import Masker
from supervisor.delegations import Delegations
from supervisor.mcp.config import Server
from supervisor.models import DemoGateway, ProviderGateway, make_gateway
from supervisor.models.gateway import Gateway
from supervisor.personas.folder import PersonaFolder
from supervisor.personas.library import PersonaLibrary
from supervisor.personas.loader import SHIPPED
from supervisor.personas.names import PersonaNames
from supervisor.place_settings import PlaceSettings, SettingsNews
from supervisor.repository import MostOpen, Sessions
from supervisor.resume_tokens import ResumeTokens
from supervisor.running import RunningCalls
from supervisor.runtime.given_files import GivenFiles, no_fetch
from supervisor.runtime.grants import GrantedCalls
from supervisor.runtime.job import Runner
from supervisor.runtime.server_tools import NO_SERVERS
from supervisor.runtime.subagents import Coordinator
from supervisor.runtime.tool_runner import ToolRunner
from supervisor.runtime.work_dirs import WorkDirs
from supervisor.runtime.worker import Worker
from supervisor.schedules import Schedules
from supervisor.service import Supervisor
from supervisor.session_log.directory import LogFolder
from supervisor.session_log.export import Documents
from supervisor.session_log.restore import Restorer
from supervisor.session_log.writer import Recorder
from supervisor.signals import SignalRouter
from supervisor.tools.builtin import builtin_tools
from supervisor.tools.contract import Toolset

_log = logging.getLogger("flagman")


def now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Core:
    """The objects that all processes use."""

    settings: Settings
    redis: Redis
    blocking: Redis
    partitions: Partitions
    log: LogStore
    rows: ProjectionStore
    sessions: Sessions
    personas: PersonaLibrary
    folder: PersonaFolder
    names: PersonaNames
    tools: Toolset
    supervisor: Supervisor
    deliveries: SignalRouter
    schedules: Schedules
    mask: Masker
    directory: SlackDirectory
    places: PlaceSettings
    delegations: Delegations
    closing: AsyncExitStack
    mcp: Mapping[str, Server]
    server: EmbeddedServer | None = None

    async def while_store_lives(self) -> None:
        """Wait without end. Raises EmbeddedServerLost when the embedded server ends; another one may come back."""
        if self.server:
            await self.server.watch()
        await asyncio.Event().wait()

    async def grants(self, session: Session) -> Grants:
        """What the session's commands are granted; the values of the variables among it are masked from now on."""
        granted = await self.personas.load_grants(session)
        self.mask.learn(_values(granted.env))
        return granted

    def changes(self) -> ChangeFeed:
        return ChangeFeed(self.blocking)

    def printing(self) -> RunningStore:
        return RunningStore(self.redis, self.blocking)

    @cached_property
    def running(self) -> RunningCalls:
        return RunningCalls(self.printing(), self.mask)

    def api_keys(self) -> ApiKeys:
        """The keys of the store and of FLAGMAN_API_KEYS."""
        return ApiKeys(ApiKeyStore(self.redis), [key for key, _ in self.settings.given_keys], now)

    def resume_tokens(self) -> ResumeTokens:
        """The resume tokens. Raises InvalidInput where there is no FLAGMAN_SECRET_KEY and none can be generated."""
        lifetime = timedelta(seconds=self.settings.token_seconds)
        return ResumeTokens(secret_keys(self.settings), lifetime=lifetime)

    def audit(self) -> Audit:
        store = AuditStore(self.redis)
        return Audit(self.log, store, Refusals(store), self.delegations)

    def artifacts(self) -> Artifacts:
        return Artifacts(self.settings.workspace_folder)

    def documents(self) -> Documents:
        """The SESSION_LOGs, which are signed where there is a key."""
        return Documents(
            self.log, self.personas, self.mask, signing_keys(self.settings), Hints(self.settings.command)
        )

    def restorer(self) -> Restorer:
        """The restorer. Raises InvalidInput where there is no FLAGMAN_SECRET_KEY to verify SESSION_LOGs with."""
        keys = secret_keys(self.settings)
        return Restorer(self.sessions, self.log, self.personas, self.artifacts(), keys, now, hints_of)

    def services(self) -> ServiceParts:
        """The parts of the service that programs and Slack call. Raises InvalidInput as `resume_tokens`."""
        return ServiceParts(
            supervisor=self.supervisor,
            log=self.log,
            signals=self.deliveries,
            schedules=self.schedules,
            audit=self.audit(),
            delegations=self.delegations,
            artifacts=self.artifacts(),
            documents=self.documents(),
            tokens=self.resume_tokens(),
            restorer=self.restorer(),
            followers=Followers(self.changes()),
            channels=self.channels,
            directory=self.directory,
            places=self.places,
            running=self.running,
            clock=now,
            hook_problem=self.settings.hook_problem,
            settings_changed=SettingsNews(self.places, self.announcements().settings_changed).tell_soon,
        )

    @property
    def channels(self) -> SlackChannels:
        return SlackChannels()

    def creators(self) -> Creators:
        """What fires the timers."""
        announcements = self.announcements()
        news = SettingsNews(self.places, announcements.settings_changed)
        return Creators(self, self.api_keys(), self.deliveries, announcements.schedule_problem, news)

    def announcements(self) -> Announcements:
        return Announcements(self.directory, self.mask, self.settings.command)

    def recorder(self) -> Recorder:
        """The recorder, which writes a SESSION_LOG of each session to FLAGMAN_DATA."""
        if not signing_keys(self.settings):
            _log.warning("FLAGMAN_SECRET_KEY is not set here, so SESSION_LOGs are not signed or restored")
        return Recorder(self.documents(), self.log, self.changes(), LogFolder(self.settings.data / "logs"))

    def timers(self) -> TimerStore:
        return TimerStore(self.redis, self.blocking, self.partitions)

    def queues(self) -> tuple[SessionQueue, SessionQueue]:
        """The ready queue and the outbox."""
        return (
            SessionQueue(self.redis, self.blocking, "ready", self.partitions),
            SessionQueue(self.redis, self.blocking, "outbox", self.partitions),
        )


@asynccontextmanager
async def core(settings: Settings, *, tools: Toolset | None = None) -> AsyncIterator[Core]:
    """Connect to the store, which is embedded unless REDIS_URL is set, and construct the supervisor.

    Raises PersonaInvalid, StorageError or InvalidInput.
    """
    builtin = tools or builtin_tools(allow_private=settings.allow_private_http)
    mcp = configured(settings)
    folder = _personas(settings, builtin, mcp)
    # Those of servers come to it as they are connected.
    known = dict(builtin) if mcp else builtin
    directory = SlackDirectory(settings.admin_ids, settings.team_ids)
    names = PersonaNames(folder.files, directory.look_up)
    async with AsyncExitStack() as stack:
        server = None if settings.redis_url else EmbeddedServer(settings.data)
        url = settings.redis_url.get_secret_value() if settings.redis_url else ""
        if server:
            stack.push_async_callback(server.stop)
            url = await start_server(server)
        redis, blocking = connect(url), connect(url, blocking=True)
        stack.push_async_callback(redis.aclose)
        stack.push_async_callback(blocking.aclose)
        await check_answer(redis)
        partitions = Partitions(redis, settings.partitions)
        log, rows = LogStore(redis, partitions), ProjectionStore(redis)
        sessions = Sessions(log, most_open=MostOpen(*settings.most_open))
        library = PersonaLibrary(folder, log, names.check)
        places = PlaceSettings(
            RowStore(redis, keys.place_settings()), SlackChannels().channel_of, now, settings.installation
        )
        refusals = Refusals(AuditStore(redis))
        supervisor = Supervisor(sessions, library, known, now, directory.reach, places, refusals)
        keep = timedelta(seconds=settings.keep_webhooks_seconds)
        deliveries = SignalRouter(supervisor, log, Mailbox(redis), keep=keep)
        timers = TimerStore(redis, blocking, partitions)
        schedules = Schedules(supervisor, RowStore(redis, keys.schedules()), timers, now)
        passwords = [server.password] if server else []
        granted = (name for persona in library.all() for name in persona.sandbox.env)
        of_servers = [secret for one in mcp.values() for secret in one.secrets]
        secrets = [*settings.secrets, *signing_keys(settings), *passwords, *of_servers]
        mask = Masker(secrets, _values(granted))
        yield Core(
            settings,
            redis,
            blocking,
            partitions,
            log,
            rows,
            sessions,
            library,
            folder,
            names,
            known,
            supervisor,
            deliveries,
            schedules,
            mask,
            directory,
            places,
            Delegations(RowStore(redis, keys.delegations()), now),
            stack,
            mcp,
            server,
        )


def _personas(settings: Settings, known: Toolset, servers: Collection[str]) -> PersonaFolder:
    try:
        return PersonaFolder(settings.personas or SHIPPED, known, servers)
    except PersonaInvalid as error:
        if settings.personas is None:
            raise
        raise InvalidInput(f"FLAGMAN_PERSONAS: {error}") from error


def _values(variables: Iterable[str]) -> list[str]:
    """The values of those of the variables that are set."""
    return [os.environ[name] for name in variables if name in os.environ]


def workers(parts: Core, client: AsyncWebClient, gateway: Gateway) -> tuple[Worker, Worker]:
    """A worker for sessions and one for the outbox to Slack."""
    ready, outbox = parts.queues()
    folders = WorkDirs(_folder(parts.settings.workspace_folder))
    found = find_sandbox(parts.settings)
    if found.sandbox is None:
        _log.warning("%s", found.said)
    executor = make_executor(parts.settings, found.sandbox)
    parts.personas.missing = partial(missing_grants, executor=executor)
    for persona in parts.personas.all():
        for sentence in parts.personas.missing(persona):
            _log.warning("persona %s: %s", persona.name, sentence)
    toolrun = ToolRunner(folders, parts.deliveries.deliver, parts.mask, executor, parts.grants, parts.running)
    servers = connect_servers(parts.settings, parts.mcp, parts.tools, executor)
    if servers:
        parts.closing.push_async_callback(servers.close)
    runner = Runner(
        parts.sessions,
        gateway,
        parts.tools,
        toolrun,
        parts.personas,
        parts.deliveries,
        Coordinator(parts.supervisor, now),
        now,
        lease=timedelta(seconds=parts.settings.lease_seconds),
        hook_problem=parts.settings.hook_problem,
        quorum=parts.supervisor.quorum,
        grants=GrantedCalls(
            parts.sessions, parts.log, partial(granter, parts), parts.channels.channel_of, now
        ),
        given=GivenFiles(folders, FileDownloads(client).fetch if client.token else no_fetch),
        servers=servers or NO_SERVERS,
    )
    sender = SlackSender(client, parts.rows)
    subagents = SubagentReader(parts.sessions, parts.rows, Permalinks(sender), outbox.enqueue)
    uploads = LogUploads(sender, parts.rows, parts.documents().text, now)
    # A client without a token reaches no Slack.
    if client.token and not parts.directory.connected:
        parts.directory.connect(People(client))
    audience = Audience(parts, parts.directory, parts.settings.fallback_channel)
    poster = MessagePoster(parts.rows, sender, now, audience)
    projector = Projector(
        parts.sessions,
        parts.rows,
        poster,
        audience,
        now,
        parts.mask,
        subagents,
        uploads,
        parts.running,
        AgentStatuses(sender, parts.rows, parts.mask),
        sandboxed=found.sandbox is not None,
        risks={name: tool.risk for name, tool in parts.tools.items()},
    )
    known, settings = parts.sessions.known_version, parts.settings
    times = timedelta(seconds=settings.lease_seconds), timedelta(seconds=settings.grace_seconds)
    return (
        Worker(
            ready,
            runner.advance,
            known,
            give_up=runner.give_up,
            slots=settings.slots,
            lease=times[0],
            grace=times[1],
        ),
        Worker(
            outbox,
            projector.project,
            known,
            slots=16,
            lease=times[0],
            grace=times[1],
            chores=(Progress(parts.printing(), outbox.enqueue).run,),
        ),
    )


def gateway(settings: Settings) -> ProviderGateway | DemoGateway:
    return make_gateway(settings.model)


def _folder(path: Path) -> Path:
    path = path.resolve()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInput(f"FLAGMAN_WORKSPACE: {path} cannot be used ({error.strerror}).") from error
    return path
