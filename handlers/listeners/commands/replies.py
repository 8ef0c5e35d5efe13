"""The answers to commands: messages that only the author of the command sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from handlers.action_ids import Action
from handlers.blocks.text import Block, button, context, escape, moment, mrkdwn, person
from handlers.listeners.commands.log_entries import log_blocks
from handlers.messages.headline import headline
from supervisor.contract.models import PersonaView
from supervisor.core.errors import LogUnreadable
from supervisor.core.events import Event
from supervisor.core.state import Session
from supervisor.core.text.format import count
from supervisor.core.text.masking import Masker
from supervisor.core.text.visible import one_line

LOG_SHOWN = 9000
# Characters and rows of an answer: Slack takes about 13,000 with escapes, and 50 blocks.
ANSWER_SHOWN, ROWS_SHOWN = 11_000, 45


def help_text(slash: str) -> list[Block]:
    """Return what the command takes, in four groups."""
    groups = {
        ":rocket: *Start*": [
            f'`{slash} launch sre "check the disk"` starts an agent; `{slash}` alone opens a form',
            f"`{slash} personas` lists available agents",
            f"`{slash} fork <id> [at <step>] [message]` continues in a copy",
        ],
        ":mag: *Look*": [
            f"`{slash} list` (`running`, `paused`, `ended`) lists sessions",
            f"`{slash} status <id>` · `{slash} log <id>`",
            f"`{slash} files <id>` · `{slash} files <id> <path>` posts that file into the thread",
            f"`{slash} settings` shows what holds in this channel · `settings persona sre` · `settings limits usd=2`",
            f"`{slash} notify dm quiet 22:00-07:00` has what waits for you told directly · `thread` · `both` · "
            "`quiet off`",
            f"`{slash} audit` (`today`, `7d`) tells admins how people decided",
        ],
        ":raised_hand: *Steer*": [
            f"`{slash} pause <id> [why]` · `{slash} resume <id> [message]` · `{slash} cancel <id> [why]`",
            f"`{slash} pause <id> until webhook: redis_ready` · `only until event: deploy.finished` · `for 2h` · "
            "`alone`, without its sub-agents",
            f"`{slash} resume <id> compact` sums its earlier steps up first · `{slash} resume <id> at 09:00`",
            f"`{slash} tell <id> [as <persona>:] <words>`",
            f"`{slash} delegate @grace until friday` has Grace decide for you · `{slash} delegate list` · "
            f"`{slash} delegate drop <id>`",
            f"`{slash} connect github` has agents use a server as you · `{slash} connections` · "
            "`connections remove github`",
            f"`{slash} grants` lists what runs without asking · `{slash} grants revoke <id>`",
        ],
        ":calendar: *Times and events*": [
            f'`{slash} schedule "0 9 * * MON" launch sre "weekly report"` · `{slash} schedule list`',
            f"`{slash} schedule run <id>` launches it now · `schedule pause <id>` · `resume <id>` · `delete <id>`",
            f"`{slash} remind <id> in 30m look at the graph`",
            f'`{slash} event deploy.finished {{"env": "prod"}}` resumes the sessions that wait for it',
        ],
    }
    return [
        mrkdwn("*Flagman* runs AI agents. Every risky action waits here for approval."),
        *(
            mrkdwn("\n".join([title, *(f"• {_typed(line)}" for line in rows)]))
            for title, rows in groups.items()
        ),
        context(
            "In a session's thread, just reply: the agent reads it at its next step. "
            "`@Flagman pause`, `resume`, `status`, `log`, `files`, `fork` and `cancel` work there too."
        ),
        {"type": "actions", "elements": [launch_button("Launch an agent")]},
    ]


def _typed(line: str) -> str:
    """Return a line in mrkdwn in which placeholders such as `<id>` are no links."""
    return line.replace("<", "&lt;").replace(">", "&gt;")


def launch_button(label: str = "Launch", persona: str = "") -> Block:
    """Return the button that opens the launch form, with a persona where one is chosen."""
    return button(label, Action.LAUNCH_FORM, persona or "-", style="primary" if not persona else None)


def open_button(address: str) -> dict[str, Block]:
    """Return the accessory that leads to a message; nothing where its address is not known."""
    return {"accessory": {**button("Open", Action.REVIEW, "open"), "url": address}} if address else {}


def session_list(
    sessions: Sequence[Session | LogUnreadable],
    which: str,
    mask: Masker,
    slash: str,
    cards: Mapping[str, str] = MappingProxyType({}),
) -> list[Block]:
    """Return one row for each session, with a button to its card where `cards` has the address."""
    if not sessions:
        kind = "" if which == "all" else f"{which} "
        empty = mrkdwn(f'There are no {kind}sessions. Start one: `{slash} launch sre "check the disk"`')
        return [{**empty, "accessory": launch_button()}]
    return _fit([_entry(session, mask, cards) for session in sessions], "`flagman list` shows all")


def _entry(session: Session | LogUnreadable, mask: Masker, cards: Mapping[str, str]) -> Block:
    if isinstance(session, LogUnreadable):
        return mrkdwn(f":warning: {escape(one_line(str(session), 200))} · `{session.session_id}`")
    state = headline(session, mask, limit=60)
    when = moment(session.changed_at, date=True)
    about = f"{escape(session.persona)} · {when} · `{session.id}`"
    row = mrkdwn(f"*{_title(session, mask)}*\n{state} · {about}")
    return {**row, **open_button(cards.get(session.id, ""))}


def _title(session: Session, mask: Masker) -> str:
    return escape(one_line(mask(session.task), 80))


def personas(all_of_them: Sequence[PersonaView]) -> list[Block]:
    """Each persona with what it does, and what is wrong with it or a button to launch it."""
    rows: list[Block] = []
    for persona in all_of_them:
        row = mrkdwn(
            f"*{escape(persona.name)}* · {escape(one_line(persona.description, 160))}\n{_about(persona)}"
        )
        rows.append(row if persona.problem else {**row, "accessory": launch_button(persona=persona.name)})
    return _fit(rows, "`flagman policy` shows all") or [mrkdwn("There are no personas.")]


def _fit(rows: Sequence[Block], all_of_them: str) -> list[Block]:
    """Return the rows that an answer has room for; the others are counted, with a hint on what shows all."""
    room = ANSWER_SHOWN
    for shown, row in enumerate(rows):
        room -= len(row["text"]["text"])
        if room < 0 or shown == ROWS_SHOWN:
            return [*rows[:shown], context(f"and {len(rows) - shown} more; {all_of_them}.")]
    return list(rows)


def _about(persona: PersonaView) -> str:
    if wrong := " ".join(filter(None, [persona.problem, *persona.notes])):
        return f":warning: {escape(one_line(wrong, 300))}"
    return f"tools: {escape(one_line(', '.join(persona.tools), 160))}"


def log(session: Session, events: Sequence[Event], mask: Masker, where: str) -> list[Block]:
    """Return the last entries of the log, up to `LOG_SHOWN` characters; earlier ones are counted."""
    entries, left = log_blocks(session, events, LOG_SHOWN)
    earlier = (
        f"{count(left, 'earlier entry', 'earlier entries')}: `flagman log {session.id}` shows all."
        if left
        else ""
    )
    return [
        mrkdwn(f"*Log of {_title(session, mask)}* {where}".strip()),
        *entries,
        context(" · ".join(filter(None, [f"`{session.id}`", earlier]))),
    ]


def status(
    session: Session, mask: Masker, where: str, address: str = "", running: Sequence[Block] = ()
) -> list[Block]:
    by = person(session.launched_by, session.launched_by_name)
    facts = [
        escape(session.persona),
        f"launched by {by}",
        moment(session.launched_at, date=True),
        f"step {len(session.steps)}",
        *([where] if where else []),
        f"`{session.id}`",
    ]
    task = escape(one_line(mask(session.task), 200))
    row = mrkdwn(f"*{task}*\n{headline(session, mask)}")
    return [{**row, **open_button(address)}, *running, context(" · ".join(facts))]
