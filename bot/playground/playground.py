"""The playground as a whole: the workspace, its open pages and the connection to the app."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bot.playground import seed
from bot.playground.faults import Faults
from bot.playground.hub import Hub
from bot.playground.limits import RateLimits
from bot.playground.modals import Modals
from bot.playground.responses import ResponseUrls
from bot.playground.settings import Settings
from bot.playground.store import Json, Store
from bot.playground.timeline import Timeline
from bot.playground.transport.delivery import Delivery
from bot.playground.transport.events import Events
from bot.playground.transport.http_mode import HttpLink
from bot.playground.triggers import Triggers
from bot.playground.workspace import Workspace

CALLS_KEPT = 20_000


@dataclass(frozen=True)
class RecordedCall:
    """A call of the Web API, recorded for tests."""

    method: str
    args: Json
    at: float
    ok: bool
    error: str
    status: int
    fault: bool

    def shown(self) -> Json:
        """Return the call as a JSON object."""
        return asdict(self)


class Playground:
    """A local stand-in for Slack; `mount` or `start` in `bot.playground.app` puts it on the network."""

    def __init__(
        self,
        data: Path | None,
        *,
        base_url: str,
        bot_token: str,
        app_token: str,
        signing_secret: str,
        events_url: str | None = None,
        manifest: seed.Manifest | None = None,
        rate_limits: bool = True,
        ack_seconds: float = 3.0,
        trigger_seconds: float = 3.0,
        retry_delays: Sequence[float] = (1.0, 60.0, 300.0),
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.bot_token = bot_token
        self.app_token = app_token
        self.store = Store(data)
        self.hub = Hub()
        self.workspace = Workspace(self.store, manifest or seed.Manifest())
        self._http = HttpLink(events_url, signing_secret)
        self.delivery = Delivery(self._http, self.hub, ack_seconds, retry_delays)
        self.events = Events(self.workspace, self.delivery)
        self.timeline = Timeline(self.workspace, self.hub, self.events)
        self.modals = Modals(self.store, self.hub)
        self.triggers = Triggers(trigger_seconds)
        self.responses = ResponseUrls(self.workspace, self.timeline)
        self.faults = Faults()
        self.settings = Settings(rate_limits=rate_limits)
        self.limits = RateLimits(self.settings)
        self.uploads: dict[str, str] = {}
        self._pending: dict[Callable[[], None], asyncio.TimerHandle] = {}
        self.calls: deque[RecordedCall] = deque(maxlen=CALLS_KEPT)

    @property
    def api_url(self) -> str:
        """The `base_url` for the app's Slack client."""
        return f"{self.base_url}/api/"

    @property
    def events_url(self) -> str | None:
        """The URL that receives signed deliveries while no websocket is open."""
        return self._http.url

    @events_url.setter
    def events_url(self, url: str | None) -> None:
        self._http.url = url

    def record(self, method: str, args: Json, status: int, body: Json, *, fault: bool) -> None:
        """Record a call of the Web API."""
        ok = bool(body.get("ok"))
        error = str(body.get("error", ""))
        self.calls.append(RecordedCall(method, args, time.time(), ok, error, status, fault))

    def toast(self, user: str, code: str, text: str) -> None:
        """Show an error message to one person."""
        self.hub.publish("toast", {"code": code, "text": text}, frozenset({user}))

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Call `act` after `seconds`, at once if that is 0; closing the playground cancels it."""
        if seconds <= 0:
            act()
            return
        timer = asyncio.get_running_loop().call_later(seconds, self._act, act)
        self._pending[act] = timer

    def hurry(self) -> int:
        """Make all delayed calls now and return their number."""
        pending = list(self._pending)
        for act in pending:
            self._act(act)
        return len(pending)

    def _act(self, act: Callable[[], None]) -> None:
        self._pending.pop(act).cancel()
        act()

    async def disconnect(self) -> None:
        """Close all connections of the pages and of the app."""
        self.hub.close()
        await self.delivery.disconnect()

    async def close(self) -> None:
        """Cancel delayed calls, close all connections and close the store."""
        for timer in self._pending.values():
            timer.cancel()
        await self.disconnect()
        self.store.close()
