"""What an agent decides with `note_decision` needs no approval, and everybody who looks at its session reads it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from pydantic import SecretStr

from bot.sdk import Session, connect
from tests.cli.served import Cli, environment
from tests.support.scenario import Director
from tests.support.scripted import calls, in_turn, says
from tests.support.slack import OPS, texts

KEY = "all-key-0123456789abcdef"
NOTED = {"decision": "Use <!channel> JWT", "why": "No session store,\nand *both* can check it."}
SAID = "Use <!channel> JWT – No session store, and *both* can check it."


async def test_it_is_on_the_card_and_in_every_view(scenario: Director, tmp_path: Path) -> None:
    script = in_turn(calls(("note_decision", NOTED), ("deploy", {"service": "shop"})), says("Done."))
    scene = await scenario(script, api_keys=SecretStr(f"boss:admin:{KEY}"))
    session = await scene.launch()
    await scene.waiting(session)
    card = await scene.slack.message(OPS, lambda m: "Decided: Use" in texts(m))
    assert SAID in texts(card)
    (call, _) = (await scene.flagman.core.supervisor.get(session.id)).steps[0].calls
    assert (call.call.mode, call.phase, call.content) == ("allow", "finished", "Noted.")

    url = await scene.flagman.add_api()
    async with connect(url, api_key=KEY):
        (noted,) = (await Session.load(session.id)).decisions
    assert (noted.call_id, noted.decision, noted.why) == ("1.1", NOTED["decision"], NOTED["why"])
    cli = Cli(tmp_path, environment(FLAGMAN_URL=url, FLAGMAN_API_KEY=KEY))
    shown, log = [await asyncio.to_thread(cli, verb, session.id) for verb in ("show", "log")]
    assert f"decided   {SAID}" in shown.stdout
    assert f"decided (1.1): {SAID}" in log.stdout
    document = await asyncio.to_thread(cli, "log", session.id, "--markdown")
    assert r"| the agent | decided: **Use \<!channel> JWT** | `1.1` |" in document.stdout
