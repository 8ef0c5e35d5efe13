"""No module but `storage/keys.py` makes the name of a key, a channel or a consumer group."""

from __future__ import annotations

import ast
import re
from pathlib import Path

STORAGE = Path(__file__).parents[2] / "storage"
# The prefix of all names; a part of a name that is joined on in Python or in Lua.
NAME = re.compile(r"flagman:|^:[a-z]+|\.\.\s*'?:|':[a-z]+|\{p\d*\}")


def made(source: str) -> list[str]:
    """Strings that make a name, docstrings apart."""
    tree = ast.parse(source)
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    texts = [n for n in ast.walk(tree) if isinstance(n, ast.Constant) and id(n) not in docstrings]
    return [text.value for text in texts if isinstance(text.value, str) and NAME.search(text.value)]


def test_no_name_is_made_elsewhere() -> None:
    files = [path for path in STORAGE.rglob("*.py") if path.name != "keys.py"]
    assert len(files) > 15
    assert {str(path): names for path in files if (names := made(path.read_text(encoding="utf-8")))} == {}


def test_a_name_that_is_made_elsewhere_is_found() -> None:
    assert made((STORAGE / "keys.py").read_text(encoding="utf-8"))
    for source in (
        "key = f'flagman:{{x}}:log'",
        "key = f'{stream}:parked'",
        "LUA = \"redis.call('HGET', tag..':ready:state', sid)\"",
    ):
        assert made(source), source
    assert made('"""Holds flagman:{p0}:log."""') == []
