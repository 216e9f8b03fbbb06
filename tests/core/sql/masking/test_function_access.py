"""What a function may reach without showing what is masked."""

from __future__ import annotations

from dataclasses import replace

from tests.core.sql.test_governor import table

from penstock_core.sql.catalog.function_effects import NOTHING
from penstock_core.sql.catalog.functions import Functions
from penstock_core.sql.catalog.model import Catalog, Routine
from penstock_core.sql.masking.function_access import Reach, computing, shown

PEOPLE = ("public", "people")
RELATIONS = (
    table("public", "people", "id", "email"),
    table("public", "family", "id"),
    table("public", "kid", "id", "ssn", parents=(("public", "family"),)),
    replace(table("public", "names", "id"), kind="v", sources=frozenset({PEOPLE})),
    replace(table("public", "over", "id"), kind="v", sources=frozenset({("public", "names")})),
    table("public", "log", "line"),
)
CATALOG = Catalog(
    relations={one.key: one for one in RELATIONS},
    routines={
        ("app", "plain"): (Routine("app", "plain", "f", "sql", "SELECT line FROM public.log"),),
        ("app", "note"): (Routine("app", "note", "f", "sql", "INSERT INTO public.log VALUES (1)"),),
    },
)
REACH = Reach(CATALOG, {PEOPLE, ("public", "kid")})


def test_views_and_parents_lead_to_what_is_masked() -> None:
    assert REACH.closed(PEOPLE) == PEOPLE
    assert REACH.closed(("public", "over")) == PEOPLE
    assert REACH.closed(("public", "family")) == ("public", "kid")
    assert REACH.closed(("public", "log")) is None


def test_a_function_shows_what_it_reads() -> None:
    assert shown(replace(NOTHING, reads=frozenset({("public", "log")})), REACH) == ""
    assert shown(replace(NOTHING, reads=frozenset({("public", "over")})), REACH) == (
        "it reads public.people through public.over, which you may not read as it is stored"
    )
    assert shown(replace(NOTHING, unknown="it is not known"), REACH) == "it is not known"
    assert "function pg_sleep" in shown(replace(NOTHING, hazards=("function pg_sleep",)), REACH)


def test_what_computes_by_itself_writes_nothing() -> None:
    functions = Functions(CATALOG)
    assert computing("app.plain", functions, REACH) == ""
    assert computing("app.note", functions, REACH) == "app.note writes"
    assert "not known" in computing("type public.code", functions, REACH)
