"""Three rich sessions as documents, kept beside this file: look at them rendered when they change."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from supervisor.session_log.render.document import FORMAT
from supervisor.session_log.render.transcript import lines
from tests.session_log.stories import STORIES
from tests.session_log.story import Story
from tests.session_log.written import SID, body, document

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("name", STORIES)
def test_it_comes_out_as_it_did(name: str) -> None:
    """With FLAGMAN_WRITE_GOLDEN set they are written anew; a change of form needs a new FORMAT as well."""
    text, path = document(STORIES[name]()), GOLDEN / f"{name}.md"
    if os.environ.get("FLAGMAN_WRITE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text
    assert front(text)["session_log"] == FORMAT


def front(text: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(text.split("---\n")[1])
    return found


def test_the_front_matter_says_what_one_sorts_by() -> None:
    found = front(document(STORIES["copy"]()))
    assert (found["session"], found["status"], found["persona"]) == (SID, "paused", "release-manager")
    assert (found["waiting_for"], found["steps"], found["events"]) == ("human_approval_required", 4, 18)
    assert found["tokens"] == 19410
    assert found["cost_usd"] == pytest.approx(0.06435)
    assert (found["forked_from"], found["launched_by"]) == ("zz99-yy88", "api:pipeline")
    assert found["session_date"].isoformat() == "2026-11-25T09:30:12+00:00"
    assert re.fullmatch("sha256:[0-9a-f]{64}", found["chain"])
    assert re.fullmatch("hmac-sha256:[0-9a-f]{8}:[0-9a-f]{64}", found["signature"])


def test_every_pause_has_a_checkpoint_with_all_that_it_needs() -> None:
    text = body(document(STORIES["release"]()))
    checkpoints = re.split(r"^### ", text, flags=re.MULTILINE)
    found = [part for part in checkpoints if part.startswith("Pause Checkpoint ")]
    reasons = [re.search(r"\*\*Reason\*\* \| `(\w+)`", part) for part in found]
    assert [reason and reason[1] for reason in reasons] == [
        "human_approval_required",
        "human_input_required",
        "human_approval_required",
        "outcome_unknown",
        "external_dependency",
        "human_approval_required",
        "budget_exceeded",
    ]
    for part in found:
        for words in (
            "Current step",
            "Resumes on",
            "Ended",
            "#### Context Snapshot",
            "#### Resume Instructions",
        ):
            assert words in part
        for words in ("**Task**", "**Progress**", "**Artifacts**", "**Decisions**"):
            assert words in part
        assert f"flagman cancel {SID}" in part
        instructions = part.partition("#### Resume Instructions")[2]
        assert instructions.index("- **Last call**") < instructions.index("- **Waits for**")
        assert instructions.index("- **Next step**") < instructions.index("Then resume it:")
        assert instructions.index("Then resume it:") < instructions.index("- **Command line**")
    assert (
        "| **Current step** | `2.1` `write_file` `release-plan.md` (waits for an approval), "
        "`2.2` `shell` `deployctl drain --region us-east-1 --all` (waits for an approval) |" in found[0]
    )
    assert "- **Unclear**: whether `4.1` `shell` `deployctl deploy" in found[3]
    assert "- **Files**: `release-plan.md` should be in the session's folder, `ab12-cd34`" in found[3]
    assert f"`flagman approve {SID} 2.1 2.2`" in found[0]
    assert f'`flagman answer {SID} "…"`' in found[1]
    assert f"`flagman settle {SID} 4.1 run-again|done|failed`" in found[3]
    assert "`POST /hooks/canary_done`" in found[4]
    assert "use up to 12 steps" in found[6]


def test_of_a_plan_the_subtask_under_way_is_named_and_the_progress_is_in_per_cent() -> None:
    document_ = document(STORIES["plan"]())
    text = body(document_)
    assert front(document_)["progress_percent"] == 25
    assert "| **Progress** | 25 % of the plan (1 of 4 subtasks done, 1 failed) |" in text
    assert "| **Current step** | subtask `changes` of the plan |" in text
    assert "- **Next step**: `changes` ends; `report` begins; then step 2 of the agent" in text
    assert "| **Ended** | not yet: this is where it stands |" in text
    assert "| `1.1` | `logs` | `sre` | completed | `logs-0001` | 5 min | 4 | 9,800 | $0.039 |" in text


def test_a_stranger_finds_who_allowed_what_and_what_it_cost() -> None:
    text = body(document(STORIES["release"]()))
    summary = text.partition("## Decisions")[0]
    assert "**completed** 2026-11-25 09:57:32, after 27 min 20 s" in summary
    assert "| **Denied** | **Grace Hopper** (`slack:U0GRACE01`): `4.2` `shell` |" in summary
    assert "| **Cost** | $0.1638; 51,240 tokens (50,400 in, 840 out) |" in summary
    decisions = text.partition("## Decisions")[2].partition("## Calls")[0]
    assert "**denied** | `4.2` `shell` | member of `S0SRE0001` | Never skip it. | sha256 `" in decisions
    assert "**changed** | `2.2` `shell`" in decisions
    cost = text.partition("## Cost")[2]
    assert "| 2 | `anthropic:claude-sonnet-4-5` | 2.4 s | 8.2 s | 3,600 | 120 | $0.0126 |" in cost
    assert "| **all** |  | 16 s | 8.3 s | 50,400 | 840 | $0.1638 |" in cost


def test_a_changed_call_is_shown_before_and_after() -> None:
    text = body(document(STORIES["release"]()))
    change = text.partition("**changed** `2.2` `shell` · ")[2].partition("Unchanged: `timeout`.")[0]
    before, _, after = change.partition("After:")
    assert "command: deployctl drain --region us-east-1 --all" in before
    assert "command: deployctl drain --node us-east-1a" in after
    assert "timeout" not in change


def test_a_compaction_says_what_was_dropped() -> None:
    text = body(document(STORIES["copy"]()))
    assert "Steps 1 to 2 were summed up. The agent no longer reads 2 steps with 2 calls" in text
    assert "  > Twice I looked, and all was well." in text


@pytest.mark.parametrize("plain", ["", "stop", "STOP", "end_turn", "tool_use", "tool_calls", "completed"])
def test_a_stop_reason_is_told_where_it_says_more_than_that_the_turn_ended(plain: str) -> None:
    def told(reason: str) -> tuple[str, str]:
        story = Story(STORIES["release"]().persona)
        story.launched("Look")
        story.said("All well.", stop_reason=reason)
        return body(document(story)), "\n".join(line.text for line in lines(story.events))

    text, log = told("stop_sequence")
    assert "120 out) for $0.0072. Its stop reason: `stop_sequence`.\n" in text
    assert "ended its turn with the stop reason stop_sequence" in log
    text, log = told(plain)
    assert "stop reason" not in text + log


def test_long_output_is_shortened_with_a_word_and_whole_in_the_appendix() -> None:
    whole = document(STORIES["release"]())
    text = body(whole)
    assert "[… 49 lines with 1,785 characters …]" in text
    assert "49 lines with 1,785 characters are left out here; event 37 in the appendix has them." in text
    assert "050 checkout" not in text
    assert "050 checkout" in whole


def test_decisions_of_the_agent_and_files_are_there_and_what_to_verify_comes_first() -> None:
    text = body(document(STORIES["design"]()))
    decisions = text.partition("## Decisions")[2].partition("##")[0]
    why = "No session store, and both services can check it."
    assert f"| the agent | decided: **Use JWT** | `1.1` |  | {why} |  |" in decisions
    assert f"- **Decisions**: the agent: Use JWT – {why}" in text
    files = text.partition("## Artifacts")[2].partition("##")[0]
    assert "| `draft.md` | `1.2` | 2026-11-25 09:30:15 | removed since |" in files
    assert "| `design.md` | `2.1` | 2026-11-25 09:30:17 |  |" in files
    checks = text.partition("Verify first:")[2].partition("Then resume it:")[0]
    assert "- **Files**: `design.md`, `src/sign_in.py` should be in the session's folder" in checks
    assert "once it is resumed: step 3 of the agent, which reads 1 new message" in checks
