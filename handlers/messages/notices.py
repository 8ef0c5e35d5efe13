"""The messages of a thread for questions, pauses, calls with an unknown outcome, and the end."""

from __future__ import annotations

from collections.abc import Iterator

from handlers.action_ids import Action, Target
from handlers.blocks.markdown import rich_text
from handlers.blocks.text import (
    Block,
    argument_text,
    button,
    condition_text,
    confirm,
    context,
    escape,
    moment,
    mrkdwn,
    person,
    plain,
    preformatted,
    shorten,
)
from handlers.messages.approval import policy
from handlers.messages.files import files
from handlers.messages.headline import WAITING, failures
from handlers.messages.message import ANSWER, APPROVAL, FAILURE, OUTCOME, PAUSE, Message, Request
from handlers.messages.pauses import approval_buttons, spent, ways_on
from handlers.messages.requests.server_questions import answered_blocks, asked_blocks, hint
from handlers.team_ids import bare
from supervisor.core.elicitation.fields import form_fields
from supervisor.core.events import SYSTEM
from supervisor.core.records import Child
from supervisor.core.rights import awaited_connection, is_stopped
from supervisor.core.state import Call, PauseRecord, Session
from supervisor.core.subagents import BY_ITSELF
from supervisor.core.text.masking import Masker
from supervisor.core.text.visible import one_line

WORDS_SHOWN = 900
_VERDICTS = {"retry": "Retried", "skip": "Left out", "stop": "The rest was stopped"}


def file_problems(session: Session, mask: Masker) -> Iterator[Message]:
    """Yield one message for each time that attached files could not be taken, to who attached them."""
    for number, problem in enumerate(session.attachments.problems, start=1):
        said = "; ".join(escape(one_line(mask(one), 200)) for one in problem.said[:10])
        whom = " ".join(person(who) for who in problem.by)
        text = f":warning: {whom} Not taken along: {said}."
        yield Message(f"files:{number}", text, (mrkdwn(text),))


def system_notes(session: Session, mask: Masker) -> Iterator[Message]:
    """Yield one message for each thing that Flagman itself told the agent, such as that a server is away."""
    notes = [note for note in (*session.notes, *session.inbox) if note.by == SYSTEM.id]
    for number, note in enumerate(notes, start=1):
        text = f":information_source: {escape(one_line(mask(note.text), 500))}"
        yield Message(f"told:{number}", text, (mrkdwn(text),))


def questions(session: Session, mask: Masker, within: str = "") -> Iterator[Message]:
    """Yield one message for each question, with a button for each option; other answers are replies in the thread.

    `within` is the name of a sub-agent that is shown in the thread of its coordinator.
    """
    reply = "Or answer with a reply in this thread."
    if within:
        *_, name = within.split(" › ")
        reply = f"Or reply in this thread: `{escape(one_line(name, 40))}: your answer`"
    for call in (c for step in session.steps for c in step.calls if c.question):
        if call.inputs.asked:
            yield from _of_server(session, call, mask, reply)
            continue
        blocks: list[Block] = [mrkdwn(":speech_balloon: *Question*"), plain(mask(call.question))]
        decides: tuple[Request, ...] = ()
        if call.phase == "asking" and not session.ended:
            blocks += [choices(session, call, mask), context(reply), *_for_requester(session)]
            decides = (Request(session, ANSWER),)
        elif call.phase == "finished":
            blocks.append(plain(f"Answer: {mask(call.content)}", 1500))
            if call.finished_at:
                blocks.append(context(f"by {person(call.answered_by)} at {moment(call.finished_at)}"))
        else:
            blocks.append(context("No longer needed."))
        text = f"Question: {escape(one_line(mask(call.question), 200))}"
        yield Message(f"question:{call.call_id}", text, tuple(blocks), decides=decides)


def _of_server(session: Session, call: Call, mask: Masker, reply: str) -> Iterator[Message]:
    """Yield one message for each thing that the server of a call has asked for so far."""
    current = call.inputs.open if call.phase == "asking" and not session.ended else None
    for n, asked in enumerate(call.inputs.asked):
        blocks = asked_blocks(call, asked, mask)
        decides: tuple[Request, ...] = ()
        if asked is current:
            blocks += [choices(session, call, mask), *hint(asked, reply), *_for_requester(session)]
            decides = (Request(session, ANSWER),)
        elif asked.action:
            blocks += answered_blocks(asked, mask)
        elif current:
            # It is asked next.
            return
        else:
            blocks.append(context("No longer needed."))
        text = f"{asked.request.server} asks: {escape(one_line(mask(asked.request.message), 200))}"
        yield Message(f"question:{call.call_id}:{n}", text, tuple(blocks), decides=decides)


