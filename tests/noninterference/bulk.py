"""Many statements, each by itself: sessions that stay open, and a transaction around each that is rolled back."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tests.noninterference.client import Client, Message
from tests.noninterference.comparing import Verdict, compare
from tests.noninterference.scenes import Step
from tests.noninterference.shrinking import shrink
from tests.noninterference.tally import Finding
from tests.noninterference.twins import Twin, Twins

# What outlives a transaction, or has none: then the sessions are opened anew.
_LASTING = re.compile(
    r"\b(set_config|setseed|pg_advisory_lock|pg_try_advisory_lock|currval|lastval)\b|^\s*(set|reset|discard|prepare"
    r"|deallocate|listen|notify|load|create\s+(local\s+|global\s+)?temp|begin|start|commit|rollback|abort|end|savepoint|release)\b",
    re.IGNORECASE,
)
_MOST = 300


class Bulk:
    """Sessions with the twins that must answer alike, and with one twin past the gate."""

    def __init__(self, twins: Twins, identity: str) -> None:
        self._twins = twins
        self._identity = identity
        self._open: dict[tuple[str, str], Client] = {}
        self._asked = 0

    def judge(self, sql: str, *, unordered: bool = False) -> Verdict:
        """What the twins answer, compared."""

        def play() -> list[list[Step]]:
            return self._twins.ask(lambda twin: [Step(sql, self._ask(twin, self._identity, sql))])

        def reorders(longer: bool) -> bool:
            return self._twins.hazards.may_reorder(self._identity, sql, longer=longer)

        verdict = compare(play, play, unordered=unordered, reorders=reorders)
        self._asked += 1
        hung_up = any(kind == b"!" for step in verdict.steps for kind, _ in step.answer)
        if hung_up or _LASTING.search(sql) or self._asked % _MOST == 0:
            self.close()
        return verdict

    def direct(self, twin: Twin, sql: str) -> list[Message]:
        """What the server itself answers."""
        answer = self._ask(twin, "direct", sql)
        if _LASTING.search(sql) or any(kind == b"!" for kind, _ in answer):
            self._open.pop((twin.filling.name, "direct")).close()
        return answer

    def _ask(self, twin: Twin, identity: str, sql: str) -> list[Message]:
        key = (twin.filling.name, identity)
        if key not in self._open:
            self._open[key] = twin.connect(identity)
        client = self._open[key]
        client.ask("BEGIN")
        answer = client.ask(sql)
        client.ask("ROLLBACK")
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
        shown[shorter] = bulk.judge(shorter)
        return shown[shorter].outcome == "leaked"

    short = shrink(sql, tells)
    return Finding("leaked", part, f"{part}: {' '.join(short.split())[:120]}", short, shown[short].why, postgres)
