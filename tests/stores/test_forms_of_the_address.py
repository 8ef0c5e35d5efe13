"""REDIS_URL has a form for each kind of store, and what is wrong in it is one sentence without its password."""

from __future__ import annotations

from typing import Any

import pytest

from bot.settings import Settings, read_settings
from storage.clients.address import parse_address
from supervisor.core.errors import InvalidInput
from supervisor.core.text.masking import MASK, Masker

SECRET = "s3cret-of-the-store"


@pytest.mark.parametrize(
    ("url", "kind", "nodes", "service", "options"),
    [
        ("redis://h:1/2", "single", (), "", {"host": "h", "port": 1, "db": 2}),
        ("unix:///a/socket?db=3", "single", (), "", {"path": "/a/socket", "db": 3}),
        (
            "rediss://h?ssl_certfile=c&ssl_keyfile=k",
            "single",
            (),
            "",
            {"ssl_certfile": "c", "ssl_keyfile": "k"},
        ),
        ("redis+sentinel://u:p@a,[::1]:7/main", "sentinel", (("a", 26379), ("::1", 7)), "main", {"db": 0}),
        ("redis+sentinel://a:1/main/4", "sentinel", (("a", 1),), "main", {"db": 4}),
        (
            "rediss+cluster://u:p@a,b:7/?ssl_ca_certs=f",
            "cluster",
            (("a", 6379), ("b", 7)),
            "",
            {"username": "u"},
        ),
    ],
)
def test_each_form_says_where_the_store_is(
    url: str, kind: str, nodes: Any, service: str, options: dict[str, Any]
) -> None:
    address = parse_address(url)
    assert (address.kind, address.nodes, address.service) == (kind, nodes, service)
    assert options.items() <= address.options.items()
    assert address.tls == url.startswith("rediss")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://h", "must begin with redis://"),
        ("redis+sentinel://h:1", "is no URL of a store, such as redis+sentinel://"),
        ("redis+sentinel://h:1/main/x", "such as redis+sentinel://"),
        ("redis+sentinel:///main", "such as redis+sentinel://"),
        ("redis+sentinel://a:1,b:x/main", "such as redis+sentinel://"),
        ("redis+cluster://a:1/3", "is no URL of a store, such as redis+cluster://"),
        ("redis+cluster://a:1,,b:2", "such as redis+cluster://"),
        ("redis+cluster://a:1?nothing=1", "such as redis+cluster://"),
        ("unix://", "is no URL of a store, such as redis://"),
    ],
)
def test_a_wrong_one_is_one_sentence(url: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", url.replace("://", f"://:{SECRET}@", 1))
    with pytest.raises(InvalidInput) as refused:
        read_settings()
    assert str(refused.value).startswith("REDIS_URL: ")
    assert says in str(refused.value)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        f"redis+sentinel://:{SECRET}@a:1,b:2/main",
        f"redis+sentinel://a:1,b:2/main?sentinel_password={SECRET}",
        f"rediss+cluster://u:{SECRET}@a:1,b:2",
    ],
)
def test_its_passwords_are_masked(url: str) -> None:
    assert Masker(Settings(REDIS_URL=url).secrets)(f"it is {SECRET}") == f"it is {MASK}"


@pytest.mark.parametrize("text", ["one", "1/", "1/0", "1/6000", "-1", "1/1/1"])
def test_a_wrong_number_of_replicas_is_one_sentence(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://h")
    monkeypatch.setenv("FLAGMAN_WAIT_REPLICAS", text)
    with pytest.raises(InvalidInput, match=r"^FLAGMAN_WAIT_REPLICAS: must look like 1 "):
        read_settings()


def test_the_embedded_store_has_no_replicas_to_wait_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLAGMAN_WAIT_REPLICAS", "1")
    with pytest.raises(InvalidInput, match="FLAGMAN_WAIT_REPLICAS needs REDIS_URL"):
        read_settings()
