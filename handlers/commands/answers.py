"""What a command is answered with: short messages that only the asker sees."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from handlers.presenters.card import ENDED, headline
from handlers.presenters.text import Block, context, escape, moment, mrkdwn, one_line, person, preformatted
from supervisor.core.persona import Persona
from supervisor.core.session import Session
from supervisor.transcript import Line

LOG_SHOWN = 2800


def help_text(slash: str) -> str:
    return "\n".join(
        [
            "*Flagman* runs agents; what is risky waits here until somebody waves it through.",
            f'• `{slash} launch sre "check the disk"` starts one; bare `{slash}` opens a form',
            f"• `{slash} list` (`running`, `paused`, `ended`) · `{slash} status <id>` · `{slash} log <id>`",
            f"• `{slash} pause <id> [why]` · `{slash} resume <id> [message]` · `{slash} cancel <id> [why]`",
            f"• `{slash} pause <id> until webhook: redis_ready` · `until event: deploy.finished` · `for 2h`",
            f"• `{slash} resume <id> at 09:00` · `{slash} remind <id> in 30m look at the graph`",
            f'• `{slash} schedule "0 9 * * MON" launch sre "weekly report"` · `{slash} schedule list`',
            f"• `{slash} personas` shows who there is",
            "In a session's thread, just reply: the agent reads it at its next step. "
            "`@Flagman pause`, `resume`, `status`, `log` and `cancel` work there too.",
        ]
    )


def session_list(
    sessions: Sequence[Session], which: str, mask: Callable[[str], str], slash: str
) -> list[Block]:
    if not sessions:
        kind = "" if which == "all" else f"{which} "
        return [mrkdwn(f'There are no {kind}sessions. Start one: `{slash} launch sre "check the disk"`')]
    return [mrkdwn("\n".join(_entry(s, mask) for s in group)) for group in _by_tens(sessions)]


def _by_tens(sessions: Sequence[Session]) -> list[Sequence[Session]]:
    return [sessions[i : i + 8] for i in range(0, len(sessions), 8)]


def _entry(session: Session, mask: Callable[[str], str]) -> str:
    state = ENDED[session.lifecycle] if session.ended else headline(session)
    task = escape(one_line(mask(session.task), 60))
    when = moment(session.changed_at, date=True)
    return f"`{session.id}` *{session.persona}* {task} · {one_line_mrkdwn(state)} · {when}"


def one_line_mrkdwn(text: str) -> str:
    """Our own mrkdwn kept short enough for a list."""
    return text if len(text) <= 120 else f"{text[:117]}…"


def personas(all_of_them: Sequence[Persona]) -> list[Block]:
    lines = [
        f"*{p.name}* {escape(one_line(p.description, 160))}\n      tools: {escape(one_line(', '.join(p.tools), 160))}"
        for p in all_of_them[:30]
    ]
    return [mrkdwn("\n".join(lines[i : i + 6])) for i in range(0, len(lines), 6)] or [
        mrkdwn("There are no personas.")
    ]


def log(session: Session, lines: Sequence[Line], link: str) -> list[Block]:
    """The end of the log, newest last; what is left out is counted."""
    texts = [f"{line.at:%H:%M:%S} {line.who}: {' '.join(line.text.split())[:300]}" for line in lines]
    shown: list[str] = []
    for text in reversed(texts):
        if sum(map(len, shown)) + len(text) > LOG_SHOWN:
            break
        shown.insert(0, text)
    left = len(texts) - len(shown)
    note = f"{left} earlier entries; `flagman log {session.id}` shows all." if left else "Times are UTC."
    return [mrkdwn(f"*Log of* `{session.id}` {link}".strip()), preformatted("\n".join(shown)), context(note)]


def status(session: Session, link: str) -> list[Block]:
    by = person(session.launched_by, session.launched_by_name)
    return [
        mrkdwn(
            f"`{session.id}` *{session.persona}* {escape(one_line(session.task, 200))}\n{headline(session)}"
        ),
        context(
            f"launched by {by} · {moment(session.launched_at, date=True)} · step {len(session.steps)} {link}".strip()
        ),
    ]
