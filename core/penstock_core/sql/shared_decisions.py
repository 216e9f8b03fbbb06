"""Decisions that are kept: by the exact text, and by its shape, for texts that differ in literals alone.

A decision is kept for its text's shape together with the literals whose values it was made by; where others stand in
their places, another decision is. It is the second text of a shape that pays for this: many shapes come once. What is
kept is bounded.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from weakref import WeakSet

from penstock_core.policy.effective import SqlTextMode
from penstock_core.sql.bind.name_resolution import MadeName
from penstock_core.sql.decision import Action, Decision
from penstock_core.sql.syntax.literals import Template, reading
from penstock_core.sql.syntax.recorded_texts import why_refused
from penstock_core.sql.syntax.shapes import Shape, is_sound, shape_of, slots_of

# How many decisions are kept of texts and of shapes, and how long a text may be to be kept among all others.
CACHE_ENTRIES = 2048
CACHE_TEXT = 8192
# Whatever their size, so many are kept of the longer ones.
_FEW = 2
# What a decision takes beside its texts, in bytes; about.
_EACH = 1024
# Of one shape: how many sets of literals decide, and how many of their values are kept.
_MOST_SETS = 4
_MOST_VALUES = 32

# A text, the search_path, temporary tables, the types of parameters that call for a look, what the transaction made.
Question = tuple[str, tuple[str, ...] | None, frozenset[str], tuple[int, ...], frozenset[MadeName]]
_Pins = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Kept:
    """A decision, and how its text is put together; None for the client's own text."""

    decision: Decision
    template: Template | None


@dataclass(slots=True)
class _OfShape:
    """The decisions about texts of one shape."""

    pins: list[_Pins] = field(default_factory=list)
    kept: OrderedDict[tuple[_Pins, tuple[str, ...]], _Kept] = field(default_factory=OrderedDict)
    # Whether texts of it are decided about one by one; None: not looked at, as there was one text so far.
    apart: bool | None = None
    # About how many bytes all of it takes.
    size: int = 0

    def find(self, literals: tuple[str, ...]) -> _Kept | None:
        for pins in self.pins:
            found = self.kept.get((pins, tuple([literals[place] for place in pins])))
            if found is not None:
                return found
        return None

    def keep(self, pins: _Pins, literals: tuple[str, ...], kept: _Kept) -> None:
        if pins not in self.pins:
            if len(self.pins) >= _MOST_SETS:
                self.decide_apart()
                return
            self.pins.append(pins)
        self.kept[pins, tuple([literals[place] for place in pins])] = kept
        self.size += _size(kept.decision)
        if len(self.kept) > _MOST_VALUES:
            self.size -= _size(self.kept.popitem(last=False)[1].decision)

    def decide_apart(self) -> None:
        self.apart = True
        self.pins.clear()
        self.size -= sum(_size(one.decision) for one in self.kept.values())
        self.kept.clear()


