"""Beginnings and ends of statements, put together."""

from __future__ import annotations

from typing import Any

from penstock_core.evidence.statements import Statement, Statements


def event(kind: str, statement: int, stream: str = "a", **fields: Any) -> dict[str, Any]:
    return {"kind": kind, "stream": stream, "session": "s", "statement": statement, **fields}


def test_apart_and_together() -> None:
    statements = Statements()
    assert statements.take(event("intent", 1, decision="allow"), within=True) is None
    whole = statements.take(event("statement", 2, decision="allow", result="ok", rows=3), within=True)
    assert whole is not None
    assert (whole.result, whole.rows, whole.ran, whole.refused) == ("ok", 3, True, False)
    assert statements.take(event("outcome", 1, stream="b"), within=True) is None, "another stream's"
    ended = statements.take(event("outcome", 1, result="error", rows=2), within=True)
    assert ended is not None
    assert (ended["decision"], ended.result, ended.rows) == ("allow", "error", 2)
    assert list(statements.without_end()) == []


def test_it_is_of_the_period_in_which_it_began() -> None:
    statements = Statements()
    assert statements.take(event("intent", 1), within=False) is None
    assert statements.take(event("outcome", 1), within=True) is None
    statements.take(event("intent", 2), within=True)
    assert statements.take(event("outcome", 2, result="ok"), within=False) is not None
    assert statements.take(event("statement", 3), within=False) is None


def test_without_an_end() -> None:
    statements = Statements()
    statements.take(event("intent", 1, decision="allow"), within=True)
    (left,) = statements.without_end()
    assert (left.result, left.rows, left.ran) == ("unknown", 0, True)


def test_what_did_not_run() -> None:
    results = {"ok": True, "error": True, "unknown": True, "denied": False, "unexecuted": False, "skipped": False}
    for result, ran in results.items():
        assert Statement({"decision": "allow"}, {"result": result}).ran is ran
    refused = Statement({"decision": "deny"}, {"result": "denied"})
    assert (refused.refused, refused.ran) == (True, False)
    # A limit that it went beyond while it ran.
    assert Statement({"decision": "rewrite"}, {"result": "denied"}).refused
