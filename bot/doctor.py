"""Checks everything that Flagman needs, and reports how to repair what is wrong."""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import aiohttp
from pydantic import SecretStr
from slack_sdk.web.async_client import AsyncWebClient

from bot import sdk
from bot.compose import gateway
from bot.files_check import check_personas, check_tools, writable
from bot.install.flow import INSTALL, REDIRECT
from bot.mcp_check import check_servers
from bot.mcp_servers import configured
from bot.own_tools import all_tools
from bot.sandbox import find_sandbox
from bot.settings import Settings
from bot.setup.checks import call, identity_of, reason, scopes_of, socket_of
from bot.store_check import Finding, check_store, skew
from handlers.directory import SlackDirectory
from handlers.users import People
from storage.clients.replicas import Replicas
from storage.connection import connect, wait_ready
from storage.embedded_server import embedded_server
from storage.errors import DataFolderInUse, StorageError
from supervisor.core.errors import FlagmanError, InvalidInput, MissingScope, NotAllowed, Unavailable
from supervisor.personas.loader import SHIPPED, load_files
from supervisor.personas.names import PersonaNames

KEY_FILES = ("cli.key", "secret_key")
PATIENCE = timedelta(seconds=3)


async def examine(settings: Settings, *, unpark: bool = False) -> AsyncIterator[Finding]:
    """Run all checks and yield their findings; `unpark` queues jobs again that could not be done."""
    files = (check_personas(settings), *check_tools(settings))
    for finding in (*_folders(settings), *files, _sandbox(settings), _webhooks(settings)):
        yield finding
    async for finding in check_servers(settings):
        yield finding
    async for finding in _store(settings, unpark):
        yield finding
    yield await _model(settings)
    async for finding in _slack(settings):
        yield finding


def _folders(settings: Settings) -> Iterator[Finding]:
    yield _folder("Data folder", "FLAGMAN_DATA", settings.data)
    yield _folder("Workspace", "FLAGMAN_WORKSPACE", settings.workspace_folder)
    if settings.data.is_dir():
        files = [settings.data / name for name in KEY_FILES]
        loose = [file for file in files if file.is_file() and _open_to_others(file)]
        if loose:
            names = ", ".join(str(f) for f in loose)
            yield Finding("Key files", "wrong", f"others may read {names}", f"chmod 600 {names}")


def _folder(what: str, variable: str, path: Path) -> Finding:
    where = path.resolve()
    there = where
    while not there.exists() and there != there.parent:
        there = there.parent
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        return Finding(
            what,
            "wrong",
            f"{where} cannot be written",
            f"chown or chmod {there}, or set {variable} elsewhere",
        )
    if where.exists() and writable(where, 0o022):
        return Finding(what, "wrong", f"others may write in {where}", f"chmod go-w {where}")
    return Finding(what, "ok", str(where) if where.exists() else f"{where} (made at the first start)")


def _open_to_others(path: Path) -> bool:
    return bool(stat.S_IMODE(path.stat().st_mode) & 0o077)


def _sandbox(settings: Settings) -> Finding:
    mend = "install bubblewrap, and let its user make namespaces, or set FLAGMAN_SANDBOX=off"
    try:
        found = find_sandbox(settings)
    except InvalidInput as error:
        return Finding("Sandbox", "wrong", str(error), mend)
    if found.sandbox is None:
        return Finding("Sandbox", "note", found.said, mend)
    return Finding("Sandbox", "ok", found.said)


def _webhooks(settings: Settings) -> Finding:
    hooks = settings.hooks
    if not hooks:
        said = "none are taken, so a session that waits for one is resumed by hand only"
        return Finding(
            "Webhooks", "note", said, "set FLAGMAN_WEBHOOK_SECRET to the secret that senders sign with"
        )
    own = sorted(hook for hook in hooks if hook)
    rest = "all others share one secret" if "" in hooks else "no others are taken"
    return Finding(
        "Webhooks",
        "ok",
        f"{', '.join(own)} with secrets of their own; {rest}" if own else "all share one secret",
    )


