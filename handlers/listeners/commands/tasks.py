"""Tasks in plain words: launched with the channel's default persona, or offered to the personas there are."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Literal

from slack_sdk.web.async_client import AsyncWebClient

from handlers.action_ids import Action
from handlers.blocks.text import Block, button, context, escape, mrkdwn
from handlers.context import ListenerContext
from handlers.listeners.commands.dispatch import Answer
from handlers.listeners.commands.intent import Intent
from handlers.origin import Place
from handlers.quotes import SECONDS
from handlers.team_ids import actor_id
from handlers.users import UNREACHABLE, code_of
from supervisor.contract.models import PersonaView
from supervisor.contract.requests import LaunchRequest
from supervisor.core.commands.conversation import MOST_FILE_BYTES, MOST_FILES_AT_ONCE
from supervisor.core.errors import IdempotencyConflict, InvalidInput, NotAllowed
from supervisor.core.events import Actor, GivenFile
from supervisor.core.messages import Frozen
from supervisor.core.text.format import count
from supervisor.core.text.visible import one_line

# How long a person may take to choose.
KEPT = timedelta(days=7)
# The most personas that have a button; more are in a menu.
MOST_BUTTONS = 5


class Task(Frozen):
    """What a person asked for: in their words, with what goes along, and where its card appears."""

    text: str
    channel: str
    user: str
    team: str = ""
    thread_ts: str = ""
    delivery: str
    quoted: str = ""
    files: tuple[GivenFile, ...] = ()

    @property
    def place(self) -> Place:
        return Place(self.channel, self.user, self.thread_ts, self.team)


async def receive(
    flagman: ListenerContext, task: Task, intent: Intent, actor: Actor, notes: Sequence[str]
) -> Answer:
    """Launch a task, or offer it where it is not clear who does it. `notes` are sentences for the person."""
    default = await flagman.services.places.default_persona(task.place.origin())
    persona = intent.persona or default
    if intent.kind == "unclear":
        return await offer(flagman, task, actor, _doubt(flagman, intent), notes, first=default)
    known = {one.name for one in flagman.supervisor.personas.all()}
    if persona not in known:
        why = f"The default persona `{escape(persona)}` is not there any more. " if persona else ""
        return await offer(flagman, task, actor, f":raised_hand: {why}*Which agent should do this?*", notes)
    return await launch(flagman, task, persona, actor, notes)


async def launch(
    flagman: ListenerContext, task: Task, persona: str, actor: Actor, notes: Sequence[str] = ()
) -> Answer:
    """Launch a task, once. Raises InvalidInput where it was launched with another persona already."""
    try:
        session = await flagman.sessions(actor).launch(
            LaunchRequest.of(persona=persona, task=task.text),
            origin=task.place.origin(),
            idempotency_key=f"slack:{task.delivery}",
            quoted=task.quoted,
            files=task.files,
        )
    except IdempotencyConflict as conflict:
        raise InvalidInput("That task was launched already, so nothing was done.") from conflict
    along = [count(len(task.files), "file")] if task.files else []
    along += ["the messages before it"] if task.quoted else []
    taken = f" {' and '.join(along).capitalize()} went along." if along else ""
    said = f":rocket: Started *{session.persona}* (`{session.id}`), in the thread.{taken}"
    text = "\n".join([said, *notes])
    return Answer(text, (mrkdwn(text),))


async def offer(
    flagman: ListenerContext,
    task: Task,
    actor: Actor,
    question: str,
    notes: Sequence[str],
    *,
    first: str = "",
) -> Answer:
    """Keep a task and ask which persona does it; a click on one of them launches it, see `chosen`."""
    personas = [one for one in await flagman.sessions(actor).personas() if not one.problem]
    personas.sort(key=lambda one: (one.name != first, one.name))
    await flagman.rows.offer(task.delivery, task.model_dump_json().encode(), KEPT)
    words = f"> {escape(one_line(flagman.mask(task.text), 300))}"
    blocks = [mrkdwn(f"{question}\n{words}"), _choices(personas, task.delivery)]
    hint = f"`{flagman.command} settings persona <name>` sets who does it without asking.".replace(
        "<", "&lt;"
    )
    blocks.append(context(*notes, hint.replace(">", "&gt;")))
    return Answer(question, tuple(blocks))


async def chosen(flagman: ListenerContext, value: str, actor: Actor) -> Answer:
    """Launch the offered task in the value of a button or an option. Raises NotAllowed or InvalidInput."""
    persona, _, offer_id = value.partition("|")
    return await launch(flagman, await kept(flagman, offer_id, actor), persona, actor)


async def kept(flagman: ListenerContext, offer_id: str, actor: Actor) -> Task:
    """Return a task that was kept for the actor. Raises NotAllowed or InvalidInput."""
    stored = await flagman.rows.offered(offer_id)
    if stored is None:
        raise InvalidInput("That was asked too long ago; write the task again.")
    task = Task.model_validate_json(stored)
    if actor.id != actor_id(task.team, task.user):
        raise NotAllowed("Only who wrote the task chooses who does it.", what="choose who does this")
    return task


async def membership(client: AsyncWebClient, channel: str) -> Literal["member", "public", "none"]:
    """Whether the bot is in a conversation, or sees it as a public channel; where Slack does not say, it is in."""
    try:
        async with asyncio.timeout(SECONDS):
            answer: Any = await client.conversations_info(channel=channel)
    except UNREACHABLE as error:
        return "none" if code_of(error) in ("channel_not_found", "not_in_channel") else "member"
    about = answer["channel"]
    if about.get("is_im") or about.get("is_member"):
        return "member"
    return "none" if about.get("is_private") or about.get("is_mpim") else "public"


def attached(event: dict[str, Any]) -> tuple[tuple[GivenFile, ...], list[str]]:
    """Return the files of a message that are taken along, and a sentence for each reason why others are not."""
    found = [file for file in event.get("files") or [] if file.get("mode") != "tombstone" and file.get("id")]
    files = [
        GivenFile(
            source=str(file["id"]),
            name=one_line(str(file.get("name") or file.get("title") or "file"), 200),
            size=max(int(file.get("size") or 0), 0),
        )
        for file in found
    ]
    large = [file for file in files if file.size > MOST_FILE_BYTES]
    fitting = [file for file in files if file not in large]
    notes = [
        f":warning: {escape(file.name)} is not taken along: it has {file.size:,} bytes, "
        f"and {MOST_FILE_BYTES:,} is the most."
        for file in large
    ]
    if left := fitting[MOST_FILES_AT_ONCE:]:
        names = escape(", ".join(one_line(file.name, 60) for file in left))
        notes.append(f":warning: Of one message {MOST_FILES_AT_ONCE} files are taken along; not {names}.")
    return tuple(fitting[:MOST_FILES_AT_ONCE]), notes


def _doubt(flagman: ListenerContext, intent: Intent) -> str:
    if not intent.meant:
        return ":raised_hand: *Is that a task, and who does it?* `help` shows what else there is."
    meant = escape(one_line(intent.meant, 80)).replace("`", "")
    return (
        f":raised_hand: *Nothing was done:* that looks like the command `{meant}`, and is not one as it stands "
        "(see `help`). *If it is a task, who does it?*"
    )


def _choices(personas: Sequence[PersonaView], offer_id: str) -> Block:
    """The personas as buttons, or in a menu where there are many."""
    if len(personas) <= MOST_BUTTONS:
        buttons = [
            button(one.name, f"{Action.OFFER}:{n}", f"{one.name}|{offer_id}")
            for n, one in enumerate(personas)
        ]
        return {"type": "actions", "elements": buttons}
    options = [
        {"text": {"type": "plain_text", "text": one.name}, "value": f"{one.name}|{offer_id}"}
        for one in personas[:100]
    ]
    menu: Block = {
        "type": "static_select",
        "action_id": f"{Action.OFFER}:menu",
        "placeholder": {"type": "plain_text", "text": "Choose a persona"},
        "options": options,
    }
    return {"type": "actions", "elements": [menu]}
