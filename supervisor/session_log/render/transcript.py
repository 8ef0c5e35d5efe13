"""The log as lines of text: time, actor and event."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import singledispatch

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
    Cancelled,
    ChildDecided,
    ChildFinished,
    ChildLaunched,
    ChildrenJoined,
    ChildSkipped,
    Compacted,
    Completed,
    ContextAdded,
    Event,
    Failed,
    FilesTaken,
    GrantAdded,
    GrantEnded,
    InputGiven,
    InputRequested,
    ModelResponded,
    OutcomeDecided,
    OutcomeLost,
    Paused,
    QuestionAnswered,
    QuestionAsked,
    Resumed,
    SessionForked,
    SessionLaunched,
    SessionRestored,
    TimerDropped,
    TimerFired,
    TimerSet,
    ToolCall,
    ToolFinished,
    ToolNotBegun,
    ToolRedefined,
    ToolStarted,
    WaitBegun,
    WaitEnded,
)
from supervisor.core.events.base import NOTE_DECISION, DecisionFact
from supervisor.core.text.format import join_items, not_here, stamp
from supervisor.core.text.visible import one_line
from supervisor.session_log.render.calls import PAST
from supervisor.session_log.render.labels import unusual_end


@dataclass(frozen=True)
class Line:
    at: datetime
    who: str
    text: str


def lines(events: Iterable[Event]) -> Iterator[Line]:
    """Yield the lines of the events, in which secrets are masked; an answer of the model can have several."""
    for event in events:
        texts = _response(event) if isinstance(event, ModelResponded) else [described(event)]
        who = event.by_name or event.by
        if isinstance(event, DecisionFact) and event.for_person:
            who += f" for {event.for_name or event.for_person}"
        for text in texts:
            yield Line(event.at, who, text)


@singledispatch
def described(event: Event) -> str:
    """Return the text of an event, by one function for each event; `lines` handles answers of the model itself."""
    return event.type


@described.register
def _launched(event: SessionLaunched) -> str:
    return f"launched {event.persona}: {event.task}"


@described.register
def _approval_requested(event: ApprovalRequested) -> str:
    return f"asked to approve {', '.join(event.call_ids)}"


@described.register
def _approval_decided(event: ApprovalDecided) -> str:
    return f"{PAST[event.verdict]} {event.call_id} (sha256 {event.digest[:12]}){_because(event.reason)}"


@described.register
def _approval_overdue(event: ApprovalOverdue) -> str:
    did = {"remind": "reminded the approvers of", "escalate": "escalated", "expire": "let expire"}[event.step]
    return f"{did} {', '.join(event.call_ids)}"


@described.register
def _approval_withdrawn(event: ApprovalWithdrawn) -> str:
    return f"withdrew {', '.join(event.call_ids)}{_because(event.reason)}"


@described.register
def _tool_started(event: ToolStarted) -> str:
    return f"started {event.call_id}, attempt {event.attempt}"


@described.register
def _tool_finished(event: ToolFinished) -> str:
    how = "finished" if event.ok else "failed"
    files = _files("wrote", event.artifacts) + _files("removed", event.removed)
    return f"{how} {event.call_id} in {event.duration_ms} ms{files}: {event.content.strip()}"


@described.register
def _question_asked(event: QuestionAsked) -> str:
    return f"asked ({event.call_id}): {event.question}"


@described.register
def _paused(event: Paused) -> str:
    until = f", until {' or '.join(map(str, event.conditions))}" if event.conditions else ""
    until += ", in place of what it waited for" if event.replaces else ""
    until += ", with its sub-agents" if event.cascade else ""
    return f"paused: {event.reason}{until}{_because(event.detail)}"


@described.register
def _resumed(event: Resumed) -> str:
    what = event.condition or event.trigger
    data = f" with {canonical_json(event.data)}" if event.data is not None else ""
    return f"resumed by {what}{data}{_because(event.context)}"


@described.register
def _context_added(event: ContextAdded) -> str:
    return f"said{f' for {event.persona}' if event.persona else ''}: {event.text}"


@described.register
def _files_taken(event: FilesTaken) -> str:
    lost = "".join(f"; not taken: {one_line(f'{file.name}: {file.problem}', 200)}" for file in event.lost)
    return f"took what people attached{_files('as', [file.path for file in event.taken])}{lost}"


@described.register
def _tool_not_begun(event: ToolNotBegun) -> str:
    return f"did not run {event.call_id} in attempt {event.attempt}"


@described.register
def _outcome_lost(event: OutcomeLost) -> str:
    wrote = _files("wrote", event.artifacts)
    return f"lost the outcome of {event.call_id}, attempt {event.attempt}{wrote}{_because(event.why)}"


@described.register
def _outcome_decided(event: OutcomeDecided) -> str:
    return f"settled {event.call_id}: {event.verdict}{_because(event.result)}"


@described.register
def _question_answered(event: QuestionAnswered) -> str:
    return f"answered ({event.call_id}): {event.answer}"


@described.register
def _input_requested(event: InputRequested) -> str:
    asked = "; ".join(one.text for one in event.requests)
    until = f", and waits until {stamp(event.until)}" if event.until else ""
    return f"was asked by the server of {event.call_id}, attempt {event.attempt}{until}: {asked}"


@described.register
def _input_given(event: InputGiven) -> str:
    return f"answered the server of {event.call_id}: {event.answer}"


@described.register
def _completed(event: Completed) -> str:
    return f"completed: {event.summary}"


@described.register
def _failed(event: Failed) -> str:
    return f"failed: {event.error}"


@described.register
def _cancelled(event: Cancelled) -> str:
    return f"cancelled{_because(event.reason)}"


@described.register
def _action_refused(event: ActionRefused) -> str:
    about = f" {event.about}" if event.about else ""
    return f"was refused ({event.attempt}{about}): {event.problem}"


@described.register
def _timer_set(event: TimerSet) -> str:
    about = f" about {event.about}" if event.about else ""
    return f"set reminder {event.timer_id}{about} for {event.due:%Y-%m-%d %H:%M} UTC{_because(event.text)}"


@described.register
def _timer_fired(event: TimerFired) -> str:
    return f"reminded: {event.timer_id}"


@described.register
def _timer_dropped(event: TimerDropped) -> str:
    return f"dropped reminder {event.timer_id}"


@described.register
def _wait_begun(event: WaitBegun) -> str:
    return f"waits in {event.call_id}"


@described.register
def _wait_ended(event: WaitEnded) -> str:
    return f"waited in {event.call_id}: {event.content.strip()}"


@described.register
def _budget_raised(event: BudgetRaised) -> str:
    return "raised the budget"


@described.register
def _child_launched(event: ChildLaunched) -> str:
    return f"launched {event.persona} as sub-agent {event.name}, session {event.child_id}: {event.task}"


@described.register
def _child_finished(event: ChildFinished) -> str:
    return f"sub-agent {event.child_id} {event.ending}{_because(event.result.strip())}"


@described.register
def _child_skipped(event: ChildSkipped) -> str:
    return f"gave up subtask {event.name}{_because(event.reason)}"


@described.register
def _child_decided(event: ChildDecided) -> str:
    return f"decided on sub-agent {event.child_id}: {event.verdict}"


@described.register
def _children_joined(event: ChildrenJoined) -> str:
    return f"ended the plan {event.call_id}: {event.content.strip()}"


@described.register
def _call_edited(event: CallEdited) -> str:
    digests = f"sha256 {event.before[:12]} to {event.call.digest[:12]}"
    return f"changed {event.call_id} ({digests}): {_arguments(event.call)}"


@described.register
def _call_ruled_anew(event: CallRuledAnew) -> str:
    now = "is forbidden" if event.call.mode == "refuse" else "needs an approval"
    return f"by now {event.call_id} {now}{_because(event.call.reason)}"


@described.register
def _grant_added(event: GrantAdded) -> str:
    where = f"in {event.place}" if event.place else "in this session"
    until = f"until {event.until:%Y-%m-%d %H:%M} UTC"
    return f"allowed calls {where} {until} ({event.grant_id}): {event.tool} {canonical_json(event.patterns)}"


@described.register
def _grant_ended(event: GrantEnded) -> str:
    return f"{'ended' if event.expired else 'revoked'} the grant {event.grant_id}"


@described.register
def _call_granted(event: CallGranted) -> str:
    who = event.granter.by_name or event.granter.by
    return f"allowed {event.call_id} (sha256 {event.digest[:12]}) by the grant {event.grant} of {who}"


@described.register
def _tool_redefined(event: ToolRedefined) -> str:
    now = "was refused" if event.call.mode == "refuse" else "needs an approval"
    digest = f"sha256 {event.call.digest[:12]}"
    return f"found the tool of {event.call_id} changed ({digest}), which {now}{_because(event.call.reason)}"


@described.register
def _compacted(event: Compacted) -> str:
    return f"summed up the steps to {event.through_step}: {event.summary.strip()}"


@described.register
def _session_forked(event: SessionForked) -> str:
    return f"copied session {event.source} up to step {event.step}{_missing(event.missing)}"


@described.register
def _session_restored(event: SessionRestored) -> str:
    lost = f"; {', '.join(event.lost)} lost the arguments" if event.lost else ""
    return f"restored it from a SESSION_LOG (chain sha256 {event.chain[:12]}){lost}{_missing(event.missing)}"


def _response(event: ModelResponded) -> Iterator[str]:
    if event.text:
        yield f"said: {event.text}"
    if end := unusual_end(event.stop_reason):
        yield f"ended its turn with the stop reason {end}"
    for call in event.calls:
        if call.tool == NOTE_DECISION and call.mode == "allow" and isinstance(call.arguments, dict):
            decided = f"{call.arguments.get('decision', '')} – {call.arguments.get('why', '')}"
            yield f"decided ({call.call_id}): {' '.join(decided.split())}"
            continue
        ruling = {"ask": "needs approval", "allow": "allowed", "refuse": f"refused: {call.reason}"}[call.mode]
        yield f"selected {call.call_id} {call.tool} {_arguments(call)} ({ruling})"


def _arguments(call: ToolCall) -> str:
    return call.arguments if isinstance(call.arguments, str) else canonical_json(call.arguments)


def _files(how: str, paths: Sequence[str]) -> str:
    return f", {how} {join_items([one_line(path, 120) for path in paths])}" if paths else ""


def _missing(paths: Sequence[str]) -> str:
    return f"; {not_here([one_line(path, 120) for path in paths])}" if paths else ""


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""
