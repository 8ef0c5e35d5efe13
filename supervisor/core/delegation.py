"""Decides for a plan which subtasks to launch, skip or stop, and when the plan has ended. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from typing import Annotated, Literal

from pydantic import Field

from supervisor.core.events.subagents import Inherited, child_folder
from supervisor.core.messages import Frozen, Json
from supervisor.core.persona import Budgets
from supervisor.core.records import Child
from supervisor.core.state import Call, Session
from supervisor.core.text.format import join_items

PLAN, LAUNCH = "plan_tasks", "launch_agent"
DELEGATING = frozenset({PLAN, LAUNCH})
MOST_SUBTASKS = 50
RESULT_SHOWN, FILES_SHOWN = 6000, 50

Policy = Literal["continue", "fail_fast", "ask"]
State = Literal["waiting", "ready", "running", "completed", "failed", "cancelled", "skipped"]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]


class Subtask(Frozen):
    """One part of a plan; it begins when those in `depends_on` have completed, and is told their results."""

    id: Annotated[Name, Field(description="A short name, such as `look-at-disk`.")]
    persona: Annotated[str, Field(description="Who does it: one of the personas you may launch.")]
    task: Annotated[str, Field(description="What to do, complete in itself.", min_length=1, max_length=8000)]
    depends_on: Annotated[
        tuple[Name, ...], Field(description="Names of the subtasks whose results it needs.")
    ] = ()


class Plan(Frozen):
    subtasks: Annotated[tuple[Subtask, ...], Field(min_length=1, max_length=MOST_SUBTASKS)]
    on_failure: Policy = "continue"


@dataclass(frozen=True)
class SubtaskStatus:
    """The state of one subtask, with the sub-agent that was launched for it last."""

    subtask: Subtask
    state: State
    child: Child | None = None
    note: str = ""


@dataclass(frozen=True)
class Delegate:
    """Stop the sub-agents `stops`, give up `skips` (name, reason), launch `starts`; `joined` ends the call."""

    call: Call
    stops: tuple[str, ...] = ()
    skips: tuple[tuple[str, str], ...] = ()
    starts: tuple[Subtask, ...] = ()
    joined: bool = False

    @property
    def nothing(self) -> bool:
        return not (self.stops or self.skips or self.starts or self.joined)


def plan_of(call: Call) -> Plan:
    """Return the plan that a call proposes; `launch_agent` is a plan of one."""
    arguments: Json = call.call.arguments if isinstance(call.call.arguments, dict) else {}
    if call.call.tool == PLAN:
        return Plan.model_validate(arguments)
    persona = str(arguments.get("persona", ""))
    only = Subtask.model_construct(id=persona, persona=persona, task=str(arguments.get("task", "")))
    return Plan(subtasks=(only,))


def problem(tool: str, arguments: Json, roster: Collection[str]) -> str:
    """Return why a plan cannot be carried out; empty if it can. `roster` names the personas that may be launched."""
    if tool == LAUNCH:
        return _unknown_persona(str(arguments.get("persona", "")), roster)
    plan = Plan.model_validate(arguments)
    names = [subtask.id for subtask in plan.subtasks]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        return f"Each subtask needs a name of its own: {', '.join(sorted(twice))} stands more than once."
    for subtask in plan.subtasks:
        missing = [name for name in subtask.depends_on if name not in names]
        if missing:
            return f"`{subtask.id}` depends on `{missing[0]}`, which is no subtask of this plan."
        wrong = _unknown_persona(subtask.persona, roster)
        if wrong:
            return wrong
    circle = _circle(plan)
    return f"These subtasks wait for each other: {', '.join(circle)}." if circle else ""


def _unknown_persona(name: str, roster: Collection[str]) -> str:
    if name in roster:
        return ""
    return f"You may not launch `{name}`. You may launch: {', '.join(sorted(roster)) or 'nobody'}."


def _circle(plan: Plan) -> list[str]:
    """Return the subtasks of a circle of dependencies, which can never begin."""
    done: set[str] = set()
    left = list(plan.subtasks)
    while ready := [subtask for subtask in left if set(subtask.depends_on) <= done]:
        done |= {subtask.id for subtask in ready}
        left = [subtask for subtask in left if subtask.id not in done]
    return [subtask.id for subtask in left]


def subtask_statuses(session: Session, call: Call) -> tuple[SubtaskStatus, ...]:
    """Return the states of all subtasks of a call, in the order of the plan."""
    children = {child.name: child for child in session.children if child.call_id == call.call_id}
    skips = {skip.name: skip.reason for skip in session.skips if skip.call_id == call.call_id}
    done = {name for name, child in children.items() if child.state == "completed"}
    return tuple(_status_of(subtask, children, skips, done) for subtask in plan_of(call).subtasks)


def _status_of(
    subtask: Subtask, children: dict[str, Child], skips: dict[str, str], done: Collection[str]
) -> SubtaskStatus:
    child = children.get(subtask.id)
    if subtask.id in skips:
        return SubtaskStatus(subtask, "skipped", child, skips[subtask.id])
    if child and child.verdict != "retry":
        return SubtaskStatus(subtask, child.state, child)
    return SubtaskStatus(subtask, "ready" if set(subtask.depends_on) <= set(done) else "waiting", child)


def undecided(session: Session, call: Call) -> tuple[Child, ...]:
    """Return the failed sub-agents on which a person has to decide."""
    if plan_of(call).on_failure != "ask" or call.phase != "delegating":
        return ()
    stands = (s.child for s in subtask_statuses(session, call) if s.state in ("failed", "cancelled"))
    return tuple(child for child in stands if child and not child.verdict)


def delegate(session: Session, call: Call) -> Delegate:
    """Return what to do now for a call that delegates; empty where it only has to wait."""
    policy, stands = plan_of(call).on_failure, subtask_statuses(session, call)
    failed = [s.child for s in stands if s.child and s.state in ("failed", "cancelled")]
    open_ = [s for s in stands if s.state in ("waiting", "ready")]
    stopping = [child for child in failed if child.verdict == "stop"]
    if stopping or (failed and policy == "fail_fast"):
        cause = min(stopping or failed, key=lambda child: child.finished_at or child.at)
        why = f"{cause.name} {cause.state}, so nothing more was begun"
        stops = tuple(s.child.id for s in stands if s.child and s.state == "running")
        skips = tuple((s.subtask.id, why) for s in open_)
        return Delegate(call, stops=stops, skips=skips, joined=not (stops or skips))
    given_up = {s.subtask.id: s.state for s in stands if _given_up(s, policy)}
    skips = tuple(_blocked(open_, given_up))
    room = max(session.budgets.max_children - session.launched_below, 0)
    ready = [s.subtask for s in open_ if s.state == "ready"]
    starts, over = tuple(ready[:room]), ready[room:]
    if _too_deep(session) and ready:
        depth = session.budgets.max_depth
        return Delegate(call, skips=tuple((s.id, f"at most {depth} levels of sub-agents") for s in ready))
    skips += tuple((s.id, f"at most {session.budgets.max_children} sub-agents") for s in over)
    left = [s for s in stands if s.state in ("waiting", "ready", "running")]
    return Delegate(call, skips=skips, starts=starts, joined=not left and not undecided(session, call))


def _depth(session: Session) -> int:
    return session.lineage.depth if session.lineage else 0


def _too_deep(session: Session) -> bool:
    return _depth(session) >= session.budgets.max_depth


def _given_up(standing: SubtaskStatus, policy: Policy) -> bool:
    if standing.state == "skipped":
        return True
    failed = standing.state in ("failed", "cancelled")
    return failed and (policy != "ask" or bool(standing.child and standing.child.verdict == "skip"))


def _blocked(open_: list[SubtaskStatus], given_up: dict[str, State]) -> Iterator[tuple[str, str]]:
    """Yield the subtasks that depend on one that was given up, each with the reason."""
    for standing in open_:
        for name in standing.subtask.depends_on:
            if name in given_up:
                how = "failed" if given_up[name] == "failed" else f"was {given_up[name]}"
                yield standing.subtask.id, f"it needs {name}, which {how}"
                break


def _needed(session: Session, call: Call, subtask: Subtask) -> list[SubtaskStatus]:
    return [s for s in subtask_statuses(session, call) if s.subtask.id in subtask.depends_on and s.child]


def briefing(session: Session, call: Call, subtask: Subtask) -> str:
    """Return the task of a sub-agent: the text of its subtask, and the results of those it depends on."""
    needed = _needed(session, call, subtask)
    results = (f"Result of {s.subtask.id}:\n{_result(s, f'inputs/{s.subtask.id}')}" for s in needed)
    return "\n\n".join([subtask.task, *results])


def inputs(session: Session, call: Call, subtask: Subtask) -> tuple[Inherited, ...]:
    """Return the files written by the subtasks that this one depends on."""
    return tuple(
        Inherited(
            into=f"inputs/{s.subtask.id}",
            folder=f"{session.folder}/{child_folder(s.child.name, s.child.id)}",
            paths=s.child.artifacts,
        )
        for s in _needed(session, call, subtask)
        if s.child and s.child.artifacts
    )


def consolidation(session: Session, call: Call) -> tuple[bool, str]:
    """Return whether all subtasks have completed, and the result of the call, which the agent reads."""
    stands = subtask_statuses(session, call)
    done = sum(s.state == "completed" for s in stands)
    if call.call.tool == LAUNCH:
        return (
            done == 1,
            f"{stands[0].subtask.persona} {stands[0].state}.\n{_result(stands[0], _folder_of(stands[0]))}",
        )
    parts = [f"{done} of {len(stands)} subtasks completed."]
    for stand in stands:
        who = f"{stand.subtask.id} ({stand.subtask.persona})"
        parts.append(f"## {who}: {stand.state}\n{_result(stand, _folder_of(stand))}")
    return done == len(stands), "\n\n".join(parts)


def _folder_of(standing: SubtaskStatus) -> str:
    return child_folder(standing.child.name, standing.child.id) if standing.child else ""


def _result(standing: SubtaskStatus, folder: str) -> str:
    """Return the result of a subtask, with the paths of its files as its readers see them."""
    child = standing.child
    if standing.state == "skipped" or child is None:
        return standing.note or "It did not run."
    text = child.result or "No output."
    if len(text) > RESULT_SHOWN:
        text = f"{text[:RESULT_SHOWN]}\n[… {len(text) - RESULT_SHOWN:,} characters are left out here …]"
    paths = [f"{folder}/{path}" for path in child.artifacts]
    return f"{text}\nIts files, in your folder: {join_items(paths, FILES_SHOWN)}" if paths else text


def share(session: Session, starting: Budgets, now: datetime, *, launches: bool = True) -> Budgets:
    """Return the budgets of a sub-agent that is launched now: its persona's, within its share of what is left here.

    What is left is divided by all that have yet to begin, so that together they cannot use more than there is.
    `launches`: whether its persona may launch others.
    """
    plans = (subtask_statuses(session, call) for call in session.open_calls if call.call.tool in DELEGATING)
    waiting = sum(s.state in ("waiting", "ready") for plan in plans for s in plan) or 1
    running = [child.budgets for child in session.running_children]
    limits, used = session.budgets, session.total_usage.input_tokens + session.total_usage.output_tokens
    cost, tokens = starting.max_cost_usd, starting.max_tokens
    if limits.max_cost_usd is not None:
        held = sum((b.max_cost_usd or Decimal(0) for b in running), Decimal(0))
        left = (limits.max_cost_usd - session.total_cost_usd - held) / waiting
        left = max(left.quantize(Decimal("0.0001"), ROUND_DOWN), Decimal("0.0001"))
        cost = min(cost or left, left)
    if limits.max_tokens is not None:
        held_tokens = sum(b.max_tokens or 0 for b in running)
        most = max((limits.max_tokens - used - held_tokens) // waiting, 1)
        tokens = min(tokens or most, most)
    minutes = starting.max_minutes
    if limits.max_minutes is not None:
        rest = max(limits.max_minutes - (now - session.began_at).total_seconds() / 60, 0.1)
        minutes = min(minutes or rest, rest)
    depth = min(starting.max_depth, limits.max_depth)
    children = 0
    if launches and _depth(session) + 1 < depth:
        # Each of those that have yet to begin counts itself, too.
        children = max(limits.max_children - session.launched_below - waiting, 0) // waiting
    return starting.model_copy(
        update={
            "max_cost_usd": cost,
            "max_tokens": tokens,
            "max_minutes": minutes,
            "max_depth": depth,
            "max_children": min(starting.max_children, children),
        }
    )
