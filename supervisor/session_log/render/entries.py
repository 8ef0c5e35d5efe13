"""The entry of each event in the timeline, with the texts and outputs that belong to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import singledispatch

from supervisor.core.digest import canonical_json
from supervisor.core.events import (
    ActionRefused,
    ApprovalDecided,
    ApprovalOverdue,
    ApprovalRequested,
    ApprovalWithdrawn,
    CallEdited,
    CallGranted,
    CallRuledAnew,
    Cancelled,
    ChildDecided,
    ChildFinished,
    ChildLaunched,
    ChildrenJoined,
    Compacted,
    Completed,
    ContextAdded,
    Event,
    Failed,
    GrantAdded,
    GrantEnded,
    InputGiven,
    InputRequested,
    OutcomeDecided,
    OutcomeLost,
    Paused,
    QuestionAnswered,
    QuestionAsked,
    Resumed,
    SessionForked,
    SessionLaunched,
    SessionRestored,
    ToolFinished,
    ToolNotBegun,
    ToolRedefined,
    ToolStarted,
)
from supervisor.core.events.base import DecisionFact
from supervisor.core.text.format import count, join_items, not_here, stamp, took
from supervisor.session_log.render.blocks import Lines, output, prose
from supervisor.session_log.render.calls import VERDICTS, before_and_after, call_name, digest, right, right_of
from supervisor.session_log.render.labels import decider, person
from supervisor.session_log.render.moments import Moment
from supervisor.session_log.render.safe import code, inline
from supervisor.session_log.render.transcript import lines

_VERDICTS = {
    "run_again": "run it again",
    "done": "it was done",
    "failed": "it failed",
    "retry": "do it again",
    "skip": "go on without it",
    "stop": "stop the rest",
}
_TRIGGERS = {"webhook": "by a webhook", "event": "by an event", "clock": "since it was time"}


@dataclass(frozen=True)
class Entry:
    """One line in Markdown, and the blocks below it."""

    words: str
    blocks: Sequence[Lines] = ()


def entry(moment: Moment) -> Entry:
    """Return the entry of a moment's event. Answers of the model have no entry: `timeline` shows them as steps."""
    event = moment.event
    who = decider(event) if isinstance(event, DecisionFact) else person(event.by, event.by_name)
    return _entry(event, moment, who)


@singledispatch
def _entry(event: Event, moment: Moment, who: str) -> Entry:
    """Return the entry of an event, by one function for each event; by default it has the line of the transcript."""
    line = next(iter(lines([event])))
    return Entry(f"{who} {inline(line.text, 600)}")


def _call(moment: Moment, call_id: str) -> str:
    return call_name(call_id, moment.after.call(call_id).call.tool)


def _because(reason: str) -> str:
    return f": “{inline(reason, 400)}”" if reason else ""


@_entry.register
def _session_launched(event: SessionLaunched, moment: Moment, who: str) -> Entry:
    return Entry(f"{who} launched {code(event.persona)}")


@_entry.register
def _context_added(event: ContextAdded, moment: Moment, who: str) -> Entry:
    note = f" as a note of {code(event.persona)}" if event.persona else ""
    return Entry(f"{who} said{note}", [prose(event.text, moment.n)])


@_entry.register
def _approval_requested(event: ApprovalRequested, moment: Moment, who: str) -> Entry:
    calls = [_call(moment, call_id) for call_id in event.call_ids]
    return Entry(f"{who} asked for an approval of {join_items(calls)}")


@_entry.register
def _question_asked(event: QuestionAsked, moment: Moment, who: str) -> Entry:
    options = (
        f", offering {join_items([code(option, 75) for option in event.options])}" if event.options else ""
    )
    return Entry(f"The agent asked in {code(event.call_id)}{options}", [prose(event.question, moment.n)])


@_entry.register
def _question_answered(event: QuestionAnswered, moment: Moment, who: str) -> Entry:
    return Entry(f"{who} answered {code(event.call_id)}", [prose(event.answer, moment.n)])


@_entry.register
def _input_requested(event: InputRequested, moment: Moment, who: str) -> Entry:
    server = code(event.requests[0].server, 40)
    until = f", which waits for it until {stamp(event.until)}" if event.until else ""
    said = [prose(one.text, moment.n) for one in event.requests]
    return Entry(f"The server {server} asked in {_call(moment, event.call_id)}{until}", said)


@_entry.register
def _input_given(event: InputGiven, moment: Moment, who: str) -> Entry:
    return Entry(f"{who} answered the server in {code(event.call_id)}", [prose(event.answer, moment.n)])


@_entry.register
def _approval_decided(event: ApprovalDecided, moment: Moment, who: str) -> Entry:
    verb = VERDICTS[event.verdict]
    what = f"{_call(moment, event.call_id)} · {digest(event.digest)} · {right_of(event)}"
    return Entry(f"{who} {verb} {what}{_because(event.reason)}")


