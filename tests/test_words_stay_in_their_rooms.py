"""Below `handlers/` nothing is said of Slack, of the slash command or of HTTP: each interface has its own sentences."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
WORDS = re.compile(
    r"slack|mrkdwn|block.?kit|thread_ts|emoji|ephemeral|slash.?command|/agent\b"
    r"|\b(?:modals?|buttons?|threads?|channels?|http)\b",
    re.IGNORECASE,
)
STATUS = re.compile(r"^\s*status(?:: int)? = [1-5]\d\d\b", re.MULTILINE)
# Where a word means something else, or is part of what is stored: the line has to contain this.
ALLOWED: dict[str, tuple[str, ...]] = {
    # What actors are called in every stored event.
    "supervisor/core/events/base.py": ("`slack:U…`", '"slack"'),
    "supervisor/core/persona.py": ('"slack:"',),
    "supervisor/api_keys.py": ("slack:",),
    "supervisor/core/reducer/steering.py": ('"slack"',),
    # A field of the models that programs read.
    "supervisor/contract/models.py": ("channel",),
    "supervisor/contract/requests.py": ("channel", "Channel"),
    "supervisor/contract/access.py": ("channel", "Channel"),
    "supervisor/contract/creators.py": ("ChannelNotFound", '"slack:"'),
    "supervisor/core/errors.py": ("channel", "Channel"),
    "supervisor/contract/grants.py": ("channel",),
    "supervisor/contract/parts.py": ("channels", "Channels"),
    "supervisor/contract/schedules.py": ("channel",),
    "supervisor/contract/service.py": ("channel",),
    "supervisor/contract/settings.py": ("channel", "Channel"),
    "supervisor/contract/reader.py": ("channels",),
    "supervisor/contract/views.py": ("channel", "Channels"),
    # The tool that speaks HTTP.
    "supervisor/tools/http.py": ("http", "HTTP"),
    "supervisor/tools/builtin.py": ("http", "HTTP"),
    # Servers that are reached by HTTP, and that library's name for it; threads of the operating system.
    "supervisor/mcp/http.py": ("http", "HTTP"),
    "supervisor/mcp/config.py": ("http",),
    "supervisor/mcp/connection.py": ("http", "HTTP"),
    "supervisor/mcp/errors.py": ("HTTP",),
    "supervisor/mcp/bearer.py": ("http", "HTTP"),
    # Authorization servers, which are reached by HTTP.
    "supervisor/connections/authorization_server.py": ("http", "HTTP"),
    "supervisor/connections/http.py": ("http", "HTTP"),
    "supervisor/connections/linking.py": ("https",),
    "supervisor/mcp/results.py": ("Blocks the thread",),
    # A property of characters.
    "supervisor/core/text/characters.py": ("EMOJI", "Emoji", "emoji-data.txt"),
    "supervisor/core/text/visible.py": ("EMOJI", "emoji"),
    "supervisor/core/text/secret_shapes.py": ("hooks.slack.com", "hooks\\.slack\\.com", "/webhooks/"),
    # The text of documents, which verifying compares.
    "supervisor/session_log/render/calls.py": ('"by anyone in the channel"',),
    # Threads of the operating system, and channels and names of keys in the store.
    "storage/guard.py": ("the starting *thread* ends", "processes and threads", '"Threads"'),
    "supervisor/tools/executor.py": ("a process or a thread",),
    "storage/embedded_server.py": ("from a thread that lives", "ends with the thread"),
    "storage/keys.py": (":thread:{place}", "channels"),
    "storage/connection.py": ("channels",),
    "storage/scripts/append.py": ("channels",),
    "storage/scripts/jobs.py": ("channel",),
    "storage/scripts/lua.py": ("channel",),
}
KINDS = (tokenize.NAME, tokenize.STRING, tokenize.COMMENT)


def files() -> list[Path]:
    return sorted([*(ROOT / "supervisor").rglob("*.py"), *(ROOT / "storage").rglob("*.py")])


def said(source: str) -> Iterator[tuple[int, str]]:
    """The lines of identifiers, strings, docstrings and comments in which such a word stands."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in KINDS:
            for number, line in enumerate(token.string.split("\n"), start=token.start[0]):
                if WORDS.search(line):
                    yield number, line.strip()


def test_no_word_of_an_interface_stands_below_them() -> None:
    assert len(files()) > 100
    found = [
        f"{name}:{number}: {line}"
        for path in files()
        for name in [str(path.relative_to(ROOT))]
        for number, line in said(path.read_text(encoding="utf-8"))
        if not any(part in line for part in ALLOWED.get(name, ()))
    ]
    assert found == []


def test_no_error_knows_its_status() -> None:
    found = [path.name for path in files() if STATUS.search(path.read_text(encoding="utf-8"))]
    assert found == []


def test_what_agents_are_told_names_no_interface() -> None:
    shipped = sorted((ROOT / "supervisor").rglob("*.md"))
    assert shipped
    found = {path.name: WORDS.findall(path.read_text(encoding="utf-8")) for path in shipped}
    assert {name: words for name, words in found.items() if words} == {}


@pytest.mark.parametrize(
    "source", ['"""In Slack."""', "x = 'type `/agent list`'", "thread_ts = 1", "# a button"]
)
def test_such_words_are_found(source: str) -> None:
    assert list(said(source)) == [(1, source.removeprefix("x = ").split(" = ")[0])]


@pytest.mark.parametrize("source", ["await asyncio.to_thread(f)", "import threading", "https = 'https://x'"])
def test_others_are_not(source: str) -> None:
    assert list(said(source)) == []
