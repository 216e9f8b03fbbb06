"""The accounts that the tests under load rest on notice what they are there to notice."""

from __future__ import annotations

import json
from typing import Any

from e2e.load.accounting import Row, Statements, marks_of, table

READ, WRITE, LOST, CUT = (f"mark_pod_{client}_1" for client in range(4))


def line(what: str, at: float, mark: str = "", **more: Any) -> dict[str, Any]:
    return {"what": what, "pod": "load-pod", "time": at, **({"mark": mark} if mark else {}), **more}


LINES = [
    line("sent", 1, READ, writes=False), line("answered", 1.5, READ, seconds=0.5),
    line("sent", 2, WRITE, writes=True), line("answered", 9, WRITE, seconds=7),
    line("sent", 3, LOST, writes=False), line("failed", 4, LOST, error="lost"),
    line("not connected", 5, error="refused"), line("sent", 6, CUT, writes=True),
    line("answered", 7, "mark_pod_9_9", seconds=1),
]  # fmt: skip


def test_what_became_of_each_statement() -> None:
    known = Statements.from_lines(LINES)
    assert (set(known.answered), set(known.failed), known.open) == ({READ, WRITE}, {LOST}, {CUT})
    assert known.written == {WRITE}
    assert len(known.refused_connections) == 1
    assert known.silences() == {"load-pod": 7.5}
    early = known.until(2.5)
    assert (set(early.sent), early.refused_connections) == ({READ, WRITE}, [])


def test_what_ran_and_is_not_on_record_is_missing() -> None:
    row = Row("a case", Statements.from_lines(LINES))
    assert row.missing({READ: 1}, {WRITE: 1, CUT: 1}) == {WRITE, CUT}
    assert row.missing({READ: 1, WRITE: 1}, {WRITE: 1}) == set()
    # Of one nobody was told, and nothing is left.
    assert row.unseen({READ: 1}, {WRITE: 1, CUT: 1}, [WRITE]) == {CUT}
    assert row.unseen({READ: 1}, {WRITE: 1, CUT: 1}, [CUT]) == set()
    assert "a case" in table([row])
    assert table([row], {READ: 1}, {WRITE: 1, CUT: 1}).splitlines()[1].split()[-1] == "2"


def test_what_an_export_has_on_record() -> None:
    events = [
        {"kind": "intent", "sql": f"SELECT '{READ}'"}, {"kind": "outcome", "result": "ok"}, {"kind": "open"},
        {"kind": "statement", "sql": f"SELECT '{WRITE}'"}, {"kind": "statement", "sql": f"SELECT '{WRITE}'"},
    ]  # fmt: skip
    assert marks_of("\n".join(map(json.dumps, events))) == {READ: 1, WRITE: 2}
