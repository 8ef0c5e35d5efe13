"""The events of a session: facts in the past tense, each stored as one JSON object with type and schema version."""

from supervisor.core.events.base import *  # noqa: F403
from supervisor.core.events.calls import *  # noqa: F403
from supervisor.core.events.codec import *  # noqa: F403
from supervisor.core.events.grants import *  # noqa: F403
from supervisor.core.events.session import *  # noqa: F403
from supervisor.core.events.subagents import *  # noqa: F403
