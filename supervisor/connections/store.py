"""The connections of people to servers: their tokens are encrypted, renewed by one process at a time, and revoked."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from storage.errors import StoreUnavailable
from storage.rows import RowStore
from supervisor.connections.authorization_server import NotAuthorized, refresh, revoke
from supervisor.connections.rows import (
    Client,
    Connection,
    Endpoints,
    Sealed,
    Tokens,
    clean_scopes,
    renewal,
    row_id,
)
from supervisor.core.errors import InvalidInput, Unavailable
from supervisor.mcp.bearer import NoToken
from supervisor.mcp.sealing import Sealer
from supervisor.tools.contract import ConnectionRequired

_PURPOSE = b"flagman connections: "
# How long a process that renews tokens may take before another one tries, and how often the others look.
RENEWING = timedelta(seconds=30)
LOOK_SECONDS = 0.05
# How many tokens of a connection are masked, the latest.
MASKED = 3
_log = logging.getLogger("flagman.connections")


async def _active(person: str) -> bool:
    return True


class Connections:
    """The connections in the store, one for each person and server. Methods raise StoreUnavailable.

    The first of the keys encrypts, and each of them decrypts. Tokens are handed to `learn`, which has them masked, and
    to `forget` once others have taken their place twice. `is_active` returns whether a person's account is active, as
    far as that can be known.
    """

    def __init__(
        self,
        rows: RowStore,
        keys: Sequence[str],
        clock: Callable[[], datetime],
        learn: Callable[[Iterable[str]], None] = lambda _: None,
        forget: Callable[[Iterable[str]], None] = lambda _: None,
        is_active: Callable[[str], Awaitable[bool]] = _active,
    ) -> None:
        self._rows, self._sealer, self._clock = rows, Sealer(keys, _PURPOSE), clock
        self._learn, self._forget, self._is_active = learn, forget, is_active
        # The tokens that are masked, by the id of the row, the latest last.
        self._masked: dict[str, list[Tokens]] = {}
        self._me = secrets.token_hex(8)
        self._renewing: set[asyncio.Task[str]] = set()

    async def get(self, server: str, person: str) -> Connection | None:
        row = await self._rows.get(row_id(server, person))
        return Connection.model_validate_json(row) if row else None

    async def of(self, person: str) -> list[Connection]:
        """Return the connections of a person, by server."""
        found = map(Connection.model_validate_json, (await self._rows.all()).values())
        return sorted((one for one in found if one.person == person), key=lambda one: one.server)

    async def add(
        self, server: str, person: str, team: str, tokens: Tokens, client: Client, endpoints: Endpoints
    ) -> Connection:
        """Store what a person has authorized, in place of what was there.

        That is not revoked: some servers then forget all that the same person has authorized.
        """
        self._mask(row_id(server, person), tokens)
        self._learn([client.client_secret])
        new = Connection(
            id=secrets.token_hex(8),
            server=server,
            person=person,
            team=team,
            account=tokens.account,
            since=self._clock(),
            scopes=tokens.scopes or endpoints.scopes,
            expires_at=tokens.expires_at,
            renew_at=renewal(tokens.expires_at, self._clock()),
            sealed=self._seal(Sealed(tokens=tokens, client=client, endpoints=endpoints)),
        )
        await self._rows.put(new.row_id, _row(new))
        return new

    async def remove(self, server: str, person: str) -> bool:
        """Remove a connection and have its server revoke it. Returns whether the server says that it has.

        Raises InvalidInput where there is none.
        """
        before = await self.get(server, person)
        if before is None or not await self._rows.delete(before.row_id):
            raise InvalidInput(f"You have not connected `{server}`.")
        return await self._revoke(before)

    async def remove_all(self, person: str) -> int:
        """Remove all connections of a person who has left. Returns how many there were."""
        found = await self.of(person)
        for one in found:
            await self._rows.delete(one.row_id)
        await asyncio.gather(*map(self._revoke, found))
        return len(found)

    # For the connections of workers

    async def authorization(self, server: str, person: str) -> str:
        """Return the id of what the person authorized. Raises ConnectionRequired.

        What a person has authorized whose account is not active any more is removed.
        """
        found = await self.get(server, person)
        if found is None or found.refused:
            raise ConnectionRequired(server, person, found.refused if found else "")
        if not await self._is_active(person):
            await self.remove_all(person)
            raise ConnectionRequired(server, person, "the account of this person is deactivated")
        return found.id

    async def token(self, server: str, person: str, *, authorization: str, refused: str = "") -> str:
        """Return a valid token of this authorization, another one than that which was `refused`. Raises NoToken.

        Of several processes that need a new one, the one whose claim is in the row gets it, and the others wait.
        """
        while True:
            found, row, sealed = await self._read(server, person, authorization)
            now = self._clock()
            if found.is_fresh(now) and sealed.tokens.access != refused:
                return sealed.tokens.access
            if not sealed.tokens.refresh:
                await self._note_refusal(found, row, "it has expired")
                raise NoToken("the token has expired")
            if found.is_renewed_by_another(now):
                await asyncio.sleep(LOOK_SECONDS)
                continue
            claimed = found.model_copy(update={"renewing": self._me, "renewing_until": now + RENEWING})
            is_mine = await self._rows.replace(claimed.row_id, row, _row(claimed))
            if is_mine and (new := await self._to_its_end(self._renew(claimed, sealed))):
                return new

    async def _to_its_end(self, renewing: Coroutine[Any, Any, str]) -> str:
        """Await what is not interrupted with the call that wants it: a refresh token is of use once."""
        task = asyncio.create_task(renewing)
        self._renewing.add(task)
        task.add_done_callback(self._has_ended)
        return await asyncio.shield(task)

    def _has_ended(self, task: asyncio.Task[str]) -> None:
        self._renewing.discard(task)
        # Who waited for it may be gone.
        if not task.cancelled() and (error := task.exception()) and not isinstance(error, NoToken):
            _log.warning("tokens could not be renewed: %s", error)

    async def settle(self) -> None:
        """Wait until what is being renewed is stored; called before the process ends."""
        await asyncio.gather(*self._renewing, return_exceptions=True)

    async def refuse(
        self, server: str, person: str, *, authorization: str, refused: str, why: str, scopes: str
    ) -> None:
        """Remember that the server does not take the token, unless there is another one by now."""
        try:
            found, row, sealed = await self._read(server, person, authorization)
        except NoToken:
            return
        if sealed.tokens.access == refused:
            asked = clean_scopes(scopes, sealed.tokens.access, sealed.tokens.refresh)
            await self._note_refusal(found, row, why, asked)

    async def _read(self, server: str, person: str, authorization: str) -> tuple[Connection, bytes, Sealed]:
        """Return the connection, its row as it is stored, and what is sealed in it. Raises NoToken."""
        row = await self._rows.get(row_id(server, person))
        found = Connection.model_validate_json(row) if row else None
        if row is None or found is None or found.id != authorization or found.refused:
            raise NoToken("the person has to connect the server")
        try:
            text, by_first = self._sealer.read(found.sealed)
        except ValueError as error:
            await self._note_refusal(found, row, "its tokens cannot be decrypted")
            raise NoToken(str(error)) from error
        sealed = Sealed.model_validate_json(text)
        self._mask(found.row_id, sealed.tokens)
        self._learn([sealed.client.client_secret])
        if not by_first:
            anew = found.model_copy(update={"sealed": self._sealer.seal(text)})
            if await self._rows.replace(found.row_id, row, _row(anew)):
                return anew, _row(anew), sealed
        return found, row, sealed

    async def _renew(self, claimed: Connection, sealed: Sealed) -> str:
        """Get new tokens, as the claim in the row allows. Returns the token; empty where it is of no use.

        Raises NoToken.
        """
        done = {"renewing": "", "renewing_until": None}
        try:
            new = await refresh(sealed.endpoints, sealed.client, sealed.tokens, self._clock())
        except NotAuthorized as error:
            _log.warning("%s of %s: %s", claimed.server, claimed.person, error)
            await self._note_refusal(claimed, _row(claimed), str(error))
            raise NoToken(str(error)) from error
        except Unavailable as error:
            released = claimed.model_copy(update=done)
            await self._rows.replace(claimed.row_id, _row(claimed), _row(released))
            raise NoToken(str(error)) from error
        self._mask(claimed.row_id, new)
        return await self._keep(claimed, sealed.model_copy(update={"tokens": new}))

    async def _keep(self, claimed: Connection, sealed: Sealed) -> str:
        """Store new tokens, which nobody else has. Returns as `_renew`.

        They count whatever happened to the row meanwhile, unless there are newer ones: what another process took for a
        refusal was that the refresh token had been used here. A store that is away is waited for.
        """
        new, until = sealed.tokens, self._clock() + RENEWING
        while True:
            try:
                row = await self._rows.get(claimed.row_id)
                found = Connection.model_validate_json(row) if row else None
                if row is None or found is None or found.id != claimed.id:
                    # It was removed, or the person has authorized anew.
                    await revoke(sealed.endpoints, sealed.client, new)
                    return ""
                if found.generation != claimed.generation:
                    return ""
                update = {
                    "renewing": "",
                    "renewing_until": None,
                    "refused": "",
                    "asks_for": "",
                    "generation": claimed.generation + 1,
                    "expires_at": new.expires_at,
                    "renew_at": renewal(new.expires_at, self._clock()),
                    "scopes": new.scopes or claimed.scopes,
                    "account": new.account or claimed.account,
                    "sealed": self._seal(sealed),
                }
                if await self._rows.replace(claimed.row_id, row, _row(found.model_copy(update=update))):
                    return new.access
            except StoreUnavailable:
                if self._clock() >= until:
                    raise
                await asyncio.sleep(LOOK_SECONDS)

    async def _note_refusal(self, found: Connection, row: bytes, why: str, scopes: str = "") -> None:
        update = {"refused": why, "asks_for": scopes, "renewing": "", "renewing_until": None}
        await self._rows.replace(found.row_id, row, _row(found.model_copy(update=update)))

    async def _revoke(self, found: Connection) -> bool:
        try:
            sealed = Sealed.model_validate_json(self._sealer.open(found.sealed))
        except ValueError:
            return False
        return await revoke(sealed.endpoints, sealed.client, sealed.tokens)

    def _mask(self, row: str, tokens: Tokens) -> None:
        """Have tokens masked, together with those before them, which may still be somewhere."""
        masked = self._masked.setdefault(row, [])
        if tokens in masked:
            return
        masked.append(tokens)
        self._learn([tokens.access, tokens.refresh])
        if len(masked) > MASKED:
            old, kept = masked.pop(0), {text for one in masked for text in (one.access, one.refresh)}
            self._forget({old.access, old.refresh} - kept)

    def _seal(self, sealed: Sealed) -> str:
        return self._sealer.seal(sealed.model_dump_json())


def _row(connection: Connection) -> bytes:
    return connection.model_dump_json().encode()


async def is_connected(rows: RowStore, server: str, person: str) -> bool:
    """Whether a person has connected a server, and what the person authorized can be used."""
    row = await rows.get(row_id(server, person))
    return row is not None and not Connection.model_validate_json(row).refused
