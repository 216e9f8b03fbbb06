"""Decisions: what identities with and without masks may do, and what a decision tells of a text."""

from __future__ import annotations

import gc
import itertools
import weakref
from dataclasses import replace

import pytest

from penstock_core.policy.effective import EffectivePolicy, Mask, MaskRule, PolicySet, Rule
from penstock_core.sql import governor as governor_module
from penstock_core.sql.catalog.model import Catalog, Column, Relation, Routine
from penstock_core.sql.decision import Action, Decision
from penstock_core.sql.governor import Governor

KEY = b"k" * 32


def text_column(name: str, **more: object) -> Column:
    return Column(name, "pg_catalog.text", "pg_catalog.text", "pg_catalog.text", "S", **more)  # type: ignore[arg-type]


def table(schema: str, name: str, *columns: str, **more: object) -> Relation:
    return Relation(schema, name, "r", tuple(map(text_column, columns)), ("id",), **more)  # type: ignore[arg-type]


TABLES = [
    table("public", "people", "id", "email", "name"),
    table("public", "orders", "id", "person", "note"),
    table("sales", "orders", "id", "email"),
    table("archive", "people", "id", "old"),
    table("archive", "letters", "id", "body"),
]
CATALOG = Catalog(
    relations={one.key: one for one in TABLES},
    search_path=("public",),
    user_functions={"report": ("public",), "lower": ("public",), "one": ("public",), "jot": ("public",)},
    routines={
        ("public", "one"): (Routine("public", "one", "f", "sql", "SELECT 1"),),
        ("public", "jot"): (Routine("public", "jot", "f", "sql", "INSERT INTO letters VALUES (1)"),),
    },
    operator_functions={"<~~": (("public", "jot"),)},
    type_functions={("public", "odd"): (("public", "jot"),)},
    user_operators=frozenset({"<->"}),
    user_types={"mood": ("public",), "text": ("archive",), "odd": ("public",)},
    safe_types=frozenset({("public", "mood")}),
    system_functions=frozenset(
        {"lower", "upper", "count", "pg_read_file", "nextval", "pg_sleep", "pg_terminate_backend", "lo_import"}
    ),
    system_columns={("pg_catalog", "pg_stat_activity"): ("pid", "query"), ("pg_catalog", "pg_authid"): ("rolname",)},
)


def rule(path: str) -> Rule:
    return Rule("support", path)


MASKING = PolicySet(
    policies=("support",),
    allow=frozenset({"select", "insert", "delete"}),
    masks=(MaskRule(("public.people.email", "sales.*.email"), Mask("redact", rule("masks[0]"))),),
    require_where=(("delete", rule("guardrails.requireWhere")),),
    deny_functions=(("upper", rule("guardrails.denyFunctions")), ("public.report", rule("guardrails.denyFunctions"))),
)
PLAIN = replace(MASKING, masks=())


def governor(enforced: PolicySet | None = MASKING, observed: PolicySet | None = None) -> Governor:
    return Governor(EffectivePolicy("shop", enforced, observed, 7), CATALOG, KEY)


def decide(text: str, path: tuple[str, ...] | None = ("public",), enforced: PolicySet = MASKING) -> Decision:
    return governor(enforced).decide(text, path)


def reason(decision: Decision) -> str:
    assert decision.action is Action.DENY
    assert decision.denial is not None
    return decision.denial.reason


# ---- names and search paths

MASKED = "(SELECT id AS id, CAST('***' AS pg_catalog.text) AS email, name AS name FROM public.people)"


def test_a_statement_that_touches_nothing_governed_is_forwarded_as_it_came() -> None:
    decision = decide("select  body from letters  -- hm", ("archive",))
    assert (decision.action, decision.text) == (Action.ALLOW, "select  body from letters  -- hm")
    assert (decision.relations, decision.masked, decision.redact_errors) == (("archive.letters",), (), False)


def test_a_governed_relation_is_replaced_wherever_the_path_finds_it() -> None:
    decision = decide("SELECT email FROM people")
    assert decision.text == f"SELECT email FROM {MASKED} AS people"
    assert decision.masked == ("public.people.email",)
    assert decision.relations == ("public.people",)
    assert decision.redact_errors


