"""A server of the tests, of which tools and calls are at hand, and the file that names it."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).parent / "server.py"
HOSTILE = Path(__file__).parent / "hostile.py"
Json = dict[str, Any]


def described(name: str, description: str = "", **more: Any) -> Json:
    """A tool as a server lists it, with the arguments `to` and `text`."""
    properties = {"to": {"type": "string"}, "text": {"type": "string", "description": "What to say."}}
    schema = {"type": "object", "properties": properties, "required": ["to"]}
    return {"name": name, "description": description or f"Does {name}.", "inputSchema": schema, **more}


@dataclass
class Hosted:
    """A server `host` that works in `folder`; `more` stands in its entry besides."""

    folder: Path
    more: Json = field(default_factory=dict)

    def offers(self, *tools: Json) -> None:
        """Have the server list these tools from now on."""
        (self.folder / "tools.json").write_text(json.dumps(tools))

    def asks(self, wanted: Any) -> None:
        """Have its tool `asks` want this from people: requests by key, or a list of such, one after the other."""
        (self.folder / "ask.json").write_text(json.dumps(wanted))

    @property
    def calls(self) -> list[Json]:
        log = self.folder / "calls.jsonl"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def file(self, **entry: Any) -> Path:
        """Write the file that FLAGMAN_MCP names."""
        given = {"command": sys.executable, "args": [str(SCRIPT), str(self.folder)], "sandbox": False}
        path = self.folder / "mcp.json"
        path.write_text(json.dumps({"mcpServers": {"host": {**(entry or given), **self.more}}}))
        return path
