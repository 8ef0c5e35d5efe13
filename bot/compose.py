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

from redis.asyncio import Redis

from bot.install.teams import InstalledTeams, installed_teams
from bot.mcp_servers import configured
from bot.own_tools import all_tools
from bot.resume_hints import Hints, hints_of
from bot.secret_key import secret_keys, signing_keys
from bot.settings import Settings
from handlers.announcements import Announcements
from handlers.directories import Directories
from handlers.origin import SlackChannels
from handlers.projection.message_rows import place_of
from handlers.projection.permalinks import card_addresses
from storage import keys
from storage.api_keys import ApiKeyStore
from storage.audit import AuditStore
from storage.change_feed import ChangeFeed, RunningStore
from storage.connection import connect, wait_ready
from storage.embedded_server import EmbeddedServer
from storage.errors import StoreUnavailable
from storage.health import eviction
from storage.log import LogStore
from storage.mailbox import Mailbox
from storage.partitions import Partitions
from storage.projections import ProjectionStore
from storage.queue import SessionQueue
from storage.retention.store import RetentionStore
from storage.rows import ExpiringStore, RowStore
from storage.timers import TimerStore
from supervisor.api_keys import ApiKeys
from supervisor.artifacts import Artifacts
from supervisor.audit import Audit, Refusals
from supervisor.connections.linking import Linking
from supervisor.connections.store import Connections, is_connected
from supervisor.contract.creators import Creators
from supervisor.contract.followers import Followers
from supervisor.contract.parts import ServiceParts
from supervisor.core.errors import InvalidInput, PersonaInvalid
from supervisor.core.events.base import workspace_of
from supervisor.core.persona import Grants
from supervisor.core.state import Session
from supervisor.core.text.masking import Masker
from supervisor.delegations import Delegations
from supervisor.mcp.config import Server
from supervisor.mcp.sealing import Sealer
from supervisor.mcp.secrets import Secrets
from supervisor.models import DemoGateway, ProviderGateway, make_gateway
from supervisor.notifications import Notifications
from supervisor.personas.folder import PersonaFolder
from supervisor.personas.library import PersonaLibrary
from supervisor.personas.loader import SHIPPED
from supervisor.personas.names import PersonaNames
from supervisor.place_settings import PlaceSettings, SettingsNews
from supervisor.repository import MostOpen, Sessions
from supervisor.resume_tokens import ResumeTokens
from supervisor.running import RunningCalls
from supervisor.schedules import Schedules
from supervisor.service import Supervisor
from supervisor.session_log.archive import Archive
from supervisor.session_log.collector import Collector
from supervisor.session_log.directory import LogFolder
from supervisor.session_log.export import Documents
from supervisor.session_log.leftovers import Leftovers
from supervisor.session_log.restore import Restorer
from supervisor.session_log.writer import Recorder
from supervisor.signals import SignalRouter
from supervisor.tools.contract import Toolset

