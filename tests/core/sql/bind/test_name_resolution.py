"""What a name means under the session's search path, and where that can't be told."""

from __future__ import annotations

from dataclasses import replace

from pglast import ast
from tests.core.sql.bind.world import named
from tests.core.sql.test_governor import CATALOG, table

from penstock_core.sql.bind.name_resolution import Ambiguous, Names, ResolvedRelation, ResolvedType, is_builtin_type
from penstock_core.sql.catalog.model import Catalog


def names(path: tuple[str, ...] | None, temporary: str = "", catalog: Catalog = CATALOG) -> Names:
    return Names(catalog, named(catalog), path, frozenset(temporary.split()))


def relation(name: str, path: tuple[str, ...] | None, temporary: str = "", catalog: Catalog = CATALOG) -> str:
    """What the name means, as `schema.name`; how it can't be told in words; or nothing."""
    *schema, bare = name.split(".")
    found = names(path, temporary, catalog).relation(ast.RangeVar(schemaname="".join(schema) or None, relname=bare))
    if isinstance(found, Ambiguous):
        return found.remedy
    return f"{found.schema}.{found.name}" if found is not None else ""


def resolved(name: str, path: tuple[str, ...] | None, temporary: str = "") -> ResolvedRelation:
    found = names(path, temporary).relation(ast.RangeVar(relname=name))
    assert isinstance(found, ResolvedRelation)
    return found


def test_the_first_schema_of_the_path_that_has_it_wins() -> None:
    assert relation("people", ("public", "archive")) == "public.people"
    assert relation("people", ("archive", "public")) == "archive.people"
    assert relation("letters", ("nowhere", "archive")) == "archive.letters"
    assert relation("letters", ("public",)) == ""
    # Whatever another path could make of it is told.
    assert {one.schema for one in resolved("people", ("public",)).candidates} == {"public", "archive"}


def test_a_schema_leaves_no_choice() -> None:
    assert relation("archive.people", ("public",)) == "archive.people"
    assert relation("sales.people", ("public",)) == ""
    assert relation("pg_catalog.people", ("public",)) == "pg_catalog.people"


def test_the_systems_own_come_first_unless_the_path_names_them_later() -> None:
    own = table("public", "pg_class", "id")
    catalog = replace(CATALOG, relations={own.key: own, **CATALOG.relations})
    assert relation("pg_class", ("public",), catalog=catalog) == "pg_catalog.pg_class"
    assert relation("pg_class", ("public", "pg_catalog"), catalog=catalog) == "public.pg_class"
    assert relation("tables", ("information_schema",)) == "information_schema.tables"
    assert relation("tables", ("public",)) == ""


def test_under_an_unknown_path_only_what_has_one_meaning_is_told() -> None:
    assert relation("letters", None) == "archive.letters"
    assert relation("people", None) == "qualify it with its schema, as in public.people"
    assert relation("pg_class", None) == "pg_catalog.pg_class"
    assert relation("nobody", None) == ""


def test_a_temporary_table_comes_before_all_others() -> None:
    mine = resolved("letters", ("archive",), "letters")
    assert (mine.schema, mine.temporary, mine.system, mine.rival) == ("pg_temp", True, False, "archive.letters")
    assert resolved("fresh", None, "fresh").rival == ""
    assert resolved("pg_class", ("public",), "pg_class").rival == "pg_catalog.pg_class"
    assert relation("pg_temp.anything", None) == "pg_temp.anything"


def test_a_name_that_would_be_a_catalogs_once_the_table_is_gone_is_refused() -> None:
    own = table("public", "pg_authid", "id")
    catalog = replace(CATALOG, relations={own.key: own, **CATALOG.relations})
    asked = "write public.pg_authid or pg_catalog.pg_authid"
    assert relation("pg_authid", ("public", "pg_catalog"), catalog=catalog) == asked
    assert relation("pg_authid", ("public",), "pg_authid") == "write pg_temp.pg_authid or pg_catalog.pg_authid"


def test_types_are_found_by_the_same_path() -> None:
    def of(name: str, path: tuple[str, ...] | None, schema: str = "") -> ResolvedType | Ambiguous | None:
        return names(path).type(schema, name)

    assert of("int4", None) == ResolvedType("pg_catalog")
    assert of("mood", ("public",)) == ResolvedType("public", ambiguous=True)
    assert of("mood", ("archive",)) is None
    assert of("mood", None) == ResolvedType("public", ambiguous=True)
    assert of("text", ("archive",)) == ResolvedType("pg_catalog", ambiguous=True)
    assert of("text", ("archive", "pg_catalog")) == ResolvedType("archive", ambiguous=True)
    assert isinstance(of("text", None), Ambiguous)
    assert of("nothing", ("public",)) is None
    assert of("nothing", None, "app") == ResolvedType("app")


def test_arrays_of_types_that_may_be_used_may_be_used() -> None:
    assert [is_builtin_type(one) for one in ("text", "_text", "pg_node_tree", "_pg_node_tree", "_")] == [
        True, True, False, False, False,
    ]  # fmt: skip
