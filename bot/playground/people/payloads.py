"""Payloads that Slack sends to the app when a person acts."""

from bot.playground import seed
from bot.playground.playground import Playground
from bot.playground.store import Json

# Fields that an action copies from its element.
COPIED = ("text", "value", "style", "placeholder", "initial_option", "url")


def _name(channel: seed.Channel) -> str:
    """Return the channel's name as payloads show it, which hides the names of private channels."""
    return "privategroup" if channel.kind == "private" else channel.name


def _where(channel: seed.Channel) -> Json:
    return {"id": channel.id, "name": _name(channel)}


def _frame(kind: str, person: seed.Person) -> Json:
    return {
        "type": kind,
        "team": {"id": seed.TEAM_ID, "domain": seed.TEAM_DOMAIN},
        "user": {
            "id": person.id,
            "username": person.name,
            "name": person.name,
            "team_id": person.team_id,
        },
        "api_app_id": seed.APP_ID,
        "token": seed.VERIFICATION_TOKEN,
        "is_enterprise_install": False,
        "enterprise": None,
    }


def slash_command(
    playground: Playground, person: seed.Person, channel: seed.Channel, command: str, text: str
) -> Json:
    """Return the form fields of a slash command."""
    response_url = playground.responses.new(channel, person.id)
    return {
        "token": seed.VERIFICATION_TOKEN,
        "team_id": seed.TEAM_ID,
        "team_domain": seed.TEAM_DOMAIN,
        "channel_id": channel.id,
        "channel_name": _name(channel),
        "user_id": person.id,
        "user_name": person.name,
        "command": command,
        "text": text,
        "api_app_id": seed.APP_ID,
        "is_enterprise_install": "false",
        "response_url": playground.base_url + response_url,
        "trigger_id": playground.triggers.new(person.id),
    }


def action(element: Json, block: Json, chosen: Json, stamp: str) -> Json:
    """Return one item of `actions` in a click's payload."""
    copied = {name: element[name] for name in COPIED if name in element}
    return {
        "action_id": element["action_id"],
        "block_id": block["block_id"],
        **copied,
        **chosen,
        "type": element["type"],
        "action_ts": stamp,
    }


def message_actions(
    playground: Playground,
    person: seed.Person,
    channel: seed.Channel,
    message: Json,
    actions: list[Json],
    values: Json,
) -> Json:
    """Return the payload of a click in a message; as in Slack it has no `message` if that is ephemeral."""
    ephemeral = bool(message.get("ephemeral"))
    thread_ts = message.get("thread_ts")
    in_thread = {"thread_ts": thread_ts} if thread_ts else {}
    response_url = playground.responses.new(
        channel, person.id, origin=message["ts"], ephemeral=ephemeral, thread_ts=thread_ts
    )
    return {
        **_frame("block_actions", person),
        "container": {
            "type": "message",
            "message_ts": message["ts"],
            "channel_id": channel.id,
            "is_ephemeral": ephemeral,
            **in_thread,
        },
        "trigger_id": playground.triggers.new(person.id),
        "channel": _where(channel),
        **({} if ephemeral else {"message": message}),
        "state": {"values": values},
        "response_url": playground.base_url + response_url,
        "actions": actions,
    }


def view_actions(
    playground: Playground, person: seed.Person, view: Json, actions: list[Json], values: Json
) -> Json:
    """Return the payload of a click in a modal or on the home tab."""
    return {
        **_frame("block_actions", person),
        "container": {"type": "view", "view_id": view["id"]},
        "trigger_id": playground.triggers.new(person.id, view["id"]),
        "view": {**view, "state": {"values": values}},
        "actions": actions,
    }


def submission(playground: Playground, person: seed.Person, view: Json, values: Json) -> Json:
    """Return the payload of a submitted modal."""
    return {
        **_frame("view_submission", person),
        "trigger_id": playground.triggers.new(person.id, view["id"]),
        "view": {**view, "state": {"values": values}},
        "response_urls": _response_urls(playground, person, view, values),
    }


def _response_urls(playground: Playground, person: seed.Person, view: Json, values: Json) -> list[Json]:
    """Return a `response_url` for each channel menu with `response_url_enabled`."""
    urls: list[Json] = []
    for block in view["blocks"]:
        element = block.get("element") or {}
        if not element.get("response_url_enabled"):
            continue
        state = values[block["block_id"]][element["action_id"]]
        chosen = state.get("selected_conversation") or state.get("selected_channel")
        channel = playground.workspace.channels.get(str(chosen))
        if channel:
            path = playground.responses.new(channel, person.id)
            ids = {"block_id": block["block_id"], "action_id": element["action_id"]}
            urls.append({**ids, "channel_id": channel.id, "response_url": playground.base_url + path})
    return urls


def closed(person: seed.Person, view: Json, *, cleared: bool) -> Json:
    """Return the payload of a modal that was closed without being submitted."""
    return {**_frame("view_closed", person), "view": view, "is_cleared": cleared}


def shortcut(
    playground: Playground,
    person: seed.Person,
    callback_id: str,
    channel: seed.Channel | None,
    message: Json | None,
    stamp: str,
) -> Json:
    """Return the payload of a shortcut: a message shortcut if a message is given, else a global one."""
    ids = {
        "callback_id": callback_id,
        "trigger_id": playground.triggers.new(person.id),
        "action_ts": stamp,
    }
    if channel is None or message is None:
        return {**_frame("shortcut", person), **ids}
    path = playground.responses.new(channel, person.id)
    return {
        **_frame("message_action", person),
        **ids,
        "channel": _where(channel),
        "message_ts": message["ts"],
        "message": message,
        "response_url": playground.base_url + path,
    }


def suggestion(person: seed.Person, block_id: str, action_id: str, typed: str, place: Json) -> Json:
    """Return the payload that requests the options of an external menu."""
    ids = {"block_id": block_id, "action_id": action_id, "value": typed}
    return {**_frame("block_suggestion", person), **ids, **place}
