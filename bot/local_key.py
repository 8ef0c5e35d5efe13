"""An API key in `FLAGMAN_DATA/cli.key` for programs of the same user on this machine, while `flagman serve` runs."""

from __future__ import annotations

import getpass
import json
import logging
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from storage.errors import StorageError
from supervisor.api_keys import LOCAL
from supervisor.core.errors import FlagmanError, InvalidInput
from supervisor.core.events import Actor

if TYPE_CHECKING:
    from bot.compose import Core
    from bot.settings import Settings
    from supervisor.api_keys import ApiKeys, Scope

KEY_FILE = "cli.key"
MOST_OF_A_NAME = 20
ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104  only replaced by loopback addresses
_log = logging.getLogger("flagman")
_NO_NAME = re.compile(r"[^a-z0-9._-]+")


@dataclass(frozen=True)
class LocalKey:
    """A key, with the only address to which it may be sent."""

    url: str
    key: str


def read_local_key(data: Path) -> LocalKey | None:
    """The key of the running Flagman; None where there is none."""
    try:
        row = json.loads((data / KEY_FILE).read_text(encoding="utf-8"))
        return LocalKey(str(row["url"]), str(row["key"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def address(host: str, port: int) -> str:
    """The URL at which programs on this machine reach a server that listens on this host and port."""
    host = ANY_ADDRESS.get(host, host)
    return f"http://{f'[{host}]' if ':' in host and not host.startswith('[') else host}:{port}"


@asynccontextmanager
async def local_key(parts: Core, settings: Settings) -> AsyncIterator[None]:
    """Create a key and write its file; at the end, revoke it. Raises InvalidInput."""
    keys, path = parts.api_keys(), settings.data / KEY_FILE
    former = read_local_key(settings.data)
    if former:
        await _revoke(keys, former.key)
    # The key can do what its person can: without named admins, the user of this machine is the only one there is.
    is_admin = not settings.admin_ids or settings.user in settings.admin_ids
    scopes: list[Scope] = ["admin"] if is_admin else ["launch", "approve", "read"]
    key = await _create(keys, scopes, settings.user)
    await _warn_of_owner(parts, settings.user)
    _write(path, LocalKey(address(settings.host, settings.port), key))
    try:
        yield
    finally:
        current = read_local_key(settings.data)
        if current and current.key == key:
            path.unlink(missing_ok=True)
        await _revoke(keys, key)


async def _warn_of_owner(parts: Core, user: str) -> None:
    """Log that the key is of nobody who has rights; where Slack does not answer, nothing is known."""
    with suppress(FlagmanError):
        actor = Actor(id="api:local", kind="program", owner=f"slack:{user}" if user else "")
        if (await parts.directory.identify(actor)).kind == "deactivated":
            _log.warning(
                "FLAGMAN_USER: Slack knows no active account %s, so the command line may do nothing here",
                user,
            )


async def _create(keys: ApiKeys, scopes: list[Scope], owner: str) -> str:
    """The text of a key with the name of this user, or with a number behind it where another key has the name."""
    for suffix in ("", *(f"-{number}" for number in range(2, MOST_OF_A_NAME))):
        try:
            return (await keys.create(f"{user_name()[:36]}{suffix}", scopes, LOCAL, owner=owner))[1]
        except InvalidInput as taken:
            problem = taken
    raise problem


async def _revoke(keys: ApiKeys, key: str) -> None:
    """Revoke a key; an error of the store is ignored."""
    with suppress(FlagmanError, StorageError):
        await keys.revoke(key.split("_")[1] if key.count("_") >= 2 else key)


def user_name() -> str:
    """The name under which this user acts, in the form of a key's name."""
    try:
        name = _NO_NAME.sub("-", getpass.getuser().lower()).strip("-._0123456789")[:40]
    except (OSError, KeyError):
        name = ""
    return name or "local"


def _write(path: Path, key: LocalKey) -> None:
    """Replace the file in one step; no other user can read it. Raises InvalidInput."""
    new = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(key), file)
        new.replace(path)
    except OSError as error:
        raise InvalidInput(f"FLAGMAN_DATA: {path} cannot be written ({error.strerror}).") from error
