"""What is found in expressions: every column, function, operator and type, also those that are not written out."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.core.sql.bind.world import bound, found
from tests.core.sql.test_governor import CATALOG

from penstock_core.sql.bind.name_resolution import Ambiguous
from penstock_core.sql.bind.references import (
    ColumnRead,
    FunctionCall,
    OperatorUse,
    SchemaQualifier,
    SettingChange,
    SystemColumn,
    TypeUse,
    UnknownColumn,
    UnknownSource,
    WholeRow,
)


def reads(text: str) -> list[tuple[str, tuple[str, ...], bool]]:
    """Each column with the sources it may be of, and whether a nearer level may have it too."""
    return [(one.name, tuple(owner.name for owner in one.owners), one.unsure) for one in found(text, ColumnRead)]


def operators(text: str) -> set[str]:
    return {".".join(one.names) for one in found(text, OperatorUse)}


def test_a_bare_column_is_of_whoever_has_it() -> None:
    assert reads("SELECT email FROM people, orders") == [("email", ("people",), False)]
    assert reads("SELECT id FROM people, orders") == [("id", ("people", "orders"), False)]
    assert reads("SELECT orders.id FROM people, orders") == [("id", ("orders",), False)]


def test_a_bare_column_of_an_outer_query_is_sure_only_if_no_nearer_source_could_have_it() -> None:
    assert reads("SELECT (SELECT email FROM orders) FROM people") == [("email", ("people",), False)]
    assert reads("SELECT (SELECT email FROM now()) FROM people") == [("email", ("people",), True)]
    # A name that no known source has may be one of an unknown one's.
    assert reads("SELECT phone FROM people, now()") == [("phone", (), True)]
    assert found("SELECT phone FROM people", UnknownColumn)[0].name == "phone"


def test_a_sources_name_as_a_value_is_its_whole_row() -> None:
    for text in ("SELECT people FROM people", "SELECT count(people.*) FROM people", "SELECT count(p) FROM people p"):
        assert [one.source.relation.name for one in found(text, WholeRow) if one.source.relation] == ["people"]
    # A column of that name comes first.
    assert found("SELECT email FROM people email", WholeRow) == []
    assert len(found("SELECT j FROM (people JOIN orders ON true) j", WholeRow)) == 2


def test_what_a_dot_calls() -> None:
    """`t.name` of a row without such a column, `(x).name` of anything: the server looks for a function."""
    assert [one.names for one in found("SELECT people.upper FROM people", FunctionCall)] == [("upper",)]
    assert [one.source.name for one in found("SELECT people.upper FROM people", WholeRow)] == ["people"]
    assert [(one.names, one.form) for one in found("SELECT (people).upper FROM people", FunctionCall)] == [
        (("upper",), "field")
    ]
    assert found("SELECT (people).email FROM people", FunctionCall) == []
    (unknown,) = found("SELECT people.phone FROM people", UnknownColumn)
    assert (unknown.name, unknown.owner.name) == ("phone", "people")
    # Without the names of the system's functions, any name could be one.
    blind = replace(CATALOG, system_functions=frozenset())
    assert found("SELECT people.phone FROM people", FunctionCall, catalog=blind)


@pytest.mark.parametrize("text", ["ctid", "people.xmin", "(people).cmax"])
def test_where_a_row_lies_is_no_column_of_it(text: str) -> None:
    assert len(found(f"SELECT {text} FROM people", SystemColumn)) == 1


def test_a_schema_before_a_name_is_told_and_whether_it_is_needed() -> None:
    assert [one.nearer for one in found("SELECT public.people.id FROM people", SchemaQualifier)] == [False]
    both = "SELECT sales.orders.id FROM public.orders, sales.orders"
    assert [(one.source.schema, one.nearer) for one in found(both, SchemaQualifier)] == [("sales", True)]
    assert found("SELECT sales.people.id FROM people", UnknownSource)[0].name == "people"


def test_operators_that_are_not_written_count_too() -> None:
    assert operators("SELECT 1 BETWEEN 0 AND 2") == {">=", "<=", "<", ">"}
    assert operators("SELECT 1 NOT BETWEEN SYMMETRIC 0 AND 2") == {">=", "<=", "<", ">"}
    assert operators("SELECT CASE 1 WHEN 2 THEN 3 END") == {"="}
    assert operators("SELECT CASE WHEN true THEN 3 END") == set()
    assert operators("SELECT 1 IN (SELECT 2)") == {"="}
    assert operators("SELECT 1 < ALL (SELECT 2)") == {"<"}
    assert operators("SELECT 1 OPERATOR(public.+) 2") == {"public.+"}
    assert operators("SELECT 1 ORDER BY 1 USING OPERATOR(public.<)") == {"public.<"}
    assert operators("SELECT 'a' LIKE 'b', 1 IN (1, 2)") == {"~~", "="}


def test_types_wherever_they_are_named() -> None:
    assert [one.name for one in found("SELECT 1::mood, CAST(2 AS text), date '2020-01-01'", TypeUse)] == [
        "mood", "text", "date",
    ]  # fmt: skip
    (odd,) = found("SELECT 1::a.b.c", TypeUse)
    assert isinstance(odd.resolved, Ambiguous)


@pytest.mark.parametrize(
    ("call", "written", "changes"),
    [
        ("set_config('Search_Path', 'x', false)", "search_path", True),
        ("set_config('timezone', 'x', false)", "timezone", False),
        ("pg_catalog.set_config('a' || 'b', 'x', false)", None, True),
        ("set_config(is_local => true, setting_name => 'timezone', new_value => 'x')", None, True),
    ],
)
def test_a_setting_that_a_call_changes(call: str, written: str | None, changes: bool) -> None:
    text = f"SELECT {call}"
    assert [one.written for one in found(text, SettingChange)] == [written]
    assert found(text, FunctionCall) == []
    assert bound(text).changes_search_path is changes


def test_what_is_in_arguments_is_looked_into() -> None:
    text = "SELECT count(a()) FILTER (WHERE b()) OVER (PARTITION BY c() ORDER BY d()), set_config(e(), f(), true)"
    assert [one.names[0] for one in found(text, FunctionCall)] == ["count", "a", "b", "c", "d", "e", "f"]
    assert [one.names[0] for one in found("SELECT JSON_ARRAY(SELECT a())", FunctionCall)] == ["a"]
