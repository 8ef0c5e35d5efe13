"""What a running command printed last is shown line by line, and no part of a secret with it, however it comes."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256

import pytest

from handlers.blocks.running import passed
from supervisor.core.text.masking import Masker
from supervisor.core.text.tail import MOST_BYTES, last_lines

SECRET = "s3cret-of-one-line"
KEY = "first-part-of-key\nsecond-part-of-key\nthird-part-of-key"
MASK = Masker([SECRET], [KEY])


@pytest.mark.parametrize(
    "output", [f"a {SECRET} b\n", f"a\n{KEY}\nb\n", f"a\n{KEY[:24]}", f"x\r{SECRET}\rb\n"]
)
def test_no_moment_shows_the_beginning_of_a_secret(output: str) -> None:
    for end in range(len(output) + 1):
        shown = last_lines(output[:end], MASK)
        assert not any(part in shown for part in (SECRET[:8], *(line[:8] for line in KEY.splitlines()))), (
            shown
        )


def test_a_private_key_is_masked_before_its_end_has_come() -> None:
    begun = "ok\n-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA75dsfsdfsdfsdfsdfsdfsdfsdfsdfsdfsd\n"
    assert last_lines(begun, MASK) == "ok\n[masked]"


@pytest.mark.parametrize(
    ("output", "shown"),
    [
        ("one\ntwo\nthree\nfour\nfi", "two\nthree\nfour"),
        ("10 %\r20 %\r30", "20 %"),
        ("a\r\nb\r\n", "a\nb"),
        ("\x1b[1;32mgreen\x1b[0m\x1b]0;title\x07 \u200b\n", "green \\u200b"),
        ("\n \n\t\n", ""),
        ("", ""),
        ("x" * 1000 + "\n", "x" * 160),
        # Of an output without line breaks no beginning is known.
        ("x" * 100_000 + "\n", ""),
        ("-" * 5000 + "\nend\n", "end"),
        (f"{'-' * 3000}\n{'=' * 3000}\nend\n", f"{'=' * 160}\nend"),
        ("  indented  \n", "  indented"),
        ("a \rb\r\nc\n", "b\nc"),
        # The first bytes of what is too long may be a part of a character.
        (f"{'ü' * 160}\n{'ü' * 160}\nend\n", f"{'ü' * 87}\n{'ü' * 160}\nend"),
    ],
)
def test_complete_lines_with_something_to_see(output: str, shown: str) -> None:
    assert last_lines(output, MASK) == shown


def test_the_cut_at_the_beginning_leaves_no_part_of_a_secret() -> None:
    for length in range(4_560, 4_640):
        shown = last_lines(f"{'-' * 40}{SECRET}{'=' * (length - 40)}\n", MASK)
        assert not any(part in shown for part in (SECRET[:8], SECRET[-8:])), length


@pytest.mark.parametrize(
    "parting",
    [
        "\x1b]0;title\x07",
        "\x1b]8;;x\x1b\\",
        "\x1bPq\x1b\\",
        "\x1b(B",
        "\x9b0m",
        "\x1b[31m",
        "\x00",
        "q\b",
        "\x1b7",
    ],
)
def test_what_parts_a_secret_on_a_terminal_does_not_uncover_it(parting: str) -> None:
    assert last_lines(f"{SECRET[:9]}{parting}{SECRET[9:]}\nend\n", MASK) == "[masked]\nend"


def test_no_part_of_a_secret_shows_that_is_longer_than_the_end_of_an_output() -> None:
    long = "".join(sha256(str(n).encode()).hexdigest() for n in range(100))
    lines = "\n".join(long[n : n + 76] for n in range(0, len(long), 76)) + "\n"
    mask = Masker([long])
    assert last_lines(f"begin\n{lines}end\n", mask) == "begin\n[masked]\nend"
    assert last_lines(f"begin\n{lines[: 77 * 70]}", mask) == "begin"


def test_they_are_short_in_bytes_too() -> None:
    assert len(last_lines("🦀" * 160 + "\n" + "🦀" * 160 + "\n", MASK).encode()) <= MOST_BYTES


def test_the_time_that_is_shown_stays_true() -> None:
    words = [passed(timedelta(seconds=seconds)) for seconds in (4, 7, 42, 60, 3700, 90_000)]
    assert words == ["", "over 5 s", "over 30 s", "over 1 min", "over 1 h", "over 1 d"]
