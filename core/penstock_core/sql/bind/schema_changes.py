"""Statements that change the schema: tables made, dropped, emptied, and every other kind by what is named in it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pglast import ast, enums

from penstock_core.sql.allowlists.schema_nodes import SCHEMA_NODES
from penstock_core.sql.allowlists.syntax_nodes import KNOWN, Fields
from penstock_core.sql.allowlists.words import words
from penstock_core.sql.bind.binder import Binder, idents
from penstock_core.sql.bind.references import (
    ForeignKeyMade,
    FunctionCall,
    ObjectsDropped,
    QueryKept,
    RelationChanged,
    RelationLiked,
    RelationLocked,
    RelationMade,
    StatementUse,
    TablePart,
    Unclaimed,
    ViewDefined,
)
from penstock_core.sql.bind.scopes import Scope, Source
from penstock_core.sql.bind.writes import TRUNCATE, use_verb, written
from penstock_core.sql.syntax.walk import below

_SERIAL = words("serial serial2 serial4 serial8 smallserial bigserial")
_OWN_CONSTRAINTS = frozenset(
    {
        enums.ConstrType.CONSTR_NULL,
        enums.ConstrType.CONSTR_NOTNULL,
        enums.ConstrType.CONSTR_DEFAULT,
        enums.ConstrType.CONSTR_IDENTITY,
        enums.ConstrType.CONSTR_GENERATED,
        enums.ConstrType.CONSTR_CHECK,
        enums.ConstrType.CONSTR_PRIMARY,
        enums.ConstrType.CONSTR_UNIQUE,
        enums.ConstrType.CONSTR_ATTR_DEFERRABLE,
        enums.ConstrType.CONSTR_ATTR_NOT_DEFERRABLE,
        enums.ConstrType.CONSTR_ATTR_DEFERRED,
        enums.ConstrType.CONSTR_ATTR_IMMEDIATE,
    }
)
# What RENAME gives another name by which it is read.
RENAMED = frozenset({enums.ObjectType.OBJECT_TABLE, enums.ObjectType.OBJECT_VIEW, enums.ObjectType.OBJECT_MATVIEW})
# Of these the catalog knows all that there are.
_KNOWN = frozenset(
    {
        enums.ObjectType.OBJECT_TABLE,
        enums.ObjectType.OBJECT_VIEW,
        enums.ObjectType.OBJECT_MATVIEW,
        enums.ObjectType.OBJECT_SEQUENCE,
    }
)


# ---- CREATE TABLE


def create_table(binder: Binder, node: ast.CreateStmt) -> None:
    """The elements of a new table. What refers to other objects is said, and bound by what is named in it."""
    _claim(binder, node)
    if node.inhRelations or node.partbound or node.partspec or node.ofTypename or node.accessMethod:
        binder.add(TablePart("CREATE TABLE with INHERITS, PARTITION, OF or USING", "name the columns themselves"))
        named_in(binder, (node.inhRelations, node.partbound, node.partspec, node.ofTypename))
    named_in(binder, node.options)
    named = tuple(one.colname or "" for one in node.tableElts or () if isinstance(one, ast.ColumnDef))
    liked = any(isinstance(one, ast.TableLikeClause) for one in node.tableElts or ())
    scope = Scope([Source(node.relation.relname or "" if node.relation else "", None if liked else named)])
    defining, binder.defining = binder.defining, True
    for element in (*(node.tableElts or ()), *(node.constraints or ()), *(node.nnconstraints or ())):
        _table_element(binder, element, scope, new=node.relation)
    binder.defining = defining


def _table_element(binder: Binder, element: Any, scope: Scope, new: ast.RangeVar | None = None) -> None:
    """A column or constraint. `new` is the table that it comes to be with, which a foreign key can point to."""
    _claim(binder, element)
    if isinstance(element, ast.Constraint):
        if element.contype in _OWN_CONSTRAINTS:
            named_in(binder, (element.options, element.exclusions, element.where_clause))
            binder.expression(element.raw_expr, scope)
            return
        if element.contype == enums.ConstrType.CONSTR_FOREIGN and element.pktable is not None:
            _foreign_key(binder, element, element.pktable, new)
        else:
            binder.add(TablePart("CREATE TABLE with EXCLUDE", "leave the constraint out"))
    elif isinstance(element, ast.ColumnDef):
        if not _is_serial(element.typeName):
            binder.expression(element.typeName, scope)
        binder.expression(element.collClause, scope)
        binder.expression(element.raw_default, scope)
        named_in(binder, element.fdwoptions)
        for constraint in element.constraints or ():
            _table_element(binder, constraint, scope, new)
        return
    elif isinstance(element, ast.TableLikeClause) and element.relation is not None:
        item = element.relation
        note_relations(binder, [tuple(filter(None, (item.schemaname, item.relname)))])
        binder.add(RelationLiked(item, binder.names.relation(item)))
    else:
        binder.add(TablePart("CREATE TABLE with that element", "name the columns themselves"))
    named_in(binder, element)


def _foreign_key(binder: Binder, constraint: ast.Constraint, item: ast.RangeVar, new: ast.RangeVar | None) -> None:
    if new is not None and (item.relname, item.schemaname) == (new.relname, new.schemaname):
        return
    note_relations(binder, [tuple(filter(None, (item.schemaname, item.relname)))])
    binder.add(ForeignKeyMade(constraint, item, binder.names.relation(item)))


def _is_serial(node: ast.TypeName | None) -> bool:
    """What looks like a type and is a number with a sequence of its own, whatever types there are."""
    return node is not None and len(names := idents(node.names)) == 1 and names[0] in _SERIAL


# ---- DROP and TRUNCATE


def drop(binder: Binder, node: ast.DropStmt) -> None:
    """The session's own temporary tables are told apart."""
    binder.claim(node)
    binder.bound.writes = True
    names = tuple(tuple(idents(one)) for one in node.objects or () if isinstance(one, tuple))
    tables = node.removeType == enums.ObjectType.OBJECT_TABLE
    temporary = bool(names) and tables and all(_is_temporary(binder, name) for name in names)
    unknown = [name for name in names if not _is_known(binder, name)]
    nowhere = bool(names) and len(unknown) == len(names) and bool(node.missing_ok) and node.removeType in _KNOWN
    binder.add(ObjectsDropped(node, names, temporary, nowhere, bool(unknown)))
    if temporary:
        binder.bound.drops_tables.update(name[-1] for name in names)
    named_in(binder, tuple(one for one in node.objects or () if not isinstance(one, tuple)))
    note_relations(binder, names, unknown=node.removeType in _KNOWN)
    binder.unmakes(name[-1] for name in names)


