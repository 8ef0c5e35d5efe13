"""Every row of the README's table of things to say in Slack, said in the playground over its real HTTP."""

from __future__ import annotations

import pytest

from tests.readme import examples
from tests.readme.people import card, done, entered, launched, posted, seen
from tests.support.api import Client
from tests.support.slack import ADA


def sayings() -> list[list[str]]:
    """The commands of each row in full, with and without what stands in brackets."""
    found = []
    for row in examples.rows("Say"):
        said = [f"/agent {span.removeprefix('/agent').strip()}".strip() for span in row[0] + row[1]]
        found.append([said_so for span in said for said_so in _spelled_out(span)])
    return [row for row in found if row and not row[0].startswith("/agent @")]


def _spelled_out(span: str) -> list[str]:
    before, bracket, rest = span.partition(" [")
    return [before, f"{before} {rest.replace(']', '')}"] if bracket else [span]


def test_the_table_is_read_whole() -> None:
    verbs = {command.split()[1] for row in sayings() for command in row if command != "/agent"}
    assert verbs == {
        "launch", "list", "status", "log", "files", "pause", "resume", "cancel", "fork", "remind", "schedule",
        "tell", "event", "settings", "delegate", "grants", "notify", "connections",
        "personas", "help",
    }  # fmt: skip
    assert "/agent" in [command for row in sayings() for command in row]


@pytest.mark.parametrize("row", sayings(), ids=lambda row: row[0])
async def test_what_is_said_is_accepted(row: list[str], api: Client) -> None:
    session_id = await launched(api) if "<id>" in "".join(row) else ""
    for command in row:
        if "resume <id>" in command:
            await api.post(f"/v1/sessions/{session_id}/pause", {})
        if "report.md" in command:
            await done(api, session_id)
        said = await entered(api, command.replace("<id>", session_id))
        if command == "/agent":
            assert (await api.get(f"/playground/views?user={ADA}"))["views"]
        else:
            assert said


@pytest.mark.parametrize("command", examples.spans("/agent launch"))
async def test_a_launch_in_the_text_starts_a_session(command: str, api: Client) -> None:
    session_id = await launched(api, command)
    assert (await api.get(f"/v1/sessions/{session_id}"))["waiting_for"] == "human_approval_required"


async def test_what_is_said_in_the_thread_is_heard(api: Client) -> None:
    (mention,) = examples.spans("@Flagman pause")
    session_id = await launched(api)
    thread = (await card(api, session_id))["ts"]
    await posted(api, "look at /var too", thread)
    await posted(api, mention, thread)
    await seen(api, session_id, lambda state: state["pause"])
    events = (await api.get(f"/v1/sessions/{session_id}/events"))["events"]
    assert [e["data"]["text"] for e in events if e["type"] == "ContextAdded"] == ["look at /var too"]