def test_a_bare_name_that_could_mean_a_governed_relation_is_qualified() -> None:
    decision = decide("SELECT note FROM orders")
    assert (decision.action, decision.text) == (Action.REWRITE, "SELECT note FROM public.orders")
    assert not decision.redact_errors
    decision = decide("SELECT old FROM people", ("archive", "public"))
    assert (decision.action, decision.text) == (Action.REWRITE, "SELECT old FROM archive.people")


def test_a_qualified_name_needs_no_path() -> None:
    assert decide("SELECT note FROM public.orders", None).action is Action.ALLOW
    assert decide("SELECT email FROM public.people", None).action is Action.REWRITE


def test_after_a_change_of_path_a_bare_name_must_be_unique() -> None:
    assert decide("SELECT body FROM letters", None).action is Action.ALLOW
    assert "this session changed search_path" in reason(decide("SELECT 1 FROM people", None))


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1 FROM people",
        "DELETE FROM people WHERE id = '1'",
        "INSERT INTO people VALUES ('1')",
        "COPY people TO STDOUT",
    ],
)
def test_where_nothing_is_masked_it_makes_no_difference_which_it_is(text: str) -> None:
    decision = decide(text, None, PLAIN)
    assert decision.action is Action.ALLOW, decision.denial
    assert decision.relations == ("archive.people", "public.people")


def test_unless_one_of_them_does_what_is_not_allowed() -> None:
    view = replace(table("archive", "people", "id"), kind="v", calls=("public.jot",))
    world = replace(CATALOG, relations={**CATALOG.relations, view.key: view})
    one = Governor(EffectivePolicy("shop", replace(PLAIN, allow=frozenset({"select"})), None, 7), world, KEY)
    assert one.decide("SELECT id FROM people", ("public",)).action is Action.ALLOW
    assert one.decide("SELECT id FROM people", None).action is Action.DENY


def test_one_of_the_systems_names_is_still_not_taken_for_a_table() -> None:
    own = table("public", "pg_authid", "rolname")
    world = replace(CATALOG, relations={**CATALOG.relations, own.key: own})
    one = Governor(EffectivePolicy("shop", PLAIN, None, 7), world, KEY)
    assert "ambiguous" in reason(one.decide("SELECT 1 FROM pg_authid", None))


def test_what_is_in_no_schema_of_the_path_is_unknown() -> None:
    decision = decide("SELECT * FROM letters")
    assert reason(decision) == 'relation "letters" does not exist'
    assert decision.denial is not None
    assert (decision.denial.sqlstate, decision.denial.unknown_names) == ("42P01", True)


def test_an_unknown_column_of_a_governed_relation_is_told_in_the_servers_words() -> None:
    decision = decide("SELECT phone FROM people")
    assert reason(decision) == 'column "phone" does not exist'
    assert decision.denial is not None
    assert (decision.denial.sqlstate, decision.denial.unknown_names) == ("42703", True)


def test_pg_catalog_comes_first_unless_the_path_says_otherwise() -> None:
    shadowed = replace(
        CATALOG, relations={**CATALOG.relations, ("public", "pg_class"): table("public", "pg_class", "id")}
    )
    shadowing = Governor(EffectivePolicy("shop", MASKING, None), shadowed, KEY)
    first = shadowing.decide("SELECT relname FROM pg_class", ("public",))
    assert first.relations == ()
    later = shadowing.decide("SELECT id FROM pg_class", ("public", "pg_catalog"))
    assert later.relations == ("public.pg_class",)
    assert "is ambiguous" in reason(shadowing.decide("SELECT 1 FROM pg_class", None))


def test_a_users_function_of_a_built_in_name_is_out_of_reach() -> None:
    decision = decide("SELECT lower(body) FROM archive.letters")
    assert decision.text == "SELECT pg_catalog.lower(body) FROM archive.letters"
    assert "own" in reason(decide("SELECT public.lower('x')"))


def test_a_users_type_of_a_built_in_name_is_told_apart_by_the_path() -> None:
    assert decide("SELECT 'x'::text", ("public", "archive")).text == "SELECT CAST('x' AS pg_catalog.text)"
    assert "own" in reason(decide("SELECT 'x'::text", ("archive", "pg_catalog")))
    assert "is ambiguous" in reason(decide("SELECT 'x'::text", None))
    assert decide("SELECT 'good'::mood").text == "SELECT CAST('good' AS public.mood)"
    assert "own" in reason(decide("SELECT 1::odd"))
    assert "own" in reason(decide("SELECT 1::public.odd"))


