"""What a server asks people for, at its worst: Slack takes the message and the form."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from bot.playground.block_kit.blocks import check_message_blocks, check_view
from handlers.blocks.inputs import plain_text
from handlers.messages.requests.server_questions import asked_blocks, form_blocks, hint
from supervisor.core.elicitation.request import AskedInput
from supervisor.core.text.masking import Masker
from supervisor.mcp.elicitation import request_of
from tests.core.build import AT, tool_call

WORST = (
    "&" * 90,
    "<!channel> <@U0ADA0001>",
    "\u202e" * 40,
    "😀" * 40,
    "\x00\u200b",
    "*_~`" * 22,
    "\n" * 40,
)


def rules(text: str) -> list[dict[str, Any]]:
    said = {"title": text, "description": text}
    choices = [{"const": f"{n}{text}", "title": text} for n in range(3)]
    return [
        {"type": "string", **said, "default": text},
        {"type": "integer", **said, "default": 10**400},
        {"type": "number", **said, "minimum": 10**400},
        {"type": "string", **said, "oneOf": choices, "default": f"0{text}"},
        {"type": "array", **said, "items": {"anyOf": choices}, "default": [f"1{text}"]},
    ]


@pytest.mark.parametrize("text", WORST)
@pytest.mark.parametrize("fields", [0, 1, 25])
def test_its_message_and_its_form_are_taken(text: str, fields: int) -> None:
    every = rules(text)
    properties = {f"f{n}": every[n % len(every)] for n in range(fields)} | (
        {} if fields != 1 else {"f0": every[1]}
    )
    schema = {"type": "object", "properties": properties}
    params = SimpleNamespace(mode="form", message=text * 40, requested_schema=schema)
    asked = AskedInput(request=request_of("host", "k", params), at=AT)
    call: Any = SimpleNamespace(call=tool_call("1.1"))
    mask = Masker(())
    check_message_blocks([*asked_blocks(call, asked, mask), *hint(asked, "Reply in the thread.")])
    view = {"type": "modal", "title": plain_text("Answer"), "submit": plain_text("Send")}
    check_view({**view, "blocks": form_blocks(call, asked, mask)}, "modal")
