"""What views show and by what they choose, read off their definitions."""

from __future__ import annotations

import pytest
from tests.core.sql.test_governor import table, text_column

from penstock_core.sql.catalog.model import Catalog, Relation
from penstock_core.sql.catalog.view_hazards import hazards
from penstock_core.sql.catalog.view_lineage import Lineage, view_lineage

U = table("public", "u", "id", "email", "note")
O = table("public", "o", "id", "mail")  # noqa: E741 - the tables of the corpus
CATALOG = Catalog(relations={one.key: one for one in (U, O)})


def lineage(definition: str, columns: int = 1) -> Lineage | None:
    view = Relation("public", "v", "v", tuple(text_column(f"c{n}") for n in range(columns)))
    return view_lineage(definition, view, CATALOG)


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
        # What an arm computes is computed even where nobody asks for it, and could fail.
        ("SELECT email FROM public.u UNION ALL SELECT lower(email) FROM public.u", {"u.email"}, set(), {"u.email"}),
        ("SELECT DISTINCT ON (note) email FROM public.u", {"u.email"}, {"u.email"}, {"u.email", "u.note"}),
        ("WITH w AS (SELECT lower(email) AS e FROM public.u) SELECT e FROM w", {"u.email"}, set(), set()),
        ("WITH w AS MATERIALIZED (SELECT lower(email) AS e FROM public.u) SELECT 1 FROM w", set(), set(), {"u.email"}),
        ("WITH w AS (SELECT lower(email) AS e FROM public.u) SELECT 1 FROM w, w x", set(), set(), {"u.email"}),
        ("SELECT random() * length(email) FROM public.u", {"u.email"}, set(), {"u.email"}),
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


@pytest.mark.parametrize(
    "definition",
    [
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


@pytest.mark.parametrize(
    ("definition", "found"),
    [
        ("SELECT lower(email) FROM public.u", ()),
        ("SELECT relname FROM pg_namespace", ()),
        ("SELECT a FROM pg_stats", ("pg_catalog.pg_stats",)),
        ("SELECT relname FROM pg_class", ("pg_catalog.pg_class",)),
        ("SELECT a FROM information_schema.views", ("information_schema.views",)),
        ("WITH x AS (SELECT 1) SELECT * FROM x", ()),
        ("SELECT query_to_xml('x', true, true, '')", ("function query_to_xml",)),
        ("SELECT 1 WHERE EXISTS (SELECT FROM pg_catalog.ts_stat('x'))", ("function ts_stat",)),
        ("SELECT public.own()", ()),
        ("not SQL", ("a definition that was not understood",)),
    ],
)
def test_hazards_in_definitions(definition: str, found: tuple[str, ...]) -> None:
    assert hazards(definition) == found
