"""The manifest of Flagman's app in Slack, which is the one source of its scopes and events."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

# In the package, or where it is edited.
_HERE = Path(__file__).with_name("slack-app.yaml")
_DOCS = Path(__file__).parents[2] / "docs" / "slack-app.yaml"


@cache
def manifest_text() -> str:
    """The manifest as Slack takes it, in YAML."""
    return (_HERE if _HERE.exists() else _DOCS).read_text(encoding="utf-8")


@cache
def _manifest() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(manifest_text())
    return found


def scopes() -> tuple[str, ...]:
    """The scopes of the bot."""
    return tuple(_manifest()["oauth_config"]["scopes"]["bot"])


def events() -> tuple[str, ...]:
    """The events to which the app subscribes."""
    return tuple(_manifest()["settings"]["event_subscriptions"]["bot_events"])
