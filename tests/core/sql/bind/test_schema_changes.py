"""Changes of the schema: whatever they name is found, above all what will run later."""

from __future__ import annotations

import pytest
from tests.core.sql.bind.world import bound, found

from penstock_core.sql.bind.name_resolution import ResolvedRelation
from penstock_core.sql.bind.references import (
    ForeignKeyMade,
    FunctionCall,
    ObjectsDropped,
    RelationChanged,
    RelationLiked,
    RelationRead,
    StatementUse,
    TablePart,
    TargetWritten,
    TypeUse,
    Unclaimed,
    UnknownColumn,
    ViewDefined,
)


def calls(text: str) -> list[tuple[str, str]]:
    return [(".".join(one.names), one.form) for one in found(text, FunctionCall)]


@pytest.mark.parametrize(
    "text",
    [
        "CREATE TABLE t (a int DEFAULT upper('x')::int)",
        "CREATE TABLE t (a int CHECK (upper('x') = 'X'))",
        "CREATE TABLE t (a int, CHECK (upper('x') = 'X'))",
        "CREATE TABLE t (a text GENERATED ALWAYS AS (upper('x')) STORED)",
        "CREATE INDEX ON people ((upper('x')))",
        "CREATE INDEX ON people (id) WHERE upper('x') = 'X'",
        "CREATE POLICY p ON people USING (upper('x') = 'X')",
        "ALTER TABLE people ADD CHECK (upper('x') = 'X')",
        "ALTER TABLE people ALTER id SET DEFAULT upper('x')",
        "CREATE DOMAIN d AS text CHECK (upper('x') = 'X')",
        "CREATE VIEW v AS SELECT 1 FROM orders WHERE upper('x') = 'X'",
        "CREATE RULE r AS ON INSERT TO people DO ALSO SELECT upper('x')",
        "CREATE TABLE t (id text) PARTITION BY LIST (upper('x'))",
    ],
)
def test_a_function_that_will_run_later_is_found(text: str) -> None:
    assert ("upper", "definition") in calls(text)


def test_what_statistics_are_of_is_bound() -> None:
    text = "CREATE STATISTICS s ON upper('x'), (id::public.odd) FROM people"
    assert ("upper", "definition") in calls(text)
    assert [one.name for one in found(text, TypeUse)] == ["odd"]
    assert [one.item.relname for one in found(text, RelationChanged)] == ["people"]


def test_a_table_like_another_is_bound_to_it() -> None:
    (liked,) = found("CREATE TABLE t (a int, LIKE public.people INCLUDING ALL, CHECK (id > 0))", RelationLiked)
    assert liked.resolved.name == "people"
    assert found("CREATE TABLE t (LIKE people, CHECK (id > 0))", UnknownColumn) == []


def test_a_function_that_gets_another_name_is_found() -> None:
    assert ("public.report", "object") in calls("ALTER FUNCTION public.report() RENAME TO other")
    assert ("report", "object") in calls("DROP FUNCTION report(int)")
    assert ("upper", "field") in calls("CREATE INDEX ON people ((people.upper))")
    assert ("upper", "field") in calls("CREATE INDEX ON people (((people).upper))")


def test_what_a_new_table_refers_to_is_said() -> None:
    for text in (
        "CREATE TABLE t () INHERITS (people)",
        "CREATE TABLE t PARTITION OF people DEFAULT",
        "CREATE TABLE t (a int, EXCLUDE (a WITH =))",
    ):
        assert len(found(text, TablePart)) == 1, text
    plain = "CREATE TABLE t (a int PRIMARY KEY, b text UNIQUE NOT NULL, c int CHECK (c > 0) DEFAULT 1)"
    assert found(plain, TablePart) == []


