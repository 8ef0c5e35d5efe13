"""Errors that are answered by the Web API and by the control API."""

from collections.abc import Sequence
from typing import Any


class SlackError(Exception):
    """A rejection by a Web API method, answered as `{"ok": false, "error": code}`."""

    def __init__(self, code: str, problems: Sequence[str] = (), **more: Any) -> None:
        super().__init__(code)
        self.code = code
        self.problems = tuple(problems)
        self.more = more

    def answer(self) -> dict[str, Any]:
        """Return the response body; like Slack's it repeats `errors` in `response_metadata`."""
        body: dict[str, Any] = {"ok": False, "error": self.code, **self.more}
        if self.problems:
            body["errors"] = list(self.problems)
            body["response_metadata"] = {"messages": [f"[ERROR] {problem}" for problem in self.problems]}
        return body


class Refusal(Exception):
    """A rejection by the control API, with an HTTP status, an error code and a sentence for the person."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
