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


Action = CallModel | RunTools | Pause | Wait | Finish


def next_action(session: Session, now: datetime) -> Action:
    """The one next thing to do with this session at `now` (UTC)."""
    if session.ended or session.pause:
        return Wait()
    if session.open_calls:
        return _tools(session)
    if session.steps and not session.steps[-1].calls and not session.inbox:
        return Finish(session.steps[-1].text)
    return _stop_before_model(session, now) or CallModel(context_seen=len(session.inbox))


def _tools(session: Session) -> Action:
    action = RunTools(
        ask=session.calls_in("held"),
        questions=session.calls_in("open"),
        run=session.calls_in("ready", "approved"),
        started=session.calls_in("started"),
    )
    return action if action != RunTools() else Wait()


def _stop_before_model(session: Session, now: datetime) -> Pause | None:
    budgets, spent = session.budgets, session.usage.input_tokens + session.usage.output_tokens
    if session.errors_in_a_row >= budgets.error_threshold:
        return Pause("error_threshold_exceeded", f"{session.errors_in_a_row} errors in a row.")
    if len(session.steps) >= budgets.max_steps:
        return Pause("budget_exceeded", f"{len(session.steps)} of {budgets.max_steps} steps are used.")
    if budgets.max_tokens is not None and spent >= budgets.max_tokens:
        return Pause("budget_exceeded", f"{spent:,} of {budgets.max_tokens:,} tokens are used.")
    if budgets.max_cost_usd is not None and session.cost_usd >= budgets.max_cost_usd:
        return Pause("budget_exceeded", f"${session.cost_usd:.2f} of ${budgets.max_cost_usd:.2f} are spent.")
    if budgets.max_minutes is not None and now - session.launched_at >= timedelta(
        minutes=budgets.max_minutes
    ):
        return Pause("budget_exceeded", f"The {budgets.max_minutes:g} minutes are used up.")
    return None
