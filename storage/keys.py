"""All names in the store: keys, channels and the consumer group. The keys of a partition share one hash tag."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Literal

QueueName = Literal["ready", "outbox"]
GROUP = "flagman"
MOST_PARTITIONS = 256
_PREFIX = "flagman"
# A pattern that matches all keys and channels.
ALL = f"{_PREFIX}:*"
# All mailboxes share one hash tag, since they share a limit.
_MAIL = f"{_PREFIX}:{{mail}}"
# What one script touches of the audit.
_AUDIT = f"{_PREFIX}:{{audit}}"
# The key that is written to learn whether the store takes writes.
WRITE_PROBE = f"{_PREFIX}:probe"
# Workers of earlier versions listen to the first of these channels.
_DIRTY: dict[QueueName, str] = {"ready": "dirty", "outbox": "dirty:outbox"}
_SESSION_ID = re.compile(r"[^-]+-[^-]+(?:-([1-9][0-9]{0,2}))?")


def partition_of(session_id: str) -> int:
    """Return the partition of a session: 0 for `ab12-cd34`, 7 for `ab12-cd34-7`. Raises ValueError otherwise."""
    found = _SESSION_ID.fullmatch(session_id)
    if found is None or int(found[1] or 0) >= MOST_PARTITIONS:
        raise ValueError(session_id)
    return int(found[1] or 0)


def write_probe(partition: int) -> str:
    """Return the key that is written to learn whether replicas have what was written to a partition before."""
    return f"{_tag(partition)}:probe"


def permission_probe() -> str:
    """Return the key with which is tried what the user of the store may do, by many commands."""
    return f"{write_probe(0)}:permissions"


@dataclass(frozen=True)
class TimerKey:
    """The row of a timer: its owner, which is a session id or a name chosen by the caller, and its name."""

    owner: str
    name: str

    def encode(self) -> str:
        return f"{self.owner}|{self.name}"

    @classmethod
    def parse(cls, row: str) -> TimerKey:
        """Return the timer of a stored row."""
        owner, _, name = row.partition("|")
        return cls(owner, name)

    @property
    def partition(self) -> int:
        """The partition of the session; 0 for any other owner."""
        try:
            return partition_of(self.owner)
        except ValueError:
            return 0


@dataclass(frozen=True)
class QueueKeys:
    """A queue in one partition: the stream of jobs; by session its state, due time, failed tries and trouble."""

    dirty: str
    stream: str
    state: str
    later: str
    tries: str
    troubles: str


# The types of the keys of a queue, in the order of the fields of `QueueKeys` after `dirty`.
QUEUE_TYPES = ("stream", "hash", "zset", "hash", "hash")


@cache
def queue(partition: int, name: QueueName) -> QueueKeys:
    stream = f"{_tag(partition)}:{name}"
    # Stores of earlier versions have the name `parked`.
    return QueueKeys(
        dirty_channel(partition, name),
        stream,
        *(f"{stream}:{part}" for part in ("state", "later", "tries", "parked")),
    )


def busy(stream: str, session_id: str) -> str:
    """Return the key that is set while a worker is at a job whose entry in the stream is lost."""
    return f"{stream}:busy:{session_id}"


def partitions() -> str:
    """Return the key of a sorted set with one member, whose score is the number of partitions."""
    return f"{_PREFIX}:partitions"


def damaged(key: str) -> str:
    """Return the name under which a key is set aside whose value has a wrong type."""
    return f"{key}:damaged"


def placement(claim: str) -> str:
    """Return the key of the partition in which the request with this idempotency key is carried out."""
    return f"{_PREFIX}:placement:{claim}"


def log(session_id: str) -> str:
    return f"{_tag(partition_of(session_id))}:log:{session_id}"


def logs() -> str:
    """Return a pattern that matches the logs of all sessions."""
    return f"{_PREFIX}:{{p*}}:log:*"


def snapshot(session_id: str) -> str:
    return f"{_tag(partition_of(session_id))}:snap:{session_id}"


def projection(session_id: str) -> str:
    return f"{_tag(partition_of(session_id))}:proj:{session_id}"


def index(partition: int, name: str) -> str:
    return f"{_tag(partition)}:idx:{name}"


def blobs(partition: int) -> str:
    return f"{_tag(partition)}:blobs"


def claim(partition: int, name: str) -> str:
    """Return the key of the value stored under an idempotency key."""
    return f"{_tag(partition)}:idem:{name}"


def claims_of(partition: int, sender: str) -> str:
    """Return the key of a sorted set: the idempotency keys of a sender, by their expiry in ms since 1970."""
    return f"{_tag(partition)}:idem-of:{sender}"


def timers(partition: int) -> str:
    return f"{_tag(partition)}:timers"


def timer_channel() -> str:
    """Return the name under which the due time of each timer is published when it is set."""
    return f"{_PREFIX}:timer"


def dirty_channel(partition: int, name: QueueName) -> str:
    """Return the name under which the id of a busy session is published when it is queued again."""
    return f"{_tag(partition)}:{_DIRTY[name]}"


def changed_channel(partition: int) -> str:
    """Return the name under which each append publishes the id of its session."""
    return f"{_tag(partition)}:changed"


def running(session_id: str) -> str:
    """Return the key of a hash: what the running calls of a session printed last, by call. It expires."""
    return f"{_tag(partition_of(session_id))}:running:{session_id}"


def running_channel(partition: int) -> str:
    """Return the name under which the id of a session is published whose running calls print."""
    return f"{_tag(partition)}:printing"


def running_pattern() -> str:
    """Return a pattern that matches the channels of all partitions."""
    return f"{_PREFIX}:{{p*}}:printing"


def lacking(feature: str) -> str:
    """Return the key that is set as long as a workspace counts as one without a feature."""
    return f"{_PREFIX}:lacks:{feature}"


def dirty_pattern(name: QueueName) -> str:
    """Return a pattern that matches the channels of all partitions."""
    return f"{_PREFIX}:{{p*}}:{_DIRTY[name]}"


def changed_pattern() -> str:
    """Return a pattern that matches the channels of all partitions."""
    return f"{_PREFIX}:{{p*}}:changed"


def mailbox(signal: str) -> str:
    """Return the key of the items of the signal `webhook:<name>` or `event:<type>` that no session waited for."""
    return f"{_MAIL}:box:{signal}"


def mailbox_seen(mark: str) -> str:
    """Return the key of the mark of a delivery that has come."""
    return f"{_MAIL}:seen:{mark}"


def mailbox_rows() -> str:
    """Return the key of a sorted set: a row for each item of all mailboxes, by its expiry in ms since 1970."""
    return f"{_MAIL}:rows"


def mailbox_use() -> str:
    """Return the key of a hash: the numbers of items and bytes of all mailboxes, each signal and each sender."""
    return f"{_MAIL}:use"


def told(mark: str) -> str:
    """What people were told once, by a mark of it."""
    return f"{_PREFIX}:told:{mark}"


def schedules() -> str:
    return f"{_PREFIX}:schedules"


def place_settings() -> str:
    """Return the key of a hash: what is set for the sessions of a place, by the place."""
    return f"{_PREFIX}:places"


def refusals() -> str:
    """Return the key of a hash: the refusals of each actor that no log records, as one JSON list."""
    return f"{_AUDIT}:refused"


def refused_actors() -> str:
    """Return the key of a sorted set: the actors with such refusals, by the time of the latest."""
    return f"{_AUDIT}:refused:actors"


def refusal_numbers() -> str:
    """Return the key of a hash with the number of the latest of such refusals."""
    return f"{_AUDIT}:refused:numbers"


def opened(session_id: str) -> str:
    """Return the key of a set: which calls of a session who has opened in full."""
    return f"{_tag(partition_of(session_id))}:opened:{session_id}"


def digests() -> str:
    """Return the key of a hash with the row of the daily digest."""
    return f"{_PREFIX}:digests"


def delegations() -> str:
    """Return the key of a hash: who decides for whom, by the id of the delegation."""
    return f"{_PREFIX}:delegations"


def secrets() -> str:
    """Return the key of a hash: secrets, encrypted, by their names."""
    return f"{_PREFIX}:secrets"


def connections() -> str:
    """Return the key of a hash: the connections of people to servers, their tokens encrypted."""
    return f"{_PREFIX}:connections"


def registrations() -> str:
    """Return the key of a hash: Flagman as the authorization servers know it, encrypted."""
    return f"{_PREFIX}:registrations"


def connecting(step: str) -> str:
    """Return the key of a connection that a person is about to make, by the id of its step."""
    return f"{_PREFIX}:connecting:{step}"


def installations() -> str:
    """Return the key of a hash: the workspaces that installed Flagman with their tokens, encrypted, by their ids."""
    return f"{_PREFIX}:installations"


def issued(mark: str) -> str:
    """Return the key of a mark that counts once."""
    return f"{_PREFIX}:issued:{mark}"


def notifications() -> str:
    """Return the key of a hash: how a person is told of what waits for them, by the person."""
    return f"{_PREFIX}:notifications"


def waiting_messages() -> str:
    """Return the key of a hash: the direct message on what waits for a person, by the person."""
    return f"{_PREFIX}:waiting"


def unbound_places(partition: int) -> str:
    """Return the key of a set: the places of collected sessions whose bindings are still to be removed."""
    return f"{_tag(partition)}:unbound"


def collection_turn() -> str:
    """Return the key that is set as long as a process collects ended sessions."""
    return f"{_PREFIX}:collection:turn"


def collection_day() -> str:
    """Return the key of the day on which the ended sessions were collected last."""
    return f"{_PREFIX}:collection:day"


def worker_hosts() -> str:
    """Return the key of a hash: when a worker on a host was last there, by the host."""
    return f"{_PREFIX}:hosts"


def api_keys() -> str:
    return f"{_PREFIX}:apikeys"


def api_key_names() -> str:
    return f"{_PREFIX}:apikeys:names"


def api_keys_used() -> str:
    return f"{_PREFIX}:apikeys:used"


def place(place: str) -> str:
    """Return the key of the session that is shown at a place; stores of earlier versions have this name."""
    return f"{_PREFIX}:thread:{place}"


def home_tabs() -> str:
    """Return the key of a sorted set: people by the time at which they opened their home tab last."""
    return f"{_PREFIX}:homes"


def last_choice(person: str) -> str:
    """Return the key of the persona that a person chose last."""
    return f"{_PREFIX}:choice:{person}"


def delivery(delivery_id: str) -> str:
    return f"{_PREFIX}:seen:{delivery_id}"


def offer(offer_id: str) -> str:
    """Return the key of a task for which a person is to choose who does it."""
    return f"{_PREFIX}:offer:{offer_id}"


def rate_limit(scope: str) -> str:
    """Return the key that is set as long as nothing is sent to `scope`."""
    return f"{_PREFIX}:notbefore:{scope}"


def slots(scope: str) -> str:
    """Return the key of the time until which the slots of a rate are used, in milliseconds since the epoch."""
    return f"{_PREFIX}:{{{scope}}}:used"


def slot_queue(scope: str, rank: int) -> str:
    """Return the key of a sorted set of the members of a rank that wait for a slot of a rate, by their turns."""
    return f"{_PREFIX}:{{{scope}}}:waiting:{rank}"


@cache
def _tag(partition: int) -> str:
    """Return the prefix of all keys of a partition, which puts them into one slot of a cluster."""
    return f"{_PREFIX}:{{p{partition}}}"


# The patterns of all subscriptions, which the rules of a user must have as they are.
SUBSCRIPTIONS = (
    changed_pattern(),
    dirty_pattern("ready"),
    dirty_pattern("outbox"),
    running_pattern(),
    timer_channel(),
)
