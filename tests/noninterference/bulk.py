"""Many statements, each by itself: sessions that stay open, and a transaction around each that is rolled back.

What is rolled back leaves its room behind, which the planner estimates by, and a statement that runs out of time on one
twin alone leaves another state there. So the databases are made anew now and then, and what parts the twins has to part
new ones as well.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from tests.noninterference.client import Client, Message
from tests.noninterference.comparing import Verdict, compare
from tests.noninterference.scenes import Step
from tests.noninterference.shrinking import shrink
from tests.noninterference.tally import Finding
from tests.noninterference.twins import Twin, Twins

# What outlives a transaction, or has none: its session is used for nothing else.
_LASTING = re.compile(
    r"\b(set_config|setseed|pg_advisory_lock|pg_try_advisory_lock|currval|lastval)\b|^\s*(set|reset|discard|prepare"
    r"|deallocate|listen|notify|load|create\s+(local\s+|global\s+)?temp|begin|start|commit|rollback|abort|end|savepoint|release)\b",
    re.IGNORECASE,
)
# So many statements are asked in one session, and of one database.
_MOST = 300
_MOST_OF_ONE = 1_200


class Bulk:
    """Sessions with the twins that must answer alike, and with one twin past the gate."""

    def __init__(self, twins: Twins, identity: str) -> None:
        self._twins = twins
        self._identity = identity
        self._open: dict[tuple[str, str], Client] = {}
        self._asked = 0

    def judge(self, sql: str, *, unordered: bool = False) -> Verdict:
        """What the twins answer, compared; `leaked` only where it parts new ones too."""
        verdict = self.compared(sql, unordered=unordered)
        if verdict.outcome == "leaked":
            self.renew()
            anew = self.compared(sql, unordered=unordered)
            verdict = anew if anew.outcome == "leaked" else replace(verdict, outcome="unstable")
        return verdict

    def compared(self, sql: str, *, unordered: bool = False) -> Verdict:
        """What the twins answer as they are, compared."""

        def play() -> list[list[Step]]:
            return self._twins.ask(lambda twin: [Step(sql, self._ask(twin, self._identity, sql))])

        def reorders(longer: bool) -> bool:
            return self._twins.hazards.may_reorder(self._identity, sql, longer=longer)

        verdict = compare(play, play, unordered=unordered, reorders=reorders)
        self._asked += 1
        if self._asked % _MOST_OF_ONE == 0:
            self.renew()
        elif self._asked % _MOST == 0:
            self.close()
        return verdict

    def renew(self) -> None:
        """Make the databases new."""
        self.close()
        self._twins.reset()

    def direct(self, twin: Twin, sql: str) -> list[Message]:
        """What the server itself answers."""
        return self._ask(twin, "direct", sql)

    def _ask(self, twin: Twin, identity: str, sql: str) -> list[Message]:
        key = (twin.filling.name, identity)
        if key not in self._open:
            self._open[key] = twin.connect(identity)
        client = self._open[key]
        client.ask("BEGIN")
        answer = client.ask(sql)
        client.ask("ROLLBACK")
        if _LASTING.search(sql) or any(kind == b"!" for kind, _ in answer):
            self._open.pop(key).close()
        return answer

    def close(self) -> None:
        for client in self._open.values():
            client.close()
        self._open.clear()


def is_useful(answer: Sequence[Message]) -> bool:
    """Whether the server made something of it: neither an error nor the end of the connection."""
    return not any(kind in b"E!" for kind, _ in answer)


def found(part: str, bulk: Bulk, sql: str, verdict: Verdict, postgres: int) -> Finding:
    """A leak, told by the shortest statement that shows it."""
    shown = {sql: verdict}

    def tells(shorter: str) -> bool:
        shown[shorter] = bulk.compared(shorter)
        return shown[shorter].outcome == "leaked"

    short = shrink(sql, tells)
    return Finding("leaked", part, f"{part}: {' '.join(short.split())[:120]}", short, shown[short].why, postgres)