async def _store(settings: Settings, unpark: bool) -> AsyncIterator[Finding]:
    mend = "set REDIS_URL to a server that answers"
    if not settings.redis_url:
        mend = "let FLAGMAN_DATA be a folder that can be written, or " + mend
    try:
        if not settings.redis_url and not (settings.data / "valkey").exists():
            # To look into it would make it.
            said = f"Flagman has not been started here yet: there is no store in {settings.data.resolve()}"
            found = [
                Finding("Store", "note", said, "flagman serve makes it; or set FLAGMAN_DATA or REDIS_URL")
            ]
        elif settings.redis_url:
            found = await _look(settings.redis_url.get_secret_value(), "", unpark, settings.replicas)
        else:
            async with embedded_server(settings.data) as url:
                found = await _look(url, "embedded", unpark)
    except DataFolderInUse as error:
        found = await _ask_running(error, unpark)
    except (StorageError, OSError) as error:
        found = [Finding("Store", "wrong", str(error), mend)]
    for finding in found:
        yield finding


async def _look(url: str, kind: str, unpark: bool, replicas: Replicas | None = None) -> list[Finding]:
    """What is found in the store at this URL. Raises StorageError or OSError."""
    redis = connect(url)
    try:
        await wait_ready(redis, PATIENCE)
        return [finding async for finding in check_store(redis, kind, unpark=unpark, replicas=replicas)]
    finally:
        await redis.aclose()


async def _ask_running(in_use: DataFolderInUse, unpark: bool) -> list[Finding]:
    """What the running Flagman finds in its embedded store, which nothing else can open."""
    try:
        async with sdk.connect() as remote:
            rows = await remote.call("POST", "/v1/store/check", {"unpark": unpark})
    except (MissingScope, NotAllowed) as error:
        said = f"in use by the running Flagman, which does not tell of it to this key. {error}"
        return [Finding("Store", "note", said, "set FLAGMAN_API_KEY to a key of an admin")]
    except FlagmanError as error:
        return [
            Finding("Store", "wrong", f"{in_use} It does not tell of its store: {error}", "start it again")
        ]
    return [Finding(**row) for row in rows["findings"]]


async def _model(settings: Settings) -> Finding:
    if not settings.model:
        return Finding(
            "Model",
            "note",
            "none, so a scripted demo answers",
            "set FLAGMAN_MODEL=provider:model and the provider's key",
        )
    model = gateway(settings)
    try:
        await model.check()
    except FlagmanError as error:
        return Finding("Model", "wrong", str(error), "set FLAGMAN_MODEL and the provider's key right")
    finally:
        await model.close()
    return Finding("Model", "ok", f"{model.description} (name and key are there; no call was made)")


async def _slack(settings: Settings) -> AsyncIterator[Finding]:
    if settings.installs:
        yield Finding(
            "Workspaces",
            "ok",
            f"install Flagman at {INSTALL}, which Slack has to reach with {REDIRECT}",
        )
    if settings.slack_bot_token is None and settings.installs:
        if settings.slack_app_token:
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
                opened, _ = await call(session, settings, "apps.connections.open", settings.slack_app_token)
                yield socket_of(opened)
        return
    if settings.slack_bot_token is None:
        yield Finding(
            "Slack",
            "note",
            "no SLACK_BOT_TOKEN, so flagman serve opens the playground",
            "docs/slack-app.yaml makes the app; then set SLACK_BOT_TOKEN and SLACK_APP_TOKEN",
        )
        return
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        answer, headers = await call(session, settings, "auth.test", settings.slack_bot_token)
        yield identity_of(settings, answer)
        if answer.get("ok"):
            yield scopes_of(headers)
            yield await _thread(session, settings, settings.slack_bot_token)
            async for finding in _names(settings, settings.slack_bot_token, answer):
                yield finding
        if date := headers.get("Date"):
            yield skew("Slack's clock", _date(date) - datetime.now(UTC))
        if settings.slack_app_token:
            opened, _ = await call(session, settings, "apps.connections.open", settings.slack_app_token)
            yield socket_of(opened)
        else:
            yield Finding(
                "Slack's way in", "note", "HTTP mode", "Slack must reach https://…/slack/events here"
            )


