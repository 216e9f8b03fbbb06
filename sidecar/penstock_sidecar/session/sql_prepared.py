"""Prepared statements and cursors that a client makes in SQL, each with the text that it was made by.

What runs them later (EXECUTE, FETCH, MOVE) says nothing but a name, and the server analyses a prepared statement again
whenever the catalog changed. So the text is decided again when the policy or the catalog is another than when it was
made; unless the decision is the same, what runs it is refused. Those made by Parse and Bind are in `flow.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from penstock_core.sql.decision import Action, Decision
from penstock_sidecar.session.in_flight import Portal, PreparedStatement

# Texts that were sent under one name, of which it is not known which the server took.
_MOST_TEXTS = 8


class Deciding(Protocol):
    """What is needed of the session: `flow.Flow`."""

    epoch: int
    statements: dict[str, PreparedStatement]
    portals: dict[str, Portal]

    def decide(self, text: str, types: tuple[int, ...] = ()) -> Decision: ...

    @property
    def unknown_is_stale(self) -> bool: ...


@dataclass(slots=True)
class _Made:
    """A text that makes it, and what was decided about the text last."""

    text: str
    decision: Decision
    epoch: int
    # The types that the client declared for its parameters.
    types: tuple[int, ...] = ()

    def holds(self, session: Deciding) -> bool:
        """Whether the decision would be the same now."""
        if self.epoch == session.epoch:
            return True
        now = session.decide(self.text, self.types)
        then = self.decision
        if now.action is Action.DENY or (now.text, now.redact_errors) != (then.text, then.redact_errors):
            return False
        self.epoch = session.epoch
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

    def prepared(self, name: str) -> bool:
        """Whether there may be a prepared statement of that name."""
        return name in self._statements

    def made(self, decision: Decision, epoch: int, types: tuple[int, ...] = ()) -> None:
        """A text that makes some is being sent."""
        made = _Made(decision.made_from, decision, epoch, types)
        for name in decision.prepares:
            _note(self._statements.setdefault(name, []), made)
        for name, holds in decision.declares:
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

    def runs_stale(self, decision: Decision, session: Deciding) -> bool:
        """Whether the text runs something that would be decided otherwise now, or that is not known."""
        return not all(
            not session.unknown_is_stale if made is None else all(one.holds(session) for one in made)
            for made in self._run(decision, session)
        )

    def runs_changing(self, decision: Decision, session: Deciding) -> bool:
        """Whether the text runs something that may change the catalog, or that is not known."""
        return any(
            made is None or any(one.decision.changes_catalog for one in made) for made in self._run(decision, session)
        )

    def _run(self, decision: Decision, session: Deciding) -> list[list[_Made] | None]:
        """What the text runs that it does not make itself; None: nobody knows what that is."""
        declared = {name for name, _ in decision.declares}
        found = [
            _found(name, self._statements, session.statements, session)
            for name in decision.executes
            if name not in decision.prepares
        ]
        found += [
            _found(name, self._cursors, session.portals, session) for name in decision.fetches if name not in declared
        ]
        return found


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
    statement = other if isinstance(other, PreparedStatement) else other.statement
    return [_Made(statement.text, other.decision, other.epoch, statement.types)]
