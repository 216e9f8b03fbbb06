"""What views show and by what they choose, read off their definitions."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.core.sql.test_governor import table, text_column

from penstock_core.sql.catalog.model import Catalog, Column, Relation
from penstock_core.sql.catalog.view_lineage import Lineage, view_lineage


def typed(name: str, type_name: str, **more: object) -> Column:
    return replace(text_column(name, **more), type_name=type_name, base_type=type_name, type_sql=type_name)


NUMBERS = {"n": "int4", "amount": "numeric(10,2)", "f": "float8", "d": "date", "t": "timestamp(3)", "b": "bool"}
U = table("public", "u", "id", "email", "note")
U_AND_MORE = replace(U, columns=(*U.columns, *(typed(name, f"pg_catalog.{kind}") for name, kind in NUMBERS.items())))
O = table("public", "o", "id", "mail")  # noqa: E741 - the tables of the corpus
CALC = replace(
    table("public", "calc", "id"), kind="v", columns=(text_column("id"), typed("x", "pg_catalog.int4", fallible=True))
)
CATALOG = Catalog(relations={one.key: one for one in (U, O)})
CATALOG_OF_MORE = Catalog(relations={one.key: one for one in (U_AND_MORE, O, CALC)})


def lineage(definition: str, columns: int = 1, catalog: Catalog = CATALOG) -> Lineage | None:
    view = Relation("public", "v", "v", tuple(text_column(f"c{n}") for n in range(columns)))
    return view_lineage(definition, view, catalog)


def computed_unasked(definition: str) -> set[str]:
    """What a definition of up to seven columns computes whatever is asked for."""
    found = (lineage(definition, columns, CATALOG_OF_MORE) for columns in range(1, 8))
    return short(next(one for one in found if one is not None).evaluated)


def short(columns: frozenset[tuple[str, str, str]]) -> set[str]:
    return {f"{table}.{column}" for _, table, column in columns}


@pytest.mark.parametrize(
    ("definition", "derived", "copied", "filters"),
    [
        ("SELECT email FROM public.u", {"u.email"}, {"u.email"}, set()),
        ("SELECT u.email AS x FROM public.u", {"u.email"}, {"u.email"}, set()),
        ("SELECT lower(email) AS email FROM public.u", {"u.email"}, set(), set()),
        ("SELECT email || note FROM public.u", {"u.email", "u.note"}, set(), set()),
        ("SELECT id FROM public.u WHERE email IS NULL", {"u.id"}, {"u.id"}, {"u.email"}),
        ("SELECT id AS email FROM public.u WHERE email IS NULL", {"u.id"}, {"u.id"}, {"u.email", "u.id"}),
        ("SELECT id FROM public.u ORDER BY email", {"u.id"}, {"u.id"}, {"u.email"}),
        ("SELECT email FROM public.u ORDER BY 1", {"u.email"}, {"u.email"}, {"u.email"}),
        ("SELECT count(*) FROM public.u GROUP BY email", set(), set(), {"u.email"}),
        ("SELECT DISTINCT email FROM public.u", {"u.email"}, {"u.email"}, {"u.email"}),
        ("SELECT u.id FROM public.u JOIN public.o ON u.email = o.mail", {"u.id"}, {"u.id"}, {"u.email", "o.mail"}),
        ("SELECT note FROM public.u JOIN public.o USING (id)", {"u.note"}, {"u.note"}, {"u.id", "o.id"}),
        ("SELECT x FROM (SELECT email AS x FROM public.u WHERE note = 'a') s", {"u.email"}, {"u.email"}, {"u.note"}),
        ("SELECT (SELECT email FROM public.u WHERE note = 'a') AS x", {"u.email", "u.note"}, set(), set()),
        (
            "SELECT o.id FROM public.o WHERE o.mail IN (SELECT email FROM public.u)",
            {"o.id"},
            {"o.id"},
            {"o.mail", "u.email"},
        ),
        (
            "SELECT email FROM public.u UNION ALL SELECT mail FROM public.o",
            {"u.email", "o.mail"},
            {"u.email", "o.mail"},
            set(),
        ),
        ("SELECT email FROM public.u UNION ALL SELECT lower(email) FROM public.u", {"u.email"}, set(), set()),
        ("SELECT DISTINCT ON (note) email FROM public.u", {"u.email"}, {"u.email"}, {"u.email", "u.note"}),
        ("WITH w AS (SELECT lower(email) AS e FROM public.u) SELECT e FROM w", {"u.email"}, set(), set()),
        ("SELECT random() * length(email) FROM public.u", {"u.email"}, set(), set()),
        ("SELECT email FROM public.u UNION SELECT 'x'", {"u.email"}, {"u.email"}, {"u.email"}),
        (
            "SELECT email FROM public.u EXCEPT SELECT mail FROM public.o",
            {"u.email", "o.mail"},
            {"u.email", "o.mail"},
            {"u.email", "o.mail"},
        ),
        ("WITH w AS (SELECT email AS e FROM public.u) SELECT e FROM w", {"u.email"}, {"u.email"}, set()),
        ("SELECT u.*::public.u AS whole FROM public.u", {"u.id", "u.email", "u.note"}, set(), set()),
        ("SELECT row_to_json(u.*) FROM public.u", {"u.id", "u.email", "u.note"}, set(), set()),
        ("SELECT rank() OVER (ORDER BY email) FROM public.u", {"u.email"}, set(), set()),
        ("SELECT unnest(string_to_array(email, 'x')) FROM public.u", {"u.email"}, set(), {"u.email"}),
        ("SELECT c.relname FROM pg_class c", set(), set(), set()),
        ("SELECT b FROM public.u x(a, b, c)", {"u.email"}, {"u.email"}, set()),
        (
            "SELECT s.e FROM public.o, LATERAL (SELECT u.email AS e FROM public.u WHERE u.id = o.id) s",
            {"u.email"},
            {"u.email"},
            {"u.id", "o.id"},
        ),
    ],
)
def test_columns_are_followed(definition: str, derived: set[str], copied: set[str], filters: set[str]) -> None:
    found = lineage(definition)
    assert found is not None
    assert (short(found.derived[0]), short(found.copied[0]), short(found.filters)) == (derived, copied, filters)


X = "1 / length(email) AS x"


@pytest.mark.parametrize(
    "definition",
    [
        f"SELECT id, {X} FROM public.u",
        f"SELECT id, {X}, lower(note) FROM public.u WHERE id > '1'",
        f"SELECT o.id, s.x FROM public.o LEFT JOIN (SELECT id, {X} FROM public.u) s ON s.id = o.id",
        "SELECT id, (SELECT 1 / length(u.email)) AS x FROM public.u",
        # What can be computed for any value is no matter.
        "SELECT note, max(email) FROM public.u GROUP BY note",
        "SELECT note, count(*), count(email), sum(n), avg(n), sum(amount), bool_or(b) FROM public.u GROUP BY note",
        "SELECT id, lower(email), lag(email) OVER (PARTITION BY note ORDER BY id) FROM public.u ORDER BY id",
        "SELECT id, row_number() OVER (), email FROM public.u LIMIT 5",
        "SELECT email FROM public.u UNION ALL SELECT note FROM public.u",
        "SELECT n FROM public.u UNION ALL SELECT n FROM public.u",
        "SELECT max(c_email) FROM (SELECT email AS c_email FROM public.u) s",
        "WITH w AS MATERIALIZED (SELECT email AS e FROM public.u) SELECT e FROM w",
        "SELECT upper((email)::text) FROM public.u LIMIT 1",
        "SELECT id FROM public.calc LIMIT 1",
        "SELECT x FROM public.calc",
    ],
)
def test_what_is_merged_or_cannot_fail_is_not_computed_unasked(definition: str) -> None:
    assert computed_unasked(definition) == set()


@pytest.mark.parametrize(
    "definition",
    [
        f"SELECT id, {X} FROM public.u ORDER BY id",
        f"SELECT id, {X} FROM public.u LIMIT 5",
        f"SELECT id, {X} FROM public.u OFFSET 0",
        f"SELECT id, {X} FROM public.u FOR UPDATE",
        f"SELECT id, {X} FROM public.u FOR KEY SHARE OF u",
        f"SELECT DISTINCT ON (id) id, {X} FROM public.u",
        f"SELECT id, max({X.removesuffix(' AS x')}) FROM public.u GROUP BY id",
        "SELECT id, sum(f) FROM public.u GROUP BY id",
        "SELECT id, max(email) FILTER (WHERE 1 / length(email) > 0) FROM public.u GROUP BY id",
        "SELECT id, string_agg(email, ',') FROM public.u GROUP BY id",
        f"SELECT id, {X}, row_number() OVER () AS n FROM public.u",
        f"SELECT id, {X}, random() AS r FROM public.u",
        f"SELECT id, {X}, public.gen_salt('bf') AS r FROM public.u",
        f"SELECT id, {X}, unnest(ARRAY[1]) AS r FROM public.u",
        f"SELECT id, {X} FROM public.u UNION ALL SELECT id, 1 FROM public.o",
        f"WITH w AS (SELECT id, {X} FROM public.u) SELECT id, x FROM w",
        f"WITH w AS MATERIALIZED (SELECT id, {X} FROM public.u) SELECT id FROM w",
        f"WITH w AS (SELECT id, {X} FROM public.u FOR UPDATE) SELECT id FROM w",
        f"WITH w AS (SELECT s.* FROM (SELECT id, {X} FROM public.u FOR UPDATE) s) SELECT id FROM w",
        f"WITH w AS (SELECT id, {X} FROM public.u WHERE random() < 2) SELECT id FROM w",
        f"WITH w AS (SELECT id, {X} FROM public.u) SELECT a.id FROM w a, w b",
        f"SELECT s.id FROM (SELECT id, {X} FROM public.u LIMIT 5) s",
        f"SELECT s.id, s.x FROM (SELECT id, {X} FROM public.u) s LIMIT 5",
        f"SELECT o.id FROM public.o, LATERAL (SELECT {X} FROM public.u WHERE u.id = o.id) s",
        "SELECT id, (SELECT 1 / length(u.email)) AS x FROM public.u LIMIT 5",
        "SELECT 1 AS id, (SELECT max(1 / length(email)) FROM public.u) AS x",
        "SELECT id, json_arrayagg(1 / length(email)) FROM public.u GROUP BY id",
        "SELECT amount FROM public.u UNION ALL SELECT f FROM public.u",
        "SELECT d FROM public.u UNION ALL SELECT t FROM public.u",
        "SELECT id, x FROM public.calc LIMIT 5",
        "SELECT id, x FROM public.calc UNION ALL SELECT id, 1 FROM public.o",
        "SELECT id, max(x) FROM public.calc GROUP BY id",
        "SELECT (c.*)::text FROM public.calc c LIMIT 5",
    ],
)
def test_what_stays_a_query_of_its_own_computes_all(definition: str) -> None:
    assert computed_unasked(definition)


def test_a_view_with_a_security_barrier_stays_a_query_of_its_own() -> None:
    for barrier in (True, False):
        view = replace(table("public", "v", "id", "x"), kind="v", security_barrier=barrier)
        found = view_lineage(f"SELECT id, {X} FROM public.u", view, CATALOG)
        assert found is not None
        assert bool(found.evaluated) == barrier
        assert found.fallible == (False, True)


def test_a_materialized_view_was_computed_before() -> None:
    view = replace(table("public", "v", "id", "x"), kind="m")
    found = view_lineage(f"SELECT id, {X} FROM public.u LIMIT 5", view, CATALOG)
    assert found is not None
    assert (found.evaluated, found.fallible) == (frozenset(), (False, False))


@pytest.mark.parametrize(
    "definition",
    [
        "SELECT u.ctid AS place, o.id FROM public.u, public.o",
        "SELECT id FROM public.u TABLESAMPLE SYSTEM (50)",
        "SELECT x FROM generate_series(1, 2) x",
        "WITH RECURSIVE r AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM r) SELECT x FROM r",
        "SELECT a FROM public.unknown",
        "SELECT nothing FROM public.u",
        "SELECT id, email FROM public.u",
        "SELECT j.id FROM (public.u JOIN public.o USING (id)) j",
        "SELECT * FROM pg_class",
        "not SQL",
    ],
)
def test_what_is_not_understood_is_said(definition: str) -> None:
    assert lineage(definition) is None
