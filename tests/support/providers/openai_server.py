"""A model provider on localhost that speaks OpenAI's HTTP, scripted step by step.

    async with OpenAIServer() as server:
        server.script([calls(("shell", {"command": "ls"})), text("Done.")])
        ... OPENAI_BASE_URL=server.url ...
        assert server.requests[0].conversation()[-1] == Said("user", "List the files")

Steps are used up in order; afterwards `server.behaviour` answers, a function of the recorded request.
The default one obeys the last user message: each line `!tool {json}` is a call, all in parallel.

On its own: `python -m tests.support.providers.openai_server --port 9000 --script steps.json`, where the file holds a
list such as `[{"kind": "calls", "calls": [["shell", {"command": "ls"}]]}, {"kind": "text", "text": "Hi"}]`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self, cast

from aiohttp import web

from tests.support.providers.openai_wire import Arguments, Recorded, Said, Step, chat_body, responses_body

__all__ = [
    "OpenAIServer",
    "Recorded",
    "Said",
    "Step",
    "calls",
    "drop",
    "error",
    "garbage",
    "obey",
    "raw",
    "slow",
    "text",
]


def text(answer: str, **more: Any) -> Step:
    return Step("text", text=answer, **more)


def calls(*proposed: tuple[str, Arguments], **more: Any) -> Step:
    return Step("calls", calls=proposed, **more)


def error(
    status: int,
    message: str = "scripted error",
    *,
    retry_after: float | str | None = None,
    code: str | None = None,
) -> Step:
    wait = None if retry_after is None else str(retry_after)
    return Step("error", text=message, status=status, retry_after=wait, code=code)


def slow(seconds: float, then: Step | None = None) -> Step:
    return replace(then or text("Sorry for the wait."), wait=seconds)


def drop() -> Step:
    """Close the connection without an answer."""
    return Step("drop")


def garbage() -> Step:
    """Answer 200 with something that is no model's reply."""
    return Step("garbage")


def raw(body: object) -> Step:
    """Answer 200 with this: a text as it is, anything else as JSON."""
    return Step("raw", text=body if isinstance(body, str) else json.dumps(body))


Behaviour = Callable[[Recorded], Step]


def obey(request: Recorded) -> Step:
    """Make the calls that the last user message asks for (`!tool {json}`), then report their results."""
    conversation = request.conversation()
    asked = max((n for n, said in enumerate(conversation) if said.role == "user"), default=0)
    results = [said.text for said in conversation[asked:] if said.role == "result"]
    if results:
        return text("Results:\n" + "\n".join(results))
    wanted = [
        line[1:].partition(" ") for line in conversation[asked].text.splitlines() if line.startswith("!")
    ]
    if wanted:
        return calls(*((tool, json.loads(arguments or "{}")) for tool, _, arguments in wanted))
    return text(f"You said: {conversation[asked].text}")


@dataclass
class OpenAIServer:
    """The server; `url` goes into OPENAI_BASE_URL. `abandoned` counts requests whose client went away."""

    port: int = 0
    behaviour: Behaviour = obey
    requests: list[Recorded] = field(default_factory=list)
    abandoned: int = 0
    _steps: deque[Step] = field(default_factory=deque)
    _runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def script(self, steps: Iterable[Step]) -> None:
        """Answer the coming requests with these, in order; replaces what was left of an earlier script."""
        self._steps = deque(steps)

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=64 * 1024**2)
        app.router.add_post("/v1/chat/completions", self._answer)
        app.router.add_post("/v1/responses", self._answer)
        app.router.add_get("/v1/models", _models)
        # A client that goes away cancels its handler, which is how `abandoned` is counted.
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        recorded = Recorded(request.path, dict(request.headers), await request.json())
        self.requests.append(recorded)
        step = self._steps.popleft() if self._steps else self.behaviour(recorded)
        try:
            await asyncio.sleep(step.wait)
        except asyncio.CancelledError:
            self.abandoned += 1
            raise
        return _rendered(step, request, recorded)


def _rendered(step: Step, request: web.Request, recorded: Recorded) -> web.StreamResponse:
    match step.kind:
        case "drop":
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        case "garbage":
            return web.json_response({"hello": "I am a proxy"})
        case "raw":
            return web.Response(text=step.text, content_type="application/json")
        case "error":
            headers = {} if step.retry_after is None else {"Retry-After": step.retry_after}
            body = {"error": {"message": step.text, "type": "scripted", "param": None, "code": step.code}}
            return web.json_response(body, status=step.status, headers=headers)
    shape = chat_body if recorded.path.endswith("/chat/completions") else responses_body
    return web.json_response(shape(step, recorded.body.get("model", "scripted")))


async def _models(_: web.Request) -> web.Response:
    return web.json_response({"object": "list", "data": [{"id": "scripted", "object": "model"}]})


def load(path: Path) -> list[Step]:
    """Steps from a JSON file; the keys are the fields of Step."""
    steps = json.loads(path.read_text())
    return [
        Step(**{**step, "calls": tuple((tool, a) for tool, a in step.get("calls", []))}) for step in steps
    ]


async def serve(port: int, script: Path | None) -> None:
    async with OpenAIServer(port=port) as server:
        server.script(load(script) if script else [])
        print(server.url, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--script", type=Path)
    options = parser.parse_args()
    asyncio.run(serve(cast(int, options.port), options.script))
