"""What a policy may choose of masked columns' writing: what was read may be written back, other values, unique ones."""

from __future__ import annotations

from dataclasses import replace

import psycopg
import pytest
from tests.core.sql.twins.world import POLICIES, POLICY, Twins, see

from penstock_core.policy.effective import EffectivePolicy, Mask, MaskRule
from penstock_core.sql.decision import Action, Decision


def choosing(**choices: bool) -> EffectivePolicy:
    masks = tuple(replace(rule, mask=replace(rule.mask, **choices)) for rule in POLICIES.masks)
    return replace(POLICY, enforced=replace(POLICIES, masks=masks))


IGNORING = choosing(ignores_write_back=True)
WRITING = choosing(writable=True)
BOTH = choosing(ignores_write_back=True, writable=True, reveals_uniqueness=True)
REVEALING = choosing(reveals_uniqueness=True)


def stored(twins: Twins, decision: Decision, query: str) -> list[tuple[object, ...]]:
    """What a table really holds after the statement, which is undone."""
    with psycopg.connect(twins.left) as connection:
        connection.execute(decision.text.encode())
        rows = connection.execute(query.encode()).fetchall()
        connection.rollback()
    return rows


def reason(twins: Twins, policy: EffectivePolicy, text: str) -> tuple[str, str]:
    decision = twins.governor(policy).decide(text, ("public",))
    assert decision.action is Action.DENY, decision.text
    assert decision.denial is not None
    return decision.denial.reason, decision.denial.remedy


# ---- writeBack: ignore

SAME = {
    "one row": "UPDATE staff SET email = 'd***@example.com', note = 'x' WHERE id = 1",
    "with an alias": "UPDATE staff AS s SET note = 'x', email = 'd***@example.com' WHERE s.id = 1 RETURNING s.email",
    "with all masked columns": "UPDATE staff SET id = 1, email = 'd***@example.com', pay = 0, note = 'x' WHERE id = 1",
    "by itself": "UPDATE staff SET email = email, note = 'x' WHERE id = 1",
    "from a query": "UPDATE staff SET email = s.email, note = 'x' FROM (SELECT * FROM staff) s"
    " WHERE s.id = staff.id AND staff.id = 1",
    "put in or changed": "INSERT INTO staff (id, email, note) VALUES (1, 'd***@example.com', 'x')"
    " ON CONFLICT (id) DO UPDATE SET email = excluded.email, note = excluded.note RETURNING email",
    "merged": "MERGE INTO staff USING (SELECT 1 AS id, 'd***@example.com' AS email) n ON n.id = staff.id"
    " WHEN MATCHED THEN UPDATE SET email = n.email, note = 'x'",
}


@pytest.mark.parametrize("name", SAME)
def test_the_mask_written_back_changes_nothing(twins: Twins, name: str) -> None:
    decision = twins.governor(IGNORING).decide(SAME[name], ("public",))
    assert decision.action is Action.REWRITE, decision.denial
    rows = stored(twins, decision, "SELECT email, pay, note FROM staff WHERE id = 1")
    assert rows == [("dora@example.com", 100, "x")]
    left, right = twins.run(decision)
    assert left.ok
    assert left == right


@pytest.mark.parametrize(
    "text",
    [
        "UPDATE staff SET email = 'new@example.com' WHERE id = 1",
        "UPDATE staff SET email = 'dora@example.com' WHERE id = 1",
        "UPDATE staff SET email = NULL",
        "UPDATE staff SET pay = 100 WHERE id = 1",
        "INSERT INTO staff (id, email) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET email = excluded.email",
    ],
)
def test_another_value_is_an_error_whatever_is_stored(twins: Twins, text: str) -> None:
    """Also the value that is stored: it is compared with the mask alone."""
    left, right = twins.run(twins.governor(IGNORING).decide(text, ("public",)))
    assert left.sqlstate == "22P02"
    assert left == right


def test_no_row_no_error(twins: Twins) -> None:
    decision = twins.governor(IGNORING).decide("UPDATE staff SET email = 'x' WHERE id = 77", ("public",))
    assert see(twins.left, decision).status == "UPDATE 0"


@pytest.mark.parametrize(
    "text", ["UPDATE staff SET email = DEFAULT", "UPDATE staff SET (email, note) = ('d***@example.com', 'x')"]
)
def test_what_is_not_a_plain_value_is_refused(twins: Twins, text: str) -> None:
    assert "public.staff.email: the column is masked for you" in reason(twins, IGNORING, text)[0]


