"""The service of the settings of channels, on behalf of one actor."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from supervisor.contract.access import Access
from supervisor.contract.models import SettingChange, SettingsView, SettingView
from supervisor.contract.parts import ServiceParts
from supervisor.contract.requests import ApproversRequest, LimitsRequest, SettingsRequest
from supervisor.core.commands.limits import LIMITS, SETTING_LABELS, SettingName, parse_limits
from supervisor.core.errors import InvalidInput, PersonaNotFound
from supervisor.core.events import Actor
from supervisor.core.events.base import workspace_of
from supervisor.core.messages import Json
from supervisor.core.persona import Approvers, Persona, in_workspace
from supervisor.core.rights import of_workspace
from supervisor.place_settings import PlaceRow, Setting, Value, value_text

_FORMS = "persona <name>", "approvers @group <user id>", "limits steps=20 usd=2 minutes=30", "reset <setting>"


class SettingsService:
    """Reads and changes the settings of channels. Methods raise FlagmanError or StorageError."""

    def __init__(self, parts: ServiceParts, actor: Actor) -> None:
        self.actor, self._parts = actor, parts
        self._places, self._access = parts.places, Access(parts, actor)

    async def get(self, channel: str) -> SettingsView:
        """The settings of a channel, which the actor sees. Raises ChannelNotFound."""
        origin = self._origin(channel)
        await self._access.check_place(origin)
        return self._view(await self._places.row(self._parts.channels.channel_of(origin) or ""))

    async def change(self, channel: str, request: SettingsRequest) -> SettingsView:
        """Change settings of a channel. Raises NotAllowed, ChannelNotFound, PersonaNotFound or InvalidInput."""
        origin = self._origin(channel)
        actor, place = await self._access.administrator(origin), self._parts.channels.channel_of(origin) or ""
        row = await self._places.change(place, actor, await self._wanted(request, workspace_of(origin)))
        if row.untold:
            self._parts.settings_changed(place)
        return self._view(row)

    def _origin(self, channel: str) -> Json:
        return of_workspace(self.actor, self._parts.channels.origin_of(channel))

    async def _wanted(self, request: SettingsRequest, workspace: str) -> Mapping[SettingName, Value | None]:
        wanted: dict[SettingName, Value | None] = dict.fromkeys(request.reset)
        if request.persona:
            wanted["persona"] = (await self._parts.supervisor.personas.launchable(request.persona)).name
        if request.approvers:
            wanted["approvers"] = await self._approvers(request.approvers, workspace)
        for name, value in request.limits.limits().given.items() if request.limits else ():
            wanted[name] = value
        if not wanted:
            raise InvalidInput(f"Change what? One of: {', '.join(f'`{form}`' for form in _FORMS)}.")
        return wanted

    async def _approvers(self, given: ApproversRequest, workspace: str) -> Approvers:
        """The approvers, each of whom there is. Raises InvalidInput."""
        users = tuple(dict.fromkeys(in_workspace(user, workspace) for user in given.users))
        groups = tuple(dict.fromkeys(group.removeprefix("@") for group in given.groups))
        if not users and not groups:
            raise InvalidInput("Name at least one person or group; `reset approvers` takes the setting back.")
        for rule in [*(Approvers(users=(u,)) for u in users), *(Approvers(groups=(g,)) for g in groups)]:
            if await self._parts.directory.reach(rule, (), workspace) < 1:
                name = value_text("approvers", rule)
                raise InvalidInput(
                    f"Nobody could approve as `{name}`: name a group with members, or a person."
                )
        return Approvers(users=users, groups=groups)

    def _view(self, row: PlaceRow) -> SettingsView:
        persona = self._persona(row.values.persona or self._places.installation.persona)
        return SettingsView(
            channel=row.place,
            settings=[_setting_view(one) for one in self._places.holding(row, persona)],
            changes=[
                SettingChange(**change.model_dump(exclude={"by_owner"})) for change in reversed(row.changes)
            ],
        )

    def _persona(self, name: str) -> Persona | None:
        try:
            return self._parts.supervisor.personas.get(name) if name else None
        except PersonaNotFound:
            return None


def parse_settings(words: str) -> SettingsRequest | None:
    """Return what `persona sre`, `limits steps=20 usd=2`, `approvers @sre U0ADA` or `reset persona` changes.

    None for no words, which show the settings. Raises InvalidInput with the expected forms.
    """
    verb, *rest = words.split()[:60] or [""]
    match verb.lower():
        case "":
            return None
        case "persona" if len(rest) == 1:
            return SettingsRequest.of(persona=rest[0].strip("`").lower())
        case "approvers" if rest:
            names = [name for word in rest for name in word.split(",") if name]
            groups = [name for name in names if name.startswith("@")]
            return SettingsRequest.of(
                approvers=ApproversRequest.of(users=[n for n in names if n not in groups], groups=groups)
            )
        case "limits" | "limit" if rest:
            return SettingsRequest.of(limits=limits_request(rest))
        case "reset" if rest:
            return SettingsRequest.of(reset=[name for word in rest for name in _names(word.lower())])
    raise InvalidInput(f"Write one of: {', '.join(f'`settings {form}`' for form in _FORMS)}.")


def limits_request(words: list[str]) -> LimitsRequest:
    """Return the limits in `steps=20 usd=2 minutes=30`. Raises InvalidInput."""
    limits = parse_limits(words)
    usd = None if limits.usd is None else float(limits.usd)
    return LimitsRequest.of(steps=limits.steps, usd=usd, minutes=limits.minutes)


def _names(word: str) -> list[str]:
    if word in ("limits", "limit"):
        return list(LIMITS)
    if word == "all":
        return list(SETTING_LABELS)
    return [word]


def _setting_view(setting: Setting) -> SettingView:
    value, by = setting.value, setting.set_by
    return SettingView(
        name=setting.name,
        value=float(value) if isinstance(value, Decimal) else value,
        text=value_text(setting.name, value),
        origin="channel" if setting.origin == "place" else setting.origin,
        source=setting.source,
        by=by.by if by else "",
        by_name=by.by_name if by else "",
        at=by.at if by else None,
    )