# ---- rules of policies


def test_a_verb_that_is_not_allowed_is_refused_with_the_policies_names() -> None:
    decision = decide("UPDATE archive.letters SET body = 'x' WHERE id = '1'")
    assert reason(decision) == "UPDATE needs the verb update; your policies allow: delete, insert, select"
    assert decision.denial is not None
    assert decision.denial.detail == "Refused by policy support, rule allow."
    assert decision.verbs == ("update",)


@pytest.mark.parametrize(
    ("text", "verb"),
    [
        ("WITH d AS (UPDATE archive.letters SET body = 'x' WHERE id = '1' RETURNING 1) SELECT * FROM d", "UPDATE"),
        ("INSERT INTO archive.letters VALUES ('1') ON CONFLICT (id) DO UPDATE SET body = 'x'", "UPDATE"),
        ("SELECT body FROM archive.letters FOR UPDATE", "UPDATE"),
        ("SELECT 1 WHERE EXISTS (SELECT FROM archive.letters FOR KEY SHARE)", "UPDATE"),
    ],
)
def test_a_verb_inside_counts(text: str, verb: str) -> None:
    assert reason(decide(text)).startswith(f"{verb} needs the verb {verb.lower()};")


def test_reading_counts_wherever_it_happens() -> None:
    writing = replace(PLAIN, allow=frozenset({"insert", "delete"}))
    for text in (
        "SELECT 1",
        "INSERT INTO archive.letters SELECT id, note FROM public.orders",
        "DELETE FROM archive.letters WHERE id IN (SELECT id FROM public.orders)",
        "DELETE FROM archive.letters WHERE id = '1' RETURNING *",
        "COPY archive.letters TO STDOUT",
    ):
        assert reason(decide(text, enforced=writing)).startswith("SELECT needs the verb select;")
    assert decide("INSERT INTO archive.letters VALUES ('1') RETURNING id", enforced=writing).action is Action.ALLOW
    assert decide("DELETE FROM archive.letters WHERE id = '1'", enforced=writing).action is Action.ALLOW
    assert decide("COPY archive.letters FROM STDIN", enforced=writing).action is Action.ALLOW


def test_a_delete_must_choose() -> None:
    decision = decide("DELETE FROM archive.letters WHERE 1 = 1")
    assert reason(decision) == "DELETE with a WHERE that is always true on archive.letters"
    assert decision.denial is not None
    assert (decision.denial.policy, decision.denial.rule) == ("support", "guardrails.requireWhere")
    assert reason(decide("DELETE FROM archive.letters")) == "DELETE without WHERE on archive.letters"
    assert "without WHERE" in reason(decide("WITH d AS (DELETE FROM archive.letters RETURNING 1) SELECT 1"))


@pytest.mark.parametrize("enforced", [MASKING, PLAIN])
@pytest.mark.parametrize(
    "text", ["SELECT upper('x')", "SELECT pg_catalog.upper('x')", 'SELECT "upper"(U&"body") FROM l']
)
def test_a_denied_function_is_refused_to_all(enforced: PolicySet, text: str) -> None:
    text = text.replace("FROM l", "FROM archive.letters")
    decision = decide(text, enforced=enforced)
    assert decision.denial is not None
    assert (decision.denial.policy, decision.denial.rule) == ("support", "guardrails.denyFunctions")


def test_a_function_denied_with_its_schema_is_denied_without_it_too() -> None:
    for text in ("SELECT report()", "SELECT public.report()", "SELECT * FROM report()"):
        assert reason(decide(text, enforced=PLAIN)) == "function public.report is denied"


# ---- identities that nothing is masked for


