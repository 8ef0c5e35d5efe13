"""Failures on demand: a Web API method that is late, refuses, or answers with an error after it had its effect."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from bot.playground.store import Json


class Fault(BaseModel):
    """One planned failure; `left` counts down."""

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
        """Whether nothing fails, and it only takes longer."""
        return self.status is None and self.error is None

    def answer(self) -> tuple[int, Json, dict[str, str]]:
        """Status, body and headers of the failure."""
        status = self.status or (429 if self.error == "ratelimited" else 200)
        default = {429: "ratelimited", 503: "service_unavailable"}.get(status, "internal_error")
        headers = {"Retry-After": str(self.retry_after or 1)} if status == 429 else {}
        return status, {"ok": False, "error": self.error or default}, headers


class Faults:
    """Those planned, in the order in which they were."""

    def __init__(self) -> None:
        self._planned: list[Fault] = []

    def plan(self, fault: Fault) -> None:
        """Add one."""
        self._planned.append(fault.model_copy(update={"left": fault.times}))

    def take(self, method: str, args: Json) -> Fault | None:
        """The one that strikes this call, used up by one."""
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
        """Those still to come."""
        return [fault.model_dump() for fault in self._planned]

    def clear(self) -> None:
        """None any more."""
        self._planned.clear()
