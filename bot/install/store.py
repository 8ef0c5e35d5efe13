"""The workspaces that installed Flagman, as rows of the store: slack_sdk's installation store over ours.

A row is named by the team, or by the organisation where Flagman was installed for all of it. A workspace of such an
organisation has a row of its own once something came from it, which leads to that of the organisation.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from logging import Logger
from typing import Any, Literal, NamedTuple

import aiohttp
from pydantic import ValidationError
from slack_sdk.errors import SlackApiError
from slack_sdk.oauth.installation_store import Bot, Installation
from slack_sdk.oauth.installation_store.async_installation_store import AsyncInstallationStore
from slack_sdk.web.async_client import AsyncWebClient

from handlers.users import code_of
from storage.rows import RowStore
from supervisor.core.errors import InvalidInput
from supervisor.core.messages import Frozen
from supervisor.mcp.sealing import Sealer

# A token is rotated so long before it ends; Slack's last for twelve hours.
EARLY = timedelta(hours=2)
# How long a process may take to rotate a token before another one tries, and the wait after a refusal.
ROTATING, REFUSED_FOR = timedelta(seconds=30), timedelta(minutes=5)
LOOK_SECONDS = 0.05
FIRST = "first"
_log = logging.getLogger("flagman.install")


class Row(Frozen):
    """`installed` is a workspace or an organisation, `within` leads to that; `first` names the first workspace.

    `tokens` are encrypted. Until `rotating_until` a process is about to rotate them; `problem` is why it could not.
    """

    kind: Literal["installed", "within", "first"] = "installed"
    team_id: str = ""
    enterprise_id: str = ""
    name: str = ""
    url: str = ""
    app_id: str = ""
    bot_id: str = ""
    bot_user_id: str = ""
    scopes: str = ""
    by: str = ""
    at: float = 0
    tokens: str = ""
    expires_at: float = 0
    rotating_until: float = 0
    problem: str = ""

    @property
    def row_id(self) -> str:
        return self.team_id or self.enterprise_id

    @property
    def is_organisation(self) -> bool:
        return self.kind == "installed" and not self.team_id

    @property
    def data(self) -> bytes:
        return self.model_dump_json(exclude_defaults=True).encode()


class Installed(NamedTuple):
    """A row, and the token of its bot."""

    row: Row
    token: str


class Installations(AsyncInstallationStore):
    """Finds, keeps, rotates and removes installations.

    Methods raise StoreUnavailable, or InvalidInput where none of the keys decrypts a token.
    """

    def __init__(
        self,
        rows: RowStore,
        sealer: Sealer,
        clock: Callable[[], datetime],
        client: Callable[[], AsyncWebClient],
        client_id: str,
        client_secret: str,
    ) -> None:
        """`client` makes a client without a token, which rotates those that end."""
        self._rows, self._sealer, self.now, self._client = rows, sealer, clock, client
        self._id, self._secret = client_id, client_secret

    @property
    def logger(self) -> Logger:
        return _log

    # What Bolt's flow calls

    async def async_save(self, installation: Installation) -> None:
        """Keep an installation in place of an earlier one of the same workspace."""
        team = "" if installation.is_enterprise_install else installation.team_id or ""
        name = installation.enterprise_name if not team else installation.team_name
        row = Row(
            team_id=team,
            enterprise_id=installation.enterprise_id or "",
            name=name or "",
            url=str(installation.get_custom_value("url") or ""),
            app_id=installation.app_id or "",
            bot_id=installation.bot_id or "",
            bot_user_id=installation.bot_user_id or "",
            scopes=",".join(installation.bot_scopes or ()),
            by=installation.user_id or "",
            at=self.now().timestamp(),
            tokens=self._closed(installation.bot_token or "", installation.bot_refresh_token or ""),
            expires_at=float(installation.bot_token_expires_at or 0),
        )
        await self._rows.put(row.row_id, row.data)

    async def async_save_bot(self, bot: Bot) -> None:
        """Keep new tokens of an installation that is there."""
        found = await self._row((bot.enterprise_id or "") if bot.is_enterprise_install else bot.team_id or "")
        if found is None:
            return
        tokens = self._closed(bot.bot_token, bot.bot_refresh_token or "")
        row = found.model_copy(
            update={"tokens": tokens, "expires_at": float(bot.bot_token_expires_at or 0), "problem": ""}
        )
        await self._rows.put(row.row_id, row.data)

    async def async_find_bot(
        self, *, enterprise_id: str | None, team_id: str | None, is_enterprise_install: bool | None = False
    ) -> Bot | None:
        """The bot of a workspace, or of the whole organisation, with a token that lasts."""
        found = await self.find(team_id or "", enterprise_id or "")
        if found is None:
            return None
        row = found.row
        return Bot(
            app_id=row.app_id,
            enterprise_id=row.enterprise_id or None,
            team_id=row.team_id or None,
            team_name=row.name,
            bot_token=found.token,
            bot_id=row.bot_id,
            bot_user_id=row.bot_user_id,
            bot_scopes=row.scopes,
            bot_token_expires_at=int(row.expires_at) or None,
            is_enterprise_install=row.is_organisation,
            installed_at=row.at,
        )

    async def async_find_installation(
        self,
        *,
        enterprise_id: str | None,
        team_id: str | None,
        user_id: str | None = None,
        is_enterprise_install: bool | None = False,
    ) -> Installation | None:
        """As `async_find_bot`; no token of a person is kept."""
        bot = await self.async_find_bot(enterprise_id=enterprise_id, team_id=team_id)
        return Installation(user_id=user_id or "", **vars(bot)) if bot else None

    async def async_delete_bot(self, *, enterprise_id: str | None, team_id: str | None) -> None:
        """Remove an installation with its tokens."""
        await self._rows.delete(team_id or enterprise_id or "")

    async def async_delete_installation(
        self, *, enterprise_id: str | None, team_id: str | None, user_id: str | None = None
    ) -> None:
        """As `async_delete_bot`."""
        await self.async_delete_bot(enterprise_id=enterprise_id, team_id=team_id)

    # What Flagman calls

    async def find(self, team_id: str, enterprise_id: str = "", *, first: bool = False) -> Installed | None:
        """The installation for a workspace, with a token that lasts; None where there is none."""
        row = await self._row(team_id) if team_id else None
        if row is not None and row.kind == "within":
            row = await self._row(row.enterprise_id)
        elif row is None and enterprise_id and (row := await self._row(enterprise_id)) and team_id:
            within = Row(kind="within", team_id=team_id, enterprise_id=enterprise_id)
            await self._rows.add(team_id, within.data)
        if row is None or row.kind != "installed":
            return None
        return await self._lasting(row)

    async def first(self) -> str:
        """The id of the first workspace, whose ids need no workspace; empty where there was none."""
        row = await self._row(FIRST)
        return row.team_id if row else ""

    async def set_first(self, team_id: str) -> None:
        """Remember the workspace of SLACK_BOT_TOKEN, so that it stays the first one when it installs by itself."""
        row = Row(kind="first", team_id=team_id)
        if await self._rows.get(FIRST) != row.data:
            await self._rows.put(FIRST, row.data)

    async def all(self) -> list[Row]:
        """All workspaces and organisations."""
        rows = [row for data in (await self._rows.all()).values() if (row := _parsed(data))]
        return [row for row in rows if row.kind != "first"]

    async def remove(self, row_id: str) -> None:
        """Remove an installation with its tokens."""
        await self._rows.delete(row_id)

    async def reseal(self) -> int:
        """Encrypt all tokens with the first key that are encrypted with an earlier one; returns their number."""
        done = 0
        for row in await self.all():
            text, is_current = self._read(row.tokens) if row.tokens else ("", True)
            if not is_current:
                tokens = self._sealer.seal(text)
                done += await self._rows.replace(
                    row.row_id, row.data, row.model_copy(update={"tokens": tokens}).data
                )
        return done

    # Rotating

    async def _lasting(self, row: Row) -> Installed | None:
        """The installation with a token that lasts: of all processes, one rotates it, and the others wait for that."""
        while True:
            now = self.now().timestamp()
            if not row.tokens:
                return None
            tokens = self.tokens_of(row)
            if not row.expires_at or row.expires_at - now > EARLY.total_seconds() or not tokens["refresh"]:
                return Installed(row, tokens["bot"])
            if row.rotating_until <= now:
                until = now + ROTATING.total_seconds()
                claimed = row.model_copy(update={"rotating_until": until, "problem": ""})
                if await self._rows.replace(row.row_id, row.data, claimed.data):
                    row = await self._rotated(claimed, tokens["refresh"])
                    now = self.now().timestamp()
                    if not row.tokens or 0 < row.expires_at <= now:
                        return None
                    return Installed(row, self.tokens_of(row)["bot"])
            elif row.expires_at > now:
                return Installed(row, tokens["bot"])
            elif row.problem:
                return None
            else:
                await asyncio.sleep(LOOK_SECONDS)
            again = await self._row(row.row_id)
            if again is None or again.kind != "installed":
                return None
            row = again

    async def _rotated(self, claimed: Row, refresh: str) -> Row:
        """The row with new tokens, which only the process that claimed it writes."""
        changed: dict[str, Any]
        now = self.now().timestamp()
        try:
            answer: Any = await self._client().oauth_v2_access(
                client_id=self._id,
                client_secret=self._secret,
                grant_type="refresh_token",
                refresh_token=refresh,
            )
            changed = {
                "tokens": self._closed(str(answer["access_token"]), str(answer["refresh_token"])),
                "expires_at": now + float(answer["expires_in"]),
                "rotating_until": 0,
            }
        except (SlackApiError, aiohttp.ClientError, TimeoutError, OSError) as error:
            problem = code_of(error) or type(error).__name__
            _log.error("the token of %s is not rotated (%s)", claimed.name or claimed.row_id, problem)
            changed = {"rotating_until": now + REFUSED_FOR.total_seconds(), "problem": problem}
        row = claimed.model_copy(update=changed)
        if await self._rows.replace(claimed.row_id, claimed.data, row.data):
            return row
        # It was installed again, or removed, meanwhile.
        return await self._row(claimed.row_id) or claimed.model_copy(update={"expires_at": 0, "tokens": ""})

    def _closed(self, bot: str, refresh: str) -> str:
        return self._sealer.seal(json.dumps({"bot": bot, "refresh": refresh}))

    def tokens_of(self, row: Row) -> dict[str, str]:
        """The token of the bot, and its refresh token, empty where it does not end. Raises InvalidInput."""
        found: dict[str, str] = json.loads(self._read(row.tokens)[0])
        return found

    def _read(self, sealed: str) -> tuple[str, bool]:
        """What was encrypted, and whether the first key decrypts it. Raises InvalidInput."""
        try:
            return self._sealer.read(sealed)
        except ValueError as error:
            raise InvalidInput(
                f"A stored token of a workspace cannot be decrypted: {error}; give that key, too, or install Flagman "
                "there again."
            ) from error

    async def _row(self, row_id: str) -> Row | None:
        data = await self._rows.get(row_id) if row_id else None
        return _parsed(data) if data else None


def _parsed(data: bytes) -> Row | None:
    try:
        return Row.model_validate_json(data)
    except ValidationError as error:
        _log.error("an installation cannot be read: %s", error)
        return None
