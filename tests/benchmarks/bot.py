"""Run as a process: Flagman behind Slack (`busy`), or one of the bare Bolt apps, the floor of it."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from bot.processes import slack as bolt
from bot.settings import Settings
from bot.workers import workers
from supervisor.core.messages import ModelReply, ModelRequest, ToolTurn, UserTurn
from supervisor.models import make_gateway
from supervisor.models.gateway import Gateway
from tests.benchmarks.bare_bolt import BARE, bare
from tests.benchmarks.stand import TOOLS, Scripted, proposing, settings
from tests.support.flagman import Flagman
from tests.support.slack import APP_TOKEN, BOT_TOKEN, SIGNING_SECRET

RUNNING, APPROVING, ONCE = "Watch the shop.", "Bring the shop back up.", "Restart once."
THINKING = 2.0
DONE = proposing("restart").model_copy(update={"text": "The shop is up again.", "calls": ()})


class Both:
    """Sessions that run think for two seconds between steps; those that are approved propose at once, or once only."""

    description = "scripted:benchmark"

    def __init__(self) -> None:
        self._runs, self._asks = Scripted("look", thinking=THINKING), Scripted("restart")

    async def reply(self, request: ModelRequest) -> ModelReply:
        first = request.turns[0]
        if isinstance(first, UserTurn) and first.text == ONCE and isinstance(request.turns[-1], ToolTurn):
            return DONE
        running = isinstance(first, UserTurn) and first.text == RUNNING
        return await (self._runs if running else self._asks).reply(request)

    async def close(self) -> None:
        """Nothing is held."""


def configured(folder: Path, redis_url: str, api_url: str, port: int, *, http: bool) -> Settings:
    given: dict[str, Any] = {
        "slack_bot_token": BOT_TOKEN,
        "slack_app_token": None if http else APP_TOKEN,
        "slack_signing_secret": SIGNING_SECRET,
        "secret_key": "a-key-for-measurements-only-0123456789",
        "slack_api_url": api_url,
        "port": port,
        "slots": 400,
    }
    return settings(folder, redis_url, **given)


async def busy(config: Settings, stack: AsyncExitStack, gateway: Gateway) -> None:
    """Everything in one process on one connection to the store, as in `flagman serve`."""
    flagman = await stack.enter_async_context(Flagman(config, gateway, tools=TOOLS, hands=0))
    _, client = await stack.enter_async_context(bolt.clients(config))
    both = workers(flagman.core, client, gateway)
    tasks = [asyncio.create_task(worker.run()) for worker in both]

    async def stop() -> None:
        for worker in both:
            worker.stop()
        await asyncio.gather(*tasks)

    stack.push_async_callback(stop)


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["busy", *BARE])
    parser.add_argument("folder", type=Path)
    parser.add_argument("redis_url")
    parser.add_argument("api_url")
    parser.add_argument("port", type=int)
    parser.add_argument("--http", action="store_true")
    parser.add_argument("--model", default="", help="a model of a provider instead of the scripted one")
    options = parser.parse_args()
    logging.basicConfig(level=logging.CRITICAL)
    config = configured(options.folder, options.redis_url, options.api_url, options.port, http=options.http)
    async with AsyncExitStack() as stack:
        if options.what in BARE:
            await bare(config, stack, BARE[options.what])
        else:
            await busy(config, stack, make_gateway(options.model) if options.model else Both())
        print("ready", flush=True)
        # Until the one who started us closes our input.
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
        )
        await reader.read()


if __name__ == "__main__":
    asyncio.run(main())
