"""How a person connects a server: a private link, the page behind it, and the way back from the server's sign-in.

Three things hold a connection together. The link is given to one person alone, works once and for ten minutes. The
browser that opens its page gets a cookie, without which neither what the page sends nor the way back does anything: so
nobody is led through it from another site, and what one browser began no other one ends. And the code of the server is
of use only together with a verifier that stays here.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode, urlsplit

from itsdangerous import BadData, URLSafeTimedSerializer

from storage.rows import ExpiringStore, RowStore
from supervisor.connections.authorization_server import NotAuthorized, discover, exchange, register
from supervisor.connections.rows import Client, Connection, Endpoints
from supervisor.connections.store import Connections
from supervisor.core.errors import InvalidInput
from supervisor.core.events import Actor
from supervisor.core.messages import Frozen
from supervisor.mcp.config import Server
from supervisor.mcp.sealing import Sealer

LIFETIME = timedelta(minutes=10)
START, CALLBACK = "/oauth/start", "/oauth/callback"
_SALT = "flagman.connect.1"
_PURPOSE = b"flagman registrations: "
# Characters of what comes in an address.
_LONGEST = 4096
# After so many sign-ins from which nobody came back, Flagman is registered anew: a server that has forgotten a client
# says so on its own page, and leads nobody back.
MOST_UNANSWERED = 2
OVER = (
    "This link has expired or was used before. What it has connected stays connected. "
    "If it has not, ask for a new one where you got it."
)
ELSEWHERE = "This was begun in another browser, or by somebody else. Open the link that you were given, and stay there."


class Begun(Frozen):
    """What a link is for, and, once its page was confirmed, what the way back needs; `verifier` is sealed."""

    server: str
    person: str
    name: str
    team: str
    cookie: str = ""
    verifier: str = ""
    endpoints: Endpoints | None = None
    client: str = ""


@dataclass(frozen=True)
class Step:
    """Where the browser goes, and the cookie that it gets for it."""

    address: str
    cookie_name: str
    cookie: str


class Linking:
    """Gives links and follows them up. Methods raise InvalidInput with a sentence for the page, or Unavailable.

    `public` is the address by which browsers reach Flagman. The first of the keys signs, and all are accepted.
    """

    def __init__(
        self,
        servers: Mapping[str, Server],
        connections: Connections,
        begun: ExpiringStore,
        registrations: RowStore,
        keys: Sequence[str],
        public: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._servers, self._connections, self._begun = servers, connections, begun
        self._registrations, self._clock = registrations, clock
        self._public = public.rstrip("/")
        self._sealer = Sealer(keys, _PURPOSE)
        self._signer = URLSafeTimedSerializer(
            list(reversed(keys)), salt=_SALT, signer_kwargs={"digest_method": hashlib.sha256}
        )

    @property
    def redirect(self) -> str:
        return f"{self._public}{CALLBACK}"

    @property
    def is_https(self) -> bool:
        return self._public.startswith("https://")

    def names(self) -> list[str]:
        """Return the names of the servers that each person connects."""
        return sorted(name for name, server in self._servers.items() if server.oauth)

    async def link(self, server: str, actor: Actor) -> tuple[str, datetime]:
        """Return an address at which this person connects a server, and until when. Raises InvalidInput."""
        self._server(server)
        flow = secrets.token_urlsafe(24)
        team = actor.teams[0] if actor.teams else ""
        begun = Begun(server=server, person=actor.person, name=actor.name, team=team)
        await self._begun.put(flow, begun.model_dump_json().encode(), LIFETIME)
        address = f"{self._public}{START}?{urlencode({'link': self._sign('start', flow)})}"
        return address, self._clock().replace(microsecond=0) + LIFETIME

    async def open(self, link: str) -> tuple[Begun, Step]:
        """Return what a link is for, and the cookie of the browser that opened it. It can be opened again."""
        flow = self._read("start", link)
        begun = await self._stored(await self._begun.get(flow))
        return begun, Step(begun.server, self._cookie_name(flow), self._sign("browser", flow))

    async def begin(self, link: str, cookies: Mapping[str, str]) -> Step:
        """Use a link up. Returns the sign-in of the server, and the cookie by which the way back knows the browser."""
        flow = self._read("start", link)
        if self._read("browser", cookies.get(self._cookie_name(flow), ""), ELSEWHERE) != flow:
            raise InvalidInput(ELSEWHERE)
        from mcp.client.auth import PKCEParameters

        begun = await self._stored(await self._begun.take(flow))
        server = self._server(begun.server)
        endpoints = await discover(server)
        standing = await self._connections.get(server.name, begun.person)
        if standing and standing.asks_for:
            scopes = dict.fromkeys([*endpoints.scopes.split(), *standing.asks_for.split()])
            endpoints = endpoints.model_copy(update={"scopes": " ".join(scopes)})
        client = await self._client(server, endpoints)
        state, cookie, pkce = secrets.token_urlsafe(24), secrets.token_urlsafe(32), PKCEParameters.generate()
        kept = begun.model_copy(
            update={
                "cookie": _hash(cookie),
                "verifier": self._sealer.seal(pkce.code_verifier),
                "endpoints": endpoints,
                "client": self._sealer.seal(client.model_dump_json()),
            }
        )
        await self._begun.put(state, kept.model_dump_json().encode(), LIFETIME)
        asked = {
            "response_type": "code",
            "client_id": client.client_id,
            "redirect_uri": self.redirect,
            "state": self._sign("state", state),
            "code_challenge": pkce.code_challenge,
            "code_challenge_method": "S256",
            "resource": endpoints.resource,
        }
        if endpoints.scopes:
            asked["scope"] = endpoints.scopes
        joined = "&" if urlsplit(endpoints.authorize).query else "?"
        return Step(f"{endpoints.authorize}{joined}{urlencode(asked)}", self._cookie_name(state), cookie)

    async def finish(self, query: Mapping[str, str], cookies: Mapping[str, str]) -> tuple[Begun, Connection]:
        """Take the way back: get the tokens for the code, and store them for the person whom the link was given to."""
        state = self._read("state", query.get("state", ""))
        # It is used up whatever comes next, so that nobody tries codes or cookies.
        begun = await self._stored(await self._begun.take(state))
        given = _hash(cookies.get(self._cookie_name(state), ""))
        if not begun.endpoints or not hmac.compare_digest(given, begun.cookie):
            raise InvalidInput(ELSEWHERE)
        self._check_issuer(query.get("iss"), begun.endpoints)
        await self._note_answer(begun.server)
        if query.get("error"):
            raise InvalidInput(f"`{begun.server}` was not connected: its sign-in was cancelled or refused.")
        code = query.get("code", "")
        if not code or len(code) > _LONGEST:
            raise InvalidInput(f"`{begun.server}` was not connected: its sign-in came back without a code.")
        client = Client.model_validate_json(self._opened(begun.client))
        verifier = self._opened(begun.verifier)
        try:
            tokens = await exchange(begun.endpoints, client, code, verifier, self.redirect, self._clock())
        except NotAuthorized as error:
            # The registration may be the reason, and is made anew the next time.
            await self._registrations.delete(self._registration(begun.server))
            raise InvalidInput(f"`{begun.server}` was not connected: {error}.") from error
        connection = await self._connections.add(
            begun.server, begun.person, begun.team, tokens, client, begun.endpoints
        )
        return begun, connection

    # Parts

    def _server(self, name: str) -> Server:
        server = self._servers.get(name)
        if server and server.oauth:
            return server
        known = ", ".join(f"`{one}`" for one in self.names())
        which = f"choose one of: {known}" if known else "none of FLAGMAN_MCP is"
        raise InvalidInput(f"`{name[:40]}` is no server that people connect; {which}.")

    def _check_issuer(self, issuer: str | None, endpoints: Endpoints) -> None:
        """Raise InvalidInput where the answer is from another server than the one that was asked."""
        missing = issuer is None and endpoints.names_itself
        if missing or (issuer is not None and issuer != endpoints.issuer):
            raise InvalidInput("The answer came from another sign-in than the one that was asked.")

    async def _client(self, server: Server, endpoints: Endpoints) -> Client:
        """Return Flagman as the authorization server knows it; it is registered once for each address of its own."""
        settings = server.oauth
        if settings and settings.client_id:
            return await register(server, endpoints, self.redirect)
        row_id = self._registration(server.name)
        if row := await self._registrations.get(row_id):
            issuer, sealed, unanswered = _registered(row)
            if issuer == endpoints.issuer and unanswered < MOST_UNANSWERED:
                try:
                    client = Client.model_validate_json(self._sealer.open(sealed))
                except ValueError:
                    pass
                else:
                    await self._registrations.put(row_id, _registration(issuer, sealed, unanswered + 1))
                    return client
        client = await register(server, endpoints, self.redirect)
        sealed = self._sealer.seal(client.model_dump_json())
        await self._registrations.put(row_id, _registration(endpoints.issuer, sealed, 1))
        return client

    async def _note_answer(self, server: str) -> None:
        """Remember that the authorization server knows Flagman: somebody came back from its sign-in."""
        row_id = self._registration(server)
        if row := await self._registrations.get(row_id):
            issuer, sealed, _ = _registered(row)
            await self._registrations.replace(row_id, row, _registration(issuer, sealed, 0))

    def _registration(self, server: str) -> str:
        return f"{server} {self.redirect}"

    async def _stored(self, row: bytes | None) -> Begun:
        if row is None:
            raise InvalidInput(OVER)
        return Begun.model_validate_json(row)

    def _opened(self, sealed: str) -> str:
        try:
            return self._sealer.open(sealed)
        except ValueError as error:
            raise InvalidInput(OVER) from error

    def _cookie_name(self, flow: str) -> str:
        """Return the name of the cookie of a step; several can be under way in one browser.

        By its prefix a browser takes it from nobody but this very host.
        """
        prefix = "__Host-" if self.is_https else ""
        return f"{prefix}flagman-connect-{_hash(flow)[:16]}"

    def _sign(self, kind: str, value: str) -> str:
        return str(self._signer.dumps([kind, value]))

    def _read(self, kind: str, text: str, problem: str = OVER) -> str:
        try:
            said = self._signer.loads(text[:_LONGEST], max_age=int(LIFETIME.total_seconds()))
        except BadData:
            raise InvalidInput(problem) from None
        if not isinstance(said, list) or len(said) != 2 or said[0] != kind:
            raise InvalidInput(problem)
        return str(said[1])


def _registration(issuer: str, sealed: str, unanswered: int) -> bytes:
    return f"{issuer} {sealed} {unanswered}".encode()


def _registered(row: bytes) -> tuple[str, str, int]:
    """Return the issuer, the sealed client, and how many sign-ins with it had no answer so far."""
    issuer, sealed, *unanswered = row.decode().split(" ")
    return issuer, sealed, int(*unanswered)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
