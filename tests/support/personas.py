"""Personas that stay as they are, in place of those of a folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from supervisor.core.persona import Persona
from supervisor.personas.folder import PersonaProblem


@dataclass(frozen=True)
class Fixed:
    """A source of personas for `PersonaLibrary`."""

    given: Mapping[str, Persona]

    def personas(self) -> Mapping[str, Persona]:
        return self.given

    def problems(self) -> list[PersonaProblem]:
        return []
