"""API keys: each has a name and scopes. Only hashes are stored; a secret is shown once."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Literal, get_args

from pydantic import ValidationError

from storage.api_keys import ApiKeyStore
from supervisor.core.errors import InvalidInput, KeyNotFound, KeyRefused, MissingScope
from supervisor.core.events import Actor
from supervisor.core.messages import Frozen

Scope = Literal["launch", "approve", "read", "read_all", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
SHORTEST = 16
MOST = 500
# The maker of the keys that last as long as a process.
LOCAL = "serve"
FRESH = timedelta(minutes=1)
# Lower case only, so that no name can pass for the id of a person.
_NAME = re.compile(r"^[a-z][a-z0-9._-]{0,39}$")
_OWNER = re.compile(r"^([TE][A-Z0-9]{2,20}/)?[UW][A-Z0-9]{2,20}$")
_FORM = (
    "name:scope+scope:key or name@U0123ABCD:scope+scope:key, "
    "with the scopes launch, approve, read, read_all and admin"
)


class ApiKey(Frozen):
    """`hash` is the SHA-256 of the secret in hexadecimal; a key from the environment has no `created_at`.

    `owner` is the id of the person whose key it is, empty for a key of a program: what the key does counts as done by
    that person. `apart`: an earlier version gave its name to several keys, so its id tells it from them.
    """

    id: str
    name: str
    scopes: tuple[Scope, ...]
    hash: str
    created_at: datetime | None = None
    created_by: str = ""
    owner: str = ""
    apart: bool = False

    @property
    def actor(self) -> Actor:
        """The actor of requests with this key. A key without an owner belongs to no group of a policy."""
        return Actor(
            id=f"api:{self.name}#{self.id}" if self.apart else f"api:{self.name}",
            name=self.name,
            kind="program",
            owner=f"slack:{self.owner}" if self.owner else "",
            admin="admin" in self.scopes,
            reads_all=self.may("read_all"),
            key=self.id,
        )

    def may(self, scope: Scope) -> bool:
        implied = scope == "read" and "read_all" in self.scopes
        return scope in self.scopes or implied or "admin" in self.scopes

    def need(self, scope: Scope) -> None:
        """Raise MissingScope unless the key has the scope."""
        if not self.may(scope):
            raise MissingScope(scope)


def parse_keys(text: str) -> tuple[tuple[ApiKey, str], ...]:
    """Return the keys of `FLAGMAN_API_KEYS` with their secrets. Raises ValueError without a secret in its message."""
    found: list[tuple[ApiKey, str]] = []
    names: dict[str, int] = {}
    for position, entry in enumerate((part.strip() for part in text.split(",")), start=1):
        if not entry:
            continue
        parts = entry.split(":", 2)
        (name, at, owner), scopes = (
            parts[0].partition("@"),
            tuple(parts[1].split("+")) if len(parts) == 3 else (),
        )
        owned = not at or _OWNER.match(owner) is not None
        if (
            len(parts) != 3
            or not _NAME.match(name)
            or not owned
            or not scopes
            or not set(scopes) <= set(SCOPES)
        ):
            raise ValueError(f"entry {position} must have the form {_FORM}")
        if len(parts[2]) < SHORTEST:
            raise ValueError(f"the key of entry {position} must have {SHORTEST} characters or more")
        if (first := names.setdefault(name, position)) != position:
            raise ValueError(f"entry {position} has the name of entry {first}; give each key its own")
        key = ApiKey(id=f"env{position}", name=name, scopes=scopes, hash=_hash(parts[2]), owner=owner)
        found.append((key, parts[2]))
    return tuple(found)


def check_new_key(name: str, scopes: Sequence[str], owner: str) -> None:
    """Raise InvalidInput where no key can have this name, these scopes and this owner."""
    if owner and not _OWNER.match(owner):
        raise InvalidInput("A key's owner is the id of a person, such as U0123ABCD.")
    if not _NAME.match(name):
        raise InvalidInput(
            "A key's name has at most 40 small letters, digits and . _ - and begins with a letter."
        )
    if not scopes or not set(scopes) <= set(SCOPES):
        raise InvalidInput(f"A key needs at least one scope of: {', '.join(SCOPES)}.")


class ApiKeys:
    """Creates, lists, revokes and recognises keys: those of the store and those `given` by the environment."""

    def __init__(self, store: ApiKeyStore, given: Sequence[ApiKey], clock: Callable[[], datetime]) -> None:
        self._store, self._given, self._clock = store, tuple(given), clock
        self._noted: dict[str, datetime] = {}
        # Stored keys of which it is known whether their names are theirs alone.
        self._alone: set[str] = set()

    async def create(
        self, name: str, scopes: Sequence[Scope], by: str, *, owner: str = ""
    ) -> tuple[ApiKey, str]:
        """Create a key, of the person `owner` if one is given. Returns it with its text. Raises InvalidInput.

        Its name is that of no other key, and was never that of a key of another owner, since it names who acted.
        """
        check_new_key(name, scopes, owner)
        rows = [key for row in (await self._store.all()).values() if (key := _read(row))]
        if len(rows) >= MOST:
            raise InvalidInput(f"There are {MOST} keys already; revoke one first.")
        if any(key.name == name for key in (*self._given, *rows)):
            raise InvalidInput(
                f"There is a key named {name} already; choose another name, or revoke it first."
            )
        if await self._store.name_owner(name) not in (None, owner):
            raise InvalidInput(f"A key of another owner was named {name}; choose another name.")
        key_id, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
        ordered = tuple(scope for scope in SCOPES if scope in scopes)
        key = ApiKey(
            id=key_id,
            name=name,
            scopes=ordered,
            hash=_hash(secret),
            created_at=self._clock(),
            created_by=by,
            owner=owner,
        )
        await self._claim(key)
        await self._store.put(key_id, key.model_dump_json().encode())
        return key, f"fm_{key_id}_{secret}"

    async def standing(self, actor_id: str, owner: str, *, keyed: bool = False) -> ApiKey | None:
        """The key that an actor of the log acts with; None for who never had one, which it is not if it was `keyed`.

        A key without an owner that has been given one since acts as that person. Raises KeyRefused where it was
        revoked, belongs to another owner now, or may not launch any more.
        """
        kind, _, name = actor_id.partition(":")
        if kind != "api":
            return None
        named = [key for key, _ in await self.list() if key.actor.id == actor_id]
        for key in named:
            if owner not in ("", key.actor.owner):
                raise KeyRefused(f"The API key {name} belongs to another person now.")
            if not key.may("launch"):
                raise KeyRefused(f"The API key {name} may not launch any more.")
            return key
        if not keyed and await self._store.name_owner(name.partition("#")[0]) is None:
            # Who runs Flagman in a process of their own acts without a key.
            return None
        raise KeyRefused(f"The API key {name} was revoked.")

    async def list(self) -> list[tuple[ApiKey, datetime | None]]:
        """Return all keys with the time of their last use, to the minute; those of the environment come first."""
        used = await self._store.last_used()
        stored = [_read(row) for row in (await self._store.all()).values()]
        ordered = sorted((k for k in stored if k), key=lambda k: (k.name, k.created_at or self._clock()))
        return [(key, used.get(key.id)) for key in (*self._given, *ordered)]

    async def revoke(self, key_id: str) -> None:
        """Make a key invalid at once. Raises KeyNotFound, or InvalidInput for a key of the environment."""
        if any(key.id == key_id for key in self._given):
            raise InvalidInput("That key comes from FLAGMAN_API_KEYS; take it out there and start again.")
        row = await self._store.get(key_id)
        if row and (key := _read(row)):
            await self._claim(key)
        if not await self._store.delete(key_id):
            raise KeyNotFound(key_id)

    async def recognise(self, text: str) -> ApiKey:
        """Return the key with this text. Raises KeyRefused."""
        key = self._known(text) or await self._find_stored(text)
        if key is None:
            raise KeyRefused("This API key is not known here, or was revoked.")
        now = self._clock()
        if now - self._noted.get(key.id, now - FRESH) >= FRESH:
            self._noted[key.id] = now
            await self._claim(key)
            await self._store.used(key.id, now)
        return key

    async def _claim(self, key: ApiKey) -> None:
        """Record for good whose name it is. A key that is made anew at each start leaves its name to the next one."""
        if key.created_by != LOCAL:
            await self._store.claim_name(key.name, key.owner)

    def _known(self, text: str) -> ApiKey | None:
        # All are compared, so that the time taken does not depend on which one matches.
        digest, found = _hash(text), None
        for key in self._given:
            if hmac.compare_digest(digest, key.hash):
                found = key
        return found

    async def _find_stored(self, text: str) -> ApiKey | None:
        parts = text.split("_", 2)
        if len(parts) != 3 or parts[0] != "fm" or not 0 < len(parts[1]) <= 20:
            return None
        row = await self._store.get(parts[1])
        key = _read(row) if row else None
        known = key and hmac.compare_digest(_hash(parts[2]), key.hash)
        return await self._told_apart(key) if key and known else None

    async def _told_apart(self, key: ApiKey) -> ApiKey:
        """The key, which is marked for good where an earlier version gave its name to another key, too."""
        if key.apart or key.id in self._alone:
            return key
        stored = [other for row in (await self._store.all()).values() if (other := _read(row))]
        if all(other.id == key.id or other.name != key.name for other in (*self._given, *stored)):
            self._alone.add(key.id)
            return key
        for other in stored:
            if other.name == key.name:
                marked = other.model_copy(update={"apart": True})
                await self._store.put(other.id, marked.model_dump_json().encode())
        return key.model_copy(update={"apart": True})


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def _read(row: bytes) -> ApiKey | None:
    """Return the key in a stored row; None for a row of another shape, which is not a valid key."""
    try:
        return ApiKey.model_validate_json(row)
    except ValidationError:
        return None
