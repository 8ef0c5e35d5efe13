"""docs/session-log.md is a SESSION_LOG that Flagman wrote, and today's would write."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from bot.resume_hints import Hints, hints_of
from supervisor.core.events import decode
from supervisor.session_log.render.document import render
from supervisor.session_log.render.transcript import lines
from supervisor.session_log.verify import verify

EXAMPLE = Path(__file__).parents[2] / "docs" / "session-log.md"
SIGNATURE = re.compile(r"^signature: (.+)$", re.MULTILINE)


def test_it_verifies() -> None:
    """With FLAGMAN_WRITE_GOLDEN set it is written anew from its own events."""
    text = EXAMPLE.read_text(encoding="utf-8")
    if os.environ.get("FLAGMAN_WRITE_GOLDEN"):
        head, *rows = (json.loads(line)["event"] for line in text.split("\n") if line.startswith('{"n":'))
        session_id = head["session"]
        events = [decode(session_id, n, json.dumps(row).encode()) for n, row in enumerate(rows)]
        signature = SIGNATURE.search(text)
        assert signature
        EXAMPLE.write_text(
            render(session_id, head["persona"], events, lambda _: signature[1], Hints("/agent")),
            encoding="utf-8",
        )
    found = verify(EXAMPLE.read_bytes(), [], hints_of)
    assert (found.session.lifecycle, found.session.persona) == ("completed", "sre")
    assert len(EXAMPLE.read_text(encoding="utf-8").split("\n")) < 300


def test_it_names_no_machine() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    assert re.findall(r"(?<![\w.`])/(?:home|root|tmp|work|usr|var|Users)/", text) == []
    said = " ".join(line.text for line in lines(verify(text.encode(), [], hints_of).events))
    assert "approved 2.1" in said
    assert "denied 2.2" in said
