"""Each rule is needed: with any one of them switched off, the corpus tells that something is wrong.

Rows are taken out of the tables of `authorize` and `bind`, one at a time; what is no row of a table is patched.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from pglast import ast
from tests.core.sql.twins import mutations_stored
from tests.core.sql.twins.corpus import DENY, PASS
from tests.core.sql.twins.test_twins import difference
from tests.core.sql.twins.world import Twins

from penstock_core.sql.allowlists.functions import FUNCTIONS, MEASURES
from penstock_core.sql.authorize import (
    columns,
    functions,
    settling,
    statements,
    system_relations,
    text,
    write_targets,
)
from penstock_core.sql.bind import expressions, from_items, queries, references, writes
from penstock_core.sql.bind import statements as bound_statements
from penstock_core.sql.bind import text as bound_text
from penstock_core.sql.bind.binder import Rules
from penstock_core.sql.bind.scopes import Scope, Source
from penstock_core.sql.catalog.model import Catalog, Column, Relation
from penstock_core.sql.decision import Action, Decision
from penstock_core.sql.masking import masked_columns as governed_module
from penstock_core.sql.masking.edits import Edits

Patch = pytest.MonkeyPatch


def anything_goes(kind: type[references.Reference]) -> Callable[[Patch], None]:
    """References of that kind are allowed, and nothing is edited."""
    return lambda patch: patch.setitem(text.MASKED, kind, lambda *_: None)  # type: ignore[arg-type]


def as_unmasked(kind: type[references.Reference]) -> Callable[[Patch], None]:
    """References of that kind are decided about as if nothing were masked."""
    return lambda patch: patch.setitem(text.MASKED, kind, text.UNMASKED[kind])  # type: ignore[arg-type]


def any_statement(kind: type[ast.Node]) -> Callable[[Patch], None]:
    """Statements of that kind are looked at no more than their parts."""
    return lambda patch: patch.setitem(statements.MASKED_STATEMENTS, kind, lambda *_: None)  # type: ignore[arg-type]


def unbound(kind: type[ast.Node]) -> Callable[[Patch], None]:
    """Nothing of expressions of that kind is bound."""
    return lambda patch: patch.setitem(expressions.EXPRESSION_RULES, kind, lambda *_: None)  # type: ignore[arg-type]


def unbound_statement(kind: type[ast.Node]) -> Callable[[Patch], None]:
    """Nothing of statements of that kind is bound."""
    verb, _ = bound_statements.STATEMENT_RULES[kind]
    row = (verb, lambda *_: None)
    return lambda patch: patch.setitem(bound_statements.STATEMENT_RULES, kind, row)  # type: ignore[arg-type]


def _by_name(kinds: Iterable[type]) -> list[type]:
    return sorted(kinds, key=lambda kind: kind.__name__)


def nothing(module: Any, name: str) -> Callable[[Patch], None]:
    """The function or method of that name does nothing."""
    return lambda patch: patch.setattr(module, name, lambda *_, **__: None)


def on_a_copy(module: Any, name: str, at: int = 1) -> Callable[[Patch], None]:
    """The function works on a copy of what it is given, so that it resolves names but no edit reaches the text."""

    def switch_off(patch: Patch) -> None:
        original = getattr(module, name)

        def rule(*arguments: Any, **more: Any) -> Any:
            given = list(arguments)
            given[at] = copy.deepcopy(given[at])
            return original(*given, **more)

        patch.setattr(module, name, rule)

    return switch_off


def without(keep: Callable[[Relation, Column, tuple[str, str, str]], bool]) -> Callable[[Patch], None]:
    """The catalog forgets those ways in which columns derive from others that `keep` says no to."""

    def switch_off(patch: Patch) -> None:
        original = governed_module.govern

        def govern(policies: Any, catalog: Catalog) -> Any:
            relations = {
                key: replace(
                    relation,
                    columns=tuple(
                        replace(
                            column,
                            derives_from=frozenset(s for s in column.derives_from if keep(relation, column, s)),
                        )
                        for column in relation.columns
                    ),
                )
                for key, relation in catalog.relations.items()
            }
            forgetful = original(policies, replace(catalog, relations=relations))
            return governed_module.Governed(policies, catalog, forgetful.columns, forgetful.unreadable)

        patch.setattr("penstock_core.sql.governor.govern", govern)

    return switch_off


def no_cte_is_known(patch: Patch) -> None:
    def common_tables(binder: Any, clause: Any, scope: Scope) -> None:
        for table in clause.ctes or () if clause is not None else ():
            queries._common_table(binder, table, Scope([], scope.parent, scope.ctes))

    patch.setattr(queries, "common_tables", common_tables)


def every_cte_is_known_to_all(patch: Patch) -> None:
    def common_tables(binder: Any, clause: Any, scope: Scope) -> None:
        tables = (clause.ctes or ()) if clause is not None else ()
        scope.ctes = {**scope.ctes, **{table.ctename: None for table in tables}}
        for table in tables:
            queries._common_table(binder, table, Scope([], scope.parent, scope.ctes))

    patch.setattr(queries, "common_tables", common_tables)


def a_schema_is_overlooked(patch: Patch) -> None:
    original = from_items._relation

    def relation(binder: Any, item: Any, place: Any, scope: Scope) -> Any:
        if item.relname in scope.ctes:
            item.schemaname = None
        return original(binder, item, place, scope)

    patch.setattr(from_items, "_relation", relation)


def nothing_is_unreadable(patch: Patch) -> None:
    patch.setattr(governed_module, "_unreadable", lambda *_: {})


def any_setting_goes(patch: Patch) -> None:
    patch.setattr("penstock_core.sql.authorize.settings._check", lambda *_: None)


def children_hold_nothing(patch: Patch) -> None:
    patch.setattr(write_targets._Target, "_reached", lambda self, relation, effect: {relation.key: {effect}})


def without_partitions(patch: Patch) -> None:
    """The catalog forgets which relations are parts of others with a key."""
    original = governed_module.govern

    def govern(policies: Any, catalog: Catalog) -> Any:
        relations = {
            key: replace(relation, constraints=(), filters=frozenset(), referenced=frozenset())
            if any(one.kind == "k" for name in relation.parents for one in catalog.relations[name].constraints)
            else relation
            for key, relation in catalog.relations.items()
        }
        return original(policies, replace(catalog, relations=relations))

    patch.setattr("penstock_core.sql.governor.govern", govern)


def no_type_runs_code(patch: Patch) -> None:
    patch.setattr(governed_module, "is_coded", lambda *_: False)


def merged_columns_count(patch: Patch) -> None:
    """`*` over a join with USING is taken for the columns of both sides, one after the other."""
    patch.setattr(Scope, "merges", property(lambda _: False, lambda *_: None))


def any_star_is_one_column(patch: Patch) -> None:
    patch.setattr("penstock_core.sql.bind.column_names._is_row_of_many", lambda _: False)


def measures_show(patch: Patch) -> None:
    patch.setattr(functions, "FUNCTIONS", FUNCTIONS | MEASURES)
    patch.setattr(functions, "MEASURES", frozenset())


def told_of_each_row(condition: str) -> Callable[[Patch], None]:
    return lambda patch: patch.setattr(functions, condition, lambda *_: True)


def sources_come_before_columns(patch: Patch) -> None:
    def row_source(node: Any, scope: Scope) -> Source | None:
        found = scope.find(node.fields[-1].sval) if isinstance(node, ast.ColumnRef) else []
        return found[0] if found else None

    patch.setattr(expressions, "_row_source", row_source)


def no_query_is_bound(patch: Patch) -> None:
    """Queries inside of others are not looked at."""
    rules = bound_text.RULES

    def query(binder: Any, node: Any, around: Scope) -> Any:
        return rules.query(binder, copy.deepcopy(node), around)

    patch.setattr(bound_text, "RULES", Rules(rules.expressions, query, rules.statement))


def owners_are_certain(patch: Patch) -> None:
    """Whether a nearer source may have a column of that name is overlooked."""
    original = columns.masked_column

    def masked_column(authorizer: Any, read: Any) -> None:
        original(authorizer, replace(read, unsure=False, owners=read.owners[:1]))

    patch.setitem(text.MASKED, references.ColumnRead, masked_column)  # type: ignore[arg-type]


def from_a_view(relation: Relation, column: Column, source: tuple[str, str, str]) -> bool:
    return relation.kind != "v"


def from_a_relative(relation: Relation, column: Column, source: tuple[str, str, str]) -> bool:
    return source[1] not in ("kid",) and relation.name != "kid"


def from_a_generated_column(relation: Relation, column: Column, source: tuple[str, str, str]) -> bool:
    return not column.generated


def from_a_foreign_key(relation: Relation, column: Column, source: tuple[str, str, str]) -> bool:
    return relation.name != "o"


# Of the rows of tables, those that keep the twins alike; `tests/core/sql/authorize/test_text.py` has all of them.
KINDS = text.MASKED.keys() - {
    references.FormerFunction,
    references.ParameterType,
    references.QueryKept,
    references.RelationMade,
    references.RowChoice,
    references.Sample,
    references.Unclaimed,
    references.UnknownSource,
    references.ViewDefined,
    references.ViewWrittenOut,
}
STATEMENTS = (ast.CopyStmt, ast.TransactionStmt, ast.ExplainStmt)
EXPRESSIONS = expressions.EXPRESSION_RULES.keys() - {ast.CollateClause}
BOUND_STATEMENTS = bound_statements.STATEMENT_RULES.keys() - {
    ast.ClosePortalStmt,
    ast.ConstraintsSetStmt,
    ast.DeallocateStmt,
    ast.DiscardStmt,
    ast.FetchStmt,
    ast.UnlistenStmt,
    ast.VariableShowStmt,
}
MUTATIONS: dict[str, Callable[[Patch], None]] = {
    **{f"any {kind.__name__}": anything_goes(kind) for kind in _by_name(KINDS)},
    **{f"any {kind.__name__} statement": any_statement(kind) for kind in STATEMENTS},
    **{f"{kind.__name__} not bound": unbound(kind) for kind in _by_name(EXPRESSIONS)},
    **{f"{kind.__name__} not bound": unbound_statement(kind) for kind in _by_name(BOUND_STATEMENTS)},
    "queries": no_query_is_bound,
    "arms of joins": on_a_copy(from_items, "_join"),
    "functions in FROM": nothing(from_items, "_table_function"),
    "bodies of CTEs": on_a_copy(queries, "_common_table"),
    "arms of set operations": on_a_copy(queries, "_set_operation"),
    "sources of INSERT": on_a_copy(writes, "_insert"),
    "RETURNING": on_a_copy(writes, "_returning"),
    "FROM of UPDATE, USING of DELETE": on_a_copy(writes, "from_clause"),
    "masks in place": nothing(Edits, "replace"),
    "relations in place": nothing(Edits, "put"),
    "what is known at the end": nothing(settling, "settle"),
    "the same name twice": nothing(settling, "_named_once"),
    "GROUP BY of a key": nothing(settling, "_extend_grouping"),
    "system columns, unknown columns": nothing(text, "_check_columns"),
    "columns before sources": sources_come_before_columns,
    "columns of the nearest": owners_are_certain,
    "stars of rows": any_star_is_one_column,
    "stars of merging joins": merged_columns_count,
    "hidden columns of catalogs": nothing(settling, "put_queries"),
    "names of hidden columns": nothing(system_relations, "renamed_by"),
    "measures": measures_show,
    "functions that tell of each row": told_of_each_row("is_steady"),
    "functions that tell of the last row": told_of_each_row("is_made_once"),
    "system columns of what is replaced": nothing(settling, "_widen"),
    "types that run code": no_type_runs_code,
    "targets": nothing(write_targets._Target, "writable"),
    "what is only carried to masked relations": nothing(write_targets._Target, "governed_target"),
    "new rows beside masked values": nothing(write_targets._Target, "inserted"),
    "rows that masked values refer to": nothing(write_targets._Target, "deleted"),
    "columns that are checked with masked values": nothing(write_targets._Target, "assigned"),
    "relations reached from targets": children_hold_nothing,
    "what foreign keys carry on": nothing(write_targets, "carried"),
    "keys and bounds of partitions": without_partitions,
    "settings": any_setting_goes,
    "scopes of CTEs": no_cte_is_known,
    "order of CTEs": every_cte_is_known_to_all,
    "schemas before names of CTEs": a_schema_is_overlooked,
    "relations that can't be read": nothing_is_unreadable,
    "views": without(from_a_view),
    "parents and children": without(from_a_relative),
    "generated columns": without(from_a_generated_column),
    "foreign keys": without(from_a_foreign_key),
    **{f"stored: {name}": mutation for name, mutation in mutations_stored.MUTATIONS.items()},
}


@pytest.fixture(scope="module")
def usual(twins18: Twins) -> dict[str, Decision]:
    """What is decided while every rule is on."""
    governor = twins18.governor()
    return {name: governor.decide(text, ("public",)) for name, text in {**DENY, **PASS}.items()}


def failures(twins: Twins, usual: dict[str, Decision]) -> Iterator[str]:
    """Statements of the corpus that go wrong; lazily, since one is enough. What is decided as usual goes well."""
    governor = twins.governor()
    for name, sql in DENY.items():
        if governor.decide(sql, ("public",)).action is not Action.DENY:
            yield f"{name}: not refused"
    for name, sql in PASS.items():
        if governor.decide(sql, ("public",)) != usual[name]:
            wrong = difference(twins, name, sql)
            if wrong:
                yield f"{name}: {wrong}"


@pytest.mark.parametrize("rule", MUTATIONS)
def test_the_corpus_notices_a_rule_that_is_missing(
    twins18: Twins, usual: dict[str, Decision], monkeypatch: Patch, rule: str
) -> None:
    MUTATIONS[rule](monkeypatch)
    assert next(failures(twins18, usual), None) is not None
