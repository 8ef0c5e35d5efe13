"""The README's lines with curl as printed; and with curl alone a session is launched, approved and read."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest

from tests.cli.served import Served, until
from tests.readme import examples
from tests.readme.examples import ADDRESS, SESSION
from tests.readme.shell import filled_in, output

pytestmark = pytest.mark.skipif(not shutil.which("curl"), reason="curl is not on the PATH")
LINES = examples.lines_of("curl")


@pytest.fixture(scope="module")
def key(flagman: Served) -> str:
    """Made by the README's own command."""
    (line,) = examples.spans("flagman keys create")
    return output(line, flagman).strip()


def test_the_line_that_launches_does_so_once(flagman: Served, key: str) -> None:
    (line,) = [line for line in LINES if SESSION not in line]
    first, again = (json.loads(output(filled_in(line, flagman), flagman, key)) for _ in range(2))
    assert (first["persona"], first["task"]) == ("sre", "report on the disk")
    assert first["launched_by_name"] == "ci"
    assert again["id"] == first["id"]


def test_the_line_that_follows_shows_all_until_the_end(flagman: Served, key: str) -> None:
    (launch,) = [line for line in LINES if SESSION not in line]
    (line,) = [line for line in LINES if SESSION in line]
    session_id = json.loads(output(filled_in(launch, flagman), flagman, key))["id"]
    # A call that runs at the end would still tell of its result.
    until(lambda: flagman.cli.json("show", session_id)["waiting_for"])
    flagman.cli("cancel", session_id)
    said = output(filled_in(line, flagman, session_id), flagman, key)
    events = [row.removeprefix("event: ") for row in said.splitlines() if row.startswith("event: ")]
    assert (events[0], events[-1]) == ("SessionLaunched", "Cancelled")


def named(method: str, end: str) -> str:
    """The path that the README names for this."""
    (found,) = {span for span in examples.spans(f"{method} /v1/sessions/{SESSION}") if span.endswith(end)}
    return found.removeprefix(f"{method} ")


def test_curl_alone_launches_waits_approves_and_reads_the_result(flagman: Served) -> None:
    key = output("flagman keys create gate --scope launch --scope read --scope approve", flagman).strip()
    (approval,) = examples.spans('{"verdict"')

    def curl(path: str, body: str = "") -> Any:
        data = f"-H 'Content-Type: application/json' -d '{body}' " if body else ""
        line = f'curl -H "Authorization: Bearer $KEY" {data}{ADDRESS}{path}'
        return json.loads(output(filled_in(line, flagman, session_id, call_id), flagman, key))

    session_id = call_id = ""
    session_id = curl("/v1/sessions", '{"persona": "sre", "task": "report with curl"}')["id"]
    waiting = curl(named("GET", "/wait"))
    assert waiting["waiting_for"] == "human_approval_required"
    for call_id, digest in [(call["call_id"], call["digest"]) for call in waiting["calls"]]:
        decided = curl(named("POST", "/decision"), approval.replace("…", digest))
        assert call_id not in [call["call_id"] for call in decided["calls"] if call["phase"] == "awaiting"]
    curl(f"{named('GET', '/wait')}?until=ended")
    ended = curl(named("GET", SESSION))
    assert (ended["status"], ended["launched_by"]) == ("completed", "api:gate")
    assert "report with curl" in ended["result"]
