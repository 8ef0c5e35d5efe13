"""The manifest asks for the scopes and events that the code uses, which are read from the code, and for no others."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.install.manifest import events, scopes
from bot.playground.methods.scopes import BY_KIND, BY_METHOD, FAMILIES
from bot.playground.web_api import METHODS

ROOT = Path(__file__).parents[2]
# A client's method that calls others.
UPLOAD = {"files.getUploadURLExternal", "files.completeUploadExternal"}
# Methods of OAuth take no token, and that of the app token no scope of the bot.
OAUTH = {"oauth.v2.access"}
# Of the direct conversation with one person alone.
OPENED = {"im"}
# What each event needs, and what comes without a method: https://docs.slack.dev/reference/events.
BY_EVENT = {
    "user_change": {"users:read"},
    "agent_session_stopped": {"assistant:write"},
    "app_home_opened": set[str](),
    "app_mention": {"app_mentions:read"},
    "app_uninstalled": set[str](),
    "message": {"channels:history", "groups:history", "im:history", "mpim:history"},
    "reaction_added": {"reactions:read"},
    "tokens_revoked": set[str](),
}
# Asked only where an installation has added the scope, to find mistakes in personas.
AT_WILL = {"team.info"}
COMMANDS, PUBLIC = "commands", "chat:write.public"
_SCOPE = re.compile(r"[a-z_]+:(read|write|history)(\.[a-z]+)?")
_METHOD = re.compile(r"[a-z]+(\.[A-Za-z0-9]+)+")


def trees() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted([*(ROOT / "handlers").rglob("*.py"), *(ROOT / "bot").rglob("*.py")]):
        if "playground" not in path.relative_to(ROOT).parts:
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def methods_used() -> set[str]:
    """The methods that the code calls, by the client's functions and by their names."""
    found = set[str]()
    for _, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and "_" in node.attr and hasattr(AsyncWebClient, node.attr):
                name = node.attr.replace("_", ".")
                found |= UPLOAD if node.attr == "files_upload_v2" else {name}
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in METHODS:
                found.add(node.value)
    return {name for name in found if _METHOD.fullmatch(name)} - {"api.call"}


def strings() -> set[str]:
    return {
        node.value
        for _, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def events_used() -> set[str]:
    """The events for which there is a listener."""
    return {
        str(node.args[0].value)
        for path, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "event"
        and path.name in ("__init__.py", "workspaces.py")
        and node.args
        and isinstance(node.args[0], ast.Constant)
    }


def needed(method: str) -> set[str]:
    if method in BY_KIND:
        kind = BY_KIND[method]
        return {f"{family}:{kind}" for family in (OPENED if kind == "write" else FAMILIES.values())}
    return {BY_METHOD[method]} if method in BY_METHOD else set()


def test_the_code_is_read() -> None:
    assert {
        "chat.postMessage",
        "conversations.replies",
        "usergroups.users.list",
        "views.publish",
        *UPLOAD,
    } <= (methods_used())


def test_every_method_is_known_and_its_scopes_are_asked_for() -> None:
    used = methods_used() - OAUTH - AT_WILL
    assert used <= set(METHODS)
    missing = {method: sorted(needed(method) - set(scopes())) for method in used}
    assert {method: lacking for method, lacking in missing.items() if lacking} == {}


def test_every_event_is_subscribed_and_none_besides() -> None:
    used = events_used()
    messages = {f"message.{kind}" for kind in ("channels", "groups", "im", "mpim")}
    assert "message" in used
    assert set(events()) == (used - {"message"}) | messages
    assert {scope for event in used for scope in BY_EVENT[event]} <= set(scopes())


def test_no_scope_is_asked_for_in_vain() -> None:
    used = {scope for method in methods_used() - AT_WILL for scope in needed(method)}
    used |= {scope for event in events_used() for scope in BY_EVENT[event]} | {COMMANDS}
    used |= {PUBLIC} & strings()
    assert set(scopes()) == used


@pytest.mark.parametrize("scope", sorted(s for s in strings() if _SCOPE.fullmatch(s)))
def test_a_scope_that_the_code_names_is_asked_for(scope: str) -> None:
    assert scope in scopes()
