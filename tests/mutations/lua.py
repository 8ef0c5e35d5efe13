"""Realistic mistakes in Lua scripts that stand as texts in Python files."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

# What is replaced, and by what: comparisons, logic, results, limits, and conditions that are always or never true.
_SWAPS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(found), put)
    for found, put in (
        (r"==", "~="),
        (r"~=", "=="),
        (r"(?<![<>~=])<(?!=)", "<="),
        (r"(?<![<>~=-])>(?!=)", ">="),
        (r"<=", "<"),
        (r">=", ">"),
        (r"\band\b", "or"),
        (r"\bor\b(?! '0'| ''| '')", "and"),
        (r"\bnot ", ""),
        (r"\breturn 1\b", "return 0"),
        (r"\breturn 0\b", "return 1"),
        (r" \+ ", " - "),
        (r"(?<!, )(?<!\() - ", " + "),
        (r"(?<=\bif )[^\n]+?(?= then)", "true"),
        (r"(?<=\bif )[^\n]+?(?= then)", "false"),
        (r"'NX'", "'XX'"),
    )
)
_WRITES = re.compile(
    r"redis\.p?call\('(?:SET|HSET|HSETNX|HDEL|HINCRBY|ZADD|ZREM|ZREMRANGEBYSCORE|RPUSH|LTRIM|DEL|EXPIRE|PEXPIRE|XADD|"
    r"XACK|XDEL|XCLAIM|PUBLISH|UNLINK|ZINCRBY|INCRBY)'[^\n;]*?\)(?=[;\n ]|$)"
)


class Mutant(NamedTuple):
    """A file with one mistake: the line in which it is, and what stands there instead."""

    path: Path
    line: int
    change: str
    text: str


def mutants(path: Path) -> Iterator[Mutant]:
    """Yield the mutants of the scripts in a file."""
    source = path.read_text(encoding="utf-8")
    for begin, end in _scripts(source):
        script = source[begin:end]
        changes = [(m, put) for pattern, put in _SWAPS for m in pattern.finditer(script)]
        changes += [
            (m, "local _ = 0" if _is_statement(script, m.start()) else "0") for m in _WRITES.finditer(script)
        ]
        for match, put in sorted(changes, key=lambda change: change[0].start()):
            if match[0] == put:
                continue
            text = source[: begin + match.start()] + put + source[begin + match.end() :]
            line = source.count("\n", 0, begin + match.start()) + 1
            yield Mutant(path, line, f"{match[0]} -> {put or 'nothing'}", text)


def _scripts(source: str) -> Iterator[tuple[int, int]]:
    """Yield the beginning and end of each text that holds Lua."""
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "redis." in node.value:
            assert node.end_lineno is not None
            assert node.end_col_offset is not None
            yield starts[node.lineno - 1] + node.col_offset, starts[node.end_lineno - 1] + node.end_col_offset


def _is_statement(script: str, at: int) -> bool:
    """Whether a call stands for itself, so that its value is not used."""
    before = script[:at].rstrip(" \t")
    return before.endswith(("\n", ";", "then", "do", "else", '"""'))
