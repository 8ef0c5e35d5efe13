"""How risky a call is, from what its tool declares."""

from __future__ import annotations

from collections.abc import Mapping

from supervisor.core.state import Call

# By the name of the tool, the risk that it declares (`Tool.risk`).
Risks = Mapping[str, str]
_WORDS = {
    "reads": ":large_green_circle: only reads",
    "repeatable": ":large_yellow_circle: changes things, safe to repeat",
    "destructive": ":red_circle: destructive, it cannot be undone",
    "changes": ":large_orange_circle: changes things, not safe to repeat",
}
_UNKNOWN = ":white_circle: risk unknown"


def risk(call: Call, risks: Risks | None) -> str:
    """Return the words in mrkdwn to stand behind the name of the tool; empty where no declarations are given.

    Calls that the control loop carries out have none, since they run nothing themselves.
    """
    if risks is None or call.call.control:
        return ""
    if call.call.definition and call.call.definition.destructive:
        return " · :red_circle: destructive by its server's own word"
    if call.call.definition and call.call.definition.risk == "changes":
        # It is also that of a tool of which its server says nothing.
        return " · :large_orange_circle: may change things, not known to be safe to repeat"
    declared = call.call.definition.risk if call.call.definition else risks.get(call.call.tool, "")
    return f" · {_WORDS.get(declared, _UNKNOWN)}"