_log = logging.getLogger("flagman")
STORE_PATIENCE = timedelta(seconds=10)


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
    directory: Directories
    places: PlaceSettings
    delegations: Delegations
    notifications: Notifications
    closing: AsyncExitStack
    mcp: Mapping[str, Server]
    server: EmbeddedServer | None = None
    teams: InstalledTeams | None = None

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

    def worker_hosts(self) -> RowStore:
        return RowStore(self.redis, keys.worker_hosts())

    def api_keys(self) -> ApiKeys:
        """The keys of the store and of FLAGMAN_API_KEYS."""
        return ApiKeys(ApiKeyStore(self.redis), [key for key, _ in self.settings.given_keys], now)

    def secrets(self) -> Secrets:
        """The secrets by name. Raises InvalidInput as `resume_tokens`."""
        return Secrets(RowStore(self.redis, keys.secrets()), secret_keys(self.settings), now)

    @cached_property
    def connections(self) -> Connections:
        """The connections of people to servers. Raises InvalidInput as `resume_tokens`."""
        rows = RowStore(self.redis, keys.connections())
        mask = self.mask
        return Connections(
            rows, secret_keys(self.settings), now, mask.learn, mask.forget, self.directory.is_active
        )

    def linking(self) -> Linking:
        """How people connect servers. Raises InvalidInput as `resume_tokens`."""
        return Linking(
            self.mcp,
            self.connections,
            ExpiringStore(self.redis, keys.connecting),
            RowStore(self.redis, keys.registrations()),
            secret_keys(self.settings),
            self.settings.public_address,
            now,
        )

    def resume_tokens(self) -> ResumeTokens:
        """The resume tokens. Raises InvalidInput where there is no FLAGMAN_SECRET_KEY and none can be generated."""
        lifetime = timedelta(seconds=self.settings.token_seconds)
        return ResumeTokens(secret_keys(self.settings), lifetime=lifetime)

    def audit(self) -> Audit:
        store = AuditStore(self.redis)
        archive = Archive(self.settings.data, signing_keys(self.settings))
        return Audit(self.log, store, Refusals(store), self.delegations, archive)

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

    def retention(self) -> RetentionStore:
        return RetentionStore(self.redis, self.partitions)

    def leftovers(self) -> Leftovers:
        """What is on this machine of sessions that were archived."""
        settings = self.settings
        return Leftovers(self.retention(), settings.workspace_folder, settings.data / "logs")

    def collector(self) -> Collector:
        """The collector of ended sessions. Raises InvalidInput where there is no key to sign their SESSION_LOGs."""
        archive = Archive(self.settings.data, secret_keys(self.settings))
        return Collector(
            self.sessions,
            self.log,
            self.retention(),
            self.rows,
            self.personas,
            self.documents(),
            archive,
            self.leftovers(),
            place_of,
        )

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
            notifications=self.notifications,
            connections=self.connections,
            linking=self.linking(),
            running=self.running,
            clock=now,
            hook_problem=self.settings.hook_problem,
            settings_changed=SettingsNews(self.places, self.announcements().settings_changed).tell_soon,
            link_of=self._card,
        )

    async def _card(self, session: Session) -> str:
        """The address of the card of a session; empty where it has none, or the workspace is not known."""
        workspace = await self.directory.address_of(workspace_of(session.origin))
        return (await card_addresses(self.rows, [session], workspace))[session.id] if workspace else ""

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
    builtin = tools or all_tools(settings)
    mcp = configured(settings)
    folder = _personas(settings, builtin, mcp)
    # Those of servers come to it as they are connected.
    known = dict(builtin) if mcp else builtin
    directory = Directories(settings.admin_ids, settings.team_ids)
    names = PersonaNames(folder.files, directory.look_up)
    async with AsyncExitStack() as stack:
        server = None if settings.redis_url else EmbeddedServer(settings.data)
        url = settings.redis_url.get_secret_value() if settings.redis_url else ""
        if server:
            stack.push_async_callback(server.stop)
            url = await _start_server(server)
        redis, blocking = connect(url, replicas=settings.replicas), connect(url, blocking=True)
        stack.push_async_callback(redis.aclose)
        stack.push_async_callback(blocking.aclose)
        await _check_answer(redis)
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
        connected = partial(is_connected, RowStore(redis, keys.connections()))
        deliveries = SignalRouter(supervisor, log, Mailbox(redis), keep=keep, is_connected=connected)
        timers = TimerStore(redis, blocking, partitions)
        schedules = Schedules(supervisor, RowStore(redis, keys.schedules()), timers, now)
        passwords = [server.password] if server else []
        granted = (name for persona in library.all() for name in persona.sandbox.env)
        of_servers = [secret for one in mcp.values() for secret in one.secrets]
        secrets = [*settings.secrets, *signing_keys(settings), *passwords, *of_servers]
        mask = Masker(secrets, _values(granted))
        teams = None
        if settings.installs:
            sealer = Sealer(secret_keys(settings), b"flagman installations of workspaces: ")
            installed = RowStore(redis, keys.installations())
            teams = installed_teams(settings, installed, sealer, directory, mask, now)
        if teams:
            directory.attach(teams)
            stack.push_async_callback(teams.close)
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
            Notifications(RowStore(redis, keys.notifications()), now),
            stack,
            mcp,
            server,
            teams,
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


async def _start_server(server: EmbeddedServer) -> str:
    try:
        await server.start()
    except OSError as error:
        raise InvalidInput(f"FLAGMAN_DATA: {server.folder} cannot be used ({error.strerror}).") from error
    return server.url


async def _check_answer(redis: Redis) -> None:
    try:
        await wait_ready(redis, STORE_PATIENCE)
        policy = await eviction(redis)
    except StoreUnavailable as error:
        seconds = STORE_PATIENCE.total_seconds()
        raise InvalidInput(f"REDIS_URL: no answer within {seconds:g} s ({error.detail}).") from error
    if policy:
        raise InvalidInput(
            f"REDIS_URL: this store throws keys away when its memory is full (maxmemory-policy {policy}), and "
            "sessions with them; set its maxmemory-policy to noeviction."
        )


def gateway(settings: Settings) -> ProviderGateway | DemoGateway:
    return make_gateway(settings.model)
