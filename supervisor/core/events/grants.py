"""Events about grants: calls allowed in advance, by what their arguments match, at a place, until a time."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import AwareDatetime

from supervisor.core.events.base import Deed, Fact


class GrantAdded(Fact):
    """Who may approve the call allows those of its tool that match the patterns, of the same persona, until a time.

    They are those of this session, or of all sessions of `place`. `via` is the right by which the actor decides.
    `definition` is the digest of what a server said of the tool, and empty for other tools.
    """

    type: Literal["GrantAdded"] = "GrantAdded"
    doing: ClassVar[str] = "Allowing calls in advance"
    grant_id: str
    call_id: str
    tool: str
    patterns: dict[str, str]
    until: AwareDatetime
    place: str = ""
    definition: str = ""
    via: str = "anyone"


class GrantEnded(Fact):
    """A grant ended: a person revoked it, or with `expired` its time was over."""

    type: Literal["GrantEnded"] = "GrantEnded"
    doing: ClassVar[str] = "Ending a grant"
    grant_id: str
    expired: bool = False


class CallGranted(Fact):
    """A grant allows a call: nobody is asked about it, since `granter` has the right to approve it, which is `via`.

    `grant` is the id of the grant, with that of its session where it was made in another one. `requesters` are those
    who told the agent what to do since the last approval.
    """

    type: Literal["CallGranted"] = "CallGranted"
    doing: ClassVar[str] = "Allowing a call by a grant"
    call_id: str
    digest: str
    grant: str
    granter: Deed
    via: str
    requesters: tuple[str, ...] = ()


GrantFact = GrantAdded | GrantEnded | CallGranted
