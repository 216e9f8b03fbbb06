"""Which relations have an order hazard, by what the catalog says of them."""

from __future__ import annotations

from typing import Any

from penstock_core.policy.effective import EffectivePolicy, Mask, MaskRule, PolicySet, Rule
from penstock_core.sql.catalog.model import Catalog, Column, Constraint, Index, Relation
from penstock_core.sql.masking.findings import row_order_findings
from penstock_core.sql.masking.masked_columns import govern
from penstock_core.sql.masking.order_hazards import order_hazards

MASKED = {("public", "t", "email"): Mask("redact", Rule("p", "masks[0]"))}


def relation(name: str = "t", kind: Any = "r", **parts: Any) -> Relation:
    columns = tuple(
        Column(one, "pg_catalog.text", "pg_catalog.text", "pg_catalog.text", "S") for one in ("id", "email")
    )
    return Relation("public", name, kind, columns, **parts)


def reasons(*relations: Relation) -> dict[str, str]:
    hazards = order_hazards(MASKED, Catalog({one.key: one for one in relations}))
    return {name: why[0] for (_, name), why in hazards.reasons.items()}


def test_indexes_and_partition_keys() -> None:
    ordering, other = Index("t_mail", frozenset({"id", "email"})), Index("t_id", frozenset({"id"}))
    assert reasons(relation(indexes=(other,))) == {}
    assert reasons(relation(indexes=(other, ordering))) == {
        "t": "index t_mail orders public.t by its masked column email"
    }
    clustered = Index("t_mail", frozenset({"email"}), clustered=True)
    assert reasons(relation(indexes=(clustered,)))["t"].startswith("index t_mail has clustered public.t")
    parted = relation(kind="p", constraints=(Constraint("k", frozenset({"email"})),))
    assert reasons(parted) == {"t": "public.t is partitioned by its masked column email"}
    assert reasons(relation(constraints=(Constraint("c", frozenset({"email"})),))) == {}


def test_what_shows_their_rows_has_the_hazard_too() -> None:
    table = relation(indexes=(Index("t_mail", frozenset({"email"})),), parents=(("public", "whole"),))
    view = relation("v", "v", sources=frozenset({("public", "t")}), definition="SELECT id, email FROM public.t")
    over = relation("w", "m", sources=frozenset({("public", "v")}), definition="SELECT id, email FROM public.v")
    found = reasons(table, relation("whole"), view, over, relation("other"))
    assert set(found) == {"t", "whole", "v", "w"}
    assert found["v"] == "it reads public.t (index t_mail orders public.t by its masked column email)"


def test_always_every_relation_with_masked_columns_has_one() -> None:
    world = Catalog({one.key: one for one in (relation(), relation("plain"), relation("whole"))})
    assert order_hazards(MASKED, world).reasons == {}
    found = order_hazards(MASKED, world, always=True)
    assert found.reasons == {
        ("public", "t"): ("public.t has the masked column email, and rowOrder is always",),
    }


def test_windows_over_masked_columns_leave_rows_in_their_order() -> None:
    reads = frozenset(MASKED)
    ranked = "SELECT id, rank() OVER (ORDER BY email) AS email FROM public.t"
    assert set(reasons(relation(), relation("m", "m", reads=reads, definition=ranked))) == {"m"}
    assert reasons(relation(), relation("m", "m", reads=reads, definition="SELECT id, email FROM public.t")) == {}


def test_they_are_told_in_words_with_what_becomes_of_them() -> None:
    masks = (MaskRule(("public.t.email",), Mask("redact", Rule("p", "masks[0]"))),)
    world = Catalog({("public", "t"): relation(indexes=(Index("t_mail", frozenset({"email"})),))})
    complete, left_open = (
        PolicySet(("p",), frozenset({"select"}), masks, row_order=order) for order in ("complete", "unspecified")
    )
    told = row_order_findings(EffectivePolicy("shop", complete, None), world)
    assert told == (
        "index t_mail orders public.t by its masked column email; statements that read it are sorted further",
    )
    (told_open,) = row_order_findings(EffectivePolicy("shop", left_open, None), world)
    assert told_open.endswith("rowOrder is unspecified, so rows may tell it")
    assert govern(left_open, world).hazards.reasons == {}
