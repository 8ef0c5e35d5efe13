"""The hints in a SESSION_LOG on how to resume a session: in Slack, at a terminal, by buttons and over HTTP.

Verification renders these sentences again and compares them, so none may change without a new format of the document.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from handlers.origin import channel_of, in_slack
from supervisor.core.budgets import raise_limits
from supervisor.core.conditions import OnEvent, Webhook
from supervisor.core.control import compactable
from supervisor.core.events import PauseReason
from supervisor.core.messages import Json
from supervisor.core.persona import Budgets
from supervisor.core.rights import awaited_connection
from supervisor.core.state import Call, Session
from supervisor.core.text.format import count, money
from supervisor.session_log.hints import Way
from supervisor.session_log.render.moments import PausePeriod, failures
from supervisor.session_log.render.safe import code

# The command in documents that record none. It must not change, even if the default of FLAGMAN_COMMAND does.
UNRECORDED = "/agent"
# Limits of which a shorter conversation uses less.
_SHORTER_HELPS = {"max_tokens", "max_cost_usd", "max_context_tokens"}


@dataclass(frozen=True)
class Hints:
    """The ways to resume in Slack, at a terminal and over HTTP; `command` is the name of the slash command."""

    command: str

    @property
    def settings(self) -> Json:
        """The settings in a document, which `hints_of` reads."""
        return {} if self.command == UNRECORDED else {"command": self.command}

    def ways(self, rest: PausePeriod) -> list[Way]:
        """Each way to resume with an instruction; the last one is always to cancel."""
        session, slash = rest.session, self.command
        ways: Iterable[Way]
        approval = session.approval
        # Logs from before a pause named approvers keep the text that they had.
        if approval and approval.call.approvers is not None:
            ways = _pause_approval(session, approval, slash)
        elif session.pause:
            ways = _paused(session, rest.reason, slash)
        elif rest.reason == "human_approval_required":
            ways = _approval(session, slash)
        elif rest.reason == "human_input_required" and session.calls_in("asking"):
            ways = _question(session)
        elif rest.reason == "outcome_unknown":
            ways = _outcome(session)
        elif failures(session):
            ways = _failed(session)
        else:
            ways = _children(session)
        end = f"{code(f'{slash} cancel {session.id}')} or {code(f'flagman cancel {session.id}')}"
        missing = () if in_slack(session) else ("Buttons",) if session.pause else ("Buttons", "Slack")
        ways = [(name, words) for name, words in ways if name not in missing]
        return [*ways, ("To end it instead", f"{end}; nothing that it proposed will run")]

    def place(self, session: Session) -> str:
        """The session's channel in Slack, or empty."""
        channel = channel_of(session.origin)
        return f"in Slack {code(channel, 40)}" if channel else ""


def hints_of(settings: Json) -> Hints:
    """The hints for the settings of a document. Raises ValueError for unknown settings."""
    match settings:
        case {"command": str(command), **others} if not others:
            return Hints(command)
        case {**others} if not others:
            return Hints(UNRECORDED)
    raise ValueError("its settings are none of this Flagman's")


def _paused(session: Session, reason: PauseReason, slash: str) -> Iterator[Way]:
    if reason == "parent_paused" and session.lineage:
        above = session.lineage.parent
        yield (
            "With all",
            f"{code(f'{slash} resume {above}')} or {code(f'flagman resume {above}')}: its coordinator",
        )
    resume, command = f"{slash} resume {session.id}", f'flagman resume {session.id} --context "…"'
    yield "Slack", f"{code(resume)}, with a message after it if the agent should know something"
    yield "Command line", code(command)
    if reason == "error_threshold_exceeded":
        again = "**Retry** lets it try again"
        yield "Buttons", f"{again}; **Add context** does so with a message that the agent reads first"
    elif awaited := awaited_connection(session):
        name = awaited.server
        yield (
            "Buttons",
            f"**Connect {code(name)}** gives who launched it a link, privately; it goes on by itself then",
        )
        yield (
            "To connect it",
            f"{code(f'{slash} connect {name}')} or {code(f'flagman connections connect {name}')}, by who launched it",
        )
    elif reason in ("budget_exceeded", "context_budget_exceeded"):
        yield from _raising(session, slash)
    else:
        yield "Buttons", "**Resume** lets it go on; **Resume with a message** tells the agent something first"
    yield from _signals(session)


def _raising(session: Session, slash: str) -> Iterator[Way]:
    """The button that raises the limits, and the way to sum up instead where that helps."""
    limits = session.budgets
    more = raise_limits(session, session.pause.at) if session.pause else limits
    changed = {name for name in type(limits).model_fields if getattr(limits, name) != getattr(more, name)}
    button = "Give it" if changed == {"max_minutes"} else "Raise" if changed else "Resume"
    words = f"**{button}** lets it use up to {_more(limits, more)}, and go on"
    shorter = bool(changed & _SHORTER_HELPS) and compactable(session) > 0
    yield "Buttons", words + ("; **Compact** sums up its earlier steps first" if shorter else "")
    if shorter:
        typed, command = f"{slash} resume {session.id} compact", f"flagman resume {session.id} --compact"
        yield "To sum up instead", f"{code(typed)} or {code(command)}"