@_entry.register
def _approval_overdue(event: ApprovalOverdue, moment: Moment, who: str) -> Entry:
    calls = join_items([_call(moment, call_id) for call_id in event.call_ids])
    match event.step:
        case "remind":
            return Entry(f"Nobody had decided on {calls} so far: its approvers were reminded")
        case "escalate":
            return Entry(f"Nobody had decided on {calls} so far: more people may approve it now")
        case "expire":
            return Entry(f"Nobody decided on {calls} in time: it **expired** and did not run")


@_entry.register
def _approval_withdrawn(event: ApprovalWithdrawn, moment: Moment, who: str) -> Entry:
    calls = join_items([_call(moment, call_id) for call_id in event.call_ids])
    return Entry(f"{who} **withdrew** {calls}, which did not run", [prose(event.reason, moment.n)])


@_entry.register
def _call_edited(event: CallEdited, moment: Moment, who: str) -> Entry:
    words = f"{who} **changed** {_call(moment, event.call_id)} · {digest(event.before)} to "
    before = moment.before.call(event.call_id).call if moment.before else event.call
    changed = before_and_after(event, before, moment.n)
    return Entry(f"{words}{digest(event.call.digest)} · {right(event.via)}", [changed])


@_entry.register
def _call_ruled_anew(event: CallRuledAnew, moment: Moment, who: str) -> Entry:
    now = "is forbidden by now" if event.call.mode == "refuse" else "needs an approval by now"
    return Entry(f"{_call(moment, event.call_id)} **{now}**{_because(event.call.reason)}")


@_entry.register
def _grant_added(event: GrantAdded, moment: Moment, who: str) -> Entry:
    where = f"in all sessions of {code(event.place)}" if event.place else "in this session"
    until = f"until {event.until:%Y-%m-%d %H:%M} UTC"
    patterns = output(canonical_json(event.patterns), moment.n, "json")
    words = (
        f"{who} **allowed** calls of {code(event.tool)} like this {where} {until} ({code(event.grant_id)})"
    )
    return Entry(f"{words} · {right(event.via)}", [patterns])


@_entry.register
def _grant_ended(event: GrantEnded, moment: Moment, who: str) -> Entry:
    grant = code(event.grant_id)
    return Entry(f"The grant {grant} ended" if event.expired else f"{who} **revoked** the grant {grant}")


@_entry.register
def _call_granted(event: CallGranted, moment: Moment, who: str) -> Entry:
    granter = person(event.granter.by, event.granter.by_name)
    what = f"{_call(moment, event.call_id)} · {digest(event.digest)} · {right(event.via)}"
    return Entry(f"The grant {code(event.grant)} of {granter} **allowed** {what}")


@_entry.register
def _tool_redefined(event: ToolRedefined, moment: Moment, who: str) -> Entry:
    call = _call(moment, event.call_id)
    if event.call.mode == "refuse":
        return Entry(f"{call} **did not run**: its server has changed the tool{_because(event.call.reason)}")
    words = (
        f"{call} **needs an approval by now**: its server has changed the tool · {digest(event.call.digest)}"
    )
    return Entry(words)


@_entry.register
def _outcome_decided(event: OutcomeDecided, moment: Moment, who: str) -> Entry:
    words = f"{who} said of {_call(moment, event.call_id)}: **{_VERDICTS[event.verdict]}**"
    return Entry(words, [prose(event.result, moment.n)] if event.result else ())


@_entry.register
def _child_decided(event: ChildDecided, moment: Moment, who: str) -> Entry:
    child = moment.after.child(event.child_id)
    return Entry(f"{who} said of sub-agent {code(child.name)}: **{_VERDICTS[event.verdict]}**")


@_entry.register
def _tool_started(event: ToolStarted, moment: Moment, who: str) -> Entry:
    call = _call(moment, event.call_id)
    again = f", attempt {event.attempt}" if event.attempt > 1 else ""
    return Entry(f"{call} started{again}")


@_entry.register
def _tool_finished(event: ToolFinished, moment: Moment, who: str) -> Entry:
    call = _call(moment, event.call_id)
    verb = "finished" if event.ok else "**failed**"
    files = _files("and wrote", event.artifacts) + _files("and removed", event.removed)
    blocks = [output(event.content, moment.n)] if event.content.strip() else []
    return Entry(
        f"{call} {verb} after {took(event.duration_ms)}{files}{'' if blocks else ', without output'}",
        blocks,
    )


def _files(how: str, paths: Sequence[str]) -> str:
    return f", {how} {join_items([code(path, 120) for path in paths])}" if paths else ""


@_entry.register
def _tool_not_begun(event: ToolNotBegun, moment: Moment, who: str) -> Entry:
    call = _call(moment, event.call_id)
    why = "its grant is looked at anew" if event.held else "its worker had lost touch with the session"
    return Entry(f"{call} did not run in attempt {event.attempt}: {why}")


