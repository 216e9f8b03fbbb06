"""What runs by itself when a table is written to, and what of its rows that may see."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.core.sql.test_governor import PLAIN, table, text_column

from penstock_core.sql.authorize.own_code import fired, functions_of, set_by_triggers
from penstock_core.sql.catalog.model import Catalog, Relation, Routine, Trigger
from penstock_core.sql.masking.masked_columns import Governed

MASKED = frozenset({"email"})
INSERT, UPDATE, ANYTHING = frozenset({"insert"}), frozenset({"update"}), frozenset[str]()


def made(events: str, name: str, condition: str = "") -> Trigger:
    text = f"CREATE TRIGGER t BEFORE {events} ON public.t FOR EACH ROW {condition} EXECUTE FUNCTION app.{name}()"
    return Trigger(("app", name), text)


def governed(**bodies: str) -> Governed:
    routines = {
        ("app", name): (Routine("app", name, "f", "plpgsql", body, returns=("pg_catalog", "trigger")),)
        for name, body in bodies.items()
    }
    return Governed(PLAIN, Catalog(routines=routines), {}, {})


def having(*triggers: Trigger, **more: object) -> Relation:
    return table("public", "t", "id", "email", has_triggers=True, triggers=triggers, **more)


@pytest.mark.parametrize(
    ("body", "condition", "reason"),
    [
        ("NEW.at := now(); RETURN NEW;", "", ""),
        ("IF NEW IS DISTINCT FROM OLD THEN NEW.at := now(); END IF; RETURN NEW;", "", ""),
        ("NEW.at := now(); RETURN NEW;", "WHEN (OLD.* IS DISTINCT FROM NEW.*)", ""),
        ("NEW.at := now(); RETURN NEW;", "WHEN (OLD.email <> 'x')", "it reads the masked column email"),
        ("IF NEW.email = '' THEN RETURN NULL; END IF; RETURN NEW;", "", "it reads the masked column email"),
        ("RAISE NOTICE '%', NEW; RETURN NEW;", "", "it reads the row as a whole, which has masked columns"),
    ],
)
def test_a_trigger_must_not_look_at_masked_columns(body: str, condition: str, reason: str) -> None:
    judge = governed(touch=f"BEGIN {body} END")
    relation = having(made("INSERT OR UPDATE", "touch", condition))
    told = f"trigger function app.touch: {reason}" if reason else ""
    assert fired(relation, MASKED, UPDATE, judge) == told
    assert fired(relation, MASKED, ANYTHING, judge) == told
    # A new row is the client's own, and where nothing is masked there is nothing to see.
    assert fired(relation, MASKED, INSERT, judge) == ""
    assert fired(relation, frozenset(), UPDATE, judge) == ""


def test_rows_are_not_compared_before_a_masked_column_is_computed() -> None:
    judge = governed(touch="BEGIN IF NEW IS DISTINCT FROM OLD THEN RETURN NULL; END IF; RETURN NEW; END")
    relation = having(made("UPDATE", "touch"))
    late = replace(relation, columns=(*relation.columns, text_column("low", generated=True)))
    assert "compares rows with the masked generated column low" in fired(late, MASKED | {"low"}, UPDATE, judge)


def test_only_what_fires_counts() -> None:
    judge = governed(spy="BEGIN RAISE NOTICE '%', OLD; RETURN OLD; END")
    relation = having(made("DELETE", "spy"))
    assert fired(relation, MASKED, UPDATE, judge) == ""
    assert fired(relation, MASKED, frozenset({"update", "delete"}), judge)
    assert [key for key, _ in functions_of(relation, UPDATE, judge.functions)] == []
    assert [key for key, _ in functions_of(relation, ANYTHING, judge.functions)] == [("app", "spy")]


def test_triggers_of_which_nothing_is_known_are_the_worst() -> None:
    assert fired(having(), frozenset(), INSERT, governed()) == "triggers"


def test_what_triggers_set_in_rows_that_are_there() -> None:
    judge = governed(touch="BEGIN NEW.email := 'x'; RETURN NEW; END")
    relation = having(made("INSERT OR UPDATE", "touch"))
    assert set_by_triggers(relation, UPDATE, judge.functions) == {"email"}
    assert set_by_triggers(relation, INSERT, judge.functions) == frozenset()
