"""Every key name. A session's id names its partition; all keys of a partition share one hash tag."""

from __future__ import annotations

from typing import Literal

QueueName = Literal["ready", "outbox"]
GROUP = "flagman"
_PREFIX = "flagman"


def partition_of(session_id: str) -> int:
    """`ab12-cd34` lives in partition 0, `ab12-cd34-7` in partition 7. Raises ValueError on other forms."""
    parts = session_id.split("-")
    if len(parts) == 2 and all(parts):
        return 0
    if len(parts) == 3 and parts[2].isdecimal():
        return int(parts[2])
    raise ValueError(session_id)


def tag(partition: int) -> str:
    """The prefix of every key of a partition, in one slot of a cluster."""
    return f"{_PREFIX}:{{p{partition}}}"


def log(session_id: str) -> str:
    return f"{tag(partition_of(session_id))}:log:{session_id}"


def snapshot(session_id: str) -> str:
    return f"{tag(partition_of(session_id))}:snap:{session_id}"


def projection(session_id: str) -> str:
    return f"{tag(partition_of(session_id))}:proj:{session_id}"


def index(partition: int, name: str) -> str:
    return f"{tag(partition)}:idx:{name}"


def blobs(partition: int) -> str:
    return f"{tag(partition)}:blobs"


def timers(partition: int) -> str:
    return f"{tag(partition)}:timers"


def timer_channel() -> str:
    return f"{_PREFIX}:timer"


def mailbox(signal: str) -> str:
    """What came for `webhook:<name>` or `event:<type>` while nobody waited."""
    return f"{_PREFIX}:{{mail:{signal}}}"


def schedules() -> str:
    return f"{_PREFIX}:schedules"


def api_keys() -> str:
    return f"{_PREFIX}:apikeys"


def api_keys_used() -> str:
    return f"{_PREFIX}:apikeys:used"


def queue(partition: int, name: QueueName) -> str:
    """The stream; `:state`, `:later`, `:tries` and `:parked` beside it belong to it."""
    return f"{tag(partition)}:{name}"


def dirty_channel(partition: int) -> str:
    return f"{tag(partition)}:dirty"


def changed_channel(partition: int) -> str:
    """Where every append tells the id of its session."""
    return f"{tag(partition)}:changed"


def place(place: str) -> str:
    """The session that is shown at a place; the name of the key is that of stores from before."""
    return f"{_PREFIX}:thread:{place}"


def delivery(delivery_id: str) -> str:
    return f"{_PREFIX}:seen:{delivery_id}"


def not_before(scope: str) -> str:
    return f"{_PREFIX}:notbefore:{scope}"
