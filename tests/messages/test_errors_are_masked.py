"""What a person is told of an error holds no secret, though Slack's marks in it are made inactive."""

from __future__ import annotations

import pytest

from handlers.middleware import message_of, plain_text_of
from supervisor.core.errors import InvalidInput, SessionNotFound
from supervisor.core.text.masking import MASK, Masker

KNOWN, TOKEN = "correct_horse_battery_staple", "ghp_0123456789abcdefghijABCDEFGHIJ012345"


@pytest.mark.parametrize("secret", [KNOWN, TOKEN])
@pytest.mark.parametrize("kind", [InvalidInput, SessionNotFound])
def test_errors(secret: str, kind: type[InvalidInput | SessionNotFound]) -> None:
    mask = Masker([KNOWN])
    for told in (message_of, plain_text_of):
        text = told(kind(secret), "/agent", mask)
        assert MASK in text
        assert secret not in text.replace("\u2060", "")
