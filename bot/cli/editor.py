"""Changes the arguments of a call in the person's own editor, and shows the difference from the proposed ones."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
from difflib import unified_diff
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import typer

from bot.cli.terminal import DIM, show, text
from supervisor.contract.models import CallView
from supervisor.core.errors import InvalidInput
from supervisor.core.text.masking import MASK, Masker, as_written
from supervisor.core.text.visible import call_json, call_name, call_text, json_text

_STYLES = {"-": "red", "+": "green"}


def edit(call: CallView) -> dict[str, Any] | None:
    """Return the arguments as saved in the editor; None where nothing was changed or the person gave up.

    Raises InvalidInput where they cannot be edited.
    """
    proposed = written = _text(call.arguments)
    if MASK in proposed:
        raise InvalidInput(
            "These arguments hold a secret that is not shown; give all of them with --arguments."
        )
    while True:
        saved = _from_editor(written)
        if saved == proposed:
            show(text(("Nothing was changed, and nothing is decided.", "yellow")), err=True)
            return None
        found = parse(saved)
        if not isinstance(found, str):
            changed: dict[str, Any] = as_written(found)
            return changed
        show(text((found, "red")), err=True)
        if not typer.confirm("Edit it again?", default=True):
            return None
        written = saved


def _from_editor(words: str) -> str:
    """Return the text that the person saved in $VISUAL or $EDITOR; its folder is readable for this user only."""
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    with TemporaryDirectory(prefix="flagman-") as folder:
        file = Path(folder) / "arguments.json"
        file.write_text(words, encoding="utf-8")
        # While the editor runs, Ctrl-C is for the editor alone.
        before = signal.signal(signal.SIGINT, lambda *_: None)
        try:
            subprocess.run([*shlex.split(editor), str(file)], check=True)  # noqa: S603  the person's own editor
        except (OSError, ValueError, subprocess.CalledProcessError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise InvalidInput(
                f"The editor {editor} did not work ({why}); set $EDITOR, or use --arguments."
            ) from error
        finally:
            signal.signal(signal.SIGINT, before)
        return file.read_text(encoding="utf-8", errors="replace")


def parse(written: str) -> dict[str, Any] | str:
    """Return the arguments, or a sentence that says why they cannot be read."""
    try:
        found = json.loads(written)
    except (ValueError, RecursionError) as error:
        return f"This is no JSON ({error})."
    return found if isinstance(found, dict) else "The arguments must be a JSON object."


def show_difference(call: CallView, arguments: dict[str, Any], *, err: bool = False) -> None:
    """Print the difference between the proposed and the changed arguments, line by line."""
    before, after = _lines(call.arguments), _lines(Masker().arguments(arguments))
    show(err=err)
    if before == after:
        show(text(("Nothing is changed.", DIM)), err=err)
        return
    for line in list(unified_diff(before, after, lineterm="", n=3))[2:]:
        show(text((f"  {line}", _STYLES.get(line[:1], DIM if line[:1] == "@" else ""))), err=err)


def _lines(arguments: Any) -> list[str]:
    """Return the arguments as lines; a text of several lines takes as many."""
    if not isinstance(arguments, dict):
        return call_text(str(arguments)).split("\n")
    found: list[str] = []
    for name, value in arguments.items():
        if isinstance(value, str) and "\n" in value:
            found += [f"{call_name(name)}:", *(f"  {line}" for line in call_text(value).split("\n"))]
        else:
            found.append(f"{call_name(name)}: {call_json(value, indent=None)}")
    return found


def _text(arguments: Any) -> str:
    """Return the arguments as JSON with hidden characters escaped."""
    return json_text(arguments, indent=2) + "\n"
