"""No character of the classes that show nothing passes through, and two calls that differ look different."""

from __future__ import annotations

import json
import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.core.text.visible import (
    call_json,
    call_name,
    call_text,
    call_value,
    characters,
    escaped_json,
    json_text,
    one_line,
    visible,
)
from tests.examples import examples

# By Python's own table, which may know fewer characters than ours, and by DerivedCoreProperties.txt.
HIDDEN_CATEGORIES = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp", "Zs"}
DEFAULT_IGNORABLE = (
    *(0xAD, 0x34F, 0x61C, *range(0x115F, 0x1161), 0x17B4, 0x17B5, *range(0x180B, 0x1810)),
    *(*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0x3164),
    *(*range(0xFE00, 0xFE10), 0xFEFF, 0xFFA0, *range(0xFFF0, 0xFFF9), *range(0x1BCA0, 0x1BCA4)),
    *(*range(0x1D173, 0x1D17B), *range(0xE0000, 0xE1000)),
)
BLANK = (0x2800, 0xFFFC, 0x1107F, 0x13441, 0x13442, 0x16FE4, 0x1D159)
UNASSIGNED = (0x378, 0x2065, 0xFFFE, 0xFFFF, 0x1FFFE, 0xE0FFF, 0x10FFFF)
HIDDEN = frozenset(
    chr(code)
    for code in (
        *(c for c in range(0x110000) if unicodedata.category(chr(c)) in HIDDEN_CATEGORIES),
        *DEFAULT_IGNORABLE,
        *BLANK,
        *UNASSIGNED,
    )
) - set(" \t\n")
ORDINARY = [
    "plain ASCII: {}[]()~`!@#$%^&*_-+=|\\/?.,<>;\"'",
    "Grüße, naïve façade, Ελληνικά, Русский, Հայերեն",
    "العربية مُشَكَّلَة وعادية",
    "हिन्दी क्षत्रिय विश्व",
    "ภาษาไทยที่มีวรรณยุกต์",
    "日本語、中文、한국어",
    "שָׁלוֹם",
    "e\u0301 composed of two, a\u0308\u0301\u0323 of four",
    "🙂 👍🏽 ❤️ 1️⃣ 🇩🇪 → ± ∑ “quoted” … –",
]
ATTACKS = [
    *("\U000e0100", "\u3164", "\u2800", "\u200b", "\u202e", "\u2066", "\u00ad", "\ufe00", "\ufe0f", "\u0301"),
    *("\u00a0", "\u3000", "\ue000", "\ud800", "\U000e0041", "\x00", "\x1b", "\x7f", "\x85", "\r", "\u2028"),
    *(" " * 41, "\n" * 5, "\t" * 50, " \n" * 9, "⟨", "⟩", "\\", "\\u202e", "\\U000e0100", "⟨300 spaces⟩"),
    *(
        "👩\u200d💻",
        "1\ufe0f\u20e3",
        "https://",
        "\u0430pple.com",
        "apple.com",
        "/",
        "@",
        "a",
        "\u00e9",
        "\n",
        " ",
    ),
]
texts = st.lists(st.one_of(st.sampled_from(ATTACKS), st.text(max_size=4)), max_size=8).map("".join)


def raw(text: str) -> set[str]:
    """What of a text shows nothing; an emoji may have its presentation selector and, in prose, its joiners."""
    text = re.sub("[0-9#*]\ufe0f\u20e3", "", text)
    pairs = zip(f" {text}", text, strict=False)
    return {c for before, c in pairs if c in HIDDEN and not (c == "\ufe0f" and ord(before) > 0x7E)}


def test_every_hidden_character_becomes_a_marker() -> None:
    for character in HIDDEN:
        for shown in (visible(f"a{character}b"), call_text(f"a{character}b")):
            assert re.fullmatch(r"a\\(u[0-9a-f]{4}|U[0-9a-f]{8})b", shown)
            assert chr(int(shown[3:-1], 16)) == character


def test_every_other_character_stays() -> None:
    """Letters, numbers, punctuation and symbols that this Python knows, but for the blank ones."""
    for code in range(0x110000):
        character = chr(code)
        if unicodedata.category(character)[0] in "LNPS" and character not in HIDDEN:
            assert visible(character) == character
    assert visible("a\tb\nc d") == "a\tb\nc d"


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_in_any_script_stays(text: str) -> None:
    assert visible(text) == text
    assert call_text(text) == text