def test_without_masks_nothing_is_rewritten_and_the_databases_own_is_allowed() -> None:
    for text in (
        "SELECT * FROM people",
        "SELECT one(1)",
        "SELECT 1::odd",
        "SELECT * FROM nowhere",
        "SELECT ctid FROM people",
        "TABLE pg_class",
        "SELECT pg_sleep(1)",
        "INSERT INTO public.people VALUES ('1')",
        "SELECT n_distinct FROM pg_stats",
        "DELETE FROM people WHERE id = '1'",
        "SELECT public.one(x) FROM letters TABLESAMPLE system(1)",
        "SELECT pid FROM pg_stat_activity",
        "SELECT * FROM pg_prepared_xacts, pg_prepared_statements, pg_cursors, pg_largeobject",
        "SELECT loread(lo_open(1, 262144), 10)",
        "SELECT pg_notify('a', 'b')",
    ):
        decision = decide(text, enforced=PLAIN)
        assert (decision.action, decision.text) == (Action.ALLOW, text)
        assert not decision.redact_errors


@pytest.mark.parametrize(
    "text",
    [
        "SELECT pg_read_file('x')", "SELECT pg_terminate_backend(1)", "SELECT * FROM pg_authid", "DELETE FROM people",
        "UPDATE people SET id = '1' WHERE id = '2'", "CREATE TABLE t ()", "COPY people TO PROGRAM 'x'", "SET ROLE x",
        "SELECT most_common_vals FROM pg_stats", "SELECT * FROM pg_statistic",
        "SELECT lo_import('x')", "DO 'x'", "DELETE FROM pg_catalog.pg_class WHERE oid = 1",
    ],
)  # fmt: skip
def test_without_masks_the_gate_still_stands(text: str) -> None:
    assert decide(text, enforced=PLAIN).action is Action.DENY


def test_what_others_run_shows_as_null() -> None:
    for text, shown in {
        "SELECT a.query FROM pg_stat_activity a": "SELECT a.query",
        "SELECT query, pid FROM pg_catalog.pg_stat_activity AS a": "SELECT query, pid",
        "SELECT * FROM pg_stat_activity AS a": "SELECT *",
    }.items():
        decision = decide(text, enforced=PLAIN)
        of_it = "(SELECT pid AS pid, CASE WHEN false THEN query END AS query FROM pg_catalog.pg_stat_activity) AS a"
        assert decision.text == f"{shown} FROM {of_it}"


def test_functions_that_write_need_the_verb_of_what_they_do_and_are_recorded_as_writing() -> None:
    for text, verb in {
        "SELECT lo_create(0)": "insert",
        "SELECT lo_from_bytea(0, 'x')": "insert",
        "SELECT lowrite(1, 'x')": "update",
        "SELECT pg_catalog.setval('s', 1)": "update",
        "SELECT lo_unlink(1)": "delete",
        "SELECT gin_clean_pending_list('i')": "alter",
    }.items():
        able = replace(PLAIN, allow=frozenset({"select", verb}))
        decision = decide(text, enforced=able)
        assert (decision.action, decision.writes) == (Action.ALLOW, True)
        unable = replace(PLAIN, allow=frozenset({"select"}))
        assert f"needs the verb {verb};" in reason(decide(text, enforced=unable))
    reading = replace(PLAIN, allow=frozenset({"select"}))
    assert decide("SELECT nextval('s')", enforced=reading).writes
    assert decide("SELECT pg_notify('a', 'b')", enforced=reading).writes
    assert not decide("SELECT loread(1, 1)", enforced=reading).writes
    inserting = replace(PLAIN, allow=frozenset({"insert"}))
    assert decide("INSERT INTO orders (id) VALUES (nextval('s'))", enforced=inserting).action is Action.ALLOW


def test_a_function_that_writes_counts_as_writing() -> None:
    for text in ("SELECT jot(1)", "SELECT public.jot(1)", "SELECT (l).jot FROM letters l", "CALL jot(1)"):
        assert (decide(text, enforced=PLAIN).denial, decide(text, enforced=PLAIN).writes) == (None, True)
    assert not decide("SELECT one(1)", enforced=PLAIN).writes
    assert not decide("SELECT pg_catalog.lower('x')", enforced=PLAIN).writes


def test_a_function_whose_body_is_not_known_could_do_anything() -> None:
    assert "public.lower is not known" in reason(decide("SELECT public.lower('x')", enforced=PLAIN))
    assert reason(decide("SELECT nothing(1)", enforced=PLAIN)) == "function nothing does not exist"
    free = replace(
        PLAIN,
        allow=frozenset(["select", "insert", "update", "delete", "truncate", "create", "alter", "drop"]),
        require_where=(),
        deny_functions=(),
    )
    for text in ("SELECT public.lower('x')", "SELECT nothing(1)"):
        decision = decide(text, enforced=free)
        assert (decision.denial, decision.writes) == (None, True)


