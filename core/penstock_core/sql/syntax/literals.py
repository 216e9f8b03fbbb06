"""Literals that a decision may not depend on: texts that differ in them alone share a decision.

Each literal of a text that is parsed here is a slot. Whoever reads the value of the constant that it became pins it:
the decision then holds where that literal is the same. So sharing is right by construction, whoever looks at constants
and why. Where a constant goes into a rewritten text, a mark is left that is filled with each text's own literal.

How a text is taken apart is `shapes.py`'s, what is kept `shared_decisions.py`'s.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pglast import ast

_VALUE: Any = vars(ast.A_Const)["val"]
# The first stand-ins for numbers that fit an int4, and for those that need an int8.
_FIRST = 1_700_000_000
_FIRST_LONG = 1_700_000_000_000
_INT4, _INT8 = 2**31, 2**63
_MOST_DIGITS = 40
# In neither a client's text nor a mask of a policy.
_NONCE = secrets.token_hex(8)
_WORD = f"slot {_NONCE} "
_MARK = f"\1{_NONCE}\1"


class _Slot(NamedTuple):
    # Kept, so that nothing else gets its identity.
    node: ast.A_Const
    place: int
    # The parser takes the sign into the number.
    negative: bool


class Template(NamedTuple):
    """A text with gaps, and which literal goes into each."""

    gapped: str
    places: tuple[int, ...]

    def fill(self, literals: Sequence[str]) -> str:
        """The text with those literals."""
        return self.gapped % tuple([literals[place] for place in self.places])


@dataclass(slots=True)
class Slots:
    """The literals of one text, in the order in which they are written, and which of them were read."""

    text: str
    literals: Sequence[str]
    # The text with stand-ins in their places.
    standing_in: str = ""
    pinned: set[int] = field(default_factory=set)
    _nodes: dict[int, _Slot] = field(default_factory=dict)
    # The constants of the trees that are being built.
    _made: list[ast.A_Const] | None = None
    # Of each text that was written with marks, how it is put together.
    _written: dict[str, Template] = field(default_factory=dict)

    @property
    def parsed_text(self) -> str:
        """What the trees were made of."""
        return self.standing_in if self._nodes else self.text

    def stand_in(self, place: int) -> str:
        """What is parsed in the literal's place: another literal of the same kind, by which its constant is found."""
        match kind_of(self.literals[place]):
            case "s":
                return f"'{_WORD}{place}'"
            case "d":
                return f"{_FIRST + place}.5"
            case "l":
                return str(_FIRST_LONG + place)
            case _:
                return str(_FIRST + place)

    def parsed(self, parse: Callable[[str], tuple[ast.RawStmt, ...]]) -> tuple[ast.RawStmt, ...]:
        """The trees of the text with stand-ins, their constants with the values of the text. Empty, and all pinned, if
        not each literal became a constant: then the parser has looked at it. Raises ParseError.
        """
        self._made = []
        try:
            trees = parse(self.standing_in)
            if self._adopt(self._made):
                return trees
            self.pin_all()
            return ()
        finally:
            self._made = None

    def _adopt(self, constants: Sequence[ast.A_Const]) -> bool:
        found: set[int] = set()
        for node in constants:
            place, negative = _place_of(_VALUE.__get__(node))
            if 0 <= place < len(self.literals):
                _VALUE.__set__(node, _value(self.literals[place], negative=negative))
                self._nodes[id(node)] = _Slot(node, place, negative)
                found.add(place)
        return len(found) == len(self.literals)

    def made(self, node: ast.A_Const) -> None:
        """That constant gets its value, perhaps in a tree that is being built."""
        if self._made is not None:
            self._made.append(node)

    def pin_all(self) -> None:
        """Take no literal for a slot."""
        self.pinned.update(range(len(self.literals)))
        self._nodes.clear()

    def read(self, node: ast.A_Const) -> None:
        """The value of that constant is read."""
        slot = self._nodes.get(id(node))
        if slot is not None:
            self.pinned.add(slot.place)

    def mark(self, node: ast.A_Const) -> str | None:
        """What is written for the constant, to be filled; None for one that is no slot."""
        slot = self._nodes.get(id(node))
        if slot is None:
            return None
        return f"{'-' if slot.negative else ''}{_MARK}{slot.place}{_MARK}"

    def filled(self, marked: str) -> str:
        """A text with marks, filled with this text's own literals; remembered with where they are."""
        if _MARK not in marked:
            return marked
        parts = marked.split(_MARK)
        places = tuple(map(int, parts[1::2]))
        template = Template("%s".join(part.replace("%", "%%") for part in parts[::2]), places)
        text = template.fill(self.literals)
        self._written[text] = template
        return text

    def template(self, text: str) -> Template:
        """How that text is put together; one that no marks were in is the same for all, and holds all literals as
        read.
        """
        found = self._written.get(text)
        if found is None:
            self.pin_all()
            return Template(text.replace("%", "%%"), ())
        return found


