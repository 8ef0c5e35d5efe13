"""What is set for the sessions of a place: a persona, who approves besides, and limits; with who set it, and when."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

from pydantic import Field

from storage.errors import StorageError
from storage.rows import RowStore
from supervisor.core.commands.base import MAX_NAME
from supervisor.core.commands.limits import (
    LIMITS,
    SETTING_LABELS,
    LimitName,
    Limits,
    SettingName,
    check_within,
    limit_text,
    limits_of,
    strictest,
    within,
)
from supervisor.core.events import Actor
from supervisor.core.messages import Frozen, Json
from supervisor.core.persona import Approvers, Budgets, Persona
from supervisor.core.text.sanitize import clean_text

Origin = Literal["place", "installation", "persona", "default"]
Value = str | Approvers | int | Decimal | float
# How many changes of a place are kept.
MOST_CHANGES = 100
AGAIN = timedelta(minutes=1)
_log = logging.getLogger("flagman.places")


class SetBy(Frozen):
    """Who set something, and when."""

    by: str
    by_name: str = ""
    by_owner: str = ""
    at: datetime


class Change(SetBy):
    """A change of one setting; a text that is empty stands for none."""

    name: SettingName
    before: str
    after: str


class Values(Frozen):
    """What is set; the empty name and None stand for nothing."""

    persona: str = ""
    approvers: Approvers | None = None
    limits: Limits = Limits()

    def value(self, name: SettingName) -> Value | None:
        if name == "persona":
            return self.persona or None
        return self.approvers if name == "approvers" else self.limits.given.get(name)

    def replaced(self, name: SettingName, value: Value | None) -> Values:
        """The values with one of them replaced."""
        if name in LIMITS:
            limits = Limits.model_validate({**self.limits.model_dump(), name: value})
            return self.model_copy(update={"limits": limits})
        return self.model_copy(update={name: value if name == "approvers" else value or ""})


class PlaceRow(Frozen):
    """The settings of one place. The last `untold` of its changes have not been announced there.

    Until `telling_until` a process is about to.
    """

    place: str
    values: Values = Values()
    set_by: dict[SettingName, SetBy] = Field(default_factory=dict)
    changes: tuple[Change, ...] = ()
    untold: int = 0
    telling_until: datetime | None = None


class Installation(Frozen):
    """What the whole installation sets; `variables` are the names of the settings by which it does."""

    persona: str = ""
    limits: Limits = Limits()
    variables: dict[str, str] = Field(default_factory=dict)

    def variable(self, name: SettingName) -> str:
        return self.variables.get(name, "the settings of this installation")


class Setting(Frozen):
    """A setting as it holds: `value` is None where there is none, and `source` is who or what set it."""

    name: SettingName
    value: Value | None
    origin: Origin
    source: str = ""
    set_by: SetBy | None = None


class PlaceSettings:
    """Reads and changes the settings of places. `place_of` returns the place in an origin, empty where it has none."""

    def __init__(
        self,
        rows: RowStore,
        place_of: Callable[[Json], str | None],
        clock: Callable[[], datetime],
        installation: Installation | None = None,
    ) -> None:
        self._rows, self._place_of, self._clock = rows, place_of, clock
        self.installation = installation or Installation()

    async def row(self, place: str) -> PlaceRow:
        stored = await self._rows.get(place) if place else None
        return PlaceRow.model_validate_json(stored) if stored else PlaceRow(place=place)

    async def default_persona(self, origin: Json) -> str:
        """The name of the persona that is launched at a place where none is named; empty where there is none."""
        row = await self.row(self._place_of(origin) or "")
        return row.values.persona or self.installation.persona

    async def ruled(self, persona: Persona, origin: Json, asked: Limits | None = None) -> Persona:
        """The persona as it is launched at the place of an origin: within its limits, and with its approvers besides.

        Raises InvalidInput where more is asked for than the persona, the place or the installation allows.
        """
        row = await self.row(self._place_of(origin) or "")
        held = {name: self._limit(name, persona, row) for name in LIMITS}
        allowed = strictest(limits_of(persona.budgets), self.installation.limits, row.values.limits)
        check_within(asked or Limits(), allowed, {name: _whose(one) for name, one in held.items()})
        budgets = within(within(persona.budgets, allowed), asked or Limits())
        return persona.model_copy(update={"budgets": budgets, "narrowed_to": row.values.approvers})

    def holding(self, row: PlaceRow, persona: Persona | None) -> list[Setting]:
        """Every setting of a place as it holds for a persona, with its origin."""
        return [self._setting(name, row, persona) for name in SETTING_LABELS]

    def _setting(self, name: SettingName, row: PlaceRow, persona: Persona | None) -> Setting:
        if name != "persona" and name != "approvers":
            return self._limit(name, persona, row)
        if (value := row.values.value(name)) is not None:
            return Setting(name=name, value=value, origin="place", set_by=row.set_by.get(name))
        if name == "approvers":
            return Setting(name=name, value=None, origin="persona", source=persona.name if persona else "")
        if self.installation.persona:
            source = self.installation.variable(name)
            return Setting(name=name, value=self.installation.persona, origin="installation", source=source)
        return Setting(name=name, value=None, origin="default")

    def _limit(self, name: LimitName, persona: Persona | None, row: PlaceRow) -> Setting:
        """The strictest of a limit, with where it comes from."""
        found: list[tuple[Value, Setting]] = []
        if (value := row.values.limits.given.get(name)) is not None:
            found.append(
                (value, Setting(name=name, value=value, origin="place", set_by=row.set_by.get(name)))
            )
        if (value := self.installation.limits.given.get(name)) is not None:
            source = self.installation.variable(name)
            found.append((value, Setting(name=name, value=value, origin="installation", source=source)))
        default = limits_of(Budgets()).given.get(name)
        value = limits_of(persona.budgets).given.get(name) if persona else default
        if value is not None:
            origin: Origin = "default" if value == default else "persona"
            source = persona.name if persona else ""
            found.append((value, Setting(name=name, value=value, origin=origin, source=source)))
        if not found:
            return Setting(name=name, value=None, origin="default")
        return min(found, key=lambda one: one[0])[1]  # type: ignore[arg-type,return-value]

    async def change(self, place: str, actor: Actor, wanted: Mapping[SettingName, Value | None]) -> PlaceRow:
        """Set what is given, and unset what is None; the changes are announced later, see `begin_telling`."""

        def changed(row: PlaceRow) -> PlaceRow:
            stamp = SetBy(
                by=actor.id,
                by_name=clean_text(actor.name)[:MAX_NAME],
                by_owner=actor.owner,
                at=self._clock(),
            )
            for name, value in wanted.items():
                if row.values.value(name) != value:
                    row = _with_change(row, name, value, stamp)
            return row

        return await self._change(place, changed)

    async def untold(self) -> list[str]:
        """The places with changes that have not been announced."""
        rows = [PlaceRow.model_validate_json(row) for row in (await self._rows.all()).values()]
        return [row.place for row in rows if row.untold]

    async def begin_telling(self, place: str) -> PlaceRow | None:
        """The row, whose changes the caller has to announce; None where that is done, or another process does it."""
        begun: PlaceRow | None = None

        def claim(row: PlaceRow) -> PlaceRow:
            nonlocal begun
            now = self._clock()
            is_free = row.telling_until is None or row.telling_until <= now
            begun = row if row.untold and is_free else None
            return row.model_copy(update={"telling_until": now + AGAIN}) if begun else row

        await self._change(place, claim)
        return begun

    async def end_telling(self, row: PlaceRow, *, told: bool) -> None:
        """Record whether the changes of a row were announced; later ones are still to be."""

        def end(standing: PlaceRow) -> PlaceRow:
            left = max(standing.untold - row.untold, 0) if told else standing.untold
            return standing.model_copy(update={"telling_until": None, "untold": left})

        await self._change(row.place, end)

    async def _change(self, place: str, change: Callable[[PlaceRow], PlaceRow]) -> PlaceRow:
        """Store what `change` makes of a row, anew where another process changed it meanwhile."""
        while True:
            stored = await self._rows.get(place)
            row = PlaceRow.model_validate_json(stored) if stored else PlaceRow(place=place)
            changed = change(row)
            if changed == row:
                return row
            data = changed.model_dump_json(exclude_defaults=True).encode()
            replaced = (
                await self._rows.replace(place, stored, data) if stored else await self._rows.add(place, data)
            )
            if replaced:
                return changed


class SettingsNews:
    """Has changes announced. `announce` returns False where nobody could be told as yet."""

    def __init__(self, places: PlaceSettings, announce: Callable[[PlaceRow], Awaitable[bool]]) -> None:
        self._places, self._announce = places, announce
        self._telling: set[asyncio.Task[None]] = set()

    def tell_soon(self, place: str) -> None:
        """Announce the changes of a place in a task; what fails is announced by `tell_all`."""
        task = asyncio.create_task(self._tell_quietly(place))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def tell_all(self) -> None:
        """Announce the changes of all places that have not been."""
        for place in await self._places.untold():
            await self._tell(place)

    async def _tell_quietly(self, place: str) -> None:
        try:
            await self._tell(place)
        except StorageError as error:
            _log.warning("changed settings are announced later: %s", error)

    async def _tell(self, place: str) -> None:
        """Announce the changes of a place, unless another process does."""
        told = False
        if row := await self._places.begin_telling(place):
            try:
                told = await self._announce(row)
            finally:
                await self._places.end_telling(row, told=told)


def _with_change(row: PlaceRow, name: SettingName, value: Value | None, stamp: SetBy) -> PlaceRow:
    change = Change(
        **stamp.model_dump(),
        name=name,
        before=value_text(name, row.values.value(name)),
        after=value_text(name, value),
    )
    others = {key: by for key, by in row.set_by.items() if key != name}
    changes = (*row.changes, change)[-MOST_CHANGES:]
    return row.model_copy(
        update={
            "values": row.values.replaced(name, value),
            "set_by": others if value is None else {**others, name: stamp},
            "changes": changes,
            "untold": min(row.untold + 1, MOST_CHANGES),
        }
    )


def value_text(name: SettingName, value: Value | None) -> str:
    """The value of a setting as text; empty for none."""
    if value is None:
        return ""
    if isinstance(value, Approvers):
        return " ".join([*value.users, *(f"@{group}" for group in value.groups)])
    if isinstance(value, str) or name == "persona" or name == "approvers":
        return str(value)
    return limit_text(name, value)


def _whose(setting: Setting) -> str:
    """Who set a limit, for the refusal of a higher one."""
    if setting.set_by:
        return setting.set_by.by_name or setting.set_by.by
    if setting.origin == "installation":
        return setting.source
    return f"the persona `{setting.source}`"
