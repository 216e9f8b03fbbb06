"""What the server says about a statement that is held: estimates, also of cut plans, and settings."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.sidecar.session.conversation import NOBODY, allow

from penstock_sidecar.session import held_questions
from penstock_sidecar.session.held_questions import Questions
from penstock_sidecar.session.pricing import Parameters
from penstock_sidecar.wire.messages import FLUSH, SYNC, MalformedError


def row(*values: str | None) -> bytes:
    """The body of a DataRow."""
    body = len(values).to_bytes(2, "big")
    for value in values:
        raw = None if value is None else value.encode()
        body += b"\xff" * 4 if raw is None else len(raw).to_bytes(4, "big") + raw
    return body


def node(kind: str, rows: int, *below: dict[str, Any]) -> dict[str, Any]:
    return {"Node Type": kind, "Total Cost": 12.5, "Plan Rows": rows, "Plan Width": 4, "Plans": list(below)}


def planned(plan: dict[str, Any]) -> str:
    return json.dumps([{"Plan": plan}])


def asked() -> Questions:
    return held_questions.asking(NOBODY, allow("SELECT 1"), Parameters(), plan=True, ends=True)[1]


@pytest.mark.parametrize(
    ("plan", "complete", "rows"),
    [
        (node("Seq Scan", 7, node("Scan", 900)), True, 7),
        (node("Seq Scan", 7, node("Scan", 900)), False, 7),
        (node("ModifyTable", 0, node("Scan", 30)), True, 30),
        (node("CTE Scan", 1, node("ModifyTable", 0, node("Scan", 30))), True, 30),
        # Cut off, the part that has the most may be behind.
        (node("ModifyTable", 0, node("Scan", 30)), False, None),
    ],
)
def test_how_many_rows_a_plan_expects(plan: dict[str, Any], complete: bool, rows: int | None) -> None:
    questions = asked()
    questions.note(questions.plan_due[4], row(planned(plan)), complete=complete)
    assert (questions.rows, questions.cost) == (rows, 12.5)


@pytest.mark.parametrize("text", ["", "[]", planned({"Node Type": "Utility"})])
def test_what_is_no_plan_tells_nothing(text: str) -> None:
    questions = asked()
    questions.note(questions.plan_due[4], row(text), complete=True)
    assert (questions.rows, questions.cost) == (None, None)


def test_settings_are_read_whole_or_not_at_all() -> None:
    questions = asked()
    questions.note(questions.settings_due[4], row('{"role": "none"}'), complete=True)
    assert questions.settings == {"role": "none"}
    questions.note(questions.settings_due[4], row('{"role": "none"}'), complete=False)
    assert questions.settings is None
    for wrong in (row(None), row("[]"), row('{"a": 1}'), row("{"), row("{}", "{}"), b"\x00"):
        with pytest.raises(MalformedError):
            questions.note(questions.settings_due[4], wrong, complete=True)


def test_names_of_settings_stay_texts() -> None:
    more = frozenset({"app.o'neill", "app.\\x"})
    sent, _, _ = held_questions.asking(NOBODY, allow("SELECT 1"), Parameters(), plan=False, ends=False, more=more)
    assert b"'session_authorization', 'app.\\x', 'app.o''neill']" in sent
    assert sent.endswith(FLUSH)


def test_a_sync_of_the_gates_own_is_told_to_the_client_in_place_of_a_querys_alone() -> None:
    for query, swallowed in ((True, False), (False, True)):
        sent, questions, due = held_questions.asking(NOBODY, allow("SELECT 1"), Parameters(), plan=True, ends=True)
        assert sent.endswith(SYNC)
        questions.for_query = query
        questions.fail("22012")
        assert (due[-1].swallow, questions.failed) == (swallowed, True)
