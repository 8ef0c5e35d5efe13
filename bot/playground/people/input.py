"""Conversion of typed text to the form that Slack's client sends, with mentions and links marked up."""

import re

from bot.playground.workspace import Workspace

WORDS = re.compile(
    r"(?P<kept><(?:[@#!][^<>\s]+|https?://[^<>\s]+)>)"
    r"|(?P<code>```.+?```|`[^`\n]+`)"
    r"|(?P<url>https?://[^\s<>]+[^\s<>.,;:!?)\]}'\"])"
    r"|(?<![\w@#])@(?P<handle>[A-Za-z][\w-]*)"
    r"|(?<![\w@#])#(?P<channel>[a-z][\w-]*)",
    re.DOTALL,
)
BROADCASTS = ("here", "channel", "everyone")


def escaped(text: str) -> str:
    """Return the text with `&`, `<` and `>` escaped, as Slack does."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def as_sent(workspace: Workspace, text: str, *, labels: bool = False) -> str:
    """Return typed text as it is sent; with `labels`, as in commands, mentions also have the person's name."""
    sent: list[str] = []
    end = 0
    for match in WORDS.finditer(text):
        sent.append(escaped(text[end : match.start()]))
        sent.append(_marked(workspace, match, labels=labels))
        end = match.end()
    return "".join(sent) + escaped(text[end:])


def _marked(workspace: Workspace, match: re.Match[str], *, labels: bool) -> str:
    if match["kept"]:
        # In a command, Slack marks up what it completes by itself alone.
        return escaped(match["kept"]) if labels else match["kept"]
    if match["url"]:
        return f"<{match['url'].replace('&', '&amp;')}>"
    found = None
    if match["handle"]:
        found = _mention(workspace, match["handle"], labels=labels)
    elif match["channel"]:
        found = _channel(workspace, match["channel"])
    return found or escaped(match[0])


def _mention(workspace: Workspace, handle: str, *, labels: bool) -> str | None:
    if handle in BROADCASTS:
        return f"<!{handle}>"
    person = workspace.find_person(handle)
    if person:
        return f"<@{person.id}|{person.name}>" if labels else f"<@{person.id}>"
    group = next((group for group in workspace.groups.values() if group.handle == handle.lower()), None)
    if group:
        return f"<!subteam^{group.id}|@{group.handle}>"
    return None


def _channel(workspace: Workspace, name: str) -> str | None:
    channel = workspace.channel_named(name)
    return f"<#{channel.id}|{channel.name}>" if channel else None