class Room:
    """How many bytes all who share it may keep together; each has the same part. What decisions take is estimated."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._sharing: WeakSet[SharedDecisions] = WeakSet()

    def enter(self, one: SharedDecisions) -> None:
        """One more; the others give up what is above their part when they keep something again."""
        self._sharing.add(one)

    @property
    def part(self) -> int:
        return self._total // max(1, len(self._sharing))


class SharedDecisions:
    """The decisions that one governor made: by text, by shape, and about long texts, a third of its room for each."""

    def __init__(self, decide: Callable[[Question], Decision], sql_text: SqlTextMode, room: Room) -> None:
        self._decide = decide
        self._sql_text = sql_text
        self._room = room
        room.enter(self)
        self._by_text: OrderedDict[Question, Decision] = OrderedDict()
        self._by_shape: OrderedDict[Hashable, _OfShape] = OrderedDict()
        self._long: OrderedDict[Question, Decision] = OrderedDict()
        # About how many bytes each of them takes.
        self._text_bytes = self._shape_bytes = self._long_bytes = 0
        # How many are kept by shape, shapes that are decided about one by one counted as one.
        self._kept = 0

    def decision(self, question: Question) -> Decision:
        """The decision about a text, made now or before."""
        decision = self._by_text.get(question)
        if decision is not None:
            self._by_text.move_to_end(question)
            return decision
        text = question[0]
        if len(text) > CACHE_TEXT and question in self._long:
            self._long.move_to_end(question)
            return self._long[question]
        shape = shape_of(text)
        decision = self._decide(question) if shape is None else self._by_its_shape(question, shape)
        self.keep(question, decision)
        return decision

    def keep(self, question: Question, decision: Decision) -> None:
        """A decision that was made, here or elsewhere by the same rules."""
        size = len(question[0]) + _size(decision)
        if len(question[0]) > CACHE_TEXT:
            if question not in self._long:
                self._long[question] = decision
                self._long_bytes += size
                while self._long_bytes > self._room.part // 3 and len(self._long) > _FEW:
                    self._long_bytes -= _pop(self._long)
        elif question not in self._by_text:
            self._by_text[question] = decision
            self._text_bytes += size
            while len(self._by_text) > CACHE_ENTRIES or (self._text_bytes > self._room.part // 3 and self._by_text):
                self._text_bytes -= _pop(self._by_text)

    def _by_its_shape(self, question: Question, shape: Shape) -> Decision:
        key = (shape.rest, *question[1:])
        known = self._by_shape.get(key)
        if known is None:
            self._by_shape[key] = _OfShape(size=_EACH + len(question[0]))
            self._count(1, _EACH + len(question[0]))
            return self._decide(question)
        self._by_shape.move_to_end(key)
        if kept := known.find(shape.literals):
            return self._filled(kept, question[0], shape)
        if known.apart is None:
            known.apart = not is_sound(question[0], shape)
        before, size = len(known.kept), known.size
        decision = self._decide(question) if known.apart else self._slotted(question, shape, known)
        self._count(len(known.kept) - before, known.size - size)
        return decision

    def _count(self, more: int, size: int) -> None:
        self._kept += more
        self._shape_bytes += size
        while self._by_shape and (self._kept > CACHE_ENTRIES or self._shape_bytes > self._room.part // 3):
            _, oldest = self._by_shape.popitem(last=False)
            self._kept -= 1 + len(oldest.kept)
            self._shape_bytes -= oldest.size

    def _slotted(self, question: Question, shape: Shape, known: _OfShape) -> Decision:
        text = question[0]
        slots = slots_of(text, shape)
        with reading(slots):
            decision = self._decide(question)
        own = decision.action is not Action.REWRITE
        template = None if own else slots.template(decision.text)
        # What the text makes is decided about again, by its own words; so is what the planner is asked about.
        # So are the parts of a text that is recorded in full.
        in_full = self._sql_text == "full" and len(decision.parts) > 1
        if in_full or decision.made_from or decision.priced or (own and decision.text not in ("", text)):
            known.decide_apart()
            return decision
        pins = tuple(sorted(slots.pinned))
        if len(pins) == len(shape.literals):
            known.decide_apart()
        else:
            known.keep(pins, shape.literals, _Kept(decision, template))
        return decision

    def _filled(self, kept: _Kept, text: str, shape: Shape) -> Decision:
        decision = kept.decision
        written = decision.text
        if written:
            written = text if kept.template is None else kept.template.fill(shape.literals)
        if decision.denial is not None and self._sql_text != "full":
            # What is left out of its words is what this text has typed.
            why = why_refused(decision.denial, text, self._sql_text)
            if why != {name: getattr(decision, name) for name in why}:
                return decision.changed(text=written, **why)
        if self._sql_text != "full":
            return decision.changed(text=written, same_but_text=decision)
        return decision.changed(text=written, audit_text=text)


def _pop(kept: OrderedDict[Question, Decision]) -> int:
    """Give up the one that was asked for the longest time ago; its size."""
    question, decision = kept.popitem(last=False)
    return len(question[0]) + _size(decision)


def _size(decision: Decision) -> int:
    """About how many bytes it takes."""
    return _EACH + len(decision.text) + len(decision.audit_text) + len(decision.made_from)
