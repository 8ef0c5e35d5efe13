"""The log of a process holds no secret: not in a message, not in the error that it tells of."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from bot.processes.log_format import log_masked
from supervisor.core.text.masking import MASK

KNOWN, TOKEN = "correct-horse-battery-staple", "ghp_0123456789abcdefghijABCDEFGHIJ012345"


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger, as it was before when the test ends."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield root
    root.handlers[:] = handlers
    root.setLevel(level)


def test_neither_known_secrets_nor_tokens(root: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    log_masked([])
    log_masked([KNOWN])
    try:
        raise ValueError(f"refused {KNOWN}")
    except ValueError:
        root.exception("a call with %s failed", TOKEN)
    written = capsys.readouterr().err
    assert f"a call with {MASK} failed" in written
    assert f"ValueError: refused {MASK}" in written
    assert (KNOWN in written, TOKEN in written) == (False, False)