def kind_of(literal: str) -> str:
    """What the server takes it for: a string (s), an int4 (i), an int8 (l) or a decimal (d); empty for what is no plain
    literal.
    """
    if literal[0] == "'":
        return "s" if len(literal) > 1 else ""
    if "." in literal:
        return "d"
    if not literal.isascii() or not literal.isdecimal() or len(literal) > _MOST_DIGITS:
        return ""
    number = int(literal)
    return "i" if number < _INT4 else "l" if number < _INT8 else ""


def has_marks(text: str) -> bool:
    """Whether a client's text holds what marks and stand-ins for strings are made of. No number that is left in it is a
    stand-in: all that could be are slots.
    """
    return _NONCE in text


_slots: ContextVar[Slots | None] = ContextVar("slots", default=None)


@contextmanager
def reading(slots: Slots) -> Iterator[None]:
    """While it is entered, what is parsed has these slots."""
    token = _slots.set(slots)
    try:
        yield
    finally:
        _slots.reset(token)


def present() -> Slots | None:
    """The slots of the text that is decided about now, if any."""
    return _slots.get()


def marked(node: ast.A_Const) -> str | None:
    """What is written for a constant that is a slot, to be filled; None for any other."""
    slots = _slots.get()
    return None if slots is None else slots.mark(node)


def filled(text: str) -> str:
    """A text that was written with marks, with the literals of the text that is decided about."""
    slots = _slots.get()
    return text if slots is None else slots.filled(text)


def unread(node: ast.A_Const) -> Any:
    """The value of a constant for those who only pass it on."""
    return _VALUE.__get__(node)


def install() -> None:
    """Let reading the value of a constant be noticed; more than once is the same as once."""
    type.__setattr__(ast.A_Const, "val", property(_read, _write))


def _read(node: ast.A_Const) -> Any:
    slots = _slots.get()
    if slots is not None:
        slots.read(node)
    return _VALUE.__get__(node)


def _write(node: ast.A_Const, value: Any) -> None:
    slots = _slots.get()
    if slots is not None:
        slots.made(node)
    _VALUE.__set__(node, value)


def _place_of(value: Any) -> tuple[int, bool]:
    """Which stand-in a constant is, and whether the parser took a sign into it; -1 for none."""
    kind = type(value)
    if kind is ast.String:
        text = value.sval or ""
        return (int(text[len(_WORD) :]) if text.startswith(_WORD) else -1), False
    if kind is ast.Integer:
        number = value.ival or 0
        return abs(number) - _FIRST, number < 0
    if kind is ast.Float:
        text = value.fval or ""
        digits = text.removeprefix("-").removesuffix(".5")
        first = _FIRST if text.endswith(".5") else _FIRST_LONG
        return (int(digits) - first if digits.isdecimal() else -1), text.startswith("-")
    return -1, False


def _value(literal: str, *, negative: bool) -> ast.Node:
    match kind_of(literal):
        case "s":
            return ast.String(sval=literal[1:-1].replace("''", "'"))
        case "i":
            return ast.Integer(ival=-int(literal) if negative else int(literal))
        case _:
            return ast.Float(fval=f"-{literal}" if negative else literal)