def _for_requester(session: Session, by: str = "") -> list[Block]:
    """Return a line that mentions who asked for the session; none for a sub-agent, a program, or the one who acted."""
    asked = (session.launched_by, *sorted(session.asked_by))
    who = next((one for one in asked if one.startswith("slack:")), "")
    return [context(f"For {person(who)}")] if who and who != by and session.lineage is None else []


def _for_connector(session: Session) -> list[Block]:
    """Return a line that mentions who has to connect a server, where the session waits for that."""
    awaited = awaited_connection(session)
    return [context(f"For {person(awaited.person)}")] if awaited else []


def choices(session: Session, call: Call, mask: Masker) -> Block:
    """Return the buttons of a question: its options, and one that opens a form for any other answer."""
    elements = [
        button(
            one_line(mask(option), 75) or "–",
            f"{Action.ANSWER}:{n}",
            Target.of(session, call, extra=str(n)).encode(),
        )
        for n, option in enumerate(call.options[:20])
    ]
    value = Target.of(session, call).encode()
    if not call.inputs.open or form_fields(call.inputs.open.request.schema_):
        elements.append(button("Answer …", Action.ANSWER_FORM, value))
    if call.inputs.open:
        elements.append(button("Decline", Action.ANSWER_DECLINE, value))
    return {"type": "actions", "block_id": f"q:{session.id}:{call.call_id}", "elements": elements}


def failed(session: Session, mask: Masker) -> Iterator[Message]:
    """Yield one message for each failed sub-agent of a session about which a person decides or has decided."""
    open_ = failures(session)
    for child in (c for c in session.children if c in open_ or c.verdict):
        name = escape(one_line(child.name, 60))
        words = shorten(mask(child.result), WORDS_SHOWN) or "No output."
        title = f":x: *{name}* {child.state}"
        decides: tuple[Request, ...] = ()
        if child in open_:
            title, ways = f"{title}. What next?", failure_buttons(session, child)
            decides = (Request(session, FAILURE),)
        else:
            at = child.decided_at or session.changed_at
            by = f"{person(child.decided_by, child.decided_by_name)} at {moment(at)}"
            ways = context(f"{_VERDICTS[child.verdict]} by {by}")
        text = f"{name} {child.state}: {escape(one_line(words, 200))}"
        yield Message(f"failed:{child.id}", text, (mrkdwn(title), plain(words), ways), decides=decides)


def failure_buttons(parent: Session, child: Child) -> Block:
    """Return the buttons that decide on a failed sub-agent."""
    value = Target.of(parent, extra=child.id).encode()
    sure = confirm(
        "Stop the rest?", "Sub-agents at work are cancelled, and no other one begins.", "Stop the rest"
    )
    elements = [
        button("Retry", Action.CHILD_RETRY, value, style="primary"),
        button("Go on without", Action.CHILD_SKIP, value),
        button("Stop the rest", Action.CHILD_STOP, value, style="danger", confirm=sure),
    ]
    return {"type": "actions", "block_id": f"child:{parent.id}:{child.id}", "elements": elements}


def cut_off(session: Session, mask: Masker) -> Iterator[Message]:
    """Yield one message for each call that was running when its worker died, and whose outcome is unknown."""
    for call in (
        c for step in session.steps for c in step.calls if c.phase == "unknown" and not session.ended
    ):
        value = Target.of(session, call).encode()
        sure = confirm("Run it again?", "If the first run took effect, it will happen twice.", "Run it again")
        elements = [
            button("Run again", Action.RUN_AGAIN, value, confirm=sure),
            button("It was done", Action.MARK_DONE, value, style="primary"),
            button("It failed", Action.MARK_FAILED, value),
            button("View full call", Action.VIEW, value),
        ]
        shown = shorten(argument_text(mask.arguments(call.call.arguments)), 2400)
        tool = escape(one_line(call.call.tool, 60))
        cause = escape(one_line(mask(call.lost), 300)) if call.lost else "the worker stopped"
        yield Message(
            f"lost:{call.call_id}:{call.attempt}",
            f"Outcome unknown: {cause} while {tool} was running",
            (
                mrkdwn(f":grey_question: *Outcome unknown* · {cause} while *{tool}* was running"),
                preformatted(shown),
                context("Flagman does not run it again by itself. Please look, then say what happened."),
                {"type": "actions", "block_id": f"lost:{session.id}:{call.call_id}", "elements": elements},
            ),
            decides=(Request(session, OUTCOME),),
        )


