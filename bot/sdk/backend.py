"""The interface of the two backends, by which the client uses a Flagman in this process or over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Protocol

from supervisor.contract.models import (
    ArtifactView,
    DecisionsResult,
    EventView,
    PauseResult,
    SessionPage,
    SessionView,
    Status,
    ToldResult,
)
from supervisor.contract.requests import (
    AnswerRequest,
    CancelRequest,
    ChildRequest,
    ContextRequest,
    DecisionRequest,
    DecisionsRequest,
    ForkRequest,
    LaunchRequest,
    PauseRequest,
    ResumeRequest,
    TokenRequest,
)
from supervisor.core.subagents import Until


class Backend(Protocol):
    """The verbs of `supervisor.contract.service.SessionService`. Every method raises FlagmanError."""

    async def launch(self, request: LaunchRequest, *, idempotency_key: str | None = None) -> SessionView: ...
    async def fork(
        self, session_id: str, request: ForkRequest, *, idempotency_key: str | None = None
    ) -> SessionView: ...
    async def restore(self, document: bytes) -> SessionView: ...
    async def get(self, session_id: str) -> SessionView: ...
    async def page(
        self,
        *,
        status: Status | None = None,
        persona: str | None = None,
        cursor: str | None = None,
        limit: int = 20,
    ) -> SessionPage: ...
    async def wait(self, session_id: str, until: Until, *, patience: timedelta) -> SessionView: ...
    def events(self, session_id: str, after: int) -> AsyncIterator[EventView]:
        """Yield the events after the first `after`, then each new one, until the session has ended."""
        ...

    async def pause(self, session_id: str, request: PauseRequest) -> PauseResult: ...
    async def resume(self, session_id: str, request: ResumeRequest) -> SessionView: ...
    async def redeem(self, token: str, request: TokenRequest) -> SessionView: ...
    async def cancel(self, session_id: str, request: CancelRequest) -> SessionView: ...
    async def decide(self, session_id: str, call_id: str, request: DecisionRequest) -> SessionView: ...
    async def decide_each(self, session_id: str, request: DecisionsRequest) -> DecisionsResult: ...
    async def decide_child(self, session_id: str, child_id: str, request: ChildRequest) -> SessionView: ...
    async def answer(self, session_id: str, request: AnswerRequest) -> SessionView: ...
    async def tell(self, session_id: str, request: ContextRequest) -> ToldResult: ...
    async def artifacts(self, session_id: str) -> list[ArtifactView]: ...
    async def artifact(self, session_id: str, path: str) -> bytes: ...
