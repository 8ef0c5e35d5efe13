"""How each person is told of what waits for them: where it stands, directly or both, and when not."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal, get_args

from storage.rows import RowStore
from supervisor.core.errors import InvalidInput
from supervisor.core.messages import Frozen
from supervisor.core.rules.hours import Hours
from supervisor.core.times import zone_named

Way = Literal["place", "direct", "both"]
WAYS: tuple[str, ...] = get_args(Way)
_QUIET = re.compile(r"([01]?\d|2[0-3])(?::([0-5]\d))?\s*(?:-|–|to|until)\s*([01]?\d|2[0-3])(?::([0-5]\d))?")


class QuietHours(Frozen):
    """Hours of each day, as `22:00` and `07:00` on the person's clock, in which nothing comes directly."""

    begin: str
    end: str

    def __str__(self) -> str:
        return f"{self.begin}-{self.end}"

    def hold(self, at: datetime, zone: str) -> bool:
        """Whether a time is in these hours, in this time zone."""
        return bool(Hours.model_validate({"from": self.begin, "to": self.end, "zone": zone}).holds(at))

    def over_at(self, at: datetime, zone: str) -> datetime:
        """Return when the hours that hold at a time are over; the time itself where none hold."""
        if not self.hold(at, zone):
            return at
        hour, minute = map(int, self.end.split(":"))
        local = at.astimezone(zone_named(zone))
        end = local.replace(hour=hour, minute=minute, second=0, microsecond=0)
        return (end if end > local else end + timedelta(days=1)).astimezone(at.tzinfo)


class Preference(Frozen):
    """What one person chose; without a row a person is told where a request stands, at any time.

    `since` is when they first chose to be told directly: they are told so of what ended after that. `unreached`: they
    take no direct message, and are mentioned whatever they chose.
    """

    way: Way = "place"
    quiet: QuietHours | None = None
    since: datetime | None = None
    unreached: bool = False

    @property
    def direct(self) -> bool:
        """Whether the person is told directly."""
        return self.way != "place"

    @property
    def mentioned(self) -> bool:
        """Whether the person is mentioned where requests stand."""
        return self.way != "direct" or self.unreached


def parse_quiet(text: str) -> QuietHours | None:
    """Return the hours of a text such as `22:00-07:00`; None for `off`. Raises InvalidInput."""
    text = " ".join(text.lower().split())
    if text in ("off", "none", "never"):
        return None
    found = _QUIET.fullmatch(text)
    if not found:
        raise InvalidInput(f"“{text[:40]}” are no quiet hours. Write them like `22:00-07:00`, or `off`.")
    begin, end = (f"{int(found[n]):02}:{found[n + 1] or '00'}" for n in (1, 3))
    if begin == end:
        raise InvalidInput(
            "Quiet hours that begin when they end have no minute. Write them like `22:00-07:00`."
        )
    return QuietHours(begin=begin, end=end)


class Notifications:
    """Stores what people chose, by the id of the person. Methods raise StoreUnavailable."""

    def __init__(self, rows: RowStore, clock: Callable[[], datetime]) -> None:
        self._rows, self._clock = rows, clock
        self._watchers: list[Callable[[], object]] = []

    def watch(self, changed: Callable[[], object]) -> None:
        """Have `changed` called each time that somebody chooses in this process."""
        self._watchers.append(changed)

    async def get(self, person: str) -> Preference:
        row = await self._rows.get(person)
        return Preference.model_validate_json(row) if row else Preference()

    async def all(self) -> dict[str, Preference]:
        """What people chose, by person; of all others nothing is stored."""
        return {who: Preference.model_validate_json(row) for who, row in (await self._rows.all()).items()}

    async def note_reached(self, person: str, before: Preference, *, reached: bool) -> None:
        """Store whether a person takes direct messages, unless they chose anew meanwhile."""
        if before.unreached == reached:
            row = before.model_dump_json().encode()
            after = before.model_copy(update={"unreached": not reached})
            await self._rows.replace(person, row, after.model_dump_json().encode())

    async def choose(
        self, person: str, way: Way | None, quiet: QuietHours | Literal["same"] | None
    ) -> Preference:
        """Store what a person chose; a `way` of None, and `quiet` as "same", stay as they are."""
        while True:
            row = await self._rows.get(person)
            before = Preference.model_validate_json(row) if row else Preference()
            chosen = Preference(
                way=way or before.way,
                quiet=before.quiet if quiet == "same" else quiet,
                since=before.since,
            )
            if chosen.direct and not before.direct:
                chosen = chosen.model_copy(update={"since": self._clock()})
            data = chosen.model_dump_json().encode()
            stored = await (self._rows.replace(person, row, data) if row else self._rows.add(person, data))
            if stored:
                for changed in self._watchers:
                    changed()
                return chosen
