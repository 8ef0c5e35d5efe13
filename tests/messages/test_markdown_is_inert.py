"""Markdown from a model becomes rich text in which nothing acts, nothing is lost and Slack refuses nothing."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.playground.block_kit.blocks import check_message_blocks, visible_characters
from handlers.blocks.markdown import rich_text
from handlers.blocks.rich_text import ELEMENTS_A_BLOCK, MOST_CHARACTERS
from supervisor.core.text.visible import visible
from tests.examples import examples
from tests.linear import assert_linear

Json = dict[str, Any]
CONTAINERS = {
    "rich_text": {"rich_text_section", "rich_text_list", "rich_text_preformatted", "rich_text_quote"},
    "rich_text_list": {"rich_text_section"},
    "rich_text_section": {"text"},
    "rich_text_preformatted": {"text"},
    "rich_text_quote": {"text"},
}
HIDDEN = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}
STYLES = {"bold", "italic", "strike", "code"}

GOLDEN = Path(__file__).parent / "golden"


def shown(markdown: str, *, limit: int = 6000) -> list[Json]:
    """The blocks, of which everything that must hold for any input does hold."""
    blocks = rich_text(markdown, limit=limit)
    assert len(blocks) <= 5
    for block in blocks:
        assert len(block["elements"]) <= ELEMENTS_A_BLOCK
        check_inert(block)
    assert visible_characters(blocks) <= min(limit, MOST_CHARACTERS) + 300
    check_message_blocks(blocks)
    return blocks


def check_inert(element: Json) -> None:
    assert element["elements"]
    for part in element["elements"]:
        assert part["type"] in CONTAINERS[element["type"]]
        if part["type"] != "text":
            check_inert(part)
            continue
        assert set(part) <= {"type", "text", "style"}
        assert set(part.get("style", {})) <= STYLES
        assert part["text"]
        assert visible(part["text"]) == part["text"]
        # By Python's own table, which may be older; a joiner may stand inside of an emoji.
        assert {unicodedata.category(c) for c in part["text"] if c not in "\n\t\u200d"} & HIDDEN == set()


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from texts(item)
    elif value["type"] == "text":
        yield value["text"]
    else:
        yield from texts(value["elements"])


def text(markdown: str, *, limit: int = 6000) -> str:
    return "".join(texts(shown(markdown, limit=limit)))


def elements(markdown: str) -> list[Json]:
    return [element for block in shown(markdown) for element in block["elements"]]


# Golden


def test_a_typical_answer() -> None:
    answer = (GOLDEN / "answer.md").read_text(encoding="utf-8")
    assert elements(answer) == json.loads((GOLDEN / "answer.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("nothing", ["", " ", "\n\n", "\t\n ", "\r\n", "```\n```", "---", "#"])
def test_nothing_to_see_is_no_block(nothing: str) -> None:
    assert shown(nothing) == []


def test_a_list_in_a_quote_has_its_bar() -> None:
    quote, items = elements("> says\n>\n> - one\n> - two")
    assert quote["type"] == "rich_text_quote"
    assert (items["type"], items["border"], len(items["elements"])) == ("rich_text_list", 1, 2)


def test_an_ordered_list_keeps_its_first_number() -> None:
    assert [e.get("offset") for e in elements("7. a\n8. b\n\n- c\n\n1. d")] == [6, None, None]
    assert "offset" not in elements("0. a")[0]


def test_items_keep_their_paragraphs_and_empty_items_their_bullet() -> None:
    (items,) = elements("- one\n\n  more\n-\n- three")
    assert list(texts(items["elements"])) == ["one\nmore", " ", "three"]


# Inert


@pytest.mark.parametrize(
    ("hostile", "seen"),
    [
        ("hi <!channel> now", "hi <!channel> now"),
        ("<!channel>", "<!channel>"),
        ("<!here|here> and @everyone", "<!here|here> and @everyone"),
        ("<@U123> <#C123> <!subteam^S1>", "<@U123> <#C123> <!subteam^S1>"),
        ("a <https://evil|click>", "a https://evil|click"),
        ("[x](javascript:alert(1))", "x (javascript:alert(1))"),
        ("<javascript:alert(1)>", "javascript:alert(1)"),
        ('[bank](https://evil.example "bank.example")', 'bank (https://evil.example "bank.example")'),
        ("[https://a.example](https://a.example)", "https://a.example"),
        ("[https://bank.example](https://evil.example)", "https://bank.example (https://evil.example)"),
        ("[](https://evil.example) [x]()", "https://evil.example x"),
        ("![](http://img)![alt *two*](http://img)", "http://imgalt two (http://img)"),
        ("<me@a.example>", "me@a.example"),
        ("[ref]: http://unused\n\n[ref]", "[ref]: http://unused\n[ref]"),
        (":emoji: :skull:", ":emoji: :skull:"),
        ("a\u202eb\u200bc\x00d\x1be", "a\\u202eb\\u200bc\\u0000d\\u001be"),
        ("`a\u202e`", "a\\u202e"),
        ("[a](http://x\u2066)", "a (http://x\\u2066)"),
        ("&#x202e;&ZeroWidthSpace;&#0;", "\\u202e\\u200b\ufffd"),
        ("\ud800", "\\ud800"),
        ("<b onclick=x>bold</b>", "<b onclick=x>bold</b>"),
        ("<!-- unseen -->", "<!-- unseen -->"),
        ("a\r\nb\rc", "a\nb\nc"),
    ],
)
def test_what_would_act_or_hide_is_shown(hostile: str, seen: str) -> None:
    assert text(hostile) == seen


def test_html_and_code_are_preformatted() -> None:
    blocks = elements("<div>\n<b>x</b>\n</div>\n\n    indented\n\n```py\nfenced\n```")
    assert [e["type"] for e in blocks] == ["rich_text_preformatted"] * 3
    assert list(texts(blocks)) == ["<div>\n<b>x</b>\n</div>", "indented", "fenced"]


# Nothing is lost


@pytest.mark.parametrize(
    ("markdown", "words"),
    [
        ("``` rm -rf /\n", "rm -rf /"),
        ("```python title=app.py\npass\n```", "python title=app.py\npass"),
        ("```kubectl", "kubectl"),
        ("| a | b |\n|---|---|\n| x | y | surplus |", "surplus"),
        ("> | a | b |\n> |---|---|\n> | x | y | surplus |", "surplus"),
        (">" * 60 + " deep", "deep"),
        ("- " * 60 + "deep", "deep"),
        ("1. > - " * 60 + "deep", "deep"),
        ("[" * 60 + "deep" + "](u)" * 60, "deep"),
        ("*" * 61 + "deep" + "*" * 61, "deep"),
        ("".join(f"{'  ' * n}- level{n}\n" for n in range(60)), "level59"),
    ],
)
def test_what_parsers_drop_is_kept(markdown: str, words: str) -> None:
    assert words in text(markdown)


def test_indents_stay_within_what_slack_takes() -> None:
    nested = elements("".join(f"{'  ' * n}- {n}\n" for n in range(30)))
    assert max(e.get("indent", 0) for e in nested) == 8


def test_too_many_pieces_end_as_plain_lines() -> None:
    blocks = shown("".join(f"{n}. item{n}\n" for n in range(1, 400)))
    assert "\n399. item399" in "".join(texts(blocks))
    paragraphs = shown("".join(f"para{n}\n\n" for n in range(400)))
    assert [len(block["elements"]) for block in paragraphs][:4] == [40] * 4
    assert "para399" in "".join(texts(paragraphs))


def test_too_many_styles_are_given_up_and_the_text_stays() -> None:
    assert text("*a*`b`" * 500) == "ab" * 500


@given(st.lists(st.from_regex(r"[A-Za-z0-9äß日,;?()']+", fullmatch=True), min_size=1, max_size=60))
def test_every_word_of_a_plain_paragraph_is_shown(words: list[str]) -> None:
    # Not at the beginning of a line, where `0)` is the mark of a list.
    assert text(" ".join(["So", *words])).split() == ["So", *words]


def test_tables_line_up() -> None:
    table = "a|long heading\n:--|--:\n" + "".join(f"x{'y' * n}|{n}\n" for n in range(5))
    (block,) = elements(table)
    assert len({len(line) for line in "".join(texts([block])).split("\n")}) == 1


# Limits


@given(st.integers(1, 300), st.integers(0, 300))
def test_what_does_not_fit_is_counted(length: int, limit: int) -> None:
    seen = text("x" * length, limit=limit)
    left = length - limit
    note = "" if left <= 0 else f"… {left} more character{'s' if left > 1 else ''}"
    assert seen == "x" * min(length, limit) + note


def test_the_count_is_the_last_thing_in_italics() -> None:
    last = elements("word " * 5000)[-1]
    assert last["elements"] == [
        {"type": "text", "text": "… 18,999 more characters", "style": {"italic": True}}
    ]


def test_characters_made_visible_count_as_they_are_shown() -> None:
    assert text("\u200b" * 10, limit=30).endswith("… 30 more characters")


HUGE = {
    "quotes": ">" * 100_000,
    "quoted lists": "> - a " * 16_000,
    "brackets": "[" * 100_000,
    "images": "![" * 50_000,
    "nested images": "![" * 900 + "a" + "](u)" * 900,
    "links": "[a](" + "(" * 99_000,
    "emphasis": "*a **b _c " * 10_000,
    "backticks": "".join("`" * n + " " for n in range(440)),
    "comments": "<!--a" * 20_000,
    "angles": "<" * 100_000,
    "wide table": "|a" * 1000 + "|\n" + "|-" * 1000 + "|\n" + "|x\n" * 30_000,
    "long table": "|a|b|\n|-|-|\n" + "|x|y|\n" * 16_000,
    "items": "- a\n" * 25_000,
    "rules": "---\n\n" * 20_000,
    "fences": "```\na\n```\n" * 10_000,
    "styles": "***a*** `b` ~~c~~ " * 5_500,
    "emoji": "*😀*`😀`" * 16_000,
    "invisible": "\u200b" * 100_000,
    "entities": "&#x202e;" * 12_000,
    "blank": " " * 100_000 + "a",
}


@pytest.mark.parametrize("limit", [6000, 1_000_000])
@pytest.mark.parametrize("name", HUGE)
def test_the_time_grows_with_the_length(name: str, limit: int) -> None:
    assert shown(HUGE[name], limit=limit)
    assert_linear(lambda text: shown(text, limit=limit), HUGE[name])


SIGNS = (
    "# * ** _ ` ~~ > - + 1. 2) [ ] ( ) ](u) ![ | |-| |-|-| --- === < > <a> </div> <!-- --> <!channel> <@U1> "
    "<http://a.b> & &amp; &#8238; \\ : :x: 日本 😀 \u202e \u200d \x00 \ud800"
)
MARKUP = st.sampled_from(SIGNS.split(" "))
FENCE = st.sampled_from(["```", "~~~", "``", "`"])
SPACE = st.sampled_from(["", "", " ", "  ", "    ", "\t", "\n", "\n\n", "\n> ", "\n- ", "\n   ", "\r\n"])
MARKDOWN = st.lists(st.one_of(MARKUP, SPACE, FENCE, st.text(max_size=4)), max_size=200).map("".join)


@settings(max_examples=examples(200), deadline=None)
@given(MARKDOWN, st.sampled_from([0, 7, 100, 6000]))
def test_any_markdown_is_inert_and_taken(markdown: str, limit: int) -> None:
    shown(markdown, limit=limit)


@settings(max_examples=examples(200), deadline=None)
@given(st.lists(st.one_of(MARKUP, SPACE), max_size=100))
def test_no_word_is_lost_whatever_stands_around_it(markup: list[str]) -> None:
    seen = text("".join(f"{sign}w{n}w" for n, sign in enumerate(markup)), limit=MOST_CHARACTERS)
    assert [n for n in range(len(markup)) if f"w{n}w" not in seen] == []


@settings(deadline=None)
@given(st.text())
def test_any_text_is_inert_and_taken(anything: str) -> None:
    shown(anything)
