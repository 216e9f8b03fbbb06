"""Every kind of reference is found by some rule: one that nothing makes would guard nothing."""

from __future__ import annotations

import dataclasses

import pytest
from tests.core.sql.bind.world import bound, found
from tests.core.sql.test_governor import CATALOG

from penstock_core.sql.bind import references as kinds

FOUND: dict[type[kinds.Reference], str] = {
    kinds.RelationRead: "TABLE people",
    kinds.RelationCopied: "COPY people TO STDOUT",
    kinds.TargetWritten: "TRUNCATE people",
    kinds.FromLevel: "SELECT 1 FROM people, orders",
    kinds.WholeRow: "SELECT people FROM people",
    kinds.Stars: "SELECT * FROM people",
    kinds.Sample: "SELECT id FROM people TABLESAMPLE system (1)",
    kinds.TableFunction: "SELECT 1 FROM generate_series(1, 2)",
    kinds.Grouping: "SELECT id FROM people GROUP BY id",
    kinds.ColumnRead: "SELECT id FROM people",
    kinds.SchemaQualifier: "SELECT public.people.id FROM people",
    kinds.SystemColumn: "SELECT ctid FROM people",
    kinds.UnknownColumn: "SELECT nothing FROM people",
    kinds.UnknownSource: "SELECT nobody.id FROM people",
    kinds.FunctionCall: "SELECT now()",
    kinds.FormerFunction: "SELECT JSON_ARRAY(1)",
    kinds.OperatorUse: "SELECT 1 + 1",
    kinds.TypeUse: "SELECT 1::int",
    kinds.SettingChange: "SET a.b = 1",
    kinds.VerbUse: "SELECT 1",
    kinds.RowChoice: "DELETE FROM people",
    kinds.StatementUse: "BEGIN",
    kinds.TableCreated: "CREATE TABLE fresh ()",
    kinds.TablePart: "CREATE TABLE fresh () INHERITS (people)",
    kinds.RelationLiked: "CREATE TABLE fresh (LIKE people)",
    kinds.ObjectsDropped: "DROP TABLE people",
    kinds.RelationLocked: "LOCK TABLE people",
    kinds.RelationChanged: "ALTER TABLE people ADD COLUMN a int",
    kinds.RelationMade: "CREATE VIEW fresh AS TABLE people",
    kinds.ForeignKeyMade: "ALTER TABLE orders ADD FOREIGN KEY (id) REFERENCES people",
    kinds.QueryKept: "CREATE VIEW fresh AS TABLE people",
    kinds.ViewDefined: "CREATE VIEW fresh AS TABLE people",
    kinds.Unclaimed: "ALTER SYSTEM SET a = 1",
    kinds.Unbound: "SELECT 1 FROM people FOR UPDATE OF public.people",
}


@pytest.mark.parametrize("kind", FOUND, ids=lambda kind: kind.__name__)
def test_it_is_found(kind: type[kinds.Reference]) -> None:
    catalog = dataclasses.replace(CATALOG, user_functions={"json_array": ("public",)})
    assert found(FOUND[kind], kind, catalog=catalog)


def test_no_kind_is_left_out() -> None:
    # What clients declare for parameters is in no text: the governor adds it. Which views are written out is in none
    # either: `test_written_out_views.py`.
    there = {one for one in vars(kinds).values() if isinstance(one, type) and issubclass(one, kinds.Reference)}
    assert there - {kinds.Reference, kinds.ParameterType, kinds.ViewWrittenOut} == FOUND.keys()


def test_two_places_are_two_references_however_alike() -> None:
    """What is done about one must not be taken for done about the other."""
    first, second = found("SELECT now(), now()", kinds.FunctionCall)
    assert first != second
    assert first.node is not second.node


def test_they_are_kept_in_the_order_of_the_text() -> None:
    calls = [
        one.names[-1] for one in bound("SELECT a(); SELECT b(c())").references if isinstance(one, kinds.FunctionCall)
    ]
    assert calls == ["a", "b", "c"]
