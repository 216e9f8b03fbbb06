"""Verdicts: what bodies name, held against the catalog, under whatever search path."""

from __future__ import annotations

from dataclasses import replace

from tests.core.sql.test_governor import table

from penstock_core.sql.catalog.function_effects import NOTHING, FunctionEffects
from penstock_core.sql.catalog.functions import Functions
from penstock_core.sql.catalog.model import Catalog, Routine, Trigger

RELATIONS = (table("public", "t", "id"), table("attic", "t", "id"), table("public", "user_mapping_options", "id"))
CATALOG = Catalog(
    relations={one.key: one for one in RELATIONS},
    user_types={"mood": ("public",), "spy": ("public",), "t": ("attic", "public")},
    safe_types=frozenset({("public", "mood"), ("public", "t"), ("attic", "t")}),
    system_functions=frozenset({"lower", "length", "pg_sleep", "setval", "query_to_xml", "int4pl", "ts_rewrite"}),
    constant_functions=frozenset({"int4pl"}),
    system_columns={("pg_catalog", "pg_stats"): (), ("information_schema", "user_mapping_options"): ()},
    setting_prefixes=frozenset({"plpgsql"}),
)


def verdict(*routines: Routine, key: tuple[str, str] = ("app", "f"), **more: object) -> FunctionEffects:
    made: dict[tuple[str, str], tuple[Routine, ...]] = {}
    for one in routines:
        made[one.schema, one.name] = (*made.get((one.schema, one.name), ()), one)
    own: dict[str, tuple[str, ...]] = {}
    for schema, name in made:
        own[name] = (*own.get(name, ()), schema)
    catalog = replace(CATALOG, routines=made, user_functions=own, **more)  # type: ignore[arg-type]
    return Functions(catalog).verdict(*key)


def sql(body: str, name: str = "f", schema: str = "app", **more: object) -> Routine:
    return Routine(schema, name, "f", "sql", body, **more)  # type: ignore[arg-type]


def test_overloads_count_together_and_recursion_ends() -> None:
    assert verdict(sql("SELECT 1"), sql("DELETE FROM public.t")).verbs == {"delete"}
    loop = (sql("SELECT app.g()"), sql("SELECT app.h()", "g"), sql("SELECT app.f() FROM public.t", "h"))
    assert {verdict(*loop, key=("app", name)).reads for name in "fgh"} == {frozenset({("public", "t")})}


def test_an_operator_is_its_function() -> None:
    def of(*functions: tuple[str, str]) -> FunctionEffects:
        made = {("app", "g"): (sql("DELETE FROM public.t", "g"),)}
        own = replace(CATALOG, routines=made, operator_functions={"<~>": functions} if functions else {})
        return Functions(own).operator("<~>")

    assert of(("app", "g")).verbs == {"delete"}
    assert of(("pg_catalog", "int4pl")) == NOTHING
    assert of(("pg_catalog", "ts_rewrite")).unknown
    assert of().unknown


def test_a_vouched_function_is_not_asked() -> None:
    made = {("app", "f"): (sql("DELETE FROM public.t"),), ("app", "g"): (sql("SELECT app.f()", "g"),)}
    functions = Functions(replace(CATALOG, routines=made), frozenset({("app", "f")}))
    assert (functions.verdict("app", "g").verbs, functions.verdict("app", "g").vouched) == (frozenset(), True)
    assert not functions.verdict("app", "f").unbounded


def test_triggers_of_the_systems_own_are_told_by_their_arguments() -> None:
    def of(function: str, *arguments: str) -> FunctionEffects:
        text = ", ".join(f"'{one}'" for one in arguments)
        made = f"CREATE TRIGGER t BEFORE UPDATE ON a FOR EACH ROW EXECUTE FUNCTION {function}({text})"
        return Functions(CATALOG).trigger(Trigger(("pg_catalog", function), made))

    words = of("tsvector_update_trigger", "words", "pg_catalog.simple", "note", "email")
    assert (words.row_assigned, words.row_fields, words.unknown) == ({"words"}, {"note", "email"}, "")
    assert of("suppress_redundant_updates_trigger").row_compared
    assert of("lo_manage", "x").unknown


def test_what_a_triggers_function_calls_has_no_row() -> None:
    shown = Routine("app", "f", "f", "plpgsql", "BEGIN PERFORM app.g(NEW.a); RETURN NEW; END",
                    returns=("pg_catalog", "trigger"))  # fmt: skip
    effects = verdict(shown, sql("SELECT $1", "g"))
    assert (effects.row_fields, effects.row_whole) == ({"a"}, False)
