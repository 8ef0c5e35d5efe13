"""Feature flags in a JSON file: a tool that reads, and one that changes and so needs an approval."""

import json
import os
from pathlib import Path
from typing import Annotated

from pydantic import Field

from flagman import Json, ToolContext, ToolError, Verdict, tool

Flag = Annotated[str, Field(description="Its name.", pattern=r"^[a-z][a-z-]{0,39}$")]


def _file(ctx: ToolContext) -> Path:
    # Without the variable, each session has flags of its own.
    return Path(os.environ.get("FLAGS_FILE") or ctx.folder / "flags.json")


def _read(ctx: ToolContext) -> dict[str, bool]:
    try:
        found: dict[str, bool] = json.loads(_file(ctx).read_text())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ToolError(f"The file of flags is not JSON: {error}.") from error
    return found


@tool(changes=False, idempotent=True)
async def list_flags(ctx: ToolContext) -> dict[str, bool]:
    """List all feature flags, and whether they are on."""
    return _read(ctx)


async def would_set(arguments: Json, ctx: ToolContext) -> str:
    before = _read(ctx).get(arguments["flag"], False)
    return f"{arguments['flag']}: {'on' if before else 'off'} → {'on' if arguments['on'] else 'off'}"


async def was_set(arguments: Json, ctx: ToolContext) -> tuple[Verdict, str]:
    done = _read(ctx).get(arguments["flag"], False) == arguments["on"]
    return ("done", "It is set.") if done else ("not_done", "It is not set.")


@tool(dry_run=would_set, verify=was_set)
async def set_flag(ctx: ToolContext, flag: Flag, on: bool) -> str:
    """Turn a feature flag on or off.

    Args:
        on: Whether it shall be on.
    """
    flags = {**_read(ctx), flag: on}
    _file(ctx).write_text(json.dumps(flags, sort_keys=True))
    return f"{flag} is {'on' if on else 'off'}."
