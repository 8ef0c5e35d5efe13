"""What to do next: one pure function of the session, and the events that follow from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from supervisor.core.events import PauseReason
from supervisor.core.session import Call, Session


@dataclass(frozen=True)
class CallModel:
    """Ask the model; it will be shown the first `context_seen` items of the inbox."""

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
    """The agent itself wants to wait (`wait_for`): pause with the condition it named."""

    call: Call


@dataclass(frozen=True)
class Pause:
    """Stop before the model is asked again."""

    reason: PauseReason
    detail: str


@dataclass(frozen=True)
class Wait:
    """Nothing can go on by itself; nothing stays in memory."""


@dataclass(frozen=True)
class Finish:
    summary: str


WAIT_FOR = "wait_for"
Action = CallModel | RunTools | Sleep | Pause | Wait | Finish


def next_action(session: Session, now: datetime) -> Action:
    """The one next thing to do with this session at `now` (UTC)."""
    if session.ended or session.pause:
        return Wait()
    if session.open_calls:
        return _tools(session)
    if session.steps and not session.steps[-1].calls and not session.inbox:
        return Finish(session.steps[-1].text)
    return check_pause_conditions(session, now) or CallModel(context_seen=len(session.inbox))


def _tools(session: Session) -> Action:
    action = RunTools(
        ask=session.calls_in("held"),
        questions=tuple(c for c in session.calls_in("open") if c.call.tool != WAIT_FOR),
        run=session.calls_in("ready", "approved"),
        started=session.calls_in("started"),
    )
    if action != RunTools():
        return action
    sleepers = session.calls_in("open")
    # A wait is entered last, so that it holds up nothing else of the same turn.
    return Sleep(sleepers[0]) if sleepers and len(session.open_calls) == len(sleepers) else Wait()


def check_pause_conditions(session: Session, now: datetime) -> Pause | None:
    """Whether the session must stop before the model is asked again: too many errors, or a budget used up."""
    budgets, spent = session.budgets, session.usage.input_tokens + session.usage.output_tokens
    if session.errors_in_a_row >= budgets.error_threshold:
        return Pause("error_threshold_exceeded", f"{session.errors_in_a_row} errors in a row.")
    if len(session.steps) >= budgets.max_steps:
        return Pause("budget_exceeded", f"{len(session.steps)} of {budgets.max_steps} steps are used.")
    context = _context_tokens(session)
    if budgets.max_context_tokens is not None and context >= budgets.max_context_tokens:
        limit = budgets.max_context_tokens
        return Pause("context_budget_exceeded", f"{context:,} of {limit:,} tokens of context are used.")
    if budgets.max_tokens is not None and spent >= budgets.max_tokens:
        return Pause("budget_exceeded", f"{spent:,} of {budgets.max_tokens:,} tokens are used.")
    if budgets.max_cost_usd is not None and session.cost_usd >= budgets.max_cost_usd:
        return Pause("budget_exceeded", f"${session.cost_usd:.2f} of ${budgets.max_cost_usd:.2f} are spent.")
    if budgets.max_minutes is not None and now - session.launched_at >= timedelta(
        minutes=budgets.max_minutes
    ):
        return Pause("budget_exceeded", f"The {budgets.max_minutes:g} minutes are used up.")
    return None


def _context_tokens(session: Session) -> int:
    """Tokens of the last prompt with its answer: what the next prompt holds at least."""
    if not session.steps:
        return 0
    usage = session.steps[-1].usage
    return usage.input_tokens + usage.output_tokens
