"""Secrets by name, which stand in the store encrypted: MCP servers get them, and nobody reads them again."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime

from pydantic import AwareDatetime, ValidationError

from storage.rows import RowStore
from supervisor.core.errors import InvalidInput
from supervisor.core.messages import Frozen
from supervisor.mcp.config import NAMED
from supervisor.mcp.sealing import Sealer

MOST_CHARACTERS = 32 * 1024
_PURPOSE = b"flagman secrets by name: "


class Secret(Frozen):
    """A secret as it is stored: `sealed` is its value, encrypted."""

    name: str
    by: str
    at: AwareDatetime
    sealed: str


class Secrets:
    """The secrets in the store. The first of the keys encrypts, and each of them decrypts."""

    def __init__(self, rows: RowStore, keys: Sequence[str], clock: Callable[[], datetime]) -> None:
        self._rows, self._sealer, self._clock = rows, Sealer(keys, _PURPOSE), clock

    async def set(self, name: str, value: str, by: str) -> Secret:
        """Store a secret in place of one of the same name. Raises InvalidInput or StoreUnavailable."""
        if not re.fullmatch(NAMED, name):
            raise InvalidInput(
                "The name of a secret has at most 64 letters, digits and `._-`, and begins with one of the first two."
            )
        if not 0 < len(value) <= MOST_CHARACTERS or "\0" in value:
            raise InvalidInput(f"A secret has 1 to {MOST_CHARACTERS:,} characters, none of which is NUL.")
        secret = Secret(name=name, by=by, at=self._clock(), sealed=self._sealer.seal(value))
        await self._rows.put(name, secret.model_dump_json().encode())
        return secret

    async def get(self, name: str) -> str:
        """Return the value of a secret. Raises InvalidInput where there is none, or it cannot be decrypted."""
        row = await self._rows.get(name)
        if row is None:
            raise InvalidInput(f"there is no secret `{name}`; `flagman secrets set {name}` sets it")
        try:
            return self._sealer.open(Secret.model_validate_json(row).sealed)
        except (ValidationError, ValueError) as error:
            reason = "no key in FLAGMAN_SECRET_KEY is the one that it was encrypted with"
            raise InvalidInput(f"the secret `{name}` cannot be decrypted: {reason}; set it anew") from error

    async def list(self) -> list[Secret]:
        """Return all secrets by name, encrypted. Raises StoreUnavailable."""
        found = [Secret.model_validate_json(row) for row in (await self._rows.all()).values()]
        return sorted(found, key=lambda secret: secret.name)

    async def remove(self, name: str) -> None:
        """Remove a secret. Raises InvalidInput where there is none."""
        if not await self._rows.delete(name):
            raise InvalidInput(f"There is no secret `{name}`.")
