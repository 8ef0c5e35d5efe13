"""The home tab: paused sessions, running sessions, and a button to launch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from handlers.action_ids import Action
from handlers.blocks.text import Block, button, context, escape, link, moment, mrkdwn
from handlers.messages.headline import headline
from handlers.origin import Place
from supervisor.core.state import Session
from supervisor.core.text.masking import Masker
from supervisor.core.text.visible import one_line


def home(
    waiting: Sequence[Session],
    running: Sequence[Session],
    mask: Masker,
    slash: str,
    cards: Mapping[str, str] = MappingProxyType({}),
) -> Block:
    """Return the view for `views.publish`; `cards` are the addresses of cards by session."""
    blocks: list[Block] = [
        {"type": "header", "text": {"type": "plain_text", "text": "Flagman"}},
        mrkdwn("Run AI agents with human approval for every risky action."),
        {
            "type": "actions",
            "elements": [button("Launch an agent", Action.LAUNCH_FORM, "home", style="primary")],
        },
        {"type": "divider"},
        *_part("Needs attention", waiting, mask, "All caught up.", cards),
        *_part("Running", running, mask, "Nothing runs.", cards),
        context(f"`{slash} list` shows everything."),
    ]
    return {"type": "home", "blocks": blocks[:100]}


def _part(
    title: str, sessions: Sequence[Session], mask: Masker, empty: str, cards: Mapping[str, str]
) -> list[Block]:
    if not sessions:
        return [mrkdwn(f"*{title}*"), context(empty)]
    return [mrkdwn(f"*{title}*"), *(mrkdwn(_entry(session, mask, cards)) for session in sessions[:20])]


def _entry(session: Session, mask: Masker, cards: Mapping[str, str]) -> str:
    place = Place.of(session)
    where = f" in {place.shown}" if place and place.shown else ""
    persona = link(one_line(session.persona, 80), cards.get(session.id, ""))
    task = escape(one_line(mask(session.task), 120))
    when = moment(session.changed_at, date=True)
    return f"*{persona}* {task}{where}\n{headline(session, mask)} · {when} · `{session.id}`"
