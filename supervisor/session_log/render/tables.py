"""Tables of a SESSION_LOG: decisions, calls, sub-agents and costs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from supervisor.core.delegation import SubtaskStatus
from supervisor.core.events import (
    ApprovalDecided,
    ApprovalWithdrawn,
    BudgetRaised,
    CallEdited,
    Cancelled,
    ChildDecided,
    Compacted,
    InputGiven,
    OutcomeDecided,
    QuestionAnswered,
    ToolFinished,
)
from supervisor.core.events.base import DecisionFact
from supervisor.core.events.subagents import child_folder
from supervisor.core.messages import Usage
from supervisor.core.state import Call, Session
from supervisor.core.text.format import join_items, money, span, stamp, took
from supervisor.session_log.render.blocks import Lines, table
from supervisor.session_log.render.calls import (
    PAST,
    PHASES,
    VERDICTS,
    call_name,
    digest,
    first_argument,
    right,
    right_of,
)
from supervisor.session_log.render.labels import decider, is_unpriced, limits, person
from supervisor.session_log.render.moments import Moment
from supervisor.session_log.render.progress import plans
from supervisor.session_log.render.safe import cell, code, inline

Row = tuple[str, ...]
MOST_FILES = 100
_OUTCOMES = {"run_again": "run it again", "done": "it was done", "failed": "it failed"}
_CHILDREN = {"retry": "do it again", "skip": "go on without it", "stop": "stop the rest"}


def decisions(moments: Sequence[Moment], *, noted: bool) -> Lines:
    """Return the section with the decisions of people and, if `noted`, of the agent; empty where there were none."""
    rows = [row for moment in moments if (row := _decision(moment) or (_noted(moment) if noted else None))]
    if not rows:
        return []
    head = ("When", "Who", "Decision", "On", "By what right", "Reason", "Digest")
    return ["## Decisions", "", *table(head, [[cell(part) for part in row] for row in rows]), ""]


def _decision(moment: Moment) -> Row | None:
    event = moment.event
    when = stamp(event.at)
    who = decider(event) if isinstance(event, DecisionFact) else person(event.by, event.by_name)
    match event:
        case ApprovalDecided():
            verb = VERDICTS[event.verdict]
            reason = inline(event.reason)
            by = right_of(event)
            return when, who, verb, _on(moment, event.call_id), by, reason, digest(event.digest)
        case ApprovalWithdrawn():
            on = join_items([_on(moment, call_id) for call_id in event.call_ids])
            return when, who, "**withdrew**", on, "", inline(event.reason), ""
        case CallEdited():
            digests = f"{digest(event.before)} to {digest(event.call.digest)}"
            return when, who, "**changed**", _on(moment, event.call_id), right(event.via), "", digests
        case OutcomeDecided():
            verdict = f"**{_OUTCOMES[event.verdict]}**"
            return when, who, verdict, _on(moment, event.call_id), right(event.via), inline(event.result), ""
        case QuestionAnswered():
            return when, who, "answered", _on(moment, event.call_id), "", f"“{inline(event.answer)}”", ""
        case InputGiven():
            verb = "answered" if event.action == "accept" else f"{event.action}ed".replace("eed", "ed")
            return when, who, verb, _on(moment, event.call_id), "", f"“{inline(event.answer)}”", ""
        case ChildDecided():
            on = f"sub-agent {code(moment.after.child(event.child_id).name)}"
            return when, who, f"**{_CHILDREN[event.verdict]}**", on, "", "", ""
        case BudgetRaised():
            return when, who, "raised the limits", f"to {limits(event.budgets)}", "", "", ""
        case Cancelled():
            return when, who, "**cancelled**", "the session", "", inline(event.reason), ""
    return None


def _noted(moment: Moment) -> Row | None:
    """Return the row of a decision that the agent noted with the call that has ended."""
    event = moment.event
    found = moment.after.call(event.call_id).noted if isinstance(event, ToolFinished) else None
    if found is None:
        return None
    what = f"decided: **{inline(found.decision, 300)}**"
    return stamp(event.at), "the agent", what, code(found.call_id), "", inline(found.why, 400), ""


def _on(moment: Moment, call_id: str) -> str:
    return call_name(call_id, moment.after.call(call_id).call.tool)


def calls(moments: Sequence[Moment]) -> Lines:
    """Return the section with all calls: tool, approvers and outcome; empty where there were none."""
    said = {e.call_id: e for e in (m.event for m in moments) if isinstance(e, OutcomeDecided)}
    session = moments[-1].after
    rows = [_call(call, said.get(call.call_id)) for step in session.steps for call in step.calls]
    if not rows:
        return []
    head = ("Call", "Tool", "First argument", "Allowed by", "Came out", "Took")
    return ["## Calls", "", *table(head, [[cell(part) for part in row] for row in rows], right={5}), ""]


def _call(call: Call, said: OutcomeDecided | None) -> Row:
    outcome = ("finished" if call.ok else "**failed**") if call.phase == "finished" else PHASES[call.phase]
    if said and said.verdict != "run_again":
        outcome += f", says {person(said.by, said.by_name)}"
    what = code(call.call_id), code(call.call.tool, 60), code(first_argument(call), 60)
    return *what, _approvers(call), outcome, _time(call.duration_ms)


def _approvers(call: Call) -> str:
    if call.call.mode != "ask":
        return "the persona's rules" if call.call.mode == "allow" else "nobody"
    given = [decider(d) for d in call.decisions if d.verdict == "approve"]
    denied = [f"nobody: {PAST[d.verdict]} by {decider(d)}" for d in call.decisions if d.verdict != "approve"]
    if call.phase == "awaiting":
        return f"so far {', '.join(given)}" if given else "nobody yet"
    return ", ".join(denied or given) or "nobody"


def children(session: Session) -> Lines:
    """Return the section with the sub-agents of all plans and their sessions; empty where there were none."""
    stands = plans(session)
    if not stands:
        return []
    head = ("Call", "Subtask", "Persona", "State", "Session", "Took", "Steps", "Tokens", "Cost")
    rows = [[cell(part) for part in _child(call, stand)] for call, stand in stands]
    return ["## Sub-agents", "", *table(head, rows, right={5, 6, 7, 8}), ""]


def _child(call: Call, stand: SubtaskStatus) -> Row:
    subtask, child = stand.subtask, stand.child
    state = f"{stand.state}: {inline(stand.note, 120)}" if stand.note else stand.state
    state += (
        f"; {person(child.decided_by, child.decided_by_name)}: {_CHILDREN[child.verdict]}"
        if child and child.verdict
        else ""
    )
    begun = (code(call.call_id), code(subtask.id), code(subtask.persona), state)
    if child is None:
        return *begun, "", "", "", "", ""
    ended = child.finished_at
    time = span(ended - child.at) if ended else ""
    spent = f"{child.usage.input_tokens + child.usage.output_tokens:,}"
    cost = money(child.cost_usd, unpriced=child.unpriced)
    sums = (str(child.steps), spent, cost) if ended else ("", "", "")
    return *begun, code(child.id), time, *sums


def artifacts(session: Session) -> Lines:
    """Return the section with the files, the newest last: who wrote them, when, and which are removed."""
    files = session.files
    if not files:
        return []
    written = dict(_written(session))
    earlier = len(files) - MOST_FILES
    rows = [
        [cell(code(path, 200)), *written[path], "" if there else "removed since"]
        for path, there in list(files.items())[-MOST_FILES:]
    ]
    head = ("Path", "Written by", "When", "State")
    left = [f"{earlier:,} that were written earlier are in the events alone.", ""] if earlier > 0 else []
    return ["## Artifacts", "", *table(head, rows), "", *left]


def _written(session: Session) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield each file with the call or sub-agent that wrote it, and the time; the last one counts."""
    for path, at in session.attachments.taken:
        yield path, ("attached", stamp(at))
    for call in (call for step in session.steps for call in step.calls):
        for path in call.artifacts:
            yield path, (code(call.call_id), stamp(call.finished_at) if call.finished_at else "")
    for child in session.children:
        ended = stamp(child.finished_at) if child.finished_at else ""
        for path in child.artifacts:
            yield f"{child_folder(child.name, child.id)}/{path}", (f"sub-agent {code(child.name)}", ended)


