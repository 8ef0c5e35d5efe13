"""The last lines of what a running command has printed so far, for people who wait for it."""

from __future__ import annotations

import re

from supervisor.core.text.masking import Masker
from supervisor.core.text.visible import is_blank, visible

LINES, LINE_CHARACTERS, MOST_BYTES = 3, 160, 500
# Characters of the output that are looked at, and more where a private key may begin before them.
_NEAR, _FAR, _KEY = 4_600, 16_384, "PRIVATE"
# Colours and other commands to a terminal, a character that the next one overwrites, and controls without a form.
_TERMINAL = re.compile(
    r"(?:\x1b\[|\x9b)[0-9;:?]*[ -/]*[@-~]|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]+[0-~]|\x1b[0-~]|[^\n\r]\x08|[\x00-\x07\x0b\x0c\x0e-\x1a\x7f]"
)


def last_lines(output: str, mask: Masker) -> str:
    """Return the last complete lines with something to see in them: masked, visible, and at most `MOST_BYTES` long.

    Of a line that was overwritten from its beginning, such as one of a progress bar, the last text counts. A line that
    is not complete is left out, since a secret in it may not be whole yet, and so is the beginning of a known secret.
    """
    complete = _end(output[: max(output.rfind("\n"), output.rfind("\r")) + 1], mask.longest)
    # What commands to a terminal have parted is one text without them, so it is looked at once more.
    plain = _TERMINAL.sub("", mask(mask.without_beginning(complete)))
    shown = mask(mask.without_beginning(plain)).replace("\r\n", "\n")
    texts = (_overwritten(line) for line in shown.split("\n"))
    lines = [visible(text).rstrip()[:LINE_CHARACTERS] for text in texts if not is_blank(text)]
    text = "\n".join(lines[-LINES:])
    return text.encode()[-MOST_BYTES:].decode(errors="ignore")


def _end(output: str, longest: int) -> str:
    """Return the end of a long output, from the beginning of a line on, since a part of a secret is not masked.

    So it has room for the `longest` secret that is known, with its line breaks, before what is shown of it.
    """
    room = _FAR if _KEY in output[-_FAR:] or 2 * longest > _NEAR else _NEAR
    return output if len(output) <= room else output[-room:].partition("\n")[2]


def _overwritten(line: str) -> str:
    return next((text for text in reversed(line.split("\r")) if not is_blank(text)), "")
