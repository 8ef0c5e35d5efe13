"""The forms in which a known secret can occur in a text: as it is, in JSON, in a URL, in hexadecimal and in base64."""

from __future__ import annotations

import html
import json
import re
from base64 import b64encode
from collections.abc import Iterator
from typing import NamedTuple

_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_LINE_BREAKS = re.compile(r"[\r\n]+")


class Spelling(NamedTuple):
    """One form of a secret, and that without its line breaks.

    `part`: the characters beside it can hold bits of the secret, as in base64.
    """

    text: str
    flat: str
    part: bool = False


def spellings(secret: str) -> list[Spelling]:
    """Return all forms of a secret, each once."""
    return list(dict.fromkeys(_all(secret)))


def _spelling(text: str, *, part: bool = False) -> Spelling:
    return Spelling(text, _LINE_BREAKS.sub("", text), part)


def _all(secret: str) -> Iterator[Spelling]:
    data = secret.encode("utf-8", "surrogatepass")
    texts = [secret, html.escape(secret), *(_percent(data, safe) for safe in (b"", b"/", b":/@"))]
    texts.append(_percent(data, b" ").replace(" ", "+"))
    # The output of a tool is often JSON, and in that JSON again.
    for ascii_only in (True, False):
        once = json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
        texts += [once, json.dumps(once, ensure_ascii=ascii_only)[1:-1]]
    texts += [re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), text) for text in texts if "%" in text]
    texts += [data.hex(), data.hex().upper(), data.hex(" "), data.hex(":")]
    yield from map(_spelling, texts)
    for offset in range(3):
        yield from _base64(data, offset)


def _percent(data: bytes, safe: bytes) -> str:
    return "".join(chr(byte) if byte in _UNRESERVED or byte in safe else f"%{byte:02X}" for byte in data)


def _base64(data: bytes, offset: int) -> Iterator[Spelling]:
    """Yield the base64 characters that encode `data` alone, beginning `offset` bytes after a group of three."""
    encoded = b64encode(b"\0" * offset + data).decode()
    sure = encoded[(0, 2, 3)[offset] : (offset + len(data)) * 8 // 6]
    for text in (sure, sure.replace("+", "-").replace("/", "_")):
        yield _spelling(text, part=True)
