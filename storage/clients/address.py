"""The forms of REDIS_URL: one server, a primary that Sentinels name, a cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from redis.asyncio.connection import Connection, SSLConnection, UnixDomainSocketConnection, parse_url
from redis.exceptions import RedisError

Kind = Literal["single", "sentinel", "cluster"]
Node = tuple[str, int]
_SCHEMES: dict[str, tuple[Kind, str]] = {
    "redis": ("single", "redis"),
    "rediss": ("single", "rediss"),
    "unix": ("single", "unix"),
    "redis+sentinel": ("sentinel", "redis"),
    "rediss+sentinel": ("sentinel", "rediss"),
    "redis+cluster": ("cluster", "redis"),
    "rediss+cluster": ("cluster", "rediss"),
}
_EXAMPLES: dict[Kind, str] = {
    "single": "redis://:password@host:6379/0",
    "sentinel": "redis+sentinel://:password@host1:26379,host2:26379/service/0",
    "cluster": "redis+cluster://:password@host1:6379,host2:6379",
}
_PORTS: dict[Kind, int] = {"single": 6379, "sentinel": 26379, "cluster": 6379}
# What a connection to a Sentinel takes over from that to the store.
_TLS = "ssl_"


@dataclass(frozen=True)
class Address:
    """A store: its nodes (Sentinels, or nodes of a cluster) and the options of a connection to it.

    `service` is what Sentinels call the primary; `sentinel` has the options of a connection to one of them.
    """

    kind: Kind
    nodes: tuple[Node, ...]
    options: dict[str, Any]
    service: str = ""
    sentinel: dict[str, Any] | None = None

    @property
    def tls(self) -> bool:
        return self.options.get("connection_class") is SSLConnection

    @property
    def passwords(self) -> list[str]:
        """The passwords in the URL, decoded."""
        found = [self.options.get("password"), (self.sentinel or {}).get("password")]
        return [str(password) for password in found if password]


def parse_address(url: str) -> Address:
    """Return the store that a URL names. Raises ValueError, whose text has no part of the URL."""
    scheme, separator, _ = url.partition("://")
    if not separator or scheme not in _SCHEMES:
        raise ValueError(
            "must begin with redis://, rediss:// or unix://, with redis+sentinel:// or rediss+sentinel://, or with "
            "redis+cluster:// or rediss+cluster://"
        )
    kind, plain = _SCHEMES[scheme]
    try:
        address = _single(url) if kind == "single" else _several(url, kind, plain)
        if address is not None:
            _try(address)
            return address
    except (ValueError, TypeError, AttributeError, RedisError):
        pass
    raise ValueError(f"is no URL of a store, such as {_EXAMPLES[kind]} (in a password, / is %2F)")


def _single(url: str) -> Address:
    return Address("single", (), dict(parse_url(url)))


def _several(url: str, kind: Kind, plain: str) -> Address | None:
    """The store in a URL with several hosts; None where a part is missing or too much."""
    before, _, query = url.partition("://")[2].partition("?")
    netloc, _, path = before.partition("/")
    userinfo, at, hosts = netloc.rpartition("@")
    nodes = tuple(_node(host, _PORTS[kind]) for host in hosts.split(","))
    parts = [unquote(part) for part in path.split("/") if part]
    service = parts.pop(0) if kind == "sentinel" and parts else ""
    database = parts.pop(0) if parts else "0"
    if parts or not database.isdecimal() or (kind == "sentinel") != bool(service):
        return None
    if kind == "cluster" and database != "0":
        return None
    options = dict(parse_url(f"{plain}://{userinfo}{at}host/{database}?{query}"))
    del options["host"]
    own = {name: options.pop(f"sentinel_{name}", None) for name in ("username", "password")}
    if kind == "cluster":
        del options["db"]
        return Address(kind, nodes, options)
    tls = {name: value for name, value in options.items() if name.startswith(_TLS)}
    sentinel = {name: value for name, value in own.items() if value} | tls
    return Address(kind, nodes, options, service, sentinel)


def _node(text: str, port: int) -> Node:
    """The host and the port in `host:port`. Raises ValueError."""
    found = urlsplit(f"//{text}")
    if not found.hostname or found.path or found.username:
        raise ValueError("no host")
    return found.hostname, port if found.port is None else found.port


def _try(address: Address) -> None:
    """Make a connection without connecting, since some values are only checked then."""
    options = dict(address.options)
    kind: Any = options.pop("connection_class", Connection)
    kind(**options)
    if kind is UnixDomainSocketConnection and not options.get("path"):
        raise ValueError("no path")