async def _thread(session: aiohttp.ClientSession, settings: Settings, token: SecretStr) -> Finding:
    """Whether the bot can read a thread, in which it looks for what it posted before a crash."""
    what, mend = "Slack's threads", "check the scopes channels:history, groups:history and im:history"
    listed, _ = await call(
        session, settings, "conversations.list", token, exclude_archived="true", limit="200"
    )
    joined = [channel for channel in listed.get("channels") or () if channel.get("is_member")]
    if listed.get("ok") and not joined:
        return Finding(what, "note", "the bot is in no channel yet", "/invite @Flagman to one")
    answer = listed
    if joined:
        where = str(joined[0]["id"])
        answer, _ = await call(session, settings, "conversations.history", token, channel=where, limit="1")
        if messages := answer.get("messages"):
            ts = str(messages[0]["ts"])
            answer, _ = await call(
                session, settings, "conversations.replies", token, channel=where, ts=ts, limit="1"
            )
    if not answer.get("ok"):
        return Finding(what, "wrong", f"cannot be read ({reason(answer)})", mend)
    return Finding(what, "ok", f"read in #{joined[0].get('name', '?')}")


async def _names(settings: Settings, token: SecretStr, identity: dict[str, Any]) -> AsyncIterator[Finding]:
    """Whether the people, groups and workspaces that personas name exist."""
    what = "Names in personas"
    try:
        files = load_files(settings.personas or SHIPPED, all_tools(settings), configured(settings))
    except FlagmanError:
        yield Finding(what, "note", "not looked at, since the personas cannot be read")
        return
    directory = SlackDirectory(settings.admin_ids, settings.team_ids)
    names = PersonaNames(lambda: files, directory.look_up)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        client = AsyncWebClient(
            token=token.get_secret_value(), base_url=settings.slack_api_url, session=session
        )
        directory.connect(People(client), identity)
        reports = [await names.report(persona) for persona in names.personas]
    mend = "mend that line; until then the persona cannot be launched"
    for error in (error for report in reports for error in report.errors):
        yield Finding(what, "wrong", str(error), mend)
    for said in (said for report in reports for said in report.notes):
        yield Finding(what, "note", said, "put people into it; until then nobody approves in its name")
    mend = "check the scopes; without user groups, name users in the approvals of the personas"
    for said in (said for report in reports for said in report.unknown):
        yield Finding(what, "wrong", said, mend)
    if not any(report.errors or report.notes or report.unknown for report in reports):
        yield Finding(what, "ok", "Slack knows all of them" if reports else "no persona names anybody")


def _date(text: str) -> datetime:
    try:
        return parsedate_to_datetime(text).astimezone(UTC)
    except ValueError:
        return datetime.now(UTC)


async def reaching() -> AsyncIterator[Finding]:
    """Check whether commands and programs on this machine reach a Flagman, and with which scopes."""
    what, mend = "Running Flagman", "start it with flagman serve, or set FLAGMAN_URL and FLAGMAN_API_KEY"
    try:
        async with sdk.connect() as remote:
            me = await remote.call("GET", "/v1/me")
            personas = (await remote.call("GET", "/v1/personas"))["personas"] if _reads(me) else []
    except Unavailable as error:
        yield Finding(what, "note", str(error), mend)
    except NotAllowed as error:
        mend = "start it with FLAGMAN_USER set to the id of an active account, or set FLAGMAN_API_KEY"
        yield Finding(what, "wrong", f"it knows whose key this is. {error}", mend)
    except FlagmanError as error:
        yield Finding(what, "wrong", str(error), "flagman keys create makes a key; set FLAGMAN_API_KEY")
    else:
        yield Finding(what, "ok", f"{remote.url}, as {me['name']} ({', '.join(me['scopes'])})")
        for row in personas:
            if problem := row.get("problem"):
                yield Finding("Personas there", "wrong", f"{row['name']}: {problem}", "mend its file")
            for note in row.get("notes", ()):
                yield Finding(
                    "Personas there", "note", f"{row['name']}: {note}", "mend its file, or what it names"
                )


def _reads(me: dict[str, Any]) -> bool:
    return bool({"read", "read_all", "admin"} & set(me["scopes"]))
