"""The playground's page marks the same characters as Python: its table is made of ours."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import textwrap
from pathlib import Path

import pytest

from supervisor.core.text import characters
from supervisor.core.text.visible import visible
from tests.text.test_hidden_characters_are_shown import ATTACKS, HIDDEN, ORDINARY

STATIC = Path(__file__).parents[2] / "bot" / "playground" / "static" / "text"
HEAD = "// Made of supervisor/core/text/characters.py, which says what is in it; see tests/text.\n"
SCRIPT = """
import { visible } from "./visible.js";
let given = "";
for await (const chunk of process.stdin) given += chunk;
process.stdout.write(JSON.stringify(JSON.parse(given).map(visible)));
"""


def module() -> str:
    """The table as a module of the page."""
    rows = {
        name: textwrap.wrap(getattr(characters, name), 104, break_on_hyphens=False)
        for name in ("HIDDEN", "MARKS", "EMOJI")
    }
    parts = [
        f"export const {name} =\n  " + " +\n  ".join(map(json.dumps, _spaced(row)))
        for name, row in rows.items()
    ]
    return HEAD + "".join(f"\n{part};\n" for part in parts)


def _spaced(rows: list[str]) -> list[str]:
    return [*(f"{row} " for row in rows[:-1]), rows[-1]]


def test_the_page_has_the_same_table() -> None:
    """With FLAGMAN_WRITE_GOLDEN set it is written anew."""
    path = STATIC / "characters.js"
    if os.environ.get("FLAGMAN_WRITE_GOLDEN"):
        path.write_text(module(), encoding="utf-8")
    assert path.read_text(encoding="utf-8") == module()


@pytest.mark.skipif(shutil.which("node") is None, reason="The page's module is run by Node.js.")
def test_the_page_shows_a_text_as_python_does() -> None:
    texts = [*ORDINARY, *ATTACKS, *(f"a{one}{other}b" for one in ATTACKS for other in ATTACKS)]
    texts += [f"a{character}b" for character in sorted(HIDDEN)[::50]]
    done = subprocess.run(
        ["node", "--input-type=module", "--eval", SCRIPT.replace("./", STATIC.as_uri() + "/")],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == [visible(text) for text in texts]
