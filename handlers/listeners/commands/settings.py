"""Carries out `settings`: shows or changes what holds for the sessions of the channel."""

from __future__ import annotations

import re

from handlers.blocks.text import Block, context, escape, inline_code, moment, mrkdwn, person
from handlers.context import ListenerContext
from handlers.listeners.commands.parser import Command
from handlers.messages.reminders import approvers
from handlers.origin import Place
from supervisor.contract.models import SettingsView, SettingView
from supervisor.contract.settings import SettingsService, parse_settings
from supervisor.core.commands.limits import SETTING_LABELS, SettingName
from supervisor.core.events import Actor
from supervisor.core.persona import Approvers

_PERSON = re.compile(r"<@([A-Z0-9]+)(?:\|[^>]*)?>")
_GROUP = re.compile(r"<!subteam\^([A-Z0-9]+)(?:\|[^>]*)?>")

_NONE: dict[SettingName, str] = {
    "persona": "none: a mention asks which one",
    "approvers": "none: the persona's rules alone",
    "steps": "no limit",
    "usd": "no limit",
    "minutes": "no limit",
}


def names_as_ids(text: str) -> str:
    """Return the text with mentions of people as their ids, and those of groups as `@` and their ids."""
    return _GROUP.sub(r"@\1", _PERSON.sub(r"\1", text))


async def settings(flagman: ListenerContext, command: Command, actor: Actor, place: Place) -> list[Block]:
    """Carry out `settings`, `settings persona sre`, `settings limits usd=2`, `settings reset persona`, …"""
    service = SettingsService(flagman.services, await flagman.people.named(actor))
    request = parse_settings(command.rest)
    if request is None:
        view = await service.get(place.channel)
    else:
        view = await service.change(place.channel, request)
    return settings_blocks(view, flagman.command)


def settings_blocks(view: SettingsView, slash: str) -> list[Block]:
    """Return one line a setting, and how they are changed."""
    where = f"<#{view.channel}>" if view.channel[:1] in ("C", "G") else "this conversation"
    lines = [f"*{SETTING_LABELS[one.name]}*: {_value(one)} · {_origin(one)}" for one in view.settings]
    forms = "`persona sre` · `limits steps=20 usd=2 minutes=30` · `approvers @sre` · `reset persona`"
    return [
        mrkdwn(f":gear: *Settings of* {where}"),
        mrkdwn("\n".join(lines)),
        context(f"Admins change them: `{slash} settings` and {forms}. The strictest limit holds."),
    ]


def _value(setting: SettingView) -> str:
    if isinstance(setting.value, Approvers):
        return ", ".join(approvers(setting.value))
    return inline_code(setting.text) if setting.text else _NONE[setting.name]


def _origin(setting: SettingView) -> str:
    match setting.origin:
        case "channel":
            when = f" on {moment(setting.at, date=True)}" if setting.at else ""
            return f"this channel, set by {person(setting.by, setting.by_name)}{when}"
        case "installation":
            return f"the installation, `{setting.source}`"
        case "persona" if setting.source:
            return f"the persona *{escape(setting.source)}*"
        case "persona":
            return "the persona"
    return "built-in default"
