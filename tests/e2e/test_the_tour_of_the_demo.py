"""The demo in Slack: a safe command, an edit, a question, a denial; and what people do instead."""

from __future__ import annotations

from tests.support.editing import filled
from tests.support.flagman import Flagman
from tests.support.slack import ADA, OPS, Json, Slack, buttons, texts


class Tour:
    """A launched tour, and its newest message with the words given."""

    def __init__(self, slack: Slack, card: str) -> None:
        self._slack, self._card = slack, card

    async def message(self, *words: str) -> Json:
        return await self._slack.message(OPS, lambda m: all(w in texts(m) for w in words), self._card)

    async def fill(self, message: Json, action: str, **values: str) -> None:
        """Open the form of a button or of the menu, and send it."""
        press = self.press if action in _shown(message) else self._choose
        await press(message, action)
        view = await self._slack.view(ADA)
        answer = await self._slack.submit(ADA, view, filled(view, **values))
        assert answer["ok"], answer

    async def _choose(self, message: Json, action: str) -> None:
        assert (await self._slack.choose(ADA, OPS, message, action))["ok"]

    async def press(self, message: Json, action: str) -> None:
        assert (await self._slack.click(ADA, OPS, message["ts"], action))["ok"]


def _shown(message: Json) -> set[str]:
    return {e["action_id"] for b in message["blocks"] if b["type"] == "actions" for e in b["elements"]}


async def _launched(slack: Slack) -> tuple[Tour, Json]:
    assert (await slack.command(ADA, OPS, 'launch sre "check the disk"'))["ok"]
    card = await slack.message(OPS, lambda m: "Waiting for an approval" in texts(m))
    return Tour(slack, card["ts"]), card


async def test_from_a_safe_command_to_an_edit_a_question_and_a_denial(slack: Slack, flagman: Flagman) -> None:
    tour, card = await _launched(slack)
    assert "scripted demo" in texts(card)
    assert "df -h ." in texts(card)
    assert "⚠️" not in texts(card)
    assert ":warning:" not in texts(card)
    await tour.press(card, "call_approve")
    report = await tour.message("Approval needed", "2 of 4", "ran as you saw it")
    await tour.fill(report, "call_edit", content="40 % full.")
    asks = await tour.message("3 of 4", "What shall I show you next?", "changed writing")
    option = next(name for name, button in buttons(asks).items() if "deny" in button["text"]["text"])
    await tour.press(asks, option)
    risky = await tour.message("Approval needed", "4 of 4", "rm -f report.md")
    await tour.fill(risky, "call_deny", reason="keep the report")
    done = await flagman.session(lambda s: s.lifecycle == "completed")
    assert (flagman.config.workspace_folder / done.id / "report.md").read_text() == "40 % full."
    await tour.message("The reason I read: keep the report", "What to try next")
    assert not done.errors_in_a_row


async def test_words_and_something_else_and_an_answer_are_reacted_to(slack: Slack, flagman: Flagman) -> None:
    tour, card = await _launched(slack)
    ask = await tour.message("Approval needed", "1 of 4")
    await slack.post(ADA, OPS, "mind the time", card["ts"])
    await flagman.session(lambda s: s.inbox)
    await tour.fill(ask, "call_instead", text="tell me the date")
    other = await tour.message("Approval needed", "I do this instead: tell me the date", "Noted: ", "date -u")
    await tour.fill(other, "call_respond", reason="it is Monday")
    await tour.message("Approval needed", "2 of 4", "answered in place of running", "it is Monday")
