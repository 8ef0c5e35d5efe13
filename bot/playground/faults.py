"""Planned failures of Web API methods: delays, errors, and errors after the method had its effect."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from bot.playground.store import Json


class Fault(BaseModel):
    """One planned failure; `left` is the number of calls it still applies to."""

    model_config = ConfigDict(extra="forbid")

    method: str
    status: int | None = Field(default=None, ge=0, le=599)
    error: str | None = None
    retry_after: int | None = None
    times: int = Field(default=1, ge=1)
    when: Literal["before", "after"] = "before"
    delay_s: float = Field(default=0.0, ge=0, le=600)
    match: Json = Field(default_factory=dict)
    left: int = 0

    @property
    def only_late(self) -> bool:
        """Whether the call is only delayed, without an error."""
        return self.status is None and self.error is None

    def answer(self) -> tuple[int, Json, dict[str, str]]:
        """Return the status, body and headers of the failed response."""
        status = self.status or (429 if self.error == "ratelimited" else 200)
        default = {429: "ratelimited", 503: "service_unavailable"}.get(status, "internal_error")
        headers = {"Retry-After": str(self.retry_after or 1)} if status == 429 else {}
        return status, {"ok": False, "error": self.error or default}, headers


class Faults:
    """The planned failures, in the order in which they were added."""

    def __init__(self) -> None:
        self._planned: list[Fault] = []

    def plan(self, fault: Fault) -> None:
        """Add a failure, which applies to its next `times` matching calls."""
        self._planned.append(fault.model_copy(update={"left": fault.times}))

    def take(self, method: str, args: Json) -> Fault | None:
        """Return the first failure that matches this call and count it down, or None."""
        for fault in self._planned:
            if fault.method not in (method, "*"):
                continue
            if any(str(args.get(name)) != str(value) for name, value in fault.match.items()):
                continue
            fault.left -= 1
            if fault.left <= 0:
                self._planned.remove(fault)
            return fault
        return None

    def listed(self) -> list[Json]:
        """Return the failures that still apply to coming calls."""
        return [fault.model_dump() for fault in self._planned]

    def clear(self) -> None:
        """Remove all planned failures."""
        self._planned.clear()
