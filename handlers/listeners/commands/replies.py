"""The answers to commands: messages that only the author of the command sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from handlers.blocks.text import Block, context, escape, link, moment, mrkdwn, person, preformatted
from handlers.messages.headline import ENDED, headline
from supervisor.contract.models import PersonaView
from supervisor.core.errors import LogUnreadable
from supervisor.core.state import Session
from supervisor.core.text.masking import Masker
from supervisor.core.text.visible import one_line
from supervisor.session_log.render.transcript import Line

LOG_SHOWN = SECTION_SHOWN = 2800
ANSWER_SHOWN = 12_000


def help_text(slash: str) -> str:
    return "\n".join(
        [
            "*Flagman* runs agents; what is risky waits here until somebody waves it through.",
            f'• `{slash} launch sre "check the disk"` starts one; bare `{slash}` opens a form',
            f"• `{slash} list` (`running`, `paused`, `ended`) · `{slash} status <id>` · `{slash} log <id>`",
            f"• `{slash} files <id>` · `{slash} files <id> <path>` posts that file into the thread",
            f"• `{slash} pause <id> [why]` · `{slash} resume <id> [message]` · `{slash} cancel <id> [why]`",
            f"• `{slash} pause <id> until webhook: redis_ready` · `only until event: deploy.finished` · `for 2h` · "
            "`alone`, without its sub-agents",
            f"• `{slash} tell <id> [as <persona>:] <words>` · "
            f'`{slash} event deploy.finished {{"env": "prod"}}` resumes who waits for it',
            f"• `{slash} resume <id> compact` sums its earlier steps up first · "
            f"`{slash} fork <id> [at <step>] [message]` goes on in a copy",
            f"• `{slash} resume <id> at 09:00` · `{slash} remind <id> in 30m look at the graph`",
            f'• `{slash} schedule "0 9 * * MON" launch sre "weekly report"` · `{slash} schedule list`',
            f"• `{slash} schedule run <id>` launches it now · `schedule pause <id>` · `resume <id>` · `delete <id>`",
            f"• `{slash} settings` shows what holds in this channel · `settings persona sre` · `settings limits usd=2`",
            f"• `{slash} delegate @grace until friday` has Grace decide for you · `{slash} delegate list` · "
            f"`{slash} delegate drop <id>`",
            f"• `{slash} personas` shows who there is · for admins: `{slash} audit` (`today`, `7d`) how people decided",
            "In a session's thread, just reply: the agent reads it at its next step. "
            "`@Flagman pause`, `resume`, `status`, `log`, `files`, `fork` and `cancel` work there too.",
        ]
    )


def session_list(
    sessions: Sequence[Session | LogUnreadable],
    which: str,
    mask: Masker,
    slash: str,
    cards: Mapping[str, str] = MappingProxyType({}),
) -> list[Block]:
    """Return one line for each session, with a link to its card where `cards` has the address."""
    if not sessions:
        kind = "" if which == "all" else f"{which} "
        return [mrkdwn(f'There are no {kind}sessions. Start one: `{slash} launch sre "check the disk"`')]
    return _sections([_entry(s, mask, cards) for s in sessions])


def _sections(lines: Sequence[str]) -> list[Block]:
    """Return the lines in as few sections as possible; those beyond `ANSWER_SHOWN` characters are counted."""
    groups: list[str] = []
    for shown, line in enumerate(lines):
        if sum(map(len, groups)) + len(line) > ANSWER_SHOWN:
            return [*map(mrkdwn, groups), context(f"{len(lines) - shown} more are not shown here.")]
        if groups and len(groups[-1]) + len(line) < SECTION_SHOWN:
            groups[-1] += f"\n{line}"
        else:
            groups.append(line)
    return [mrkdwn(group) for group in groups]


def _entry(session: Session | LogUnreadable, mask: Masker, cards: Mapping[str, str]) -> str:
    if isinstance(session, LogUnreadable):
        return f"`{session.session_id}` :warning: {escape(one_line(str(session), 200))}"
    state = ENDED[session.lifecycle] if session.ended else headline(session, mask, limit=60)
    task = escape(one_line(mask(session.task), 60))
    when = moment(session.changed_at, date=True)
    persona = link(session.persona, cards.get(session.id, ""))
    return f"`{session.id}` *{persona}* {task} · {state} · {when}"


def personas(all_of_them: Sequence[PersonaView]) -> list[Block]:
    """Each persona with what it does, and what is wrong with it."""
    lines = [
        f"*{p.name}* {escape(one_line(p.description, 160))}\n      {_about(p)}" for p in all_of_them[:30]
    ]
    return _sections(lines) or [mrkdwn("There are no personas.")]


def _about(persona: PersonaView) -> str:
    if wrong := " ".join(filter(None, [persona.problem, *persona.notes])):
        return f":warning: {escape(one_line(wrong, 300))}"
    return f"tools: {escape(one_line(', '.join(persona.tools), 160))}"


def log(session: Session, lines: Sequence[Line], where: str) -> list[Block]:
    """Return the last lines of the log, up to `LOG_SHOWN` characters; earlier ones are counted."""
    texts = [f"{line.at:%H:%M:%S} {one_line(line.who, 80)}: {one_line(line.text, 300)}" for line in lines]
    shown: list[str] = []
    for text in reversed(texts):
        if sum(map(len, shown)) + len(text) > LOG_SHOWN:
            break
        shown.insert(0, text)
    left = len(texts) - len(shown)
    earlier = f" {left} earlier entries; `flagman log {session.id}` shows all." if left else ""
    note = f"Times are UTC.{earlier}"
    return [mrkdwn(f"*Log of* `{session.id}` {where}".strip()), preformatted("\n".join(shown)), context(note)]


def status(session: Session, mask: Masker, where: str) -> list[Block]:
    task = escape(one_line(mask(session.task), 200))
    by = person(session.launched_by, session.launched_by_name)
    return [
        mrkdwn(f"`{session.id}` *{session.persona}* {task}\n{headline(session, mask)}"),
        context(
            f"launched by {by} · {moment(session.launched_at, date=True)} · step {len(session.steps)} {where}".strip()
        ),
    ]
