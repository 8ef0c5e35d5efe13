"""The secret key that signs resume tokens and SESSION_LOGs: configured, or generated once under FLAGMAN_DATA."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from bot.settings import Settings
from supervisor.core.errors import InvalidInput

FILE = "secret_key"


def secret_keys(settings: Settings) -> list[str]:
    """The keys, of which the first one signs. Raises InvalidInput where one is needed or the file cannot be used."""
    if settings.secret_keys:
        return settings.secret_keys
    if settings.redis_url:
        raise InvalidInput(
            "FLAGMAN_SECRET_KEY: needed together with REDIS_URL, since it signs resume tokens and every web "
            "process must have the same; make one with `openssl rand -hex 32`."
        )
    return [_kept(settings.data / FILE)]


def signing_keys(settings: Settings) -> list[str]:
    """As `secret_keys`, but an empty list where one is needed and missing: then SESSION_LOGs are not signed."""
    return secret_keys(settings) if settings.secret_keys or not settings.redis_url else []


class _AtHand(BaseSettings):
    model_config = SettingsConfigDict(env_ignore_empty=True, populate_by_name=True, extra="ignore")

    data: Path = Field(Path(".flagman"), validation_alias="FLAGMAN_DATA")
    secret_key: SecretStr | None = Field(None, validation_alias="FLAGMAN_SECRET_KEY")


def keys_at_hand(file: Path | None = None) -> list[str]:
    """The keys in `file`, else those of the environment, else the one in FLAGMAN_DATA, else none.

    No key is generated. Raises InvalidInput for a file that cannot be used.
    """
    if file:
        return _keys_in(file)
    known = _AtHand()
    if known.secret_key:
        return _parts(known.secret_key.get_secret_value())
    kept = known.data / FILE
    return [_kept(kept)] if kept.exists() else []


def _keys_in(file: Path) -> list[str]:
    try:
        keys = _parts(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeError) as error:
        raise InvalidInput(f"--key-file: {file} cannot be read ({error}).") from error
    if not keys:
        raise InvalidInput(f"--key-file: {file} holds no key.")
    return keys


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


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
    """Generate a key and write its file whole, unless another process does so first."""
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
