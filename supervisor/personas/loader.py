"""Loads persona files, which are Markdown with YAML front matter; a mistake is reported with file and line."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Protocol

import yaml
from pydantic import ValidationError

from supervisor.core.comparisons import Comparison
from supervisor.core.errors import PersonaInvalid
from supervisor.core.events.base import APPROVAL
from supervisor.core.messages import ToolSpec
from supervisor.core.persona import ApprovalRule, Approvers, NameKind, Operators, Persona
from supervisor.core.policy import HOST
from supervisor.core.text.format import field
from supervisor.personas.frontmatter import FrontMatter, Location
from supervisor.personas.schemas import either, schema_problems, types_of
from supervisor.personas.servers import never_reached, of_servers, server_of, server_problems

SHIPPED = Path(__file__).parent


@dataclass(frozen=True)
class NameInFile:
    """A person, group or team that a persona names, and where."""

    kind: NameKind
    name: str
    path: Path
    line: int


@dataclass(frozen=True)
class PersonaFile:
    """A persona, and the file from which it was read."""

    persona: Persona
    path: Path
    front: FrontMatter

    @property
    def names(self) -> Iterator[NameInFile]:
        """The people, groups and teams that the persona names; keys of programs are made and revoked at any time."""
        persona = self.persona
        rules: list[tuple[Location, Approvers | Operators]] = [
            (("approvals", index, "approvers"), rule.approvers)
            for index, rule in enumerate(persona.approvals)
            if rule.approvers
        ]
        if persona.operators:
            rules.append((("operators",), persona.operators))
        yield from self._named("team", persona.teams, ("teams",))
        for location, rule in rules:
            people = [user if not user.startswith("api:") else "" for user in rule.users]
            yield from self._named("person", people, (*location, "users"))
            yield from self._named("group", rule.groups, (*location, "groups"))
            if isinstance(rule, Approvers):
                yield from self._named("team", rule.teams, (*location, "teams"))
                if more := rule.escalate:
                    yield from self._named("person", more.users, (*location, "escalate", "users"))
                    yield from self._named("group", more.groups, (*location, "escalate", "groups"))

    def _named(self, kind: NameKind, names: Sequence[str], location: Location) -> Iterator[NameInFile]:
        for index, name in enumerate(names):
            if name:
                yield NameInFile(kind, name, self.path, self.front.line((*location, index)))


class KnownTool(Protocol):
    """A tool, whose schema names its arguments."""

    @property
    def spec(self) -> ToolSpec: ...


MOST_BYTES = 256 * 1024
NO_FILES = "the folder holds no persona, which is a file that ends in .md"


def load_personas(
    folder: Path, known_tools: Mapping[str, KnownTool], servers: Collection[str] = ()
) -> dict[str, Persona]:
    """As `load_files`, the personas alone by name."""
    return {file.persona.name: file.persona for file in load_files(folder, known_tools, servers)}


def load_files(
    folder: Path, known_tools: Mapping[str, KnownTool], servers: Collection[str] = ()
) -> list[PersonaFile]:
    """Load the `*.md` files in `folder`, each a persona. Raises PersonaInvalid at the first mistake.

    `tools` and `approvals` may name `known_tools`, and those of MCP servers that the persona names, which are not known
    here; nothing else, since a rule with a misspelt name would protect nothing. `servers` are all that there are.
    """
    paths = persona_paths(folder)
    if not paths:
        raise PersonaInvalid(str(folder), 1, NO_FILES)
    files: dict[str, PersonaFile] = {}
    for path in paths:
        file = load_file(path, known_tools, servers)
        if other := files.get(file.persona.name):
            raise name_taken(file, other)
        files[file.persona.name] = file
    for file in files.values():
        if unknown := unknown_agent(file, files):
            raise unknown
    return list(files.values())


def persona_paths(folder: Path) -> list[Path]:
    """The persona files of a folder; hidden ones are those of editors and file systems."""
    return sorted(path for path in folder.glob("*.md") if not path.name.startswith("."))


def name_taken(file: PersonaFile, other: PersonaFile) -> PersonaInvalid:
    """The error of a file whose persona has the name of that in the other file."""
    problem = f"the name `{file.persona.name}` is already used in {other.path.name}"
    return PersonaInvalid(str(file.path), file.front.line(("name",)), problem)


def unknown_agent(file: PersonaFile, names: Collection[str]) -> PersonaInvalid | None:
    """The error of a file whose persona may launch one that is not among the names; None where there is none."""
    for index, glob in enumerate(file.persona.agents):
        if not _matches(glob, names):
            problem = f"there is no persona `{glob}`; there are {', '.join(sorted(names))}"
            return PersonaInvalid(str(file.path), file.front.line(("agents", index)), problem)
    return None


def load_file(path: Path, known_tools: Mapping[str, KnownTool], servers: Collection[str] = ()) -> PersonaFile:
    """Load one persona file. Raises PersonaInvalid, because of an OSError where the file could not be read."""
    try:
        front = FrontMatter.split(_text(path))
        persona = Persona.model_validate({**front.values, "instructions": front.body})
    except OSError as error:
        raise PersonaInvalid(str(path), 1, f"the file cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise PersonaInvalid(str(path), 1, "the file is not UTF-8 text") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise PersonaInvalid(str(path), line, error.problem or "this is not YAML") from error
    except ValidationError as error:
        line, problem = min(_shape_problems(error, front))
        raise PersonaInvalid(str(path), line, problem) from error
    found = [*server_problems(persona, servers), *_sense_problems(persona, known_tools)]
    problems = [(front.line(location), problem) for location, problem in found]
    if problems:
        raise PersonaInvalid(str(path), *min(problems))
    return PersonaFile(persona, path, front)


def _text(path: Path) -> str:
    """Return the text of a regular file, with the line breaks of Python. Raises PersonaInvalid for any other kind."""
    # Opening a pipe would wait for a writer, and opening a device may do anything.
    if stat.S_ISREG(path.stat().st_mode):
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        with os.fdopen(descriptor, encoding="utf-8-sig") as file:
            seen = os.fstat(descriptor)
            if seen.st_size > MOST_BYTES:
                raise PersonaInvalid(str(path), 1, f"the file has more than {MOST_BYTES // 1024} KiB")
            if stat.S_ISREG(seen.st_mode):
                return file.read()
    problem = "this is a folder, pipe, socket or device and no file; give it a name without .md"
    raise PersonaInvalid(str(path), 1, problem)


def _shape_problems(error: ValidationError, front: FrontMatter) -> Iterator[tuple[int, str]]:
    """Each problem that pydantic found, with its line."""
    for detail in error.errors(include_url=False, include_input=False, include_context=False):
        # A comparison in a rule is of a union, whose parts pydantic names, too.
        location = tuple(part for part in detail["loc"] if part not in ("glob", "comparison"))
        name, place = field(location)
        match detail["type"]:
            case "missing":
                problem = f"`{name}`{place} is missing"
            case "extra_forbidden":
                problem = f"there is no key `{name}`{place}"
            case "string_too_short" if location == ("instructions",):
                problem = "the instructions are missing: the text below the front matter"
            case _:
                problem = f"`{name}`{place}: {detail['msg']}"
        yield front.line(location), problem


def _sense_problems(persona: Persona, known_tools: Mapping[str, KnownTool]) -> Iterator[tuple[Location, str]]:
    """Problems of a valid persona: unknown names, and quorums that cannot be reached."""
    names = ", ".join(sorted(known_tools))
    for key, globs in (("tools", persona.tools), ("delegates", persona.delegates)):
        for index, tool in enumerate(globs):
            if not _matches(tool, known_tools) and not server_of(tool, persona):
                yield (key, index), f"there is no tool `{tool}`; there are {names}{of_servers(persona)}"
    if persona.under is not None:
        yield ("under",), "`under` is set by whoever launches it, not in the file"
    if persona.narrowed_to is not None:
        yield ("narrowed_to",), "`narrowed_to` is set for the place of a session, not in the file"
    for index in range(len(persona.approvals)):
        yield from _problems_of_rule(persona, index, known_tools)


def _problems_of_rule(
    persona: Persona, index: int, known_tools: Mapping[str, KnownTool]
) -> Iterator[tuple[Location, str]]:
    rule, of_server = persona.approvals[index], server_of(persona.approvals[index].tool, persona)
    if rule.tool == APPROVAL:
        if rule.mode != "ask" or not rule.unconditional:
            problem = "the rule for pauses until an `approval` has the mode `ask` and no `when`"
            problem += ", `arguments` or `hours`" if not rule.when and rule.mode == "ask" else ""
            yield ("approvals", index, "tool"), problem
    elif of_server and not _matches(rule.tool, known_tools):
        if problem := never_reached(persona.approvals, index):
            yield ("approvals", index, "tool"), problem
    elif not _matches(rule.tool, known_tools):
        problem = f"there is no tool `{rule.tool}`; there are {', '.join(sorted(known_tools))}"
        yield ("approvals", index, "tool"), problem + of_servers(persona)
    else:
        yield from rule_problems(persona.approvals, index, known_tools)
    if rule.approvers and (late := _deadline_problem(rule.tool, rule.approvers)):
        yield ("approvals", index, "approvers", late[0]), late[1]
    if _never_enough(rule):
        yield ("approvals", index, "approvers", "quorum"), "the quorum is more than the users named"


def rule_problems(
    rules: Sequence[ApprovalRule], index: int, known_tools: Mapping[str, KnownTool]
) -> Iterator[tuple[Location, str]]:
    """Why a rule can never match: an argument that none of its tools has, or an earlier rule that takes its calls."""
    rule = rules[index]
    tools = {name for name in known_tools if fnmatchcase(name, rule.tool)}
    arguments = {name for tool in tools for name in known_tools[tool].spec.schema_.get("properties", {})}
    arguments |= {HOST} if "url" in arguments else set()
    for name, wanted in rule.when.items():
        if name not in arguments:
            known = ", ".join(sorted(arguments)) or "none"
            yield (
                ("approvals", index, "when", name),
                f"`{rule.tool}` has no argument `{name}`; there are {known}",
            )
        elif isinstance(wanted, Comparison) and (problem := _never_holds(wanted, name, tools, known_tools)):
            yield ("approvals", index, "when", name), problem
    if rule.arguments is not None:
        schemas = {name: known_tools[name].spec.schema_ for name in tools}
        for place, problem in schema_problems(rule, schemas):
            yield ("approvals", index, "arguments", *place), problem
    for number, earlier in enumerate(rules[:index], start=1):
        if earlier.unconditional and all(fnmatchcase(name, earlier.tool) for name in tools):
            yield (
                ("approvals", index, "tool"),
                f"this rule is never reached, since rule {number} takes its calls",
            )


def _never_holds(
    wanted: Comparison, name: str, tools: Collection[str], known_tools: Mapping[str, KnownTool]
) -> str:
    """Why no argument of this name can be compared so, by the types in the schemas of the tools; empty if one can."""
    schemas = [known_tools[tool].spec.schema_.get("properties", {}).get(name, {}) for tool in tools]
    types = {one for schema in schemas for one in types_of(schema)} | ({"string"} if name == HOST else set())
    if contradiction := wanted.contradiction(whole=types == {"integer"}):
        return f"`{name}` can never be so: {contradiction}"
    if not types or not wanted.types:
        return ""
    return "" if types & wanted.types else f"`{name}` is {either(types)}, which cannot be compared so"


def _matches(glob: str, known: Collection[str]) -> bool:
    return any(fnmatchcase(name, glob) for name in known)


def _deadline_problem(tool: str, rule: Approvers) -> tuple[str, str] | None:
    """The key of a deadline that would never do anything, with the reason; None where there is none."""
    if rule.expire and tool == APPROVAL:
        return "expire", "a pause until an `approval` does not expire; pause it until a time besides"
    if rule.escalate and not (rule.escalate.users or rule.escalate.groups):
        return "escalate", "the escalation names nobody in `users` or `groups`"
    if rule.escalate and not (rule.users or rule.groups):
        return "escalate", "everybody may approve by this rule already, as it names no `users` or `groups`"
    for name, after in (("escalate", rule.escalate and rule.escalate.after), ("remind", rule.remind)):
        if rule.expire and after and after >= rule.expire:
            return name, "the request expires before that"
    return None


def _never_enough(rule: ApprovalRule) -> bool:
    approvers = rule.approvers
    if approvers is None or approvers.groups or not approvers.users:
        return False
    return approvers.quorum > len(set(approvers.users))
