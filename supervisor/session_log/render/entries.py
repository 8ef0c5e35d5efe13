"""What each event is called in the timeline, with the words and outputs that belong to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from supervisor.core.digest import canonical_json
from supervisor.core.events import (
    ApprovalDecided,
    ApprovalRequested,
    CallEdited,
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
    ToolStarted,
)
from supervisor.core.text.format import count, listed, took
from supervisor.session_log.render.blocks import Lines, output, prose
from supervisor.session_log.render.calls import before_and_after, digest, named, right
from supervisor.session_log.render.labels import person
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
class Told:
    """One line in Markdown, and blocks that stand under it."""

    words: str
    blocks: Sequence[Lines] = ()


def told(moment: Moment) -> Told:
    """What the event of this moment was. The answers of the model are steps of their own."""
    event, n = moment.event, moment.n
    who = person(event.by, event.by_name)
    match event:
        case SessionLaunched():
            return Told(f"{who} launched {code(event.persona)}")
        case ContextAdded():
            return Told(f"{who} said", [prose(event.text, n)])
        case ApprovalRequested():
            calls = [_call(moment, call_id) for call_id in event.call_ids]
            return Told(f"{who} asked for an approval of {listed(calls)}")
        case ApprovalDecided() | CallEdited() | OutcomeDecided() | ChildDecided():
            return _decision(moment, who)
        case ToolStarted() | ToolFinished() | OutcomeLost():
            return _run(moment, event)
        case QuestionAsked():
            options = (
                f", offering {listed([code(option, 75) for option in event.options])}"
                if event.options
                else ""
            )
            return Told(f"The agent asked in {code(event.call_id)}{options}", [prose(event.question, n)])
        case QuestionAnswered():
            return Told(f"{who} answered {code(event.call_id)}", [prose(event.answer, n)])
        case Paused() | Resumed():
            return _pause(event, who, n)
        case Completed() | Failed() | Cancelled():
            return _ending(moment, event, who)
        case _:
            return _lineage(moment, event, who)


def _call(moment: Moment, call_id: str) -> str:
    return named(call_id, moment.after.call(call_id).call.tool)


def _because(reason: str) -> str:
    return f": “{inline(reason, 400)}”" if reason else ""


def _decision(moment: Moment, who: str) -> Told:
    event, n = moment.event, moment.n
    match event:
        case ApprovalDecided():
            verb = "**approved**" if event.verdict == "approve" else "**denied**"
            what = f"{_call(moment, event.call_id)} · {digest(event.digest)} · {right(event.via)}"
            return Told(f"{who} {verb} {what}{_because(event.reason)}")
        case CallEdited():
            words = f"{who} **changed** {_call(moment, event.call_id)} · {digest(event.before)} to "
            before = moment.before.call(event.call_id).call if moment.before else event.call
            changed = before_and_after(event, before, n)
            return Told(f"{words}{digest(event.call.digest)} · {right(event.via)}", [changed])
        case OutcomeDecided():
            words = f"{who} said of {_call(moment, event.call_id)}: **{_VERDICTS[event.verdict]}**"
            return Told(words, [prose(event.result, n)] if event.result else ())
        case ChildDecided():
            child = moment.after.child(event.child_id)
            return Told(f"{who} said of sub-agent {code(child.name)}: **{_VERDICTS[event.verdict]}**")
        case _:
            raise TypeError(event.type)


def _run(moment: Moment, event: ToolStarted | ToolFinished | OutcomeLost) -> Told:
    call = _call(moment, event.call_id)
    match event:
        case ToolStarted():
            again = f", attempt {event.attempt}" if event.attempt > 1 else ""
            return Told(f"{call} started{again}")
        case ToolFinished():
            verb = "finished" if event.ok else "**failed**"
            wrote = (
                f", and wrote {listed([code(path, 120) for path in event.artifacts])}"
                if event.artifacts
                else ""
            )
            blocks = [output(event.content, moment.n)] if event.content.strip() else []
            return Told(
                f"{call} {verb} after {took(event.duration_ms)}{wrote}{'' if blocks else ', without output'}",
                blocks,
            )
        case OutcomeLost():
            return Told(
                f"{call} was cut off in attempt {event.attempt}: nothing tells whether it took effect"
            )


def _pause(event: Paused | Resumed, who: str, n: int) -> Told:
    if isinstance(event, Paused):
        until = f" until {' or '.join(code(str(c)) for c in event.conditions)}" if event.conditions else ""
        return Told(f"{who} paused it{until}{_because(event.detail)}")
    how = code(event.condition) if event.condition else _TRIGGERS.get(event.trigger, "")
    words = f"{who} resumed it{f' ({how})' if how else ''}"
    words += "; its earlier steps are to be summed up" if event.compact else ""
    blocks = [prose(event.context, n)] if event.context else []
    if event.data is not None:
        blocks.append(
            ["With this data, which is not trusted:", "", *output(canonical_json(event.data), n, "json")]
        )
    return Told(words, blocks)


def _ending(moment: Moment, event: Completed | Failed | Cancelled, who: str) -> Told:
    match event:
        case Completed():
            steps = moment.after.steps
            known = bool(steps) and steps[-1].text == event.summary
            words = "It **completed**" + (" with the agent's last words above" if known else "")
            return Told(words, [] if known or not event.summary else [prose(event.summary, moment.n)])
        case Failed():
            return Told("It **failed**", [prose(event.error, moment.n)])
        case Cancelled():
            return Told(f"{who} **cancelled** it{_because(event.reason)}")


def _lineage(moment: Moment, event: Event, who: str) -> Told:
    n = moment.n
    match event:
        case ChildLaunched():
            what = f"sub-agent {code(event.name)} ({code(event.persona)}, session {code(event.child_id)})"
            return Told(f"{_call(moment, event.call_id)} launched {what}", [prose(event.task, n)])
        case ChildFinished():
            name = moment.after.child(event.child_id).name
            blocks = [prose(event.result, n)] if event.result.strip() else []
            return Told(f"Sub-agent {code(name)} {event.ending}", blocks)
        case ChildrenJoined():
            return Told(
                f"{_call(moment, event.call_id)} ended, and the agent read", [prose(event.content, n)]
            )
        case Compacted():
            return _compacted(moment, event)
        case SessionForked():
            return Told(
                f"{who} copied session {code(event.source)} up to step {event.step}; it goes on from here"
            )
        case SessionRestored():
            lost = (
                f"; {listed([code(c) for c in event.lost])} lost the arguments, in which a secret was"
                if event.lost
                else ""
            )
            return Told(
                f"{who} restored it from a SESSION_LOG whose chain ended in {code(event.chain[:16])}{lost}"
            )
        case _:
            line = next(iter(lines([event])))
            return Told(f"{who} {inline(line.text, 600)}")


def _compacted(moment: Moment, event: Compacted) -> Told:
    """What the model no longer reads, and what it reads instead."""
    earlier = moment.after.compactions[:-1]
    first = earlier[-1].through_step + 1 if earlier else 1
    dropped = moment.after.steps[first - 1 : event.through_step]
    tools = dict.fromkeys(named(c.call_id, c.call.tool) for step in dropped for c in step.calls)
    calls = f": {listed(list(tools), 20)}" if tools else ""
    what = f"{count(len(dropped), 'step')} with {count(len(tools), 'call')}"
    words = f"Steps {first} to {event.through_step} were summed up. The agent no longer reads {what}{calls}"
    return Told(words, [["In their place it reads:", "", *prose(event.summary, moment.n)]])
