"""What a server asks people for, as it stands in the log, and what was asked in one call so far."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime, Field

from supervisor.core.messages import Frozen, Json

# To give what was asked for, to refuse it, or to leave it without a choice.
InputAction = Literal["accept", "decline", "cancel"]


class InputRequest(Frozen):
    """One request of a server, which knows it by `key`.

    It wants the fields of `schema_`, or that a person opens the address `url`. Where both are empty, a confirmation.
    """

    key: str
    server: str
    message: str
    schema_: Json = Field(default_factory=dict)
    url: str = ""

    @property
    def text(self) -> str:
        """The whole request as text: the message, and the address or the names of the fields."""
        names = self.schema_.get("properties")
        asked = f"Fields: {', '.join(map(str, names))}" if isinstance(names, dict) and names else ""
        return "\n".join(filter(None, (self.message, f"Address: {self.url}" if self.url else asked)))


class AskedInput(Frozen):
    """A request as people were asked for it, with what they gave; without an action they gave nothing so far.

    The worker holds the call until `until`; where that is None nothing is held, and the call is continued later.
    """

    request: InputRequest
    at: datetime
    until: AwareDatetime | None = None
    action: InputAction | None = None
    content: Json | None = None
    answer: str = ""
    by: str = ""
    given_at: datetime | None = None


class Inputs(Frozen):
    """All that the server of a call asked for while it ran; `begin` is the position of what it asked for last.

    With `continues` the next attempt continues the call by what was given to that, and by the server's own `state`.
    """

    asked: tuple[AskedInput, ...] = ()
    begin: int = 0
    state: str | None = None
    continues: bool = False

    @property
    def last(self) -> tuple[AskedInput, ...]:
        """What it asked for last, at once."""
        return self.asked[self.begin :]

    @property
    def open(self) -> AskedInput | None:
        """The first of these without an answer."""
        return next((one for one in self.last if one.action is None), None)
