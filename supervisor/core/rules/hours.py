"""Hours of a week in which a rule applies, such as Monday to Friday from 09:00 to 17:00 in a time zone."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_serializer, model_validator

from supervisor.core.errors import InvalidCondition
from supervisor.core.messages import Frozen
from supervisor.core.times import zone_named

_DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)|24:00")
_MINUTES = 24 * 60


def _days(text: str) -> str:
    _numbers(text)
    return text.upper().replace(" ", "")


def _numbers(text: str) -> frozenset[int]:
    """The days of `MON-FRI` or `MON,WED`, where Monday is 0. Raises ValueError."""
    found: set[int] = set()
    for part in text.upper().replace(" ", "").split(","):
        first, dash, last = part.partition("-")
        if first not in _DAYS or (dash and last not in _DAYS):
            raise ValueError("write days like MON-FRI or MON,WED,SAT")
        begin, end = _DAYS.index(first), _DAYS.index(last or first)
        found |= {day % 7 for day in range(begin, end + 1 if end >= begin else end + 8)}
    return frozenset(found)


def _time_text(value: Any) -> Any:
    # YAML reads 17:00 without quotes as the number 1020.
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise ValueError('write a time in quotes, from "00:00" to "24:00"')
    return value


def _zone(text: str) -> str:
    try:
        zone_named(text)
    except InvalidCondition as error:
        raise ValueError(str(error)) from error
    return text


Time = Annotated[str, BeforeValidator(_time_text)]


class Hours(Frozen):
    """The hours from `from` until `to`, without that minute, on `days`; past midnight they belong to the day before."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    days: Annotated[str, AfterValidator(_days)] = "MON-SUN"
    from_: Annotated[Time, Field(alias="from")] = "00:00"
    to: Time = "24:00"
    zone: Annotated[str, AfterValidator(_zone)]

    @model_validator(mode="after")
    def _some(self) -> Self:
        if _minute(self.from_) in (_minute(self.to), _MINUTES):
            raise ValueError("these hours have no minute")
        return self

    @model_serializer(mode="plain")
    def _given(self) -> dict[str, str]:
        return {"days": self.days, "from": self.from_, "to": self.to, "zone": self.zone}

    def holds(self, at: datetime | None) -> bool | None:
        """Whether the time is in these hours; None where there is none."""
        if at is None:
            return None
        local = at.astimezone(zone_named(self.zone))
        minute, begin, end = local.hour * 60 + local.minute, _minute(self.from_), _minute(self.to)
        days, today = _numbers(self.days), local.weekday()
        if begin < end:
            return today in days and begin <= minute < end
        yesterday = (local.date() - timedelta(days=1)).weekday()
        return (today in days and minute >= begin) or (yesterday in days and minute < end)

    def __str__(self) -> str:
        return f"{self.days} {self.from_} to {self.to} {self.zone}"


def _minute(text: str) -> int:
    hour, _, minute = text.partition(":")
    return int(hour) * 60 + int(minute)