def costs(moments: Sequence[Moment]) -> Lines:
    """Return the section with time, tokens and cost of each step, summary and sub-agent; empty if there is none."""
    session = moments[-1].after
    rows = list(_costs(session, moments))
    if not rows:
        return []
    head = ("Step", "Model", "Model's time", "Tools' time", "Tokens in", "Tokens out", "Cost")
    return ["## Cost", "", *table(head, rows, right={2, 3, 4, 5, 6}), ""]


def _costs(session: Session, moments: Sequence[Moment]) -> Iterator[Row]:
    tools = waited = 0
    for step in session.steps:
        spent = sum(c.duration_ms for c in step.calls)
        tools, waited = tools + spent, waited + step.duration_ms
        times = took(step.duration_ms), _time(spent)
        yield str(step.number), _model(step.model), *times, *_spent(step.usage, step.cost_usd)
    for event in (m.event for m in moments):
        if isinstance(event, Compacted):
            waited += event.duration_ms
            what = f"summary to {event.through_step}", _model(event.model)
            yield *what, took(event.duration_ms), "", *_spent(event.usage, event.cost_usd)
    for child in session.children:
        if child.state != "running":
            cost = None if child.unpriced and not child.cost_usd else child.cost_usd
            yield f"sub-agent {cell(code(child.name))}", "", "", "", *_spent(child.usage, cost)
    if session.steps:
        whole = _spent(session.total_usage, session.total_cost_usd, unpriced=is_unpriced(session))
        yield "**all**", "", took(waited), _time(tools), *whole


def _model(name: str) -> str:
    return cell(code(name, 60))


def _time(ms: int) -> str:
    """Return a duration in milliseconds as text; empty for 0."""
    return took(ms) if ms else ""


def _spent(usage: Usage, cost: Decimal | None, *, unpriced: bool = False) -> Row:
    price = "not known" if cost is None else money(cost, unpriced=unpriced)
    return f"{usage.input_tokens:,}", f"{usage.output_tokens:,}", price
