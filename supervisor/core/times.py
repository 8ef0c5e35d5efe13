"""Parses durations, times and cron expressions as people write them, in a given time zone."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from supervisor.core.errors import InvalidCondition

ACCEPTED = (
    "Write `in 30m`, `in half an hour`, `09:00`, `9am`, `at noon`, `tomorrow 09:00`, `monday 09:00` "
    "or `2026-12-01T09:00`."
)
LONGEST = timedelta(days=366 * 5)
# What a schedule does at a time when what it launched before has not ended.
Overlap = Literal["skip", "queue", "replace"]
_UNITS = {
    "s": 1, "sec": 1, "secs": 1, "second": 1, "seconds": 1,
    "m": 60, "min": 60, "mins": 60, "minute": 60, "minutes": 60,
    "h": 3600, "hr": 3600, "hrs": 3600, "hour": 3600, "hours": 3600,
    "d": 86400, "day": 86400, "days": 86400,
    "w": 604800, "week": 604800, "weeks": 604800,
}  # fmt: skip
_NUMBERS = {
    "half a": 0.5, "half an": 0.5, "a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5,
    "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12,
}  # fmt: skip
NUMBER_WORD = rf"(?:half\s+an?|{'|'.join(word for word in _NUMBERS if ' ' not in word)})"
UNIT = rf"(?:{'|'.join(sorted(_UNITS, key=len, reverse=True))})"
_PART = re.compile(
    rf"\s*(\d+(?:\.\d+)?(?=\s*[a-z])|{NUMBER_WORD}(?=\s))\s*([a-z]+)\s*(?:,|and\b)?", re.IGNORECASE
)
CLOCK = r"(?:\d{1,2}:\d{2}(?::\d{2})?(?:\s*[ap]m)?|\d{1,2}\s*[ap]m|noon|midnight)"
_CLOCK = re.compile(
    rf"^(?:(?P<day>[a-z]+)\s+(?:at\s+)?(?P<clock>{CLOCK})|(?P<only>{CLOCK})(?:\s+(?:on\s+)?(?P<after>[a-z]+))?)$",
    re.IGNORECASE,
)
_HOUR = re.compile(r"^(?P<h>\d{1,2})(?::(?P<m>\d{2}))?(?::(?P<s>\d{2}))?\s*(?P<half>[ap]m)?$")
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC"
_CRON_NAMES = frozenset({*(day[:3].upper() for day in _WEEKDAYS), *_MONTHS.split()})
_NICKNAMES = {
    "@HOURLY": "0 * * * *",
    "@DAILY": "0 0 * * *",
    "@MIDNIGHT": "0 0 * * *",
    "@WEEKLY": "0 0 * * 0",
    "@MONTHLY": "0 0 1 * *",
    "@YEARLY": "0 0 1 1 *",
    "@ANNUALLY": "0 0 1 1 *",
}


def zone_named(name: str) -> tzinfo:
    """Return the IANA time zone of this name. Raises InvalidCondition."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidCondition(f"“{name[:40]}” is no time zone; write one like Europe/Berlin.") from None


def parse_duration(text: str) -> timedelta:
    """Parse `90s`, `30m`, `2h`, `1h30m`, `2 days`, `half an hour`. Raises InvalidCondition."""
    seconds, position = 0.0, 0
    text = text.strip()
    while position < len(text):
        part = _PART.match(text, position)
        if not part or part[2].lower() not in _UNITS:
            raise _no_duration(text)
        count = _NUMBERS.get(" ".join(part[1].lower().split()))
        seconds += (float(part[1]) if count is None else count) * _UNITS[part[2].lower()]
        position = part.end()
    if not 1 <= seconds <= LONGEST.total_seconds():
        raise _no_duration(text)
    return timedelta(seconds=seconds)


def _no_duration(text: str) -> InvalidCondition:
    return InvalidCondition(
        f"“{text[:40]}” is no duration; write 90s, 30m, 2h, 1h30m or 2 days (at most 5 years)."
    )


def parse_moment(text: str, now: datetime, zone: tzinfo) -> datetime:
    """Parse ISO 8601 with or without offset, `09:00`, `9am`, `noon`, `tomorrow 09:00`, `monday 09:00`,
    `09:00 tomorrow`. Returns the time in UTC.

    A time without an offset is in `zone`. One that daylight saving skips is moved by the length of the gap; of one
    that it repeats, the first is taken. Raises InvalidCondition, also where the time is in the past.
    """
    text = text.strip()
    moment = _clock_time(text, now.astimezone(zone), zone) or _iso(text, zone)
    if moment is None:
        raise InvalidCondition(f"“{text[:40]}” is no time that can be read. {ACCEPTED}")
    if moment <= now:
        raise InvalidCondition(f"“{text[:40]}” is in the past.")
    if moment - now > LONGEST:
        raise InvalidCondition(f"“{text[:40]}” is more than 5 years ahead.")
    return moment


