"""What Slack's markup says reaches the agent as the person saw it."""

from __future__ import annotations

import pytest

from handlers.listeners.commands.parser import parse
from handlers.markup import readable
from tests.support.scenario import APPROVE, Director
from tests.support.scripted import calls, in_turn, says
from tests.support.slack import ADA, BOT, GRACE, OPS, RANDOM, SRE, buttons


@pytest.mark.parametrize(
    ("raw", "seen"),
    [
        ("<https://example.com/a?b=1&amp;c>", "https://example.com/a?b=1&c"),
        ("<https://example.com|the graph>", "the graph (https://example.com)"),
        ("<http://example.com|example.com>", "http://example.com"),
        ("<mailto:a@example.com|a@example.com>", "a@example.com"),
        ("<#C0OPS|ops> and <@U1|ada>", "#ops and @ada"),
        ("<!here> <!subteam^S1|@sre> <!date^1^{date}|today>", "@here @sre today"),
        ("a &lt; b &amp;&amp; c &gt; d &lt;@U1&gt;", "a < b && c > d <@U1>"),
        ("“it’s” – so", "“it’s” – so"),
    ],
)
def test_markup_becomes_what_was_seen(raw: str, seen: str) -> None:
    assert readable(raw) == seen


@pytest.mark.parametrize(
    ("written", "task"),
    [
        ('"a" and "b"', '"a" and "b"'),
        ("“a” and “b”", "“a” and “b”"),
        ('"check the disk"', "check the disk"),
        ("“check the disk”", "check the disk"),
        ("'a' or 'b'", "'a' or 'b'"),
    ],
)
def test_only_quotes_around_all_of_a_task_are_taken_off(written: str, task: str) -> None:
    assert parse(f"launch sre {written}", slash="/agent").rest == task


WORDS = f"<@{GRACE}> in <#{OPS}>, <#{RANDOM}|> and <!subteam^{SRE}>: <@U0NOBODY1> <!here>"
SEEN = "@grace in #ops, #random and @sre: @U0NOBODY1 @here"


async def test_people_channels_and_groups_have_the_names_that_were_seen(scenario: Director) -> None:
    scene = await scenario(in_turn(calls(("deploy", {"service": "shop"})), says("Done.")))
    root = await scene.slack.post(ADA, OPS, f"<@{BOT}> launch ops {WORDS}")
    session = await scene.flagman.session(lambda s: s.waiting_for == "human_approval_required")
    assert session.task == SEEN
    ask = await scene.slack.message(OPS, lambda m: APPROVE in buttons(m), root["ts"])
    await scene.slack.post(ADA, OPS, f"ask {WORDS}", ask["thread_ts"])
    found = await scene.flagman.session(lambda s: s.inbox, session.id)
    assert found.inbox[-1].text == f"ask {SEEN}"


async def test_without_an_answer_of_slack_an_id_stays_an_id(scenario: Director) -> None:
    scene = await scenario(in_turn(calls(("deploy", {"service": "shop"})), says("Done.")))
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    # Who ADA is and what the channel is has to be known, or nothing is taken from her.
    assert session.id in str(await scene.slack.command(ADA, OPS, f"status {session.id}"))
    for method in ("users.info", "conversations.info", "usergroups.list"):
        await scene.slack.fault(method, error="internal_error", times=9)
    await scene.slack.post(ADA, OPS, f"ask <@{GRACE}> <#{RANDOM}> <!subteam^{SRE}>", ask["thread_ts"])
    found = await scene.flagman.session(lambda s: s.inbox, session.id)
    assert found.inbox[-1].text == f"ask @{GRACE} #{RANDOM} @subteam"
