"""The app in Slack: the link that creates it from the manifest, and the file with its tokens."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import yaml

from bot.install.flow import REDIRECT
from bot.install.manifest import manifest_text

NEW_APP = "https://api.slack.com/apps?new_app=1&manifest_json="
_LINE = re.compile(r"^\s*(?:export\s+)?([A-Z][A-Z0-9_]*)\s*=")


def manifest_for(command: str, url: str) -> str:
    """Return the manifest with this slash command; `url` is the public address for HTTP mode, empty for Socket Mode."""
    if command == "/agent" and not url:
        return manifest_text()
    manifest = yaml.safe_load(manifest_text())
    for one in manifest["features"]["slash_commands"]:
        one["command"] = command
    if url:
        events = f"{url.rstrip('/')}/slack/events"
        for one in manifest["features"]["slash_commands"]:
            one["url"] = events
        manifest["settings"]["socket_mode_enabled"] = False
        manifest["settings"]["event_subscriptions"]["request_url"] = events
        manifest["settings"]["interactivity"]["request_url"] = events
        manifest["oauth_config"]["redirect_urls"] = [f"{url.rstrip('/')}{REDIRECT}"]
    return yaml.safe_dump(manifest, sort_keys=False)


def link_of(manifest: str) -> str:
    """Return the address at which Slack creates an app from a manifest."""
    return NEW_APP + quote(json.dumps(yaml.safe_load(manifest), separators=(",", ":")), safe="")


def read_variables(file: Path) -> dict[str, str]:
    """Return the variables in a file of lines `NAME=value`; none where there is no such file."""
    found: dict[str, str] = {}
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else ():
        if name := _LINE.match(line):
            found[name[1]] = line[name.end() :].strip().strip("'\"")
    return found


def write_variables(file: Path, values: Mapping[str, str]) -> None:
    """Set variables in a file that its owner alone may read; all other lines stay. Raises OSError."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    kept = [line for line in lines if not ((name := _LINE.match(line)) and name[1] in values)]
    new = file.with_name(f".{file.name}.{os.getpid()}")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.writelines(
                f"{line}\n" for line in [*kept, *(f"{name}={value}" for name, value in values.items())]
            )
            out.flush()
            os.fsync(out.fileno())
        new.replace(file)
    finally:
        new.unlink(missing_ok=True)
