"""Rows that are changed in an order that masked values may decide: what is refused, and whose errors are told alike."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.core.sql.masking.test_order_completion import ITEM, PERSON, POLICIES

from penstock_core.policy.effective import EffectivePolicy, Rule
from penstock_core.sql.catalog.model import Catalog, Constraint, Relation, Routine, Trigger
from penstock_core.sql.decision import Decision
from penstock_core.sql.governor import Governor

CHECKED = replace(
    PERSON,
    constraints=(
        Constraint("p", frozenset({"id"})), Constraint("u", frozenset({"made"}), name="once"),
        Constraint("c", frozenset({"tenant"}), name="known"),
    ),
)  # fmt: skip


def decide(text: str, person: object = CHECKED) -> Decision:
    catalog = Catalog({one.key: one for one in (person, ITEM)})  # type: ignore[attr-defined]
    return Governor(EffectivePolicy("shop", POLICIES, None), catalog, b"k" * 16).decide(text, ("public",))


@pytest.mark.parametrize(
    "text",
    [
        "UPDATE person SET made = made + 1",
        "UPDATE person SET made = tenant WHERE tenant = 5",
        "UPDATE person SET made = p.made FROM person p WHERE p.id = person.tenant",
        "UPDATE person SET made = (SELECT max(id) FROM item)",
        "MERGE INTO person USING item ON item.id = person.tenant WHEN MATCHED THEN UPDATE SET made = item.person",
    ],
)
def test_a_unique_value_that_moves_is_refused(text: str) -> None:
    denial = decide(text).denial
    assert denial is not None
    assert denial.reason.startswith("whether rows of public.person collide in made (unique constraint once)")


@pytest.mark.parametrize(
    "text",
    [
        "UPDATE person SET made = made + 1 WHERE id = 7",
        "UPDATE person SET made = 5 WHERE tenant = 5",
        "UPDATE person SET tenant = tenant + 1",
        "UPDATE person SET made = made, tenant = 1",
        "UPDATE person SET (tenant, made) = (tenant + 1, made)",
        "UPDATE person SET (tenant, made) = (SELECT 1, made)",
    ],
)
def test_what_can_collide_in_one_way_alone_is_not(text: str) -> None:
    assert decide(text).denial is None


def test_a_condition_that_a_join_may_leave_unasked_is_refused() -> None:
    for text in (
        "UPDATE person SET tenant = 1 FROM item WHERE item.id = person.id AND 1 / person.id > 0",
        "DELETE FROM person USING item WHERE item.id = person.id AND 1 / person.id > 0",
        "DELETE FROM person WHERE 1 / id > 0 AND id IN (SELECT person FROM item)",
        "DELETE FROM person WHERE 1 / id > (SELECT 0) AND id IN (SELECT person FROM item)",
        "MERGE INTO person USING item ON item.id = 1 / person.id WHEN MATCHED THEN DELETE",
    ):
        denial = decide(text).denial
        assert denial is not None, text
        assert denial.reason.startswith("whether the condition fails for a row of public.person")
    assert decide("DELETE FROM person WHERE id IN (SELECT id FROM person WHERE 1 / id > 0)").denial is None
    assert decide("DELETE FROM person USING item WHERE item.id = person.id").denial is None


@pytest.mark.parametrize(
    ("text", "ways"),
    [
        ("UPDATE person SET tenant = 5", False),
        ("UPDATE person SET tenant = $1 WHERE made = 3", False),
        ("UPDATE person SET tenant = 5, made = 7", True),
        ("UPDATE person SET tenant = 5, made = 7 WHERE id = 7", False),
        ("UPDATE person SET tenant = tenant + 1", True),
        ("UPDATE person SET tenant = made", False),
        ("UPDATE person SET tenant = score", True),
        ("UPDATE person SET tenant = 5 WHERE 1 / id > 0", True),
        ("UPDATE person SET tenant = 5 WHERE id = 7 AND 1 / made > 0", True),
        ("UPDATE person SET tenant = 5 RETURNING 1 / id", True),
        ("DELETE FROM person", False),
        ("MERGE INTO person USING item ON item.id = person.tenant WHEN MATCHED THEN DELETE", True),
    ],
)
def test_errors_are_told_alike_if_there_are_several_ways(text: str, ways: bool) -> None:
    decision = decide(text)
    assert decision.denial is None
    assert decision.mixed_errors == ("23000" if ways else "")


def test_triggers_and_references_are_ways_too() -> None:
    assert decide("DELETE FROM person", replace(CHECKED, referenced=frozenset({"id"}))).mixed_errors
    assert decide("UPDATE person SET tenant = 5", replace(CHECKED, referenced=frozenset({"tenant"}))).mixed_errors
    assert decide("UPDATE person SET tenant = 5", replace(CHECKED, has_rules=True)).denial is not None


def triggered(events: str, body: str, each: str = "ROW", **more: object) -> Catalog:
    trigger = Trigger(
        ("app", "mark"),
        f"CREATE TRIGGER t AFTER {events} ON public.person FOR EACH {each} EXECUTE FUNCTION app.mark()",
    )
    person = replace(PERSON, has_triggers=True, triggers=(trigger,), **more)  # type: ignore[arg-type]  # its fields
    routine = Routine(
        "app", "mark", "f", "plpgsql", f"BEGIN {body} RETURN NULL; END", returns=("pg_catalog", "trigger")
    )
    return Catalog(
        {one.key: one for one in (person, ITEM)},
        routines={("app", "mark"): (routine,)}, user_functions={"mark": ("app",)},
    )  # fmt: skip


def told(text: str, catalog: Catalog, *allowed: str) -> str:
    policies = replace(POLICIES, allow_functions=tuple((one, Rule("p", "allowFunctions[0]")) for one in allowed))
    denial = Governor(EffectivePolicy("shop", policies, None), catalog, b"k" * 16).decide(text, ("public",)).denial
    return denial.reason if denial is not None else ""


LOG = "INSERT INTO public.item (id) VALUES (OLD.id);"
TELLS = "app.mark, which runs for each row, would tell in which order rows of public.person are changed"


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("UPDATE person SET made = 1 WHERE tenant = 5", LOG),
        ("DELETE FROM person WHERE tenant = 5", LOG),
        ("MERGE INTO person USING item ON item.id = tenant WHEN MATCHED THEN UPDATE SET made = 1", LOG),
        ("UPDATE person SET made = 1", "PERFORM pg_notify('jobs', OLD.id::text);"),
        ("UPDATE person SET made = 1", "PERFORM set_config('app.x', OLD.id::text, false);"),
        ("UPDATE person SET made = 1", "NEW.made := extract(epoch FROM clock_timestamp());"),
    ],
)
def test_what_a_trigger_leaves_behind_for_each_row_tells_their_order(text: str, body: str) -> None:
    assert told(text, triggered("UPDATE OR DELETE", body)).startswith(TELLS)


def test_triggers_that_tell_no_order() -> None:
    many = "UPDATE person SET made = 1"
    assert not told("UPDATE person SET made = 1 WHERE id = 7", triggered("UPDATE", LOG))
    assert not told("UPDATE person SET made = 1 WHERE CURRENT OF c", triggered("UPDATE", LOG))
    assert not told(many, triggered("UPDATE", "NEW.made := 5;"))
    assert not told(many, triggered("DELETE", LOG))
    assert not told(many, triggered("UPDATE OF tenant", LOG))
    assert told("UPDATE person SET tenant = 1", triggered("UPDATE OF tenant", LOG)).startswith(TELLS)
    assert not told(many, triggered("UPDATE", "PERFORM pg_notify('jobs', 'changed');", "STATEMENT"))
    # A policy vouches for it.
    assert not told(many, triggered("UPDATE", LOG), "app.mark")


@pytest.mark.parametrize("value", ["made = DEFAULT", "(tenant, made) = ROW(1, DEFAULT)"])
def test_a_default_may_tell_the_order_in_which_rows_got_it(value: str) -> None:
    timed = tuple(replace(one, telling_default=one.name == "made") for one in PERSON.columns)
    catalog = Catalog({one.key: one for one in (replace(PERSON, columns=timed), ITEM)})
    assert told(f"UPDATE person SET {value}", catalog).startswith("the default of made would tell in which order rows")
    assert not told(f"UPDATE person SET {value} WHERE id = 7", catalog)
    assert not told("UPDATE person SET tenant = DEFAULT", catalog)


def test_what_runs_while_rows_are_found_tells_their_order() -> None:
    body = "SELECT set_config('app.seen', $1, false) <> ''"
    watched = replace(PERSON, calls=("app.watch",), has_row_security=True)
    catalog = Catalog(
        {one.key: one for one in (watched, ITEM)},
        routines={("app", "watch"): (Routine("app", "watch", "f", "sql", body),)}, user_functions={"watch": ("app",)},
    )  # fmt: skip
    for text in ("SELECT count(*) FROM person", "UPDATE person SET made = 1", "SELECT 1 FROM item, person"):
        assert told(text, catalog).startswith("app.watch, which runs for each row that is read, would tell")
        assert not told(text, catalog, "app.watch")
    assert not told("SELECT id FROM item", catalog)


def test_views_that_tell_the_time_tell_the_order() -> None:
    now = Relation("public", "now", "v", (), definition=" SELECT clock_timestamp() AS t;")
    over = Relation("public", "over", "v", (), definition=" SELECT t FROM public.now;", sources=frozenset({now.key}))
    catalog = Catalog({one.key: one for one in (PERSON, ITEM, now, over)})
    for view in ("now", "over"):
        value = f"(SELECT count(*) + person.made FROM {view})"
        assert told(f"UPDATE person SET tenant = {value}", catalog).startswith(
            "clock_timestamp would tell in which order"
        )
        assert not told(f"UPDATE person SET tenant = {value} WHERE id = 7", catalog)
        assert not told(f"SELECT id FROM person, {view}", catalog)
    assert not told("UPDATE person SET tenant = (SELECT count(*) FROM item)", catalog)