def _is_temporary(binder: Binder, name: tuple[str, ...]) -> bool:
    return len(name) < 3 and binder.names.is_own("".join(name[:-1]), name[-1])


def _is_known(binder: Binder, name: tuple[str, ...]) -> bool:
    """Whether some relation has that name, or, without a schema, could have it."""
    known = {relation.schema for relation in binder.names.named.get(name[-1], ())}
    # What the transaction made, perhaps by its bare name.
    made = any(known == name[-1] for _, known in binder.names.made)
    return made or bool(known if len(name) < 2 else known & {name[-2]})


def truncate(binder: Binder, node: ast.TruncateStmt) -> None:
    """TRUNCATE."""
    binder.claim(node)
    for relation in node.relations or ():
        use_verb(binder, "truncate", relation)
    binder.bound.writes = True
    binder.add(StatementUse(node))
    for relation in node.relations or ():
        written(binder, relation, TRUNCATE)


# ---- everything else


def call(binder: Binder, node: ast.CallStmt) -> None:
    """CALL: a procedure that is called like a function."""
    _claim(binder, node)
    binder.bound.writes = True
    binder.add(StatementUse(node))
    names = idents(node.funccall.funcname) if node.funccall is not None else []
    if names[-1:] and names[-1] not in binder.catalog.user_functions:
        # Nothing is known of it.
        binder.bound.changes_search_path = True
    binder.expression(node.funccall, Scope())


