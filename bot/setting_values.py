"""What the values of settings are read as: lists, secrets by name, times and addresses."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from pydantic import SecretStr

from storage.clients.address import parse_address
from supervisor.core.errors import InvalidCondition
from supervisor.core.times import zone_named
from supervisor.daily import DailyTime

_HOOK = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,79}$")
_DIGEST = re.compile(r"^([CG][A-Z0-9]{2,20})\s+([01]?\d|2[0-3]):([0-5]\d)(?:\s+(\S{1,60}))?$")


def digest_time_of(text: str) -> DailyTime:
    """The place and time in `C0123ABCD 09:00 Europe/Berlin`. Raises ValueError."""
    found = _DIGEST.match(text.strip())
    if not found:
        raise ValueError(
            "must look like C0123ABCD 09:00 Europe/Berlin: a channel, a time, and a zone if not UTC"
        )
    channel, hour, minute, zone = found.groups()
    try:
        zone_named(zone or "UTC")
    except InvalidCondition as error:
        raise ValueError(str(error)) from error
    return DailyTime(hour=int(hour), minute=int(minute), zone=zone or "UTC", place=channel)


def parts_of(value: SecretStr | None) -> list[str]:
    text = value.get_secret_value() if value else ""
    return [part.strip() for part in text.split(",") if part.strip()]


def with_password(url: SecretStr | None) -> list[str]:
    """The URL and the passwords in it; nothing where it has none, since such a URL is no secret."""
    text = url.get_secret_value() if url else ""
    passwords = parse_address(text).passwords if text else []
    # In the URL some of its characters are encoded.
    written = urlsplit(text).password if passwords else None
    return [text, *([written] if written else []), *passwords] if passwords else []


def named_secrets(value: SecretStr | None) -> list[tuple[str, str]]:
    """Pairs of hook (or empty) and secret from `secret` and `hook=secret`, separated by commas.

    The padding `=` at the end of base64 does not make the text before it the name of a hook.
    """
    found: list[tuple[str, str]] = []
    for part in parts_of(value):
        name, _, secret = part.partition("=")
        named = bool(secret.strip("=")) and _HOOK.match(name) is not None
        found.append((name, secret) if named else ("", part))
    return found


def check_url(url: str) -> str:
    """The URL unchanged. Raises ValueError where it is not one of HTTP."""
    if not url.startswith(("http://", "https://")):
        raise ValueError("must begin with http:// or https://")
    return url
