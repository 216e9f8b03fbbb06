"""Statements that write: INSERT, UPDATE, DELETE, MERGE, alone or in WITH, and COPY.

What they read besides the target is a query like any other; whether the target may be written to in that way is
decided in `penstock_core.sql.authorize.write_targets`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Any

from pglast import ast, enums

from penstock_core.sql.allowlists.syntax_nodes import CONFLICT_ELEMENT, COPY_FROM, COPY_QUERY_TO, COPY_TABLE_TO, OPTION
from penstock_core.sql.bind import queries
from penstock_core.sql.bind.binder import Binder, NotBound
from penstock_core.sql.bind.column_names import select_columns
from penstock_core.sql.bind.from_items import from_clause, from_item
from penstock_core.sql.bind.name_resolution import Ambiguous
from penstock_core.sql.bind.references import (
    Effect,
    RelationCopied,
    RowChoice,
    StatementUse,
    TargetWritten,
    VerbUse,
)
from penstock_core.sql.bind.scopes import Columns, Place, Scope, Source

Writing = ast.InsertStmt | ast.UpdateStmt | ast.DeleteStmt | ast.MergeStmt
VERBS: dict[type[ast.Node], str] = {
    ast.InsertStmt: "insert",
    ast.UpdateStmt: "update",
    ast.DeleteStmt: "delete",
    ast.MergeStmt: "merge",
}
_ACTIONS: dict[enums.CmdType | None, str] = {
    enums.CmdType.CMD_INSERT: "insert",
    enums.CmdType.CMD_UPDATE: "update",
    enums.CmdType.CMD_DELETE: "delete",
}
_UNMATCHED = enums.MergeMatchKind.MERGE_WHEN_NOT_MATCHED_BY_SOURCE
_MISSING = enums.MergeMatchKind.MERGE_WHEN_NOT_MATCHED_BY_TARGET

DELETE = Effect("delete", frozenset({"delete"}))
COPY = Effect("copy", frozenset({"insert"}))
# It asks no row anything.
TRUNCATE = Effect("truncate", frozenset())


def target_name(name: ast.RangeVar | None) -> str:
    """What a target is called in its statement."""
    alias = None if name is None or name.alias is None else name.alias.aliasname
    return alias or (name.relname if name is not None else None) or ""


def sets(targets: Iterable[Any] | None) -> frozenset[str]:
    """The columns that a SET clause names."""
    return frozenset(target.name or "" for target in targets or ())


def use_verb(binder: Binder, verb: str, item: ast.RangeVar | None) -> None:
    """The verb that a statement needs for what it does to its target."""
    own = item is not None and binder.names.is_own(item.schemaname or "", item.relname or "")
    binder.add(VerbUse(verb, item if own else None))


def write(binder: Binder, statement: Writing, around: Scope) -> Columns:
    """Bind a statement that writes; returns the columns of its RETURNING."""
    binder.claim(statement)
    binder.bound.writes = True
    scope = Scope([], around, around.ctes)
    match statement:
        case ast.InsertStmt():
            target = _insert(binder, statement, scope)
        case ast.UpdateStmt() | ast.DeleteStmt():
            target = _change(binder, statement, scope)
        case ast.MergeStmt():
            target = _merge(binder, statement, scope)
    return _returning(binder, statement, target, scope)


def written(
    binder: Binder,
    name: ast.RangeVar | None,
    effect: Effect,
    ctes: Collection[str] = (),
    settings: Iterable[Any] | None = None,
) -> TargetWritten:
    """The target of a statement, as a source of it. `settings` are what its SET clauses hold."""
    if name is None:
        raise NotBound(f"{effect.verb.upper()} without a target is not understood", "name the table")
    if not name.schemaname and name.relname in ctes:
        raise NotBound(
            f"{name.relname} is a CTE, which cannot be written to", "write the table's schema before its name"
        )
    binder.claim(name)
    if name.alias is not None:
        binder.claim(name.alias)
    resolved = binder.names.relation(name)
    source = Source(target_name(name), None, target=True)
    if isinstance(resolved, Ambiguous):
        binder.bound.concerns(resolved.keys)
    elif resolved is not None:
        source.schema = resolved.schema if name.alias is None else ""
        if resolved.relation is not None:
            source.relation = resolved.relation
            source.columns = tuple(column.name for column in resolved.relation.columns)
            binder.bound.concerns((resolved.relation.key,))
    else:
        binder.bound.names(name.schemaname, name.relname)
    reference = TargetWritten(name, resolved, source, effect, tuple(settings or ()))
    binder.add(reference)
    return reference


def _insert(binder: Binder, statement: ast.InsertStmt, scope: Scope) -> Source:
    use_verb(binder, "insert", statement.relation)
    queries.common_tables(binder, statement.withClause, scope)
    conflict = statement.onConflictClause
    settings = conflict.targetList if conflict is not None else None
    changes = sets(settings)
    actions = frozenset({"insert", "update"} if changes else {"insert"})
    effect = Effect("insert", actions, changes, *_given(statement))
    target = written(binder, statement.relation, effect, scope.ctes, settings).source
    if statement.selectStmt is not None:
        binder.query(statement.selectStmt, scope)
    scope.sources.append(target)
    binder.expression(statement.cols, scope)
    if conflict is None:
        return target
    binder.claim(conflict)
    inside = Scope([target, Source("excluded", target.columns)], scope.parent, scope.ctes)
    if conflict.infer is not None:
        binder.claim(conflict.infer)
        for element in conflict.infer.indexElems or ():
            binder.claim(element, CONFLICT_ELEMENT)
            binder.expression(element.expr, scope)
        binder.expression(conflict.infer.whereClause, scope)
    if conflict.targetList:
        use_verb(binder, "update", statement.relation)
        _shows_rows(binder, statement)
    binder.expression(conflict.targetList, inside)
    binder.expression(conflict.whereClause, inside)
    return target


def _given(statement: ast.InsertStmt) -> tuple[frozenset[str] | None, dict[str, list[ast.Node]]]:
    """The columns that new rows are given, not those that are NULL or left to their default in each of them; and the
    values, where they are written out.
    """
    names = [one.name or "" for one in statement.cols or ()]
    if statement.selectStmt is None:
        return frozenset(), {}
    if not names:
        return None, {}
    rows = getattr(statement.selectStmt, "valuesLists", None) or ()
    if not rows or any(len(row) != len(names) for row in rows):
        return frozenset(names), {}
    values = {name: [row[at] for row in rows] for at, name in enumerate(names)}
    return frozenset(name for name, given in values.items() if not all(map(_is_nothing, given))), values


def _is_nothing(value: ast.Node) -> bool:
    return isinstance(value, ast.SetToDefault) or (isinstance(value, ast.A_Const) and bool(value.isnull))


def _change(binder: Binder, statement: ast.UpdateStmt | ast.DeleteStmt, scope: Scope) -> Source:
    """UPDATE and DELETE."""
    verb = VERBS[type(statement)]
    use_verb(binder, verb, statement.relation)
    queries.common_tables(binder, statement.withClause, scope)
    effect, settings = DELETE, None
    if isinstance(statement, ast.UpdateStmt):
        settings = statement.targetList
        effect = Effect("update", frozenset({"update"}), sets(settings))
    target = written(binder, statement.relation, effect, scope.ctes, settings)
    scope.sources.append(target.source)
    if isinstance(statement, ast.UpdateStmt):
        from_clause(binder, statement, "fromClause", scope)
        binder.expression(statement.targetList, scope)
    else:
        from_clause(binder, statement, "usingClause", scope)
    _shows_rows(binder, statement)
    binder.add(RowChoice(verb, statement, "whereClause", target))
    binder.expression(statement.whereClause, scope)
    return target.source


def _merge(binder: Binder, statement: ast.MergeStmt, scope: Scope) -> Source:
    clauses: list[ast.MergeWhenClause] = list(statement.mergeWhenClauses or ())
    actions = frozenset(_ACTIONS[one.commandType] for one in clauses if one.commandType in _ACTIONS)
    for verb in sorted(actions):
        use_verb(binder, verb, statement.relation)
    if actions != {"insert"}:
        _shows_rows(binder, statement)
    queries.common_tables(binder, statement.withClause, scope)
    changed = [part for one in clauses if _ACTIONS.get(one.commandType) == "update" for part in one.targetList or ()]
    target = written(binder, statement.relation, Effect("merge", actions, sets(changed)), scope.ctes, changed)
    sources = from_item(binder, statement.sourceRelation, Place(statement, "sourceRelation"), scope)
    # In the order of RETURNING *.
    scope.sources.extend([*sources, target.source])
    binder.expression(statement.joinCondition, scope)
    seen: dict[enums.MergeMatchKind | None, list[Source]] = {_UNMATCHED: [target.source], _MISSING: sources}
    for clause in clauses:
        binder.claim(clause)
        visible = seen.get(clause.matchKind, scope.sources)
        inside = Scope(list(visible), scope.parent, scope.ctes)
        for part in (clause.condition, clause.targetList, clause.values):
            binder.expression(part, inside)
        # The rows that change are chosen by ON, those without a match by the action's own condition.
        verb = _ACTIONS.get(clause.commandType, "")
        if clause.matchKind == _UNMATCHED:
            binder.add(RowChoice(verb, clause, "condition", target))
        elif clause.matchKind != _MISSING:
            binder.add(RowChoice(verb, statement, "joinCondition", target))
    return target.source


def _returning(binder: Binder, statement: Writing, target: Source, scope: Scope) -> Columns:
    """RETURNING sees the target, what was joined to it, and (PostgreSQL 18) its old and new rows."""
    clause = statement.returningClause
    if clause is None:
        return ()
    binder.claim(clause)
    for option in clause.options or ():
        binder.claim(option)
    names = {"old", "new"} | {option.value or "" for option in clause.options or ()}
    rows = [
        Source(name, target.columns, relation=target.relation, target=True, qualified_only=True)
        for name in sorted(names)
    ]
    own = [replace(target, inserted=True)] if isinstance(statement, ast.InsertStmt) else scope.sources
    inside = Scope([*own, *rows], scope.parent, scope.ctes, merges=scope.merges)
    queries.output_columns(binder, clause, "exprs", inside)
    return select_columns(clause.exprs or (), scope)


def _shows_rows(binder: Binder, statement: Writing) -> None:
    """RETURNING of rows that were there reads them."""
    if statement.returningClause is not None:
        binder.add(VerbUse("select"))


def copy(binder: Binder, statement: ast.CopyStmt) -> None:
    """COPY between a relation or query and the client."""
    binder.add(StatementUse(statement))
    if statement.is_from:
        binder.claim(statement, COPY_FROM)
        use_verb(binder, "insert", statement.relation)
        binder.bound.writes = True
        listed = frozenset(one.sval or "" for one in statement.attlist or ())
        effect = replace(COPY, gives=listed) if listed else COPY
        target = written(binder, statement.relation, effect).source
        # The row that WHERE sees is the client's own, not yet one of the table's.
        row = Source(target.name, target.columns, schema=target.schema)
        binder.expression(statement.whereClause, Scope([row]))
    elif statement.query is not None:
        binder.claim(statement, COPY_QUERY_TO)
        if isinstance(statement.query, ast.SelectStmt):
            binder.add(VerbUse("select"))
        binder.query(statement.query, Scope())
    elif statement.relation is not None:
        binder.claim(statement, COPY_TABLE_TO)
        binder.claim(statement.relation)
        binder.add(VerbUse("select"))
        resolved = binder.names.relation(statement.relation)
        if isinstance(resolved, Ambiguous):
            binder.bound.concerns(resolved.keys)
        elif resolved is None:
            binder.bound.names(statement.relation.schemaname, statement.relation.relname)
        elif resolved.relation is not None:
            binder.bound.concerns((resolved.relation.key,))
        binder.add(RelationCopied(statement, statement.relation, resolved))
    for option in statement.options or ():
        binder.claim(option, OPTION)
        binder.expression(option.arg, Scope())