def schema_change(binder: Binder, node: ast.Node) -> None:
    """A statement of another kind: what it names."""
    binder.bound.writes = True
    binder.add(StatementUse(node))
    if isinstance(node, ast.DoStmt):
        binder.bound.changes_search_path = True
    relations = [one for one in below(node) if isinstance(one, ast.RangeVar)]
    if isinstance(node, ast.LockStmt):
        for one in relations:
            binder.add(RelationLocked(one, binder.names.relation(one)))
    note_relations(binder, [tuple(filter(None, (one.schemaname, one.relname))) for one in relations])
    _changed(binder, node)
    match node:
        case ast.IndexStmt():
            _index(binder, node)
        case ast.AlterTableStmt():
            _alter(binder, node)
        case ast.CreateStatsStmt():
            _statistics(binder, node)
        case ast.ViewStmt():
            _claim(binder, node)
            named_in(binder, (node.view, node.options))
            _view(binder, node.query)
            binder.add(QueryKept(node.query, node.view))
            binder.makes(node.view)
        case ast.CreateTableAsStmt():
            _claim(binder, node)
            named_in(binder, node.into)
            binder.statement(node.query)
            made = node.into.rel if node.into is not None and not node.if_not_exists else None
            binder.add(QueryKept(node.query, made))
            binder.makes(made)
        case ast.RenameStmt():
            named_in(binder, node)
            _rename(binder, node)
        case _:
            named_in(binder, node)


def _rename(binder: Binder, node: ast.RenameStmt) -> None:
    """What the transaction made has another name; what it did not make is none of its own under a new one."""
    item = node.relation
    if item is None or node.renameType not in RENAMED:
        return
    place = item.schemaname or ""
    own = (place, item.relname) in binder.names.made
    binder.unmakes([item.relname or "", node.newname or ""])
    if own:
        binder.makes(ast.RangeVar(schemaname=item.schemaname, relname=node.newname, relpersistence="p"))


def _changed(binder: Binder, node: ast.Node) -> None:
    """Which relations the statement changes or makes."""
    match node:
        case ast.IndexStmt() | ast.AlterTableStmt() | ast.RefreshMatViewStmt() | ast.RenameStmt():
            changed = [node.relation]
        case ast.VacuumStmt():
            changed = [one.relation for one in node.rels or ()]
        case ast.CreateStatsStmt():
            changed = [one for one in node.relations or () if isinstance(one, ast.RangeVar)]
        case _:
            changed = []
    for item in changed:
        if item is not None:
            binder.add(RelationChanged(node, item, binder.names.relation(item)))
    made: ast.RangeVar | None = None
    match node:
        case ast.ViewStmt():
            made = node.view
        case ast.CreateTableAsStmt():
            made = node.into.rel if node.into is not None else None
        case ast.CreateSeqStmt():
            made = node.sequence
    if made is not None:
        binder.add(RelationMade(made, binder.names.relation(made)))


def _scope_of(item: ast.RangeVar | None) -> Scope:
    """Which columns there are, changes on the way."""
    return Scope([Source((item.relname if item is not None else None) or "", None)])


def _index(binder: Binder, node: ast.IndexStmt) -> None:
    scope = _scope_of(node.relation)
    _claim(binder, node)
    named_in(binder, (node.relation, node.options, node.excludeOpNames))
    defining, binder.defining = binder.defining, True
    for element in (*(node.indexParams or ()), *(node.indexIncludingParams or ())):
        _claim(binder, element)
        named_in(binder, (element.collation, element.opclass, element.opclassopts))
        binder.expression(element.expr, scope)
    binder.expression(node.whereClause, scope)
    binder.defining = defining


