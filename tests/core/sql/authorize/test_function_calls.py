"""Where nothing is masked: a function is held to what its body does, however it is reached."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.core.sql.test_governor import KEY, PLAIN, reason, rule, table

from penstock_core.policy.effective import EffectivePolicy, PolicySet
from penstock_core.sql.catalog.model import Catalog, Column, Relation, Routine, Trigger
from penstock_core.sql.decision import Decision
from penstock_core.sql.governor import Governor

READING = replace(PLAIN, allow=frozenset({"select"}), require_where=(), deny_functions=())
WRITING = replace(READING, allow=frozenset({"select", "insert", "update", "delete"}))
GUARDED = replace(
    WRITING, require_where=tuple((verb, rule("guardrails.requireWhere")) for verb in ("update", "delete"))
)
EVERYTHING = replace(
    WRITING, allow=frozenset({"select", "insert", "update", "delete", "truncate", "create", "alter", "drop"})
)


def sql(name: str, body: str, **more: object) -> Routine:
    return Routine("app", name, "f", "sql", body, **more)  # type: ignore[arg-type]


def plpgsql(name: str, body: str, **more: object) -> Routine:
    return Routine("app", name, "f", "plpgsql", body, **more)  # type: ignore[arg-type]


ROUTINES = (
    sql("plain", "SELECT 1"),
    sql("read", "SELECT count(*) FROM public.orders"),
    sql("wipe", "DELETE FROM public.orders"),
    sql("wipe_them", "SELECT app.wipe()"),
    sql("tidy", "DELETE FROM public.orders WHERE id = '1'"),
    sql("wipe_all", "DELETE FROM public.orders USING public.orders o WHERE o.id = orders.id"),
    sql("file", "INSERT INTO public.orders VALUES ('1')"),
    sql("merge", "MERGE INTO orders USING (SELECT 1) x ON true WHEN MATCHED THEN DELETE"),
    sql("empty", "TRUNCATE public.orders"),
    sql("slow", "SELECT pg_sleep(1)"),
    sql("lock", "SELECT 1 FROM public.orders FOR UPDATE"),
    sql("number", "SELECT nextval('s')"),
    sql("watch", "INSERT INTO public.watched VALUES ('1')"),
    sql("rule", "INSERT INTO public.ruled VALUES ('1')"),
    plpgsql("dynamic", "BEGIN EXECUTE 'DROP TABLE orders'; END", volatility="i"),
    Routine("app", "native", "f", "c", volatility="i"),
    Routine("app", "restless", "f", "c"),
    Routine("app", "outside", "f", "plpython3u", volatility="i"),
    plpgsql("log", "BEGIN DELETE FROM public.orders; RETURN NEW; END", returns=("pg_catalog", "trigger")),
    Routine("app", "clear", "p", "sql", "DELETE FROM public.orders"),
    Routine("app", "greet", "p", "plpgsql", "BEGIN RAISE NOTICE 'hello'; END"),
)
TRIGGERED = table(
    "public",
    "watched",
    "id",
    has_triggers=True,
    triggers=(
        Trigger(
            ("app", "log"),
            "CREATE TRIGGER log BEFORE INSERT ON public.watched FOR EACH ROW EXECUTE FUNCTION app.log()",
        ),
    ),
)
RELATIONS = (
    table("public", "orders", "id", "note"),
    TRIGGERED,
    table("public", "ruled", "id", has_rules=True),
    table("public", "checked", "id", write_calls=("app.wipe",)),
    table("public", "filled", "id", default_calls=("app.wipe",)),
    replace(table("public", "seen", "id"), kind="v", calls=("app.wipe",)),
    replace(table("public", "over", "id"), kind="v", sources=frozenset({("public", "seen")})),
    table("public", "walled", "id", calls=("app.plain",)),
    Relation("public", "typed", "r", (Column("x", "app.picky", "pg_catalog.text", "app.picky", "S"),)),
)
CATALOG = Catalog(
    relations={one.key: one for one in RELATIONS},
    routines={("app", one.name): (one,) for one in ROUTINES},
    user_functions={one.name: ("app",) for one in ROUTINES},
    user_operators=frozenset({"%%%", "<=>"}),
    operator_functions={"%%%": (("app", "wipe"),), "<=>": (("app", "plain"),)},
    user_types={"picky": ("app",), "mild": ("app",)},
    type_functions={("app", "picky"): (("app", "wipe"),), ("app", "mild"): (("app", "plain"),)},
    system_functions=frozenset({"count", "pg_sleep", "nextval"}),
)


def decide(text: str, policies: PolicySet = READING) -> Decision:
    return Governor(EffectivePolicy("shop", policies, None, 7), CATALOG, KEY).decide(text, ("public", "app"))


@pytest.mark.parametrize(
    ("text", "verb"),
    [
        ("SELECT app.wipe()", "delete"),
        ("SELECT wipe()", "delete"),
        ("SELECT app.wipe_them()", "delete"),
        ("SELECT app.file()", "insert"),
        ("SELECT app.merge()", "delete"),
        ("SELECT app.empty()", "truncate"),
        ("SELECT app.lock()", "update"),
        ("SELECT app.number()", "insert"),
        ("CALL app.clear()", "delete"),
        ("SELECT 1 %%% 2", "delete"),
        ("SELECT 1 OPERATOR(app.%%%) 2", "delete"),
        ("SELECT id FROM seen", "delete"),
        ("SELECT id FROM over", "delete"),
        ("SELECT (o).wipe FROM orders o", "delete"),
        ("SELECT '1'::app.picky", "delete"),
        ("SELECT '{1}'::picky[]", "delete"),
        ("SELECT x FROM typed", "delete"),
        ("PREPARE p (picky) AS SELECT 1", "delete"),
        ("PREPARE p AS SELECT app.wipe()", "delete"),
        ("COPY (SELECT app.wipe()) TO STDOUT", "delete"),
        ("EXPLAIN SELECT app.wipe()", "delete"),
    ],
)
def test_a_function_needs_the_verbs_of_what_it_does(text: str, verb: str) -> None:
    assert f"needs the verb {verb}; your policies allow: select" in reason(decide(text))
    assert decide(text, EVERYTHING).denial is None
    assert decide(text, EVERYTHING).writes


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO watched VALUES ('1')",
        "INSERT INTO checked VALUES ('1')",
        "INSERT INTO filled VALUES ('1')",
        "INSERT INTO typed VALUES ('1')",
    ],
)
def test_what_a_write_sets_off_needs_them_too(text: str) -> None:
    inserting = replace(READING, allow=frozenset({"select", "insert"}))
    assert "needs the verb delete" in reason(decide(text, inserting))
    assert decide(text, WRITING).denial is None
    assert "runs DELETE on public.orders without a WHERE" in reason(decide(text, GUARDED))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("SELECT app.watch()", "needs the verb delete"),
        ("SELECT app.rule()", "the rules of public.ruled could do what no policy allows"),
    ],
)
def test_what_the_write_of_a_function_sets_off_needs_them_too(text: str, words: str) -> None:
    inserting = replace(READING, allow=frozenset({"select", "insert"}))
    assert words in reason(decide(text, inserting))
    assert decide(text, EVERYTHING).denial is None


def test_a_trigger_that_does_not_fire_needs_nothing() -> None:
    assert decide("UPDATE watched SET id = '2'", replace(READING, allow=frozenset({"select", "update"}))).denial is None


@pytest.mark.parametrize(
    "text",
    [
        "SELECT app.plain()",
        "SELECT app.read()",
        "SELECT 1 <=> 2",
        "SELECT id FROM walled",
        "CALL app.greet()",
        "SELECT '1'::mild",
    ],
)
def test_what_only_reads_needs_no_more_than_select(text: str) -> None:
    assert decide(text).denial is None


def test_the_relations_that_a_function_reaches_are_recorded() -> None:
    assert decide("SELECT app.read()").relations == ("public.orders",)
    assert decide("SELECT app.wipe_them()", WRITING).relations == ("public.orders",)


@pytest.mark.parametrize(
    "text",
    ["SELECT app.wipe()", "SELECT app.wipe_all()", "SELECT app.wipe_them()", "CALL app.clear()", "SELECT app.merge()"],
)
def test_the_statements_of_a_function_are_held_to_require_where(text: str) -> None:
    assert "on public.orders without a WHERE that chooses rows" in reason(decide(text, GUARDED))
    denial = decide(text, GUARDED).denial
    assert denial is not None
    assert denial.rule == "guardrails.requireWhere"
    assert decide("SELECT app.tidy()", GUARDED).denial is None


def test_a_denied_function_is_not_reached_through_another() -> None:
    denying = replace(READING, deny_functions=(("pg_sleep", rule("guardrails.denyFunctions")),))
    assert decide("SELECT app.slow()").denial is None
    assert reason(decide("SELECT app.slow()", denying)) == "function pg_sleep is denied"


@pytest.mark.parametrize("name", ["dynamic", "restless", "outside"])
def test_what_is_not_known_takes_every_verb(name: str) -> None:
    text = f"SELECT app.{name}()"
    assert "could do what no policy allows (alter" in reason(decide(text, WRITING))
    guarded = replace(EVERYTHING, require_where=GUARDED.require_where)
    assert "could bypass a guardrail" in reason(decide(text, guarded))
    free = decide(text, EVERYTHING)
    assert (free.denial, free.writes, free.changes_search_path) == (None, True, True)
    vouching = replace(READING, allow_functions=((f"app.{name}", rule("allowFunctions")),))
    vouched = decide(text, vouching)
    assert (vouched.denial, vouched.writes, vouched.changes_search_path) == (None, True, True)


def test_what_superusers_made_in_c_is_taken_at_its_word() -> None:
    assert decide("SELECT app.native()").denial is None


def test_a_relation_without_functions_costs_nothing() -> None:
    relation: Relation = CATALOG.relations["public", "orders"]
    assert (relation.calls, relation.write_calls, relation.triggers) == ((), (), ())
    assert decide("SELECT * FROM orders").denial is None
