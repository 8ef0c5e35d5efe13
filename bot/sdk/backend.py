"""The way to a Flagman, in this process or elsewhere: what `local` and `remote` both are."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any, Literal, Protocol

from supervisor.core.events import Trigger
from supervisor.core.messages import Json
from supervisor.core.subagents import Until
from supervisor.view_models import ArtifactState, Pausing, SessionEvent, SessionState

ChildVerdict = Literal["retry", "skip", "stop"]
# Who splits a task over sub-agents where nobody is named.
COORDINATOR = "project-coordinator"


class Backend(Protocol):
    """The way to a Flagman. Every method raises FlagmanError."""

    async def launch(
        self,
        persona: str,
        task: str,
        *,
        context: str,
        channel: str | None,
        idempotency_key: str | None,
        coordinate: bool | Json = False,
    ) -> SessionState:
        """`coordinate`: the persona shall split the task over sub-agents, or carry out this plan."""
        ...

    async def get(self, session_id: str) -> SessionState: ...
    async def wait(self, session_id: str, until: Until, patience: timedelta) -> SessionState:
        """The session as soon as it is so far, or as it stands when `patience` is over."""
        ...

    def events(self, session_id: str, after: int) -> AsyncIterator[SessionEvent]:
        """Everything after the first `after` events, then what comes, until the session has ended."""
        ...

    async def pause(self, session_id: str, reason: str, conditions: Sequence[str], zone: str) -> Pausing: ...
    async def resume(
        self, session_id: str, trigger: Trigger, data: Any, context: str, compact: bool = False
    ) -> SessionState: ...
    async def cancel(self, session_id: str, reason: str) -> SessionState: ...
    async def decide(
        self,
        session_id: str,
        call_id: str,
        verdict: Literal["approve", "deny"],
        reason: str,
        digest: str | None,
        arguments: Json | None = None,
    ) -> SessionState:
        """`arguments`: approve it with these in place of what was proposed."""
        ...

    async def decide_child(self, session_id: str, child_id: str, verdict: ChildVerdict) -> SessionState: ...
    async def answer(self, session_id: str, call_id: str | None, answer: str) -> SessionState: ...
    async def tell(self, session_id: str, text: str) -> SessionState: ...
    async def fork(
        self,
        session_id: str,
        *,
        step: int | None,
        message: str,
        channel: str | None,
        idempotency_key: str | None,
    ) -> SessionState: ...
    async def restore(self, document: bytes) -> SessionState:
        """Bring a session back from its SESSION_LOG."""
        ...

    async def artifacts(self, session_id: str) -> list[ArtifactState]: ...
    async def artifact(self, session_id: str, path: str) -> bytes: ...