@_entry.register
def _outcome_lost(event: OutcomeLost, moment: Moment, who: str) -> Entry:
    call = _call(moment, event.call_id)
    words = f"{call} was cut off in attempt {event.attempt}: nothing tells whether it took effect"
    words += _because(event.why)
    return Entry(words + _files("but it wrote", event.artifacts))


@_entry.register
def _completed(event: Completed, moment: Moment, who: str) -> Entry:
    steps = moment.after.steps
    known = bool(steps) and steps[-1].text == event.summary
    words = "It **completed**" + (" with the agent's last words above" if known else "")
    return Entry(words, [] if known or not event.summary else [prose(event.summary, moment.n)])


@_entry.register
def _failed(event: Failed, moment: Moment, who: str) -> Entry:
    return Entry("It **failed**", [prose(event.error, moment.n)])


@_entry.register
def _cancelled(event: Cancelled, moment: Moment, who: str) -> Entry:
    return Entry(f"{who} **cancelled** it{_because(event.reason)}")


@_entry.register
def _child_launched(event: ChildLaunched, moment: Moment, who: str) -> Entry:
    what = f"sub-agent {code(event.name)} ({code(event.persona)}, session {code(event.child_id)})"
    return Entry(f"{_call(moment, event.call_id)} launched {what}", [prose(event.task, moment.n)])


@_entry.register
def _child_finished(event: ChildFinished, moment: Moment, who: str) -> Entry:
    name = moment.after.child(event.child_id).name
    blocks = [prose(event.result, moment.n)] if event.result.strip() else []
    return Entry(f"Sub-agent {code(name)} {event.ending}", blocks)


@_entry.register
def _children_joined(event: ChildrenJoined, moment: Moment, who: str) -> Entry:
    return Entry(
        f"{_call(moment, event.call_id)} ended, and the agent read", [prose(event.content, moment.n)]
    )


@_entry.register
def _compacted(event: Compacted, moment: Moment, who: str) -> Entry:
    return _compacted_steps(moment, event)


@_entry.register
def _session_forked(event: SessionForked, moment: Moment, who: str) -> Entry:
    words = f"{who} copied session {code(event.source)} up to step {event.step}; it goes on from here"
    return Entry(words + _missing(event.missing))


@_entry.register
def _session_restored(event: SessionRestored, moment: Moment, who: str) -> Entry:
    lost = (
        f"; {join_items([code(c) for c in event.lost])} lost the arguments, in which a secret was"
        if event.lost
        else ""
    )
    words = f"{who} restored it from a SESSION_LOG whose chain ended in {code(event.chain[:16])}{lost}"
    return Entry(words + _missing(event.missing))


def _missing(paths: Sequence[str]) -> str:
    return f"; {not_here([code(path, 120) for path in paths])}" if paths else ""


@_entry.register
def _action_refused(event: ActionRefused, moment: Moment, who: str) -> Entry:
    about = f" on {_call(moment, event.about)}" if event.about else ""
    return Entry(f"{who} was refused ({code(event.attempt, 40)}{about}): {inline(event.problem, 400)}")


@_entry.register
def _paused(event: Paused, moment: Moment, who: str) -> Entry:
    if event.reason == "parent_paused":
        return Entry(f"{who} paused it with itself")
    until = f" until {' or '.join(code(str(c)) for c in event.conditions)}" if event.conditions else ""
    until += ", in place of what it waited for" if event.replaces else ""
    until += ", and its sub-agents with it" if event.cascade else ""
    return Entry(f"{who} paused it{until}{_because(event.detail)}")


@_entry.register
def _resumed(event: Resumed, moment: Moment, who: str) -> Entry:
    how = code(event.condition) if event.condition else _TRIGGERS.get(event.trigger, "")
    words = f"{who} resumed it{f' ({how})' if how else ''}"
    words += "; its earlier steps are to be summed up" if event.compact else ""
    blocks = [prose(event.context, moment.n)] if event.context else []
    if event.data is not None:
        data = output(canonical_json(event.data), moment.n, "json")
        blocks.append(["With this data, which is not trusted:", "", *data])
    return Entry(words, blocks)


def _compacted_steps(moment: Moment, event: Compacted) -> Entry:
    """Return the steps that the model no longer reads, and the summary that it reads instead."""
    earlier = moment.after.compactions[:-1]
    first = earlier[-1].through_step + 1 if earlier else 1
    dropped = moment.after.steps[first - 1 : event.through_step]
    tools = dict.fromkeys(call_name(c.call_id, c.call.tool) for step in dropped for c in step.calls)
    calls = f": {join_items(list(tools), 20)}" if tools else ""
    what = f"{count(len(dropped), 'step')} with {count(len(tools), 'call')}"
    words = f"Steps {first} to {event.through_step} were summed up. The agent no longer reads {what}{calls}"
    return Entry(words, [["In their place it reads:", "", *prose(event.summary, moment.n)]])
