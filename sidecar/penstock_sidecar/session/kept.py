"""Prepared statements and cursors that a client makes in SQL, each with the time when it was decided about.

What runs them later (EXECUTE, FETCH, MOVE) says nothing but a name, so what was made under an older policy has to be
told by that. Those made by Parse and Bind are in `flow.py`, and decided anew.
"""

from __future__ import annotations

from collections.abc import Mapping

from penstock_core.sql.decision import Decision
from penstock_sidecar.session.pending import Portal, Statement


class Kept:
    """What the session made in SQL and has not given up."""

    def __init__(self) -> None:
        # By name, the epoch of rules that it was made in. A name that is taken keeps its first: the server refuses to
        # make another one while that is there.
        self._statements: dict[str, int] = {}
        self._cursors: dict[str, int] = {}
        # Cursors that outlive their transaction.
        self._holding: set[str] = set()
        # The epoch in which the policy changed last; 0: never.
        self._changed = 0

    def prepared(self, name: str) -> bool:
        """Whether there may be a prepared statement of that name."""
        return name in self._statements

    def policy_changed(self, epoch: int) -> None:
        """What is made from that epoch on is made under the new policy."""
        self._changed = epoch

    def made(self, decision: Decision, epoch: int) -> None:
        """A text that makes some is being sent."""
        for name in decision.prepares:
            self._statements.setdefault(name, epoch)
        for name, holds in decision.declares:
            self._cursors.setdefault(name, epoch)
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
            self._cursors = {name: epoch for name, epoch in self._cursors.items() if name in self._holding}

    def runs_stale(
        self, decision: Decision, statements: Mapping[str, Statement], portals: Mapping[str, Portal]
    ) -> bool:
        """Whether the text runs something that was, or may have been, made under an older policy."""
        if not self._changed or not (decision.executes or decision.fetches):
            return False
        declared = {name for name, _ in decision.declares}
        epochs = [
            *(
                self._epoch(one, self._statements, statements)
                for one in decision.executes
                if one not in decision.prepares
            ),
            *(self._epoch(one, self._cursors, portals) for one in decision.fetches if one not in declared),
        ]
        return any(epoch < self._changed for epoch in epochs)

    @staticmethod
    def _epoch(name: str, made: Mapping[str, int], others: Mapping[str, Statement | Portal]) -> int:
        if name in made:
            return made[name]
        return others[name].epoch if name in others else 0
