"""Reads a catalog, or what of it changed since it was read the last time: what to ask next, answer by answer.

Sending the questions is I/O and belongs to the callers:

    reading = Reading(known)
    sql = reading.next()
    while sql is not None:
        rows = run(sql)
        sql = reading.next(*(rows[0] if rows else ()))
    known = reading.known

All is asked in one transaction that reads one state of the rows. The server prints definitions by what is committed at
that moment, though; what changed in between has another number the next time, and what depends on it is read again.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from dataclasses import dataclass, field

from penstock_core.sql.catalog import queries, versions
from penstock_core.sql.catalog.differences import Difference, difference
from penstock_core.sql.catalog.parts import Document, Parts, Sharing, in_order

_Steps = Generator[str, tuple[str, ...], None]
# As the statements for that in `queries.py`, by which names in what is asked next are the system's.
_SETTINGS = "SELECT pg_catalog.set_config('search_path', 'pg_catalog', true), pg_catalog.set_config('jit', 'off', true)"


@dataclass(frozen=True)
class Known:
    """What was read the last time, and by what it is known that it is still so."""

    parts: Parts
    place: str
    versions: str
    # Processes of the server that were there at each reading so far.
    processes: frozenset[int]
    sharing: Sharing = field(default_factory=Sharing, repr=False)


class Reading:
    """One reading, after what is known so far."""

    def __init__(self, known: Known | None = None) -> None:
        self._before = known
        # What is known in the end.
        self.known = known
        # Whether every part was read.
        self.whole = False
        self._begun = False
        self._steps = self._ask()

    def next(self, *answer: str) -> str | None:
        """The next question, after the row that answered the one before; None at the end. Raises ValueError where an
        answer is none.
        """
        begun, self._begun = self._begun, True
        try:
            return self._steps.send(answer) if begun else next(self._steps)
        except StopIteration:
            return None

    @property
    def changed(self) -> bool:
        """Whether anything is another than before."""
        return self._before is None or self.known is None or self.known.parts is not self._before.parts

    def _ask(self) -> _Steps:
        yield queries.BEGIN
        place, there, session = yield queries.at_once((versions.PLACE, versions.PROCESSES, queries.SESSION))
        processes = frozenset(json.loads(there))
        yield _SETTINGS
        (numbers,) = yield versions.VERSIONS
        before = self._before
        if before is None:
            yield from self._all(session, Known(Parts(), place, numbers, processes))
        elif not _is_same(before, place, processes):
            yield from self._all(session, Known(before.parts, place, numbers, processes, before.sharing))
        else:
            yield from self._some(session, before, numbers, before.processes & processes)
        yield queries.COMMIT

    def _some(self, session: str, before: Known, numbers: str, processes: frozenset[int]) -> _Steps:
        now = Known(before.parts, before.place, numbers, processes, before.sharing)
        if numbers == before.versions:
            self._end(now, Parts(before.parts.owned, self._whole(before.parts, {"session": session})))
            return
        found, there = difference(before.versions, numbers)
        if not found.whole:
            (answer,) = yield versions.dependents(found.relations(), found.types(), found.called)
            found.add(json.loads(answer), there)
        if found.whole:
            yield from self._all(session, now)
        else:
            yield from self._differing(session, now, found)

    def _differing(self, session: str, now: Known, found: Difference) -> _Steps:
        asked = {**queries.OTHERS, **(queries.OF_FUNCTIONS if found.functions else {})}
        if found.wanted:
            asked |= queries.of_some(found.relations(), found.types())
        row = yield queries.at_once(asked.values())
        answers = {"session": session, **dict(zip(asked, row, strict=True))}
        owned = {name: answers.pop(name) for name in queries.OWNED if name in answers}
        parts = dict(now.parts.owned)
        fresh = now.sharing.parts(owned) if found.wanted else {}
        if not fresh.keys() <= found.wanted:
            raise ValueError(f"rows of what was not asked for: {sorted(fresh.keys() - found.wanted)}")
        differing = {name: part for name, part in fresh.items() if parts.get(name) != part}
        gone = (found.gone | found.wanted) & parts.keys() - fresh.keys()
        for name in gone:
            del parts[name]
        parts.update(differing)
        self._end(
            now,
            Parts(in_order(parts) if differing or gone else now.parts.owned, self._whole(now.parts, answers)),
        )

    def _all(self, session: str, now: Known) -> _Steps:
        self.whole = True
        answers = {"session": session}
        for name, text in queries.ALL.items():
            (answers[name],) = yield text
        owned = now.sharing.parts({name: answers.pop(name) for name in queries.OWNED})
        before = now.parts.owned
        kept = {name: before[name] if before.get(name) == part else part for name, part in owned.items()}
        same = kept.keys() == before.keys() and all(before[name] is part for name, part in kept.items())
        self._end(now, Parts(before if same else in_order(kept), self._whole(now.parts, answers)))

    @staticmethod
    def _whole(before: Parts, answers: dict[str, str]) -> dict[str, Document]:
        """The whole documents after these answers; the same object where none differs."""
        fresh = {
            name: before.whole[name].after(text) if name in before.whole else Document.of(text)
            for name, text in answers.items()
        }
        same = all(before.whole.get(name) is document for name, document in fresh.items())
        return before.whole if same else {**before.whole, **fresh}

    def _end(self, now: Known, parts: Parts) -> None:
        same = parts.owned is now.parts.owned and parts.whole is now.parts.whole
        before = self._before
        kept = before.parts if same and before is not None else parts
        self.known = Known(kept, now.place, now.versions, now.processes, now.sharing)


def _is_same(before: Known, place: str, processes: frozenset[int]) -> bool:
    """Whether the numbers of before say anything about now. Most of the server's processes have to be there still."""
    return place == before.place and len(before.processes & processes) * 2 > len(before.processes)
