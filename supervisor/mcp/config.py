"""The file that FLAGMAN_MCP names: the MCP servers, in the format that their users know, and what is Flagman's own."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from supervisor.core.digest import canonical_json
from supervisor.core.errors import InvalidInput
from supervisor.core.messages import Json

MOST_BYTES = 1024 * 1024
# Together with the name of a tool, models take 64 characters.
NAME = re.compile(r"[A-Za-z0-9]+([_-][A-Za-z0-9]+)*")
LONGEST_NAME = 30
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
NAMED = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_SECRET = re.compile(r"\$\{secret:(" + NAMED + r")\}")
Seconds = Annotated[float, Field(ge=1, le=3600)]


class _Entry(BaseModel):
    """One server, as it is written in the file."""

    model_config = ConfigDict(extra="forbid", strict=True, populate_by_name=True)

    type: Literal["stdio", "http", "streamable-http", "streamable_http"] | None = None
    command: str | None = None
    args: list[str] = Field(default_factory=list)
    env: dict[str, str] = Field(default_factory=dict)
    url: str | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    auth: Literal["oauth"] | None = None
    client_id: str = ""
    client_secret: str = ""
    scopes: list[Annotated[str, Field(pattern=r"^[\x21\x23-\x5b\x5d-\x7e]+$")]] = Field(default_factory=list)
    disabled: bool = False
    timeout: Seconds = 60.0
    answer_within: Seconds = 600.0
    provide: dict[str, dict[str, Any]] = Field(default_factory=dict)
    repeat: list[str] = Field(default_factory=list)
    sandbox: bool = True
    network: bool = False
    read: list[Annotated[str, Field(pattern=r"^/")]] = Field(default_factory=list)


@dataclass(frozen=True)
class OAuth:
    """A server that each person connects as themselves. `client_id` is empty where Flagman registers by itself, and
    `scopes` where it asks for those that the server names.
    """

    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Server:
    """A server of the file. It is a `command` with its `args` and `env`, or a `url` with `headers`.

    One with `oauth` is connected by each person.

    `timeout` is the most seconds of a call; while it is held open for an answer of people, which it is for at most
    `answer_within` seconds, its time stands still. `provide` has the arguments that the app gives, by the name of a
    tool or `*` for all. `repeat` names the tools whose calls may be repeated after a crash, where the server says
    so, too. `sandbox`: a command runs in the sandbox where there is one, with what it may `read` besides, and with
    the `network` if so. `secrets` are the values that came from the environment, or stand in headers for secrets,
    and are masked.
    """

    name: str
    command: str = ""
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout: float = 60.0
    answer_within: float = 600.0
    provide: Mapping[str, Json] = field(default_factory=dict)
    repeat: tuple[str, ...] = ()
    sandbox: bool = True
    network: bool = False
    read: tuple[str, ...] = ()
    oauth: OAuth | None = None
    secrets: frozenset[str] = field(default=frozenset(), repr=False)

    def provided(self, tool: str) -> Json:
        """The arguments that the app gives to calls of this tool."""
        return {**self.provide.get("*", {}), **self.provide.get(tool, {})}


def read_servers(path: Path, environment: Mapping[str, str]) -> dict[str, Server]:
    """Read the servers of the file by name. Raises InvalidInput with one sentence that names the place."""
    try:
        data = path.read_bytes()
        found = json.loads(data[: MOST_BYTES + 1])
    except OSError as error:
        raise _wrong(path, f"it cannot be read ({error.strerror or error})") from error
    except json.JSONDecodeError as error:
        raise _wrong(path, f"line {error.lineno}: it is no JSON ({error.msg})") from error
    except UnicodeDecodeError as error:
        raise _wrong(path, "it is not UTF-8 text") from error
    except RecursionError as error:
        raise _wrong(path, "it is nested too deeply") from error
    if not isinstance(found, dict) or not isinstance(found.get("mcpServers"), dict):
        raise _wrong(path, 'it must be an object with the key "mcpServers", which has the servers by name')
    if more := sorted(found.keys() - {"mcpServers"}):
        raise _wrong(path, f"there is no key `{more[0]}`; it has mcpServers alone")
    servers = {}
    for name, entry in found["mcpServers"].items():
        try:
            if server := _server(name, entry, environment):
                servers[name] = server
        except ValueError as error:
            raise _wrong(path, f"mcpServers.{name}{error}") from error
    return servers


def _wrong(path: Path, problem: str) -> InvalidInput:
    return InvalidInput(f"FLAGMAN_MCP: {path}: {problem}.")


def _server(name: str, given: Any, environment: Mapping[str, str]) -> Server | None:
    """Return the server, None where it is disabled. Raises ValueError, whose text follows the server's name."""
    if not NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise ValueError(
            f": the name has at most {LONGEST_NAME} letters and digits, with single - or _ between them"
        )
    try:
        entry = _Entry.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = "".join(f".{part}" for part in first["loc"])
        problem = "there is no such key" if first["type"] == "extra_forbidden" else first["msg"]
        raise ValueError(f"{place}: {problem}") from None
    if entry.disabled:
        return None
    _check_kind(entry)
    filler = _Filler(environment)
    server = Server(
        name=name,
        command=filler.fill(".command", entry.command or ""),
        args=tuple(filler.fill(f".args.{n}", arg) for n, arg in enumerate(entry.args)),
        env={key: filler.fill(f".env.{key}", value) for key, value in entry.env.items()},
        url=filler.fill(".url", entry.url or ""),
        headers={key: filler.fill(f".headers.{key}", value) for key, value in entry.headers.items()},
        timeout=entry.timeout,
        answer_within=entry.answer_within,
        provide={key: dict(value) for key, value in entry.provide.items()},
        repeat=tuple(entry.repeat),
        sandbox=entry.sandbox,
        network=entry.network,
        read=tuple(filler.fill(f".read.{n}", path) for n, path in enumerate(entry.read)),
        oauth=_oauth(entry, filler),
    )
    _check_values(server)
    return _with_secrets(server, filler)


