"""The ways in which Slack says no."""

from collections.abc import Sequence
from typing import Any


class SlackError(Exception):
    """A Web API method refuses: becomes `{"ok": false, "error": code}`."""

    def __init__(self, code: str, problems: Sequence[str] = (), **more: Any) -> None:
        super().__init__(code)
        self.code = code
        self.problems = tuple(problems)
        self.more = more

    def answer(self) -> dict[str, Any]:
        """The body as Slack writes it, with the problems of the blocks, if any, in both of its places."""
        body: dict[str, Any] = {"ok": False, "error": self.code, **self.more}
        if self.problems:
            body["errors"] = list(self.problems)
            body["response_metadata"] = {"messages": [f"[ERROR] {problem}" for problem in self.problems]}
        return body


class Refusal(Exception):
    """A person's wish on the control API cannot be had: an HTTP status, a code and a sentence for them."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
