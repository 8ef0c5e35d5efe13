"""A document is a function of a session's id, its persona and its events: no clock, no chance, nothing outside."""

from __future__ import annotations

import ast

from tests.session_log.stories import STORIES
from tests.session_log.written import document
from tests.test_imports_run_downwards import files, impure

OURS = ("supervisor.session_log",)


def test_its_rooms_import_nothing_that_reaches_outside() -> None:
    paths = files("supervisor/session_log/render")
    found = {path.name: impure(ast.parse(path.read_text(encoding="utf-8"))) for path in paths}
    foreign = {
        name: [line for line in lines if not line.split(" of ")[-1].startswith(OURS)]
        for name, lines in found.items()
    }
    assert {name: lines for name, lines in foreign.items() if lines} == {}


def test_it_comes_out_the_same_every_time() -> None:
    for make in STORIES.values():
        assert document(make()) == document(make())