def test_a_parameter_keeps_its_type(twins: Twins) -> None:
    text = "UPDATE u SET email = $1, salary = $2, note = $3 WHERE id = $4"
    decision = twins.governor(IGNORING).decide(text, ("public",))
    with psycopg.connect(twins.left) as connection:
        server = connection.pgconn
        assert server.prepare(b"p", decision.text.encode()).error_message == b""
        described = server.describe_prepared(b"p")
        types = [connection.adapters.types[described.param_type(n)].name for n in range(described.nparams)]  # type: ignore[index]
        assert types == ["varchar", "int4", "text", "int4"]
        connection.execute(b"DEALLOCATE p")
        connection.rollback()


def test_every_type_can_be_compared_with_its_mask(twins: Twins) -> None:
    """Of a mask for null: NULL is all that may be written."""
    rule = POLICIES.masks[0].mask.rule
    mask = MaskRule(("public.visit.*",), Mask("null", rule, ignores_write_back=True))
    policy = replace(POLICY, enforced=replace(POLICIES, masks=(mask,)))
    text = "UPDATE visit SET born = NULL, at = NULL, seen = NULL, spent = NULL, steps = NULL WHERE id IS NULL"
    decision = twins.governor(policy).decide(text, ("public",))
    assert see(twins.left, decision).status == "UPDATE 4"


# ---- write: allow


def test_another_value_is_stored_where_the_mask_allows_it(twins: Twins) -> None:
    text = "UPDATE staff SET email = 'new@example.com', pay = 5 WHERE id = 1 RETURNING email, pay"
    decision = twins.governor(WRITING).decide(text, ("public",))
    assert stored(twins, decision, "SELECT email, pay FROM staff WHERE id = 1") == [("new@example.com", 5)]
    left, right = twins.run(decision)
    assert left == right
    assert left.rows == ((b"n***@example.com", b"0"),)


def test_both_tell_the_mask_from_another_value(twins: Twins) -> None:
    text = (
        "UPDATE staff SET email = n.email FROM (VALUES (1, 'd***@example.com'), (2, 'new@example.com')) n (id, email)"
    )
    decision = twins.governor(BOTH).decide(f"{text} WHERE n.id = staff.id", ("public",))
    assert stored(twins, decision, "SELECT email FROM staff WHERE id < 3 ORDER BY id") == [
        ("dora@example.com",),
        ("new@example.com",),
    ]


@pytest.mark.parametrize(
    ("text", "column"),
    [
        # A check ties it to another masked column, a unique constraint to other rows, a foreign key to others' rows.
        ("UPDATE badge SET ssn = '9'", "ssn"),
        ("UPDATE u SET email = 'x'", "email"),
        ("UPDATE chair SET pay = 5", "pay"),
        ("UPDATE o SET email = 'x'", "email"),
    ],
)
def test_what_constraints_would_tell_stays_refused(twins: Twins, text: str, column: str) -> None:
    assert f"masked column {column}" in reason(twins, WRITING, text)[0]


# ---- uniqueness: reveal


@pytest.mark.parametrize(
    ("table", "text", "index"),
    [
        ("chair", "INSERT INTO chair (id, next, pay) VALUES (9, 1, 77)", "unique constraint"),
        ("split", "INSERT INTO split (id, half, ssn) VALUES (5, 2, 'x')", "unique index"),
    ],
)
def test_a_new_row_beside_unique_masked_columns(twins: Twins, table: str, text: str, index: str) -> None:
    said, remedy = reason(twins, POLICY, text)
    assert f"a new row of public.{table}" in said
    assert index in said
    assert "uniqueness: reveal" in remedy
    decision = twins.governor(REVEALING).decide(text, ("public",))
    assert decision.action is not Action.DENY, decision.denial
    left, right = twins.run(decision)
    assert left.ok
    assert left == right


def test_it_tells_what_is_there_and_no_more(twins: Twins) -> None:
    """That is what is chosen: the two twins answer differently, by the SQLSTATE alone."""
    text = "INSERT INTO chair (id, next, pay) VALUES (9, 1, 100)"
    decision = twins.governor(REVEALING).decide(text, ("public",))
    left, right = twins.run(decision)
    assert (left.sqlstate, right.sqlstate) == ("23505", "")
    assert left.message == ""


def test_foreign_keys_tell_nothing_either_way(twins: Twins) -> None:
    said, remedy = reason(twins, REVEALING, "INSERT INTO o (id, email) VALUES (10, 'x')")
    assert "foreign key" in said
    assert "uniqueness" not in remedy
