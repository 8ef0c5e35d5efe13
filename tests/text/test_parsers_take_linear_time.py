"""Every parser of what people and programs write takes time in proportion to its length, whatever is repeated in it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from yaml import MarkedYAMLError

from bot.api.errors import ApiError
from bot.api.routes.events import json_value
from bot.processes.slack_requests import _is_slacks
from bot.resume_hints import hints_of
from handlers.listeners.commands.parser import LONGEST, is_thread_command, parse
from handlers.listeners.commands.schedule_parser import parse_plan
from handlers.listeners.commands.time_parser import leading_time, parse_until
from handlers.markup import readable, unnamed
from supervisor.core import conditions
from supervisor.core.errors import FlagmanError, InvalidCondition, InvalidInput, PersonaInvalid
from supervisor.core.text.visible import call_text, visible
from supervisor.personas.frontmatter import FrontMatter
from supervisor.personas.loader import MOST_BYTES, load_personas
from supervisor.session_log.verify import verify
from tests.core.build import fake_tool
from tests.linear import assert_linear

NOW = datetime(2026, 11, 25, 3, tzinfo=UTC)
SHORT, TIMES = 6_000, 4
PARSERS: dict[str, Callable[[str], object]] = {
    "a condition": lambda text: conditions.parse_condition(f"event: a where {text}", now=NOW),
    "a command": lambda text: parse(text, thread_session="ab12-cd34", slash="/agent"),
    "a fork": lambda text: parse(f"fork {text}", thread_session="ab12-cd34", slash="/agent"),
    "a command in a thread": lambda text: is_thread_command(f"schedule {text}", {"sre"}),
    "a pause in a thread": lambda text: is_thread_command(f"pause {text}", {"sre"}),
    "a schedule": lambda text: parse_plan(text, "/agent"),
    "a pause": lambda text: parse_until(f"until {text}", NOW, "UTC"),
    "a pause for a time": lambda text: parse_until(f"for 2h {text}", NOW, "UTC"),
    "a time": lambda text: leading_time(text, NOW, "UTC"),
    "markup": readable,
    "marks without a name": unnamed,
    "what is shown": visible,
    "what runs": call_text,
    "front matter": lambda text: FrontMatter.split(f"---\n{text}\n---\nx"),
    "a document": lambda text: verify(text.encode(), [], hints_of),
    "JSON": lambda text: json_value(text.encode()),
    "an address": lambda text: _is_slacks(f"https://{text}", "https://slack.com/api/"),
}
REPEATED = (
    *(" ", "\n", "\t", "a", "'", '"', "<", "<@", "<@U1", "<@U1|", "&amp;", "[", "{", "\\", "é", "\u200b"),
    *(" and ", " where ", " because ", " or ", " or x", " launch ", " launch a", "in ", "1h ", "half a "),
    *("a: b\n", "- a\n", "&a ", "*a ", "://", "a.", "\u0301"),
)


@pytest.mark.parametrize("name", PARSERS)
def test_the_time_grows_with_the_length(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Without its own limit, by which the time would end.
    monkeypatch.setattr(conditions, "LONGEST", 10**9)

    def read(text: str) -> None:
        # A refusal takes time, too.
        with suppress(FlagmanError, ApiError, MarkedYAMLError):
            PARSERS[name](text)

    for unit in REPEATED:
        for before, after in (("", ""), ("x", "!"), ("'", "y\n")):
            short, long = (before + unit * (n // len(unit)) + after for n in (SHORT, SHORT * TIMES))
            assert_linear(read, long, short)


def test_a_command_has_a_longest_form() -> None:
    parse("launch sre " + "x" * (LONGEST - 20), slash="/agent")
    with pytest.raises(InvalidInput, match=r"too long: 40,011 characters, at most 40,000"):
        parse("launch sre " + "x" * LONGEST, slash="/agent")


def persona(front: str) -> str:
    return f"---\nname: helper\ndescription: Helps.\n{front}\n---\nBe kind.\n"


@pytest.mark.parametrize(
    ("front", "problem"),
    [
        ("tools: " + "[" * 5_000, "nested too deeply|expected"),
        ("description2: " + "x" * MOST_BYTES, "more than 256 KiB"),
        (
            "a0: &a0 [x, x]\n" + "\n".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60)),
            "there is no key `a0`",
        ),
    ],
)
def test_a_persona_that_would_take_for_ever_is_refused(tmp_path: Path, front: str, problem: str) -> None:
    (tmp_path / "helper.md").write_text(persona(front))
    with pytest.raises(PersonaInvalid, match=problem):
        load_personas(tmp_path, {"shell": fake_tool("shell")})


def test_what_is_repeated_does_not_change_what_is_read() -> None:
    plan = parse_plan('"0 9 * * MON"   launch   sre   weekly   report', "/agent")
    assert (plan.cron, plan.persona, plan.task) == ("0 9 * * MON", "sre", "weekly   report")
    until = parse_until("until  webhook: a  or  webhook: b   because   it is  late", NOW, "UTC")
    assert ([str(c) for c in until.conditions], until.detail) == (["webhook: a", "webhook: b"], "it is  late")
    read = conditions.parse_condition('event: a  where  b == "x  and  y"  and  c  in  [1, 2]', now=NOW)
    assert str(read) == 'event: a where b == "x  and  y" and c in [1, 2]'
    quoted = r"""event: a where b == "it's \" and \" c" and d == 'an "and" and more'"""
    read = conditions.parse_condition(quoted, now=NOW)
    assert isinstance(read, conditions.OnEvent)
    assert [clause.value for clause in read.where] == ['it\'s " and " c', 'an "and" and more']
    for open_quote in ('b == "x and c == 1', "b == 'x and c == 1", 'b == "x\\" and c == 1'):
        with pytest.raises(InvalidCondition):
            conditions.parse_condition(f"event: a where {open_quote}", now=NOW)
