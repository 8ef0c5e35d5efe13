"""`flagman settings`: the settings of a channel, and where each comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.client import Json, reach

if TYPE_CHECKING:
    from bot.sdk.http_backend import HttpBackend
    from supervisor.contract.models import SettingView

app = typer.Typer()


@app.command("settings", rich_help_panel="Setup")
def settings(
    channel: Annotated[str, typer.Argument(metavar="CHANNEL", help="The id of a Slack channel.")],
    change: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CHANGE]",
            help="`persona sre`, `approvers @sre U0ADA0001`, `limits steps=20 usd=2 minutes=30`, "
            "`reset persona`; nothing shows the settings.",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Show or change what holds for the sessions of a channel."""

    async def work(remote: HttpBackend) -> None:
        from bot.cli.terminal import as_json, table
        from supervisor.contract.settings import parse_settings

        request = parse_settings(" ".join(change or []))
        if request is None:
            found = await remote.channel_settings(channel)
        else:
            found = await remote.change_channel_settings(channel, request)
        if json:
            as_json(found)
        else:
            rows = [(one.name, one.text or "none", _origin(one)) for one in found.settings]
            table(("SETTING", "VALUE", "ORIGIN"), rows, wide=2)

    reach(work)


def _origin(setting: SettingView) -> str:
    from bot.cli.terminal import clock

    if setting.origin == "channel":
        when = f", {clock(setting.at)}" if setting.at else ""
        return f"this channel, set by {setting.by_name or setting.by}{when}"
    what = {"installation": "the installation", "persona": "the persona", "default": "built-in default"}
    return f"{what[setting.origin]} {setting.source if setting.origin != 'default' else ''}".strip()
