"""The checked form of an expression, as the CEL library writes it: a message of `cel.expr.CheckedExpr`, read to a tree.

The library tells nothing else of what it has compiled. Only the parts that matter are read; a form that is not known is
an error. What a tree may hold is `bounds.py`'s.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

NodeKind = Literal["constant", "name", "select", "call", "list", "struct", "comprehension"]
_Value = int | bytes

# The message around it is an Any: its type, and the message itself.
_TYPE = b"type.googleapis.com/cel.expr.CheckedExpr"
# The fields of an Expr by number.
_KINDS: dict[int, NodeKind] = {
    3: "constant", 4: "name", 5: "select", 6: "call", 7: "list", 8: "struct", 9: "comprehension",
}  # fmt: skip
_TEXT_CONSTANT = 6


class UnreadableError(ValueError):
    """The form is another than this program knows."""


@dataclass(frozen=True, slots=True)
class Node:
    """One part of an expression."""

    kind: NodeKind
    # Where it begins in the text, in characters; -1 where that is not told.
    offset: int
    # name: the path; call: the function; select: the field; comprehension: the variables, with a space between.
    name: str = ""
    # What it is made of. A call's target comes first, a comprehension's range does.
    parts: tuple[Node, ...] = ()
    # constant: the text, if it is one.
    text: str | None = None

    def walk(self) -> Iterator[Node]:
        """The node and all below it."""
        yield self
        for part in self.parts:
            yield from part.walk()


def read(serialized: bytes) -> Node:
    """The tree of a checked expression. Raises UnreadableError."""
    try:
        wrapped = dict(_fields(serialized))
        if wrapped.get(1) != _TYPE:
            raise UnreadableError("not a checked expression")
        checked = list(_fields(_message(wrapped[2])))
        offsets = _offsets(_message(_one(checked, 5)))
        return _node(_message(_one(checked, 4)), offsets)
    except (LookupError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableError(f"damaged ({type(error).__name__})") from None


def _fields(message: bytes) -> Iterator[tuple[int, _Value]]:
    """The fields of a message as they come: number, and a whole number or bytes."""
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, place = _varint(message, place)
            yield number, value
            continue
        size = 8 if wire == 1 else 4
        if wire == 2:
            size, place = _varint(message, place)
        elif wire not in (1, 5):
            raise UnreadableError(f"wire type {wire}")
        if place + size > len(message):
            raise UnreadableError("cut off")
        yield number, message[place : place + size]
        place += size


def _varint(message: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[place]
        place += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, place


def _one(fields: list[tuple[int, _Value]], number: int) -> _Value:
    return next((value for key, value in fields if key == number), b"")


def _all(fields: list[tuple[int, _Value]], number: int) -> list[bytes]:
    return [_message(value) for key, value in fields if key == number]


def _message(value: _Value) -> bytes:
    if isinstance(value, int):
        raise UnreadableError("a number in place of a message")
    return value


def _text(value: _Value) -> str:
    return _message(value).decode()


def _offsets(source: bytes) -> dict[int, int]:
    """Where each node begins, by its id."""
    found = {}
    for entry in _all(list(_fields(source)), 4):
        pair = dict(_fields(entry))
        found[pair.get(1, 0)] = pair.get(2, 0)
    return {key: value for key, value in found.items() if isinstance(key, int) and isinstance(value, int)}


def _node(message: bytes, offsets: dict[int, int]) -> Node:
    fields = list(_fields(message))
    number = _one(fields, 2)
    offset = offsets.get(number, -1) if isinstance(number, int) else -1
    known = [(kind, value) for key, value in fields if (kind := _KINDS.get(key)) is not None]
    if len(known) != 1 or len(fields) > 2:
        raise UnreadableError("a node of another kind")
    kind, content = known[0][0], list(_fields(_message(known[0][1])))

    def parts(*numbers: int) -> tuple[Node, ...]:
        return tuple(_node(part, offsets) for key in numbers for part in _all(content, key))

    match kind:
        case "constant":
            text = next((_text(value) for key, value in content if key == _TEXT_CONSTANT), None)
            return Node(kind, offset, text=text)
        case "name":
            return Node(kind, offset, _text(_one(content, 1)))
        case "select":
            return Node(kind, offset, _text(_one(content, 2)), parts(1))
        case "call":
            return Node(kind, offset, _text(_one(content, 2)), parts(1, 3))
        case "list":
            return Node(kind, offset, parts=parts(1))
        case "struct":
            return Node(kind, offset)
        case "comprehension":
            names = " ".join(_text(_one(content, key)) for key in (1, 8) if _one(content, key))
            return Node(kind, offset, names, parts(2, 4, 5, 6, 7))
