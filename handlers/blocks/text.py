"""Makes text safe for Slack: without hidden characters, mentions, links and formatting."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

from supervisor.core.conditions import At, Condition, Connected, Cron
from supervisor.core.events.base import Deed
from supervisor.core.records import Decision
from supervisor.core.text.masking import Masker
from supervisor.core.text.visible import call_name, call_text, call_value, one_line, visible

Block = dict[str, Any]
_OPENING = re.compile(r"(?<![A-Za-z0-9])[*_~`]")


def escape(text: str) -> str:
    """Return the text for mrkdwn, without effect of what Slack would read as a mention, a link or formatting."""
    safe = visible(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # A word joiner after a mark prevents formatting; inside a word a mark has no effect.
    return _OPENING.sub("\\g<0>\u2060", safe)


def shorten(text: str, limit: int) -> str:
    """Return the text cut to `limit` characters, which then end with the number of all characters."""
    if len(text) <= limit:
        return text
    note = f" … {len(text):,} characters in all"
    return text[: max(limit - len(note), 0)] + note


def inline_code(text: str) -> str:
    """Return the beginning of a text as code on one line, in which nothing is marked up."""
    return f"`{escape(one_line(text, 200)).replace('`', '')}`"


def plain(text: str, limit: int = 2900) -> Block:
    """Return a section of plain text, cut to `limit` characters."""
    shown = shorten(visible(text), limit).strip() or "–"
    return {"type": "section", "text": {"type": "plain_text", "text": shown, "emoji": False}}


def mrkdwn(text: str) -> Block:
    """Return a section of mrkdwn; all texts from outside in it must have been escaped."""
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}


def context(*texts: str) -> Block:
    elements = [{"type": "mrkdwn", "text": text, "verbatim": True} for text in texts if text]
    return {"type": "context", "elements": elements}


def preformatted(text: str) -> Block:
    """Return a block of preformatted text, in which Slack interprets nothing."""
    element = {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": visible(text) or " "}]}
    return {"type": "rich_text", "elements": [element]}


def button(
    text: str, action_id: str, value: str, *, style: str | None = None, confirm: Block | None = None
) -> Block:
    element: Block = {
        "type": "button",
        "text": {"type": "plain_text", "text": text, "emoji": True},
        "action_id": action_id,
        "value": value,
    }
    if style:
        element["style"] = style
    if confirm:
        element["confirm"] = confirm
    return element


def overflow(action_id: str, options: dict[str, str]) -> Block:
    """Return a menu of at most five options: labels by value, which has at most 150 characters."""
    rows = [
        {"text": {"type": "plain_text", "text": label, "emoji": True}, "value": value}
        for value, label in options.items()
    ]
    return {"type": "overflow", "action_id": action_id, "options": rows}


def confirm(title: str, text: str, yes: str, no: str = "Go back") -> Block:
    return {
        "title": {"type": "plain_text", "text": title},
        "text": {"type": "plain_text", "text": text},
        "confirm": {"type": "plain_text", "text": yes},
        "deny": {"type": "plain_text", "text": no},
    }


def person(actor: str, name: str = "") -> str:
    """Return a person in mrkdwn: a mention for a user of Slack, the name otherwise."""
    kind, _, ident = actor.partition(":")
    # A message is read in the workspace of its session, in which the id needs no more.
    ident = ident.rpartition("/")[2]
    if kind == "slack" and ident.isascii() and ident.isalnum():
        return f"<@{ident}>"
    return escape(one_line(name or actor, 60))


def doer(deed: Deed) -> str:
    """Return who did something in mrkdwn; a key is named as one, with the person whose it is."""
    for_ = ""
    if isinstance(deed, Decision) and deed.for_person:
        for_ = f" for {person(deed.for_person, deed.for_name)}"
    if not deed.by.startswith("api:"):
        return person(deed.by, deed.by_name) + for_
    key = f"the key {person(deed.by, deed.by_name)}"
    return (f"{key} of {person(deed.by_owner)}" if deed.by_owner else key) + for_


def not_a_member(place: str) -> str:
    """Return in mrkdwn that the bot is not in a place, and what lets it in."""
    return f"Not a member of {place}. Run `/invite @Flagman` there."


def link(label: str, address: str) -> str:
    """Return the label in mrkdwn, as a link to a message where its address is known."""
    return f"<{address}|{escape(label)}>" if address else escape(label)


def moment(at: datetime, *, date: bool = False) -> str:
    """Return a time in mrkdwn, which Slack shows in the reader's own zone."""
    form = "{date_short_pretty} {time}" if date else "{time}"
    return f"<!date^{int(at.timestamp())}^{form}|{at:%Y-%m-%d %H:%M} UTC>"


def since(at: datetime) -> str:
    """Return the time at which something began in mrkdwn, with its seconds, in the reader's own zone."""
    return f"<!date^{int(at.timestamp())}^{{time_secs}}|{at:%H:%M:%S} UTC>"


def argument_text(arguments: Any) -> str:
    """Return all arguments in full: one line each, and texts of several lines indented under their name.

    It is applied once, to the raw arguments, and gives different arguments different texts. The indent keeps a value
    from looking like another argument.
    """
    if not isinstance(arguments, dict):
        return call_text(str(arguments))
    lines = (f"{call_name(name)}:{_value(value)}" for name, value in arguments.items())
    return "\n".join(lines) or "(no arguments)"


def brief(arguments: Any, mask: Masker) -> str:
    """Return the first argument on one line, cut to 90 characters; for lists."""
    first = next(iter(arguments.values()), "") if isinstance(arguments, dict) else arguments
    text = first if isinstance(first, str) else json.dumps(first, ensure_ascii=False)
    # Masked before it is cut, since a part of a secret matches no pattern.
    return one_line(mask.arguments(text), 90)


def _value(value: Any) -> str:
    text = call_value(value)
    if "\n" not in text:
        return f" {text}"
    return "".join(f"\n    {line}" for line in text.split("\n"))


def condition_text(condition: Condition) -> str:
    """Return a condition in mrkdwn, with times in the reader's own zone."""
    match condition:
        case At():
            return moment(condition.due, date=True)
        case Cron():
            return f"{escape(one_line(condition.expression, 60))} (next {moment(condition.due, date=True)})"
        case Connected():
            return f"when {escape(condition.server)} is connected"
        case _:
            return escape(one_line(str(condition), 200))
