"""Constructs the workers: one that advances sessions, and one that brings the outbox to Slack."""

from __future__ import annotations

import logging
import socket
from datetime import timedelta
from functools import partial
from pathlib import Path

from slack_sdk.web.async_client import AsyncWebClient

from bot.compose import Core, now
from bot.install.teams import InstalledTeams
from bot.mcp_servers import connect_servers
from bot.sandbox import Found, find_sandbox, make_executor, missing_grants
from handlers.directories import WorkspaceGone
from handlers.directory import SlackDirectory
from handlers.projection.agent_status import AgentStatuses
from handlers.projection.audience import Audience
from handlers.projection.file_download import FileDownloads
from handlers.projection.log_upload import LogUploads
from handlers.projection.message_poster import MessagePoster
from handlers.projection.people.connect_offers import ConnectOffers
from handlers.projection.people.mentions import Mentions
from handlers.projection.permalinks import Permalinks
from handlers.projection.progress import Progress
from handlers.projection.projector import Projector
from handlers.projection.projectors import Projectors
from handlers.projection.slack_client import SlackSender
from handlers.projection.subagents import SubagentReader
from handlers.projection.whereabouts import Whereabouts
from handlers.users import People
from storage.marks import MarkStore
from storage.queue import SessionQueue
from supervisor.contract.grants import granter
from supervisor.core.errors import InvalidInput
from supervisor.core.events.base import workspace_of
from supervisor.core.state import Session
from supervisor.models.gateway import Gateway
from supervisor.runtime.failing_jobs import FailingJobs
from supervisor.runtime.given_files import Fetch, GivenFiles, no_fetch
from supervisor.runtime.grants import GrantedCalls
from supervisor.runtime.job import Runner
from supervisor.runtime.server_tools import NO_SERVERS
from supervisor.runtime.subagents import Coordinator
from supervisor.runtime.tool_runner import ToolRunner
from supervisor.runtime.work_dirs import WorkDirs
from supervisor.runtime.worker import Worker

_log = logging.getLogger("flagman")


def workers(parts: Core, client: AsyncWebClient, gateway: Gateway) -> tuple[Worker, Worker]:
    """A worker for sessions and one for the outbox to Slack."""
    ready, outbox = parts.queues()
    folder = _folder(parts.settings.workspace_folder)
    folders = WorkDirs(folder)
    found = find_sandbox(parts.settings)
    if found.sandbox is None:
        _log.warning("%s", found.said)
    executor = make_executor(parts.settings, found.sandbox)
    parts.personas.missing = partial(missing_grants, executor=executor)
    for persona in parts.personas.all():
        for sentence in parts.personas.missing(persona):
            _log.warning("persona %s: %s", persona.name, sentence)
    toolrun = ToolRunner(folders, parts.deliveries.deliver, parts.mask, executor, parts.grants, parts.running)
    servers = connect_servers(
        parts.settings,
        parts.mcp,
        parts.tools,
        executor,
        parts.secrets,
        parts.mask.learn,
        parts.connections if any(server.oauth for server in parts.mcp.values()) else None,
    )
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
            parts.sessions,
            parts.log,
            parts.personas,
            partial(granter, parts),
            parts.channels.channel_of,
            now,
        ),
        given=GivenFiles(
            folders,
            FileDownloads(client).fetch if client.token else no_fetch,
            partial(_fetch_of, parts.teams, client) if parts.teams else None,
        ),
        servers=servers or NO_SERVERS,
    )
    # A client without a token reaches no Slack.
    if client.token and not parts.directory.home.connected:
        parts.directory.connect(People(client))
    make = partial(_projector, parts, outbox, folder, found)
    first = make(client, parts.directory.home, "") if client.token or parts.teams is None else None
    shown = Projectors(parts.sessions, parts.teams, make, first) if parts.teams else first
    assert shown, "without workspaces that install it, there is the first one"
    known, settings = parts.sessions.known, parts.settings
    chores = [Progress(parts.printing(), outbox.enqueue).run]
    if settings.keep_for:
        chores.append(parts.leftovers().run)
    times = timedelta(seconds=settings.lease_seconds), timedelta(seconds=settings.grace_seconds)
    return (
        Worker(
            ready,
            runner.advance,
            known,
            give_up=FailingJobs(parts.sessions, now).give_up,
            slots=settings.slots,
            lease=times[0],
            grace=times[1],
        ),
        Worker(
            outbox,
            shown.project,
            known,
            slots=16,
            lease=times[0],
            grace=times[1],
            chores=chores,
        ),
    )


def _projector(
    parts: Core,
    outbox: SessionQueue,
    folder: Path,
    found: Found,
    client: AsyncWebClient,
    directory: SlackDirectory,
    team: str,
) -> Projector:
    """The projector of a workspace."""
    sender = SlackSender(client, parts.rows, team)
    subagents = SubagentReader(parts.sessions, parts.rows, Permalinks(sender), outbox.enqueue)
    uploads = LogUploads(sender, parts.rows, parts.documents().text, now)
    audience = Audience(parts, directory, "" if team else parts.settings.fallback_channel)
    return Projector(
        parts.sessions,
        parts.rows,
        MessagePoster(parts.rows, sender, now, audience),
        audience,
        now,
        parts.mask,
        subagents,
        uploads,
        Mentions(parts.notifications, directory),
        parts.running,
        AgentStatuses(sender, parts.rows, parts.mask),
        sandboxed=found.sandbox is not None,
        risks={name: tool.risk for name, tool in parts.tools.items()},
        whereabouts=Whereabouts(parts.worker_hosts(), socket.gethostname(), str(folder), now),
        offers=ConnectOffers(client, MarkStore(parts.redis)),
    )


async def _fetch_of(teams: InstalledTeams, first: AsyncWebClient, session: Session) -> Fetch:
    """What downloads the files of a session, from the workspace in which they were attached."""
    key = workspace_of(session.origin)
    try:
        return FileDownloads(first if not key and first.token else (await teams.of(key)).outbox).fetch
    except WorkspaceGone:
        return no_fetch


def _folder(path: Path) -> Path:
    path = path.resolve()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInput(f"FLAGMAN_WORKSPACE: {path} cannot be used ({error.strerror}).") from error
    return path