def _check_kind(entry: _Entry) -> None:
    if bool(entry.command) == bool(entry.url):
        raise ValueError(": it has either a command or a url")
    of_command = {"args", "env", "sandbox", "network", "read"} & entry.model_fields_set
    if entry.url and (of_command or entry.type == "stdio"):
        raise ValueError(f".{min(of_command, default='type')}: that is for a server with a command")
    of_oauth = {"client_id", "client_secret", "scopes"} & entry.model_fields_set
    if of_oauth and not entry.auth:
        raise ValueError(f'.{min(of_oauth)}: that is for a server with "auth": "oauth"')
    if entry.auth and not entry.url:
        raise ValueError(".auth: that is for a server with a url")
    if entry.auth and any(key.lower() == "authorization" for key in entry.headers):
        raise ValueError(".headers: a server with auth gets the Authorization of each person")
    if entry.client_secret and not entry.client_id:
        raise ValueError(".client_secret: it needs a client_id")
    if _SECRET.search(entry.client_id + entry.client_secret):
        raise ValueError(".client_secret: it comes from the environment, as ${VARIABLE}")
    if entry.command and ("headers" in entry.model_fields_set or entry.type not in (None, "stdio")):
        which = "headers" if "headers" in entry.model_fields_set else "type"
        raise ValueError(f".{which}: that is for a server with a url")


def _oauth(entry: _Entry, filler: _Filler) -> OAuth | None:
    if not entry.auth:
        return None
    return OAuth(
        client_id=filler.fill(".client_id", entry.client_id),
        client_secret=filler.fill(".client_secret", entry.client_secret),
        scopes=tuple(entry.scopes),
    )


def _check_values(server: Server) -> None:
    if server.url and (
        urlsplit(server.url).scheme not in ("http", "https") or not urlsplit(server.url).hostname
    ):
        raise ValueError(".url: it must begin with http:// or https:// and a host")
    for place, text in (("headers", server.headers), ("env", server.env)):
        for key, value in text.items():
            if not key.isascii() or re.search(r"[\x00-\x1f]", key + value) or not key:
                raise ValueError(f".{place}.{key or '?'}: it has a character that cannot be there")
    for part, words in (("command", server.command), ("url", server.url), ("args", " ".join(server.args))):
        if _SECRET.search(words):
            raise ValueError(
                f".{part}: a secret stands in `env` or `headers`, since others could read it here"
            )
    if any("\0" in text for text in (server.command, *server.args)):
        raise ValueError(".args: a NUL character cannot be there")
    for tool, arguments in server.provide.items():
        try:
            canonical_json(arguments)
        except ValueError:
            raise ValueError(f".provide.{tool}: NaN and Infinity are no JSON") from None


def secrets_of(server: Server) -> list[str]:
    """Return the names of the secrets that the server gets."""
    texts = [*server.env.values(), *server.headers.values()]
    return list(dict.fromkeys(name for text in texts for name in _SECRET.findall(text)))


async def with_secrets(server: Server, secret_of: Callable[[str], Awaitable[str]]) -> Server:
    """Return the server with the values of its `${secret:name}`. Raises what `secret_of` raises."""
    if not (names := secrets_of(server)):
        return server
    values = {name: await secret_of(name) for name in names}

    def filled(given: Mapping[str, str]) -> dict[str, str]:
        return {key: _SECRET.sub(lambda match: values[match[1]], text) for key, text in given.items()}

    known = server.secrets | frozenset(values.values())
    return replace(server, env=filled(server.env), headers=filled(server.headers), secrets=known)


class _Filler:
    """Puts in values for `${VARIABLE}` and `${VARIABLE:-default}`, and remembers those of variables."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.filled: set[str] = set()

    def fill(self, place: str, text: str) -> str:
        """Return the text with its values. Raises ValueError where one is not there."""
        return _VARIABLE.sub(lambda match: self._value(place, match), text)

    def _value(self, place: str, match: re.Match[str]) -> str:
        name, default = match.groups()
        if value := self._environment.get(name):
            self.filled.add(value)
            return value
        if default is None:
            raise ValueError(f"{place}: the variable {name} is not set")
        return str(default)


def _with_secrets(server: Server, filler: _Filler) -> Server:
    return Server(**{**vars(server), "secrets": frozenset({*filler.filled, *_authorizations(server)})})


def _authorizations(server: Server) -> Iterator[str]:
    """The values of headers that can be secrets although they stand in the file, and the secret of a client."""
    if server.oauth and server.oauth.client_secret:
        yield server.oauth.client_secret
    for key, value in server.headers.items():
        if re.search(r"auth|key|token|secret|cookie", key, re.IGNORECASE):
            yield from {value, value.rpartition(" ")[2]}