def _signals(session: Session) -> Iterator[Way]:
    """The webhooks and events that the session waits for, with how to send them."""
    for _, condition in session.waits:
        match condition:
            case Webhook():
                yield (
                    "Webhook",
                    f"{code(f'POST /hooks/{condition.name}')}, signed with FLAGMAN_WEBHOOK_SECRET",
                )
            case OnEvent():
                fits = (
                    f", with data of which {code(' and '.join(map(str, condition.where)))}"
                    if condition.where
                    else ""
                )
                yield (
                    "Event",
                    f"{code(f'flagman event {condition.event}')} or {code('POST /v1/events')}{fits}",
                )


def _more(limits: Budgets, more: Budgets) -> str:
    """The limits that are raised by resuming, as text."""
    found: list[str] = []
    if more.max_steps != limits.max_steps:
        found.append(count(more.max_steps, "step"))
    if more.max_tokens is not None and more.max_tokens != limits.max_tokens:
        found.append(count(more.max_tokens, "token"))
    if more.max_cost_usd is not None and more.max_cost_usd != limits.max_cost_usd:
        found.append(money(more.max_cost_usd))
    if more.max_context_tokens is not None and more.max_context_tokens != limits.max_context_tokens:
        found.append(f"{count(more.max_context_tokens, 'token')} of context")
    if more.max_minutes is not None and more.max_minutes != limits.max_minutes:
        found.append(f"{more.max_minutes:g} minutes")
    return ", ".join(found) or "what its limits leave"


def _approval(session: Session, slash: str) -> Iterator[Way]:
    calls = session.calls_in("awaiting")
    ids = " ".join(c.call_id for c in calls)
    yield "Slack", f"press a button in its thread; {code(f'{slash} status {session.id}')} shows how it stands"
    approve, deny = f"flagman approve {session.id} {ids}", f'flagman deny {session.id} {ids} --reason "…"'
    one = f"; with {code('--edit')} one call is changed first" if len(calls) == 1 else ""
    yield "Command line", f"{code(approve)} shows each call in full and asks{one}; {code(deny)} refuses"
    yield (
        "Buttons",
        "**Approve** lets exactly this call run, once; **Deny** refuses it, with a reason that the agent reads; "
        "**Edit** changes its arguments first; **View full call** shows every character",
    )


def _pause_approval(session: Session, approval: Call, slash: str) -> Iterator[Way]:
    yield "Slack", f"press a button in its thread; {code(f'{slash} status {session.id}')} shows how it stands"
    approve, deny = (
        f"flagman approve {session.id}",
        f'flagman deny {session.id} {approval.call_id} --reason "…"',
    )
    yield "Command line", f"{code(f'{approve} {approval.call_id}')} shows what is asked; {code(deny)} refuses"
    yield "Buttons", "**Approve** or **Deny** lets it go on, and the agent reads who decided what"
    yield from _signals(session)


def _question(session: Session) -> Iterator[Way]:
    calls = session.calls_in("asking")
    which = f" --call {calls[0].call_id}" if len(calls) > 1 else ""
    yield "Slack", "reply in its thread: those words are the answer"
    yield "Command line", code(f'flagman answer {session.id} "…"{which}')
    yield "Buttons", f"{_options(calls)}**Answer …** opens a form for any other answer"


def _options(calls: Sequence[Call]) -> str:
    named = [code(option, 75) for call in calls[:3] for option in call.options]
    return f"{', '.join(named)} give that answer; " if named else ""


def _outcome(session: Session) -> Iterator[Way]:
    call = session.calls_in("unknown")[0]
    yield "Slack", "look whether it took effect, then press a button in its thread"
    yield "Command line", code(f"flagman settle {session.id} {call.call_id} run-again|done|failed")
    yield (
        "Buttons",
        "**Run again** runs it once more, even if it took effect; **It was done** and **It failed** record what you "
        "found and run nothing",
    )


def _failed(session: Session) -> Iterator[Way]:
    names = [child.name for child in failures(session)]
    settle = f"flagman settle {session.id} {names[0]} retry|skip|stop"
    yield "Slack", "press a button in its thread"
    yield "Command line", code(settle)
    yield (
        "Buttons",
        "**Retry** launches that sub-agent anew; **Go on without** leaves it out; **Stop the rest** ends the plan",
    )


def _children(session: Session) -> Iterator[Way]:
    yield "By itself", "as its sub-agents end; what these wait for is in their own threads"
    for child in session.running_children[:8]:
        yield f"Sub-agent {code(child.name)}", code(f"flagman show {child.id}")
