"""Each form of a known secret is looked for, and in calls those in which all of it is a word of its own."""

from __future__ import annotations

import html
import json
import re
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.text.masking import MASK, Masker
from supervisor.core.text.spellings import spellings

SECRETS = [
    "correct-horse-battery-staple",
    'p/a+s"s\\w ör%d&<1>',
    "b/c:d@e f?~>>>>>~~ÿÿÿÿ",
    "first line\r\nsecond line\n",
    "broken \ud800 half",
]


def forms(secret: str) -> set[str]:
    """What other libraries and languages make of it."""
    data = secret.encode("utf-8", "surrogatepass")
    urls = {quote(data, safe=safe) for safe in ("", "/", ":/@")} | {quote_plus(data)}
    small = {re.sub("%..", lambda found: found[0].lower(), url) for url in urls}
    once = [json.dumps(secret, ensure_ascii=plain)[1:-1] for plain in (True, False)]
    twice = [json.dumps(json.dumps(secret, ensure_ascii=p), ensure_ascii=p)[3:-3] for p in (True, False)]
    dumps = {data.hex(), data.hex().upper(), data.hex(" "), data.hex(":")}
    return {secret, html.escape(secret), *urls, *small, *once, *twice, *dumps}


@pytest.mark.parametrize("secret", SECRETS)
def test_every_whole_form_is_known_once_with_and_without_its_line_breaks(secret: str) -> None:
    found = spellings(secret)
    assert {one.text for one in found if not one.part} == forms(secret)
    assert len(found) == len(set(found))
    for one in found:
        assert one.flat == one.text.replace("\r", "").replace("\n", "")


@given(st.binary(max_size=6), st.sampled_from(SECRETS), st.binary(max_size=6), st.booleans())
def test_in_base64_it_is_known_at_any_place_by_the_characters_that_are_its_own(
    before: bytes, secret: str, after: bytes, url: bool
) -> None:
    data = secret.encode("utf-8", "surrogatepass")
    encoded = (urlsafe_b64encode if url else b64encode)(before + data + after).decode()
    parts = [one.text for one in spellings(secret) if one.part and one.text in encoded]
    # Six bits a character; those that have bits of a byte beside it are not its own.
    first, last = -(-len(before) * 8 // 6), (len(before) + len(data)) * 8 // 6
    assert max(parts, key=len) == encoded[first:last]


@pytest.mark.parametrize("secret", SECRETS[:4])
def test_of_base64_only_what_the_secret_alone_decides_is_its_own(secret: str) -> None:
    data = secret.encode()
    for text in {one.text for one in spellings(secret) if one.part}:
        places = []
        for offset in range(3):
            whole = b64encode(b"\x55" * offset + data + b"\xaa" * 3).decode()
            other = b64encode(b"\xaa" * offset + data + b"\x55" * 3).decode()
            plain = text.replace("-", "+").replace("_", "/")
            places += [at for at in [whole.find(plain)] if at >= 0 and other.find(plain) == at]
        assert places, text


CALLS = [
    SECRETS[-1],
    "correct-horse-battery-staple",
    'p/a+s"s\\w ör%d&<1>',
    "0123456789abcde.",
    "seventeen_letters",
]


@pytest.mark.parametrize("secret", CALLS)
def test_in_a_call_each_form_that_is_a_word_is_masked(secret: str) -> None:
    masker, data = Masker([secret]), secret.encode("utf-8", "surrogatepass")
    coded = {b64encode(data).decode(), urlsafe_b64encode(data).decode()}
    coded |= {one.rstrip("=") for one in coded}
    for form in forms(secret) | coded:
        assert masker.arguments({"a": f"x {form} y", "b": [form]}) == {"a": f"x {MASK} y", "b": [MASK]}, form


@pytest.mark.parametrize(
    ("secret", "text", "shown"),
    [
        # As a part of a longer word it can be a part of what runs.
        *(("seventeen_letters", f"{c}seventeen_letters", None) for c in "aZ0_-"),
        *(("seventeen_letters", f"seventeen_letters{c}", None) for c in "aZ0_-"),
        ("seventeen_letters", "=seventeen_letters;", f"={MASK};"),
        # Beside a character that is not of words nothing is longer than itself.
        ("$eventeen letter$", "a$eventeen letter$b", f"a{MASK}b"),
        ("$eventeen letters", "a$eventeen letters b", f"a{MASK} b"),
        ("$eventeen letters", "$eventeen lettersb", None),
        ("seventeen letter$", "seventeen letter$b", f"{MASK}b"),
        ("seventeen letter$", "aseventeen letter$", None),
        # One that can be a name is one below 16 characters.
        ("production-1.a_b", "production-1.a_b", MASK),
        ("production-1.a_", "production-1.a_", None),
        ("production-1/a", "production-1/a", MASK),
        ("pr0d/uct", "pr0d/uct", MASK),
        ("pr0d/uc", "pr0d/uc", None),
    ],
)
def test_in_a_call_only_what_cannot_be_meant_otherwise_is_masked(
    secret: str, text: str, shown: str | None
) -> None:
    assert Masker([secret]).arguments(text) == (shown or text)
    assert Masker((), [secret]).arguments(text) == text, "what is only granted to commands shows in calls"


def test_what_is_granted_later_is_masked_from_then_on() -> None:
    masker = Masker(["first-secret"], ["second-secret"])
    text = "first-secret second-secret third-secret"
    assert masker(text) == f"{MASK} {MASK} third-secret"
    masker.learn(["second-secret"])
    masker.learn(["third-secret"])
    assert (masker(text), masker.longest) == (f"{MASK} {MASK} {MASK}", 13)
    masker.learn([])
    assert masker(text) == f"{MASK} {MASK} {MASK}"
    assert masker.arguments(text) == "first-secret second-secret third-secret"


KEY = "first-line-of-a-key\nsecond-line-of-it\nlast-line"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("fine\nfirst-line-of-a-key\n", "fine\n"),
        ("fine\nfirst-line-of-a-key\nsecond", "fine\n"),
        ("fine\r\nfirst-line-of-a-key\r\nsecond-line-of-it\r\n", "fine\r\n"),
        ("fine\rfirst-line-of-a-key\r", "fine\r"),
        ("first-line-of-a-key", ""),
        ("a\nfine first-line-of-a-key\nfirst-line-of-a-key\nsec", "a\n"),
        # All of it is no beginning, and neither is what goes on otherwise.
        (f"fine\n{KEY}", f"fine\n{KEY}"),
        ("first-line-of-a-key\nanother line", "first-line-of-a-key\nanother line"),
        ("fine\n  \n", "fine\n  \n"),
        ("a\nb\nfirst-line-of-a-key\n", "a\nb\n"),
        ("a\rb\rfirst-line-of-a-key\r", "a\rb\r"),
        ("first-lin and more\nfirst-lin", "first-lin and more\n"),
    ],
)
def test_lines_that_may_begin_a_secret_of_several_are_not_shown_yet(text: str, kept: str) -> None:
    assert Masker([KEY]).without_beginning(text) == kept


ALIKE = "abcdefgh-1\nabcdefgh-2\nabcdefgh-3"


@pytest.mark.parametrize("text", ["abcdefgh-1\nabcdefgh-2\n", "abcdefgh-9 abcdefgh-1\nabcdefgh-2\n"])
def test_every_place_at_which_it_may_begin_is_looked_at(text: str) -> None:
    assert Masker([ALIKE]).without_beginning(f"fine\n{text}") == "fine\n"
