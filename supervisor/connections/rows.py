"""What is stored of a connection: the tokens and the client are sealed, the rest is read by people."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta

from pydantic import AwareDatetime

from supervisor.core.messages import Frozen

# A token is renewed so long before it expires, or in the last quarter of its time.
MARGIN = timedelta(seconds=20)


# Characters of scopes, and from which on a text is taken for a part of a secret.
LONGEST_SCOPES, SHORTEST_PART = 1000, 8
_SCOPE = re.compile(r"[!#-\[\]-~]{1,200}")


class Client(Frozen):
    """Flagman as an authorization server knows it; `method` is how it proves that at the token endpoint."""

    client_id: str
    client_secret: str = ""
    method: str = "none"


class Endpoints(Frozen):
    """Where an authorization server does what, and for which resource and scopes it is asked."""

    issuer: str
    authorize: str
    token: str
    register_at: str = ""
    revoke: str = ""
    resource: str = ""
    scopes: str = ""
    methods: tuple[str, ...] = ()
    names_itself: bool = False


class Tokens(Frozen):
    """What a token endpoint gave. `account` is the name of the account there, where it says one."""

    access: str
    refresh: str = ""
    expires_at: AwareDatetime | None = None
    scopes: str = ""
    account: str = ""


class Sealed(Frozen):
    """The part of a connection that is encrypted in the store."""

    tokens: Tokens
    client: Client
    endpoints: Endpoints


class Connection(Frozen):
    """A person's connection to a server; `sealed` is a `Sealed`, encrypted.

    `id` is another one each time that the person authorizes, `generation` counts the tokens since. `refused` says why
    the server takes them no longer; they are renewed from `renew_at` on. `asks_for` says which scopes it wants. Until
    `renewing_until` the process `renewing` is getting new tokens.
    """

    id: str
    server: str
    person: str
    team: str = ""
    account: str = ""
    since: AwareDatetime
    scopes: str = ""
    expires_at: AwareDatetime | None = None
    renew_at: AwareDatetime | None = None
    generation: int = 1
    refused: str = ""
    asks_for: str = ""
    renewing: str = ""
    renewing_until: AwareDatetime | None = None
    sealed: str

    @property
    def row_id(self) -> str:
        return row_id(self.server, self.person)

    def is_fresh(self, now: datetime) -> bool:
        """Whether its token is valid for some time to come."""
        return self.renew_at is None or now < self.renew_at

    def is_renewed_by_another(self, now: datetime) -> bool:
        return self.renewing_until is not None and now < self.renewing_until


def is_part(text: str, secret: Iterable[str]) -> bool:
    """Whether a text that a server chose has one of its secrets in it, or is a longer part of one."""
    return any(one and (one in text or (len(text) >= SHORTEST_PART and text in one)) for one in secret)


def clean_scopes(text: str, *secret: str) -> str:
    """Return the names of scopes that a server gave: those of the standard's form, in bounds, and no secret."""
    kept = [name for name in text[:LONGEST_SCOPES].split() if _SCOPE.fullmatch(name)]
    return " ".join(name for name in kept if not is_part(name, secret))


def renewal(expires_at: datetime | None, now: datetime) -> datetime | None:
    """Return when a token that was given now is renewed; None where it does not expire."""
    return None if expires_at is None else expires_at - min(MARGIN, (expires_at - now) / 4)


def row_id(server: str, person: str) -> str:
    """Return the id of the row; a name of a server has no blank."""
    return f"{server} {person}"
