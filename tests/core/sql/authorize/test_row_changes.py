"""Which texts are limited to a number of changed rows, and which can't be."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.core.sql.test_governor import table

from penstock_core.policy.effective import EffectivePolicy, Limit, PolicySet, Rule
from penstock_core.sql.catalog.model import Cascade, Catalog, Relation, Routine, Trigger
from penstock_core.sql.decision import Action
from penstock_core.sql.governor import Governor

LIMIT = Limit(10, Rule("web", "guardrails.maxRowsChanged"))
LATE = (
    "CREATE CONSTRAINT TRIGGER late AFTER INSERT OR UPDATE OR DELETE ON public.{0} DEFERRABLE INITIALLY DEFERRED"
    " FOR EACH ROW EXECUTE FUNCTION public.{1}()"
)


def triggered(name: str, function: str = "writes", definition: str = LATE) -> Relation:
    one = Trigger(("public", function), definition.format(name, function))
    return replace(table("public", name, "id"), triggers=(one,), has_triggers=True)


def routine(name: str, body: str, returns: str = "trigger", kind: str = "f") -> Routine:
    return Routine("public", name, kind, "plpgsql", source=body, returns=("pg_catalog", returns), volatility="v")  # type: ignore[arg-type]


ORDERS = table("public", "orders", "id", "note")
REMOTE = replace(table("public", "remote", "id"), kind="f")
PARTED = replace(table("public", "parted", "id"), kind="p")
FAR = replace(table("public", "far", "id"), kind="f", parents=(PARTED.key,))
PARENTS = replace(
    table("public", "parents", "id"),
    cascades=(Cascade(("public", "late"), frozenset({"id"}), on_delete=True, on_update=False),),
)
NOW = "CREATE TRIGGER now AFTER INSERT ON public.{0} FOR EACH ROW EXECUTE FUNCTION public.{1}()"
RELATIONS = (
    ORDERS, REMOTE, PARTED, FAR, PARENTS, triggered("late"), triggered("checked", "checks"),
    triggered("now", definition=NOW), Relation("public", "view_of_late", "v", ORDERS.columns,
    sources=frozenset({("public", "late")})),
)  # fmt: skip
ROUTINES = (
    routine("writes", "BEGIN INSERT INTO public.orders VALUES (1); RETURN NEW; END"),
    routine("checks", "BEGIN IF NEW.id < 0 THEN RAISE EXCEPTION 'no'; END IF; RETURN NEW; END"),
    routine("adds", "BEGIN INSERT INTO public.orders VALUES (1); END", "void"),
    routine("gives", "BEGIN INSERT INTO public.orders VALUES (1); RETURN 1; END", "int4"),
    routine("empties", "BEGIN TRUNCATE public.orders; END", "void"),
    routine("commits", "BEGIN INSERT INTO public.orders VALUES (1); COMMIT; END", "void", "p"),
)
CATALOG = Catalog(
    relations={one.key: one for one in RELATIONS},
    routines={(one.schema, one.name): (one,) for one in ROUTINES},
    user_functions={one.name: ("public",) for one in ROUTINES},
    system_functions=frozenset({"generate_series", "count", "pg_sleep"}),
)
ALLOW = frozenset({"select", "insert", "update", "delete", "truncate", "create", "alter", "drop"})
POLICIES = PolicySet(("web",), ALLOW, max_rows_changed=LIMIT)


def governor(policies: PolicySet = POLICIES) -> Governor:
    return Governor(EffectivePolicy("shop", policies, None), CATALOG, b"k" * 32)


GOVERNOR = governor()


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO orders VALUES (1)", "INSERT INTO orders SELECT id FROM orders RETURNING id",
        "UPDATE orders SET id = 1", "DELETE FROM orders",
        "MERGE INTO orders USING parents p ON p.id = orders.id WHEN MATCHED THEN DELETE",
        "WITH gone AS (DELETE FROM orders RETURNING id) SELECT * FROM gone", "COPY orders FROM STDIN",
        "COPY (DELETE FROM orders RETURNING id) TO STDOUT", "CREATE TABLE other AS SELECT id FROM orders",
        "SELECT id INTO other FROM orders", "EXPLAIN ANALYZE DELETE FROM orders", "EXECUTE p", "FETCH ALL FROM c",
        "SELECT adds()", "INSERT INTO now VALUES (1)", "INSERT INTO checked VALUES (1)",
        "SELECT * FROM remote, (SELECT adds()) AS a", "ALTER TABLE orders ADD COLUMN other int DEFAULT gives()",
    ],
)  # fmt: skip
def test_what_may_change_rows_is_held_to_the_limit(text: str) -> None:
    decision = GOVERNOR.decide(text, ("public",))
    assert (decision.denial, decision.change_limit) == (None, LIMIT)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM orders", "SELECT 1; SELECT 2", "BEGIN; SELECT 1; COMMIT", "COPY orders TO STDOUT",
        "DECLARE c CURSOR FOR SELECT adds()", "PREPARE p AS DELETE FROM orders", "CREATE TABLE other (id int)",
        "DROP TABLE orders", "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
        "SET jit = off", "LOCK orders", "SELECT * FROM remote", "EXPLAIN SELECT 1", "",
    ],
)  # fmt: skip
def test_what_changes_none_is_left_alone(text: str) -> None:
    decision = GOVERNOR.decide(text, ("public",))
    assert (decision.denial, decision.change_limit) == (None, None)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("TRUNCATE orders", "TRUNCATE"),
        ("BEGIN; TRUNCATE orders", "TRUNCATE"),
        ("DELETE FROM orders; SELECT 1", "several statements"),
        ("BEGIN; DELETE FROM orders; COMMIT", "several statements"),
        ("INSERT INTO remote VALUES (1)", "public.remote is a foreign table"),
        ("DELETE FROM parted", "public.far is a foreign table"),
        ("INSERT INTO late VALUES (1)", "deferrable trigger of public.late"),
        ("DELETE FROM parents", "deferrable trigger of public.late"),
        ("DELETE FROM view_of_late", "deferrable trigger of public.late"),
        ("DECLARE c CURSOR WITH HOLD FOR SELECT adds()", "WITH HOLD"),
        ("SELECT empties()", "function empties cannot be limited"),
        ("CALL commits()", "COMMIT or ROLLBACK"),
        ("DO $$ BEGIN DELETE FROM orders; END $$", "bypass a guardrail"),
        ("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "bypass a guardrail"),
    ],
)
def test_what_can_not_be_counted_is_refused(text: str, reason: str) -> None:
    decision = GOVERNOR.decide(text, ("public",))
    assert decision.action is Action.DENY
    assert decision.denial is not None
    assert reason in decision.denial.reason
    assert decision.denial.remedy
    assert (decision.denial.policy, decision.denial.rule) == ("web", "guardrails.maxRowsChanged")


def test_functions_that_a_policy_vouches_for_may_do_either() -> None:
    rule = Rule("web", "allowFunctions")
    vouching = governor(replace(POLICIES, allow_functions=(("public.empties", rule), ("public.commits", rule))))
    for text in ("SELECT empties()", "CALL commits()"):
        assert vouching.decide(text, ("public",)).change_limit == LIMIT


def test_where_it_is_only_observed_nothing_is_held_to_it() -> None:
    observing = Governor(EffectivePolicy("shop", None, POLICIES), CATALOG, b"k" * 32)
    assert observing.decide("DELETE FROM orders", ("public",)).change_limit is None
    emptied = observing.decide("TRUNCATE orders", ("public",))
    assert (emptied.action, emptied.observed) == (Action.ALLOW, Action.DENY)
