"""What definitions use of the system's own that masked identities may not, and what writing through them reaches."""

from __future__ import annotations

import pytest

from penstock_core.sql.catalog.view_hazards import hazards, passes_on


@pytest.mark.parametrize(
    ("definition", "found"),
    [
        ("SELECT lower(email) FROM public.u", ()),
        ("SELECT relname FROM pg_namespace", ()),
        ("SELECT a FROM pg_stats", ("pg_catalog.pg_stats",)),
        ("SELECT relname FROM pg_class", ("pg_catalog.pg_class",)),
        ("SELECT a FROM information_schema.views", ()),
        ("WITH x AS (SELECT 1) SELECT * FROM x", ()),
        ("SELECT query_to_xml('x', true, true, '')", ("function query_to_xml",)),
        ("SELECT 1 WHERE EXISTS (SELECT FROM pg_catalog.ts_stat('x'))", ("function ts_stat",)),
        ("SELECT public.own()", ()),
        # What FOR UPDATE names is of the FROM clause beside it.
        ("SELECT p.id FROM public.person p FOR UPDATE OF p", ()),
        ("SELECT u.id FROM public.u FOR UPDATE OF u SKIP LOCKED", ()),
        ("SELECT c.oid FROM pg_authid c FOR SHARE OF c", ("pg_catalog.pg_authid",)),
        ("not SQL", ("a definition that was not understood",)),
    ],
)
def test_hazards_in_definitions(definition: str, found: tuple[str, ...]) -> None:
    assert hazards(definition) == found


def test_what_is_locked_is_no_catalog_to_write_to() -> None:
    assert not passes_on("SELECT p.id FROM public.person p FOR UPDATE OF p")
    assert passes_on("SELECT p.oid FROM pg_class p FOR UPDATE OF p")


@pytest.mark.parametrize(
    ("definition", "passes"),
    [
        ("SELECT name, setting FROM pg_settings", True),
        ("SELECT table_name FROM information_schema.tables", True),
        ("SELECT id FROM public.u", False),
        ("SELECT id FROM public.u WHERE id IN (SELECT oid FROM pg_class)", True),
        ("WITH pg_settings AS (SELECT 1 AS name) SELECT name FROM pg_settings", False),
        ("WITH pg_settings AS (SELECT 1) SELECT name FROM pg_catalog.pg_settings", True),
        ("not SQL", True),
    ],
)
def test_a_view_over_the_systems_own_passes_on(definition: str, passes: bool) -> None:
    assert passes_on(definition) is passes
