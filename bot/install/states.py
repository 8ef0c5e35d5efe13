"""The states of installations that have begun: each counts once, for ten minutes, in any process."""

from __future__ import annotations

import hashlib
import logging
import secrets
from datetime import timedelta
from logging import Logger
from typing import Any

from slack_sdk.oauth.state_store.async_state_store import AsyncOAuthStateStore

from storage.marks import OnceStore

LASTS = timedelta(minutes=10)
_LONGEST = 200
_log = logging.getLogger("flagman.install")


class States(AsyncOAuthStateStore):
    """slack_sdk's state store over ours, which holds their hashes alone. Methods raise StoreUnavailable."""

    def __init__(self, marks: OnceStore, lasts: timedelta = LASTS) -> None:
        self._marks, self._lasts = marks, lasts

    @property
    def logger(self) -> Logger:
        return _log

    async def async_issue(self, *args: Any, **kwargs: Any) -> str:
        state = secrets.token_urlsafe(32)
        await self._marks.issue(_mark(state), self._lasts)
        return state

    async def async_consume(self, state: str) -> bool:
        if not isinstance(state, str) or not 0 < len(state) <= _LONGEST:
            return False
        return await self._marks.consume(_mark(state))


def _mark(state: str) -> str:
    return f"oauth:{hashlib.sha256(state.encode()).hexdigest()}"