def test_a_table_of_the_users_does_not_hide_a_catalog_of_that_name() -> None:
    """It may be gone, and the name mean the catalog, when the server looks."""
    for text, enforced in itertools.product(
        ("CREATE TEMP TABLE pg_authid (a int); SELECT * FROM pg_authid",
         "CREATE TEMP TABLE pg_stat_activity (a int); SELECT * FROM pg_stat_activity"),
        (PLAIN, MASKING),
    ):  # fmt: skip
        assert "is the name of" in reason(decide(text, enforced=enforced))
    own = table("public", "pg_authid", "id", "rolpassword")
    catalog = replace(CATALOG, relations={own.key: own, **CATALOG.relations})
    path = ("public", "pg_catalog")
    for enforced in (PLAIN, MASKING):
        judge = Governor(EffectivePolicy("shop", enforced, None, 7), catalog, KEY)
        assert "is the name of" in reason(judge.decide("SELECT * FROM pg_authid", path))
        assert judge.decide("SELECT * FROM public.pg_authid", path).denial is None


def test_masks_that_match_no_column_mask_nobody() -> None:
    nowhere = replace(MASKING, masks=(MaskRule(("public.people.phone",), Mask("null", rule("masks[0]"))),))
    assert decide("SELECT one(1)", enforced=nowhere).action is Action.ALLOW


# ---- no policy, and policies that only observe


def test_no_policy_no_access() -> None:
    decision = governor(None).decide("BEGIN", ("public",))
    assert reason(decision) == "no DatabaseAccessPolicy gives access to database shop"
    assert decision.generation == 7


def test_observing_changes_nothing_and_tells_what_would_have_been() -> None:
    observing = governor(None, MASKING)
    read = observing.decide("SELECT email FROM people", ("public",))
    assert (read.action, read.text) == (Action.ALLOW, "SELECT email FROM people")
    assert (read.observed, read.masked, read.redact_errors) == (Action.REWRITE, ("public.people.email",), False)
    refused = observing.decide("DROP TABLE people", ("public",))
    assert (refused.action, refused.text, refused.observed) == (Action.ALLOW, "DROP TABLE people", Action.DENY)
    assert refused.denial is not None
    assert refused.writes
    assert refused.changes_search_path
    broken = observing.decide("selec", ("public",))
    assert (broken.action, broken.text, broken.observed) == (Action.ALLOW, "selec", Action.DENY)


def test_enforcing_and_observing_at_once() -> None:
    both = governor(PLAIN, MASKING)
    decision = both.decide("SELECT email FROM people", ("public",))
    assert (decision.action, decision.observed) == (Action.ALLOW, Action.REWRITE)
    denied = governor(MASKING, PLAIN).decide("SELECT pg_sleep_for(name::interval) FROM people", ("public",))
    assert (denied.action, denied.observed) == (Action.DENY, Action.ALLOW)


# ---- what a decision tells


@pytest.mark.parametrize(
    ("text", "verbs", "writes"),
    [
        ("SELECT 1", ("select",), False),
        ("TABLE letters; VALUES (1)", ("select", "select"), False),
        ("SELECT body FROM letters FOR UPDATE", ("select",), True),
        ("INSERT INTO letters VALUES ('1')", ("insert",), True),
        ("WITH i AS (INSERT INTO letters VALUES ('1') RETURNING id) SELECT * FROM i", ("select",), True),
        ("COPY letters TO STDOUT", ("copy",), False),
        ("COPY letters FROM STDIN", ("copy",), True),
        ("BEGIN; SET TimeZone = 'UTC'; SHOW ALL; COMMIT", ("begin", "set", "show", "commit"), False),
        ("", (), False),
        ("-- nothing", (), False),
        ("DROP TABLE letters", ("drop",), True),
    ],
)
def test_verbs_and_whether_it_writes(text: str, verbs: tuple[str, ...], writes: bool) -> None:
    decision = decide(text, ("archive",))
    assert (decision.verbs, decision.writes) == (verbs, writes)


