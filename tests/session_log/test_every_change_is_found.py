"""Whatever is changed in a document, verifying it says what and where."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from bot.resume_hints import Hints, hints_of
from supervisor.core.errors import VerificationError
from supervisor.session_log.render.document import FORMAT, render
from supervisor.session_log.signing import UNSIGNED, sign
from supervisor.session_log.verify import verify
from tests.session_log.stories import STORIES
from tests.session_log.story import Story
from tests.session_log.written import KEY, OLD_KEY, SID, document, written

TEXT = document(STORIES["release"]())
LINES = TEXT.split("\n")


def altered(text: str | bytes, keys: tuple[str, ...] = (KEY,)) -> VerificationError:
    with pytest.raises(VerificationError) as found:
        verify(text if isinstance(text, bytes) else text.encode(), keys, hints_of)
    assert str(found.value).endswith(".")
    assert str(found.value).count("\n") == 0
    return found.value


def line_of(begin: str) -> int:
    return next(n for n, line in enumerate(LINES, start=1) if line.startswith(begin))


@pytest.mark.parametrize("name", STORIES)
def test_what_was_written_verifies(name: str) -> None:
    story = STORIES[name]()
    found = verify(document(story).encode(), [OLD_KEY, KEY], hints_of)
    assert (found.session_id, found.signed, found.whole) == (SID, True, True)
    assert list(found.events) == story.events
    assert found.persona["name"] == story.persona.name


KINDS_OF_LINES = [
    "---",
    "session_log: ",
    "session: ",
    "session_date: ",
    "persona: ",
    "status: ",
    "model: ",
    "cost_usd: ",
    "steps: ",
    "tokens: ",
    "launched_by: ",
    "events: ",
    "# SESSION_LOG",
    "## Summary",
    "> ",
    "| **Ended** |",
    "| **Approved** |",
    "| **Cost** |",
    "## Decisions",
    "| 2026-",
    "| `1.1` |",
    "- `2026-",
    "### Step 1",
    "- Proposed `1.1`",
    "  ```text",
    "  path: ",
    "- `09:3",
    "  > ",
    "### Pause Checkpoint 1",
    "| **Reason** |",
    "| **Current step** |",
    "| **Resumes on** |",
    "#### Context Snapshot",
    "- **Task**",
    "#### Resume Instructions",
    "- **Command line**",
    "### After pause 1",
    "  Before:",
    "## Cost",
    "| 1 |",
    "| **all** |",
    "## Appendix",
    "Everything above",
    "```jsonl",
]


@pytest.mark.parametrize("begin", KINDS_OF_LINES)
def test_a_changed_line_is_named(begin: str) -> None:
    number = line_of(begin)
    for changed in (f"{LINES[number - 1]} ", f"{LINES[number - 1][:-1]}\u00a0", "Approved by everybody."):
        found = altered("\n".join([*LINES[: number - 1], changed, *LINES[number:]]))
        assert found.kind in ("changed text", "no document", "truncated")
        if found.kind == "changed text":
            assert (found.line, f"line {number}: " in str(found)) == (number, True)
    for other in ([*LINES[: number - 1], *LINES[number:]], [*LINES[:number], "", *LINES[number:]]):
        assert altered("\n".join(other)).kind != "wrong signature"


def test_a_changed_event_is_named() -> None:
    number = next(n for n, line in enumerate(LINES, start=1) if line.startswith('{"n":20,'))
    line = LINES[number - 1]
    changed = {
        "event 20 is not what its hash says": re.sub(r'"at":"2026', '"at":"2025', line),
        "event 20 does not follow": line.replace('{"n":20,', '{"n":21,'),
        "event 20 is damaged": line[:-1],
    }
    for words, other in changed.items():
        found = altered("\n".join([*LINES[: number - 1], other, *LINES[number:]]))
        assert (found.kind, found.line) == ("changed event", number)
        assert words in str(found)
    gone = altered("\n".join([*LINES[: number - 1], *LINES[number:]]))
    assert (gone.kind, gone.line) == ("changed event", number)
    assert "event 20 does not follow" in str(gone)
    swapped = altered("\n".join([*LINES[: number - 1], LINES[number], line, *LINES[number + 1 :]]))
    assert (swapped.kind, swapped.line) == ("changed event", number)


def test_the_last_event_cannot_be_taken_away() -> None:
    last = len(LINES) - 3
    assert LINES[last].startswith('{"n":42,')
    found = altered("\n".join([*LINES[:last], *LINES[last + 1 :]]))
    assert (found.kind, found.line) == ("changed event", line_of("chain: "))


@pytest.mark.parametrize("seed", range(4))
def test_a_flipped_bit_anywhere_is_found(seed: int) -> None:
    chance, data = random.Random(seed), TEXT.encode()
    for _ in range(50):
        place = chance.randrange(len(data))
        other = bytes([data[place] ^ 1 << chance.randrange(8)])
        altered(data[:place] + other + data[place + 1 :])


def test_a_truncated_document_says_so() -> None:
    data = TEXT.encode()
    for length in (*range(0, len(data), 211), len(data) - 1, len(data) - 5):
        assert altered(data[:length]).kind in ("truncated", "no document", "changed text")
    appendix = TEXT.index("```jsonl")
    assert altered(TEXT[: appendix - 200]).kind == "truncated"
    for end in (TEXT.index('{"n":9,'), TEXT.index('{"n":9,') + 200):
        found = altered(TEXT[:end])
        assert found.kind == "truncated"
        assert "after event 8" in str(found)


def test_something_added_is_found() -> None:
    assert altered(f"{TEXT}one more line\n").line == len(LINES)
    assert altered(f"\ufeff{TEXT}").line == 1
    assert altered(TEXT.replace("\n", "\r\n")).line == 1
    assert altered(b"").kind == altered(b"# Some other document\n").kind == "no document"


def test_another_event_with_all_hashes_made_again_lacks_the_signature() -> None:
    story = STORIES["release"]()
    last = story.events[-1]
    forged = [*story.events[:-1], last.model_copy(update={"summary": "All nodes run it."})]
    text = render(
        SID,
        {},
        forged,
        lambda _: LINES[line_of("signature: ") - 1].removeprefix("signature: "),
        Hints("/agent"),
    )
    found = altered(text)
    assert (found.kind, found.line) == ("wrong signature", line_of("signature: "))


def test_the_chain_is_about_one_session_alone() -> None:
    assert altered(TEXT.replace(SID, "zz99-zz99")).kind == "changed event"


def test_keys_may_be_rotated_and_another_key_is_called_that() -> None:
    story = STORIES["plan"]()
    signed_before = written(story.persona, story.events, keys=[OLD_KEY])
    assert verify(signed_before.encode(), [KEY, OLD_KEY], hints_of).signed
    assert altered(signed_before).kind == "another key"


def test_a_document_without_a_signature_is_never_called_signed() -> None:
    story = STORIES["plan"]()
    unsigned = written(story.persona, story.events, keys=())
    for keys in ([], [KEY]):
        found = verify(unsigned.encode(), keys, hints_of)
        assert (found.signed, found.signature) == (False, "unsigned")


def test_without_a_key_everything_but_the_signature_is_checked() -> None:
    found = verify(TEXT.encode(), [], hints_of)
    assert (found.signed, found.signature) == (False, "not checked")
    assert altered(TEXT.replace("Never skip it.", "Please skip.", 1), ()).kind == "changed text"


def test_a_signature_of_another_form_is_none() -> None:
    chain = "sha256:" + "0" * 64
    assert sign(chain, ()) == UNSIGNED
    for other in ("", "hmac-sha256:", "sha1" + sign(chain, (KEY,))[11:], sign(chain, (KEY,))[:-1]):
        line = line_of("signature: ")
        assert altered("\n".join([*LINES[: line - 1], f"signature: {other}", *LINES[line:]])).line == line


def test_a_document_of_another_format_has_its_chain_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    story: Story = STORIES["plan"]()
    newer = document(story).replace(f'"version":{FORMAT}', f'"version":{FORMAT + 1}')
    assert altered(newer).kind == "changed event"
    of_next_format = written(story.persona, story.events, version=FORMAT + 1)
    assert "newer Flagman" in str(altered(of_next_format))
    monkeypatch.setattr("supervisor.session_log.verify.FORMAT", FORMAT + 1)
    assert not verify(of_next_format.encode(), [KEY], hints_of).whole


@pytest.mark.parametrize("path", sorted(Path(__file__).parent.glob("golden-format-*/*.md")), ids=str)
def test_a_document_of_an_earlier_format_is_still_compared_as_a_whole(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert verify(text.encode(), [KEY], hints_of).whole
    assert altered(text.replace("Pause Checkpoint 1", "Pause Checkpoint 9", 1)).kind == "changed text"
