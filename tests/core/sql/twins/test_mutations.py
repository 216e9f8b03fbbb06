"""Each rule is needed: with any one of them switched off, the corpus tells that something is wrong."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from pglast import ast
from tests.core.sql.twins.corpus import DENY, PASS
from tests.core.sql.twins.test_twins import difference
from tests.core.sql.twins.world import Twins

from penstock_core.sql.analysis import queries
from penstock_core.sql.analysis.statements import Rewriter
from penstock_core.sql.analysis.write_targets import Effect
from penstock_core.sql.catalog.model import Catalog, Column, Relation
from penstock_core.sql.decision import Action, Decision
from penstock_core.sql.masking import masked_columns as governed_module
from penstock_core.sql.resolve.scopes import Scope, Source, merged, rename

Patch = pytest.MonkeyPatch


def nothing(name: str) -> Callable[[Patch], None]:
    """The rule of that name does nothing."""
    return lambda patch: patch.setattr(Rewriter, name, lambda *_: None)


def not_entered(name: str, at: int = 1) -> Callable[[Patch], None]:
    """The rule works on a copy of what it is given, so that it resolves names but rewrites nothing."""

    def switch_off(patch: Patch) -> None:
        original = getattr(Rewriter, name)

        def rule(*arguments: Any, **more: Any) -> Any:
            given = list(arguments)
            given[at] = copy.deepcopy(given[at])
            return original(*given, **more)

        patch.setattr(Rewriter, name, rule)

    return switch_off


def kept(name: str) -> Callable[[Patch], None]:
    """The rule for an item of FROM resolves it, but the item stays as it was."""

    def switch_off(patch: Patch) -> None:
        original = getattr(Rewriter, name)

        def rule(self: Rewriter, item: Any, *rest: Any) -> Any:
            _, sources = original(self, copy.deepcopy(item), *rest)
            return item, sources

        patch.setattr(Rewriter, name, rule)

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
    def common_tables(self: Rewriter, clause: Any, scope: Scope) -> None:
        for table in clause.ctes or () if clause is not None else ():
            self.common_table(table, Scope([], scope.parent, scope.ctes))

    patch.setattr(Rewriter, "common_tables", common_tables)


def every_cte_is_known_to_all(patch: Patch) -> None:
    def common_tables(self: Rewriter, clause: Any, scope: Scope) -> None:
        tables = (clause.ctes or ()) if clause is not None else ()
        scope.ctes = {**scope.ctes, **{table.ctename: None for table in tables}}
        for table in tables:
            self.common_table(table, Scope([], scope.parent, scope.ctes))

    patch.setattr(Rewriter, "common_tables", common_tables)


def a_schema_is_overlooked(patch: Patch) -> None:
    original = Rewriter.relation

    def relation(self: Rewriter, item: Any, scope: Scope) -> Any:
        if item.relname in scope.ctes:
            item.schemaname = None
        return original(self, item, scope)

    patch.setattr(Rewriter, "relation", relation)


def nothing_is_unreadable(patch: Patch) -> None:
    patch.setattr(governed_module, "_unreadable", lambda *_: {})


def system_columns_are_forgotten(patch: Patch) -> None:
    patch.setattr("penstock_core.sql.governor._check_columns", lambda _: None)


def any_setting_goes(patch: Patch) -> None:
    patch.setattr("penstock_core.sql.allowlists.settings._check", lambda *_: None)


def group_by_is_left_alone(patch: Patch) -> None:
    patch.setattr(queries, "extend_group_by", lambda *_: None)


def children_hold_nothing(patch: Patch) -> None:
    patch.setattr(Rewriter, "_reached", lambda self, relation, effect: {relation.key: {effect}})


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


def any_function_goes(patch: Patch) -> None:
    patch.setattr(Rewriter, "named_function", lambda self, names: names)


def no_type_runs_code(patch: Patch) -> None:
    patch.setattr(governed_module, "is_coded", lambda *_: False)


def merged_columns_count(patch: Patch) -> None:
    """`*` over a join with USING is taken for the columns of both sides, one after the other."""
    patch.setattr(Scope, "merges", property(lambda _: False, lambda *_: None))


def names_of_joins_are_renamed(patch: Patch) -> None:
    def joined(alias: Any, sources: list[Source], *, counted: bool) -> Source:
        one = merged(sources, alias.aliasname)
        return replace(one, columns=rename(one.columns, tuple(name.sval for name in alias.colnames or ())))

    patch.setattr(Rewriter, "_joined", staticmethod(joined))


def any_star_is_one_column(patch: Patch) -> None:
    patch.setattr("penstock_core.sql.resolve.column_names._is_unsure", lambda _: False)


def sources_come_before_columns(patch: Patch) -> None:
    def row_source(node: Any, scope: Scope) -> Source | None:
        found = scope.find(node.fields[-1].sval) if isinstance(node, ast.ColumnRef) else []
        return found[0] if found else None

    patch.setattr(Rewriter, "_row_source", staticmethod(row_source))


def copied_queries_are_forwarded(patch: Patch) -> None:
    original = Rewriter.copy

    def rule(self: Rewriter, statement: Any) -> None:
        original(self, copy.deepcopy(statement) if statement.query is not None else statement)

    patch.setattr(Rewriter, "copy", rule)


def sources_of_writes_stay(patch: Patch) -> None:
    """`from_clause` rewrites only for queries."""
    original = Rewriter.from_clause
    write = Rewriter.write

    def from_clause(self: Rewriter, items: Any, scope: Scope) -> Any:
        if getattr(self, "writing", False):
            original(self, copy.deepcopy(items), scope)
            return items
        return original(self, items, scope)

    def flagged(self: Any, statement: Any, around: Scope) -> Any:
        self.writing = True
        return write(self, statement, around)

    patch.setattr(Rewriter, "from_clause", from_clause)
    patch.setattr(Rewriter, "write", flagged)


def from_a_view(relation: Relation, column: Column, source: tuple[str, str, str]) -> bool:
    return relation.kind != "v"


def from_a_relative(relation: Relation, column: Column, source: tuple[str, str, str]) -> bool:
    return source[1] not in ("kid",) and relation.name != "kid"


def from_a_generated_column(relation: Relation, column: Column, source: tuple[str, str, str]) -> bool:
    return not column.generated


def from_a_foreign_key(relation: Relation, column: Column, source: tuple[str, str, str]) -> bool:
    return relation.name != "o"


MUTATIONS: dict[str, Callable[[Patch], None]] = {
    "relations in FROM": kept("relation"),
    "arms of joins": kept("join"),
    "subqueries in FROM": kept("subquery"),
    "functions in FROM": kept("table_function"),
    "subqueries in expressions": not_entered("sublink"),
    "bodies of CTEs": not_entered("common_table"),
    "arms of set operations": not_entered("set_operation"),
    "sources of INSERT": not_entered("insert"),
    "writing statements": not_entered("write"),
    "RETURNING": not_entered("returning"),
    "FROM of UPDATE, USING of DELETE": sources_of_writes_stay,
    "COPY of relations": nothing("copy_relation"),
    "COPY of queries": copied_queries_are_forwarded,
    "columns with a schema": nothing("strip_schema"),
    "whole rows": nothing("whole_row"),
    "columns that are functions": nothing("attribute"),
    "fields that are functions": nothing("field_selection"),
    "functions of rows": nothing("called_by_dot"),
    "columns before sources": sources_come_before_columns,
    "stars of rows": any_star_is_one_column,
    "stars of merging joins": merged_columns_count,
    "names of hidden columns": names_of_joins_are_renamed,
    "types that run code": no_type_runs_code,
    "functions": any_function_goes,
    "operators": nothing("operator"),
    "ORDER BY … USING": nothing("sort"),
    "types": nothing("type_name"),
    "the same name twice": nothing("ambiguous_sources"),
    "samples": lambda patch: patch.setattr(Rewriter, "sample", lambda self, item, scope: (item, [])),
    "targets": nothing("writable"),
    "masked columns of targets": nothing("target_column"),
    "bare columns of targets": nothing("owned_column"),
    "stars in RETURNING": lambda patch: patch.setattr(Rewriter, "expanded", lambda self, exprs, scope: exprs),
    "masks in place": nothing("put_replacements"),
    "what is only carried to governed relations": nothing("governed_target"),
    "new rows beside masked values": nothing("inserted"),
    "rows that masked values refer to": nothing("deleted"),
    "columns that are checked with masked values": nothing("assigned"),
    "relations reached from targets": children_hold_nothing,
    "what foreign keys carry on": lambda patch: patch.setattr(Effect, "carried", lambda *_: None),
    "keys and bounds of partitions": without_partitions,
    "prepared statements": nothing("prepare"),
    "arguments of EXECUTE": nothing("execute"),
    "cursors": nothing("declare"),
    "EXPLAIN": nothing("explain"),
    "tables made of queries": nothing("create_table_as"),
    "tables that SELECT makes": nothing("select_into"),
    "elements of tables": nothing("create_table"),
    "tables that need a verb": nothing("created"),
    "what changes the schema": nothing("schema_change"),
    "DROP": nothing("drop"),
    "settings": any_setting_goes,
    "GROUP BY of a key": group_by_is_left_alone,
    "scopes of CTEs": no_cte_is_known,
    "order of CTEs": every_cte_is_known_to_all,
    "schemas before names of CTEs": a_schema_is_overlooked,
    "system columns, unknown columns": system_columns_are_forgotten,
    "relations that can't be read": nothing_is_unreadable,
    "views": without(from_a_view),
    "parents and children": without(from_a_relative),
    "generated columns": without(from_a_generated_column),
    "foreign keys": without(from_a_foreign_key),
}


@pytest.fixture(scope="module")
def usual(twins18: Twins) -> dict[str, Decision]:
    """What is decided while every rule is on."""
    governor = twins18.governor()
    return {name: governor.decide(text, ("public",)) for name, text in {**DENY, **PASS}.items()}


def failures(twins: Twins, usual: dict[str, Decision]) -> Iterator[str]:
    """Statements of the corpus that go wrong; lazily, since one is enough. What is decided as usual goes well."""
    governor = twins.governor()
    for name, text in DENY.items():
        if governor.decide(text, ("public",)).action is not Action.DENY:
            yield f"{name}: not refused"
    for name, text in PASS.items():
        if governor.decide(text, ("public",)) != usual[name]:
            wrong = difference(twins, name, text)
            if wrong:
                yield f"{name}: {wrong}"


@pytest.mark.parametrize("rule", MUTATIONS)
def test_the_corpus_notices_a_rule_that_is_missing(
    twins18: Twins, usual: dict[str, Decision], monkeypatch: Patch, rule: str
) -> None:
    MUTATIONS[rule](monkeypatch)
    assert next(failures(twins18, usual), None) is not None
