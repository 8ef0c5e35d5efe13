"""The model layer takes seconds to import, so only the first call to a model pays for it."""

from __future__ import annotations

import subprocess
import sys

HEAVY = "{name for name in sys.modules if name.partition('.')[0] in ('pydantic_ai', 'openai', 'anthropic')}"


def loaded_after(code: str) -> str:
    script = f"import sys\n{code}\nprint({HEAVY} or 'nothing')"
    return subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    ).stdout.strip()


def test_importing_and_making_gateways_loads_no_provider() -> None:
    code = "from supervisor.models import make_gateway\nmake_gateway('openai:gpt-5'), make_gateway(None)"
    assert loaded_after(code) == "nothing"


def test_the_demo_never_loads_one() -> None:
    code = """
import asyncio
from supervisor.core.messages import ModelRequest, UserTurn
from supervisor.models import make_gateway
request = ModelRequest(session_id="s", model=None, instructions="", turns=(UserTurn(text="Hi"),), tools=())
asyncio.run(make_gateway(None).reply(request))
"""
    assert loaded_after(code) == "nothing"
