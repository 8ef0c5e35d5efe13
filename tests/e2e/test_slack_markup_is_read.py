"""What Slack's markup says reaches the agent as the person saw it."""

from __future__ import annotations

import pytest

from handlers.listeners.commands.parser import parse, readable


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
