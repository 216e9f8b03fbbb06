"""Views of filtered tables: their definitions stand in their place."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.core.sql.test_governor import KEY, table, text_column

from penstock_core.policy.effective import EffectivePolicy, Mask, MaskRule, PolicySet, RowFilter, Rule
from penstock_core.sql.catalog.model import Catalog, Relation
from penstock_core.sql.decision import Action, Decision
from penstock_core.sql.governor import Governor

ORDERS = table("public", "orders", "id", "region", "email")


def view(name: str, definition: str, *columns: str, of: Relation = ORDERS) -> Relation:
    shown = tuple(
        text_column(one, derives_from=frozenset({(*of.key, one)}), copies=frozenset({(*of.key, one)}))
        for one in columns
    )
    return Relation("public", name, "v", shown, sources=frozenset({of.key}), definition=definition)


ALL = view("shown", " SELECT id,\n    email\n   FROM public.orders;", "id", "email")
OVER = view("over", " SELECT id,\n    email\n   FROM public.shown;", "id", "email", of=ALL)
PLAIN = table("public", "plain", "id")
WORLD = Catalog(relations={one.key: one for one in (ORDERS, ALL, OVER, PLAIN)})
FILTERS = (RowFilter(("public", "orders"), "region = 'eu'", Rule("p", "rowFilters[0]")),)
ALLOW = frozenset({"select", "insert", "update", "delete", "create", "drop"})


def decide(text: str, *masks: MaskRule, world: Catalog = WORLD, path: tuple[str, ...] = ("public",)) -> Decision:
    policies = PolicySet(("p",), ALLOW, masks=masks, row_filters=FILTERS)
    return Governor(EffectivePolicy("shop", policies, None, 1), world, KEY).decide(text, path)


def test_the_definition_stands_in_its_place() -> None:
    decision = decide("SELECT id FROM over WHERE email = $1")
    assert decision.denial is None
    assert decision.text.count("FROM public.orders WHERE") == 1
    assert "public.over" not in decision.text.replace("AS over", "")
    assert "AS over (id, email)" in decision.text
    assert decision.relations == ("public.orders", "public.over", "public.shown")


def mask(pattern: str) -> MaskRule:
    return MaskRule((pattern,), Mask("redact", Rule("p", "masks[0]")))


def test_masks_are_those_of_what_it_reads() -> None:
    decision = decide("SELECT email FROM shown", mask("public.orders.email"))
    assert decision.text.count("'***'") == 1


def test_and_its_own_besides() -> None:
    own = decide("SELECT email FROM shown", mask("public.shown.email"))
    assert own.text.count("'***'") == 1
    assert own.text.index("'***'") < own.text.index("FROM public.orders")
    assert own.masked == ("public.shown.email",)
    hashed = MaskRule(("public.shown.email",), Mask("hash", Rule("p", "masks[1]")))
    both = decide("SELECT email FROM shown", mask("public.orders.email"), hashed)
    assert both.text.count("'***'") >= 1
    over = decide("SELECT email FROM over", mask("public.shown.email"))
    assert "'***'" in over.text


def test_names_in_it_are_no_tables_of_with() -> None:
    decision = decide("WITH orders AS (SELECT 1 AS id) SELECT * FROM shown, orders")
    assert decision.denial is None
    assert "FROM public.orders WHERE" in decision.text


def test_a_qualified_column_is_that_of_the_definition() -> None:
    decision = decide("SELECT public.shown.id FROM public.shown")
    assert decision.denial is None
    assert "SELECT shown.id FROM" in decision.text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("CREATE VIEW mine AS SELECT * FROM shown", "public.shown cannot be read"),
        ("UPDATE shown SET id = '1'", "public.shown cannot be written to"),
        ("UPDATE plain SET id = '1' FROM shown FOR UPDATE", "syntax error"),
        ("SELECT " + ", ".join(["(SELECT min(id) FROM shown)"] * 101), "more than 100 views"),
    ],
)
def test_it_stands_nowhere_else(text: str, words: str) -> None:
    denial = decide(text).denial
    assert denial is not None
    assert words in denial.reason


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"security_barrier": True}, "is a security barrier"),
        ({"kind": "m"}, "holds all that were there"),
        ({"definition": ""}, "its definition is not known"),
        ({"definition": "SELECT nonsense("}, ""),
        ({"definition": "DELETE FROM public.orders"}, "is not understood"),
        ({"hazards": ("pg_stats",)}, "uses pg_stats"),
        ({"filters": frozenset({("public", "orders", "email")})}, "chosen by the masked column"),
    ],
)
@pytest.mark.parametrize("name", ["shown", "over"])
def test_what_can_not_be_written_out_is_refused(change: dict[str, object], words: str, name: str) -> None:
    changed = replace(ALL, **change)  # type: ignore[arg-type]
    world = replace(WORLD, relations={**WORLD.relations, changed.key: changed})
    denial = decide(f"SELECT id FROM {name}", mask("public.orders.email"), world=world).denial
    assert denial is not None
    assert words in denial.reason


def test_what_is_not_filtered_is_read_as_it_is() -> None:
    other = view("other", "SELECT id FROM public.plain", "id", of=PLAIN)
    world = replace(WORLD, relations={**WORLD.relations, other.key: other})
    assert decide("SELECT id FROM public.other", world=world).action is Action.ALLOW


def test_the_owners_row_security_is_not_given_up() -> None:
    secured = replace(PLAIN, has_row_security=True)
    beside = replace(ALL, sources=ALL.sources | {PLAIN.key})
    world = replace(WORLD, relations={**WORLD.relations, secured.key: secured, beside.key: beside})
    for name in ("shown", "over"):
        denial = decide(f"SELECT id FROM {name}", world=world).denial
        assert denial is not None
        assert "the row security of public.plain is that of the view's owner" in denial.reason
