"""Prepared statements and cursors that a client makes in SQL, each with the text that it was made by.

What runs them later (EXECUTE, FETCH, MOVE) says nothing but a name, and the server analyses a prepared statement again
whenever the catalog changed. So the text is decided again when the policy or the catalog is another than when it was
made; unless the decision is the same, what runs it is refused. Those made by Parse and Bind are in `flow.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace
from itertools import repeat
from typing import Protocol

from penstock_core.policy.holding import Holding
from penstock_core.sql.decision import Action, Decision, Recorded
from penstock_sidecar.session.in_flight import Portal, PreparedStatement, Tally
from penstock_sidecar.session.kept_names import kept_name
from penstock_sidecar.session.search_path import Path, SearchPath
from penstock_sidecar.session.surroundings import Surroundings

# Texts that were sent under one name, of which it is not known which the server took.
_MOST_TEXTS = 8
# The verbs of what makes them.
_MAKING = frozenset({"prepare", "declare"})
# The first verbs of what PREPARE takes.
_PLANNED = frozenset({"select", "insert", "update", "delete", "merge"})
# And of what runs it.
_RUNNING = frozenset({"execute", "fetch"})


class Deciding(Protocol):
    """What is needed of the session: `flow.Flow`."""

    epoch: int
    statements: MutableMapping[str, PreparedStatement]
    portals: MutableMapping[str, Portal]
    path: SearchPath
    surroundings: Surroundings

    def decide(self, text: str, types: tuple[int, ...] = ()) -> Decision: ...

    @property
    def unknown_is_stale(self) -> bool: ...

    @property
    def unknown_statement_is_stale(self) -> bool: ...


@dataclass(slots=True)
class _Made:
    """A text that makes it, and what was decided about the text last."""

    text: str
    decision: Decision
    epoch: int
    # The types that the client declared for its parameters.
    types: tuple[int, ...] = ()
    # The search_path that it was decided by, and whether it is run by that of the moment: a cursor is not.
    path: Path = None
    follows_path: bool = True
    # The number of the statement that makes it; 0: it has none of its own.
    statement: int = 0
    # What it was made in.
    surroundings: int = 0

    @property
    def told(self) -> str:
        """The text, with the types that were declared beside it: by these it may mean something else."""
        types = ", ".join(map(str, self.types))
        return f"{self.text}\n/* types of its parameters: {types} */" if any(self.types) else self.text

    def holds(self, session: Deciding) -> bool:
        """Whether the decision would be the same now."""
        if self.epoch == session.epoch and (not self.follows_path or self.path == session.path.now):
            return True
        now = session.decide(self.text, self.types)
        then = self.decision
        told = (now.redact_errors, now.mixed_errors) == (then.redact_errors, then.mixed_errors)
        if now.action is Action.DENY or now.text != then.text or not told:
            return False
        self.epoch, self.path = session.epoch, session.path.now
        return True


class SqlPrepared:
    """What the session made in SQL and has not given up."""

    def __init__(self) -> None:
        # By name. A name that is taken stays what it was, since the server refuses to make another one while that is
        # there; which of several texts succeeded is not known here, so all of them have to hold.
        self._statements: dict[str, list[_Made]] = {}
        self._cursors: dict[str, list[_Made]] = {}
        # Cursors that outlive their transaction.
        self._holding: set[str] = set()
        # What FETCHes of each cursor came to.
        self._tallies: dict[str, Tally] = {}
        # What was put on record last: the decision about a text, those about what it ran, and what both came to.
        self._recorded: tuple[Decision, tuple[Decision, ...], Decision, tuple[int, ...]] | None = None

    def prepared(self, name: str) -> bool:
        """Whether there may be a prepared statement of that name, as a message has it."""
        return kept_name(name) in self._statements

    def declared(self, name: str) -> bool:
        """Whether there may be a cursor of that name, as a message has it."""
        return kept_name(name) in self._cursors

    def tally(self, name: str) -> Tally:
        """What the FETCHes of that cursor came to so far."""
        return self._tallies.setdefault(name, Tally())

    def made(
        self, decision: Decision, epoch: int, types: tuple[int, ...] = (), path: Path = None, statement: int = 0,
        surroundings: int = 0,
    ) -> None:  # fmt: skip
        """A text that makes some is being sent, under that search_path and in these surroundings, its first statement
        with that number.
        """
        numbers = _numbers(decision, "prepare", statement)
        for name, number in zip(decision.prepares, numbers, strict=False):
            made = _Made(decision.made_from, decision, epoch, types, path, True, number, surroundings)
            _note(self._statements.setdefault(name, []), made)
        numbers = _numbers(decision, "declare", statement)
        for (name, holds), number in zip(decision.declares, numbers, strict=False):
            made = _Made(decision.made_from, decision, epoch, types, None, False, number, surroundings)
            _note(self._cursors.setdefault(name, []), made)
            if holds:
                self._holding.add(name)

    def deallocated(self, name: str) -> None:
        """A prepared statement is gone; `*`: all are."""
        self._statements = {} if name == "*" else {one: at for one, at in self._statements.items() if one != name}

    def closed(self, name: str) -> None:
        """A cursor is gone; `*`: all are."""
        self._cursors = {} if name == "*" else {one: at for one, at in self._cursors.items() if one != name}
        self._holding &= self._cursors.keys()

    def transaction_ended(self) -> None:
        """Cursors are gone, but for those that are held."""
        if self._cursors:
            self._cursors = {name: made for name, made in self._cursors.items() if name in self._holding}
        if self._tallies:
            self._tallies = {name: tally for name, tally in self._tallies.items() if name in self._cursors}

    def runs_unplanned(self, decision: Decision, session: Deciding) -> bool:
        """Whether the text runs what SQL could not have prepared: SET, COMMIT, DDL and their kin, made by a Parse."""
        made = (session.statements.get(name) for name in decision.executes)
        return any(one is not None and _PLANNED.isdisjoint(one.decision.verbs[:1]) for one in made)

    def runs_stale(self, decision: Decision, session: Deciding) -> bool:
        """Whether the text runs something that would be decided otherwise now, or that is not known."""
        unknown = (session.unknown_statement_is_stale, session.unknown_is_stale)
        return any(
            stale if made is None else not all(one.holds(session) for one in made)
            for stale, found in zip(
                unknown, (self._executed(decision, session), self._fetched(decision, session)), strict=True
            )
            for made in found
        )

    def runs_changing(self, decision: Decision, session: Deciding) -> bool:
        """Whether the text runs something that may change the catalog, or that is not known."""
        return any(
            made is None or any(one.decision.changes_catalog for one in made) for made in self._run(decision, session)
        )

    def holdings(self, decision: Decision, session: Deciding) -> list[Holding | None]:
        """What tells who holds each text that it runs by a name; None: that is not known."""
        ran = self._run(decision, session)
        return [one for made in ran for one in ([None] if made is None else [each.decision.holding for each in made])]

    def runs_of_before(self, decision: Decision, session: Deciding) -> bool:
        """Whether the text runs something that was made when the session had other settings, or temporary tables."""
        now = session.surroundings.now
        return any(one.surroundings != now for made in self._run(decision, session) for one in made or ())

    def runs_writing(self, decision: Decision, session: Deciding) -> bool:
        """Whether the text runs something that may do more than return rows, or that is not known."""
        return any(made is None or any(one.decision.writes for one in made) for made in self._run(decision, session))

    def mixed(self, decision: Decision, session: Deciding) -> str:
        """The SQLSTATE of all errors of what the text runs, if they are told alike."""
        if not decision.executes and not decision.fetches:
            return ""
        states = (one.decision.mixed_errors for made in self._run(decision, session) for one in made or ())
        return max(states, default="")

    def recorded(self, decision: Decision, session: Deciding) -> Decision:
        """The decision as it goes on record: with the verbs, relations and masked columns of what the text runs, and
        the texts that made that.
        """
        if not (decision.executes or decision.fetches):
            return decision
        made = [one for found in self._run(decision, session) for one in found or ()]
        ran, numbers = tuple(one.decision for one in made), tuple(sorted({one.statement for one in made} - {0}))
        last = self._recorded
        if (
            last is None
            or last[0] is not decision
            or list(map(id, last[1])) != list(map(id, ran))
            or last[3] != numbers
        ):
            run = [*(one for each in ran for one in each.recorded), *self._made_within(decision)]
            told = replace(
                decision,
                parts=tuple(_with_what_runs(part, run, numbers) for part in decision.recorded),
                masks=tuple(dict.fromkeys((*decision.masks, *(mask for one in ran for mask in one.masks)))),
                conditions=tuple(dict.fromkeys((*decision.conditions, *(c for one in ran for c in one.conditions)))),
                made_from="\n".join(one.text for one in made),
                same_but_text=None,
            )
            last = self._recorded = decision, ran, told, numbers
        return last[2]

    @staticmethod
    def _made_within(decision: Decision) -> list[Recorded]:
        """The statements of a text that make what others of the text run."""
        declared = {name for name, _ in decision.declares}
        if declared.isdisjoint(decision.fetches) and set(decision.prepares).isdisjoint(decision.executes):
            return []
        return [one for one in decision.recorded if not _MAKING.isdisjoint(one.verbs)]

    def runs(self, decision: Decision, session: Deciding) -> list[tuple[str, Decision]] | None:
        """The texts that it runs by their names, each with what would be decided about it now, and with what was
        decided when its names were found, where they may have stayed what they were; None where nobody knows them.
        """
        now = session.surroundings.now
        found: list[tuple[str, Decision]] = []
        for made in self._run(decision, session):
            if made is None or not all(one.text for one in made):
                return None
            found += [(one.told, session.decide(one.text, one.types)) for one in made]
            stays = (one for one in made if not one.follows_path or one.surroundings != now)
            found += [(one.told, one.decision) for one in stays]
        return found

    def fetches_bound(self, decision: Decision, session: Deciding) -> bool:
        """Whether it fetches from a portal that was bound with parameters, whose values are in no text."""
        portals = (session.portals.get(name) for name in decision.fetches if name not in self._cursors)
        return any(portal is not None and portal.bound for portal in portals)

    def _run(self, decision: Decision, session: Deciding) -> list[list[_Made] | None]:
        """What the text runs that it does not make itself; None: nobody knows what that is."""
        return self._executed(decision, session) + self._fetched(decision, session)

    def _executed(self, decision: Decision, session: Deciding) -> list[list[_Made] | None]:
        return [
            _found(name, self._statements, session.statements, session)
            for name in decision.executes
            if name not in decision.prepares
        ]

    def _fetched(self, decision: Decision, session: Deciding) -> list[list[_Made] | None]:
        declared = {name for name, _ in decision.declares}
        return [
            _found(name, self._cursors, session.portals, session) for name in decision.fetches if name not in declared
        ]


def _numbers(decision: Decision, verb: str, first: int) -> Iterator[int]:
    """The numbers of a text's statements with that verb, its first statement having that number; then 0."""
    if first:
        yield from (first + place for place, part in enumerate(decision.recorded) if verb in part.verbs)
    yield from repeat(0)


