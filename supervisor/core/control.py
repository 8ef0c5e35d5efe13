"""Decides the next action of a session, as a pure function of its state and the time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from supervisor.core.conditions import OnEvent, Webhook
from supervisor.core.delegation import DELEGATING, Delegate, delegate
from supervisor.core.digest import canonical_json
from supervisor.core.events import PauseReason
from supervisor.core.events.base import DEFERRED_TOOLS, GIVE_UP
from supervisor.core.state import Call, Session
from supervisor.core.text.format import minutes

# The denials of one call after which a session pauses before people are asked about it again, and how much of its
# arguments the reason tells.
DENIALS, SHOWN = 2, 120


@dataclass(frozen=True)
class CallModel:
    """Ask the model, with the first `context_seen` items of the inbox."""

    context_seen: int


@dataclass(frozen=True)
class RunTools:
    """Ask for approval of `ask`, put the questions of `questions`, run `run`; `started` are under way or orphaned."""

    ask: tuple[Call, ...] = ()
    questions: tuple[Call, ...] = ()
    run: tuple[Call, ...] = ()
    started: tuple[Call, ...] = ()


@dataclass(frozen=True)
class Sleep:
    """The agent called `wait_for`: pause with the condition that it named."""

    call: Call


@dataclass(frozen=True)
class Pause:
    """Stop before the model is asked again."""

    reason: PauseReason
    detail: str


@dataclass(frozen=True)
class Wait:
    """Wait for a person or a signal; the worker releases the session."""


@dataclass(frozen=True)
class Finish:
    summary: str


@dataclass(frozen=True)
class Compact:
    """Ask the model for a summary of the steps up to `through_step`, so that the next request fits."""

    through_step: int


@dataclass(frozen=True)
class Fail:
    """The agent called `give_up`: the session fails with its reason."""

    error: str


Action = CallModel | RunTools | Sleep | Delegate | Compact | Pause | Wait | Finish | Fail


def next_action(session: Session, now: datetime) -> Action:
    """Return the next action for this session at `now` (UTC); called by the control loop after each append."""
    if session.ended or session.pause:
        return Wait()
    if session.open_calls:
        return _delegation(session, now) or _tools(session)
    if session.steps and not session.steps[-1].calls and not session.inbox:
        return Finish(session.steps[-1].text)
    return _compaction(session, now) or check_pause_conditions(session, now) or CallModel(len(session.inbox))


def _delegation(session: Session, now: datetime) -> Delegate | Pause | None:
    """Return what the sub-agents of an open call need; with a used-up budget none is launched."""
    for call in session.calls_in("open", "delegating"):
        if call.call.tool in DELEGATING and not (action := delegate(session, call)).nothing:
            spent = _budget(session, now) if action.starts else ""
            return Pause("budget_exceeded", spent) if spent else action
    return None


def _tools(session: Session) -> Action:
    open_ = session.calls_in("open")
    action = RunTools(
        ask=session.calls_in("held"),
        questions=tuple(c for c in open_ if c.call.tool not in DELEGATING | DEFERRED_TOOLS),
        run=session.calls_in("ready", "approved"),
        started=tuple(c for c in session.open_calls if c.phase == "started" or c.is_held),
    )
    if action != RunTools():
        return _insistence(session) or action
    last = [c for c in open_ if c.call.tool in DEFERRED_TOOLS]
    if not last or len(session.open_calls) != len(last):
        return Wait()
    gives_up = next((c for c in last if c.call.tool == GIVE_UP), None)
    return Fail(_reason(gives_up)) if gives_up else Sleep(last[0])


def _insistence(session: Session) -> Pause | None:
    """Return a pause where a call was denied `DENIALS` times before; once it is over, people are asked again."""
    again = [
        f"{call.call.tool} {canonical_json(call.call.arguments)[:SHOWN]} ({times} times)"
        for call in session.calls_in("held")
        if (times := len(session.denials(call.call.digest))) >= DENIALS
    ]
    if not again:
        return None
    detail = f"The agent proposes again what was denied before: {', '.join(again)}."
    told = any(halt.reason == "error_threshold_exceeded" and halt.detail == detail for halt in session.halts)
    return None if told else Pause("error_threshold_exceeded", detail)


def _reason(call: Call) -> str:
    arguments = call.call.arguments
    return str(arguments.get("reason", "")) if isinstance(arguments, dict) else ""


def _compaction(session: Session, now: datetime) -> Compact | None:
    # A summary is a request to the model too, so the same reasons stop it.
    if _errors(session, now) or _budget(session, now):
        return None
    full = session.budgets.when_full == "compact" and bool(_context(session, now))
    through = compactable(session)
    return Compact(through) if through and (session.compact_next or full) else None


def compactable(session: Session) -> int:
    """Return the step up to which a session can be summed up now, keeping the last one if it can; 0 if none."""
    earlier = session.compactions[-1].through_step if session.compactions else 0
    steps = len(session.steps)
    return next((through for through in (steps - 1, steps) if through > earlier), 0)


def check_pause_conditions(session: Session, now: datetime) -> Pause | None:
    """Return the reason to pause the session at `now` with its detail; None where it may continue."""
    for reason, check in PAUSE_CONDITIONS.items():
        if detail := check(session, now):
            return Pause(reason, detail)
    return None


def _approval(session: Session, _: datetime) -> str:
    waiting = len(session.calls_in("awaiting"))
    return f"{waiting} {'call waits' if waiting == 1 else 'calls wait'} for an approval." if waiting else ""


def _outside(session: Session, _: datetime) -> str:
    waits = [str(condition) for _, condition in session.waits if isinstance(condition, Webhook | OnEvent)]
    return f"It waits for {' or '.join(waits)}." if waits else ""


def _errors(session: Session, _: datetime) -> str:
    too_many = session.errors_in_a_row >= session.budgets.error_threshold
    number = session.errors_in_a_row
    return ("1 error." if number == 1 else f"{number} consecutive errors.") if too_many else ""


def _context(session: Session, _: datetime) -> str:
    used, limit = context_tokens(session), session.budgets.max_context_tokens
    full = limit is not None and used >= limit
    return f"{used:,} of {limit:,} tokens of context are used." if full else ""


def _budget(session: Session, now: datetime) -> str:
    budgets, usage = session.budgets, session.total_usage
    spent, cost = usage.input_tokens + usage.output_tokens, session.total_cost_usd
    if len(session.steps) >= budgets.max_steps:
        return f"{len(session.steps)} of {budgets.max_steps} steps are used."
    if budgets.max_tokens is not None and spent >= budgets.max_tokens:
        return f"{spent:,} of {budgets.max_tokens:,} tokens are used."
    if budgets.max_cost_usd is not None and cost >= budgets.max_cost_usd:
        return f"${cost:.2f} of ${budgets.max_cost_usd:.2f} are spent."
    most = budgets.max_minutes
    if most is not None and now - session.began_at >= timedelta(minutes=most):
        return f"The {minutes(most)} {'is' if most == 1 else 'are'} used up."
    return ""


# Each reason to pause with its check, in order of precedence.
PAUSE_CONDITIONS: Mapping[PauseReason, Callable[[Session, datetime], str]] = {
    "human_approval_required": _approval,
    "external_dependency": _outside,
    "error_threshold_exceeded": _errors,
    "context_budget_exceeded": _context,
    "budget_exceeded": _budget,
}


def context_tokens(session: Session) -> int:
    """Return the tokens of the last prompt with its answer, which the next prompt contains."""
    steps = len(session.steps)
    # After a compaction the number is not known before the next answer.
    if not steps or (session.compactions and session.compactions[-1].at_step == steps):
        return 0
    usage = session.steps[-1].usage
    return usage.input_tokens + usage.output_tokens
