"""Reads YAML between two `---` lines with a text below, and knows the line of each key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

Location = tuple[int | str, ...]
FENCE = "---"


@dataclass(frozen=True)
class FrontMatter:
    """`values` is the parsed YAML, `body` the text below it without blank lines around it."""

    values: dict[str, Any]
    body: str
    node: MappingNode
    body_line: int

    @classmethod
    def split(cls, text: str) -> FrontMatter:
        """Parse a file. Raises yaml.MarkedYAMLError with the line (from 0) of the first mistake."""
        lines = text.split("\n")
        if lines[0].rstrip() != FENCE:
            raise _problem("the front matter is missing: the file must begin with a line `---`", 0)
        end = next((index for index, line in enumerate(lines[1:], 1) if line.rstrip() == FENCE), None)
        if end is None:
            raise _problem("the front matter that begins here has no closing line `---`", 0)
        # An empty line in place of the fence keeps the line numbers of the file.
        node, values = _parse("\n".join(["", *lines[1:end]]))
        named = {str(key): value for key, value in values.items()}
        if "instructions" in named:
            line = _child(node, "instructions")
            raise _problem(
                "the instructions are the text below the front matter, not a key", line[0] if line else 1
            )
        return cls(named, "\n".join(lines[end + 1 :]).strip(), node, end + 1)

    def line(self, location: Location) -> int:
        """The line (from 1) of the key at `location`, or of the nearest key around it that exists."""
        if location[:1] == ("instructions",):
            return self.body_line
        node: Node = self.node
        line = node.start_mark.line
        for part in location:
            child = _child(node, part)
            if child is None:
                break
            line, node = child
        return line + 1


def _parse(text: str) -> tuple[MappingNode, dict[Any, Any]]:
    try:
        loader = yaml.SafeLoader(text)
    except yaml.reader.ReaderError as error:
        raise _problem(
            "a control character is not allowed here", text.count("\n", 0, error.position)
        ) from error
    try:
        node = loader.get_single_node()
        if not isinstance(node, MappingNode):
            raise _problem("the front matter must be `key: value` lines", 1)
        _no_key_twice(node)
        return node, loader.construct_document(node)
    except ValueError as error:
        raise _problem(f"a value cannot be read: {error}", 1) from error
    except RecursionError:
        raise _problem("it is nested too deeply", 1) from None
    finally:
        loader.dispose()


def _child(node: Node, part: int | str) -> tuple[int, Node] | None:
    """The line (from 0) and the value of a key or an item; None where there is none."""
    if isinstance(node, MappingNode):
        return next(
            ((key.start_mark.line, value) for key, value in node.value if key.value == str(part)), None
        )
    if isinstance(node, SequenceNode) and isinstance(part, int) and part < len(node.value):
        item = node.value[part]
        return item.start_mark.line, item
    return None


def _no_key_twice(node: Node) -> None:
    """Raise for a key that is given twice, of which YAML would silently keep the last."""
    left, known = [node], {id(node)}
    while left:
        node = left.pop()
        inner: list[Node] = list(node.value) if isinstance(node, SequenceNode) else []
        if isinstance(node, MappingNode):
            keys = [(key, key.value) for key, _ in node.value if isinstance(key, ScalarNode)]
            seen: set[str] = set()
            for key, name in keys:
                if name in seen:
                    raise _problem(f"the key `{name}` is given twice", key.start_mark.line)
                seen.add(name)
            inner = [value for _, value in node.value]
        # An alias stands for a node that was seen; many of many would take for ever.
        left += [one for one in inner if id(one) not in known]
        known |= {id(one) for one in inner}


def _problem(text: str, line: int) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=text, problem_mark=yaml.Mark("", 0, line, 0, "", 0))
