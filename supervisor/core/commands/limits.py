"""The limits of a launch: those that it asks for, within those of its persona and of where it is launched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from supervisor.core.errors import InvalidInput
from supervisor.core.messages import Frozen
from supervisor.core.persona import Budgets
from supervisor.core.text.format import count, minutes, money

LimitName = Literal["steps", "usd", "minutes"]
LIMITS: tuple[LimitName, ...] = ("steps", "usd", "minutes")
# What is set for the sessions of a place, and how people read it.
SettingName = Literal["persona", "approvers", "steps", "usd", "minutes"]
SETTING_LABELS: dict[SettingName, str] = {
    "persona": "Default persona",
    "approvers": "Additional approvers",
    "steps": "Step limit",
    "usd": "Cost limit",
    "minutes": "Time limit",
}
_FORM = "write `steps=20`, `usd=2` or `minutes=30`, each more than 0"
_BUDGET = {"steps": "max_steps", "usd": "max_cost_usd", "minutes": "max_minutes"}


class Limits(Frozen):
    """What a session may use before it asks: steps, dollars and minutes. None sets no limit of its own."""

    steps: Annotated[int, Field(ge=1, le=10**6)] | None = None
    usd: Annotated[Decimal, Field(gt=0, le=10**6, allow_inf_nan=False)] | None = None
    minutes: Annotated[float, Field(gt=0, le=10**6, allow_inf_nan=False)] | None = None

    @property
    def given(self) -> dict[LimitName, int | Decimal | float]:
        """The limits that are set, by name."""
        return {name: value for name in LIMITS if (value := getattr(self, name)) is not None}


def limits_of(budgets: Budgets) -> Limits:
    """The limits of a persona, which may be above the most that a launch can ask for."""
    return _unbounded({name: getattr(budgets, field) for name, field in _BUDGET.items()})


def strictest(*limits: Limits) -> Limits:
    """The lowest of each limit."""
    given = [one.given for one in limits]
    return _unbounded(
        {name: min((one[name] for one in given if name in one), default=None) for name in LIMITS}
    )


def _unbounded(values: Mapping[str, Any]) -> Limits:
    return Limits().model_copy(update=values)


def within(budgets: Budgets, limits: Limits) -> Budgets:
    """The budgets with none of these limits exceeded."""
    found = strictest(limits_of(budgets), limits)
    return budgets.model_copy(update={field: getattr(found, name) for name, field in _BUDGET.items()})


def check_within(asked: Limits, allowed: Limits, whose: Mapping[LimitName, str]) -> None:
    """Raise InvalidInput where a launch asks for more than is allowed; `whose` says by name who set that."""
    for name, value in asked.given.items():
        most = allowed.given.get(name)
        if most is not None and value > most:
            raise InvalidInput(
                f"At most {limit_text(name, most)} here, as set by {whose[name]}; "
                f"ask for no more than that, not for {limit_text(name, value)}."
            )


def parse_limits(words: Sequence[str]) -> Limits:
    """Return the limits in `steps=20 usd=2 minutes=30`. Raises InvalidInput."""
    found: dict[str, str] = {}
    for word in words:
        name, _, text = word.strip(",").partition("=")
        if name not in LIMITS:
            raise InvalidInput(f"“{word[:40]}” is no limit; {_FORM}.")
        found[name] = text.lstrip("$")
    try:
        return Limits.model_validate(found)
    except ValidationError as error:
        wrong = str(error.errors(include_url=False)[0]["loc"][0])
        raise InvalidInput(f"“{found[wrong][:40]}” is no limit for `{wrong}`; {_FORM}.") from None


def limit_text(name: LimitName, value: int | Decimal | float) -> str:
    """Return `20 steps`, `$2.00`, `1.5 minutes`."""
    if name == "steps":
        return count(int(value), "step")
    if name == "usd":
        return money(Decimal(value))
    return minutes(float(value))
