"""What gates report of their Databases, and which of them follow their policies now: kept in memory, for the operator.

A report is a pod's word about itself; nobody's access depends on it. What is kept is bounded: of a gate the newest
report alone, of many gates those heard of last. What doesn't belong: HTTP (`reporting.py`), what follows from reports.
"""

from __future__ import annotations

import secrets
from collections import Counter, OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from penstock_core.gate_report import GateReport
from penstock_core.token_review import Pod
from penstock_operator.cluster.watch import Key

MOST_GATES = 20_000
# Of reports that name something; healthy ones are a hundred bytes each.
MOST_BYTES = 32 << 20
MOST_TOLD = 500


@dataclass(slots=True)
class _Gate:
    """One pod with one Database."""

    pod: Pod
    revision: int
    report: GateReport | None = None
    size: int = 0


# Namespace and name of the Database, and the pod's uid.
_Place = tuple[Key, str]


class GateReports:
    """All gates that this replica has heard of."""

    def __init__(self) -> None:
        # By which a reader knows that what it has read before still counts.
        self.instance = secrets.token_hex(8)
        self.revision = 0
        # Those heard of last come last.
        self._gates: OrderedDict[_Place, _Gate] = OrderedDict()
        self._streams: Counter[_Place] = Counter()
        self._bytes = 0

    def received(self, pod: Pod, database: str, report: GateReport, size: int) -> None:
        """A gate says that of itself; what it said before counts no more."""
        gate = self._heard((pod.namespace, database), pod)
        if gate.report is None or gate.report.number <= report.number:
            self._bytes += size - gate.size
            gate.report, gate.size = report, size
        self._make_room()

    @contextmanager
    def following(self, pod: Pod, key: Key) -> Iterator[None]:
        """A gate follows its policies for so long."""
        place = (key, pod.uid)
        self._streams[place] += 1
        self._heard(key, pod)
        self._make_room()
        try:
            yield
        finally:
            self._streams[place] -= 1
            if not self._streams[place]:
                del self._streams[place]
            if place in self._gates:
                self._heard(key, pod)

    def told(self, instance: str, after: int) -> dict[str, Any]:
        """What changed after that revision, the oldest first and so many at most, for who read this instance before."""
        since = after if instance == self.instance else -1
        found = [one for one in self._gates.items() if one[1].revision > since]
        shown = sorted(found, key=lambda one: one[1].revision)[:MOST_TOLD]
        revision = shown[-1][1].revision if len(shown) < len(found) else self.revision
        gates = [self._document(place, gate) for place, gate in shown]
        return {"instance": self.instance, "revision": revision, "more": len(shown) < len(found), "gates": gates}

    def _document(self, place: _Place, gate: _Gate) -> dict[str, Any]:
        (namespace, database), uid = place
        return {
            "namespace": namespace, "database": database, "pod": gate.pod.name, "uid": uid,
            "following": place in self._streams,
            "report": None if gate.report is None else gate.report.document(),
        }  # fmt: skip

    def _heard(self, key: Key, pod: Pod) -> _Gate:
        self.revision += 1
        place = (key, pod.uid)
        gate = self._gates.setdefault(place, _Gate(pod, self.revision))
        gate.revision = self.revision
        self._gates.move_to_end(place)
        return gate

    def _make_room(self) -> None:
        while len(self._gates) > 1 and (len(self._gates) > MOST_GATES or self._bytes > MOST_BYTES):
            _, gone = self._gates.popitem(last=False)
            self._bytes -= gone.size
