"""What clients, the database's server and the trail know of the same statements, case by case, and where they differ.

Pure. What doesn't belong: asking them (`place.py`), and what is allowed (the tests).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

Line = dict[str, Any]
MARK = r"mark_[a-z0-9]+_[0-9]+_[0-9]+"


def lines_of(text: str) -> list[Line]:
    return [json.loads(line) for line in text.splitlines()]


def marks_of(export: str) -> Counter[str]:
    """How often each mark is on record, in the lines of an export: an outcome only goes with what is."""
    found: Counter[str] = Counter()
    for line in export.splitlines():
        event = json.loads(line)
        if event.get("kind") in ("intent", "statement"):
            found.update(re.findall(MARK, event.get("sql") or ""))
    return found


@dataclass
class Statements:
    """What clients know, by marks."""

    sent: dict[str, Line] = field(default_factory=dict)
    answered: dict[str, Line] = field(default_factory=dict)
    failed: dict[str, Line] = field(default_factory=dict)
    refused_connections: list[Line] = field(default_factory=list)

    @classmethod
    def from_lines(cls, lines: Iterable[Line]) -> Statements:
        made = cls()
        places = {"sent": made.sent, "answered": made.answered, "failed": made.failed}
        for line in lines:
            match line["what"]:
                case "not connected":
                    made.refused_connections.append(line)
                case str(what) if what == "sent" or (what in places and line["mark"] in made.sent):
                    places[what][line["mark"]] = line
        return made

    def until(self, moment: float) -> Statements:
        """What was tried before that moment, with all that is known of it since."""
        sent = {mark: line for mark, line in self.sent.items() if line["time"] < moment}
        return Statements(
            sent,
            {mark: line for mark, line in self.answered.items() if mark in sent},
            {mark: line for mark, line in self.failed.items() if mark in sent},
            [line for line in self.refused_connections if line["time"] < moment],
        )

    @property
    def open(self) -> set[str]:
        """Sent, and nothing is known of them: their client was killed, or waits still."""
        return set(self.sent) - set(self.answered) - set(self.failed)

    @property
    def written(self) -> set[str]:
        """What clients were told to be in the table."""
        return {mark for mark in self.answered if self.sent[mark]["writes"]}

    @property
    def slowest(self) -> float:
        """Seconds that the slowest answer took."""
        return max((one["seconds"] for one in self.answered.values()), default=0.0)

    def silences(self) -> dict[str, float]:
        """Of each pod, the longest time without any answer between two answers."""
        times: dict[str, list[float]] = {}
        for line in self.answered.values():
            times.setdefault(line["pod"], []).append(line["time"])
        return {
            pod: max((later - one for one, later in pairwise(ordered)), default=0.0)
            for pod, ordered in ((pod, sorted(seen)) for pod, seen in times.items())
        }


@dataclass
class Row:
    """One case of the table."""

    name: str
    statements: Statements
    # What was waited for, and how many seconds it took.
    effects: dict[str, float] = field(default_factory=dict)
    # How many events somebody said to be lost.
    said_lost: int = 0

    def missing(self, trail: Mapping[str, int], server: Mapping[str, int]) -> set[str]:
        """What the server ran, or its client was answered, and the trail does not have."""
        mine = set(self.statements.sent)
        return {mark for mark in mine if (mark in server or mark in self.statements.answered) and mark not in trail}

    def unseen(self, trail: Mapping[str, int], server: Mapping[str, int], table: Collection[str]) -> set[str]:
        """What is missing, and nobody was told, and left nothing in the table: its gate was killed before it was on
        record, so that its answer never left the gate, and what it wrote was rolled back.
        """
        return self.missing(trail, server) - set(self.statements.answered) - set(table)

    def cells(self, trail: Mapping[str, int] | None, server: Mapping[str, int] | None) -> list[str]:
        known = self.statements
        missing = "" if trail is None or server is None else str(len(self.missing(trail, server)))
        effects = ", ".join(f"{what} {seconds:.1f} s" for what, seconds in self.effects.items())
        silence = max(known.silences().values(), default=0.0)
        return [
            self.name, str(len(known.sent)), str(len(known.failed)), str(len(known.open)),
            str(len(known.refused_connections)), f"{silence:.1f} s", missing, str(self.said_lost or ""), effects,
        ]  # fmt: skip


HEAD = ["case", "sent", "failed", "cut off", "connects refused", "longest silence of a pod", "not in the trail",
        "said to be lost", "time to effect"]  # fmt: skip


def table(rows: Iterable[Row], trail: Mapping[str, int] | None = None, server: Mapping[str, int] | None = None) -> str:
    """All cases, for people."""
    cells = [HEAD, *(row.cells(trail, server) for row in rows)]
    widths = [max(len(line[place]) for line in cells) for place in range(len(HEAD))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells
    )
