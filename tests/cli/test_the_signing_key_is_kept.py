"""What signs resume tokens: made once where the store is ours, asked for where it is shared."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from pydantic import SecretStr

from bot.secret_key import FILE, secret_keys
from bot.settings import Settings
from supervisor.core.errors import InvalidInput


def test_it_is_made_once_and_for_nobody_else_to_read(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "new")
    (key,) = secret_keys(settings)
    assert len(key) == 64
    assert secret_keys(settings) == [key]
    assert stat.S_IMODE((tmp_path / "new" / FILE).stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "new").iterdir()] == [FILE]


def test_one_that_is_given_comes_first(tmp_path: Path) -> None:
    given = Settings(data=tmp_path, secret_key=SecretStr("new-0123456789abcdef, old-0123456789abcdef"))
    assert secret_keys(given) == ["new-0123456789abcdef", "old-0123456789abcdef"]
    assert list(tmp_path.iterdir()) == []


def test_a_shared_store_needs_a_shared_key(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"^FLAGMAN_SECRET_KEY: needed together with REDIS_URL") as raised:
        secret_keys(Settings(data=tmp_path, redis_url=SecretStr("redis://localhost")))
    assert "openssl rand -hex 32" in str(raised.value)


def test_a_damaged_key_is_said_so(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("")
    with pytest.raises(InvalidInput, match="delete it"):
        secret_keys(Settings(data=tmp_path))
