"""What a server asks people for in the middle of a call (elicitation), in both forms of the protocol."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from supervisor.core.digest import canonical_json
from supervisor.core.elicitation.fields import Unfillable, form_fields, secrets_in
from supervisor.core.elicitation.request import InputRequest
from supervisor.core.errors import InvalidInput, ToolError
from supervisor.core.text.format import span
from supervisor.core.text.sanitize import clean, clean_text
from supervisor.core.text.visible import one_line
from supervisor.mcp.config import Server
from supervisor.tools.contract import ToolContext
from supervisor.tools.inputs import InputAnswer, InputNeeded, standing

if TYPE_CHECKING:
    from mcp_types import ElicitResult, ErrorData

# The most requests of one call, at once and in all, and what of them is kept in the log.
MOST_AT_ONCE, MOST_ASKED = 5, 10
LONGEST_MESSAGE, LONGEST_KEY, LONGEST_URL = 2_500, 200, 2_000
MOST_SCHEMA, MOST_STATE = 32 * 1024, 64 * 1024
# The code by which an older server says that people have to open addresses before a call.
ADDRESSES_NEEDED = -32042
# The signs of an address, and a host with its port.
_ADDRESS = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")
_HOST = re.compile(r"([A-Za-z0-9\-._]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?")
SEVERAL = "several calls of it were at work, and it did not say which one it was for"

GIVEN_UP = "an earlier call of it was given up, and it did not say which one it was for"


class People:
    """Those who are asked for what the server of one call wants; `notes` are sentences for its result.

    `limit` is the limit of time of the call, which stands still while they are asked.
    """

    def __init__(self, server: Server, ctx: ToolContext) -> None:
        self._server, self.ctx = server, ctx
        self.notes: list[str] = []
        self.limit: asyncio.Timeout | None = None
        self._asked = 0 if ctx.continued is None else ctx.continued.asked

    @property
    def server(self) -> str:
        return self._server.name

    @property
    def state(self) -> str | None:
        """The server's own state of the call that is continued."""
        return self.ctx.continued.state if self.ctx.continued else None

    @property
    def responses(self) -> dict[str, Any] | None:
        """What people gave, with which the call is continued; None where it begins."""
        if self.ctx.continued is None:
            return None
        return {key: _result(answer) for key, answer in self.ctx.continued.answers.items()}

    def check_accepted(self) -> None:
        """Raise ToolError where people refused what the server needs before the call."""
        given = self.ctx.continued.answers.values() if self.ctx.continued else ()
        if any(answer.action != "accept" for answer in given):
            raise ToolError(
                f"`{self._server.name}` needs a person to open an address first, which was declined; "
                "the call did not run."
            )

    def need(self, wanted: Mapping[str, Any], state: str | None) -> dict[str, Any] | None:
        """Return the answers to what people are not asked for.

        Raises InputNeeded for what they are, and ToolError where something else is wanted, or too much.
        """
        if other := [one for one in wanted.values() if one.method != "elicitation/create"]:
            what = one_line(str(other[0].method), 60)
            raise ToolError(f"The server asked for what cannot be given here: {what}.")
        if state is not None and len(state) > MOST_STATE:
            raise ToolError(
                f"The server asked for input, with a state of more than {MOST_STATE:,} characters."
            )
        self._count(len(wanted))
        try:
            requests = tuple(request_of(self._server.name, key, one.params) for key, one in wanted.items())
        except Unfillable as why:
            self.notes.append(_declined(next(iter(wanted.values())).params.message, str(why)))
            return {key: _result(InputAnswer("decline")) for key in wanted}
        if requests:
            raise InputNeeded(requests, state)
        return None

    def need_addresses(self, error: ErrorData) -> None:
        """Raise InputNeeded where an error says that people have to open addresses before the call."""
        from mcp_types import ElicitationRequiredErrorData
        from pydantic import ValidationError

        if error.code != ADDRESSES_NEEDED:
            return
        try:
            wanted = ElicitationRequiredErrorData.model_validate(error.data).elicitations
            requests = [request_of(self._server.name, str(n), one) for n, one in enumerate(wanted)]
        except (ValidationError, Unfillable):
            return
        self._count(len(requests))
        if requests:
            raise InputNeeded(tuple(requests), None)

    async def ask(self, params: Any) -> ElicitResult:
        """Ask people while the call is held open, and return their answer."""
        self._asked += 1
        within = self._server.answer_within
        try:
            if self._asked > MOST_ASKED:
                raise Unfillable(f"it had asked {MOST_ASKED} times before")
            request = request_of(self._server.name, str(self._asked), params)
        except Unfillable as why:
            self.notes.append(_declined(params.message, str(why)))
            return _result(InputAnswer("decline"))
        if self.limit is None or self.limit.expired():
            return _result(InputAnswer("cancel"))
        with standing(self.limit):
            answer = await self.ctx.ask(request, within)
        if answer.late:
            waited = span_of(within)
            said = one_line(clean_text(params.message), 300)
            self.notes.append(
                f"The server asked “{said}”; nobody answered within {waited}, so it was told `cancel`"
            )
        return _result(answer)

    def _count(self, more: int) -> None:
        self._asked += more
        if more > MOST_AT_ONCE or self._asked > MOST_ASKED:
            most = MOST_AT_ONCE if more > MOST_AT_ONCE else MOST_ASKED
            raise ToolError(f"The server asked for input more than {most} times; the call was not continued.")


