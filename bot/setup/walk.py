"""Walks a person through the setup in Slack, or looks at what the environment has without a question."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
from pydantic import SecretStr

from bot.install.flow import INSTALL
from bot.settings import Settings, read_settings
from bot.setup.app import link_of, manifest_for, read_variables, write_variables
from bot.setup.checks import call, identity_of, scopes_of, socket_of
from bot.setup.proof import prove
from bot.store_check import Finding
from supervisor.core.errors import InvalidInput

BOT, APP, SIGNING = "SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET"
_BEGINS = {BOT: "xoxb-", APP: "xapp-", SIGNING: ""}
_WHERE = {
    BOT: "Install the app under Install App, and copy the Bot User OAuth Token (xoxb-…).",
    APP: "Under Basic Information → App-Level Tokens, generate one with connections:write (xapp-…).",
    SIGNING: "Under Basic Information → App Credentials, copy the Signing Secret.",
}
_SECONDS = 10
Ask = Callable[..., Any]


class Walk:
    """One setup. `note` is told what was found, and `tell` what to do; without `ask` nothing is asked or written."""

    def __init__(
        self,
        note: Callable[[Finding], None],
        tell: Callable[[str], None],
        ask: Ask | None,
        file: Path,
        url: str,
        place: str,
        seconds: float,
    ) -> None:
        self._note, self._tell, self._ask, self._file = note, tell, ask, file
        self._url, self._place, self._seconds = url, place, seconds

    async def go(self) -> None:
        """Go through all of it, as far as it is right."""
        settings = self._settings()
        if settings is None:
            return
        if self._ask:
            self._app(settings)
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_SECONDS)) as session:
            settings, given = await self._tokens(session, settings)
        if given and self._ask:
            self._write(given)
        if not settings.slack_bot_token:
            return
        if not settings.slack_app_token:
            said = "in HTTP mode Slack itself tries the request URL out when you save it, while Flagman runs"
            self._note(
                Finding("Clicks and events", "note", said, "start flagman serve, then save the URL in Slack")
            )
            return
        place = self._place
        if self._ask and not place:
            place = str(
                self._ask("Channel with the bot, or your user id, for a message with a button", default="")
            )
        if not place:
            said = "not proven, as no place for a message was named"
            self._note(Finding("Clicks and events", "note", said, "name one with --to"))
            return
        async for finding in prove(settings, place, self._seconds, self._tell):
            self._note(finding)

    def _settings(self) -> Settings | None:
        """The settings, with the variables of the file where the environment has none."""
        stored = read_variables(self._file)
        # Those that are missing are told, or asked for, one by one.
        tokens = {name: os.environ.pop(name, "") or stored.get(name, "") for name in _BEGINS}
        fields = ("slack_bot_token", "slack_app_token", "slack_signing_secret")
        try:
            update = {
                field: SecretStr(value) if value else None
                for field, value in zip(fields, tokens.values(), strict=True)
            }
            return read_settings().model_copy(update=update)
        except InvalidInput as error:
            self._note(
                Finding("Environment", "wrong", str(error), "set it right; the README has a table of all")
            )
            return None

    def _app(self, settings: Settings) -> None:
        assert self._ask
        self._tell("1. Create the app. Slack shows what it may do before it is created:")
        self._tell(link_of(manifest_for(settings.command, self._url)))
        self._tell(
            "If the link does not open: api.slack.com/apps, Create New App, From a manifest, and paste "
            "docs/slack-app.yaml."
        )
        self._ask("Press Enter when it is created", default="", show_default=False)

    async def _tokens(
        self, session: aiohttp.ClientSession, settings: Settings
    ) -> tuple[Settings, dict[str, str]]:
        """The settings with both tokens as far as Slack takes them, and those that were entered."""
        given: dict[str, str] = {}
        token = settings.slack_bot_token
        while True:
            token = token or self._entered(BOT, given)
            if token is None and settings.installs:
                said = "none, since workspaces install Flagman by themselves"
                self._note(Finding("Slack's bot token", "note", said, f"open {INSTALL} of its address there"))
                return await self._way_in(session, settings, given), given
            if token is None:
                self._note(Finding("Slack's bot token", "wrong", f"there is no {BOT}", _WHERE[BOT]))
                return settings.model_copy(update={"slack_bot_token": None}), given
            answer, headers = await call(session, settings, "auth.test", token)
            self._note(identity_of(settings, answer))
            if answer.get("ok"):
                self._note(scopes_of(headers))
                break
            given.pop(BOT, None)
            if self._ask is None or "unreachable" in answer:
                return settings.model_copy(update={"slack_bot_token": None}), given
            token = None
        settings = settings.model_copy(update={"slack_bot_token": token})
        return await self._way_in(session, settings, given), given

    async def _way_in(
        self, session: aiohttp.ClientSession, settings: Settings, given: dict[str, str]
    ) -> Settings:
        if self._url or (settings.slack_signing_secret and not settings.slack_app_token):
            secret = settings.slack_signing_secret or self._entered(SIGNING, given)
            state = Finding("Slack's way in", "ok", "HTTP mode")
            missing = Finding("Slack's way in", "wrong", f"there is no {SIGNING}", _WHERE[SIGNING])
            self._note(state if secret else missing)
            return settings.model_copy(update={"slack_signing_secret": secret, "slack_app_token": None})
        token = settings.slack_app_token
        while True:
            token = token or self._entered(APP, given)
            if token is None:
                self._note(Finding("Slack's way in", "wrong", f"there is no {APP}", _WHERE[APP]))
                return settings.model_copy(update={"slack_app_token": None})
            opened, _ = await call(session, settings, "apps.connections.open", token)
            self._note(socket_of(opened))
            if opened.get("ok"):
                return settings.model_copy(update={"slack_app_token": token})
            given.pop(APP, None)
            if self._ask is None or "unreachable" in opened:
                return settings.model_copy(update={"slack_app_token": None})
            token = None

    def _entered(self, name: str, given: dict[str, str]) -> SecretStr | None:
        """What the person enters for a variable; None where nothing is asked, or they enter nothing."""
        if self._ask is None:
            return None
        self._tell(_WHERE[name])
        while True:
            text = str(self._ask(name, default="", show_default=False, hide_input=True)).strip()
            if not text:
                return None
            if text.startswith(_BEGINS[name]):
                given[name] = text
                return SecretStr(text)
            self._tell(
                f"That does not begin with {_BEGINS[name]}, so it is another one. Enter it again, or nothing."
            )

    def _write(self, given: dict[str, str]) -> None:
        assert self._ask
        names = " and ".join(given)
        sure = str(
            self._ask(
                f"Write {names} to {self._file}, which only you may read? [y/N]",
                default="n",
                show_default=False,
            )
        )
        if not sure.lower().startswith("y"):
            self._tell(f"Nothing is written. Set {names} yourself.")
            return
        try:
            write_variables(self._file, given)
        except OSError as error:
            self._note(
                Finding(
                    "File",
                    "wrong",
                    f"{self._file} cannot be written ({error.strerror})",
                    "choose another with --env",
                )
            )
            return
        self._note(Finding("File", "ok", f"{self._file}, mode 0600"))
        self._tell(f"Start Flagman with it: set -a; . {self._file}; set +a; flagman serve")
