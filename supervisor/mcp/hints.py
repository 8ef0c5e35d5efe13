"""What to write in the file of servers where a command cannot be started."""

from __future__ import annotations

import os

from supervisor.mcp.config import Server

# Programs that load the server's package before they run it, and how it is installed instead.
LOADERS = {
    "npx": "npm install",
    "bunx": "bun add",
    "pnpx": "pnpm add",
    "uvx": "uv tool install",
    "pipx": "pipx install",
}


def missing(command: str) -> str:
    """Return why a command is not found, and what to write in its place."""
    if os.sep in command:
        return f"there is no program `{command}`, or it may not be executed"
    loader = LOADERS.get(command)
    install = (
        f", or install the server (`{loader} …`) and write the whole path of its program" if loader else ""
    )
    return (
        f"there is no program `{command}` on the worker's PATH; write its whole path, such as "
        f"/srv/tools/bin/{command}{install}"
    )


def loading(server: Server, *, sandboxed: bool) -> str:
    """Return what may be wrong with a command that loads its server in a sandbox without network; else nothing."""
    name = os.path.basename(server.command)
    if name not in LOADERS or not sandboxed or not server.sandbox or server.network:
        return ""
    return (
        f"; `{name}` loads the server from the network, which it has not in the sandbox: install the server "
        f"(`{LOADERS[name]} …`) and write the path of its program, or set `network`"
    )