def pauses(session: Session, mask: Masker, *, by_people: bool = False) -> Iterator[Message]:
    """Yield one message for each pause; while it lasts, with the same buttons as the card.

    With `by_people` only for those that a person began or ends.
    """
    for halt in session.halts:
        if by_people and halt.reason in BY_ITSELF and not halt.approval:
            continue
        open_ = session.pause is not None and halt is session.halts[-1]
        blocks: list[Block] = [mrkdwn(_pause_line(halt))]
        decides: tuple[Request, ...] = ()
        if halt.detail:
            blocks.append(plain(mask(halt.detail), 1200))
        if session.approval and halt.approval is session.approval:
            blocks += [*policy(session.approval), *_waits(session), *_refused(session, mask)]
            buttons = approval_buttons(session, session.approval)
            decides = (Request(session, APPROVAL, session.approval),)
            blocks.append(
                {"type": "actions", "block_id": f"halt:{session.id}:{halt.number}", "elements": buttons}
            )
        elif open_:
            blocks += [*spent(session), *_waits(session), *_refused(session, mask)]
            name = f"halt:{session.id}:{halt.number}"
            blocks.append({"type": "actions", "block_id": name, "elements": ways_on(session)})
            asks = is_stopped(session) or bool(awaited_connection(session))
            decides = (Request(session, PAUSE),) if asks else ()
            blocks += _for_requester(session, halt.by) if is_stopped(session) else _for_connector(session)
        elif halt.resumed_at:
            blocks.append(context(*_resumed(halt, mask)))
        awaited = awaited_connection(session) if open_ else None
        yield Message(
            f"halt:{halt.number}",
            _pause_line(halt),
            tuple(blocks),
            decides=decides,
            concerns=bare(awaited.person) if awaited else "",
        )


def _resumed(halt: PauseRecord, mask: Masker) -> Iterator[str]:
    """Yield who ended a pause, and by which decision if it waited for an approval."""
    decided = halt.approval.decisions[-1] if halt.approval and halt.approval.decisions else None
    who, at = person(halt.resumed_by, halt.resumed_by_name), moment(halt.resumed_at or halt.at)
    if decided is None or halt.trigger not in ("approval", "manual"):
        yield f":arrow_forward: Resumed by {who} at {at}"
        return
    yield (
        f":white_check_mark: Approved by {who} at {at}"
        if decided.verdict == "approve"
        else (f":no_entry: Denied by {who} at {at}")
    )
    if decided.reason:
        yield f"Reason: {escape(shorten(mask(decided.reason), 300))}"


def _waits(session: Session) -> list[Block]:
    """Return the conditions that resume the session besides a person."""
    shown = list(dict.fromkeys(condition_text(condition) for _, condition in session.waits))
    return [context(f":hourglass: Resumes: {' · or '.join(shown)}")] if shown else []


def _refused(session: Session, mask: Masker) -> list[Block]:
    """Return blocks on the webhooks and events that were refused during the present pause."""
    kinds = tuple(f"{kind}:" for kind in ("webhook", "event"))
    notes = [note for note in session.inbox if note.by.startswith(kinds) and note.at >= session.halts[-1].at]
    return [context(f":warning: {escape(one_line(mask(note.text), 300))}") for note in notes[-3:]]


def _pause_line(halt: PauseRecord) -> str:
    by = "" if halt.by == "system" else f" by {person(halt.by, halt.by_name)}"
    return f"{WAITING[halt.reason]}{by}"


def end_notices(session: Session, mask: Masker) -> Iterator[Message]:
    """Yield the message with the result, once the session has ended."""
    if session.lifecycle == "completed":
        body = rich_text(mask(session.ending)) or [plain("Finished without output.")]
        blocks = [mrkdwn(":white_check_mark: *Done*"), *body[:5], *files(session, mask, most=20)]
    elif session.lifecycle == "failed":
        blocks = [mrkdwn(":x: *Failed*"), plain(mask(session.ending), 2000)]
    elif session.lifecycle == "cancelled":
        by = person(session.ended_by)
        blocks = [mrkdwn(f":no_entry_sign: *Cancelled* by {by}")]
        if session.ending:
            blocks.append(plain(mask(session.ending), 1000))
    else:
        return
    text = f"{session.lifecycle.capitalize()}: {escape(one_line(mask(session.ending), 200))}"
    yield Message("end", text, (*blocks, *_for_requester(session, session.ended_by)))
