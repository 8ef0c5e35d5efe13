"""A message as it should be shown in Slack, and reduced forms of it that Slack accepts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from handlers.action_ids import Action
from handlers.blocks.running import is_passing
from handlers.blocks.text import Block, context, plain
from supervisor.core.state import Call, Session

# Characters of a section and blocks of a message, see https://docs.slack.dev/reference/block-kit/blocks.
SECTION, MOST_BLOCKS = 2900, 50
# The buttons that decide on an open request, by its kind.
APPROVAL = frozenset(
    {
        Action.APPROVE,
        Action.APPROVE_ALL,
        Action.REVIEW_ALL,
        Action.DENY,
        Action.DENY_ALL,
        Action.RESPOND,
        Action.EDIT,
    }
)
ANSWER = frozenset({Action.ANSWER, Action.ANSWER_FORM, Action.ANSWER_DECLINE})
OUTCOME = frozenset({Action.RUN_AGAIN, Action.MARK_DONE, Action.MARK_FAILED})
PAUSE = frozenset({Action.RESUME, Action.RESUME_WITH, Action.COMPACT, Action.CANCEL, Action.CONNECT})
FAILURE = frozenset({Action.CHILD_RETRY, Action.CHILD_SKIP, Action.CHILD_STOP})
# Buttons that let a call run, which are only shown together with the whole call.
_PERMITS = {Action.APPROVE, Action.APPROVE_ALL, Action.REVIEW_ALL, Action.RUN_AGAIN}


@dataclass(frozen=True)
class Request:
    """Something in a session that waits for a person: an approval of `call`, or what its operators decide on.

    `buttons` are those that decide on it.
    """

    session: Session
    buttons: frozenset[Action]
    call: Call | None = None


@dataclass(frozen=True)
class Message:
    """A message in Slack; `key` is unique in the session, `text` is for notifications and screen readers.

    `urgent` messages are brought up to date before others, which change at most once a second. `decides` are the open
    requests that it shows, and `concerns` is a person who has to see it where its place does not show it to them.
    `excerpt` is what those see of it who are asked elsewhere, where that is not all of it. `repeats` are open requests
    that another message asks for and this one has buttons for, too; `leads_to` is the key of the message to which its
    button `Review` leads. It `reminds` those who were asked for these requests elsewhere of them. `plan` is one of the
    blocks, and the plan that says the same where Slack shows plans.
    """

    key: str
    text: str
    blocks: tuple[Block, ...]
    urgent: bool = True
    decides: tuple[Request, ...] = ()
    concerns: str = ""
    excerpt: Message | None = None
    repeats: tuple[Request, ...] = ()
    leads_to: str = ""
    reminds: tuple[Request, ...] = ()
    plan: tuple[Block, Block] | None = None

    @property
    def asks(self) -> bool:
        """Whether it has buttons, which a person may have to press."""
        return any(block["type"] == "actions" for block in self.blocks)

    @property
    def permits(self) -> bool:
        """Whether it has buttons that have something run."""
        actions = [block for block in self.blocks if block["type"] == "actions"]
        return any(e.get("action_id") in _PERMITS for block in actions for e in block["elements"])

    @cached_property
    def fingerprint(self) -> str:
        """A hash that is equal for equal content."""
        return _hash(self.text, self.blocks)

    @cached_property
    def lasting(self) -> str:
        """The fingerprint apart from what running calls print."""
        lasting = tuple(block for block in self.blocks if not is_passing(block))
        return _hash(self.text, lasting) if len(lasting) < len(self.blocks) else self.fingerprint


def _hash(text: str, blocks: tuple[Block, ...]) -> str:
    body = json.dumps([text, blocks], sort_keys=True).encode()
    return hashlib.blake2b(body, digest_size=12).hexdigest()


def with_plan(message: Message) -> tuple[Block, ...]:
    """Return the blocks with the plan in place of the block that says the same."""
    steps, plan = message.plan or ({}, {})
    return tuple(plan if block == steps else block for block in message.blocks)


def with_address(message: Message, address: str) -> Message:
    """Return the message with an address for its button `Review`; without that button where the address is empty."""
    blocks: list[Block] = []
    for block in message.blocks:
        if block["type"] == "actions":
            led = [
                {**e, "url": address} if e.get("action_id") == Action.REVIEW else e
                for e in block["elements"]
                if address or e.get("action_id") != Action.REVIEW
            ]
            block = {**block, "elements": led}
        if block.get("elements") != []:
            blocks.append(block)
    return replace(message, blocks=tuple(blocks))


def plain_form(message: Message) -> tuple[Block, ...]:
    """Return the blocks as plain text with the same buttons, for when Slack refuses the blocks."""
    blocks: list[Block] = []
    for block in message.blocks:
        if block["type"] == "actions":
            blocks.append(block)
            continue
        lines = "\n".join(_strings(block))
        blocks += [plain(lines[at : at + SECTION]) for at in range(0, len(lines), SECTION)]
    return tuple(blocks) if len(blocks) <= MOST_BLOCKS else shortest_form(message)


def shortest_form(message: Message, *, in_file: bool = False) -> tuple[Block, ...]:
    """Return a short form without those buttons that need the full content beside them to be approved."""
    where = "The file beside it has" if in_file else "Open the full call or the log to see"
    note = context(f"Slack refused the full form of this message. {where} everything.")
    actions = [block for block in message.blocks if block["type"] == "actions"]
    kept = actions if in_file else [_without_approval(block) for block in actions]
    return (plain(message.text[:SECTION]), note, *(block for block in kept if block["elements"]))


def full_text(message: Message) -> str:
    """Return every word of a message, without its buttons."""
    return "\n".join(line for b in message.blocks if b["type"] != "actions" for line in _strings(b))


def _without_approval(block: Block) -> Block:
    elements = [e for e in block["elements"] if e.get("action_id") not in _PERMITS]
    return {**block, "elements": elements}


def _strings(block: object) -> Iterator[str]:
    """Yield the lines of a block in reading order; texts of several styles in one line stay one line."""
    if isinstance(block, list | tuple):
        for part in block:
            yield from _strings(part)
    elif isinstance(block, dict):
        kind, text = block.get("type"), block.get("text")
        if kind in ("rich_text_section", "rich_text_preformatted", "rich_text_quote"):
            yield "".join(part for element in block["elements"] for part in _strings(element))
            return
        if isinstance(text, str):
            yield text
        yield from (line for key, value in block.items() if key != "block_id" for line in _strings(value))