@pytest.mark.parametrize(
    ("text", "prose", "call"),
    [
        ("rm -rf /tmp/a\U000e0100", "rm -rf /tmp/a\\U000e0100", "rm -rf /tmp/a\\U000e0100"),
        ("rm -rf /tmp/a\u3164", "rm -rf /tmp/a\\u3164", "rm -rf /tmp/a\\u3164"),
        ("👩🏽\u200d💻", "👩🏽\u200d💻", "👩🏽\\u200d💻"),
        ("a\u200db", "a\\u200db", "a\\u200db"),
        (
            "a\ufe0f 1\ufe0f 1\ufe0f\u20e3",
            "a\\ufe0f 1\\ufe0f 1\ufe0f\u20e3",
            "a\\ufe0f 1\\ufe0f 1\ufe0f\u20e3",
        ),
        ("e" + "\u0301" * 5, "e\u0301\u0301\u0301\\u0301\\u0301", "e\u0301\u0301\u0301\\u0301\\u0301"),
        (" \u0338x", " \\u0338x", " \\u0338x"),
        ("a" + " " * 300 + "b", "a" + " " * 300 + "b", "a⟨300 spaces⟩b"),
        ("a" + "\n" * 40 + "b", "a" + "\n" * 40 + "b", "a⟨40 line breaks⟩\nb"),
        (" \n" * 5, " \n" * 5, f"⟨{', '.join(['1 space, 1 line break'] * 5)}⟩\n"),
        ("⟨300 spaces⟩", "⟨300 spaces⟩", "\\u27e8300 spaces⟩"),
        ("\\u202e", "\\u202e", "\\u005cu202e"),
        ("C:\\users\\udo", "C:\\users\\udo", "C:\\users\\udo"),
    ],
)
def test_what_prose_and_calls_show(text: str, prose: str, call: str) -> None:
    assert visible(text) == prose
    assert call_text(text) == call


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://\u0430pple.com/x", "https://\u0430pple.com⟨punycode: xn--pple-43d.com⟩/x"),
        ("curl \u0430pple.com", "curl \u0430pple.com⟨punycode: xn--pple-43d.com⟩"),
        ("ssh://me:x@bücher.de:22/", "ssh://me:x@bücher.de:22⟨punycode: xn--bcher-kva.de⟩/"),
        ("https://example。com", "https://example。com⟨punycode: example.com⟩"),
        ("https://example.com/é", "https://example.com/é"),
        ("отчёт.md", "отчёт.md"),
        (f"https://{'é' * 64}.de", f"https://{'é' * 64}.de⟨punycode: too long for a host⟩"),
    ],
)
def test_a_host_in_other_letters_has_its_punycode_beside_it(text: str, shown: str) -> None:
    assert call_text(text) == shown


@settings(max_examples=examples(150), deadline=None)
@given(texts)
def test_nothing_hidden_passes_and_prose_may_be_shown_twice(text: str) -> None:
    assert raw(call_text(text)) == set()
    assert raw(call_json(text)) == set()
    assert raw(visible(text)) <= {"\u200d"}
    assert visible(visible(text)) == visible(text)
    # A message marks prose in what a call was made of, and changes nothing.
    assert visible(call_text(text)) == call_text(text)
    assert visible(call_json(text)) == call_json(text)
    assert set("\t\n") & set(call_name(text)) == set()
    assert len(one_line(text, 20)) <= 20


@settings(max_examples=examples(150), deadline=None)
@given(texts, texts)
def test_two_different_calls_look_different(one: str, other: str) -> None:
    assert (call_text(one) == call_text(other)) == (one == other)
    assert (call_name(one) == call_name(other)) == (one == other)
    assert (call_json([one]) == call_json([other])) == (one == other)
    assert (call_value(one) == call_value(other)) == (one == other)


@settings(max_examples=examples(150), deadline=None)
@given(texts)
def test_what_was_shown_of_a_call_can_be_read_back(text: str) -> None:
    assert read_back(call_text(text)) == text
    assert json.loads(json_text([text])) == [text]
    assert json.loads(escaped_json(json.dumps({text: 1}, ensure_ascii=False))) == {text: 1}


_BLANKS = {"space": " ", "tab": "\t", "line break": "\n"}


def read_back(shown: str) -> str:
    """The text that `call_text` shows like this."""

    def piece(found: re.Match[str]) -> str:
        if found["code"]:
            return chr(int(found["code"][1:], 16))
        if found["folded"].startswith("punycode: "):
            return ""
        runs = (run.partition(" ") for run in found["folded"].split(", "))
        return "".join(_BLANKS[what.removesuffix("s")] * int(n.replace(",", "")) for n, _, what in runs)

    return re.sub(
        r"\\(?P<code>u[0-9a-f]{4}|U[0-9a-f]{8})|⟨(?P<folded>[^⟩]*)⟩(?:(?<=break⟩)\n|(?<=breaks⟩)\n)?",
        piece,
        shown,
    )


def coded(length: int) -> str:
    return f"xn--{('ü' * length).encode('punycode').decode()}"


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("bücher.example", "xn--bcher-kva.example"),
        # What is hidden in it, the user and the port are no part of the name that is asked for.
        ("me@b\u00adücher.example:80", "xn--bcher-kva.example"),
        ("ü" * 63, coded(63)),
        ("ü" * 64, "too long for a host"),
        (".".join(["ü" * 50] * 4 + ["ü" * 49]), ".".join([*[coded(50)] * 4, coded(49)])),
        (".".join(["ü" * 50] * 5), "too long for a host"),
    ],
)
def test_a_host_in_other_letters_is_shown_as_name_servers_receive_it(host: str, shown: str) -> None:
    assert call_text(f"https://{host}/x").endswith(f"⟨punycode: {shown}⟩/x")


def test_a_range_of_characters_has_both_ends_and_nothing_beside_them() -> None:
    found = re.compile(f"[{characters('41-43 61 1F600-1F602')}]")
    hits = [c for c in "@ABCD`ab\U0001f5ff\U0001f600\U0001f602\U0001f603-" if found.match(c)]
    assert hits == [*"ABCa", "\U0001f600", "\U0001f602"]
