"""Reads the time at the beginning of a text; what looks like a time and cannot be read is refused, never ignored."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime, timedelta

from supervisor.core.errors import InvalidCondition
from supervisor.core.times import ACCEPTED, CLOCK, NUMBER_WORD, UNIT, parse_duration, parse_moment, zone_named

# The most characters at the beginning of a text that are searched for a time.
LONGEST = 200
_BLANKS = re.compile(r"\s{9,}")
_END = r"(?=$|[\s,;.!?])"
_DAY = (
    r"(?:today|tomorrow|mon(?:day)?|tue(?:s|sday)?|wed(?:s|nesday)?|thu(?:r|rs|rsday)?|fri(?:day)?"
    r"|sat(?:urday)?|sun(?:day)?)"
)
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_ISO = r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?"
_COUNT = r"\d+(?:\.\d+)?\s*"
_ANY_COUNT = rf"(?:{_COUNT}|{NUMBER_WORD}\s+)"


def _several(count: str) -> str:
    part = rf"{count}{UNIT}(?![a-z])"
    return rf"{part}(?:\s*(?:,\s*|and\s+)?{part})*"


_DURATION = re.compile(
    rf"(?:(?:in|after)\b:?\s*(?P<said>{_several(_ANY_COUNT)})|(?P<bare>half\s+an\s+hour|{_several(_COUNT)})){_END}",
    re.I,
)
_MOMENT = re.compile(
    rf"(?:(?:at|on)\b:?\s*)?(?P<moment>{_ISO}|{_DAY}\s+(?:at\s+)?{CLOCK}|{CLOCK}(?:\s+(?:on\s+)?{_DAY})?){_END}",
    re.I,
)
# Words that would change the meaning of the time before them.
_CHANGES = re.compile(
    r"\s*(?:ago\b|[-\u2013]\s*\d|(?:utc|gmt|cet|cest|bst|est|edt|cst|cdt|mst|mdt|pst|pdt|ist|jst|[a-z]+/[a-z_]+)\b"
    rf"|(?:to|or|until|before|after)\s+(?:\d|{_DAY}\b)|or\s+(?:so|more|{NUMBER_WORD})\b|and\s+a\s+(?:half|quarter)\b"
    r"|in\s+the\s+(?:morning|afternoon|evening)\b"
    rf"|(?:on\s+)?(?:{_DAY}|next\s+\w+|every\s+\w+|{_MONTH}\s+\d+){_END}|[ap]\.m\b|o.clock\b)",
    re.I,
)
_PART_OF_DAY = r"(?:week|weekend|month|year|morning|afternoon|evening|night)"
_LOOKS = re.compile(
    rf"(?:(?:in|after)\b:?\s*(?:[-+\u2212]?\s*\d|{_ANY_COUNT}(?:{UNIT}|month|year)s?\b"
    rf"|(?:an?\s+|the\s+)?(?:few|couple|bit|while|moment|half|{_PART_OF_DAY})\b)"
    rf"|at\b:?\s*(?:[-+]?\d|half\b|quarter\b|{NUMBER_WORD}(?:\s+o.clock|{_END}$)|{_DAY}\b|night\b|lunch\w*$|dawn\b)"
    rf"|(?:on\s+|next\s+|this\s+|until\s+|by\s+|for\s+)?(?:{CLOCK}|{_DAY}){_END}"
    rf"|(?:until|by|for|from)\s+{_COUNT}(?:{UNIT})\b|(?:next|this)\s+{_PART_OF_DAY}\b|(?:the\s+)?day\s+after\s+tomorrow\b"
    rf"|(?:on\s+)?\d{{1,2}}(?::\d|[.h]\d{{2}}{_END})|(?:on\s+)?\d{{1,4}}[-/.]\d{{1,2}}(?:[-/.]|{_END})"
    rf"|(?:on\s+)?(?:{_MONTH}\s+\d|\d{{1,2}}\.?\s+{_MONTH}\b)|[-+\u2212]\s*{_COUNT}{UNIT}\b"
    r"|tonight\b|eod\b|(?:later|soon)[.!]?$)",
    re.I,
)
# A text that begins with the first pattern and soon matches the second means a time that is not understood.
_BEGINS = re.compile(
    r"[~@]?\d.*|in|at|after|before|from|around|about|by|until|till|within|approximately|roughly|half"
    r"|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|fifty|sixty|ninety|quarter|several|couple|few|later|tomorrow|tmrw|tmr|tonight|today"
    r"|midday|noon|midnight|first|next|this",
    re.I,
)
_TIME_WORD = re.compile(
    rf"{UNIT}|months?|years?|o.?clock|[ap]m|noon|midday|midnight|morning|afternoon|evening|night|tonight|tmrw|tmr|lunch"
    rf"|breakfast|dinner|eod|cob|{_DAY}|~?@?\d+(?:[.:h]\d+)*(?:{UNIT}|[ap]m)|\d{{1,2}}:\d{{2}}",
    re.I,
)
_SPOKEN = re.compile(
    rf"(?:at|around|by|until|before)\s+(?:(?:about|around|approximately|roughly)\s+\d{{1,2}}|{NUMBER_WORD}"
    rf"(?:\s+(?:fifteen|thirty|forty.?five))?\s*$)|(?:half|quarter)\s+(?:past|to)\b|0\d{{3}}{_END}|\d{{4}}$"
    rf"|\d{{8}}T\d{{4}}|@\d|an?\s+{UNIT}\s+from\s+now\b",
    re.I,
)
_SOON = 6


def _means_time(text: str) -> bool:
    text = unicodedata.normalize("NFKC", text)
    words = [word.strip(".,;!?()") for word in text.split(maxsplit=_SOON)[:_SOON]]
    begins = bool(words) and _BEGINS.fullmatch(words[0])
    return bool(_SPOKEN.match(text) or (begins and any(_TIME_WORD.fullmatch(word) for word in words)))


def leading_due(text: str, now: datetime, zone: str) -> tuple[datetime, str] | None:
    """Return the time at the beginning of `text`, in UTC, and the text after it, or None without a time.

    Raises InvalidCondition for an unknown zone, and for what looks like a time and cannot be read, or has passed.
    """
    # Long runs of blanks would make the expressions slow.
    text, place = _BLANKS.sub(" ", text.strip()), zone_named(zone)
    head = text[:LONGEST]
    if found := _DURATION.match(head):
        due = now + _length(found["said"] or found["bare"], text)
    elif found := _MOMENT.match(head):
        due = parse_moment(found["moment"], now, place)
    elif _LOOKS.match(head) or _means_time(head):
        raise _no_time(text)
    else:
        return None
    rest = text[found.end() :]
    if found.end() == LONGEST or _CHANGES.match(rest[:LONGEST]):
        raise _no_time(text)
    return due, rest.lstrip(" \t\r\n,;.!?:")


def _length(duration: str, text: str) -> timedelta:
    try:
        return parse_duration(duration)
    except InvalidCondition:
        raise _no_time(text) from None


def parse_due(text: str, now: datetime, zone: str) -> datetime:
    """Parse a text that is only a time. Raises InvalidCondition."""
    found = leading_due(text, now, zone)
    if found is None or found[1]:
        raise _no_time(text)
    return found[0]


def _no_time(text: str) -> InvalidCondition:
    return InvalidCondition(f"“{' '.join(text.split())[:40]}” is no time that can be read. {ACCEPTED}")