def _with_what_runs(part: Recorded, run: Sequence[Recorded], made_by: tuple[int, ...]) -> Recorded:
    """One statement of a text, with what it runs by a name, where it runs any."""
    if _RUNNING.isdisjoint(part.verbs):
        return part
    verbs = (verb for one in run for verb in one.verbs if verb not in _MAKING)
    return replace(
        part,
        verbs=tuple(dict.fromkeys((*part.verbs, *verbs))),
        relations=tuple(sorted({*part.relations, *(name for one in run for name in one.relations)})),
        masked=tuple(sorted({*part.masked, *(name for one in run for name in one.masked)})),
        made_by=made_by,
    )


def _note(texts: list[_Made], made: _Made) -> None:
    if len(texts) <= _MOST_TEXTS and all(
        (one.text, one.types, one.decision.text) != (made.text, made.types, made.decision.text) for one in texts
    ):
        # With too many, none holds: no text is decided like the empty one.
        texts.append(made if len(texts) < _MOST_TEXTS else _Made("", made.decision, -1))


def _found(
    name: str, made: Mapping[str, list[_Made]], others: Mapping[str, PreparedStatement | Portal], session: Deciding
) -> list[_Made] | None:
    """What has that name; None: nobody knows. Code on the server may have made it."""
    if name in made:
        return made[name]
    other = others.get(name)
    if other is None:
        return None
    if isinstance(other, Portal):
        bound = _Made(other.statement.text, other.decision, other.epoch, other.statement.types, follows_path=False)
        bound.surroundings, bound.statement = other.surroundings, other.number
        return [bound]
    parsed = _Made(other.text, other.decision, other.epoch, other.types, other.path)
    parsed.surroundings = other.surroundings
    return [parsed]
