"""Control routes for tests: planned failures, recorded calls, cut connections and repeated deliveries."""

from aiohttp import web
from pydantic import ValidationError

from bot.playground.control.json_routes import Route, as_json, read_body
from bot.playground.errors import Refusal
from bot.playground.faults import Fault
from bot.playground.people.members import outcome
from bot.playground.playground import Playground
from bot.playground.store import Json
from bot.playground.transport.link import Ack
from bot.playground.transport.socket_mode import DISCONNECT_REASONS

KINDS = ("events_api", "slash_commands", "interactive")


class Trials:
    """Routes that disturb or record the traffic between the app and the playground."""

    def __init__(self, playground: Playground) -> None:
        self._playground = playground

    def routes(self) -> list[Route]:
        """Return the method, path and handler of each route."""
        trials = {
            ("GET", "calls"): self._calls,
            ("DELETE", "calls"): self._clear_calls,
            ("GET", "faults"): self._faults,
            ("POST", "faults"): self._plan_fault,
            ("DELETE", "faults"): self._clear_faults,
            ("POST", "share"): self._share,
            ("POST", "disconnect"): self._disconnect,
            ("POST", "redeliver"): self._redeliver,
            ("POST", "deliver"): self._deliver,
        }
        return [(method, f"/playground/{name}", as_json(do)) for (method, name), do in trials.items()]

    async def _calls(self, request: web.Request) -> Json:
        method = request.query.get("method")
        calls = [call.shown() for call in self._playground.calls if method in (None, "", call.method)]
        return {"ok": True, "calls": calls}

    async def _faults(self, _: web.Request) -> Json:
        return {"ok": True, "faults": self._playground.faults.listed()}

    async def _plan_fault(self, request: web.Request) -> Json:
        try:
            self._playground.faults.plan(Fault.model_validate(await read_body(request)))
        except ValidationError as error:
            raise Refusal(400, "invalid_fault", str(error)) from error
        return {"ok": True}

    async def _clear_faults(self, _: web.Request) -> Json:
        self._playground.faults.clear()
        return {"ok": True}

    async def _clear_calls(self, _: web.Request) -> Json:
        self._playground.calls.clear()
        return {"ok": True}

    async def _share(self, _: web.Request) -> Json:
        return {"ok": True, "shared": self._playground.hurry()}

    async def _disconnect(self, request: web.Request) -> Json:
        how = str((await read_body(request)).get("how", "warning"))
        if how not in (*DISCONNECT_REASONS, "drop"):
            raise Refusal(400, "invalid_how", f"`how` is drop or one of {', '.join(DISCONNECT_REASONS)}.")
        return {"ok": True, "connections": await self._playground.delivery.sockets.disconnect(how)}

    async def _redeliver(self, request: web.Request) -> Json:
        ack = await self._playground.delivery.tell_again((await read_body(request)).get("event_id"))
        if ack is None:
            raise Refusal(404, "event_not_found", "There is no such event, or nobody to send it to.")
        return self._delivered(ack)

    async def _deliver(self, request: web.Request) -> Json:
        body = await read_body(request)
        kind, payload = body.get("type"), body.get("payload")
        if kind not in KINDS or not isinstance(payload, dict):
            raise Refusal(
                400, "invalid_delivery", f"`type` is one of {', '.join(KINDS)}, `payload` an object."
            )
        return self._delivered(await self._playground.delivery.ask(kind, payload))

    def _delivered(self, ack: Ack) -> Json:
        return {**outcome(self._playground, "", ack), "response": ack.payload}
