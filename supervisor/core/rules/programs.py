"""Which program the shell runs where a pattern of a command leaves the rest open."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

# What runs the command that its arguments, or the words behind it, are.
_RUNNERS = frozenset(
    {
        "!", ".", "builtin", "chroot", "command", "coproc", "dash", "do", "doas", "elif", "else", "env",
        "eval", "exec", "fakeroot", "flock", "if", "ionice", "ksh", "nice", "nohup", "nsenter", "parallel",
        "sh", "bash", "setsid", "source", "ssh", "stdbuf", "su", "sudo", "taskset", "then", "time",
        "timeout", "until", "unshare", "watch", "while", "xargs", "zsh", "{",
    }
)  # fmt: skip
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=")
_OPTION = re.compile(r"-|[0-9.]+[a-z]?\Z")
_PROGRAM = re.compile(r"[A-Za-z0-9_./+@:,-]+")
_SEPARATOR, _INTO = re.compile(r"[();|&]+"), re.compile(r"[<>|&]*[<>][<>|&]*")
_BREAK, _IN_QUOTES = re.compile(r"[\n`]"), re.compile(r"([();|&])")


def names_program(before: str) -> bool:
    """Whether the text before a star names the program that runs, in full, and none that runs any other."""
    words = _words(_BREAK.sub(" ; ", before))
    if not before[-1:].isspace() and words and not _SEPARATOR.fullmatch(words[-1]):
        # The star goes on with the last word.
        words.pop()
    last = max((n for n, word in enumerate(words, 1) if _SEPARATOR.fullmatch(word)), default=0)
    return bool(_PROGRAM.fullmatch(program(words[last:])))


def program(words: Iterable[str]) -> str:
    """Return the word by which a simple command names what runs in the end; empty where none does."""
    behind = into = False
    for word in words:
        if into or _INTO.fullmatch(word) or word.isdigit():
            # A file that is written or read, or its number.
            into = not into and not word.isdigit()
            continue
        runs = word.rpartition("/")[2] in _RUNNERS
        if not runs and not _ASSIGNMENT.match(word) and not (behind and _OPTION.match(word)):
            return word
        behind = behind or runs
    return ""


def _words(text: str) -> list[str]:
    lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    try:
        return list(lexer)
    except ValueError:
        # The star is within quotes, where `$(` counts.
        return _IN_QUOTES.sub(r" \1 ", text).split()