async def ask_people(calls: Sequence[People], params: Any, *, given_up: bool) -> ElicitResult:
    """Ask the people of the one call that is at work; of several it is not known whose server asks.

    With `given_up` a call was at work on the connection of which the server may think still.
    """
    if len(calls) == 1 and not given_up:
        return await calls[0].ask(params)
    for people in calls:
        people.notes.append(_declined(params.message, GIVEN_UP if given_up else SEVERAL))
    return _result(InputAnswer("decline"))


def request_of(server: str, key: str, params: Any) -> InputRequest:
    """Return what people are asked for, in bounds. Raises Unfillable where they are not asked."""
    if not 0 < len(key) <= LONGEST_KEY:
        raise Unfillable("the name of its request is too long")
    message = clean_text(str(params.message))
    if left := len(message) - LONGEST_MESSAGE:
        message = f"{message[:LONGEST_MESSAGE]} [… {left:,} more characters]" if left > 0 else message
    if params.mode == "url":
        return InputRequest(key=clean_text(key), server=server, message=message, url=_address(params.url))
    try:
        schema = clean(params.requested_schema)
    except InvalidInput as error:
        raise Unfillable("its schema cannot be kept") from error
    if len(canonical_json(schema)) > MOST_SCHEMA:
        raise Unfillable(f"its schema has more than {MOST_SCHEMA:,} characters")
    if secret := secrets_in(form_fields(schema)):
        raise Unfillable(f"“{secret}” looks like a secret, which would stand in the log")
    return InputRequest(key=clean_text(key), server=server, message=message, schema_=schema)


def _address(url: str) -> str:
    """Return an address that people may be shown. Raises Unfillable.

    It has no sign that RFC 3986 does not know, and no name of a user: by both, browsers find another host in it than
    the one that stands beside it.
    """
    try:
        parts = urlsplit(url)
        fits = (
            re.fullmatch("https?", parts.scheme) and _HOST.fullmatch(parts.netloc) and _ADDRESS.fullmatch(url)
        )
    except ValueError:
        fits = None
    if not fits or len(url) > LONGEST_URL:
        raise Unfillable("its address is none that can be shown")
    return url


def span_of(seconds: float) -> str:
    from datetime import timedelta

    return span(timedelta(seconds=seconds))


def _declined(message: Any, why: str) -> str:
    said = one_line(clean_text(str(message)), 300)
    return f"The server asked for input in the middle of the call, which was declined, since {why}: “{said}”"


def _result(answer: InputAnswer) -> ElicitResult:
    from mcp_types import ElicitResult

    return ElicitResult(action=answer.action, content=answer.content if answer.action == "accept" else None)
