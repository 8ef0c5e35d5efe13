"""An address that a person is to open: a browser finds the host in it that is shown beside it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from supervisor.core.elicitation.fields import Unfillable
from supervisor.mcp.elicitation import request_of


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example\\@github.com/",
        "https://github.com@evil.example/",
        "https://github.com:pass@evil.example/",
        "https://github.com%2f@evil.example/",
        "https://evil.example;.github.com/",
        "https://ev<b>il.example/",
        "https://evil.example/|github.com>",
        "https://evil.example/\u202egithub",
        "https://gіthub.com/",
        "javascript:alert(1)",
        "https:///path",
        "https://a.example:port/",
    ],
)
def test_one_in_which_another_host_can_be_read_is_shown_to_nobody(address: str) -> None:
    with pytest.raises(Unfillable, match="none that can be shown"):
        request_of("host", "u", SimpleNamespace(mode="url", message="Sign in.", url=address))


@pytest.mark.parametrize(
    "address",
    [
        "https://sign.example.com/in?next=%2F#top",
        "http://127.0.0.1:8080/a;b",
        "https://[::1]/x",
        "HTTPS://a.b/",
    ],
)
def test_others_are_shown_as_they_are(address: str) -> None:
    asked = SimpleNamespace(mode="url", message="Sign in.", url=address)
    assert request_of("host", "u", asked).url == address
