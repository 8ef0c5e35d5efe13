"""One row for each decision of a log and each refused attempt, with the request that it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, get_args

from supervisor.core.digest import canonical_json
from supervisor.core.events import (
    ActionRefused,
    ApprovalDecided,
    ApprovalOverdue,
    ApprovalRequested,
    ApprovalWithdrawn,
    BudgetRaised,
    CallEdited,
    CallGranted,
    CallRuledAnew,
    ChildDecided,
    ChildFinished,
    Event,
    GrantAdded,
    GrantEnded,
    ModelResponded,
    OutcomeDecided,
    OutcomeLost,
    Paused,
    SessionForked,
    SessionLaunched,
    ToolCall,
    ToolRedefined,
)
from supervisor.core.events.base import APPROVAL, Fact
from supervisor.core.messages import Frozen, Json
from supervisor.core.persona import Approvers

Kind = Literal[
    "approve", "deny", "respond", "withdraw", "escalate", "expire", "edit", "run_again", "done", "failed",
    "raise_budget", "retry", "skip", "stop", "delegate", "undelegate", "refused",
    "grant", "revoke", "granted",
]  # fmt: skip
KINDS: tuple[Kind, ...] = get_args(Kind)
# More than the rows that one event has.
_PARTS = 1000


class AuditRow(Frozen):
    """A decision, a delegation or its end, or a refused attempt (`attempt` names it, `reason` says why it was refused).

    `version` is the place of its event in the log; what no log records has a number in its place and may have no
    session. `rules` are those in force, each with the right by which the actor decided, empty where the actor had
    none by it; `for_person` is whose right it was, where it was another's, and `override` that of an admin.
    `latency_seconds` are those since the request, None where there was none. `part` counts the rows of one event.
    """

    at: datetime
    kind: Kind
    by: str
    by_name: str = ""
    by_owner: str = ""
    for_person: str = ""
    for_name: str = ""
    session_id: str
    version: int
    persona: str = ""
    call_id: str = ""
    tool: str = ""
    arguments: Json | str = ""
    digest: str = ""
    rules: tuple[Approvers, ...] = ()
    rights: tuple[str, ...] = ()
    override: bool = False
    attempt: str = ""
    reason: str = ""
    latency_seconds: float | None = None
    part: int = 0

    @property
    def key(self) -> tuple[datetime, str, int]:
        """The place of the row among all, by which pages are cut."""
        return self.at, self.session_id, self.version * _PARTS + self.part

    @property
    def person(self) -> str:
        """The id of the person who acted; that of a key without an owner."""
        return self.by_owner or self.by


@dataclass(frozen=True)
class _Call:
    """A call as people are asked about it; `edited` is who changed it at what time, and the request before that."""

    call: ToolCall
    asked_at: datetime | None = None
    edited: tuple[str, datetime, datetime | None] | None = None


class LogReading:
    """Reads the events of one log in order; `rows` are those found so far."""

    def __init__(self, session_id: str) -> None:
        self.session_id, self.rows = session_id, list[AuditRow]()
        self._persona, self._version, self._pauses = "", 0, 0
        self._calls: dict[str, _Call] = {}
        self._paused_at: datetime | None = None
        self._failed: dict[str, datetime] = {}
        self._grants: dict[str, GrantAdded] = {}

    def read(self, event: Event) -> None:
        """Read the next event."""
        self._version += 1
        match event:
            case SessionLaunched():
                self._persona = event.persona
            case SessionForked():
                # What was decided before was decided in the source, which has it.
                self.rows.clear()
            case ModelResponded():
                # The calls of the step before have a result; a pause lasts longer.
                self._calls = {key: call for key, call in self._calls.items() if call.call.tool == APPROVAL}
                self._calls |= {call.call_id: _Call(call) for call in event.calls}
            case ApprovalRequested():
                for call_id in event.call_ids:
                    self._ask(call_id, event.at)
            case CallRuledAnew() | ToolRedefined():
                self._calls[event.call_id] = _Call(event.call)
            case OutcomeLost():
                self._ask(event.call_id, event.at)
            case Paused():
                self._pause(event)
            case ChildFinished():
                self._failed[event.child_id] = event.at
            case GrantAdded() | GrantEnded() | CallGranted():
                self._granted(event)
            case _:
                self._decision(event)

    def _ask(self, call_id: str, at: datetime) -> None:
        if call_id in self._calls:
            self._calls[call_id] = replace(self._calls[call_id], asked_at=at, edited=None)

    def _pause(self, event: Paused) -> None:
        self._pauses, self._paused_at = self._pauses + 1, event.at
        if any(condition.type == APPROVAL for condition in event.conditions):
            arguments = {"reason": event.detail} if event.detail else {}
            call_id = f"p{self._pauses}"
            call = ToolCall(
                call_id=call_id,
                ref="",
                tool=APPROVAL,
                arguments=arguments,
                digest="",
                mode="ask",
                approvers=event.approvers,
                also=event.also,
            )
            self._calls[call_id] = _Call(call, event.at)

    def _decision(self, event: Event) -> None:
        match event:
            case ApprovalDecided():
                self._row(
                    event,
                    event.verdict,
                    event.call_id,
                    via=event.via,
                    digest=event.digest,
                    reason=event.reason,
                )
            case ApprovalWithdrawn():
                self._rows(event, "withdraw", event.call_ids, event.reason)
            case ApprovalOverdue(step="expire"):
                self._rows(event, "expire", event.call_ids)
            case ApprovalOverdue(step="escalate"):
                for call_id in event.call_ids:
                    if (known := self._calls.get(call_id)) and known.asked_at:
                        escalated = known.call.after(event.at - known.asked_at)
                        self._calls[call_id] = replace(known, call=escalated)
                self._rows(event, "escalate", event.call_ids)
            case CallEdited():
                self._edited(event)
            case OutcomeDecided():
                self._row(event, event.verdict, event.call_id, via=event.via, reason=event.result)
            case BudgetRaised():
                self._row(event, "raise_budget", since=self._paused_at)
            case ChildDecided():
                reason = f"sub-agent {event.child_id}"
                self._row(event, event.verdict, since=self._failed.get(event.child_id), reason=reason)
            case ActionRefused():
                self._row(event, "refused", event.about, attempt=event.attempt, reason=event.problem)

    def _granted(self, event: GrantAdded | GrantEnded | CallGranted) -> None:
        match event:
            case GrantAdded():
                self._grants[event.grant_id] = event
                self._row(event, "grant", event.call_id, via=event.via, reason=_terms(event))
            case GrantEnded(expired=False):
                made = self._grants.get(event.grant_id)
                self._row(event, "revoke", made.call_id if made else "", reason=_terms(made) if made else "")
            case CallGranted():
                self._row(
                    event, "granted", event.call_id, via=event.via, digest=event.digest, reason=event.grant
                )
                whose = {"for_person": event.granter.by, "for_name": event.granter.by_name}
                self.rows[-1] = self.rows[-1].model_copy(update=whose)

    def _rows(self, event: Fact, kind: Kind, call_ids: Sequence[str], reason: str = "") -> None:
        """Add a row for each call of an event about several."""
        for part, call_id in enumerate(call_ids):
            self._row(event, kind, call_id, reason=reason)
            self.rows[-1] = self.rows[-1].model_copy(update={"part": part})

    def _edited(self, event: CallEdited) -> None:
        before = self._calls.get(event.call_id)
        self._row(event, "edit", event.call_id, via=event.via)
        asked_at = before.asked_at if before else None
        self._calls[event.call_id] = _Call(event.call, event.at, (event.by, event.at, asked_at))
        changed = {"arguments": event.call.arguments, "digest": event.call.digest}
        self.rows[-1] = self.rows[-1].model_copy(update=changed)

    def _row(
        self,
        event: Fact,
        kind: Kind,
        call_id: str = "",
        *,
        via: str = "",
        digest: str = "",
        since: datetime | None = None,
        attempt: str = "",
        reason: str = "",
    ) -> None:
        known = self._calls.get(call_id)
        call, fields = known.call if known else None, dict[str, Any]()
        if known and call:
            since = known.asked_at
            if known.edited and known.edited[:2] == (event.by, event.at):
                # Who changed a call and approved it with that answered the request before.
                since = known.edited[2]
            fields = {
                "tool": call.tool,
                "arguments": call.arguments,
                "rules": call.rules if call.mode == "ask" else (),
            }
        if kind == "refused":
            since = None
        self.rows.append(
            AuditRow(
                at=event.at,
                kind=kind,
                by=event.by,
                by_name=event.by_name,
                by_owner=event.by_owner,
                for_person=getattr(event, "for_person", ""),
                for_name=getattr(event, "for_name", ""),
                session_id=self.session_id,
                version=self._version,
                persona=self._persona,
                call_id=call_id,
                digest=digest or (call.digest if call else ""),
                rights=tuple(via.split("\n")) if via else (),
                override="admin" in via.split("\n"),
                attempt=attempt,
                reason=reason,
                latency_seconds=(event.at - since).total_seconds() if since else None,
                **fields,
            )
        )


def _terms(grant: GrantAdded) -> str:
    where = f"in {grant.place}" if grant.place else "in this session"
    until = f"until {grant.until:%Y-%m-%d %H:%M} UTC"
    return f"{grant.grant_id}: {grant.tool} {canonical_json(grant.patterns)} {where} {until}"


class AuditFilter(Frozen):
    """Which rows are wanted; times include `since` and exclude `until`."""

    since: datetime | None = None
    until: datetime | None = None
    session_id: str | None = None
    persona: str | None = None
    tool: str | None = None
    actor: str | None = None
    kind: Kind | None = None

    def takes(self, row: AuditRow) -> bool:
        """Whether the row is among those wanted."""
        wanted: Mapping[str, str | None] = {
            "session_id": self.session_id, "persona": self.persona, "tool": self.tool, "kind": self.kind
        }  # fmt: skip
        if any(value is not None and getattr(row, name) != value for name, value in wanted.items()):
            return False
        if (self.since and row.at < self.since) or (self.until and row.at >= self.until):
            return False
        ids = {row.by, row.by_owner, row.by_name, *(who.partition(":")[2] for who in (row.by, row.by_owner))}
        return self.actor is None or self.actor in ids - {""}
