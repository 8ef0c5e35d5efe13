"""Loads persona files, which are Markdown with YAML front matter; a mistake is reported with file and line."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Protocol

import yaml
from pydantic import ValidationError

from supervisor.core.errors import PersonaInvalid
from supervisor.core.events.base import APPROVAL
from supervisor.core.messages import ToolSpec
from supervisor.core.persona import ApprovalRule, Persona
from supervisor.core.policy import HOST
from supervisor.personas.frontmatter import FrontMatter, Location

SHIPPED = Path(__file__).parent


class KnownTool(Protocol):
    """A tool, whose schema names its arguments."""

    @property
    def spec(self) -> ToolSpec: ...


MOST_BYTES = 256 * 1024


def load_personas(folder: Path, known_tools: Mapping[str, KnownTool]) -> dict[str, Persona]:
    """Load the `*.md` files in `folder` and return the personas by name. Raises PersonaInvalid at the first mistake.

    `tools` and `approvals` may name `known_tools` only, since a rule with a misspelt name would protect nothing.
    """
    paths = sorted(folder.glob("*.md"))
    if not paths:
        raise PersonaInvalid(str(folder), 1, "the folder holds no persona, which is a file that ends in .md")
    personas: dict[str, Persona] = {}
    sources: dict[str, Path] = {}
    fronts: dict[str, FrontMatter] = {}
    for path in paths:
        persona, front = _load(path, known_tools)
        if persona.name in personas:
            problem = f"the name `{persona.name}` is already used in {sources[persona.name].name}"
            raise PersonaInvalid(str(path), front.line(("name",)), problem)
        personas[persona.name], sources[persona.name] = persona, path
        fronts[persona.name] = front
    for name, persona in personas.items():
        for index, glob in enumerate(persona.agents):
            if not _matches(glob, personas):
                problem = f"there is no persona `{glob}`; there are {', '.join(sorted(personas))}"
                raise PersonaInvalid(str(sources[name]), fronts[name].line(("agents", index)), problem)
    return personas


def _load(path: Path, known_tools: Mapping[str, KnownTool]) -> tuple[Persona, FrontMatter]:
    if path.stat().st_size > MOST_BYTES:
        raise PersonaInvalid(str(path), 1, f"the file has more than {MOST_BYTES // 1024} KiB")
    try:
        front = FrontMatter.split(path.read_text(encoding="utf-8-sig"))
        persona = Persona.model_validate({**front.values, "instructions": front.body})
    except UnicodeDecodeError as error:
        raise PersonaInvalid(str(path), 1, "the file is not UTF-8 text") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise PersonaInvalid(str(path), line, error.problem or "this is not YAML") from error
    except ValidationError as error:
        line, problem = min(_shape_problems(error, front))
        raise PersonaInvalid(str(path), line, problem) from error
    problems = [
        (front.line(location), problem) for location, problem in _sense_problems(persona, known_tools)
    ]
    if problems:
        raise PersonaInvalid(str(path), *min(problems))
    return persona, front


def _shape_problems(error: ValidationError, front: FrontMatter) -> Iterator[tuple[int, str]]:
    """Each problem that pydantic found, with its line."""
    for detail in error.errors(include_url=False, include_input=False, include_context=False):
        location = detail["loc"]
        name = ".".join(str(part) for part in location)
        match detail["type"]:
            case "missing":
                problem = f"`{name}` is missing"
            case "extra_forbidden":
                problem = f"there is no key `{name}`"
            case "string_too_short" if location == ("instructions",):
                problem = "the instructions are missing: the text below the front matter"
            case _:
                problem = f"`{name}`: {detail['msg']}"
        yield front.line(location), problem


def _sense_problems(persona: Persona, known_tools: Mapping[str, KnownTool]) -> Iterator[tuple[Location, str]]:
    """Problems of a valid persona: unknown names, and quorums that cannot be reached."""
    names = ", ".join(sorted(known_tools))
    for index, tool in enumerate(persona.tools):
        if not _matches(tool, known_tools):
            yield ("tools", index), f"there is no tool `{tool}`; there are {names}"
    for index, tool in enumerate(persona.delegates):
        if not _matches(tool, known_tools):
            yield ("delegates", index), f"there is no tool `{tool}`; there are {names}"
    if persona.under is not None:
        yield ("under",), "`under` is set by whoever launches it, not in the file"
    for index, rule in enumerate(persona.approvals):
        if rule.tool == APPROVAL:
            if rule.mode != "ask" or rule.when:
                problem = "the rule for pauses until an `approval` has the mode `ask` and no `when`"
                yield ("approvals", index, "tool"), problem
        elif not _matches(rule.tool, known_tools):
            yield ("approvals", index, "tool"), f"there is no tool `{rule.tool}`; there are {names}"
        else:
            yield from _rule_problems(persona.approvals, index, known_tools)
        if _never_enough(rule):
            yield ("approvals", index, "approvers", "quorum"), "the quorum is more than the users named"


def _rule_problems(
    rules: Sequence[ApprovalRule], index: int, known_tools: Mapping[str, KnownTool]
) -> Iterator[tuple[Location, str]]:
    """Why a rule can never match: an argument that none of its tools has, or an earlier rule that takes its calls."""
    rule = rules[index]
    tools = {name for name in known_tools if fnmatchcase(name, rule.tool)}
    arguments = {name for tool in tools for name in known_tools[tool].spec.schema_.get("properties", {})}
    arguments |= {HOST} if "url" in arguments else set()
    for name in rule.when:
        if name not in arguments:
            known = ", ".join(sorted(arguments)) or "none"
            yield (
                ("approvals", index, "when", name),
                f"`{rule.tool}` has no argument `{name}`; there are {known}",
            )
    for number, earlier in enumerate(rules[:index], start=1):
        if not earlier.when and all(fnmatchcase(name, earlier.tool) for name in tools):
            yield (
                ("approvals", index, "tool"),
                f"this rule is never reached, since rule {number} takes its calls",
            )


def _matches(glob: str, known: Collection[str]) -> bool:
    return any(fnmatchcase(name, glob) for name in known)


def _never_enough(rule: ApprovalRule) -> bool:
    approvers = rule.approvers
    if approvers is None or approvers.groups or not approvers.users:
        return False
    return approvers.quorum > len(set(approvers.users))