def _statistics(binder: Binder, node: ast.CreateStatsStmt) -> None:
    _claim(binder, node)
    named_in(binder, node.relations)
    scope = _scope_of(next((one for one in node.relations or () if isinstance(one, ast.RangeVar)), None))
    defining, binder.defining = binder.defining, True
    for element in node.exprs or ():
        _claim(binder, element)
        binder.expression(element.expr, scope)
    binder.defining = defining


def _alter(binder: Binder, node: ast.AlterTableStmt) -> None:
    scope = _scope_of(node.relation)
    _claim(binder, node)
    named_in(binder, node.relation)
    defining, binder.defining = binder.defining, True
    for command in node.cmds or ():
        _claim(binder, command)
        named_in(binder, command.newowner)
        match command.def_:
            case ast.ColumnDef() | ast.Constraint():
                _table_element(binder, command.def_, scope)
            case _ if command.subtype == enums.AlterTableType.AT_ColumnDefault:
                binder.expression(command.def_, scope)
            case _:
                named_in(binder, command.def_)
    binder.defining = defining


def named_in(binder: Binder, definition: Any) -> None:
    """What runs later, whenever what is defined here is used, keeps to the same rules as what runs now."""
    for part in below(definition):
        _claim(binder, part)
        match part:
            case ast.CreateSchemaStmt():
                for element in part.schemaElts or ():
                    binder.statement(element)
            case ast.FuncCall():
                binder.add(FunctionCall(tuple(idents(part.funcname)), "definition"))
            case ast.ObjectWithArgs():
                # Under another name it would be denied no longer.
                binder.add(FunctionCall(tuple(idents(part.objname)), "object"))
            case ast.A_Indirection():
                _called_by_dot(binder, idents(part.indirection))
            case ast.ColumnRef():
                _called_by_dot(binder, idents(part.fields)[1:])
            case ast.ViewStmt():
                _view(binder, part.query)
            case ast.SubLink():
                binder.query(part.subselect, Scope())


def _view(binder: Binder, query: ast.Node | None) -> None:
    """A view of one relation can be written to, and so what it shows: not before the gate knows it."""
    defining, binder.defining = binder.defining, True
    binder.query(query, Scope())
    binder.defining = defining
    if isinstance(query, ast.SelectStmt) and len(query.fromClause or ()) == 1:
        computed = query.withClause or query.distinctClause or query.groupClause or query.limitCount
        (item,) = query.fromClause or ()
        if isinstance(item, ast.RangeVar) and not computed:
            binder.add(ViewDefined(binder.names.relation(item)))


def _called_by_dot(binder: Binder, names: list[str]) -> None:
    """Names behind a dot: each a field, or else a function."""
    for name in filter(binder.catalog.may_be_function, names):
        binder.add(FunctionCall((name,), "field"))


def note_relations(binder: Binder, names: Iterable[tuple[str, ...]], *, unknown: bool = True) -> None:
    """Which relations the statement names, for the record; `unknown`: what nobody knows is one."""
    for name in names:
        schemas = name[-2:-1] or tuple(binder.names.search_path or ())
        found = next((key for schema in schemas if (key := (schema, name[-1])) in binder.catalog.relations), None)
        if found is not None:
            binder.bound.concerns((found,))
        elif unknown and len(name) > 1:
            binder.bound.names(name[-2], name[-1])


def _claim(binder: Binder, node: ast.Node) -> None:
    """Each class and field of a definition is known: all that a known one holds is walked through."""
    kind = type(node)
    fields = SCHEMA_NODES.get(kind)
    if fields is not None:
        binder.claim(node, Fields(fields))
    elif kind in KNOWN:
        binder.claim(node)
    else:
        binder.add(Unclaimed(node))