def test_one_refused_statement_refuses_the_text() -> None:
    decision = decide("SELECT 1; SELECT report(); SELECT 2")
    assert (decision.action, decision.text, decision.verbs) == (Action.DENY, "", ("select", "select", "select"))


def test_rewritten_statements_of_one_text_stay_in_order() -> None:
    decision = decide("BEGIN; SELECT email FROM people; COMMIT")
    assert decision.text == f"BEGIN; SELECT email FROM {MASKED} AS people; COMMIT"


def test_the_audit_text_is_normalized_and_empty_for_what_cannot_be_parsed() -> None:
    assert decide("SELECT 'secret' -- 1").audit_text == "SELECT $1"
    assert decide("DO 'secret'").audit_text == "DO $1"
    assert decide("SELECT 'secret' FROM FROM").audit_text == ""
    full = governor(replace(MASKING, sql_text="full"))
    assert full.decide("selec 'x'", None).audit_text == "selec 'x'"


def test_a_syntax_error_is_told_as_the_server_would() -> None:
    decision = decide("SELECT FROM WHERE")
    assert reason(decision) == 'syntax error at or near "WHERE"'
    assert decision.denial is not None
    assert decision.denial.sqlstate == "42601"


def test_whatever_goes_wrong_inside_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: str) -> None:
        raise KeyError("x")

    monkeypatch.setattr(governor_module, "parse", fail)
    assert reason(decide("SELECT 1")) == "the statement was not understood (KeyError)"


def test_decisions_are_kept_by_exact_text_and_path() -> None:
    one = governor()
    first = one.decide("SELECT email FROM people WHERE id = '1'", ("public",))
    assert one.decide("SELECT email FROM people WHERE id = '1'", ("public",)) is first
    assert one.decide("SELECT email FROM people WHERE id = '2'", ("public",)).text != first.text
    assert one.decide("SELECT email FROM people WHERE id = '1'", None).action is Action.DENY


def test_a_mask_key_must_be_worth_its_name() -> None:
    with pytest.raises(ValueError, match="shorter than 16"):
        Governor(EffectivePolicy("shop", MASKING, None), CATALOG, b"short")


def test_parameters_stay_what_they_are() -> None:
    decision = decide("SELECT name FROM people WHERE email = $1 AND id = $2::text LIMIT $3")
    assert decision.text.endswith("AS people WHERE (email = $1) AND (id = CAST($2 AS pg_catalog.text)) LIMIT $3")


def test_what_clients_name_is_not_kept_without_end() -> None:
    enforced = replace(MASKING, require_where=())
    judge = governor(enforced)
    for number in range(1200):
        assert judge.decide(f"DELETE FROM public.people AS p{number} WHERE email = 'x'").denial is None
    assert judge._enforced is not None
    assert len(judge._enforced.substitutions._values) <= 1000
    columns = ("id, email", "email, id", "email", "id")
    assert all(judge.decide(f"COPY public.people ({names}) TO STDOUT").denial is None for names in columns)
    assert judge._enforced.substitutions._made == {}


def test_the_same_text_under_another_path_reads_what_has_the_same_columns_or_not() -> None:
    twin = replace(table("archive", "orders", "id", "person", "note"))
    catalog = replace(CATALOG, relations={**CATALOG.relations, twin.key: twin})
    judge = Governor(EffectivePolicy("shop", MASKING, None, 7), catalog, KEY)
    orders = [judge.decide("SELECT * FROM orders", (path,)) for path in ("public", "archive", "sales")]
    assert judge.alike(orders[0], orders[1])
    assert not judge.alike(orders[0], orders[2])
    assert not judge.alike(orders[0], judge.decide("SELECT * FROM people, orders", ("public",)))


def test_a_governor_that_is_replaced_goes_at_once_with_its_catalog() -> None:
    world = replace(CATALOG)
    one = Governor(EffectivePolicy("shop", MASKING, None), world, KEY)
    assert one.decide("SELECT email FROM public.people", ("public",)).masked
    gone = weakref.ref(one), weakref.ref(world)
    gc.disable()
    try:
        del one, world
        assert [left() for left in gone] == [None, None]
    finally:
        gc.enable()
