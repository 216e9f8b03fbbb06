"""YAML read as plain data with line numbers, as `kubectl` reads it: what YAML guesses or hides is refused in words.

No tags, no aliases (a few lines of them can stand for gigabytes), no key twice, no key that is not text, bounded size
and depth. What the data means is not known here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

Location = tuple[str | int, ...]

LONGEST = 1 << 19
DEEPEST = 32

# Without leading zeros, which YAML 1.1 reads as octal.
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,18})")
_FLOAT = re.compile(r"[-+]?(?!0[0-9])(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?")
_TRUE = {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"}
_FALSE = {"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"}
_NULL = {"", "~", "null", "Null", "NULL"}


@dataclass(frozen=True, slots=True)
class YamlFault:
    """Something that is not YAML, or not the YAML that is taken here."""

    message: str
    line: int
    location: Location = ()


@dataclass(slots=True)
class Document:
    """One document as plain data, the line that each place in it begins on, and what is not taken of it."""

    value: object = None
    lines: dict[Location, int] = field(default_factory=dict)
    faults: list[YamlFault] = field(default_factory=list)

    def line_of(self, location: Location) -> int:
        """The line of that place, or of the nearest one around it that is there."""
        while location not in self.lines and location:
            location = location[:-1]
        return self.lines.get(location, 1)


class _ForbiddenYaml(yaml.YAMLError):
    """Something that YAML allows and Penstock does not."""

    def __init__(self, message: str, event: yaml.Event) -> None:
        super().__init__(message)
        self.line = event.start_mark.line + 1 if event.start_mark else 1


class _Composer(yaml.SafeLoader):
    """PyYAML's reader of nodes, without aliases and tags, and with a bound on depth."""

    depth = 0

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        event: yaml.Event = self.peek_event()  # type: ignore[no-untyped-call]  # types-PyYAML leaves it untyped
        if isinstance(event, yaml.AliasEvent):
            raise _ForbiddenYaml(f"*{event.anchor}: aliases are not allowed; repeat the value", event)
        if (tag := getattr(event, "tag", None)) is not None:
            raise _ForbiddenYaml(f"{tag}: tags are not allowed; remove it", event)
        self.depth += 1
        if self.depth > DEEPEST:
            raise _ForbiddenYaml(f"nested deeper than {DEEPEST} levels", event)
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


def documents(text: str) -> Iterator[Document | YamlFault]:
    """Each document that is not empty; ends with a Fault at the first error of syntax."""
    if len(text) > LONGEST:
        yield YamlFault(f"more than {LONGEST} characters; split the file", 1)
        return
    try:
        composer = _Composer(text)
        while composer.check_node():
            if (node := composer.get_node()) is None:
                continue
            document = Document()
            document.value = _value(node, (), document)
            if document.value is not None or document.faults:
                yield document
    except yaml.YAMLError as error:
        yield _fault(text, error)


def _fault(text: str, error: yaml.YAMLError) -> YamlFault:
    if isinstance(error, _ForbiddenYaml):
        return YamlFault(str(error), error.line)
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        words = " ".join(filter(None, (error.context, error.problem)))
        return YamlFault(f"not valid YAML: {words}", mark.line + 1 if mark else 1)
    if isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position) + 1
        return YamlFault(f"not valid YAML: the character U+{error.character:04X} is not allowed in it", line)
    return YamlFault("not valid YAML", 1)


def _value(node: Node, location: Location, document: Document) -> object:
    line = node.start_mark.line + 1
    document.lines.setdefault(location, line)
    if isinstance(node, MappingNode):
        return _mapping(node, location, document)
    if isinstance(node, SequenceNode):
        return [_value(item, (*location, place), document) for place, item in enumerate(node.value)]
    return _scalar(node, line, location, document) if isinstance(node, ScalarNode) else None


def _mapping(node: MappingNode, location: Location, document: Document) -> dict[str, object]:
    result: dict[str, object] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        key = _scalar(key_node, line, location, document) if isinstance(key_node, ScalarNode) else None
        if not isinstance(key, str):
            written = str(key_node.value) if isinstance(key_node, ScalarNode) else ""
            hint = f'; write "{written}" in quotes' if written else ""
            document.faults.append(
                YamlFault(f"the key {written or '(empty or not a word)'} is not text{hint}", line, location)
            )
            continue
        here = (*location, key)
        if key in result:
            document.faults.append(YamlFault(f"stands here twice, first in line {document.lines[here]}", line, here))
            continue
        document.lines[here] = line
        result[key] = _value(value_node, here, document)
    return result


def _scalar(node: ScalarNode, line: int, location: Location, document: Document) -> object:
    """A plain scalar as kubectl takes it: 1e7 is a number, a date is text, 1:30 is text."""
    text: str = node.value
    if node.style is not None:
        return text
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if text == "<<":
        document.faults.append(YamlFault("<< (merging) is not allowed; write the keys themselves", line, location))
        return text
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text) and math.isfinite(number := float(text)):
        return number
    return text