def _clock_time(text: str, local: datetime, zone: tzinfo) -> datetime | None:
    match = _CLOCK.match(text)
    at = _time_of_day(match["clock"] or match["only"]) if match else None
    if not match or at is None:
        return None
    word = (match["day"] or match["after"] or "").lower()
    if not word:
        today = _utc(local.date(), at, zone)
        return today if today > local else _utc(local.date() + timedelta(days=1), at, zone)
    if word in ("today", "tomorrow"):
        return _utc(local.date() + timedelta(days=word == "tomorrow"), at, zone)
    named = [n for n, name in enumerate(_WEEKDAYS) if len(word) >= 3 and name.startswith(word)]
    if named:
        ahead = (named[0] - local.weekday()) % 7
        day = _utc(local.date() + timedelta(days=ahead), at, zone)
        return day if day > local else _utc(local.date() + timedelta(days=ahead + 7), at, zone)
    return None


def _time_of_day(text: str) -> time | None:
    text = text.lower()
    if text in ("noon", "midnight"):
        return time(12 if text == "noon" else 0)
    match = _HOUR.match(text)
    if not match:
        return None
    hour = int(match["h"])
    if match["half"]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if match["half"] == "pm" else 0)
    try:
        return time(hour, int(match["m"] or 0), int(match["s"] or 0))
    except ValueError:
        return None


def _utc(day: date, at: time, zone: tzinfo) -> datetime:
    # Python gives a skipped time the offset from before the gap, which moves it by the length of the gap.
    return datetime.combine(day, at, tzinfo=zone).astimezone(UTC)


def _iso(text: str, zone: tzinfo) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if len(text) <= 10:
        return None
    try:
        return moment.replace(tzinfo=moment.tzinfo or zone).astimezone(UTC)
    except OverflowError:
        # In UTC it would be before year 1 or after year 9999.
        return None


def next_cron(expression: str, zone: tzinfo, after: datetime) -> datetime | None:
    """Return the first time of the expression after `after`, in UTC; None if there is none within 50 years.

    The expression has five fields with the meaning of Debian's cron, in `zone`, or is `@daily` or the like. A fixed
    time that daylight saving skips is due right after the gap; of one that it repeats, the first is taken.
    Raises InvalidCondition.
    """
    text = " ".join(expression.upper().split())
    # People write `sat-sun`, so Sunday at the end of a range is 7.
    fields = re.sub(r"(?<!\b0)(?<!SUN)-SUN", "-7", _NICKNAMES.get(text, text)).split()
    if len(fields) != 5 or len(text) > 120:
        raise _no_cron(expression, "wrong number of fields")
    # CronSim reads `5-5/2` as `5-59/2`.
    plain = re.sub(r"\b(\d+)-\1/\d+", r"\1", " ".join(fields))
    try:
        times = CronSim(plain, after.astimezone(zone))
    except CronSimError as error:
        raise _refused_cron(expression, plain.split(), str(error).lower()) from error
    # CronSim also knows `L`, `LW` and `MON#2`, which cron does not.
    words = re.findall(r"[A-Z#]+", " ".join(fields))
    if not set(words) <= _CRON_NAMES:
        raise _no_cron(expression, f"cron has no “{min(set(words) - _CRON_NAMES).lower()[:20]}”")
    # In the second of two repeated hours CronSim begins with the first; times that are over are skipped.
    return next((due for local in times if (due := local.astimezone(UTC)) > after), None)


def _refused_cron(text: str, fields: list[str], why: str) -> InvalidCondition:
    """Return the error for a cron expression, with a sentence of its own if its day is in none of its months."""
    if why == "bad day-of-month":
        try:
            CronSim(" ".join([*fields[:3], "*", fields[4]]), datetime(2000, 1, 1, tzinfo=UTC))
        except CronSimError:
            pass
        else:
            return InvalidCondition(
                f"“{text[:60]}” never comes: there is no such day in the months of that expression."
            )
    return _no_cron(text, why)


def _no_cron(text: str, why: str) -> InvalidCondition:
    return InvalidCondition(
        f"“{text[:60]}” is no cron expression ({why}); write five fields like 0 9 * * MON-FRI, or @daily."
    )
