"""Each rule about order is needed: with any one of them switched off, the corpus tells that something shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from pglast import enums
from tests.core.sql.twins.order_corpus import DETERMINED, EQUAL, LEAKING, REFUSED
from tests.core.sql.twins.order_world import POLICY, make_order_twins
from tests.core.sql.twins.world import Twins

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.sql.authorize.authorizer import Authorizer
from penstock_core.sql.decision import Action, Decision
from penstock_core.sql.masking import (
    masked_columns,
    order_calls,
    order_completion,
    order_fences,
    order_hazards,
    order_keys,
    order_sensitivity,
    order_writes,
)
from penstock_core.sql.masking.order_calls import CallOrder
from penstock_core.sql.masking.order_completion import QueryOrder
from penstock_core.sql.masking.order_fences import Fences
from penstock_core.sql.masking.order_hazards import OrderHazards
from penstock_core.sql.masking.order_keys import Level, Rows

Patch = pytest.MonkeyPatch
_Order: Any = order_writes._StatementOrder
_own_reasons, _hazards = order_hazards._own_reasons, order_hazards.order_hazards


def gives(owner: Any, name: str, value: Any = None) -> Callable[[Patch], None]:
    """What has that name gives the same whatever it is asked."""
    return lambda patch: patch.setattr(owner, name, lambda *_, **__: value)


def becomes(owner: Any, name: str, value: Any) -> Callable[[Patch], None]:
    return lambda patch: patch.setattr(owner, name, value)


def overlooked(**parts: Any) -> Callable[[Patch], None]:
    """Relations are taken to have nothing of that kind."""

    def own_reasons(relation: Any, *rest: Any) -> Any:
        return _own_reasons(replace(relation, **parts), *rest)

    return becomes(order_hazards, "_own_reasons", own_reasons)


def not_carried(**parts: Any) -> Callable[[Patch], None]:
    """Hazards do not spread to relations by that."""

    def hazards(masked: Any, catalog: Any, **chosen: Any) -> OrderHazards:
        relations = {key: replace(relation, **parts) for key, relation in catalog.relations.items()}
        return _hazards(masked, replace(catalog, relations=relations), **chosen)

    return becomes(masked_columns, "order_hazards", hazards)


def any_key_will_do(patch: Patch) -> None:
    patch.setattr(OrderHazards, "_key", lambda self, relation, only: relation.primary_key)


def children_have_the_key(patch: Patch) -> None:
    original = OrderHazards._key
    patch.setattr(OrderHazards, "_key", lambda self, relation, only: original(self, relation, True) or ("note",))


def not_fenced(patch: Patch) -> None:
    original = order_fences.sorted_source
    patch.setattr(order_fences, "sorted_source", lambda *args, fenced, where: original(*args, fenced=False))


def all_joins_hold(patch: Patch) -> None:
    patch.setattr(order_completion, "_held", lambda item, left, right: [*left, *right])


def hazards_are_not_touched(patch: Patch) -> None:
    def note_place(self: Any, node: Any, relation: Any, *, only: bool = False) -> None:
        self.found.leaves[id(node)] = node, self.governed.hazards.leaf(relation, only=only)

    patch.setattr(Authorizer, "note_place", note_place)


def views_are_all_decided(patch: Patch) -> None:
    original = masked_columns.judge_views
    patch.setattr(masked_columns, "judge_views", lambda *args: (original(*args)[0], {}))


def tables_of_with_are_not_known(patch: Patch) -> None:
    def tables(self: Any, clause: Any, outer: Any, ctes: Any) -> Any:
        for table in clause.ctes if clause is not None else ():
            self.query(table.ctequery, outer, ctes)
        return ctes

    patch.setattr(QueryOrder, "tables", tables)


MUTATIONS: dict[str, Callable[[Patch], None]] = {
    "indexes": overlooked(indexes=()),
    "partition keys": overlooked(constraints=()),
    "windows of views": gives(order_hazards, "_has_windows", False),
    "hazards of children": not_carried(parents=()),
    "hazards of what views read": not_carried(sources=frozenset()),
    "views that nothing can complete": views_are_all_decided,
    "masked keys": any_key_will_do,
    "keys of parents": children_have_the_key,
    "what is touched": hazards_are_not_touched,
    "orders of queries": gives(QueryOrder, "_order", []),
    "keys of all sources": gives(Level, "apart", []),
    "LIMIT": gives(order_completion, "_limited", False),
    "conditions": becomes(order_keys, "_is_constant", lambda *_: True),
    "conditions of outer joins": all_joins_hold,
    "subqueries that are joined": becomes(order_completion, "_JOINED", frozenset[enums.SubLinkType]()),
    "subqueries in expressions": gives(QueryOrder, "inside"),
    "tables of WITH": tables_of_with_are_not_known,
    "recursive tables": gives(QueryOrder, "_names_hazards", False),
    "set operations": gives(order_completion, "put_around"),
    "functions in FROM": gives(order_completion, "_function_source", "person"),
    "aggregates": gives(order_calls, "is_sensitive", False),
    "sums of floats": becomes(order_calls, "EXACT", order_sensitivity.EXACT | {"float8", None}),
    "windows": gives(CallOrder, "_complete_window"),
    "named windows": becomes(order_calls, "resolved_window", lambda window, _: window),
    "ties": gives(order_completion, "_with_ties", False),
    "peers": gives(order_calls, "window_needs", "order"),
    "single rows": becomes(CallOrder, "any_aggregate", False),
    "aggregates of outer queries": becomes(CallOrder, "of_outer", False),
    "sorted sources": gives(Fences, "put"),
    "fences": not_fenced,
    "what tells when it was called": gives(order_writes, "_telling", []),
    "targets that are open": gives(_Order, "_refuse_open_targets"),
    "rows that are returned": becomes(order_writes, "returned_in_order", lambda statement: statement),
    "what a target is joined to": gives(_Order, "_read", []),
    "tables of WITH that write": gives(_Order, "writing", Rows("")),
}


@pytest.fixture(scope="module")
def order_twins18(postgres: EmbeddedPostgres) -> Twins:
    return make_order_twins(postgres, "mutation")


@pytest.fixture(scope="module")
def usual(order_twins18: Twins) -> dict[str, Decision]:
    """What is decided while every rule is on."""
    governor = order_twins18.governor(POLICY)
    texts = (*LEAKING.values(), *EQUAL.values(), *DETERMINED.values())
    return {text: governor.decide(text, ("public",)) for text in texts}


def failures(twins: Twins, usual: dict[str, Decision]) -> Iterator[str]:
    """Statements that go wrong; lazily, since one is enough. What is decided as usual goes well."""
    governor = twins.governor(POLICY)
    for name, text in REFUSED.items():
        if governor.decide(text, ("public",)).action is not Action.DENY:
            yield f"{name}: not refused"
    for name, text in DETERMINED.items():
        decision = governor.decide(text, ("public",))
        if decision != usual[text] and twins.run(decision)[0].rows != twins.run(usual[text])[0].rows:
            yield f"{name}: {decision.text}"
    for name, text in {**LEAKING, **EQUAL}.items():
        decision = governor.decide(text, ("public",))
        if decision.action is Action.DENY:
            yield f"{name}: refused"
        elif decision != usual[text]:
            left, right = twins.run(decision)
            if not left.ok or left != right:
                yield f"{name}: {left} {right}"


@pytest.mark.parametrize("rule", MUTATIONS)
def test_the_corpus_notices_a_rule_about_order_that_is_missing(
    order_twins18: Twins, usual: dict[str, Decision], monkeypatch: Patch, rule: str
) -> None:
    MUTATIONS[rule](monkeypatch)
    assert next(failures(order_twins18, usual), None) is not None
