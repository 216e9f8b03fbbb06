"""A text is bound to its end, or it is said where that ended."""

from __future__ import annotations

import pytest
from tests.core.sql.bind.world import bound, named
from tests.core.sql.test_governor import CATALOG

from penstock_core.sql.bind.references import RelationRead, Unbound
from penstock_core.sql.bind.text import bind
from penstock_core.sql.syntax.parse import parse

END = "SELECT 1 FROM people FOR UPDATE OF public.people"


def test_what_ends_it_is_the_last_that_is_said() -> None:
    text = bound(f"TABLE orders; {END}; TABLE letters")
    assert isinstance(text.references[-1], Unbound)
    assert "without a schema" in text.references[-1].reason
    assert text.references[-1].remedy
    read = [one.item.relname for one in text.references if isinstance(one, RelationRead)]
    assert read == ["orders", "people"]


def test_a_text_without_statements_says_nothing() -> None:
    assert bound("-- nothing").references == []
    assert bound("").verbs == []


def test_one_text_does_not_tell_on_another() -> None:
    bound("SET search_path = a; CREATE TEMP TABLE people (a int)")
    after = bound("TABLE people")
    assert (after.changes_search_path, after.temporary) == (False, set())
    (read,) = (one for one in after.references if isinstance(one, RelationRead))
    assert getattr(read.resolved, "schema", "") == "public"


def test_the_sessions_temporary_tables_come_first() -> None:
    text = bound("TABLE letters", ("archive",), temporary=frozenset({"letters"}))
    (read,) = (one for one in text.references if isinstance(one, RelationRead))
    assert getattr(read.resolved, "temporary", False)


def test_what_is_nested_too_deeply_is_no_text() -> None:
    statements = parse("SELECT 1")
    (select,) = statements
    for _ in range(5000):
        select = type(select)(targetList=None, fromClause=None, larg=select, rarg=select, op=1)  # type: ignore[call-arg]
    with pytest.raises(RecursionError):
        bind((select,), CATALOG, named(CATALOG), ("public",))
