"""Agents for Python programs: what launches sessions of one persona."""

from __future__ import annotations

from bot.sdk.backend import Backend
from bot.sdk.connection import find_backend
from bot.sdk.session import Session
from supervisor.contract.requests import LaunchRequest
from supervisor.contract.settings import limits_request


class Agent:
    """Launches sessions of a persona: `session = await Agent("sre").start(task="check the disk")`.

    `url` and `api_key` choose another Flagman than that of the enclosing block or of the environment.
    """

    def __init__(
        self,
        persona: str,
        *,
        url: str | None = None,
        api_key: str | None = None,
        backend: Backend | None = None,
    ) -> None:
        self.persona, self.backend = persona, backend or find_backend(url, api_key)

    async def start(
        self,
        task: str,
        *,
        context: str = "",
        channel: str | None = None,
        idempotency_key: str | None = None,
        limits: str = "",
    ) -> Session:
        """Launch a session; the same key and request return the same session.

        `limits` such as `steps=20 usd=2 minutes=30` are within those of the persona and the channel.
        """
        request = LaunchRequest.of(
            persona=self.persona,
            task=task,
            context=context,
            channel=channel,
            limits=limits_request(limits.split()) if limits else None,
        )
        return Session(self.backend, await self.backend.launch(request, idempotency_key=idempotency_key))
