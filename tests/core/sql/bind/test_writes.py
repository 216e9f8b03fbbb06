"""Statements that write: what each does to its target, which rows it chooses, and what RETURNING sees."""

from __future__ import annotations

import pytest
from tests.core.sql.bind.world import bound, found

from penstock_core.sql.bind.references import (
    ColumnRead,
    Effect,
    RelationCopied,
    RowChoice,
    TargetWritten,
    Unbound,
    UnknownColumn,
    UnknownSource,
    VerbUse,
)

MERGE = "MERGE INTO people t USING orders o ON t.id = o.person"


def effect(text: str) -> Effect:
    (target,) = found(text, TargetWritten)
    return target.effect


def verbs(text: str) -> list[str]:
    return [one.verb for one in found(text, VerbUse)]


@pytest.mark.parametrize(
    ("text", "actions", "sets"),
    [
        ("INSERT INTO people VALUES ('1')", {"insert"}, set()),
        ("INSERT INTO people (id) VALUES ('1') ON CONFLICT DO NOTHING", {"insert"}, set()),
        ("INSERT INTO people (id) VALUES ('1') ON CONFLICT (id) DO UPDATE SET name = 'x'",
         {"insert", "update"}, {"name"}),
        ("UPDATE people SET name = 'x', (id, email) = ('1', '2')", {"update"}, {"name", "id", "email"}),
        ("DELETE FROM people", {"delete"}, set()),
        ("TRUNCATE people", set(), set()),
        ("COPY people FROM STDIN", {"insert"}, set()),
        (f"{MERGE} WHEN MATCHED THEN UPDATE SET name = 'x' WHEN NOT MATCHED THEN INSERT (id) VALUES ('1')",
         {"insert", "update"}, {"name"}),
        (f"{MERGE} WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN DO NOTHING", {"delete"}, set()),
    ],
)  # fmt: skip
def test_what_it_does_to_its_target(text: str, actions: set[str], sets: set[str]) -> None:
    assert (effect(text).actions, effect(text).sets) == (actions, sets)
    assert bound(text).writes
    assert bound(text).relations >= {("public", "people")}


@pytest.mark.parametrize(
    ("text", "needed"),
    [
        ("INSERT INTO people VALUES ('1') RETURNING id", ["insert"]),
        # The row that was there is shown.
        ("INSERT INTO people VALUES ('1') ON CONFLICT (id) DO UPDATE SET id = '1' RETURNING id",
         ["insert", "update", "select"]),
        ("UPDATE people SET id = '1'", ["update"]),
        ("DELETE FROM people RETURNING id", ["delete", "select"]),
        (f"{MERGE} WHEN NOT MATCHED THEN INSERT (id) VALUES ('1') RETURNING 1", ["insert"]),
        (f"{MERGE} WHEN MATCHED THEN DELETE RETURNING 1", ["delete", "select"]),
        ("COPY people TO STDOUT", ["select"]),
        ("COPY (DELETE FROM people RETURNING id) TO STDOUT", ["delete", "select"]),
        ("COPY (SELECT 1) TO STDOUT", ["select"]),
        ("COPY people FROM STDIN", ["insert"]),
    ],
)  # fmt: skip
def test_the_verbs_that_it_needs(text: str, needed: list[str]) -> None:
    assert verbs(text) == needed


def test_the_condition_by_which_rows_are_chosen() -> None:
    def choices(text: str) -> list[tuple[str, str, str]]:
        return [(one.verb, type(one.owner).__name__, one.field) for one in found(text, RowChoice)]

    assert choices("UPDATE people SET id = '1'") == [("update", "UpdateStmt", "whereClause")]
    assert choices("DELETE FROM people WHERE true") == [("delete", "DeleteStmt", "whereClause")]
    assert choices("INSERT INTO people VALUES ('1')") == []
    assert choices(f"{MERGE} WHEN MATCHED THEN DELETE") == [("delete", "MergeStmt", "joinCondition")]
    assert choices(f"{MERGE} WHEN NOT MATCHED BY SOURCE THEN DELETE") == [("delete", "MergeWhenClause", "condition")]
    assert choices(f"{MERGE} WHEN NOT MATCHED THEN INSERT DEFAULT VALUES") == []


def test_a_table_of_with_is_no_target() -> None:
    (end,) = found("WITH people AS (SELECT 1) DELETE FROM people", Unbound)
    assert end.remedy == "write the table's schema before its name"
    assert found("WITH people AS (SELECT 1) DELETE FROM public.people", Unbound) == []


def test_what_each_part_sees() -> None:
    insert = "INSERT INTO people (id) SELECT o.id FROM orders o ON CONFLICT (id) DO UPDATE SET name = {}"
    assert found(insert.format("excluded.name || people.name"), UnknownSource) == []
    assert [one.name for one in found(insert.format("o.note"), UnknownSource)] == ["o"]
    assert found("INSERT INTO people (id) SELECT people.id", UnknownSource)
    assert (
        found("UPDATE people SET name = o.note FROM orders o WHERE o.id = people.id RETURNING o.note", UnknownSource)
        == []
    )
    assert found("DELETE FROM people USING orders o WHERE people.id = o.id", UnknownSource) == []
    assert found("COPY people FROM STDIN WHERE email = ''", ColumnRead)[0].owners[0].target is False


def test_each_action_of_merge_sees_the_rows_that_it_has() -> None:
    assert found(f"{MERGE} WHEN NOT MATCHED AND o.note = '' THEN INSERT (id) VALUES (o.id)", UnknownSource) == []
    assert found(f"{MERGE} WHEN NOT MATCHED THEN INSERT (id) VALUES (t.id)", UnknownSource)
    assert found(f"{MERGE} WHEN NOT MATCHED BY SOURCE AND o.note = '' THEN DELETE", UnknownSource)
    assert found(f"{MERGE} WHEN MATCHED AND t.name = o.note THEN DELETE", UnknownSource) == []


def test_returning_sees_the_old_and_the_new_row() -> None:
    text = "UPDATE people SET name = 'x' RETURNING {}"
    for name in ("old.email", "new.email", "email"):
        (read,) = (one for one in found(text.format(name), ColumnRead) if one.name == "email")
        assert [one.target for one in read.owners] == [True]
    named = "UPDATE people SET name = 'x' RETURNING WITH (OLD AS before) before.email"
    assert found(named, UnknownSource) == []
    # And so do the queries around a statement in WITH, by its columns.
    assert [
        one.name for one in found("WITH d AS (DELETE FROM people RETURNING id) SELECT email FROM d", UnknownColumn)
    ] == ["email"]


def test_a_relation_that_is_copied_is_told_with_the_statement() -> None:
    (copied,) = found("COPY people (id) TO STDOUT", RelationCopied)
    assert copied.item.relname == "people"
    assert copied.statement.relation is copied.item