@pytest.mark.parametrize(
    "text",
    [
        "CREATE TABLE t (a text REFERENCES people)",
        "CREATE TABLE t (a text, FOREIGN KEY (a) REFERENCES people (id))",
        "CREATE TABLE IF NOT EXISTS public.people (a text REFERENCES people)",
        "ALTER TABLE orders ADD a text REFERENCES people",
        "ALTER TABLE people ADD FOREIGN KEY (a) REFERENCES people (id)",
    ],
)
def test_a_foreign_key_is_bound_to_what_it_points_to(text: str) -> None:
    (key,) = found(text, ForeignKeyMade)
    assert isinstance(key.resolved, ResolvedRelation)
    assert (key.resolved.name, key.item.relname) == ("people", "people")
    assert any(name == "people" for _, name in bound(text).relations)


def test_a_new_table_that_points_to_itself_refers_to_nothing_else() -> None:
    assert found("CREATE TABLE t (id int PRIMARY KEY, a int REFERENCES t)", ForeignKeyMade) == []
    assert (
        found("CREATE TABLE public.people (id int PRIMARY KEY, a int REFERENCES public.people)", ForeignKeyMade) == []
    )


def test_a_serial_number_is_no_type() -> None:
    assert [one.name for one in found("CREATE TABLE t (a bigserial, b mood, c public.serial)", TypeUse)] == [
        "mood",
        "serial",
    ]


def test_the_sessions_own_tables_are_told_apart_where_they_are_dropped() -> None:
    def temporary(text: str, *tables: str) -> bool:
        (one,) = (one for one in bound(text, temporary=frozenset(tables)).references if isinstance(one, ObjectsDropped))
        return one.temporary

    assert temporary("DROP TABLE fresh", "fresh")
    assert temporary("DROP TABLE pg_temp.fresh, other", "other")
    assert not temporary("DROP TABLE fresh")
    assert not temporary("DROP TABLE fresh, people", "fresh")
    # It may be gone, and the name another's.
    assert not temporary("DROP TABLE people", "people")
    assert not temporary("DROP TABLE public.fresh", "fresh")
    assert not temporary("DROP VIEW fresh", "fresh")
    assert bound("DROP TABLE fresh", temporary=frozenset({"fresh"})).drops_tables == {"fresh"}


def test_truncate_asks_no_row_anything() -> None:
    targets = found("TRUNCATE people, archive.letters", TargetWritten)
    assert [(one.item.relname, one.effect.actions) for one in targets] == [
        ("people", frozenset()),
        ("letters", frozenset()),
    ]


def test_a_view_that_can_be_written_through_is_told() -> None:
    assert len(found("CREATE VIEW v AS SELECT id FROM people WHERE id = '1'", ViewDefined)) == 1
    for query in (
        "SELECT DISTINCT id FROM people",
        "SELECT 1 FROM people, orders",
        "SELECT id FROM people GROUP BY id",
    ):
        assert found(f"CREATE VIEW v AS {query}", ViewDefined) == []
    assert [one.item.relname for one in found("CREATE VIEW v AS TABLE people", RelationRead)] == ["people"]


def test_code_of_which_nothing_is_known_may_change_the_path() -> None:
    assert bound("DO 'x'").changes_search_path
    assert bound("CALL nobody()").changes_search_path
    assert not bound("CALL jot()").changes_search_path
    assert not bound("ALTER TABLE people ADD a int").changes_search_path


def test_the_relations_that_are_named_are_recorded() -> None:
    assert bound("ALTER TABLE people ADD a int").relations == {("public", "people")}
    assert bound("DROP TABLE archive.letters").relations == {("archive", "letters")}
    assert bound("CREATE INDEX ON letters (id)", None).relations == set()
    assert bound("ALTER TABLE people ADD a int").writes
    assert len(found("ALTER TABLE people ADD a int", StatementUse)) == 1


def test_a_statement_that_nobody_knows_is_unclaimed() -> None:
    assert found("CREATE PUBLICATION p", Unclaimed)
    assert found("CREATE TABLE t (a int)", Unclaimed) == []


def test_what_a_new_schema_holds_is_bound_like_statements() -> None:
    text = "CREATE SCHEMA s CREATE TABLE t (a mood) CREATE VIEW v AS TABLE people"
    assert [one.name for one in found(text, TypeUse)][-1] == "mood"
    assert {one.item.relname for one in found(text, RelationRead)} == {"people"}
