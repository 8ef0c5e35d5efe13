"""What signs resume tokens: given, or made once and kept beside the embedded store."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from bot.settings import Settings
from supervisor.core.errors import InvalidInput

FILE = "secret_key"


def secret_keys(settings: Settings) -> list[str]:
    """The first one signs. Raises InvalidInput where one is needed or the kept one cannot be used."""
    if settings.secret_keys:
        return settings.secret_keys
    if settings.redis_url:
        raise InvalidInput(
            "FLAGMAN_SECRET_KEY: needed together with REDIS_URL, since it signs resume tokens and every web "
            "process must have the same; make one with `openssl rand -hex 32`."
        )
    return [_kept(settings.data / FILE)]


def _kept(path: Path) -> str:
    try:
        if not path.exists():
            _make(path)
        key = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeError) as error:
        raise InvalidInput(f"FLAGMAN_DATA: {path} cannot be used ({error}).") from error
    if len(key) < 32:
        raise InvalidInput(f"FLAGMAN_DATA: {path} holds no key; delete it, and a new one is made.")
    return key


def _make(path: Path) -> None:
    """Whole or not at all, whoever else is at it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.{os.getpid()}")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(32))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(new, path)
    except FileExistsError:
        pass
    finally:
        new.unlink()
